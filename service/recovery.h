/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pool that should be up and is not is started again and again, with growing pauses, until it runs or is
 * stopped. */
#pragma once

#include "pool.h"

/* An active pool is not reachable any more: state becomes unavailable or unresponsive, e is shown, tries
 * begin. Of any other pool it is no news. */
void pool_failed(Pool *p, PoolState state, const Error *e);
/* It is wanted up from now on; the first try is made at once. */
void recovery_begin(Pool *p);
/* A start by ourselves failed: the next one comes later. */
void recovery_schedule(Pool *p);
/* It runs, or nobody wants it up any more. */
void recovery_cancel(Pool *p);
bool recovery_is_pending(const Pool *p);
