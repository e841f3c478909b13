/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session.h"

#include "recovery.h"
#include "refresh.h"

/* So many are sent ahead; the worker makes them durable together. The rest can still be taken back. */
#define WINDOW 32u

struct SessionCall {
        Session *session;
        char *operation, *volume;
        Bag *args;
        worker_reply_t reply;
        void *userdata;
        bool sent;
        SessionCall *next;
};

struct Session {
        Pool *pool;
        Worker *worker;
        SessionCall *first, **tail; /* sent ones come first */
        size_t n_sent;
        sd_event_source *timer; /* the deadline while calls are out, else idleness */
};

static void call_free(SessionCall *c)
{
        free(c->operation);
        free(c->volume);
        bag_free(c->args);
        free(c);
}

static void unlink_call(Session *s, SessionCall *c)
{
        SessionCall **i = &s->first;

        while (*i != c)
                i = &(*i)->next;
        *i = c->next;
        if (s->tail == &c->next)
                s->tail = i;
}

/* The list is whole before anybody hears: a reply may call again. */
static void fail_list(SessionCall *c, const Error *sent, const Error *queued)
{
        while (c) {
                SessionCall *next = c->next;

                c->reply(NULL, c->sent ? sent : queued, false, c->userdata);
                call_free(c);
                c = next;
        }
}

static void fail_all(Session *s, const Error *sent, const Error *queued)
{
        SessionCall *list = TAKE_PTR(s->first);

        s->tail = &s->first;
        s->n_sent = 0;
        fail_list(list, sent, queued);
}

/* What was with a worker that died is lost; what still waits gets a new worker. */
static void fail_sent(Session *s, const Error *e)
{
        SessionCall *list = s->first, **end = &list;

        while (*end && (*end)->sent)
                end = &(*end)->next;
        s->first = *end;
        if (!s->first)
                s->tail = &s->first;
        *end = NULL;
        s->n_sent = 0;
        fail_list(list, e, e);
}

static void send_more(Session *s);
static void arm(Session *s);

static void drop_worker(Session *s, bool cancel)
{
        Worker *w = TAKE_PTR(s->worker);

        if (!w)
                return;
        worker_release(w);
        if (cancel)
                worker_cancel(w);
}

/* A worker that was abandoned says the same of its pool as a deadline that passed. */
static void on_gone(const Error *e, void *userdata)
{
        Session *s = userdata;

        s->worker = NULL;
        if (e->kind == ERROR_TIMED_OUT)
                pool_failed(s->pool, POOL_UNRESPONSIVE, e);
        fail_sent(s, e);
        send_more(s);
        arm(s);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Session *s = userdata;
        _cleanup_error_ Error late = ERROR_NULL, queued = ERROR_NULL;

        if (!s->first) {
                drop_worker(s, false);
                return 0;
        }
        error_set(&late, ERROR_TIMED_OUT,
                  "Pool %s did not answer within its deadline; it is retried by itself", pool_name(s->pool));
        error_set(&queued, ERROR_SOURCE_UNREACHABLE, "Pool %s does not answer; it is retried by itself",
                  pool_name(s->pool));
        drop_worker(s, true);
        pool_failed(s->pool, POOL_UNRESPONSIVE, &late);
        fail_all(s, &late, &queued);
        return 0;
}

static void arm(Session *s)
{
        const ManagerConfig *config = &s->pool->manager->config;
        uint64_t usec = s->first ? config->deadline_usec : config->idle_usec;

        if (usec == 0) {
                if (s->timer)
                        (void)sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
        } else if (s->timer) {
                (void)sd_event_source_set_time_relative(s->timer, usec);
                (void)sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
        } else
                (void)sd_event_add_time_relative(s->pool->manager->event, &s->timer, CLOCK_MONOTONIC, usec,
                                                 0, on_timer, s);
}

static void on_volume(const VolumeInfo *v, void *userdata)
{
        pool_volume_seen(((Session *)userdata)->pool, v);
}

static void on_vanished(const char *name, void *userdata)
{
        pool_volume_gone(((Session *)userdata)->pool, name);
}

static void on_configured(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        Session *s = userdata;

        if (!e)
                return;
        drop_worker(s, true);
        fail_all(s, e, e);
}

static int ensure_worker(Session *s, Error *e)
{
        static const WorkerEvents events = { .volume = on_volume, .vanished = on_vanished, .gone = on_gone };
        _cleanup_bag_ Bag *configuration = NULL;
        int r;

        if (s->worker)
                return 0;
        r = pool_worker_configuration(s->pool, "", &configuration);
        if (r < 0)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        r = worker_start(s->pool->manager, WORKER_SESSION, pool_type(s->pool), &events, s, &s->worker, e);
        if (r < 0)
                return r;
        return worker_call(s->worker, "configure", NULL, configuration, on_configured, s, e);
}

static void on_reply(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        SessionCall *c = userdata;
        Session *s = c->session;

        unlink_call(s, c);
        s->n_sent--;
        if (result)
                pool_space_seen(s->pool, result);
        c->reply(result, e, needs_job, c->userdata);
        call_free(c);
        send_more(s);
        arm(s);
}

static void send_more(Session *s)
{
        for (SessionCall *c = s->first; c && s->n_sent < WINDOW; c = c->next) {
                _cleanup_error_ Error e = ERROR_NULL;

                if (c->sent)
                        continue;
                if (ensure_worker(s, &e) < 0) {
                        fail_all(s, &e, &e);
                        return;
                }
                if (worker_call(s->worker, c->operation, c->volume, c->args, on_reply, c, &e) < 0) {
                        worker_kill(s->worker); /* its end fails the calls, from the event loop */
                        return;
                }
                c->sent = true;
                s->n_sent++;
        }
}

/* The answer, also a failure, always comes from the event loop, never before this returned. */
int session_call(Session *s, const char *operation, const char *volume, Bag *args, worker_reply_t reply,
                 void *userdata, SessionCall **ret, Error *e)
{
        SessionCall *c = calloc(1, sizeof(*c));
        int r;

        if (!c) {
                bag_free(args);
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        }
        *c = (SessionCall){ .session = s, .args = args, .reply = reply, .userdata = userdata };
        c->operation = strdup(operation);
        c->volume = strdup(volume ?: "");
        r = c->operation && c->volume ? ensure_worker(s, e) : error_set(e, ERROR_NO_MEMORY, "out of memory");
        if (r < 0) {
                call_free(c);
                return r;
        }
        *s->tail = c;
        s->tail = &c->next;
        if (ret)
                *ret = c;
        send_more(s);
        if (s->first == c)
                arm(s);
        return 0;
}

bool session_call_is_sent(const SessionCall *c)
{
        return c->sent;
}

bool session_cancel(SessionCall *c)
{
        Session *s = c->session;

        if (c->sent)
                return false;
        unlink_call(s, c);
        call_free(c);
        return true;
}

void session_end(Session *s, const Error *e, bool cancel)
{
        drop_worker(s, cancel);
        fail_all(s, e, e);
}

int session_new(Pool *p, Session **ret)
{
        Session *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->pool = p;
        s->tail = &s->first;
        *ret = s;
        return 0;
}

void session_free(Session *s)
{
        if (!s)
                return;
        drop_worker(s, false);
        sd_event_source_disable_unref(s->timer);
        for (SessionCall *c = s->first, *next; c; c = next) {
                next = c->next;
                call_free(c);
        }
        free(s);
}
