/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs one job: as a short operation of its pool's session, or step by step in a worker of its own; and what
 * its end means for the pool. */
#include <inttypes.h>

#include "job-run.h"
#include "recovery.h"
#include "refresh.h"
#include "request.h"
#include "spare.h"
#include "util/fileio.h"
#include "util/log.h"
#include "util/object-path.h"
#include "watcher.h"

static Pool *job_pool(const Job *j)
{
        return j->pool ? manager_pool(j->manager, j->pool) : NULL;
}

/* Looks at its pool: a deadline that passes says that the pool does not answer, not only that the job is
 * slow. */
static bool is_bounded(Operation o)
{
        return operation_is_pool_wide(o) || o == OPERATION_POOL_REFRESH || o == OPERATION_VOLUME_REFRESH ||
               o == OPERATION_DISCOVER;
}

/* ---- the end ---- */

static int finish_result(const Job *j, Bag *result)
{
        _cleanup_free_ char *volume = NULL;

        bag_remove(result, "capacity");
        bag_remove(result, "allocation");
        bag_remove(result, "available");
        bag_remove(result, "snapshot");
        bag_remove(result, "fd");
        if (j->operation == OPERATION_VOLUME_CREATE || j->operation == OPERATION_VOLUME_CLONE) {
                volume = object_path_volume(j->pool, j->volume);
                return bag_set_path(result, "volume", volume);
        }
        return 0;
}

static void end_sweep(Job *j)
{
        j->run->sweep = sd_event_source_disable_unref(j->run->sweep);
        bag_free(j->run->scanned);
        j->run->scanned = NULL;
}

static void finish(Job *j, Bag *result, const Error *e)
{
        if (j->run->worker) {
                worker_release(j->run->worker);
                j->run->worker = NULL;
        }
        j->run->call = NULL;
        end_sweep(j);
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

static void fail(Job *j, ErrorKind kind, const char *text)
{
        _cleanup_error_ Error e = ERROR_NULL;

        error_set(&e, kind, "%s", text);
        finish(j, NULL, &e);
}

/* ---- in a worker of its own ---- */

static void on_worker_ready(void *userdata)
{
        job_set_ready(userdata);
}

static void keep_alive(Job *j);

static void on_worker_progress(uint64_t done, uint64_t total, void *userdata)
{
        Job *j = userdata;

        keep_alive(j);
        job_set_progress(j, done, total);
}

static void drop_worker(Job *j)
{
        Worker *w = TAKE_PTR(j->run->worker);

        worker_release(w);
        worker_cancel(w);
}

static void fail_full(Job *j, const Pool *p)
{
        _cleanup_error_ Error e = ERROR_NULL;

        drop_worker(j);
        error_set(&e, ERROR_LIMITS_EXCEEDED, "Pool %s holds more than %u volumes; move some elsewhere",
                  pool_name(p), VOLUMES_PER_POOL_MAX);
        finish(j, NULL, &e);
}

static void on_worker_volume(const VolumeInfo *v, void *userdata)
{
        Job *j = userdata;
        Pool *p = job_pool(j);

        keep_alive(j);
        if (!p)
                return;
        if (pool_is_full(p) && !volume_table_get(p->volumes, v->name))
                fail_full(j, p);
        else if (p->guard &&
                 (j->operation == OPERATION_POOL_REFRESH || j->operation == OPERATION_POOL_START))
                refresh_volume(p, v);
        else
                pool_volume_seen(p, v);
}

static void on_worker_vanished(const char *name, void *userdata)
{
        Job *j = userdata;
        Pool *p = job_pool(j);

        if (!p)
                return;
        if (p->guard && (j->operation == OPERATION_POOL_REFRESH || j->operation == OPERATION_POOL_START))
                refresh_vanished(p, name);
        else
                pool_volume_gone(p, name);
}

/* A worker that cannot be told anything is dead, or soon will be: its end goes on from there. */
static void call_worker(Job *j, const char *operation, const char *volume, const Bag *args,
                        worker_reply_t reply)
{
        if (worker_call(j->run->worker, operation, volume, args, reply, j, NULL) < 0)
                worker_kill(j->run->worker);
}

static int start_worker(Job *j, Pool *p, const WorkerEvents *events, Error *e);

/* The operation may have been made, or not: what is there now is looked at. */
static void look_again(const Job *j, Pool *p)
{
        char **names = NULL;

        if (j->volume && pool_check_usable(p, NULL) >= 0 && strv_append(&names, j->volume) >= 0)
                pool_look_at(p, names);
}

static void end_undo(Job *j, const Error *e)
{
        _cleanup_error_ Error crash = ERROR_NULL;
        Pool *p = job_pool(j);

        if (e)
                log_line(LOG_WARNING,
                         (LogFields){ .pool = j->pool, .volume = j->volume, .caller = (uid_t)-1 },
                         "What job %" PRIu64 " left behind stays until pool %s is started again: %s", j->id,
                         j->pool, e->message);
        if (p)
                look_again(j, p);
        error_move(&crash, &j->error);
        finish(j, NULL, &crash);
}

static void on_undone(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        end_undo(userdata, e);
}

static void on_undo_gone(const Error *e, void *userdata)
{
        Job *j = userdata;

        j->run->worker = NULL;
        end_undo(j, e);
}

/* Its worker died: what it had begun is undone before the job ends. */
static void undo(Job *j, const Error *crash)
{
        static const WorkerEvents events = { .gone = on_undo_gone };
        _cleanup_error_ Error e = ERROR_NULL;
        Pool *p = job_pool(j);

        end_sweep(j);
        j->run->undoing = true;
        j->cancellable = false;
        j->error.kind = crash->kind;
        (void)free_and_strdup(&j->error.message, crash->message);
        if (!p)
                end_undo(j, NULL);
        else if (start_worker(j, p, &events, &e) < 0)
                end_undo(j, &e);
        else {
                call_worker(j, "undo", j->volume, NULL, on_undone);
                keep_alive(j);
        }
}

/* One that had to be abandoned has its object locked still; there is nothing to undo before it ends. */
static void on_worker_gone(const Error *e, void *userdata)
{
        Job *j = userdata;
        _cleanup_error_ Error end = ERROR_NULL;
        Pool *p = job_pool(j);

        j->run->worker = NULL;
        /* A worker that was started ahead may have died meanwhile; what it was to do has not begun. */
        if (!j->run->configured && !j->run->retried && j->state != JOB_CANCELLING &&
            e->kind != ERROR_TIMED_OUT) {
                j->run->retried = true;
                run_in_worker(j);
                return;
        }
        if (j->state == JOB_CANCELLING)
                error_set(&end, ERROR_CANCELLED, "Job %" PRIu64 " was cancelled", j->id);
        else
                error_set(&end, e->kind, "%s", e->message);
        if (e->kind != ERROR_TIMED_OUT) {
                undo(j, &end);
                return;
        }
        if (p)
                pool_failed(p, POOL_UNRESPONSIVE, e);
        finish(j, NULL, &end);
}

static void next_step(Job *j);

static void step_done(Job *j, const Bag *result)
{
        if (++j->run->step < j->run->n_steps)
                next_step(j);
        else
                finish(j, bag_copy(result), NULL);
}

/* After a scan of everything: what it did not tell of goes, some at a turn. */
static int on_sweep(sd_event_source *source, void *userdata)
{
        Job *j = userdata;
        Pool *p = job_pool(j);
        _cleanup_bag_ Bag *result = NULL;

        if (!refresh_sweep(p))
                return 0;
        result = TAKE_PTR(j->run->scanned);
        end_sweep(j);
        refresh_end(p, result);
        step_done(j, result);
        return 0;
}

static void begin_sweep(Job *j, const Bag *result)
{
        JobRun *run = j->run;

        run->scanned = bag_copy(result);
        if (run->scanned && sd_event_add_defer(j->manager->event, &run->sweep, on_sweep, j) >= 0 &&
            sd_event_source_set_enabled(run->sweep, SD_EVENT_ON) >= 0)
                return;
        fail(j, ERROR_NO_MEMORY, "out of memory");
}

/* What a step brought besides volumes. */
static int take_step_result(Pool *p, const char *operation, Bag *result, Error *e)
{
        if (streq(operation, "watch"))
                return watcher_start(p, bag_take_fd(result, "fd"), e);
        pool_space_seen(p, result);
        return streq(operation, "start")
                       ? manager_set_identity(p->manager, p, bag_get_string(result, "identity"), e)
                       : 0;
}

static void on_step(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        Job *j = userdata;
        JobStep *step = &j->run->steps[j->run->step];
        Pool *p = job_pool(j);
        _cleanup_error_ Error failed = ERROR_NULL;

        /* What cannot be undone costs its volume, not the pool. */
        if (e && streq(step->operation, "undo"))
                log_line(LOG_WARNING, (LogFields){ .pool = j->pool, .caller = (uid_t)-1 },
                         "What was left behind in pool %s stays: %s", j->pool, e->message);
        else if (e) {
                finish(j, NULL, e);
                return;
        } else if (p && streq(step->operation, "refresh")) {
                begin_sweep(j, result);
                return;
        } else if (p && take_step_result(p, step->operation, result, &failed) < 0) {
                finish(j, NULL, &failed);
                return;
        }
        step_done(j, result);
}

static void next_step(Job *j)
{
        JobStep *step = &j->run->steps[j->run->step];
        Pool *p = job_pool(j);

        if (p && streq(step->operation, "refresh") &&
            refresh_begin(p, !bag_has(step->args, "snapshot")) < 0) {
                fail(j, ERROR_NO_MEMORY, "out of memory");
                return;
        }
        keep_alive(j);
        call_worker(j, step->operation, j->volume, step->args, on_step);
}

static void on_configured(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        Job *j = userdata;

        j->run->configured = !e;
        if (e && !j->run->undoing) /* else the undo fails, too */
                finish(j, NULL, e);
}

static int start_worker(Job *j, Pool *p, const WorkerEvents *events, Error *e)
{
        _cleanup_bag_ Bag *configuration = NULL;
        char mark[64];
        int r;

        j->run->configured = false;
        snprintf(mark, sizeof(mark), "%s-%" PRIu64, j->manager->instance, j->id);
        if (pool_worker_configuration(p, mark, &configuration) < 0)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        r = spare_take(j->manager, pool_type(p), events, j, &j->run->worker, e);
        if (r < 0)
                return r;
        call_worker(j, "configure", NULL, configuration, on_configured);
        return 0;
}

/* No word for a whole deadline: a look at the pool has failed then; other work is only shown as stalled. */
static int on_watchdog(sd_event_source *s, uint64_t usec, void *userdata)
{
        Job *j = userdata;
        _cleanup_error_ Error e = ERROR_NULL;

        if (!j->run->worker || !(j->run->undoing || is_bounded(j->operation))) {
                job_set_stalled(j);
                return 0;
        }
        error_set(&e, ERROR_TIMED_OUT, "Pool %s did not answer within its deadline", j->pool);
        drop_worker(j);
        if (j->run->undoing)
                end_undo(j, &e);
        else
                finish(j, NULL, &e);
        return 0;
}

static void keep_alive(Job *j)
{
        uint64_t deadline = j->manager->config.deadline_usec;

        if (j->run->watchdog) {
                (void)sd_event_source_set_time_relative(j->run->watchdog, deadline);
                (void)sd_event_source_set_enabled(j->run->watchdog, SD_EVENT_ONESHOT);
        } else
                (void)sd_event_add_time_relative(j->manager->event, &j->run->watchdog, CLOCK_MONOTONIC,
                                                 deadline, 0, on_watchdog, j);
}

void run_in_worker(Job *j)
{
        static const WorkerEvents events = {
                .ready = on_worker_ready,
                .progress = on_worker_progress,
                .volume = on_worker_volume,
                .vanished = on_worker_vanished,
                .gone = on_worker_gone,
        };
        _cleanup_error_ Error e = ERROR_NULL;
        Pool *p = job_pool(j);

        j->cancellable = true;
        job_tell_changed(j);
        if (!p)
                fail(j, ERROR_NO_SUCH_POOL, "The pool was removed before the job began");
        else if (start_worker(j, p, &events, &e) < 0)
                finish(j, NULL, &e);
        else {
                next_step(j);
                /* Where one long operation is, the next is likely: its worker comes up beside this one's work. */
                if (j->volume)
                        spare_prepare(j->manager, pool_type(p));
        }
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
                undo(j, e);
        else
                finish(j, result ? bag_copy(result) : NULL, e);
}

static void run_in_session(Job *j, Pool *p)
{
        JobStep *step = &j->run->steps[0];
        _cleanup_error_ Error e = ERROR_NULL;

        if (session_call(p->session, step->operation, j->volume, bag_copy(step->args), on_session_reply, j,
                         &j->run->call, &e) < 0)
                finish(j, NULL, &e);
        else
                j->cancellable = !session_call_is_sent(j->run->call);
}

/* ---- begin and cancel ---- */

static bool is_smaller(const Job *j, const Pool *p)
{
        const Volume *v = volume_table_get(p->volumes, j->volume);

        return v && v->capacity != UINT64_MAX && bag_get_u64(j->run->args, "capacity", 0) < v->capacity;
}

static int check_volumes(const Job *j, const Pool *p, Error *e)
{
        int r = pool_check_usable(p, e);

        return r < 0 ? r : request_check_same(j, p, e);
}

/* What was true when the job was queued may have changed while it waited. */
static int check_again(const Job *j, const Pool *p, Error *e)
{
        int r;

        switch (j->operation) {
        case OPERATION_POOL_START:
                if (p->state == POOL_ACTIVE)
                        return error_set(e, ERROR_POOL_ACTIVE, "Pool %s is active already", pool_name(p));
                if (j->run->internal && !recovery_is_pending(p))
                        return error_set(e, ERROR_CANCELLED, "Pool %s was stopped meanwhile", pool_name(p));
                return 0;
        case OPERATION_POOL_STOP:
                return 0;
        case OPERATION_POOL_BUILD:
        case OPERATION_POOL_DELETE:
                if (pool_is_up(p))
                        return error_set(e, ERROR_POOL_ACTIVE, "Pool %s is active; stop it first",
                                         pool_name(p));
                return 0;
        case OPERATION_VOLUME_DELETE:
                r = check_volumes(j, p, e);
                return r < 0 ? r
                             : request_check_delete(p, j->volume, bag_get_strv(j->run->args, "names"), e);
        case OPERATION_VOLUME_RESIZE:
                r = check_volumes(j, p, e);
                return r < 0 || !is_smaller(j, p) ? r : request_check_shrink(p, j->volume, e);
        case OPERATION_VOLUME_CLONE:
        case OPERATION_VOLUME_SET_FORMAT:
                return check_volumes(j, p, e);
        case OPERATION_POOL_REFRESH:
        case OPERATION_VOLUME_CREATE:
        case OPERATION_VOLUME_REFRESH:
                return pool_check_usable(p, e);
        case OPERATION_DISCOVER:
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
                return 0;
        }
        return 0;
}

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
        r = check_again(j, p, e);
        if (r < 0)
                return r;
        return job_plan(j, p) < 0 ? error_set(e, ERROR_NO_MEMORY, "out of memory") : 0;
}

void run_start(Job *j)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Pool *p = job_pool(j);

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
        if (j->volume)
                run_in_session(j, p);
        else
                queue_want_slot(j);
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
                finish(j, NULL, &cancelled);
                return 0;
        }
        if (!j->run->worker) /* sent to the session meanwhile */
                return error_set(e, ERROR_NOT_SUPPORTED, "Job %" PRIu64 " runs already and ends by itself",
                                 j->id);
        j->state = JOB_CANCELLING;
        job_tell_changed(j);
        worker_cancel(j->run->worker);
        return 0;
}
