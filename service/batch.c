/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The conversion of a whole pool: a job that has one job after the other done, each for one volume and in the order of that
 * volume like any other, so that other volumes go on working. What failed is told at the end and does not stop the rest. */
#include <inttypes.h>

#include "request-internal.h"
#include "run-internal.h"

#define FAILURES_TOLD_MAX 1024u

typedef struct Batch {
        Job *job;
        size_t next;   /* of the names among its args */
        Job *child;    /* the one that runs, or the last one that ran */
        uint64_t size; /* of the child's volume, bytes */
        uint64_t done; /* bytes of all before */
        Bag *result;   /* converted t, failed as */
        uint64_t converted, failed;
        Error first;              /* failure */
        sd_event_source *advance; /* begins the next, from the event loop */
} Batch;

void batch_free(Batch *b)
{
        if (!b)
                return;
        sd_event_source_disable_unref(b->advance);
        bag_free(b->result);
        error_done(&b->first);
        free(b);
}

static void forget_child(Batch *b)
{
        Job *child = TAKE_PTR(b->child);

        if (child)
                queue_forget(child);
}

static void end(Batch *b, const Error *e)
{
        forget_child(b);
        b->advance = sd_event_source_disable_unref(b->advance);
        (void)bag_set_u64(b->result, "converted", b->converted);
        run_finish(b->job, TAKE_PTR(b->result), e);
}

static void end_all_tried(Batch *b)
{
        _cleanup_error_ Error e = ERROR_NULL;

        if (b->failed == 0) {
                end(b, NULL);
                return;
        }
        error_set(&e, b->first.kind,
                  "%" PRIu64 " of the volumes of pool %s did not become %s; the first: %s", b->failed,
                  b->job->pool, bag_get_string(job_args(b->job), "format"), b->first.message);
        end(b, &e);
}

static void advance(Batch *b)
{
        (void)sd_event_source_set_enabled(b->advance, SD_EVENT_ONESHOT);
}

static void note_failure(Batch *b, const char *volume, const Error *e)
{
        _cleanup_free_ char *line = NULL;

        error_set(&b->first, e->kind, "%s: %s", volume, e->message);
        if (b->failed++ < FAILURES_TOLD_MAX && asprintf(&line, "%s: %s", volume, e->message) >= 0)
                (void)bag_add_strv(b->result, "failed", line);
}

static void on_child(Job *child, bool ended, void *userdata)
{
        Batch *b = userdata;

        if (!ended)
                return;
        b->done += b->size;
        b->size = 0;
        if (child->state == JOB_DONE)
                b->converted++;
        else if (b->job->state != JOB_CANCELLING)
                note_failure(b, child->volume, &child->error);
        job_set_progress(b->job, b->done, b->job->bytes);
        advance(b);
}

void batch_progress(Job *child)
{
        Batch *b = child->run->parent->run->batch;
        bool valid;
        double part = job_progress(child, &valid);

        if (valid)
                job_set_progress(b->job, b->done + (uint64_t)(part * (double)b->size), b->job->bytes);
}

/* The words that the volume is converted with. */
static Bag *child_options(const Batch *b)
{
        static const char *const keys[] = { "bandwidth", "sync" };
        _cleanup_bag_ Bag *options = bag_new();

        FOREACH_ELEMENT (key, keys) {
                const Value *v = bag_get(job_args(b->job), *key);

                if (v && bag_set_value(options, *key, v) < 0)
                        return NULL;
        }
        return TAKE_PTR(options);
}

static int convert(Batch *b, const Volume *v, Error *e)
{
        _cleanup_prepared_ Prepared prepared = {};
        _cleanup_bag_ Bag *options = child_options(b);
        Request r = {
                .operation = OPERATION_VOLUME_CONVERT,
                .pool = v->pool,
                .volume = v->name,
                .format = bag_get_string(job_args(b->job), "format"),
                .options = options,
                .caller = b->job->caller,
        };
        int x;

        if (!options)
                return request_no_memory(e);
        x = request_prepare(&r, &prepared, e);
        if (x >= 0)
                x = request_submit_child(b->job, &r, &prepared, &b->child, e);
        if (x >= 0)
                job_listen(b->child, on_child, b);
        return x;
}

/* True once its conversion is under way. One that is gone, or was done by somebody else meanwhile, is no failure. */
static bool begin(Batch *b, Pool *p, const char *name)
{
        const Volume *v = volume_table_get(p->volumes, name);
        _cleanup_error_ Error e = ERROR_NULL;

        if (!v || streq(image_format_to_string(v->format), bag_get_string(job_args(b->job), "format")))
                return false;
        b->size = v->capacity == UINT64_MAX ? 0 : v->capacity;
        if (convert(b, v, &e) >= 0)
                return true;
        note_failure(b, name, &e);
        b->size = 0;
        return false;
}

/* Not while a stop waits, which waits for this job. */
static int check_goes_on(const Batch *b, const Pool *p, Error *e)
{
        if (b->job->state == JOB_CANCELLING)
                return error_set(e, ERROR_CANCELLED, "Job %" PRIu64 " was cancelled", b->job->id);
        if (queue_pool_waits_for(b->job->manager->queue, p, OPERATION_POOL_STOP))
                return error_set(e, ERROR_POOL_INACTIVE,
                                 "Pool %s is to be stopped; ask again when it is active, to go on",
                                 pool_name(p));
        return pool_check_usable(p, e);
}

static int on_advance(sd_event_source *s, void *userdata)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Batch *b = userdata;
        Pool *p = run_pool(b->job);
        char *const *names = bag_get_strv(job_args(b->job), "volumes");

        forget_child(b);
        if (check_goes_on(b, p, &e) < 0)
                end(b, &e);
        else if (!names || !names[b->next])
                end_all_tried(b);
        else if (!begin(b, p, names[b->next++]))
                advance(b);
        return 0;
}

void batch_begin(Job *j)
{
        Batch *b = calloc(1, sizeof(*b));

        j->run->batch = b;
        if (b)
                *b = (Batch){ .job = j, .result = bag_new() };
        if (!b || !b->result || sd_event_add_defer(j->manager->event, &b->advance, on_advance, b) < 0) {
                run_fail(j, ERROR_NO_MEMORY, "out of memory");
                return;
        }
        j->bytes = bag_get_u64(job_args(j), "bytes", 0);
        job_set_ready(j);
}

void batch_cancel(Job *j)
{
        Batch *b = j->run->batch;

        /* A child that cannot be cancelled is at its end: then this job ends. */
        if (b->child && !job_is_finished(b->child))
                (void)job_cancel(b->child, NULL);
        else
                advance(b);
}
