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
        size_t n_unfinished, n_slots;
        Job *slots[JOBS_RUNNING_MAX]; /* those with a worker of their own */
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

bool job_is_in_pool(const Job *j, const char *pool)
{
        return streq_ptr(j->pool, pool) || streq_ptr(j->source_pool, pool);
}

/* How many places the jobs of this pool have taken. */
static size_t pool_slots(const JobQueue *q, const char *pool)
{
        size_t n = 0;

        for (size_t i = 0; i < q->n_slots; i++)
                n += job_is_in_pool(q->slots[i], pool);
        return n;
}

/* Fair between users and between pools: a user other than root has a few places. A pool has half of all, whoever asks: what
 * hangs in a pool whose storage died must leave room for the others. */
static bool slot_is_free(JobQueue *q, const Job *j)
{
        const User *u = find_user(q, j->caller);

        if (!u || q->n_slots >= JOBS_RUNNING_MAX ||
            (j->caller != 0 && u->n_slots >= JOBS_RUNNING_PER_UID_MAX))
                return false;
        return pool_slots(q, j->pool) < JOBS_RUNNING_PER_POOL_MAX &&
               (!j->source_pool || pool_slots(q, j->source_pool) < JOBS_RUNNING_PER_POOL_MAX);
}

static void take_slot(JobQueue *q, Job *j)
{
        j->run->wants_slot = false;
        j->run->in_slot = true;
        j->state = JOB_RUNNING;
        j->start_usec = now_usec(CLOCK_REALTIME);
        q->slots[q->n_slots++] = j;
        find_user(q, j->caller)->n_slots++;
}

static void leave_slot(JobQueue *q, Job *j)
{
        for (size_t i = 0; i < q->n_slots; i++)
                if (q->slots[i] == j) {
                        q->slots[i] = q->slots[--q->n_slots];
                        break;
                }
        j->run->in_slot = false;
        find_user(q, j->caller)->n_slots--;
}

/* What an operation works on: a volume is written by an operation on it, or on one that it goes with, and where it is moved
 * from or renamed to; it is read by what is made of it, or stands on it. */
static bool writes(const Job *j, const char *pool, const char *volume)
{
        if (j->operation == OPERATION_VOLUME_MOVE && streq(j->source_pool, pool) && streq(j->source, volume))
                return true;
        if (!streq_ptr(j->pool, pool))
                return false;
        return streq_ptr(j->volume, volume) || strv_contains(bag_get_strv(job_args(j), "names"), volume) ||
               (j->operation == OPERATION_VOLUME_RENAME &&
                streq_ptr(bag_get_string(job_args(j), "name"), volume));
}

static bool uses(const Job *j, const char *pool, const char *volume)
{
        return writes(j, pool, volume) ||
               (streq_ptr(j->source, volume) && streq_ptr(j->source_pool ?: j->pool, pool));
}

/* Does a use what b writes? */
static bool meets(const Job *a, const Job *b)
{
        char *const *names = bag_get_strv(job_args(b), "names");

        if (b->volume && uses(a, b->pool, b->volume))
                return true;
        if (b->operation == OPERATION_VOLUME_MOVE && uses(a, b->source_pool, b->source))
                return true;
        if (b->operation == OPERATION_VOLUME_RENAME && uses(a, b->pool, bag_get_string(job_args(b), "name")))
                return true;
        for (; names && *names; names++)
                if (uses(a, b->pool, *names))
                        return true;
        return false;
}

/* Must b, which came later, wait for a? */
static bool conflicts(const Job *a, const Job *b)
{
        if (!a->pool || !b->pool ||
            !(job_is_in_pool(a, b->pool) || (b->source_pool && job_is_in_pool(a, b->source_pool))))
                return false;
        if (operation_is_pool_wide(a->operation) || operation_is_pool_wide(b->operation))
                return true;
        /* One conversion of a whole pool at a time; other jobs pass between its volumes. */
        if (a->operation == b->operation &&
            (a->operation == OPERATION_POOL_REFRESH || a->operation == OPERATION_POOL_CONVERT))
                return streq(a->pool, b->pool);
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
                if (j->run->wants_slot && slot_is_free(q, j)) {
                        take_slot(q, j);
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

        if (u && u->n_unfinished >= JOBS_QUEUED_PER_UID_MAX && !j->run->parent) {
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
        j->state = JOB_QUEUED;
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
        run->wants_slot = false;
        if (run->in_slot)
                leave_slot(q, j);
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

void queue_forget(Job *j)
{
        if (job_is_finished(j))
                forget(j->manager->queue, j);
}

bool manager_has_running_jobs(const Manager *m)
{
        const JobQueue *q = m->queue;

        for (size_t i = 0; i < q->n_slots; i++)
                if (q->slots[i]->volume && !job_is_finished(q->slots[i]))
                        return true;
        return false;
}

/* A job that ends may end others, so the walk goes back to the front when its next one is not there any more. */
void queue_cancel(JobQueue *q, bool (*wanted)(const Job *j, const void *userdata), const void *userdata)
{
        for (Job *j = q->unfinished.first, *next; j; j = next) {
                next = j->run->next;
                if (!j->cancellable || !wanted(j, userdata))
                        continue;
                (void)job_cancel(j, NULL);
                if (next && job_is_finished(next))
                        next = q->unfinished.first;
        }
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
                if (job_is_in_pool(j, pool_name(p)))
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
