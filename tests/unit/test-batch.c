/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The conversion of a whole pool. */
#include "core.h"

static Core core;
static Pool *pool;

static void begin(unsigned n)
{
        char name[16];

        core_new(&core, (ManagerConfig){ .kill_usec = 200000 });
        pool = core_define(&core, "p");
        for (unsigned i = 0; i < n; i++) {
                _cleanup_free_ char *path = NULL;
                _cleanup_fclose_ FILE *f = NULL;

                (void)snprintf(name, sizeof(name), "v%04u", i);
                path = core_target("p", name);
                f = fopen(path, "we");
                CHECK(f && fputs("raw.", f) >= 0);
        }
        CHECK_EQ(core_wait(&core, core_start(pool)), JOB_DONE);
        CHECK_EQ(volume_table_size(pool->volumes), n);
}

static void end(void)
{
        core_end(&core);
        core_wipe();
}

static Job *convert(const char *format)
{
        return core_submit(
                &(Request){ .operation = OPERATION_POOL_CONVERT, .pool = pool, .format = format });
}

static unsigned n_of(ImageFormat format)
{
        VolumeCursor cursor;
        unsigned n = 0;

        for (Volume *v = volume_table_first(pool->volumes, NULL, &cursor); v;
             v = volume_table_next(pool->volumes, &cursor))
                n += v->format == format;
        return n;
}

static void converts_all(void)
{
        Job *j;

        begin(20);
        j = convert("qcow2");
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        CHECK_EQ(n_of(FORMAT_QCOW2), 20);
        CHECK_EQ(bag_get_u64(j->result, "converted", 0), 20);
        CHECK(!bag_has(j->result, "failed"));
        CHECK_EQ(j->bytes, 80);
        CHECK_EQ(j->bytes_done, 80);
        j = convert("qcow2"); /* nothing left */
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        CHECK_EQ(bag_get_u64(j->result, "converted", 7), 0);
        j = convert("raw");
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        CHECK_EQ(n_of(FORMAT_RAW), 20);
        end();
}

/* As many as anybody has; at most one at a time, and nobody else's jobs are pushed out of the list. */
static void many(void)
{
        uint64_t first;
        Job *j;

        begin(1500);
        first = (j = core_refresh(pool))->id;
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        j = convert("qcow2");
        while (!job_is_finished(j)) {
                CHECK(core_n_running(&core) <= 1);
                CHECK(sd_event_run(core.event, 20000) >= 0);
        }
        CHECK_JOB_DONE(j);
        CHECK_EQ(n_of(FORMAT_QCOW2), 1500);
        CHECK_OK(manager_find_job(core.manager, first, &j, NULL));
        end();
}

static void one_that_fails_does_not_stop_the_rest(void)
{
        char *const *failed;
        Job *j;

        begin(5);
        core_fault(&core, "fail convert v0002\ndie convert v0003");
        j = convert("qcow2");
        (void)core_wait(&core, j);
        CHECK_JOB_FAILED(j, ERROR_NO_SPACE);
        CHECK(strstr(j->error.message, "2 of the volumes") && strstr(j->error.message, "v0002: "));
        CHECK_EQ(n_of(FORMAT_QCOW2), 3);
        failed = bag_get_strv(j->result, "failed");
        CHECK_EQ(strv_length(failed), 2);
        CHECK(startswith(failed[0], "v0002: ") && startswith(failed[1], "v0003: "));
        /* Asked again it goes on with what is left. */
        core_fault(&core, NULL);
        j = convert("qcow2");
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        CHECK_EQ(bag_get_u64(j->result, "converted", 0), 2);
        CHECK_EQ(n_of(FORMAT_QCOW2), 5);
        end();
}

static void cancel_and_resume(void)
{
        Job *j;

        begin(5);
        core_fault(&core, "slow convert v0002");
        j = convert("qcow2");
        UNTIL(&core, j->bytes_done > 8); /* the third is on its way */
        CHECK_EQ(j->bytes, 20);
        CHECK_OK(job_cancel(j, NULL));
        CHECK_EQ(core_wait(&core, j), JOB_CANCELLED);
        CHECK_EQ(bag_get_u64(j->result, "converted", 0), 2);
        CHECK(!bag_has(j->result, "failed"));
        CHECK_EQ(n_of(FORMAT_QCOW2), 2);
        CHECK_EQ(queue_n_unfinished(core.manager->queue), 0);
        core_fault(&core, NULL);
        j = convert("qcow2");
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        CHECK_EQ(n_of(FORMAT_QCOW2), 5);
        j = convert("raw"); /* before it began */
        CHECK_OK(job_cancel(j, NULL));
        CHECK_EQ(j->state, JOB_CANCELLED);
        end();
}

/* Other volumes go on working, and a volume waits for its own turn only. */
static void others_go_on(void)
{
        Job *j, *same;

        begin(3);
        core_fault(&core, "slow convert v0000");
        j = convert("qcow2");
        UNTIL(&core, j->bytes_done > 0);
        same = core_resize(pool, "v0000", 8192);
        CHECK_EQ(core_wait(&core, core_resize(pool, "v0002", 8192)), JOB_DONE);
        CHECK_EQ(core_wait(&core, core_delete(pool, "v0001")), JOB_DONE);
        CHECK_EQ(same->state, JOB_QUEUED);
        CHECK_EQ(j->state, JOB_RUNNING);
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        CHECK_EQ(core_wait(&core, same), JOB_DONE);
        CHECK_EQ(n_of(FORMAT_QCOW2), 2);
        end();
}

/* A stop waits for one volume, not for all. */
static void a_stop_comes_between(void)
{
        Job *j, *stop;

        begin(3);
        core_fault(&core, "slow convert v0000");
        j = convert("qcow2");
        UNTIL(&core, j->bytes_done > 0);
        stop = core_stop(pool, false);
        CHECK_EQ(core_wait(&core, stop), JOB_DONE);
        CHECK_JOB_FAILED(j, ERROR_POOL_INACTIVE);
        CHECK_EQ(bag_get_u64(j->result, "converted", 0), 1);
        end();
}

static void the_service_leaves(void)
{
        Job *j;

        begin(3);
        core_fault(&core, "slow convert v0000");
        j = convert("qcow2");
        UNTIL(&core, j->bytes_done > 0);
        CHECK(manager_has_running_jobs(core.manager));
        manager_stop(core.manager);
        UNTIL(&core, core.n_exits > 0);
        CHECK_EQ(j->state, JOB_CANCELLED);
        CHECK(!manager_has_running_jobs(core.manager));
        end();
}

int main(int argc, char **argv)
{
        core_main(argc, argv);
        RUN(converts_all);
        RUN(many);
        RUN(one_that_fails_does_not_stop_the_rest);
        RUN(cancel_and_resume);
        RUN(others_go_on);
        RUN(a_stop_comes_between);
        RUN(the_service_leaves);
        return 0;
}
