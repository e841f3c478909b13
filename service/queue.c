/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of jobs: one volume's operations run one after the other, pool-wide ones alone in their pool,
 * everything else side by side; job workers within the limits per user; finished jobs are kept readable for
 * a while. */
#include <inttypes.h>

#include "job-run.h"
#include "pool.h"
#include "util/fileio.h"

typedef struct User {
        uid_t uid;
        size_t n_unfinished, n_finished, n_slots;
} User;

typedef struct JobList {
        Job *first, *last;
} JobList;

struct JobQueue {
        Manager *manager;
        JobList unfinished, finished;
        size_t n_unfinished, n_slots, n_wanting;
        User *users;
        size_t n_users;
        sd_event_source *starter; /* starts what may start, from the event loop */
        sd_event_source *expiry;
};

static void list_append(JobList *l, Job *j)
{
        j->run->previous = l->last;
        j->run->next = NULL;
        if (l->last)
                l->last->run->next = j;
        else
                l->first = j;
        l->last = j;
}

static void list_remove(JobList *l, Job *j)
{
        if (j->run->previous)
                j->run->previous->run->next = j->run->next;
        else
                l->first = j->run->next;
        if (j->run->next)
                j->run->next->run->previous = j->run->previous;
        else
                l->last = j->run->previous;
        j->run->next = j->run->previous = NULL;
}

static User *find_user(JobQueue *q, uid_t uid)
{
        User *users;

        for (size_t i = 0; i < q->n_users; i++)
                if (q->users[i].uid == uid)
                        return q->users + i;
        users = reallocarray(q->users, q->n_users + 1, sizeof(*users));
        if (!users)
                return NULL;
        q->users = users;
        users[q->n_users] = (User){ .uid = uid };
        return users + q->n_users++;
}

static bool slot_is_free(JobQueue *q, uid_t uid)
{
        const User *u = find_user(q, uid);

        return u && q->n_slots < JOBS_RUNNING_MAX && (uid == 0 || u->n_slots < JOBS_RUNNING_PER_UID_MAX);
}

/* A volume is written by an operation on it, or on one that it goes with; it is read by what is made of it. */
static bool writes(const Job *j, const char *volume)
{
        return streq_ptr(j->volume, volume) || strv_contains(bag_get_strv(job_args(j), "names"), volume);
}

static bool uses(const Job *j, const char *volume)
{
        return writes(j, volume) || streq_ptr(j->source, volume);
}

/* Does a use what b writes? */
static bool meets(const Job *a, const Job *b)
{
        char *const *names = bag_get_strv(job_args(b), "names");

        if (b->volume && uses(a, b->volume))
                return true;
        for (; names && *names; names++)
                if (uses(a, *names))
                        return true;
        return false;
}

/* Must b, which came later, wait for a? */
static bool conflicts(const Job *a, const Job *b)
{
        if (!a->pool || !b->pool || !streq(a->pool, b->pool))
                return false;
        if (operation_is_pool_wide(a->operation) || operation_is_pool_wide(b->operation))
                return true;
        if (a->operation == OPERATION_POOL_REFRESH && b->operation == OPERATION_POOL_REFRESH)
                return true;
        return meets(a, b) || meets(b, a);
}

static int on_start(sd_event_source *s, void *userdata)
{
        JobQueue *q = userdata;
        Job *next;

        for (Job *j = q->unfinished.first; j; j = next) {
                next = j->run->next;
                if (!j->run->started && j->run->n_blockers == 0) {
                        j->run->started = true;
                        run_start(j);
                        /* A job that failed at once may have changed the list: look again from the front. */
                        (void)sd_event_source_set_enabled(q->starter, SD_EVENT_ONESHOT);
                        return 0;
                }
                if (j->run->wants_slot && slot_is_free(q, j->caller)) {
                        j->run->wants_slot = false;
                        j->run->in_slot = true;
                        q->n_wanting--;
                        q->n_slots++;
                        find_user(q, j->caller)->n_slots++;
                        run_in_worker(j);
                        (void)sd_event_source_set_enabled(q->starter, SD_EVENT_ONESHOT);
                        return 0;
                }
        }
        return 0;
}

static void wake(JobQueue *q)
{
        (void)sd_event_source_set_enabled(q->starter, SD_EVENT_ONESHOT);
}

int queue_new(Manager *m, JobQueue **ret)
{
        JobQueue *q = calloc(1, sizeof(*q));
        int r;

        if (!q)
                return -ENOMEM;
        q->manager = m;
        r = sd_event_add_defer(m->event, &q->starter, on_start, q);
        if (r < 0) {
                free(q);
                return r;
        }
        (void)sd_event_source_set_enabled(q->starter, SD_EVENT_OFF);
        *ret = q;
        return 0;
}

static void free_all(JobList *l)
{
        while (l->first) {
                Job *j = l->first;

                list_remove(l, j);
                job_free(j);
        }
}

void queue_free(JobQueue *q)
{
        if (!q)
                return;
        free_all(&q->unfinished);
        free_all(&q->finished);
        sd_event_source_disable_unref(q->starter);
        sd_event_source_disable_unref(q->expiry);
        free(q->users);
        free(q);
}

static int add_waiter(Job *before, Job *j)
{
        JobRun *run = before->run;
        Job **waiters = reallocarray(run->waiters, run->n_waiters + 1, sizeof(*waiters));

        if (!waiters)
                return -ENOMEM;
        run->waiters = waiters;
        waiters[run->n_waiters++] = j;
        j->run->n_blockers++;
        return 0;
}

static void remove_waiter(Job *before, const Job *j)
{
        JobRun *run = before->run;

        for (size_t i = 0; i < run->n_waiters; i++)
                if (run->waiters[i] == j) {
                        run->waiters[i] = run->waiters[--run->n_waiters];
                        return;
                }
}

int queue_add(JobQueue *q, Job *j, Error *e)
{
        User *u = find_user(q, j->caller);
        char key[24];
        int r = 0;

        if (u && u->n_unfinished >= JOBS_QUEUED_PER_UID_MAX) {
                error_set(e, ERROR_LIMITS_EXCEEDED,
                          "User %u has %u jobs under way already; wait for some to end", j->caller,
                          JOBS_QUEUED_PER_UID_MAX);
                job_free(j);
                return -EDQUOT;
        }
        snprintf(key, sizeof(key), "%" PRIu64, j->id);
        if (!u || hashmap_put(q->manager->jobs, key, j) < 0) {
                job_free(j);
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        }
        for (Job *other = q->unfinished.first; other && r >= 0; other = other->run->next)
                if (conflicts(other, j))
                        r = add_waiter(other, j);
        if (r < 0) {
                for (Job *other = q->unfinished.first; other; other = other->run->next)
                        remove_waiter(other, j);
                hashmap_remove(q->manager->jobs, key);
                job_free(j);
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        }
        list_append(&q->unfinished, j);
        u->n_unfinished++;
        q->n_unfinished++;
        wake(q);
        return 0;
}

void queue_want_slot(Job *j)
{
        JobQueue *q = j->manager->queue;

        j->run->wants_slot = true;
        q->n_wanting++;
        wake(q);
}

static void forget(JobQueue *q, Job *j)
{
        User *u = find_user(q, j->caller);
        char key[24];

        list_remove(&q->finished, j);
        if (u)
                u->n_finished--;
        snprintf(key, sizeof(key), "%" PRIu64, j->id);
        hashmap_remove(q->manager->jobs, key);
        if (j->announced && q->manager->observer.job_removed)
                q->manager->observer.job_removed(j, q->manager->observer_data);
        job_free(j);
}

static int on_expiry(sd_event_source *s, uint64_t usec, void *userdata);

static void arm_expiry(JobQueue *q)
{
        uint64_t at;

        if (!q->finished.first)
                return;
        at = q->finished.first->run->finished_usec + q->manager->config.keep_usec;
        if (q->expiry) {
                (void)sd_event_source_set_time(q->expiry, at);
                (void)sd_event_source_set_enabled(q->expiry, SD_EVENT_ONESHOT);
        } else
                (void)sd_event_add_time(q->manager->event, &q->expiry, CLOCK_MONOTONIC, at, 500000,
                                        on_expiry, q);
}

static int on_expiry(sd_event_source *s, uint64_t usec, void *userdata)
{
        JobQueue *q = userdata;

        while (q->finished.first &&
               q->finished.first->run->finished_usec + q->manager->config.keep_usec <= usec)
                forget(q, q->finished.first);
        arm_expiry(q);
        return 0;
}

/* Above the limit the oldest finished job of that user makes room. */
static void limit_finished(JobQueue *q, const User *u)
{
        if (u->n_finished <= JOBS_FINISHED_PER_UID_MAX)
                return;
        for (Job *j = q->finished.first; j; j = j->run->next)
                if (j->caller == u->uid) {
                        forget(q, j);
                        return;
                }
}

void queue_finished(Job *j)
{
        JobQueue *q = j->manager->queue;
        JobRun *run = j->run;
        User *u = find_user(q, j->caller);

        for (Job *other = q->unfinished.first; run->n_blockers > 0 && other; other = other->run->next)
                remove_waiter(other, j);
        for (size_t i = 0; i < run->n_waiters; i++)
                run->waiters[i]->run->n_blockers--;
        run->waiters = (free(run->waiters), NULL);
        run->n_waiters = 0;

        list_remove(&q->unfinished, j);
        q->n_unfinished--;
        if (run->wants_slot)
                q->n_wanting--;
        if (run->in_slot) {
                q->n_slots--;
                u->n_slots--;
        }
        run->wants_slot = run->in_slot = false;
        u->n_unfinished--;

        run->finished_usec = now_usec(CLOCK_MONOTONIC);
        run->charge = 0;
        list_append(&q->finished, j);
        u->n_finished++;
        if (!q->finished.first->run->next)
                arm_expiry(q);
        limit_finished(q, u);
        if (q->n_unfinished > 0)
                wake(q);
        manager_touch(q->manager);
}

size_t queue_n_unfinished(const JobQueue *q)
{
        return q->n_unfinished;
}

Job *queue_first(const JobQueue *q)
{
        return q->unfinished.first;
}

uint64_t queue_charged(const JobQueue *q, const Pool *p, uid_t uid)
{
        uint64_t sum = 0;

        for (const Job *j = q->unfinished.first; j; j = j->run->next)
                if (j->caller == uid && j->pool && streq(j->pool, pool_name(p)))
                        sum += j->run->charge;
        return sum;
}

bool queue_pool_has_jobs(const JobQueue *q, const Pool *p)
{
        for (const Job *j = q->unfinished.first; j; j = j->run->next)
                if (j->pool && streq(j->pool, pool_name(p)))
                        return true;
        return false;
}

bool queue_pool_waits_for(const JobQueue *q, const Pool *p, Operation o)
{
        for (const Job *j = q->unfinished.first; j; j = j->run->next)
                if (j->operation == o && !j->run->started && streq_ptr(j->pool, pool_name(p)))
                        return true;
        return false;
}
