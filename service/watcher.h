/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* News from outside: the daemon polls a descriptor that a worker made, and asks a worker to look where it
 * points. */
#pragma once

#include "pool.h"

/* Takes the descriptor (inotify, of the pool's directory); WorkerCrashed when it is none. */
int watcher_start(Pool *p, int fd, Error *e);
void watcher_stop(Pool *p);
/* An operation of ours just told of this name: when the only news of it is `event` (IN_CREATE, IN_DELETE), that was it. */
void watcher_forget(Pool *p, const char *name, uint32_t event);
