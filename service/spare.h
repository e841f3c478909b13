/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One job worker that is started ahead, so that the next job of the same kind need not wait for a process to come up. */
#pragma once

#include "worker.h"

/* The spare when it is of this backend, else a new worker; as worker_start() for WORKER_JOB. */
int spare_take(Manager *m, const char *backend, const WorkerEvents *events, void *userdata, Worker **ret,
               Error *e);
/* Starts one for this backend, unless there is one. It leaves when it was not needed for the idle time (60 s where that is endless). */
void spare_prepare(Manager *m, const char *backend);
void spare_drop(Manager *m);
