/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When the daemon leaves. */
#include "core.h"

static Core core;

static uint64_t now(void)
{
        return now_usec(CLOCK_MONOTONIC);
}

/* On request: short operations have their time, long ones are cancelled, nothing new is taken. */
static void stop(void)
{
        _cleanup_prepared_ Prepared prepared = {};
        _cleanup_error_ Error e = ERROR_NULL;
        Request request = { .operation = OPERATION_VOLUME_CREATE, .volume = "w", .capacity = 1 };
        Job *quick, *slow, *queued;
        uint64_t before;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        request.pool = p = core_pool(&core, "p");
        core_fault(&core, "slow create");
        slow = core_create(p, "slow");
        queued = core_stop(p, false);
        UNTIL(&core, slow->bytes_done > 0);
        core_fault(&core, "nap create");
        quick = core_create(core_pool(&core, "q"), "quick");
        UNTIL(&core, quick->run->call);
        before = now();
        manager_stop(core.manager);
        CHECK_EQ(queued->state, JOB_CANCELLED);
        CHECK_ERROR(request_prepare(&request, &prepared, &e), &e, ERROR_FAILED);
        CHECK_ERROR(job_submit_internal(p, OPERATION_POOL_REFRESH, NULL, &e), &e, ERROR_FAILED);
        CHECK_EQ(core.n_exits, 0);
        UNTIL(&core, core.n_exits > 0);
        CHECK(now() - before < 3000000);
        CHECK_EQ(slow->state, JOB_CANCELLED);
        CHECK_EQ(quick->state, JOB_DONE);
        core_pause(&core, 200000);
        CHECK_EQ(core.n_exits, 1);
        core_end(&core);
        core_wipe();
}

/* Before the host goes down what runs may end, what waits does not begin, and nothing is lost if it stays up after all. */
static void host_shutdown(void)
{
        _cleanup_prepared_ Prepared prepared = {};
        _cleanup_error_ Error e = ERROR_NULL;
        Request request = { .operation = OPERATION_VOLUME_CREATE, .volume = "w", .capacity = 1 };
        Job *slow, *queued;

        core_new(&core, (ManagerConfig){});
        request.pool = core_pool(&core, "p");
        CHECK(!manager_has_running_jobs(core.manager));
        core_fault(&core, "slow create");
        slow = core_create(request.pool, "slow");
        queued = core_stop(request.pool, false);
        UNTIL(&core, slow->bytes_done > 0);
        CHECK(manager_has_running_jobs(core.manager));
        manager_set_closing(core.manager, true);
        CHECK_EQ(queued->state, JOB_CANCELLED);
        CHECK_ERROR(request_prepare(&request, &prepared, &e), &e, ERROR_FAILED);
        UNTIL(&core, job_is_finished(slow));
        CHECK_EQ(slow->state, JOB_DONE);
        CHECK(!manager_has_running_jobs(core.manager));
        CHECK_EQ(core.n_exits, 0);
        manager_set_closing(core.manager, false);
        CHECK_OK(request_prepare(&request, &prepared, &e));
        core_end(&core);
        core_wipe();
}

/* With a job that is deaf to SIGTERM it leaves as soon as that is killed. */
static void stop_with_a_stuck_job(void)
{
        uint64_t before;
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){ .kill_usec = 1000000 });
        p = core_pool(&core, "p");
        core_fault(&core, "stuck create");
        j = core_create(p, "v");
        UNTIL(&core, j->run->worker);
        core_pause(&core, 200000);
        before = now();
        manager_stop(core.manager);
        UNTIL(&core, core.n_exits > 0);
        CHECK(now() - before >= 900000 && now() - before < 5000000);
        CHECK_EQ(j->state, JOB_CANCELLED);
        core_end(&core);
        core_wipe();
}

/* A short operation that hangs has five seconds. */
static void stop_with_a_hung_session(void)
{
        uint64_t before;
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){ .deadline_usec = 60000000 });
        p = core_pool(&core, "p");
        core_fault(&core, "hang create");
        j = core_create(p, "v");
        UNTIL(&core, j->run->call);
        before = now();
        manager_stop(core.manager);
        UNTIL(&core, core.n_exits > 0);
        CHECK(now() - before >= 4900000 && now() - before < 8000000);
        CHECK_EQ(j->state, JOB_CANCELLED);
        core_end(&core);
        core_wipe();
}

/* By itself: when nothing is up, nothing runs, and nothing is to come up. */
static void idle(void)
{
        uint64_t before;
        Pool *p;

        core_new(&core, (ManagerConfig){ .idle_usec = 400000 });
        p = core_pool(&core, "p");
        core_pause(&core, 1200000);
        CHECK_EQ(core.n_exits, 0); /* a pool is up */
        CHECK_EQ(core_wait(&core, core_stop(p, false)), JOB_DONE);
        before = now();
        core_pause(&core, 200000);
        manager_touch(core.manager); /* a call */
        core_pause(&core, 300000);
        CHECK_EQ(core.n_exits, 0);
        UNTIL(&core, core.n_exits > 0);
        CHECK(now() - before >= 600000 && now() - before < 1200000);
        core_end(&core);

        core_new(&core, (ManagerConfig){ .idle_usec = 300000 });
        p = manager_pool(core.manager, "p");
        CHECK_OK(manager_set_autostart(core.manager, p, true, NULL));
        core_fault(&core, "fail start");
        manager_autostart(core.manager);
        manager_touch(core.manager);
        core_pause(&core, 1500000);
        CHECK_EQ(core.n_exits, 0); /* it is wanted up */
        core_end(&core);

        core_new(&core, (ManagerConfig){ .idle_usec = 300000 });
        p = core_define(&core, "job");
        core_fault(&core, "slow build");
        manager_touch(core.manager);
        Job *j = core_submit(&(Request){ .operation = OPERATION_POOL_BUILD, .pool = p });
        (void)core_wait(&core, j);
        CHECK_EQ(core.n_exits, 0); /* a job ran */
        UNTIL(&core, core.n_exits > 0);
        core_end(&core);
        core_wipe();
}

int main(int argc, char **argv)
{
        core_main(argc, argv);
        RUN(stop);
        RUN(host_shutdown);
        RUN(stop_with_a_stuck_job);
        RUN(stop_with_a_hung_session);
        RUN(idle);
        return 0;
}
