/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spare.h"

#define SPARE_IDLE_USEC (60ULL * 1000 * 1000) /* where workers are never told to leave */

typedef struct Spare {
        Manager *manager;
        Worker *worker;
        char *backend;
        sd_event_source *timer;
} Spare;

static void spare_free(Spare *s)
{
        s->manager->spare = NULL;
        sd_event_source_disable_unref(s->timer);
        free(s->backend);
        free(s);
}

static void on_gone(const Error *e, void *userdata)
{
        spare_free(userdata);
}

void spare_drop(Manager *m)
{
        Spare *s = m->spare;

        if (!s)
                return;
        worker_release(s->worker);
        spare_free(s);
}

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
        Spare *s = userdata;

        spare_drop(s->manager);
        return 0;
}

int spare_take(Manager *m, const char *backend, const WorkerEvents *events, void *userdata, Worker **ret,
               Error *e)
{
        Spare *s = m->spare;

        if (s && !worker_lives(s->worker)) {
                spare_drop(m);
                s = NULL;
        }
        if (!s || !streq(s->backend, backend))
                return worker_start(m, WORKER_JOB, backend, events, userdata, ret, e);
        worker_hand_over(s->worker, events, userdata);
        *ret = s->worker;
        spare_free(s);
        return 0;
}

void spare_prepare(Manager *m, const char *backend)
{
        static const WorkerEvents events = { .gone = on_gone };
        _cleanup_error_ Error e = ERROR_NULL;
        Spare *s;

        if (m->stopping || (m->spare && streq(m->spare->backend, backend)))
                return;
        spare_drop(m);
        s = calloc(1, sizeof(*s));
        if (!s)
                return;
        *s = (Spare){ .manager = m, .backend = strdup(backend) };
        m->spare = s;
        /* Without it the next job starts a worker of its own, and tells what is wrong. */
        if (!s->backend || worker_start(m, WORKER_JOB, backend, &events, s, &s->worker, &e) < 0) {
                spare_free(s);
                return;
        }
        (void)sd_event_add_time_relative(m->event, &s->timer, CLOCK_MONOTONIC,
                                         m->config.idle_usec ?: SPARE_IDLE_USEC, 100000, on_idle, s);
}
