/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job step by step in a worker of its own, and the undoing of what a worker left that died. */
#include <inttypes.h>

#include "recovery.h"
#include "refresh.h"
#include "run-internal.h"
#include "spare.h"
#include "util/log.h"
#include "watcher.h"

/* Looks at its pool: a deadline that passes says that the pool does not answer, not only that the job is
 * slow. */
static bool is_bounded(Operation o)
{
        return operation_is_pool_wide(o) || o == OPERATION_POOL_REFRESH || o == OPERATION_VOLUME_REFRESH ||
               o == OPERATION_DISCOVER;
}

static void on_worker_ready(void *userdata)
{
        job_set_ready(userdata);
}

static void on_worker_progress(uint64_t done, uint64_t total, void *userdata)
{
        Job *j = userdata;

        /* A worker that waits for somebody says again and again where it is. */
        if (done != j->bytes_done)
                run_keep_alive(j);
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
        run_finish(j, NULL, &e);
}

void run_volume_seen(const VolumeInfo *v, void *userdata)
{
        Job *j = userdata;
        Pool *p = run_pool(j);

        run_keep_alive(j);
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

void run_volume_gone(const char *name, void *userdata)
{
        Job *j = userdata;
        Pool *p = run_pool(j);

        if (!p)
                return;
        if (p->guard && (j->operation == OPERATION_POOL_REFRESH || j->operation == OPERATION_POOL_START))
                refresh_vanished(p, name);
        else
                pool_volume_gone(p, name);
}

/* A worker that cannot be told anything is dead, or soon will be: its end goes on from there. */
void run_call_worker(Job *j, const char *operation, const char *volume, const Bag *args,
                     worker_reply_t reply)
{
        if (worker_call(j->run->worker, operation, volume, args, reply, j, NULL) < 0)
                worker_kill(j->run->worker);
}

/* The operation may have been made, or not. */
static Bag *make_look(const Job *j)
{
        const char *other =
                j->operation == OPERATION_VOLUME_RENAME ? bag_get_string(job_args(j), "name") : NULL;
        _cleanup_strv_ char **names = NULL;
        _cleanup_bag_ Bag *args = bag_new();

        if (!j->volume || strv_append(&names, j->volume) < 0 || (other && strv_append(&names, other) < 0) ||
            bag_set_strv(args, "names", names) < 0)
                return NULL;
        return TAKE_PTR(args);
}

static void end_undo(Job *j, const Error *e)
{
        _cleanup_error_ Error crash = ERROR_NULL;

        if (e)
                log_line(LOG_WARNING,
                         (LogFields){ .pool = j->pool, .volume = j->volume, .caller = (uid_t)-1 },
                         "What job %" PRIu64 " left behind stays until pool %s is started again: %s", j->id,
                         j->pool, e->message);
        error_move(&crash, &j->error);
        run_finish(j, NULL, &crash);
}

static void on_looked(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        end_undo(userdata, NULL);
}

/* Whoever hears of the end finds the volume shown as it is now. */
static void on_undone(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        _cleanup_bag_ Bag *look = make_look(userdata);

        if (e || !look)
                end_undo(userdata, e);
        else
                run_call_worker(userdata, "stat", NULL, look, on_looked);
}

static void on_undo_gone(const Error *e, void *userdata);

static void begin_undo(Job *j)
{
        static const WorkerEvents events = {
                .volume = run_volume_seen,
                .vanished = run_volume_gone,
                .gone = on_undo_gone,
        };
        _cleanup_error_ Error e = ERROR_NULL;
        Pool *p = run_pool(j);

        if (!p)
                end_undo(j, NULL);
        else if (run_start_worker(j, p, &events, &e) < 0)
                end_undo(j, &e);
        else {
                run_call_worker(j, "undo", run_volume(j), NULL, on_undone);
                run_keep_alive(j);
        }
}

/* One that was started ahead may have died with the one whose work is to be undone. */
static void on_undo_gone(const Error *e, void *userdata)
{
        Job *j = userdata;

        j->run->worker = NULL;
        if (j->run->configured || j->run->undo_retried || e->kind == ERROR_TIMED_OUT) {
                end_undo(j, e);
                return;
        }
        j->run->undo_retried = true;
        begin_undo(j);
}

/* Its worker died: what it had begun is undone before the job ends. */
void run_undo(Job *j, const Error *crash)
{
        run_end_sweep(j);
        j->run->undoing = true;
        j->cancellable = false;
        j->error.kind = crash->kind;
        (void)free_and_strdup(&j->error.message, crash->message);
        begin_undo(j);
}

/* One that had to be abandoned has its object locked still; there is nothing to undo before it ends. */
static void on_worker_gone(const Error *e, void *userdata)
{
        Job *j = userdata;
        _cleanup_error_ Error end = ERROR_NULL;
        Pool *p = run_pool(j);

        j->run->worker = NULL;
        /* A worker that was started ahead may have died meanwhile; what it was to do has not begun. */
        if (!j->run->configured && !j->run->retried && j->state != JOB_CANCELLING &&
            e->kind != ERROR_TIMED_OUT) {
                j->run->retried = true;
                run_begin_steps(j);
                return;
        }
        if (j->state == JOB_CANCELLING)
                error_set(&end, ERROR_CANCELLED, "Job %" PRIu64 " was cancelled", j->id);
        else
                error_set(&end, e->kind, "%s", e->message);
        if (e->kind != ERROR_TIMED_OUT) {
                run_undo(j, &end);
                return;
        }
        if (p)
                pool_failed(p, POOL_UNRESPONSIVE, e);
        run_finish(j, NULL, &end);
}

static void next_step(Job *j);

static void step_done(Job *j, const Bag *result)
{
        if (++j->run->step < j->run->n_steps)
                next_step(j);
        else if (j->operation == OPERATION_VOLUME_MOVE)
                move_end(j, result);
        else
                run_finish(j, bag_copy(result), NULL);
}

/* After a scan of everything: what it did not tell of goes, some at a turn. */
static int on_sweep(sd_event_source *source, void *userdata)
{
        Job *j = userdata;
        Pool *p = run_pool(j);
        _cleanup_bag_ Bag *result = NULL;

        if (!refresh_sweep(p))
                return 0;
        result = TAKE_PTR(j->run->scanned);
        run_end_sweep(j);
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
        run_fail(j, ERROR_NO_MEMORY, "out of memory");
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
        Pool *p = run_pool(j);
        _cleanup_error_ Error failed = ERROR_NULL;

        /* What cannot be undone costs its volume, not the pool. */
        if (e && streq(step->operation, "undo"))
                log_line(LOG_WARNING, (LogFields){ .pool = j->pool, .caller = (uid_t)-1 },
                         "What was left behind in pool %s stays: %s", j->pool, e->message);
        else if (e) {
                run_finish(j, NULL, e);
                return;
        } else if (p && streq(step->operation, "refresh")) {
                begin_sweep(j, result);
                return;
        } else if (p && take_step_result(p, step->operation, result, &failed) < 0) {
                run_finish(j, NULL, &failed);
                return;
        }
        step_done(j, result);
}

static void next_step(Job *j)
{
        JobStep *step = &j->run->steps[j->run->step];
        Pool *p = run_pool(j);

        if (p && streq(step->operation, "refresh") &&
            refresh_begin(p, !bag_has(step->args, "snapshot")) < 0) {
                run_fail(j, ERROR_NO_MEMORY, "out of memory");
                return;
        }
        run_keep_alive(j);
        run_call_worker(j, step->operation, j->volume, step->args, on_step);
}

static void on_configured(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        Job *j = userdata;

        j->run->configured = !e;
        if (e && !j->run->undoing) /* else the undo fails, too */
                run_finish(j, NULL, e);
}

int run_start_worker(Job *j, Pool *p, const WorkerEvents *events, Error *e)
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
        run_call_worker(j, "configure", NULL, configuration, on_configured);
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
                run_finish(j, NULL, &e);
        return 0;
}

void run_keep_alive(Job *j)
{
        uint64_t deadline = j->manager->config.deadline_usec;

        if (j->run->watchdog) {
                (void)sd_event_source_set_time_relative(j->run->watchdog, deadline);
                (void)sd_event_source_set_enabled(j->run->watchdog, SD_EVENT_ONESHOT);
        } else
                (void)sd_event_add_time_relative(j->manager->event, &j->run->watchdog, CLOCK_MONOTONIC,
                                                 deadline, 0, on_watchdog, j);
}

void run_begin_steps(Job *j)
{
        static const WorkerEvents events = {
                .ready = on_worker_ready,
                .progress = on_worker_progress,
                .volume = run_volume_seen,
                .vanished = run_volume_gone,
                .gone = on_worker_gone,
        };
        _cleanup_error_ Error e = ERROR_NULL;
        Pool *p = run_pool(j);

        if (!p)
                run_fail(j, ERROR_NO_SUCH_POOL, "The pool was removed before the job began");
        else if (run_start_worker(j, p, &events, &e) < 0)
                run_finish(j, NULL, &e);
        else {
                next_step(j);
                /* Where one long operation is, the next is likely: its worker comes up beside this one's work. */
                if (j->volume)
                        spare_prepare(j->manager, pool_type(p));
        }
}

void run_in_worker(Job *j)
{
        j->cancellable = true;
        job_tell_changed(j);
        if (j->source_pool)
                copy_lend(j);
        else
                run_begin_steps(j);
}
