/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job: one operation on a pool or volume, from the queue to its end; what the Job object shows. */
#pragma once

#include "manager.h"

typedef enum Operation {
        OPERATION_POOL_START,
        OPERATION_POOL_STOP,
        OPERATION_POOL_BUILD,
        OPERATION_POOL_DELETE,
        OPERATION_POOL_REFRESH,
        OPERATION_DISCOVER,
        OPERATION_VOLUME_CREATE,
        OPERATION_VOLUME_CLONE,
        OPERATION_VOLUME_RESIZE,
        OPERATION_VOLUME_DELETE,
        OPERATION_VOLUME_SET_FORMAT,
        OPERATION_VOLUME_REFRESH,
        OPERATION_VOLUME_UPLOAD,
        OPERATION_VOLUME_DOWNLOAD,
        OPERATION_VOLUME_IMPORT,
        OPERATION_VOLUME_EXPORT,
        OPERATION_VOLUME_RENAME,
        OPERATION_VOLUME_MOVE,
        OPERATION_VOLUME_CONVERT,
        OPERATION_VOLUME_REBASE,
        OPERATION_VOLUME_FLATTEN,
        OPERATION_VOLUME_WIPE,
        OPERATION_SNAPSHOT_CREATE,
        OPERATION_SNAPSHOT_REVERT,
        OPERATION_SNAPSHOT_DELETE,
        OPERATION_POOL_CONVERT,
        _OPERATION_MAX,
        _OPERATION_INVALID = -EINVAL,
} Operation;

typedef enum JobState {
        JOB_QUEUED,
        JOB_RUNNING,
        JOB_CANCELLING,
        JOB_DONE,
        JOB_FAILED,
        JOB_CANCELLED,
        _JOB_STATE_MAX,
        _JOB_STATE_INVALID = -EINVAL,
} JobState;

#define JOBS_RUNNING_MAX 16u        /* job workers at once */
#define JOBS_RUNNING_PER_UID_MAX 4u /* of these, for one uid other than root's */
#define JOBS_RUNNING_PER_POOL_MAX (JOBS_RUNNING_MAX / 2)
#define JOBS_QUEUED_PER_UID_MAX 1024u
#define JOBS_FINISHED_PER_UID_MAX 256u
#define JOB_KEEP_USEC (60ULL * 1000 * 1000) /* a finished job stays readable */
#define JOB_ANNOUNCE_USEC (100ULL * 1000)   /* a job whose caller waits is announced only after this */
#define JOB_READY_USEC \
        (1000ULL * 1000) /* a caller that does not wait gets its job path at the latest now \
                                         */

struct Job {
        Manager *manager;
        uint64_t id;
        Operation operation;
        char *pool, *volume; /* names; volume NULL for pool operations */
        char *source;        /* the volume that is cloned, moved, or stood on; ordered like `volume` */
        char *source_pool;   /* where that is; NULL: in the same pool */
        uid_t caller;
        JobState state;
        bool cancellable, stalled, announced;
        bool ready;                 /* its checks have passed */
        uint64_t bytes, bytes_done; /* bytes 0: not known */
        uint64_t rate;              /* bytes per second, exponential average */
        uint64_t start_usec;        /* realtime, of the start of work; 0: queued */
        uint64_t expected_end_usec; /* realtime; 0: not known */
        Error error;
        Bag *result;
        struct JobRun *run; /* job.c, queue.c */
};

const char *operation_to_string(Operation o); /* "pool-start", "volume-create", ... */
const char *job_state_to_string(JobState s);
JobState job_state_from_string(const char *s);
bool job_is_finished(const Job *j);
double job_progress(const Job *j, bool *ret_valid); /* 0..1 */

/* Called once when the job became ready or ended, whichever is first (`ended` false: only ready), and once
 * more at the end. */
typedef void (*job_event_t)(Job *j, bool ended, void *userdata);
/* One listener per job: the reply that is held. NULL drops it. */
void job_listen(Job *j, job_event_t callback, void *userdata);

/* Queued: ends at once as cancelled. Running: cancelled through its worker. NotSupported when it is not
 * cancellable. */
int job_cancel(Job *j, Error *e);
int manager_find_job(Manager *m, uint64_t id, Job **ret, Error *e); /* NoSuchJob */
