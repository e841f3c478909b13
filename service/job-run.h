/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What only the queue and the runner know of a job. */
#pragma once

#include "job.h"
#include "session.h"
#include "worker.h"

/* Operations that a worker is asked for, one after the other. */
#define JOB_STEPS_MAX 6u

typedef struct JobStep {
        const char *operation; /* of util/protocol.h */
        Bag *args;
} JobStep;

typedef struct JobRun {
        Job *next, *previous; /* in the queue's list of unfinished, or of finished jobs */
        Job **waiters;        /* jobs that must not start before this one ends */
        size_t n_waiters, n_blockers;
        bool started;    /* left the queue */
        bool in_slot;    /* counts as one of the job workers */
        bool wants_slot; /* waits for one */

        Bag *args;
        Job *parent;                      /* the conversion of a whole pool that it is part of */
        uint32_t creator, source_creator; /* of the two volumes, when polkit said yes */
        uint64_t charge;                  /* bytes it takes from the caller's quota while under way */
        JobStep steps[JOB_STEPS_MAX];
        size_t n_steps, step;
        Worker *worker;
        SessionCall *call;
        bool configured, retried;       /* its worker has begun; it has had a second one */
        bool undo_retried;              /* so has its undo */
        bool undoing, internal;         /* internal: asked for by the daemon itself */
        bool at_source;                 /* works in the pool of its source just now */
        struct Move *move;              /* run-copy.c */
        struct Batch *batch;            /* batch.c */
        PoolState before;               /* of its pool, when it began */
        uint64_t rate_usec, rate_bytes; /* last sample */

        job_event_t listener;
        void *listener_data;
        sd_event_source *ready_timer, *watchdog;
        sd_event_source *sweep; /* while what a scan did not tell of is dropped */
        Bag *scanned;           /* the scan's result until then */
        uint64_t finished_usec; /* monotonic */
} JobRun;

/* queue.c */
typedef struct JobQueue JobQueue;
int queue_new(Manager *m, JobQueue **ret);
void queue_free(JobQueue *q); /* ends every job without telling anybody */
int queue_add(JobQueue *q, Job *j,
              Error *e);      /* LimitsExceeded; takes the job; starts it when nothing is in its way */
void queue_want_slot(Job *j); /* runs in a job worker once a place is free: run_in_worker() */
void queue_finished(Job *j);  /* wakes what waited for it, keeps it readable for a while */
size_t queue_n_unfinished(const JobQueue *q);
Job *queue_first(const JobQueue *q); /* unfinished jobs in order; next by run->next */
uint64_t queue_charged(const JobQueue *q, const Pool *p, uid_t uid);
bool queue_pool_waits_for(const JobQueue *q, const Pool *p,
                          Operation o); /* such a job is there that has not begun */
bool queue_pool_has_jobs(const JobQueue *q, const Pool *p);
void queue_forget(Job *j); /* a finished one, before its time; it is void after this */
/* Cancels what can be cancelled of these. */
void queue_cancel(JobQueue *q, bool (*wanted)(const Job *j, const void *userdata), const void *userdata);
bool job_is_in_pool(const Job *j, const char *pool); /* works there, or takes something from there */

/* plan.c: the steps, of j->run->args. */
int job_plan(Job *j, const Pool *p);

/* run.c */
void run_start(Job *j);
int run_cancel(Job *j, Error *e); /* NotSupported when it is too late */

/* run-worker.c: a place is free */
void run_in_worker(Job *j);

/* batch.c */
void batch_begin(Job *j);
void batch_cancel(Job *j);
void batch_progress(Job *child); /* of the one that runs */
void batch_free(struct Batch *b);

void move_free(struct Move *m); /* run-copy.c */

/* settle.c: what the end means for the pool; the job itself ends after it, so that a caller finds the new
 * state. Either may remove the pool. */
void settle_pool(Job *j, const Error *e);
void settle_unstarted(const Job *j); /* of a job that never began */

/* job.c */
int job_new(Manager *m, Operation o, Pool *p, const char *volume, const char *source, uid_t caller,
            Bag *args /* taken */, Job **ret);
void job_free(Job *j);
const Bag *job_args(const Job *j); /* of a volume's operation, before and after it began */
void job_set_ready(Job *j);
void job_tell_changed(Job *j);
void job_set_stalled(Job *j);
void job_set_progress(Job *j, uint64_t done, uint64_t total);
void job_announce(Job *j);
/* The end: e NULL is success; result (may be NULL) is taken. Tells the listener and the observer. */
void job_end(Job *j, Bag *result, const Error *e);
bool operation_is_pool_wide(Operation o); /* nothing else may run in the pool meanwhile */
/* Starts an internal job of the daemon itself (recovery, refresh after lost news); no caller waits. */
int job_submit_internal(Pool *p, Operation o, Job **ret, Error *e);
