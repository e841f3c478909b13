/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replies that wait for their job: until its checks have passed, or with the option "wait" until its end. A
 * job that fails before the reply went out makes its error the error of the call. */
#include "bus-call.h"
#include "job-run.h"
#include "util/fileio.h"

struct Held {
        Bus *bus;
        sd_bus_message *message;
        Job *job;
        char *pool;        /* path that comes before the job's */
        reply_then_t then; /* makes the reply; NULL: the job's path is it */
        Bag *words;
        bool wait;
        uint64_t since_usec; /* monotonic */
        Held *next, *previous;
};

static void held_free(Held *h)
{
        if (h->next)
                h->next->previous = h->previous;
        if (h->previous)
                h->previous->next = h->next;
        else
                h->bus->held = h->next;
        if (h->job)
                job_listen(h->job, NULL, NULL);
        sd_bus_message_unref(h->message);
        free(h->pool);
        bag_free(h->words);
        free(h);
}

/* A caller that has left meanwhile gets no reply, and that is no error. */
static void reply_job(const Held *h)
{
        _cleanup_free_ char *path = object_path_job(h->job->id);

        if (!path)
                (void)sd_bus_reply_method_errorf(h->message, SD_BUS_ERROR_NO_MEMORY, "out of memory");
        else if (h->pool)
                (void)sd_bus_reply_method_return(h->message, "oo", h->pool, path);
        else
                (void)sd_bus_reply_method_return(h->message, "o", path);
}

static void reply_failure(const Held *h)
{
        const Error *e = &h->job->error;

        (void)sd_bus_reply_method_errorf(h->message, error_kind_to_name(e->kind) ?: SD_BUS_ERROR_FAILED,
                                         "%s", e->message ?: "no details");
}

static void reply_then(const Held *h)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = h->then(h->bus, h->message, h->job, h->words, &error);

        if (sd_bus_error_is_set(&error))
                (void)sd_bus_reply_method_error(h->message, &error);
        else if (r < 0)
                (void)sd_bus_reply_method_errno(h->message, r, NULL);
}

static void on_job(Job *j, bool ended, void *userdata)
{
        Held *h = userdata;

        if (!ended && h->wait)
                return;
        /* What failed before its reply was a bad request: an error of the call, not a job. */
        if (ended && j->state != JOB_DONE)
                reply_failure(h);
        else if (h->then)
                reply_then(h);
        else {
                if (!h->wait)
                        job_announce(j);
                reply_job(h);
        }
        held_free(h);
}

/* A job that is waited for is announced only when it takes long. One timer serves all. */
static int on_announce(sd_event_source *source, uint64_t usec, void *userdata)
{
        Bus *b = userdata;
        uint64_t next = UINT64_MAX;

        for (Held *h = b->held; h; h = h->next) {
                uint64_t due = h->since_usec + JOB_ANNOUNCE_USEC;

                if (!h->wait || h->job->announced)
                        continue;
                if (due <= usec)
                        job_announce(h->job);
                else
                        next = MIN(next, due);
        }
        if (next == UINT64_MAX)
                return 0;
        (void)sd_event_source_set_time(source, next);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int arm_announce(Bus *b, uint64_t usec)
{
        int enabled = SD_EVENT_OFF, r;

        if (!b->announce)
                return sd_event_add_time(b->manager->event, &b->announce, CLOCK_MONOTONIC, usec, 10000,
                                         on_announce, b);
        r = sd_event_source_get_enabled(b->announce, &enabled);
        if (r < 0 || enabled != SD_EVENT_OFF)
                return r; /* it will see this one, too */
        r = sd_event_source_set_time(b->announce, usec);
        return r < 0 ? r : sd_event_source_set_enabled(b->announce, SD_EVENT_ONESHOT);
}

static Held *held_new(Bus *b, sd_bus_message *m, Job *j, bool wait)
{
        Held *h = calloc(1, sizeof(*h));

        if (!h)
                return NULL;
        *h = (Held){ .bus = b, .message = sd_bus_message_ref(m), .job = j, .wait = wait, .next = b->held };
        if (b->held)
                b->held->previous = h;
        b->held = h;
        return h;
}

static void held_wait(Held *h)
{
        Job *j = h->job;

        if (job_is_finished(j) || (j->ready && !h->wait)) {
                on_job(j, job_is_finished(j), h);
                return;
        }
        job_listen(j, on_job, h);
        if (h->wait) {
                h->since_usec = now_usec(CLOCK_MONOTONIC);
                (void)arm_announce(h->bus, h->since_usec + JOB_ANNOUNCE_USEC);
        }
}

int reply_hold(Bus *b, sd_bus_message *m, Job *j, bool wait, const char *pool)
{
        Held *h = held_new(b, m, j, wait);

        if (!h)
                return -ENOMEM;
        if (free_and_strdup(&h->pool, pool) < 0) {
                held_free(h);
                return -ENOMEM;
        }
        held_wait(h);
        return 1;
}

int reply_hold_then(Bus *b, sd_bus_message *m, Job *j, reply_then_t then, Bag *words)
{
        Held *h = held_new(b, m, j, /* wait= */ true);

        if (!h) {
                bag_free(words);
                return -ENOMEM;
        }
        h->then = then;
        h->words = words;
        held_wait(h);
        return 1;
}

void reply_release_all(Bus *b)
{
        while (b->held) {
                (void)sd_bus_reply_method_errorf(b->held->message, error_kind_to_name(ERROR_CANCELLED),
                                                 "The service is going down");
                held_free(b->held);
        }
}
