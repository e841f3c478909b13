/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is found in a pool is taken into its table here: by operations, by news, and by scans, which must not
 * undo what operations did while they ran. */
#pragma once

#include "pool.h"

/* A record as an operation or a look at one volume found it: counts at once. */
void pool_volume_seen(Pool *p, const VolumeInfo *v);
void pool_volume_gone(Pool *p, const char *name);
void pool_space_seen(Pool *p, const Bag *result); /* keys capacity, allocation, available; absent: no news */

/* A scan of the whole pool. Between begin and end its findings come through the two below. */
int refresh_begin(Pool *p,
                  bool full); /* full: it tells of everything, so what it does not tell of is gone */
void refresh_volume(Pool *p, const VolumeInfo *v);
void refresh_vanished(Pool *p, const char *name);
/* After the last word of a scan: drops what a full one did not tell of, some at each call; true: all of it. */
bool refresh_sweep(Pool *p);
/* Takes the snapshot for the next scan out of the result; looks again at what changed under the scan. */
void refresh_end(Pool *p, Bag *result);
void refresh_abort(Pool *p);

/* Forgets all volumes, as at stop. */
void pool_clear_volumes(Pool *p);
/* Asks the session worker to look at these names (taken). */
void pool_look_at(Pool *p, char **names);
