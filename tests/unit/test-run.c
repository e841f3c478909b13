/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jobs whose worker crashes, hangs, lies or does not die, and what that means for their pool. */
#include "core.h"

#include <dirent.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

static Core core;

/* When set, no signal reaches anybody: a process that is stuck in the kernel. */
static bool immortal;

int kill(pid_t pid, int signal)
{
        return immortal ? 0 : (int)syscall(SYS_kill, pid, signal);
}

int pidfd_send_signal(int pidfd, int signal, siginfo_t *info, unsigned flags)
{
        return immortal ? 0 : (int)syscall(SYS_pidfd_send_signal, pidfd, signal, info, flags);
}

/* How many undo intents are on disk. */
static unsigned n_intents(void)
{
        _cleanup_free_ char *path = core_target("state/intents", NULL);
        struct dirent *entry;
        unsigned n = 0;
        DIR *d = opendir(path);

        while (d && (entry = readdir(d)))
                n += *entry->d_name != '.';
        if (d)
                closedir(d);
        return n;
}

/* A crash in each operation of a pool or volume: that job fails, the next one works. */
static void a_crash_costs_its_job(void)
{
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_define(&core, "p");
        core_fault(&core, "crash start");
        j = core_start(p);
        (void)core_wait(&core, j);
        CHECK_JOB_FAILED(j, ERROR_WORKER_CRASHED);
        CHECK(strstr(j->error.message, "signal 6"));
        CHECK_EQ(p->state, POOL_INACTIVE);
        CHECK_EQ(p->error.kind, ERROR_WORKER_CRASHED);

        core_fault(&core, "crash refresh");
        j = core_start(p);
        (void)core_wait(&core, j);
        CHECK_JOB_FAILED(j, ERROR_WORKER_CRASHED);
        CHECK_EQ(p->state, POOL_INACTIVE);
        CHECK(!p->guard && !p->refreshing && !p->watcher);

        core_fault(&core, NULL);
        CHECK_EQ(core_wait(&core, core_start(p)), JOB_DONE);
        CHECK_EQ(p->error.kind, ERROR_NONE);

        core_fault(&core, "crash refresh");
        j = core_refresh(p);
        (void)core_wait(&core, j);
        CHECK_JOB_FAILED(j, ERROR_WORKER_CRASHED);
        CHECK_EQ(p->state, POOL_ACTIVE); /* a failed refresh never stops a pool */
        CHECK_EQ(p->error.kind, ERROR_WORKER_CRASHED);
        core_fault(&core, NULL);
        CHECK_EQ(core_wait(&core, core_refresh(p)), JOB_DONE);
        CHECK_EQ(p->error.kind, ERROR_NONE);

        core_fault(&core, "die create");
        j = core_create(p, "v");
        (void)core_wait(&core, j);
        CHECK_JOB_FAILED(j, ERROR_WORKER_CRASHED);
        core_fault(&core, NULL);
        CHECK_EQ(core_wait(&core, core_create(p, "v")), JOB_DONE);

        core_fault(&core, "crash stop");
        j = core_stop(p, false);
        (void)core_wait(&core, j);
        CHECK_JOB_FAILED(j, ERROR_WORKER_CRASHED);
        CHECK_EQ(p->state, POOL_ACTIVE);
        core_fault(&core, NULL);
        CHECK_EQ(core_wait(&core, core_stop(p, false)), JOB_DONE);
        CHECK_EQ(p->state, POOL_INACTIVE);
        core_end(&core);
        core_wipe();
}

/* What the dead worker had begun is gone before the job ends. */
static bool was_undone;

static void on_job(Job *j, bool ended, void *userdata)
{
        if (ended)
                was_undone = !core_has_file("p", "half") && n_intents() == 0;
}

static void undo_comes_before_the_end(void)
{
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        core_fault(&core, "intent create");
        j = core_create(p, "half");
        job_listen(j, on_job, NULL);
        UNTIL(&core, j->run->undoing);
        CHECK(!j->cancellable);
        CHECK_EQ(job_cancel(j, NULL), -EOPNOTSUPP);
        (void)core_wait(&core, j);
        CHECK_JOB_FAILED(j, ERROR_WORKER_CRASHED);
        CHECK(was_undone);
        core_end(&core);
        core_wipe();
}

/* An undo that does not end does not keep its job, nor the pool; the next start tries again. */
static void undo_has_a_deadline(void)
{
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){ .kill_usec = 100000, .deadline_usec = 1500000 });
        p = core_pool(&core, "p");
        core_fault(&core, "intent create");
        j = core_create(p, "half");
        UNTIL(&core, j->run->undoing);
        core_fault(&core, "hang undo");
        (void)core_wait(&core, j);
        if (n_intents() == 0) { /* the undo was faster than we */
                core_end(&core);
                core_wipe();
                SKIP("the undo was over before it could be made to hang");
        }
        CHECK_JOB_FAILED(j, ERROR_WORKER_CRASHED);
        CHECK_EQ(core_wait(&core, core_stop(p, false)), JOB_DONE);
        core_fault(&core, "fail undo"); /* and one that fails does not keep the pool from starting */
        UNTIL(&core, core_n_workers(&core) == 0);
        CHECK_EQ(core_wait(&core, core_start(p)), JOB_DONE);
        CHECK_EQ(n_intents(), 1);
        CHECK_EQ(core_wait(&core, core_stop(p, false)), JOB_DONE);
        core_fault(&core, NULL);
        CHECK_EQ(core_wait(&core, core_start(p)), JOB_DONE);
        CHECK_EQ(n_intents(), 0);
        CHECK(!core_has_file("p", "half"));
        core_end(&core);
        core_wipe();
}

static void cancel_a_running_job(void)
{
        Job *j, *after;
        Pool *p;

        core_new(&core, (ManagerConfig){ .kill_usec = 200000 });
        p = core_pool(&core, "p");
        CHECK_EQ(core_wait(&core, core_create(p, "v")), JOB_DONE);
        core_fault(&core, "slow resize");
        j = core_resize(p, "v", 1 << 20);
        after = core_resize(p, "v", 1 << 21);
        job_announce(j);
        UNTIL(&core, j->bytes_done > 0);
        CHECK(j->cancellable);
        CHECK_OK(job_cancel(after, NULL)); /* while it is queued: at once */
        CHECK_EQ(after->state, JOB_CANCELLED);
        CHECK_OK(job_cancel(j, NULL));
        CHECK_EQ(j->state, JOB_CANCELLING);
        CHECK_OK(job_cancel(j, NULL)); /* once more is no error */
        CHECK_EQ(core_wait(&core, j), JOB_CANCELLED);
        CHECK_EQ(j->error.kind, ERROR_CANCELLED);
        CHECK_EQ(job_cancel(j, NULL), -EOPNOTSUPP);
        CHECK_EQ(volume_table_get(p->volumes, "v")->capacity, 4096);
        CHECK_EQ(core.heard.job_finished, 1);
        CHECK_EQ(p->state, POOL_ACTIVE);
        core_end(&core);
        core_wipe();
}

/* Deaf to SIGTERM: killed. */
static void cancel_a_stuck_job(void)
{
        uint64_t before;
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){ .kill_usec = 300000 });
        p = core_pool(&core, "p");
        core_fault(&core, "stuck create");
        j = core_create(p, "v");
        UNTIL(&core, j->run->worker);
        core_pause(&core, 200000);
        before = now_usec(CLOCK_MONOTONIC);
        CHECK_OK(job_cancel(j, NULL));
        CHECK_EQ(core_wait(&core, j), JOB_CANCELLED);
        CHECK(now_usec(CLOCK_MONOTONIC) - before >= 250000);
        core_fault(&core, NULL);
        CHECK_EQ(core_wait(&core, core_create(p, "v")), JOB_DONE);
        core_end(&core);
        core_wipe();
}

/* Even SIGKILL does not end it: abandoned, and its pool does not answer. */
static void abandon(void)
{
        _cleanup_prepared_ Prepared prepared = {};
        _cleanup_error_ Error e = ERROR_NULL;
        Request request = { .operation = OPERATION_VOLUME_CREATE, .volume = "w", .capacity = 1 };
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){ .kill_usec = 100000 });
        request.pool = p = core_pool(&core, "p");
        core_fault(&core, "stuck create");
        j = core_create(p, "v");
        UNTIL(&core, j->run->worker);
        core_pause(&core, 200000);
        immortal = true;
        CHECK_OK(job_cancel(j, NULL));
        CHECK_EQ(core_wait(&core, j), JOB_CANCELLED);
        CHECK_EQ(p->state, POOL_UNRESPONSIVE);
        CHECK_ERROR(request_prepare(&request, &prepared, &e), &e, ERROR_SOURCE_UNREACHABLE);
        core_fault(&core, NULL);
        immortal = false;
        UNTIL(&core, p->state == POOL_ACTIVE); /* by itself */
        CHECK_EQ(core_wait(&core, core_stop(p, true)), JOB_DONE);
        core_end(&core);
        core_wipe();
}

/* One that lies is killed, and named. */
static void lies(void)
{
        static const char *const faults[] = { "lie", "control", "garble" };
        char fault[64];
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        FOREACH_ELEMENT (kind, faults) {
                (void)snprintf(fault, sizeof(fault), "%s refresh", *kind);
                core_fault(&core, fault);
                j = core_refresh(p);
                (void)core_wait(&core, j);
                CHECK_JOB_FAILED(j, ERROR_WORKER_CRASHED);
                CHECK(strstr(j->error.message, "fake"));
                CHECK_EQ(p->state, POOL_ACTIVE);
                CHECK_EQ(volume_table_size(p->volumes), 0);
                (void)snprintf(fault, sizeof(fault), "%s start", *kind);
                CHECK_EQ(core_wait(&core, core_stop(p, false)), JOB_DONE);
                core_fault(&core, fault);
                j = core_start(p);
                (void)core_wait(&core, j);
                CHECK_JOB_FAILED(j, ERROR_WORKER_CRASHED);
                core_fault(&core, NULL);
                CHECK_EQ(core_wait(&core, core_start(p)), JOB_DONE);
        }
        /* The largest sizes there are do no harm. */
        core_fault(&core, "huge refresh");
        j = core_refresh(p);
        (void)core_wait(&core, j);
        CHECK_JOB_DONE(j);
        CHECK_EQ(volume_table_get(p->volumes, "huge")->capacity, UINT64_MAX - 1);
        /* A watch that is none. */
        core_fault(&core, "pipe watch");
        CHECK_EQ(core_wait(&core, core_stop(p, false)), JOB_DONE);
        j = core_start(p);
        (void)core_wait(&core, j);
        CHECK_JOB_FAILED(j, ERROR_WORKER_CRASHED);
        CHECK_EQ(p->state, POOL_INACTIVE);
        core_end(&core);
        core_wipe();
}

static void a_failed_stop_changes_nothing(void)
{
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        CHECK_EQ(core_wait(&core, core_create(p, "v")), JOB_DONE);
        core_fault(&core, "fail stop");
        j = core_stop(p, false);
        UNTIL(&core, p->state == POOL_STOPPING);
        (void)core_wait(&core, j);
        CHECK_JOB_FAILED(j, ERROR_NO_SPACE);
        CHECK_EQ(p->state, POOL_ACTIVE);
        CHECK_EQ(p->error.kind, ERROR_NO_SPACE);
        CHECK(p->watcher);
        UNTIL(&core, queue_n_unfinished(core.manager->queue) == 0); /* looks for what it did not hear */
        CHECK_EQ(volume_table_size(p->volumes), 1);
        /* Forced it goes down all the same. */
        j = core_stop(p, true);
        (void)core_wait(&core, j);
        CHECK_JOB_FAILED(j, ERROR_NO_SPACE);
        CHECK_EQ(p->state, POOL_INACTIVE);
        CHECK_EQ(volume_table_size(p->volumes), 0);
        CHECK(!p->watcher && !p->recovery);
        core_end(&core);
        core_wipe();
}

/* A hung pool: its stop hangs as well, and forced it ends with its deadline. */
static void a_forced_stop_of_a_hung_pool(void)
{
        Job *create, *start, *stop;
        Pool *p;

        core_new(&core, (ManagerConfig){ .deadline_usec = 800000, .kill_usec = 100000 });
        p = core_pool(&core, "p");
        core_fault(&core, "stuck create");
        create = core_create(p, "v");
        UNTIL(&core, create->run->worker);
        core_pause(&core, 200000);
        UNTIL(&core, create->stalled); /* other work than looks is only shown as stalled */
        CHECK_EQ(create->state, JOB_RUNNING);
        core_fault(&core, "hang stop");
        stop = core_stop(p, true);
        (void)core_wait(&core, stop);
        CHECK_JOB_FAILED(stop, ERROR_TIMED_OUT);
        CHECK_EQ(create->state, JOB_CANCELLED);
        CHECK_EQ(p->state, POOL_INACTIVE);

        /* While it hangs in its start, too. */
        core_fault(&core, "hang start");
        start = core_start(p);
        UNTIL(&core, start->run->worker);
        stop = core_stop(p, true);
        CHECK_EQ(core_wait(&core, stop), JOB_DONE);
        CHECK_EQ(start->state, JOB_CANCELLED);
        CHECK_EQ(p->state, POOL_INACTIVE);
        UNTIL(&core, core_n_workers(&core) == 0);
        core_end(&core);
        core_wipe();
}

static void a_stop_does_not_wait_for_a_scan(void)
{
        Job *scan, *stop;
        Pool *p;

        core_new(&core, (ManagerConfig){ .kill_usec = 200000 });
        p = core_pool(&core, "p");
        core_fault(&core, "slow refresh");
        scan = core_refresh(p);
        UNTIL(&core, scan->bytes_done > 0);
        CHECK(p->refreshing);
        stop = core_stop(p, false);
        CHECK_EQ(core_wait(&core, stop), JOB_DONE);
        CHECK_EQ(scan->state, JOB_CANCELLED);
        CHECK(scan->bytes_done < scan->bytes);
        CHECK(!p->refreshing && !p->guard);
        core_end(&core);
        core_wipe();
}

static Pool *transient(void)
{
        Pool *p;

        CHECK_OK(manager_define(core.manager, core_definition(&core, "t"), true, &p, NULL));
        return p;
}

/* A pool for this run goes when its start fails, is cancelled, or never begins. */
static void a_transient_pool_that_does_not_start_goes(void)
{
        Job *j, *stop;
        Pool *p;

        core_new(&core, (ManagerConfig){ .kill_usec = 100000 });
        core_fault(&core, "fail start");
        j = core_start(transient());
        (void)core_wait(&core, j);
        CHECK_JOB_FAILED(j, ERROR_NO_SPACE);
        CHECK(!manager_pool(core.manager, "t"));
        CHECK_EQ(core.heard.pool_removed, 1);

        j = core_start(transient()); /* queued still */
        CHECK_OK(job_cancel(j, NULL));
        CHECK_EQ(j->state, JOB_CANCELLED);
        CHECK(!manager_pool(core.manager, "t"));

        core_fault(&core, "stuck start"); /* running */
        j = core_start(transient());
        UNTIL(&core, j->run->worker);
        stop = core_stop(manager_pool(core.manager, "t"), true);
        CHECK_EQ(core_wait(&core, stop), JOB_DONE);
        CHECK_EQ(j->state, JOB_CANCELLED);
        CHECK(!manager_pool(core.manager, "t"));

        core_fault(&core, NULL); /* waits for a place, and is swept away by the stop itself */
        p = transient();
        j = core_start(p);
        UNTIL(&core, p->state == POOL_STARTING);
        stop = core_stop(p, true);
        CHECK_EQ(core_wait(&core, stop), JOB_DONE);
        CHECK(!manager_pool(core.manager, "t"));

        j = core_start(transient());
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        p = manager_pool(core.manager, "t");
        CHECK_EQ(core_wait(&core, core_stop(p, false)), JOB_DONE);
        CHECK(!manager_pool(core.manager, "t"));
        core_end(&core);
        core_wipe();
}

static void progress_and_rate(void)
{
        bool valid;
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        core_fault(&core, "slow create");
        j = core_create(p, "v");
        job_announce(j);
        (void)job_progress(j, &valid);
        CHECK(!valid);
        UNTIL(&core, j->rate > 0);
        CHECK(j->ready);
        CHECK_EQ(j->bytes, 100 << 20);
        CHECK(j->rate > (5 << 20) && j->rate < (100 << 20)); /* 50 MiB/s, less what else runs here */
        CHECK(j->expected_end_usec > now_usec(CLOCK_REALTIME));
        CHECK(job_progress(j, &valid) > 0 && valid);
        CHECK(core.heard.job_changed > 1);
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        CHECK(job_progress(j, &valid) == 1 && valid);
        CHECK_STREQ(bag_get_string(j->result, "volume"), "/org/example/Storage/volume/p/v");
        CHECK(!bag_has(j->result, "capacity"));
        core_end(&core);
        core_wipe();
}

/* Whose peer takes nothing, however often the worker says so. */
static void a_job_that_waits_is_stalled(void)
{
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){ .deadline_usec = 1500000 });
        p = core_pool(&core, "p");
        core_fault(&core, "idle create");
        j = core_create(p, "v");
        job_announce(j);
        UNTIL(&core, j->bytes_done > 0);
        CHECK(!j->stalled);
        UNTIL(&core, j->stalled);
        core_pause(&core, 300000);
        CHECK(j->stalled && j->state == JOB_RUNNING);
        CHECK_OK(job_cancel(j, NULL));
        CHECK_EQ(core_wait(&core, j), JOB_CANCELLED);
        core_end(&core);
        core_wipe();
}

int main(int argc, char **argv)
{
        core_main(argc, argv);
        RUN(a_crash_costs_its_job);
        RUN(undo_comes_before_the_end);
        RUN(undo_has_a_deadline);
        RUN(cancel_a_running_job);
        RUN(cancel_a_stuck_job);
        RUN(abandon);
        RUN(lies);
        RUN(a_failed_stop_changes_nothing);
        RUN(a_forced_stop_of_a_hung_pool);
        RUN(a_stop_does_not_wait_for_a_scan);
        RUN(a_transient_pool_that_does_not_start_goes);
        RUN(progress_and_rate);
        RUN(a_job_that_waits_is_stalled);
        return 0;
}
