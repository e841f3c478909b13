/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of jobs and their limits. */
#include "core.h"

static Core core;

/* One volume's operations run one after the other, in the order in which they were asked for. */
static void one_volume_in_order(void)
{
        Job *jobs[4];
        Volume *v;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        CHECK_EQ(core_wait(&core, core_create(p, "v")), JOB_DONE);
        core_fault(&core, "job resize");
        for (unsigned i = 0; i < 4; i++)
                jobs[i] = core_resize(p, "v", 8192 * (i + 1));
        for (unsigned i = 0; i < 4; i++) {
                UNTIL(&core, job_is_finished(jobs[i]) || core_n_running(&core) > 0);
                CHECK(core_n_running(&core) <= 1);
                (void)core_wait(&core, jobs[i]);
                CHECK_JOB_DONE(jobs[i]);
                for (unsigned later = i + 1; later < 4; later++)
                        CHECK(!job_is_finished(jobs[later]));
                v = volume_table_get(p->volumes, "v");
                CHECK(v);
                CHECK_EQ(v->capacity, 8192 * (i + 1));
        }
        core_end(&core);
        core_wipe();
}

static void different_volumes_side_by_side(void)
{
        static const char *const names[] = { "a", "b", "c" };
        Job *jobs[3];
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        core_fault(&core, "slow create");
        for (unsigned i = 0; i < 3; i++)
                jobs[i] = core_create(p, names[i]);
        UNTIL(&core, jobs[0]->bytes_done > 0 && jobs[1]->bytes_done > 0 && jobs[2]->bytes_done > 0);
        /* A session operation and a scan wait for none of them. */
        core_fault(&core, NULL);
        Job *quick = core_create(p, "quick"), *scan = core_refresh(p);
        (void)core_wait(&core, quick);
        (void)core_wait(&core, scan);
        CHECK_JOB_DONE(quick);
        CHECK_JOB_DONE(scan);
        for (unsigned i = 0; i < 3; i++)
                CHECK_EQ(jobs[i]->state, JOB_RUNNING);
        for (unsigned i = 0; i < 3; i++)
                CHECK_EQ(core_wait(&core, jobs[i]), JOB_DONE);
        core_end(&core);
        core_wipe();
}

static void pool_wide_ones_alone(void)
{
        Job *create, *stop, *start, *after;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        core_fault(&core, "slow create a");
        create = core_create(p, "a");
        stop = core_stop(p, false);
        start = core_start(core_define(&core, "other"));
        UNTIL(&core, create->bytes_done > 0 && job_is_finished(start)); /* another pool does not wait */
        after = core_create(p, "b");
        core_pause(&core, 100000);
        CHECK_EQ(stop->state, JOB_QUEUED);
        CHECK_EQ(after->state, JOB_QUEUED);
        (void)core_wait(&core, stop);
        CHECK_JOB_DONE(create);
        CHECK_JOB_DONE(stop);
        (void)core_wait(&core, after);
        CHECK_JOB_FAILED(after, ERROR_POOL_INACTIVE);
        core_end(&core);
        core_wipe();
}

static Job *clone_of(Pool *p, const char *name, const char *source)
{
        return core_submit(&(Request){ .operation = OPERATION_VOLUME_CLONE,
                                       .pool = p,
                                       .volume = name,
                                       .source = source,
                                       .capacity = UINT64_MAX });
}

static Job *overlay_on(Pool *p, const char *name, const char *base)
{
        _cleanup_bag_ Bag *options = bag_new();

        CHECK_OK(bag_set_string(options, "backing.path", base));
        return core_submit(&(Request){ .operation = OPERATION_VOLUME_CREATE,
                                       .pool = p,
                                       .volume = name,
                                       .options = options,
                                       .capacity = UINT64_MAX });
}

/* What is made of a volume only reads it: two clones at once, but no change of the source meanwhile. */
static void readers_share(void)
{
        Job *a, *b, *change, *overlay;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        CHECK_EQ(core_wait(&core, core_create(p, "base")), JOB_DONE);
        core_fault(&core, "slow clone");
        a = clone_of(p, "a", "base");
        b = clone_of(p, "b", "base");
        change = core_resize(p, "base", 1 << 20);
        overlay = overlay_on(p, "over", "base");
        UNTIL(&core, a->bytes_done > 0 && b->bytes_done > 0);
        CHECK_EQ(change->state, JOB_QUEUED);
        CHECK_EQ(overlay->state, JOB_QUEUED);
        CHECK_STREQ(overlay->source, "base");
        CHECK_EQ(core_wait(&core, overlay), JOB_DONE);
        CHECK_JOB_DONE(a);
        CHECK_JOB_DONE(b);
        CHECK_JOB_DONE(change);
        core_end(&core);
        core_wipe();
}

/* The volumes that go with one are waited for, and wait, as that one does. */
static void dependents_are_ordered(void)
{
        _cleanup_bag_ Bag *options = bag_new();
        Job *resize, *all, *late;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        CHECK_EQ(core_wait(&core, core_create(p, "base")), JOB_DONE);
        CHECK_EQ(core_wait(&core, overlay_on(p, "over", "base")), JOB_DONE);
        core_fault(&core, "slow resize");
        resize = core_resize(p, "over", 1 << 20);
        CHECK_OK(bag_set_bool(options, "dependents", true));
        all = core_submit(&(Request){
                .operation = OPERATION_VOLUME_DELETE, .pool = p, .volume = "base", .options = options });
        late = core_resize(p, "over", 1 << 21);
        UNTIL(&core, resize->bytes_done > 0);
        CHECK_EQ(all->state, JOB_QUEUED);
        CHECK_EQ(core_wait(&core, all), JOB_DONE);
        CHECK_JOB_DONE(resize);
        (void)core_wait(&core, late);
        CHECK_EQ(late->state, JOB_FAILED);
        CHECK_EQ(volume_table_size(p->volumes), 0);
        CHECK(!core_has_file("p", "over") && !core_has_file("p", "base"));
        core_end(&core);
        core_wipe();
}

/* An overlay that was still being made when the deletion of its base was asked for. */
static void a_new_dependent_stops_a_deletion(void)
{
        Job *overlay, *deletion;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        CHECK_EQ(core_wait(&core, core_create(p, "base")), JOB_DONE);
        core_fault(&core, "slow create");
        overlay = overlay_on(p, "over", "base");
        deletion = core_delete(p, "base");
        (void)core_wait(&core, deletion);
        CHECK_JOB_DONE(overlay);
        CHECK_JOB_FAILED(deletion, ERROR_IN_USE);
        CHECK(core_has_file("p", "base"));
        core_end(&core);
        core_wipe();
}

/* A snapshot that was still being made when its volume was to be wiped, converted or moved away. */
static void a_new_snapshot_stops_what_would_lose_it(void)
{
        const Operation lost[] = { OPERATION_VOLUME_WIPE, OPERATION_VOLUME_CONVERT, OPERATION_VOLUME_MOVE };
        Pool *p, *q;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        q = core_pool(&core, "q");
        CHECK_EQ(core_wait(&core, core_create(p, "v")), JOB_DONE);
        FOREACH_ELEMENT (o, lost) {
                Request r = {
                        .operation = OPERATION_SNAPSHOT_CREATE, .pool = p, .volume = "v", .snapshot = "s"
                };
                Job *snapshot, *after;

                core_fault(&core, "slow snapshot");
                snapshot = core_submit(&r);
                r = (Request){ .operation = *o,
                               .pool = p,
                               .volume = "v",
                               .capacity = UINT64_MAX,
                               .target = q,
                               .format = "qcow2",
                               .algorithm = "zero" };
                after = core_submit(&r);
                (void)core_wait(&core, after);
                CHECK_JOB_DONE(snapshot);
                CHECK_JOB_FAILED(after, ERROR_IN_USE);
                core_fault(&core, NULL);
                r = (Request){
                        .operation = OPERATION_SNAPSHOT_DELETE, .pool = p, .volume = "v", .snapshot = "s"
                };
                CHECK_EQ(core_wait(&core, core_submit(&r)), JOB_DONE);
        }
        core_end(&core);
        core_wipe();
}

static unsigned with_worker(void)
{
        unsigned n = 0;

        for (Job *j = queue_first(core.manager->queue); j; j = j->run->next)
                n += j->run->worker && !j->run->undoing;
        return n;
}

static void job_workers_are_limited(void)
{
        Job *root[20], *user[6];
        char name[16];
        Pool *p, *q;

        core_new(&core, (ManagerConfig){ .kill_usec = 100000 });
        p = core_pool(&core, "p");
        q = core_pool(&core, "q");
        core_fault(&core, "stuck create");
        for (unsigned i = 0; i < ELEMENTSOF(user); i++) {
                (void)snprintf(name, sizeof(name), "u%u", i);
                user[i] = core_create_as(p, name, 1, 1000);
        }
        UNTIL(&core, with_worker() == JOBS_RUNNING_PER_UID_MAX);
        core_pause(&core, 100000);
        CHECK_EQ(with_worker(), JOBS_RUNNING_PER_UID_MAX);
        CHECK(user[4]->cancellable && !user[4]->run->worker);
        for (unsigned i = 0; i < ELEMENTSOF(root); i++) {
                (void)snprintf(name, sizeof(name), "r%u", i);
                root[i] = core_create(i % 2 == 0 ? p : q, name);
        }
        UNTIL(&core, with_worker() == JOBS_RUNNING_MAX);
        core_pause(&core, 300000);
        CHECK_EQ(with_worker(), JOBS_RUNNING_MAX);
        /* A place that becomes free is taken, by the first that may. */
        CHECK_OK(job_cancel(user[0], NULL));
        CHECK_EQ(core_wait(&core, user[0]), JOB_CANCELLED);
        UNTIL(&core, user[4]->run->worker);
        CHECK(!user[5]->run->worker);
        /* One that waits for a place is cancelled at once. */
        CHECK_OK(job_cancel(user[5], NULL));
        CHECK_EQ(user[5]->state, JOB_CANCELLED);
        for (unsigned i = 0; i < ELEMENTSOF(root); i++)
                CHECK_OK(job_cancel(root[i], NULL));
        for (unsigned i = 0; i < ELEMENTSOF(root); i++)
                CHECK_EQ(core_wait(&core, root[i]), JOB_CANCELLED);
        core_end(&core);
        core_wipe();
}

/* What hangs in one pool leaves half of all places to the others, from whom and to where ever it came. */
static void a_dead_pool_leaves_places(void)
{
        char name[16];
        Pool *p, *q;
        Job *j;

        core_new(&core, (ManagerConfig){ .kill_usec = 100000 });
        p = core_pool(&core, "p");
        q = core_pool(&core, "q");
        core_fault(&core, "stuck create");
        for (unsigned i = 0; i < JOBS_RUNNING_MAX; i++) {
                (void)snprintf(name, sizeof(name), "v%u", i);
                (void)core_create_as(p, name, 1, i < 3 ? 1000 : 0);
        }
        UNTIL(&core, with_worker() == JOBS_RUNNING_PER_POOL_MAX);
        core_pause(&core, 100000);
        CHECK_EQ(with_worker(), JOBS_RUNNING_PER_POOL_MAX);
        CHECK(manager_has_running_jobs(core.manager));
        core_fault(&core, "job create");
        j = core_create(q, "v");
        (void)core_wait(&core, j);
        CHECK_JOB_DONE(j);
        core_end(&core);
        core_wipe();
}

static void queued_jobs_are_limited(void)
{
        _cleanup_prepared_ Prepared prepared = {};
        _cleanup_error_ Error e = ERROR_NULL;
        Request request = {
                .operation = OPERATION_VOLUME_RESIZE, .volume = "v", .capacity = 1 << 20, .caller = 7
        };
        Job *j, *last = NULL;
        Pool *p;

        core_new(&core, (ManagerConfig){ .kill_usec = 100000 });
        request.pool = p = core_pool(&core, "p");
        CHECK_EQ(core_wait(&core, core_create(p, "v")), JOB_DONE);
        core_fault(&core, "stuck resize");
        for (unsigned i = 0; i < JOBS_QUEUED_PER_UID_MAX; i++)
                last = core_submit(&request);
        CHECK_OK(request_prepare(&request, &prepared, &e));
        CHECK_ERROR(request_submit(&request, &prepared, &j, &e), &e, ERROR_LIMITS_EXCEEDED);
        CHECK_EQ(queue_n_unfinished(core.manager->queue), JOBS_QUEUED_PER_UID_MAX);
        request.caller = 8; /* somebody else is not concerned */
        (void)core_submit(&request);
        /* One that ends makes room. */
        CHECK_OK(job_cancel(last, &e));
        CHECK_EQ(last->state, JOB_CANCELLED);
        request.caller = 7;
        (void)core_submit(&request);
        core_end(&core);
        core_wipe();
}

static void finished_jobs_stay_for_a_while(void)
{
        uint64_t first;
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){ .keep_usec = 700000 });
        p = core_pool(&core, "p");
        j = core_create(p, "v");
        first = j->id;
        job_announce(j);
        CHECK_EQ(core.heard.job_added, 1);
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        CHECK_EQ(core.heard.job_finished, 1);
        CHECK_OK(manager_find_job(core.manager, first, &j, NULL));
        UNTIL(&core, core.heard.job_removed == 1);
        CHECK_EQ(manager_find_job(core.manager, first, &j, NULL), -ENOENT);
        UNTIL(&core, hashmap_size(core.manager->jobs) == 0); /* that of the start, too */
        core_end(&core);
        core_wipe();
}

/* Above 256 the oldest of that user makes room; those of others stay. */
static void finished_jobs_are_limited(void)
{
        uint64_t mine, others;
        char name[16];
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        others = (j = core_create_as(p, "other", 1, 8))->id;
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        mine = (j = core_create_as(p, "mine", 1, 7))->id;
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        for (unsigned i = 0; i < JOBS_FINISHED_PER_UID_MAX; i++) {
                CHECK_OK(manager_find_job(core.manager, mine, &j, NULL));
                (void)snprintf(name, sizeof(name), "v%u", i);
                j = core_create_as(p, name, 1, 7);
                CHECK_OK(job_cancel(j, NULL));
        }
        CHECK_EQ(manager_find_job(core.manager, mine, &j, NULL), -ENOENT);
        CHECK_OK(manager_find_job(core.manager, others, &j, NULL));
        core_end(&core);
        core_wipe();
}

int main(int argc, char **argv)
{
        core_main(argc, argv);
        RUN(one_volume_in_order);
        RUN(different_volumes_side_by_side);
        RUN(pool_wide_ones_alone);
        RUN(readers_share);
        RUN(dependents_are_ordered);
        RUN(a_new_dependent_stops_a_deletion);
        RUN(a_new_snapshot_stops_what_would_lose_it);
        RUN(job_workers_are_limited);
        RUN(a_dead_pool_leaves_places);
        RUN(queued_jobs_are_limited);
        RUN(finished_jobs_stay_for_a_while);
        RUN(finished_jobs_are_limited);
        return 0;
}
