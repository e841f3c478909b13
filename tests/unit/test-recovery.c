/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* News from outside, sources that go and come back, and pools that are wanted up. */
#include "core.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "recovery.h"
#include "refresh.h"

static Core core;

static void put_file(const char *pool, const char *volume)
{
        _cleanup_free_ char *path = core_target(pool, volume);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        CHECK(fd >= 0);
        CHECK_EQ(write(fd, "x", 1), 1);
        (void)close(fd);
}

static void remove_file(const char *pool, const char *volume)
{
        _cleanup_free_ char *path = core_target(pool, volume);

        CHECK_OK(remove(path));
}

static void move_pool(const char *from, const char *to)
{
        _cleanup_free_ char *a = core_target(from, NULL), *b = core_target(to, NULL);

        CHECK_OK(rename(a, b));
}

static void news(void)
{
        uint64_t before;
        char name[16];
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        CHECK_EQ(core_wait(&core, core_create(p, "warm")), JOB_DONE);
        before = now_usec(CLOCK_MONOTONIC);
        put_file("p", "new");
        UNTIL(&core, volume_table_get(p->volumes, "new"));
        CHECK(now_usec(CLOCK_MONOTONIC) - before < 1000000);
        CHECK_EQ(core.heard.volume_added, 2);
        remove_file("p", "new");
        UNTIL(&core, !volume_table_get(p->volumes, "new"));
        CHECK_STREQ(core.heard.last_removed, "new");

        /* Too many at once: a scan instead of a look at each. */
        for (unsigned i = 0; i < 1500; i++) {
                (void)snprintf(name, sizeof(name), "f%u", i);
                put_file("p", name);
        }
        UNTIL(&core, volume_table_size(p->volumes) == 1501);
        UNTIL(&core, core.heard.reset > 0);
        UNTIL(&core, queue_n_unfinished(core.manager->queue) == 0);
        core_end(&core);
        core_wipe();
}

/* The directory goes: unavailable, what was known stays listed; it returns: active again, with what changed. */
static void a_source_that_vanishes_and_returns(void)
{
        _cleanup_prepared_ Prepared prepared = {};
        _cleanup_error_ Error e = ERROR_NULL;
        Request request = { .operation = OPERATION_VOLUME_CREATE, .volume = "w", .capacity = 1 };
        Pool *p;

        core_new(&core, (ManagerConfig){});
        request.pool = p = core_pool(&core, "p");
        CHECK_EQ(core_wait(&core, core_create(p, "goes")), JOB_DONE);
        CHECK_EQ(core_wait(&core, core_create(p, "stays")), JOB_DONE);
        move_pool("p", "elsewhere");
        UNTIL(&core, p->state == POOL_UNAVAILABLE);
        CHECK(!p->watcher && recovery_is_pending(p));
        CHECK_EQ(volume_table_size(p->volumes), 2);
        CHECK_ERROR(request_prepare(&request, &prepared, &e), &e, ERROR_SOURCE_UNREACHABLE);
        core_pause(&core, 1200000); /* several tries */
        CHECK_EQ(p->state, POOL_UNAVAILABLE);
        remove_file("elsewhere", "goes");
        put_file("elsewhere", "comes");
        core.heard = (Heard){};
        move_pool("elsewhere", "p");
        UNTIL(&core, p->state == POOL_ACTIVE);
        CHECK(p->watcher && !recovery_is_pending(p));
        CHECK_EQ(p->error.kind, ERROR_NONE);
        CHECK_EQ(volume_table_size(p->volumes), 2);
        CHECK(volume_table_get(p->volumes, "comes") && !volume_table_get(p->volumes, "goes"));
        CHECK_EQ(core.heard.volume_added, 1);
        CHECK_EQ(core.heard.volume_removed, 1);
        put_file("p", "more"); /* it is watched again */
        UNTIL(&core, volume_table_get(p->volumes, "more"));
        core_end(&core);
        core_wipe();
}

/* An operation may be the first to find that the source is gone. */
static void an_operation_finds_it_gone(void)
{
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        core_fault(&core, "gone create");
        j = core_create(p, "v");
        (void)core_wait(&core, j);
        CHECK_JOB_FAILED(j, ERROR_SOURCE_UNREACHABLE);
        CHECK_EQ(p->state, POOL_UNAVAILABLE);
        UNTIL(&core, p->state == POOL_ACTIVE);
        core_fault(&core, "gone refresh");
        j = core_refresh(p);
        (void)core_wait(&core, j);
        CHECK_EQ(p->state, POOL_UNAVAILABLE);
        core_fault(&core, NULL);
        UNTIL(&core, p->state == POOL_ACTIVE);
        core_end(&core);
        core_wipe();
}

/* Tried again until it runs, with growing pauses. */
static void autostart_is_retried(void)
{
        uint64_t before;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_define(&core, "p");
        (void)core_define(&core, "other");
        CHECK_OK(manager_set_autostart(core.manager, p, true, NULL));
        core_end(&core);

        core_new(&core, (ManagerConfig){});
        core_fault(&core, "fail start");
        p = manager_pool(core.manager, "p");
        CHECK(p && p->persistent && p->autostart);
        manager_autostart(core.manager);
        before = now_usec(CLOCK_MONOTONIC);
        UNTIL(&core, p->state == POOL_UNAVAILABLE);
        CHECK_EQ(p->error.kind, ERROR_NO_SPACE);
        UNTIL(&core, core.manager->next_job_id > 4); /* 250, 500, 1000 ms after each other */
        CHECK(now_usec(CLOCK_MONOTONIC) - before >= 1700000);
        core_fault(&core, NULL);
        UNTIL(&core, p->state == POOL_ACTIVE);
        CHECK_EQ(manager_pool(core.manager, "other")->state, POOL_INACTIVE);
        core_end(&core);
        core_wipe();
}

/* Who stops it does not want it up: neither a try that waits nor one that is queued starts it again. */
static void a_stop_ends_the_tries(void)
{
        Job *stop, *internal;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        core_fault(&core, "fail start");
        move_pool("p", "elsewhere");
        UNTIL(&core, p->state == POOL_UNAVAILABLE);
        CHECK_EQ(core_wait(&core, core_stop(p, false)), JOB_DONE);
        CHECK(!recovery_is_pending(p));
        core_fault(&core, NULL);
        move_pool("elsewhere", "p");
        core_pause(&core, 900000);
        CHECK_EQ(p->state, POOL_INACTIVE);

        CHECK_EQ(core_wait(&core, core_start(p)), JOB_DONE);
        core_fault(&core, "slow create"); /* the stop has to wait, and a try comes behind it */
        (void)core_create(p, "v");
        stop = core_stop(p, false);
        move_pool("p", "elsewhere");
        UNTIL(&core, recovery_is_pending(p));
        move_pool("elsewhere", "p");
        CHECK_OK(job_submit_internal(p, OPERATION_POOL_START, &internal, NULL));
        (void)core_wait(&core, stop);
        CHECK_JOB_DONE(stop);
        CHECK_EQ(core_wait(&core, internal), JOB_CANCELLED);
        core_pause(&core, 500000);
        CHECK_EQ(p->state, POOL_INACTIVE);
        core_end(&core);
        core_wipe();
}

/* It went while it was started: the watch of a directory that is gone would never tell anything. */
static void gone_while_it_starts(void)
{
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_define(&core, "p");
        core_fault(&core, "slow refresh");
        j = core_start(p);
        UNTIL(&core, j->bytes_done > 0);
        CHECK(p->watcher);
        move_pool("p", "elsewhere");
        UNTIL(&core, !p->watcher);
        move_pool("elsewhere", "p");
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        CHECK_EQ(p->state, POOL_UNAVAILABLE);
        core_fault(&core, NULL);
        UNTIL(&core, p->state == POOL_ACTIVE);
        CHECK(p->watcher);
        core_end(&core);
        core_wipe();
}

int main(int argc, char **argv)
{
        core_main(argc, argv);
        RUN(news);
        RUN(a_source_that_vanishes_and_returns);
        RUN(an_operation_finds_it_gone);
        RUN(autostart_is_retried);
        RUN(a_stop_ends_the_tries);
        RUN(gone_while_it_starts);
        return 0;
}
