/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the host's shutdown and the jobs get along: while one must not be cut, logind is asked to wait a little (a delay
 * lock, see org.freedesktop.login1(5)), and from the moment that it announces the shutdown no new work is taken. Without
 * logind nothing is different. */
#pragma once

#include "bus-internal.h"

int inhibit_new(Bus *b, Inhibit **ret);
void inhibit_free(Inhibit *i); /* the lock goes with it */
DEFINE_CLEANUP(Inhibit *, inhibit_free)

/* A job began or ended. Costs nothing unless it is the first or the last. */
void inhibit_update(Inhibit *i);
