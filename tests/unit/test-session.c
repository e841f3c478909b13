/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Short operations: in order, with a worker that may crash, hang, lie, or not even start. */
#include "core.h"

#include <fcntl.h>

#include "spare.h"

static Core core;

/* The daemon knows of the volume what is so on the disk. */
static bool is_known(Pool *p, const char *name)
{
        return !!volume_table_get(p->volumes, name) == core_has_file("p", name);
}

/* More than are sent ahead: those with the dead worker fail, after their undo, the others get a new one. */
static void a_crash_with_many_in_flight(void)
{
        unsigned n_crashed = 0;
        Job *jobs[80];
        char name[16];
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        core_fault(&core, "crash create v3");
        for (unsigned i = 0; i < ELEMENTSOF(jobs); i++) {
                (void)snprintf(name, sizeof(name), "v%u", i);
                jobs[i] = core_create(p, name);
        }
        for (unsigned i = 0; i < ELEMENTSOF(jobs); i++)
                if (core_wait(&core, jobs[i]) != JOB_DONE) {
                        CHECK_JOB_FAILED(jobs[i], ERROR_WORKER_CRASHED);
                        n_crashed++;
                }
        CHECK(n_crashed >= 1 && n_crashed <= 32);
        CHECK_EQ(jobs[3]->state, JOB_FAILED);
        CHECK_EQ(jobs[79]->state, JOB_DONE);
        CHECK_EQ(p->state, POOL_ACTIVE);
        /* What the worker had done but not said is known all the same. */
        for (unsigned i = 0; i < ELEMENTSOF(jobs); i++) {
                (void)snprintf(name, sizeof(name), "v%u", i);
                UNTIL(&core, is_known(p, name));
        }
        core_end(&core);
        core_wipe();
}

static char *dying_worker(void)
{
        static const char text[] = "#!/bin/sh\nsleep 0.1\nexit 3\n";
        char *path = core_target("dying-worker", NULL);
        int fd;

        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
        CHECK(fd >= 0);
        CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
        (void)close(fd);
        return path;
}

/* A worker program that does not get as far as to answer; one query and several operations are out at once. */
static unsigned n_answers;

static void on_answer(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        CHECK(!result && e);
        CHECK_EQ(e->kind, *(ErrorKind *)userdata);
        n_answers++;
}

static void a_worker_that_does_not_start(void)
{
        ErrorKind crashed = ERROR_WORKER_CRASHED;
        _cleanup_free_ char *dying = NULL;
        Job *a, *b;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        n_answers = 0;
        spare_drop(core.manager);
        core.manager->config.worker = dying = dying_worker();
        CHECK_OK(session_call(p->session, "info", "v", bag_new(), on_answer, &crashed, NULL, NULL));
        a = core_create(p, "a");
        b = core_create(p, "b");
        (void)core_wait(&core, a);
        (void)core_wait(&core, b);
        CHECK_JOB_FAILED(a, ERROR_WORKER_CRASHED);
        CHECK_JOB_FAILED(b, ERROR_WORKER_CRASHED);
        CHECK_EQ(n_answers, 1);
        UNTIL(&core, core_n_workers(&core) == 0); /* the look at what is there has failed, too */
        core.manager->config.worker = core_worker;
        CHECK_EQ(core_wait(&core, core_create(p, "a")), JOB_DONE);

        core.manager->config.worker = "/nonexistent"; /* not even a process; the session has one already */
        CHECK_EQ(core_wait(&core, core_create(p, "b")), JOB_DONE);
        CHECK_EQ(core_wait(&core, core_refresh(p)), JOB_FAILED);
        CHECK_EQ(p->state, POOL_ACTIVE);
        core_end(&core);
        core_wipe();
}

/* A hang: the deadline passes, the pool is unresponsive, new calls fail at once, and it comes back. */
static void a_hang_makes_the_pool_unresponsive(void)
{
        _cleanup_prepared_ Prepared prepared = {};
        _cleanup_error_ Error e = ERROR_NULL;
        Request request = { .operation = OPERATION_VOLUME_CREATE, .volume = "w", .capacity = 1 };
        Job *jobs[40];
        uint64_t before;
        char name[16];
        Pool *p, *q;

        core_new(&core, (ManagerConfig){ .deadline_usec = 1000000, .kill_usec = 200000 });
        request.pool = p = core_pool(&core, "p");
        q = core_pool(&core, "q");
        core_fault(&core, "hang create v0");
        for (unsigned i = 0; i < ELEMENTSOF(jobs); i++) {
                (void)snprintf(name, sizeof(name), "v%u", i);
                jobs[i] = core_create(p, name);
        }
        UNTIL(&core, jobs[39]->run->call);
        CHECK(!jobs[0]->cancellable && jobs[39]->cancellable);
        CHECK_EQ(job_cancel(jobs[0], NULL), -EOPNOTSUPP); /* a short one that runs */
        CHECK_OK(job_cancel(jobs[39], NULL));             /* one that was not sent yet */
        CHECK_EQ(jobs[39]->state, JOB_CANCELLED);
        before = now_usec(CLOCK_MONOTONIC);
        CHECK_EQ(core_wait(&core, core_create(q, "x")), JOB_DONE); /* delays nobody else */
        CHECK(now_usec(CLOCK_MONOTONIC) - before < 900000);
        UNTIL(&core, p->state == POOL_UNRESPONSIVE);
        CHECK_JOB_FAILED(jobs[0], ERROR_TIMED_OUT);
        CHECK_JOB_FAILED(jobs[1], ERROR_TIMED_OUT);
        CHECK_JOB_FAILED(jobs[38], ERROR_SOURCE_UNREACHABLE);
        CHECK_EQ(p->error.kind, ERROR_TIMED_OUT);
        CHECK_ERROR(request_prepare(&request, &prepared, &e), &e, ERROR_SOURCE_UNREACHABLE);
        CHECK_EQ(p->state, POOL_UNRESPONSIVE);
        UNTIL(&core, p->state == POOL_ACTIVE); /* by itself */
        CHECK_EQ(p->error.kind, ERROR_NONE);
        CHECK(p->watcher && !p->recovery);
        core_fault(&core, NULL);
        CHECK_EQ(core_wait(&core, core_create(p, "w")), JOB_DONE);
        UNTIL(&core, core_n_workers(&core) <= 3); /* the hung one was killed */
        core_end(&core);
        core_wipe();
}

static void delete_if_there(Pool *p, const char *name)
{
        if (volume_table_get(p->volumes, name))
                CHECK_EQ(core_wait(&core, core_delete(p, name)), JOB_DONE);
}

static void lies(void)
{
        static const char *const faults[] = { "lie", "control", "garble" };
        char fault[64];
        Job *j, *next;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        FOREACH_ELEMENT (kind, faults) {
                (void)snprintf(fault, sizeof(fault), "%s create v", *kind);
                core_fault(&core, fault);
                j = core_create(p, "v");
                next = core_create(p, "w");
                (void)core_wait(&core, j);
                CHECK_JOB_FAILED(j, ERROR_WORKER_CRASHED);
                CHECK(strstr(j->error.message, "fake worker broke its protocol"));
                (void)core_wait(&core, next);
                core_fault(&core, NULL);
                UNTIL(&core, is_known(p, "v") && is_known(p, "w"));
                /* Lies come with the answer, after the work; for garbage before it the end may come first. */
                CHECK(streq(*kind, "garble") || volume_table_get(p->volumes, "v"));
                delete_if_there(p, "v");
                delete_if_there(p, "w");
        }
        CHECK_EQ(volume_table_size(p->volumes), 0);
        core_end(&core);
        core_wipe();
}

static void on_configured(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        CHECK(result);
}

static void on_garbled(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        TEST_FAIL("an answer behind garbage was heard: %s", e ? e->message : "-");
}

static void on_garbler_gone(const Error *e, void *userdata)
{
        Worker **w = userdata;

        CHECK_EQ(e->kind, ERROR_WORKER_CRASHED);
        CHECK(strstr(e->message, "fake worker broke its protocol"));
        CHECK(!worker_lives(*w));
        *w = NULL;
}

/* Its work is undone then, and it must not work on meanwhile. */
static void who_broke_the_protocol_has_ended_when_told(void)
{
        static const WorkerEvents events = { .gone = on_garbler_gone };
        _cleanup_bag_ Bag *configuration = NULL, *args = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;
        Worker *w = NULL;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        core_fault(&core, "garble stat");
        CHECK_OK(bag_add_strv(args, "names", "x"));
        CHECK_OK(pool_worker_configuration(p, "", &configuration));
        CHECK_OK(worker_start(core.manager, WORKER_SESSION, "fake", &events, &w, &w, &e));
        CHECK_OK(worker_call(w, "configure", NULL, configuration, on_configured, NULL, &e));
        CHECK_OK(worker_call(w, "stat", NULL, args, on_garbled, NULL, &e));
        UNTIL(&core, !w);
        core_end(&core);
        core_wipe();
}

/* An operation that turns out long leaves the session before any side effect. */
static void long_work_moves_to_a_job(void)
{
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        core_fault(&core, "job create");
        j = core_create(p, "v");
        job_announce(j);
        UNTIL(&core, j->run->worker);
        CHECK(j->cancellable && !j->run->call);
        CHECK(core.heard.job_changed > 0);
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        core_end(&core);
        core_wipe();
}

static void idle_workers_leave(void)
{
        Pool *p;

        core_new(&core, (ManagerConfig){ .idle_usec = 300000 });
        core.manager->on_exit = NULL;
        p = core_pool(&core, "p");
        CHECK_EQ(core_wait(&core, core_create(p, "v")), JOB_DONE);
        CHECK(core_n_workers(&core) >= 1);
        UNTIL(&core, core_n_workers(&core) == 0); /* while the pool is active */
        CHECK_EQ(p->state, POOL_ACTIVE);
        CHECK_EQ(core_wait(&core, core_delete(p, "v")), JOB_DONE); /* the next one is started */
        UNTIL(&core, core_n_workers(&core) == 0);
        core_end(&core);
        core_wipe();
}

/* Questions that are out when their pool stops are answered, also when it is removed with it. */
static void a_stop_answers_questions(void)
{
        ErrorKind inactive = ERROR_POOL_INACTIVE;
        uint64_t before;
        Pool *p;

        core_new(&core, (ManagerConfig){ .kill_usec = 100000 });
        CHECK_OK(manager_define(core.manager, core_definition(&core, "t"), true, &p, NULL));
        CHECK_EQ(core_wait(&core, core_start(p)), JOB_DONE);
        n_answers = 0;
        core_fault(&core, "hang stat");
        for (unsigned i = 0; i < 3; i++) {
                Bag *args = bag_new();

                CHECK_OK(bag_add_strv(args, "names", "x"));
                CHECK_OK(session_call(p->session, "stat", NULL, args, on_answer, &inactive, NULL, NULL));
        }
        CHECK_EQ(core_wait(&core, core_stop(p, false)), JOB_DONE);
        CHECK_EQ(n_answers, 3);
        CHECK(!manager_pool(core.manager, "t"));
        UNTIL(&core, core_n_workers(&core) == 0); /* the hung one, too */
        core_end(&core);
        core_wipe();

        /* One that is only busy ends its work and leaves, without a signal. */
        core_new(&core, (ManagerConfig){ .kill_usec = 10000000 });
        p = core_pool(&core, "p");
        n_answers = 0;
        core_fault(&core, "nap stat");
        Bag *args = bag_new();
        CHECK_OK(bag_add_strv(args, "names", "x"));
        CHECK_OK(session_call(p->session, "stat", NULL, args, on_answer, &inactive, NULL, NULL));
        core_pause(&core, 100000); /* until it is at work */
        CHECK_EQ(core_wait(&core, core_stop(p, false)), JOB_DONE);
        CHECK_EQ(n_answers, 1);
        before = now_usec(CLOCK_MONOTONIC);
        UNTIL(&core, core_n_workers(&core) == 0);
        CHECK(now_usec(CLOCK_MONOTONIC) - before < 5000000);
        core_end(&core);
        core_wipe();
}

int main(int argc, char **argv)
{
        core_main(argc, argv);
        RUN(a_crash_with_many_in_flight);
        RUN(a_worker_that_does_not_start);
        RUN(a_hang_makes_the_pool_unresponsive);
        RUN(lies);
        RUN(who_broke_the_protocol_has_ended_when_told);
        RUN(long_work_moves_to_a_job);
        RUN(idle_workers_leave);
        RUN(a_stop_answers_questions);
        return 0;
}
