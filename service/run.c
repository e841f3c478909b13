/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job's beginning and end, and short operations, which the session of its pool does. */
#include <inttypes.h>

#include "request.h"
#include "run-internal.h"
#include "util/fileio.h"
#include "util/object-path.h"

Pool *run_pool(const Job *j)
{
        const char *name = j->run->at_source ? j->source_pool : j->pool;

        return name ? manager_pool(j->manager, name) : NULL;
}

const char *run_volume(const Job *j)
{
        return j->run->at_source ? j->source : j->volume;
}

/* ---- the end ---- */

/* Whose result has the path of a volume; a rename has its name among the args. */
static const bool makes_volume[_OPERATION_MAX] = {
        [OPERATION_VOLUME_CREATE] = true, [OPERATION_VOLUME_CLONE] = true,  [OPERATION_VOLUME_IMPORT] = true,
        [OPERATION_VOLUME_MOVE] = true,   [OPERATION_VOLUME_RENAME] = true,
};

static int finish_result(const Job *j, Bag *result)
{
        _cleanup_free_ char *volume = NULL, *snapshot = NULL;

        bag_remove(result, "capacity");
        bag_remove(result, "allocation");
        bag_remove(result, "available");
        bag_remove(result, "snapshot");
        bag_remove(result, "fd");
        if (makes_volume[j->operation])
                volume = object_path_volume(j->pool, bag_get_string(job_args(j), "name") ?: j->volume);
        if (j->operation == OPERATION_SNAPSHOT_CREATE)
                snapshot = object_path_snapshot(j->pool, j->volume, bag_get_string(job_args(j), "snapshot"));
        if (snapshot)
                return bag_set_path(result, "snapshot", snapshot);
        return volume ? bag_set_path(result, "volume", volume) : 0;
}

void run_end_sweep(Job *j)
{
        j->run->sweep = sd_event_source_disable_unref(j->run->sweep);
        bag_free(j->run->scanned);
        j->run->scanned = NULL;
}

void run_finish(Job *j, Bag *result, const Error *e)
{
        if (j->run->worker) {
                worker_release(j->run->worker);
                j->run->worker = NULL;
        }
        j->run->call = NULL;
        run_end_sweep(j);
        settle_pool(j, e);
        if (result)
                (void)finish_result(j, result);
        job_end(j, result ?: bag_new(), e);
}

/* Ends a job of which nothing was begun. */
static void end_unstarted(Job *j, const Error *e)
{
        settle_unstarted(j);
        job_end(j, bag_new(), e);
}

void run_fail(Job *j, ErrorKind kind, const char *text)
{
        _cleanup_error_ Error e = ERROR_NULL;

        error_set(&e, kind, "%s", text);
        run_finish(j, NULL, &e);
}

/* ---- in the session ---- */

static void on_session_reply(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        Job *j = userdata;

        j->run->call = NULL;
        if (needs_job) {
                j->cancellable = true;
                job_tell_changed(j);
                queue_want_slot(j);
                return;
        }
        if (e && e->kind == ERROR_WORKER_CRASHED)
                run_undo(j, e);
        else
                run_finish(j, result ? bag_copy(result) : NULL, e);
}

static void run_in_session(Job *j, Pool *p)
{
        JobStep *step = &j->run->steps[0];
        _cleanup_error_ Error e = ERROR_NULL;

        if (session_call(p->session, step->operation, j->volume, bag_copy(step->args), on_session_reply, j,
                         &j->run->call, &e) < 0)
                run_finish(j, NULL, &e);
        else
                j->cancellable = !session_call_is_sent(j->run->call);
}

/* ---- begin and cancel ---- */

/* A stop that finds the pool down has nothing left to do: its start was cancelled, or another came first. */
static bool is_done_already(const Job *j, const Pool *p)
{
        return j->operation == OPERATION_POOL_STOP && (!p || !pool_is_up(p));
}

static int check_start(Job *j, Pool *p, Error *e)
{
        int r;

        if (!p)
                return error_set(e, ERROR_NO_SUCH_POOL, "The pool was removed before the job began");
        r = request_check_again(j, p, e);
        if (r < 0)
                return r;
        return job_plan(j, p) < 0 ? error_set(e, ERROR_NO_MEMORY, "out of memory") : 0;
}

/* May be: the session's worker says when it is not. Where bytes of a caller or of another pool move it always is long. */
static bool is_short(const Job *j)
{
        return j->volume && !j->source_pool && !bag_has(job_args(j), "fd");
}

void run_start(Job *j)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Pool *p = run_pool(j);

        j->state = JOB_RUNNING;
        j->start_usec = now_usec(CLOCK_REALTIME);
        if (is_done_already(j, p)) {
                job_end(j, bag_new(), NULL);
                return;
        }
        if (check_start(j, p, &e) < 0) {
                end_unstarted(j, &e);
                return;
        }
        j->run->before = p->state;
        if (j->operation == OPERATION_POOL_START && !pool_is_up(p))
                pool_set_state(p, POOL_STARTING, NULL);
        if (j->operation == OPERATION_POOL_STOP)
                pool_set_state(p, POOL_STOPPING, NULL);
        job_tell_changed(j);
        if (j->operation == OPERATION_POOL_CONVERT)
                batch_begin(j);
        else if (is_short(j))
                run_in_session(j, p);
        else
                queue_want_slot(j);
}

static void set_cancelling(Job *j)
{
        j->state = JOB_CANCELLING;
        job_tell_changed(j);
}

int run_cancel(Job *j, Error *e)
{
        _cleanup_error_ Error cancelled = ERROR_NULL;

        error_set(&cancelled, ERROR_CANCELLED, "The job was cancelled before it began");
        if (!j->run->started) {
                end_unstarted(j, &cancelled);
                return 0;
        }
        if (j->run->wants_slot || (j->run->call && session_cancel(j->run->call))) {
                run_finish(j, NULL, &cancelled);
                return 0;
        }
        if (j->run->batch) {
                set_cancelling(j);
                batch_cancel(j);
                return 0;
        }
        if (j->run->call && j->source_pool) { /* nothing is made yet: ends with the answer */
                set_cancelling(j);
                return 0;
        }
        if (!j->run->worker) /* sent to the session meanwhile */
                return error_set(e, ERROR_NOT_SUPPORTED, "Job %" PRIu64 " runs already and ends by itself",
                                 j->id);
        set_cancelling(j);
        worker_cancel(j->run->worker);
        return 0;
}
