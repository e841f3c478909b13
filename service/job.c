/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job.h"

#include <assert.h>
#include <inttypes.h>

#include "job-run.h"
#include "pool.h"
#include "util/fileio.h"
#include "util/log.h"

static const char *const operation_names[_OPERATION_MAX] = {
        [OPERATION_POOL_START] = "pool-start",
        [OPERATION_POOL_STOP] = "pool-stop",
        [OPERATION_POOL_BUILD] = "pool-build",
        [OPERATION_POOL_DELETE] = "pool-delete",
        [OPERATION_POOL_REFRESH] = "pool-refresh",
        [OPERATION_DISCOVER] = "discover",
        [OPERATION_VOLUME_CREATE] = "volume-create",
        [OPERATION_VOLUME_CLONE] = "volume-clone",
        [OPERATION_VOLUME_RESIZE] = "volume-resize",
        [OPERATION_VOLUME_DELETE] = "volume-delete",
        [OPERATION_VOLUME_SET_FORMAT] = "volume-set-format",
        [OPERATION_VOLUME_REFRESH] = "volume-refresh",
        [OPERATION_VOLUME_UPLOAD] = "volume-upload",
        [OPERATION_VOLUME_DOWNLOAD] = "volume-download",
        [OPERATION_VOLUME_IMPORT] = "volume-import",
        [OPERATION_VOLUME_EXPORT] = "volume-export",
        [OPERATION_VOLUME_RENAME] = "volume-rename",
        [OPERATION_VOLUME_MOVE] = "volume-move",
        [OPERATION_VOLUME_CONVERT] = "volume-convert",
        [OPERATION_VOLUME_REBASE] = "volume-rebase",
        [OPERATION_VOLUME_FLATTEN] = "volume-flatten",
        [OPERATION_VOLUME_WIPE] = "volume-wipe",
        [OPERATION_SNAPSHOT_CREATE] = "snapshot-create",
        [OPERATION_SNAPSHOT_REVERT] = "snapshot-revert",
        [OPERATION_SNAPSHOT_DELETE] = "snapshot-delete",
        [OPERATION_POOL_CONVERT] = "pool-convert",
};

static const char *const state_names[_JOB_STATE_MAX] = {
        [JOB_QUEUED] = "queued", [JOB_RUNNING] = "running", [JOB_CANCELLING] = "cancelling",
        [JOB_DONE] = "done",     [JOB_FAILED] = "failed",   [JOB_CANCELLED] = "cancelled",
};

const char *operation_to_string(Operation o)
{
        return o >= 0 && o < _OPERATION_MAX ? operation_names[o] : NULL;
}

const char *job_state_to_string(JobState s)
{
        return s >= 0 && s < _JOB_STATE_MAX ? state_names[s] : NULL;
}

JobState job_state_from_string(const char *s)
{
        for (JobState i = 0; i < _JOB_STATE_MAX; i++)
                if (streq(state_names[i], s))
                        return i;
        return _JOB_STATE_INVALID;
}

bool job_is_finished(const Job *j)
{
        return j->state >= JOB_DONE;
}

/* A refresh runs beside everything but the coming and going of its pool. */
bool operation_is_pool_wide(Operation o)
{
        switch (o) {
        case OPERATION_POOL_START:
        case OPERATION_POOL_STOP:
        case OPERATION_POOL_BUILD:
        case OPERATION_POOL_DELETE:
                return true;
        case OPERATION_POOL_REFRESH:
        case OPERATION_DISCOVER:
        case OPERATION_VOLUME_CREATE:
        case OPERATION_VOLUME_CLONE:
        case OPERATION_VOLUME_RESIZE:
        case OPERATION_VOLUME_DELETE:
        case OPERATION_VOLUME_SET_FORMAT:
        case OPERATION_VOLUME_REFRESH:
        case OPERATION_VOLUME_UPLOAD:
        case OPERATION_VOLUME_DOWNLOAD:
        case OPERATION_VOLUME_IMPORT:
        case OPERATION_VOLUME_EXPORT:
        case OPERATION_VOLUME_RENAME:
        case OPERATION_VOLUME_MOVE:
        case OPERATION_VOLUME_CONVERT:
        case OPERATION_VOLUME_REBASE:
        case OPERATION_VOLUME_FLATTEN:
        case OPERATION_VOLUME_WIPE:
        case OPERATION_SNAPSHOT_CREATE:
        case OPERATION_SNAPSHOT_REVERT:
        case OPERATION_SNAPSHOT_DELETE:
        case OPERATION_POOL_CONVERT:
        case _OPERATION_MAX:
        case _OPERATION_INVALID:
                return false;
        }
        return false;
}

double job_progress(const Job *j, bool *ret_valid)
{
        *ret_valid = j->bytes > 0 || j->state == JOB_DONE;
        if (j->state == JOB_DONE)
                return 1;
        return j->bytes > 0 ? MIN(1.0, (double)j->bytes_done / (double)j->bytes) : 0;
}

int job_new(Manager *m, Operation o, Pool *p, const char *volume, const char *source, uid_t caller,
            Bag *args, Job **ret)
{
        Job *j = calloc(1, sizeof(*j));

        if (!j) {
                bag_free(args);
                return -ENOMEM;
        }
        *j = (Job){ .manager = m, .operation = o, .caller = caller, .cancellable = true };
        j->run = calloc(1, sizeof(*j->run));
        if (j->run)
                j->run->args = args;
        else
                bag_free(args);
        if (!j->run || free_and_strdup(&j->pool, p ? pool_name(p) : NULL) < 0 ||
            free_and_strdup(&j->volume, volume) < 0 || free_and_strdup(&j->source, source) < 0) {
                job_free(j);
                return -ENOMEM;
        }
        j->id = m->next_job_id++;
        *ret = j;
        return 0;
}

/* With descriptors of callers and of volumes in it, which somebody else may wait for. */
static void drop_args(Job *j)
{
        for (size_t i = 0; i < j->run->n_steps; i++)
                bag_free(j->run->steps[i].args);
        bag_free(j->run->args);
        j->run->args = NULL;
        j->run->n_steps = 0;
}

void job_free(Job *j)
{
        if (!j)
                return;
        if (j->run) {
                if (j->run->worker) {
                        worker_release(j->run->worker);
                        worker_cancel(j->run->worker);
                }
                sd_event_source_disable_unref(j->run->ready_timer);
                sd_event_source_disable_unref(j->run->watchdog);
                sd_event_source_disable_unref(j->run->sweep);
                bag_free(j->run->scanned);
                move_free(j->run->move);
                batch_free(j->run->batch);
                drop_args(j);
                free(j->run->waiters);
                free(j->run);
        }
        error_done(&j->error);
        bag_free(j->result);
        free(j->pool);
        free(j->volume);
        free(j->source);
        free(j->source_pool);
        free(j);
}

const Bag *job_args(const Job *j)
{
        return j->run->n_steps > 0 ? j->run->steps[0].args : j->run->args;
}

void job_announce(Job *j)
{
        Manager *m = j->manager;

        if (j->announced)
                return;
        j->announced = true;
        if (m->observer.job_added)
                m->observer.job_added(j, m->observer_data);
}

void job_tell_changed(Job *j)
{
        Manager *m = j->manager;

        if (j->announced && m->observer.job_changed)
                m->observer.job_changed(j, m->observer_data);
}

void job_set_ready(Job *j)
{
        if (j->ready)
                return;
        j->ready = true;
        if (j->run->listener)
                j->run->listener(j, false, j->run->listener_data);
}

/* A caller that does not wait for the end waits at most this long for a place in the queue. */
static int on_ready_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        job_set_ready(userdata);
        return 0;
}

void job_listen(Job *j, job_event_t callback, void *userdata)
{
        j->run->listener = callback;
        j->run->listener_data = userdata;
        if (callback && !j->run->ready_timer)
                (void)sd_event_add_time_relative(j->manager->event, &j->run->ready_timer, CLOCK_MONOTONIC,
                                                 JOB_READY_USEC, 0, on_ready_timer, j);
}

void job_set_stalled(Job *j)
{
        j->stalled = true;
        job_tell_changed(j);
}

/* Rate: exponential average over samples at least 100 ms apart; the expected end follows from it. */
void job_set_progress(Job *j, uint64_t done, uint64_t total)
{
        JobRun *run = j->run;
        uint64_t now = now_usec(CLOCK_MONOTONIC);

        if (done != j->bytes_done)
                j->stalled = false;
        j->bytes_done = done;
        j->bytes = total;
        if (run->rate_usec == 0) {
                run->rate_usec = now;
                run->rate_bytes = done;
        } else if (now - run->rate_usec >= 100000 && done >= run->rate_bytes) {
                uint64_t sample =
                        (uint64_t)((double)(done - run->rate_bytes) * 1e6 / (double)(now - run->rate_usec));

                j->rate = j->rate == 0 ? sample : (j->rate * 7 + sample) / 8;
                run->rate_usec = now;
                run->rate_bytes = done;
        }
        if (j->rate > 0 && total > done)
                j->expected_end_usec = now_usec(CLOCK_REALTIME) +
                                       (uint64_t)((double)(total - done) / (double)j->rate * 1e6);
        job_tell_changed(j);
        if (run->parent)
                batch_progress(j);
}

static void log_end(const Job *j)
{
        LogFields fields = {
                .message_id = MESSAGE_JOB_FINISHED,
                .pool = j->pool,
                .volume = j->volume,
                .error = error_kind_to_name(j->error.kind),
                .caller = j->caller,
        };
        char id[24];

        snprintf(id, sizeof(id), "%" PRIu64, j->id);
        fields.job = id;
        if (j->state == JOB_DONE)
                log_line(LOG_DEBUG, fields, "Job %s: %s %s%s%s done", id, operation_to_string(j->operation),
                         j->pool ?: "", j->volume ? "/" : "", j->volume ?: "");
        else
                log_line(j->state == JOB_CANCELLED ? LOG_INFO : LOG_NOTICE, fields,
                         "Job %s: %s %s%s%s %s: %s", id, operation_to_string(j->operation), j->pool ?: "",
                         j->volume ? "/" : "", j->volume ?: "", job_state_to_string(j->state),
                         j->error.message ?: "");
}

void job_end(Job *j, Bag *result, const Error *e)
{
        Manager *m = j->manager;

        assert(!job_is_finished(j));
        j->result = result;
        j->state = !e ? JOB_DONE : e->kind == ERROR_CANCELLED ? JOB_CANCELLED : JOB_FAILED;
        j->cancellable = j->stalled = false;
        j->expected_end_usec = 0;
        if (e) {
                j->error.kind = e->kind;
                (void)free_and_strdup(&j->error.message, e->message);
        } else if (j->bytes > 0)
                j->bytes_done = j->bytes;
        j->run->ready_timer = sd_event_source_disable_unref(j->run->ready_timer);
        j->run->watchdog = sd_event_source_disable_unref(j->run->watchdog);
        log_end(j);
        drop_args(j);

        if (j->run->listener) {
                job_event_t listener = j->run->listener;

                j->run->listener = NULL;
                listener(j, true, j->run->listener_data);
        }
        /* After the reply, which may be what announces it. */
        if (j->announced && m->observer.job_finished)
                m->observer.job_finished(j, m->observer_data);
        queue_finished(j);
}

int job_cancel(Job *j, Error *e)
{
        if (job_is_finished(j))
                return error_set(e, ERROR_NOT_SUPPORTED, "Job %" PRIu64 " has ended already: %s", j->id,
                                 job_state_to_string(j->state));
        if (!j->cancellable)
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "Job %" PRIu64
                                 " (%s) is a short operation that runs already, it ends by itself",
                                 j->id, operation_to_string(j->operation));
        if (j->state == JOB_CANCELLING)
                return 0;
        return run_cancel(j, e);
}

int manager_find_job(Manager *m, uint64_t id, Job **ret, Error *e)
{
        char key[24];
        Job *j;

        snprintf(key, sizeof(key), "%" PRIu64, id);
        j = hashmap_get(m->jobs, key);
        if (!j)
                return error_set(e, ERROR_NO_SUCH_JOB,
                                 "There is no job %" PRIu64 "; a job can be read for 60 s after its end",
                                 id);
        *ret = j;
        return 0;
}

int job_submit_internal(Pool *p, Operation o, Job **ret, Error *e)
{
        Job *j;
        int r;

        r = manager_check_accepting(p->manager, e);
        if (r < 0)
                return r;
        r = job_new(p->manager, o, p, NULL, NULL, 0, bag_new(), &j);
        if (r < 0)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        j->run->internal = true;
        r = queue_add(p->manager->queue, j, e);
        if (r >= 0 && ret)
                *ret = j;
        return r;
}
