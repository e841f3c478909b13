/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-query.h"

#include "session.h"

struct Query {
        Bus *bus; /* NULL: not sent yet */
        sd_bus_message *message;
        Pool *pool;
        char *volume;
        query_answer_t answer;
        Query *next, *previous;
};

static void query_unlink(Query *q)
{
        if (!q->bus)
                return;
        if (q->next)
                q->next->previous = q->previous;
        if (q->previous)
                q->previous->next = q->next;
        else
                q->bus->queries = q->next;
        q->bus = NULL;
        q->message = sd_bus_message_unref(q->message);
}

static void query_free(Query *q)
{
        query_unlink(q);
        free(q->volume);
        free(q);
}

static void reply_error(sd_bus_message *m, const Error *e)
{
        (void)sd_bus_reply_method_errorf(m, error_kind_to_name(e->kind) ?: SD_BUS_ERROR_FAILED, "%s",
                                         e->message ?: "out of memory");
}

static void on_answer(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        Query *q = userdata;
        _cleanup_error_ Error local = ERROR_NULL;

        if (e)
                reply_error(q->message, e);
        else if (needs_job) {
                error_set(&local, ERROR_NOT_SUPPORTED, "Pool %s cannot tell this without a job",
                          pool_name(q->pool));
                reply_error(q->message, &local);
        } else {
                int r = q->answer(q->message, q->pool, q->volume, result, &local);

                if (r < 0 && local.kind == ERROR_NONE)
                        error_set_errno(&local, r, "Cannot answer");
                if (r < 0)
                        reply_error(q->message, &local);
        }
        query_free(q);
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

int query_ask(Call *c, Pool *p, const char *operation, const char *volume, Bag *args, query_answer_t answer,
              sd_bus_error *ret_error)
{
        _cleanup_bag_ Bag *owned = args;
        _cleanup_error_ Error e = ERROR_NULL;
        Query *q;
        int r;

        r = query_check_pool(p, ret_error);
        if (r < 0)
                return r;
        q = calloc(1, sizeof(*q));
        if (!q)
                return -ENOMEM;
        *q = (Query){ .pool = p, .answer = answer };
        if (free_and_strdup(&q->volume, volume) < 0) {
                query_free(q);
                return -ENOMEM;
        }
        r = session_call(p->session, operation, volume, TAKE_PTR(owned), on_answer, q, NULL, &e);
        if (r < 0) {
                query_free(q);
                return call_fail(&e, r, ret_error);
        }
        q->bus = c->bus;
        q->message = sd_bus_message_ref(c->message);
        q->next = c->bus->queries;
        if (q->next)
                q->next->previous = q;
        c->bus->queries = q;
        return 1;
}

/* The session forgets its calls with the pool, so no answer comes any more. */
void query_drop(Bus *b, const Pool *p)
{
        for (Query *q = b->queries, *next; q; q = next) {
                next = q->next;
                if (p && q->pool != p)
                        continue;
                (void)sd_bus_reply_method_errorf(q->message, error_kind_to_name(ERROR_POOL_INACTIVE),
                                                 "Pool %s is going down", pool_name(q->pool));
                query_free(q);
        }
}
