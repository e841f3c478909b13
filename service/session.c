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

static SessionCall *take_first(Session *s)
{
        SessionCall *c = s->first;

        s->first = c->next;
        if (!s->first)
                s->tail = &s->first;
        return c;
}

static void fail_all(Session *s, const Error *sent, const Error *queued)
{
        SessionCall *c = s->first;

        s->first = NULL;
        s->tail = &s->first;
        s->n_sent = 0;
        while (c) {
                SessionCall *next = c->next;

                c->reply(NULL, c->sent ? sent : queued, false, c->userdata);
                call_free(c);
                c = next;
        }
}

/* What was with a worker that died is lost; what still waits gets a new worker. */
static void fail_sent(Session *s, const Error *e)
{
        while (s->first && s->first->sent) {
                SessionCall *c = take_first(s);

                s->n_sent--;
                c->reply(NULL, e, false, c->userdata);
                call_free(c);
        }
}

static void send_more(Session *s);
static void arm(Session *s);

static void on_gone(const Error *e, void *userdata)
{
        Session *s = userdata;

        s->worker = NULL;
        fail_sent(s, e);
        send_more(s);
        arm(s);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Session *s = userdata;
        _cleanup_error_ Error late = ERROR_NULL, queued = ERROR_NULL;
        Worker *w = TAKE_PTR(s->worker);

        if (s->n_sent == 0) {
                if (w)
                        worker_release(w);
                return 0;
        }
        error_set(&late, ERROR_TIMED_OUT,
                  "Pool %s did not answer within its deadline; it is retried by itself", pool_name(s->pool));
        error_set(&queued, ERROR_SOURCE_UNREACHABLE, "Pool %s does not answer; it is retried by itself",
                  pool_name(s->pool));
        if (w) {
                worker_release(w);
                worker_cancel(w);
        }
        pool_failed(s->pool, POOL_UNRESPONSIVE, &late);
        fail_all(s, &late, &queued);
        return 0;
}

static void arm(Session *s)
{
        const ManagerConfig *config = &s->pool->manager->config;
        uint64_t usec = s->n_sent > 0 ? config->deadline_usec : config->idle_usec;

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

        if (!e || !s->worker)
                return;
        Worker *w = TAKE_PTR(s->worker);
        worker_release(w);
        worker_cancel(w);
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

        if (s->first != c)
                return; /* failed already */
        take_first(s);
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

        if (!c) {
                bag_free(args);
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        }
        *c = (SessionCall){ .session = s, .args = args, .reply = reply, .userdata = userdata };
        c->operation = strdup(operation);
        c->volume = strdup(volume ?: "");
        if (!c->operation || !c->volume || ensure_worker(s, e) < 0) {
                call_free(c);
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        }
        *s->tail = c;
        s->tail = &c->next;
        if (ret)
                *ret = c;
        send_more(s);
        if (s->n_sent == 1)
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
        for (SessionCall **i = &s->first; *i; i = &(*i)->next)
                if (*i == c) {
                        *i = c->next;
                        if (s->tail == &c->next)
                                s->tail = i;
                        break;
                }
        call_free(c);
        return true;
}

void session_rest(Session *s)
{
        if (s->worker && !s->first)
                worker_release(TAKE_PTR(s->worker));
}

bool session_is_idle(const Session *s)
{
        return !s->first;
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
        if (s->worker)
                worker_release(s->worker);
        sd_event_source_disable_unref(s->timer);
        while (s->first)
                call_free(take_first(s));
        free(s);
}
