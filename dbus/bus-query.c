/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-query.h"

#include <inttypes.h>

#include "session.h"

struct Query {
        Bus *bus;
        sd_bus_message *message;
        Pool *pool;
        uid_t caller;
        bool known;       /* the volume was there when it was asked for ... */
        uint32_t creator; /* ... and then made by this user */
        char *operation, *volume;
        Bag *args;
        query_answer_t answer;
        Worker *worker; /* of its own, where the session's cannot answer */
        sd_event_source *deadline;
        Query *next, *previous;
};

static void query_free(Query *q)
{
        if (q->bus) {
                if (q->next)
                        q->next->previous = q->previous;
                if (q->previous)
                        q->previous->next = q->next;
                else
                        q->bus->queries = q->next;
        }
        if (q->worker)
                worker_release(q->worker);
        sd_event_source_disable_unref(q->deadline);
        sd_bus_message_unref(q->message);
        bag_free(q->args);
        free(q->operation);
        free(q->volume);
        free(q);
}

/* A caller that has left meanwhile gets no reply; a descriptor that the answer had is closed with it. */
static void fail(Query *q, const Error *e)
{
        (void)sd_bus_reply_method_errorf(q->message, error_kind_to_name(e->kind) ?: SD_BUS_ERROR_FAILED,
                                         "%s", e->message ?: "out of memory");
        query_free(q);
}

/* The answer was meant for the volume of which polkit was asked. */
static int check_same(const Query *q, Error *e)
{
        Volume *v;
        int r;

        if (!q->known)
                return 0;
        r = pool_find_volume(q->pool, q->volume, &v, e);
        if (r < 0 || v->creator == q->creator)
                return r;
        return error_set(e, ERROR_CHANGED,
                         "Volume %s of pool %s is another one than when this was asked for; ask again",
                         q->volume, pool_name(q->pool));
}

static void finish(Query *q, const Bag *result)
{
        _cleanup_error_ Error e = ERROR_NULL;
        int r;

        r = check_same(q, &e);
        if (r >= 0)
                r = q->answer(q->message, q->pool, q->volume, result, &e);
        if (r >= 0) {
                query_free(q);
                return;
        }
        if (e.kind == ERROR_NONE)
                error_set_errno(&e, r, "Cannot answer");
        fail(q, &e);
}

/* ---- in a worker of its own ---- */

static void on_worker_answer(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        if (e)
                fail(userdata, e);
        else
                finish(userdata, result);
}

static void on_configured(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        if (e)
                fail(userdata, e);
}

/* Nothing has to be undone: no question writes an intent, and its locks go with its descriptors. */
static void on_worker_gone(const Error *e, void *userdata)
{
        Query *q = userdata;

        q->worker = NULL;
        fail(q, e);
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata)
{
        Query *q = userdata;
        _cleanup_error_ Error e = ERROR_NULL;

        worker_cancel(q->worker);
        error_set(&e, ERROR_TIMED_OUT, "Pool %s did not answer within its deadline", pool_name(q->pool));
        fail(q, &e);
        return 0;
}

static int check_limits(const Query *q, Error *e)
{
        unsigned n = 0, n_own = 0;

        for (const Query *i = q->bus->queries; i; i = i->next)
                if (i->worker) {
                        n++;
                        n_own += i->caller == q->caller;
                }
        if (n < QUERY_WORKERS_MAX && (q->caller == 0 || n_own < QUERY_WORKERS_PER_UID_MAX))
                return 0;
        return error_set(e, ERROR_LIMITS_EXCEEDED, "Too many such calls are under way already; try again");
}

static int start_worker(Query *q, Error *e)
{
        static const WorkerEvents events = { .gone = on_worker_gone };
        _cleanup_bag_ Bag *configuration = NULL;
        Manager *m = q->bus->manager;
        char mark[64];
        int r;

        r = manager_check_accepting(m, e);
        if (r >= 0)
                r = check_limits(q, e);
        if (r < 0)
                return r;
        snprintf(mark, sizeof(mark), "%s-q%" PRIu64, m->instance, ++q->bus->n_query_workers);
        if (pool_worker_configuration(q->pool, mark, &configuration) < 0)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        r = worker_start(m, WORKER_JOB, pool_type(q->pool), &events, q, &q->worker, e);
        if (r >= 0)
                r = worker_call(q->worker, "configure", NULL, configuration, on_configured, q, e);
        if (r >= 0)
                r = worker_call(q->worker, q->operation, q->volume, q->args, on_worker_answer, q, e);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(m->event, &q->deadline, CLOCK_MONOTONIC, m->config.deadline_usec, 0,
                                       on_deadline, q);
        return r < 0 ? error_set_errno(e, r, "Cannot set a deadline") : 0;
}

/* ---- in the session ---- */

static void on_session_answer(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        Query *q = userdata;
        _cleanup_error_ Error failed = ERROR_NULL;

        if (e)
                fail(q, e);
        else if (!needs_job)
                finish(q, result);
        else if (start_worker(q, &failed) < 0)
                fail(q, &failed);
}

int query_check_pool(const Pool *p, sd_bus_error *ret_error)
{
        _cleanup_error_ Error e = ERROR_NULL;

        if (p->state == POOL_UNAVAILABLE || p->state == POOL_UNRESPONSIVE)
                error_set(&e, ERROR_SOURCE_UNREACHABLE, "Pool %s is %s: %s", pool_name(p),
                          pool_state_to_string(p->state), p->error.message ?: "it is retried by itself");
        else if (!pool_is_up(p) || !p->session)
                error_set(&e, ERROR_POOL_INACTIVE, "Pool %s is not active; start it first", pool_name(p));
        return e.kind == ERROR_NONE ? 0 : call_fail(&e, 0, ret_error);
}

static int query_new(Call *c, Pool *p, const char *operation, const char *volume, Bag *args /* taken */,
                     query_answer_t answer, Query **ret)
{
        const Volume *v = volume_table_get(p->volumes, volume);
        Query *q = calloc(1, sizeof(*q));

        if (!q) {
                bag_free(args);
                return -ENOMEM;
        }
        *q = (Query){ .pool = p,
                      .caller = c->caller,
                      .known = v,
                      .creator = v ? v->creator : UINT32_MAX,
                      .args = args,
                      .answer = answer };
        q->operation = strdup(operation);
        q->volume = strdup(volume);
        if (!q->operation || !q->volume) {
                query_free(q);
                return -ENOMEM;
        }
        *ret = q;
        return 0;
}

static void query_link(Query *q, Call *c)
{
        q->bus = c->bus;
        q->message = sd_bus_message_ref(c->message);
        q->next = c->bus->queries;
        if (q->next)
                q->next->previous = q;
        c->bus->queries = q;
}

int query_ask(Call *c, Pool *p, const char *operation, const char *volume, Bag *args, query_answer_t answer,
              sd_bus_error *ret_error)
{
        _cleanup_bag_ Bag *owned = args, *sent = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        Query *q;
        int r;

        r = query_check_pool(p, ret_error);
        if (r < 0)
                return r;
        sent = bag_copy(owned);
        if (owned && !sent)
                return -ENOMEM;
        r = query_new(c, p, operation, volume, TAKE_PTR(owned), answer, &q);
        if (r < 0)
                return r;
        r = session_call(p->session, operation, volume, TAKE_PTR(sent), on_session_answer, q, NULL, &e);
        if (r < 0) {
                query_free(q);
                return call_fail(&e, r, ret_error);
        }
        query_link(q, c);
        return 1;
}

/* The session forgets its calls with the pool, so no answer comes any more. */
void query_drop(Bus *b, const Pool *p)
{
        for (Query *q = b->queries, *next; q; q = next) {
                _cleanup_error_ Error e = ERROR_NULL;

                next = q->next;
                if (p && q->pool != p)
                        continue;
                if (q->worker)
                        worker_cancel(q->worker);
                error_set(&e, ERROR_POOL_INACTIVE, "Pool %s is going down", pool_name(q->pool));
                fail(q, &e);
        }
}
