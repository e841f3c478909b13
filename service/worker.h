/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A worker process: started, spoken to over the private bus, cancelled, and abandoned when even SIGKILL does
 * not end it. Nothing here waits: a process stuck in the kernel costs a process, not the daemon. */
#pragma once

#include "manager.h"
#include "util/volume-info.h"

typedef struct Worker Worker;

typedef enum WorkerKind {
        WORKER_SESSION, /* short operations of one pool, stays */
        WORKER_JOB,     /* one long operation, then ends */
} WorkerKind;

/* What its owner hears. Volumes and vanished names have been checked; those of an answer come before the
 * answer. */
typedef struct WorkerEvents {
        void (*ready)(void *userdata);
        void (*progress)(uint64_t done, uint64_t total, void *userdata);
        void (*volume)(const VolumeInfo *v, void *userdata);
        void (*vanished)(const char *name, void *userdata);
        /* The process has ended, also because it broke the protocol (WorkerCrashed), or had to be abandoned (TimedOut).
         * Calls in flight get no answer any more. The owner's pointer is void after this. */
        void (*gone)(const Error *e, void *userdata);
} WorkerEvents;

/* `result` is NULL when e is set. needs_job: a session worker says that this is work for a job worker. */
typedef void (*worker_reply_t)(Bag *result, const Error *e, bool needs_job, void *userdata);

int worker_start(Manager *m, WorkerKind kind, const char *backend, const WorkerEvents *events,
                 void *userdata, Worker **ret, Error *e);

/* Sends one operation (see util/protocol.h); answers come in the order of the calls. args may be NULL. */
int worker_call(Worker *w, const char *operation, const char *volume, const Bag *args, worker_reply_t reply,
                void *userdata, Error *e);

/* Ends it: SIGTERM to its process group, SIGKILL after ManagerConfig.kill_usec, abandoned 2 s later. `gone`
 * tells the end. */
void worker_cancel(Worker *w);
/* Its process has not ended yet. */
bool worker_lives(const Worker *w);
/* Another owner hears of it from now on. Only before the first call. */
void worker_hand_over(Worker *w, const WorkerEvents *events, void *userdata);
/* At once SIGKILL. */
void worker_kill(Worker *w);
/* The owner wants no more events: the worker finishes its input, sees the end of the connection and leaves
 * by itself. */
void worker_release(Worker *w);
/* Has nothing more to do, and no call is out: it leaves by itself. `gone` tells when it has, and all its descriptors with it. */
void worker_dismiss(Worker *w, const WorkerEvents *events, void *userdata);
/* Ends and frees all workers of the manager, without waiting for them. */
void workers_free(Manager *m);
