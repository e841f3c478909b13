/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scans beside operations, and many volumes in slices that hold nobody up. */
#include "core.h"

#include "refresh.h"

static Core core;
static Pool *pool;

static void begin(void)
{
        core_new(&core, (ManagerConfig){});
        pool = core_pool(&core, "p");
        core.heard = (Heard){};
}

static void end(void)
{
        core_end(&core);
        core_wipe();
}

static VolumeInfo record(const char *name, uint64_t size)
{
        return (VolumeInfo){ .name = name, .format = FORMAT_RAW, .capacity = size, .creator = UINT32_MAX };
}

static void operation(const char *name, uint64_t size)
{
        VolumeInfo v = record(name, size);

        pool_volume_seen(pool, &v);
}

static void scan(const char *name, uint64_t size)
{
        VolumeInfo v = record(name, size);

        refresh_volume(pool, &v);
}

static uint64_t size_of(const char *name)
{
        Volume *v = volume_table_get(pool->volumes, name);

        return v ? v->capacity : UINT64_MAX;
}

static void scan_ends(void)
{
        _cleanup_bag_ Bag *result = bag_new();

        while (!refresh_sweep(pool))
                ;
        refresh_end(pool, result);
}

/* What operations did while the scan ran wins over what the scan saw, whatever it saw. */
static void operations_win(void)
{
        begin();
        operation("changed", 1);
        operation("removed", 1);
        operation("replaced", 1);
        operation("untouched", 1);
        operation("gone", 1);
        CHECK_OK(refresh_begin(pool, true));
        CHECK(pool->refreshing);
        operation("created", 2);
        operation("changed", 2);
        pool_volume_gone(pool, "removed");
        pool_volume_gone(pool, "replaced");
        operation("replaced", 2);
        operation("fleeting", 2); /* made and removed again: the scan may have seen it */
        pool_volume_gone(pool, "fleeting");

        scan("changed", 1);
        scan("removed", 1);
        scan("replaced", 1);
        scan("untouched", 1);
        scan("fleeting", 2);
        scan("found", 3);
        CHECK_EQ(size_of("changed"), 2);
        CHECK_EQ(size_of("removed"), UINT64_MAX);
        CHECK_EQ(size_of("replaced"), 2);
        CHECK_EQ(size_of("fleeting"), UINT64_MAX);
        scan_ends();
        CHECK_EQ(size_of("created"), 2); /* not seen, and not dropped */
        CHECK_EQ(size_of("untouched"), 1);
        CHECK_EQ(size_of("found"), 3);
        CHECK_EQ(size_of("gone"), UINT64_MAX);
        CHECK(!pool->refreshing && !pool->guard);
        end(); /* with a look at what both told of still on its way */
}

static void vanished_names(void)
{
        begin();
        operation("a", 1);
        operation("b", 1);
        CHECK_OK(refresh_begin(pool, false));
        operation("b", 2);
        refresh_vanished(pool, "a");
        refresh_vanished(pool, "b"); /* it is there again */
        refresh_vanished(pool, "never");
        CHECK_EQ(size_of("a"), UINT64_MAX);
        CHECK_EQ(size_of("b"), 2);
        operation("c", 1);
        scan_ends();
        CHECK_EQ(size_of("c"), 1); /* differences only: what is not told of stays */
        end();
}

/* Names that both told of are looked at once more, on the disk. */
static void contested_names_are_looked_at(void)
{
        begin();
        CHECK_EQ(core_wait(&core, core_create(pool, "v")), JOB_DONE);
        CHECK_OK(refresh_begin(pool, false));
        operation("v", 1);
        operation("w", 1);
        scan("v", 2);
        refresh_vanished(pool, "w");
        scan_ends();
        UNTIL(&core, size_of("v") == 4096 && size_of("w") == UINT64_MAX);
        end();
}

/* A volume that came after the last scan is in no snapshot: a scan that does not tell of it found it gone. */
static void came_and_went_between_scans(void)
{
        begin();
        CHECK_OK(refresh_begin(pool, true));
        scan("old", 1);
        scan_ends();
        operation("new", 2);
        operation("gone", 3);
        CHECK_OK(refresh_begin(pool, false));
        scan("new", 2);
        operation("meanwhile", 4);
        scan_ends();
        CHECK_EQ(size_of("old"), 1);
        CHECK_EQ(size_of("new"), 2);
        CHECK_EQ(size_of("gone"), UINT64_MAX);
        CHECK_EQ(size_of("meanwhile"), 4);
        /* Made while a scan ran that saw it, too: the next scan finds it unchanged and says nothing. */
        CHECK_OK(refresh_begin(pool, false));
        operation("both", 5);
        scan("both", 5);
        scan("meanwhile", 4);
        scan_ends();
        CHECK_OK(refresh_begin(pool, false));
        scan_ends();
        CHECK_EQ(size_of("both"), 5);
        CHECK_EQ(size_of("meanwhile"), 4);
        end();
}

/* A scan that ends early leaves no guard behind, and the next one cannot tell differences only. */
static void abort_a_scan(void)
{
        begin();
        operation("v", 1);
        pool->snapshot = dup(STDIN_FILENO);
        CHECK_OK(refresh_begin(pool, false));
        scan("w", 1);
        refresh_abort(pool);
        CHECK(!pool->guard && !pool->refreshing);
        CHECK_EQ(pool->snapshot, -EBADF);
        CHECK_EQ(size_of("v"), 1);
        CHECK_EQ(size_of("w"), 1);
        scan("x", 1); /* late words of its worker */
        refresh_vanished(pool, "v");
        CHECK_EQ(size_of("x"), UINT64_MAX);
        CHECK_EQ(size_of("v"), 1);
        end();
}

static void differences_are_told_up_to_a_limit(void)
{
        char name[16];

        begin();
        for (unsigned round = 0; round < 2; round++) {
                unsigned n = VOLUME_SIGNALS_MAX + round;

                core.heard = (Heard){};
                CHECK_OK(refresh_begin(pool, true));
                for (unsigned i = 0; i < n; i++) {
                        (void)snprintf(name, sizeof(name), "r%u-%u", round, i);
                        scan(name, 1);
                }
                CHECK_EQ(core.heard.reset, 0);
                if (round == 0)
                        scan_ends();
                else
                        refresh_abort(pool); /* what was told of is told of, however it ends */
                CHECK_EQ(core.heard.volume_added, VOLUME_SIGNALS_MAX);
                CHECK_EQ(core.heard.reset, round);
        }
        /* Unchanged ones are no differences. */
        core.heard = (Heard){};
        CHECK_OK(refresh_begin(pool, true));
        for (unsigned i = 0; i < VOLUME_SIGNALS_MAX; i++) {
                (void)snprintf(name, sizeof(name), "r0-%u", i);
                scan(name, 1);
        }
        scan_ends(); /* the others are gone: one more than is told of */
        CHECK_EQ(core.heard.volume_added + core.heard.volume_changed, 0);
        CHECK_EQ(core.heard.volume_removed, VOLUME_SIGNALS_MAX);
        CHECK_EQ(core.heard.reset, 1);
        CHECK_EQ(volume_table_size(pool->volumes), VOLUME_SIGNALS_MAX);
        end();
}

static void clear(void)
{
        char name[16];

        begin();
        for (unsigned i = 0; i < VOLUME_SIGNALS_MAX; i++) {
                (void)snprintf(name, sizeof(name), "v%u", i);
                operation(name, 1);
        }
        CHECK_EQ(core.manager->n_volumes, VOLUME_SIGNALS_MAX);
        pool_clear_volumes(pool);
        CHECK_EQ(core.heard.volume_removed, VOLUME_SIGNALS_MAX);
        CHECK_EQ(core.heard.reset, 0);
        CHECK_EQ(core.manager->n_volumes, 0);
        operation("again", 1);
        end();
}

/* ---- many ---- */

static uint64_t longest; /* CPU time of one turn of the loop, in µs */

static void turn(void)
{
        uint64_t before = now_usec(CLOCK_THREAD_CPUTIME_ID), used;

        CHECK(sd_event_run(core.event, 20000) >= 0);
        used = now_usec(CLOCK_THREAD_CPUTIME_ID) - before;
        longest = MAX(longest, used);
}

/* 2 ms, by design, and as much again for a busy machine; a sanitizer makes everything slower. */
static void check_longest(const char *what)
{
        printf("# %s: longest turn %" PRIu64 " us\n", what, longest);
#if !defined(__SANITIZE_ADDRESS__)
        CHECK(longest <= 5000);
#endif
        longest = 0;
}

static void run_job(Job *j)
{
        uint64_t limit = now_usec(CLOCK_MONOTONIC) + 60000000;

        while (!job_is_finished(j) && now_usec(CLOCK_MONOTONIC) < limit)
                turn();
        CHECK_JOB_DONE(j);
}

static void a_hundred_thousand(void)
{
        _cleanup_prepared_ Prepared prepared = {};
        _cleanup_error_ Error e = ERROR_NULL;
        uint64_t before;
        Job *j;

        begin();
        core_fault(&core, "many refresh");
        j = core_refresh(pool);
        run_job(j);
        CHECK_EQ(volume_table_size(pool->volumes), 100000);
        CHECK_EQ(core.heard.reset, 1);
        check_longest("first scan");
        run_job(core_refresh(pool));
        check_longest("scan of the same");

        before = now_usec(CLOCK_THREAD_CPUTIME_ID);
        CHECK_ERROR(request_prepare(&(Request){ .operation = OPERATION_VOLUME_DELETE,
                                                .pool = pool,
                                                .volume = "n-0000000000" },
                                    &prepared, &e),
                    &e, ERROR_LIMITS_EXCEEDED);
        longest = now_usec(CLOCK_THREAD_CPUTIME_ID) - before;
        check_longest("delete with all as dependents");

        core_fault(&core, "none refresh");
        j = core_refresh(pool);
        run_job(j);
        CHECK_EQ(volume_table_size(pool->volumes), 0);
        check_longest("scan that finds all gone");

        core_fault(&core, "many refresh");
        run_job(core_refresh(pool));
        longest = 0;
        run_job(core_stop(pool, false));
        CHECK_EQ(volume_table_size(pool->volumes), 0);
        for (unsigned i = 0; i < 100; i++)
                if (sd_event_get_state(core.event) == SD_EVENT_INITIAL)
                        turn();
        check_longest("stop");
        CHECK_EQ(core_wait(&core, core_start(pool)), JOB_DONE);
        CHECK_EQ(core_wait(&core, core_stop(pool, false)), JOB_DONE); /* ends with most of it unfreed */
        end();
}

/* A worker that never ends telling. */
static void endless(void)
{
        uint64_t limit = now_usec(CLOCK_MONOTONIC) + 100000000;
        Job *j;

        begin();
        core_fault(&core, "endless refresh");
        j = core_refresh(pool);
        while (!job_is_finished(j) && now_usec(CLOCK_MONOTONIC) < limit)
                turn();
        CHECK_JOB_FAILED(j, ERROR_LIMITS_EXCEEDED);
        CHECK_EQ(volume_table_size(pool->volumes), VOLUMES_PER_POOL_MAX);
        CHECK_EQ(pool->state, POOL_ACTIVE);
        check_longest("endless");
        core_fault(&core, NULL);
        CHECK_EQ(core_wait(&core, core_stop(pool, false)), JOB_DONE);
        end();
}

int main(int argc, char **argv)
{
        core_main(argc, argv);
        RUN(operations_win);
        RUN(vanished_names);
        RUN(contested_names_are_looked_at);
        RUN(came_and_went_between_scans);
        RUN(abort_a_scan);
        RUN(differences_are_told_up_to_a_limit);
        RUN(clear);
        RUN(a_hundred_thousand);
        RUN(endless);
        return 0;
}
