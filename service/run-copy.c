/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From pool to pool: the one lends, the other copies, and at the end of a move the one forgets.
 *
 * A move is safe at every moment: the source is removed only when the copy is whole and durable, and the copy only when the
 * source was looked at and is there. When that cannot be told both stay. */
#include "run-internal.h"

typedef struct Move {
        Job *job;
        Bag *result;           /* of the copy */
        Error why;             /* the source could not be removed */
        const char *operation; /* under way */
        Bag *args;
        void (*next)(struct Move *m, const Error *e); /* after its answer */
} Move;

void move_free(Move *m)
{
        if (!m)
                return;
        bag_free(m->result);
        bag_free(m->args);
        error_done(&m->why);
        free(m);
}

/* ---- lend ---- */

static int take_source(Job *j, const Bag *result)
{
        const Bag *source = bag_get_bag(result, "source");

        return source ? bag_set_bag(j->run->steps[0].args, "source", bag_copy(source)) : -EBADMSG;
}

static void on_lent(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        _cleanup_error_ Error failed = ERROR_NULL;
        Job *j = userdata;

        j->run->call = NULL;
        if (j->state == JOB_CANCELLING)
                error_set(&failed, ERROR_CANCELLED, "The job was cancelled before it began");
        else if (e)
                error_set(&failed, e->kind, "%s", e->message);
        else if (needs_job || take_source(j, result) < 0)
                error_set(&failed, ERROR_FAILED, "Pool %s did not lend volume %s", j->source_pool,
                          j->source);
        if (failed.kind != ERROR_NONE) {
                run_finish(j, NULL, &failed); /* of the source's pool */
                return;
        }
        j->run->at_source = false;
        run_begin_steps(j);
}

static Bag *lend_args(const Job *j)
{
        Bag *args = bag_new();

        if (bag_set_bool(args, "force-share", bag_get_bool(job_args(j), "force-share", false)) >= 0)
                return args;
        bag_free(args);
        return NULL;
}

void copy_lend(Job *j)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Bag *args = lend_args(j);
        Pool *from;

        j->run->at_source = true;
        from = run_pool(j);
        if (j->operation == OPERATION_VOLUME_MOVE)
                j->run->move = calloc(1, sizeof(Move));
        if (!args || (j->operation == OPERATION_VOLUME_MOVE && !j->run->move))
                error_set(&e, ERROR_NO_MEMORY, "out of memory");
        else if (!from)
                error_set(&e, ERROR_NO_SUCH_POOL, "Pool %s was removed before the job began",
                          j->source_pool);
        if (e.kind != ERROR_NONE)
                bag_free(args);
        else if (pool_check_usable(from, &e) < 0)
                bag_free(args);
        else if (session_call(from->session, "lend", j->source, args, on_lent, j, &j->run->call, &e) >= 0)
                return;
        run_finish(j, NULL, &e);
}

/* ---- one operation of the end of a move, wherever it can be done ---- */

static void on_answer(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        Move *m = userdata;

        if (m->job->run->worker) {
                worker_release(m->job->run->worker);
                m->job->run->worker = NULL;
        }
        m->next(m, e);
}

static void on_worker_answer(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        on_answer(result, e, needs_job, ((Job *)userdata)->run->move);
}

static void on_gone(const Error *e, void *userdata)
{
        Job *j = userdata;

        j->run->worker = NULL;
        j->run->move->next(j->run->move, e);
}

static void do_in_worker(Move *m)
{
        static const WorkerEvents events = {
                .volume = run_volume_seen,
                .vanished = run_volume_gone,
                .gone = on_gone,
        };
        _cleanup_error_ Error e = ERROR_NULL;
        Job *j = m->job;

        if (run_start_worker(j, run_pool(j), &events, &e) < 0)
                m->next(m, &e);
        else
                run_call_worker(j, m->operation, run_volume(j), m->args, on_worker_answer);
}

static void on_session_answer(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        Move *m = userdata;

        m->job->run->call = NULL;
        if (needs_job)
                do_in_worker(m);
        else
                m->next(m, e);
}

/* On the source, or on the copy. */
static void do_next(Move *m, bool at_source, const char *operation, void (*next)(Move *m, const Error *e))
{
        _cleanup_error_ Error e = ERROR_NULL;
        Job *j = m->job;

        j->run->at_source = at_source;
        m->operation = operation;
        m->next = next;
        run_keep_alive(j);
        if (session_call(run_pool(j)->session, operation, run_volume(j), bag_copy(m->args),
                         on_session_answer, m, &j->run->call, &e) < 0)
                next(m, &e);
}

/* ---- the end of a move ---- */

static void end_moved(Move *m)
{
        run_finish(m->job, TAKE_PTR(m->result), NULL);
}

static void end_not_moved(Move *m, const Error *e)
{
        _cleanup_error_ Error end = ERROR_NULL;
        Job *j = m->job;

        j->run->at_source = true; /* whose error it is */
        if (e)
                error_set(&end, ERROR_FAILED,
                          "Volume %s could not be removed from pool %s (%s), nor its copy %s from pool %s "
                          "(%s): "
                          "both are there, delete one",
                          j->source, j->source_pool, m->why.message, j->volume, j->pool, e->message);
        else
                error_set(&end, m->why.kind, "Volume %s stays in pool %s, which could not remove it: %s",
                          j->source, j->source_pool, m->why.message);
        run_finish(m->job, NULL, &end);
}

static void on_dropped(Move *m, const Error *e)
{
        end_not_moved(m, e);
}

static void end_unknown(Move *m, const char *why)
{
        _cleanup_error_ Error end = ERROR_NULL;
        const Job *j = m->job;

        error_set(&end, ERROR_FAILED,
                  "It is not known whether volume %s is whole in pool %s still (%s, %s); its copy %s in "
                  "pool %s is, "
                  "and stays",
                  j->source, j->source_pool, m->why.message, why, j->volume, j->pool);
        run_finish(m->job, NULL, &end);
}

/* What was found is in the pool's table already. */
static void on_looked(Move *m, const Error *e)
{
        const Volume *source = volume_table_get(run_pool(m->job)->volumes, m->job->source);

        if (e)
                end_unknown(m, e->message);
        else if (!source)
                end_moved(m);
        else if (source->flags & (VOLUME_CORRUPT | VOLUME_INCOMPLETE))
                end_unknown(m, "it is marked as broken");
        else
                do_next(m, false, "remove", on_dropped);
}

static void look(Move *m, const Error *e)
{
        do_next(m, true, "stat", on_looked);
}

static void on_removed(Move *m, const Error *e)
{
        if (!e) {
                end_moved(m);
                return;
        }
        error_set(&m->why, e->kind, "%s", e->message);
        if (e->kind != ERROR_WORKER_CRASHED) {
                look(m, NULL);
                return;
        }
        /* What the worker that died had begun is undone before the source is looked at. */
        m->operation = "undo";
        m->next = look;
        do_in_worker(m);
}

static void remove_source(Move *m, const Error *e)
{
        do_next(m, true, "remove", on_removed);
}

/* The lender's lock goes with the last of its descriptors: ours, and those of the worker that copied. */
void move_end(Job *j, const Bag *result)
{
        static const WorkerEvents events = { .gone = on_gone };
        Move *m = j->run->move;

        j->cancellable = false;
        job_tell_changed(j);
        m->job = j;
        m->result = bag_copy(result);
        m->args = bag_new();
        m->next = remove_source;
        bag_remove(j->run->steps[0].args, "source");
        if (m->args && bag_has(job_args(j), "sync"))
                (void)bag_set_bool(m->args, "sync", bag_get_bool(job_args(j), "sync", true));
        worker_dismiss(j->run->worker, &events, j);
}
