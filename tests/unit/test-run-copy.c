/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clones and moves from pool to pool, with everything that can go wrong on the way. */
#include "core.h"

#include <fcntl.h>

static Core core;
static Pool *from, *to;

static void begin(void)
{
        core_new(&core, (ManagerConfig){ .kill_usec = 200000 });
        from = core_pool(&core, "from");
        to = core_pool(&core, "to");
        CHECK_EQ(core_wait(&core, core_create(from, "v")), JOB_DONE);
}

static void end(void)
{
        core_end(&core);
        core_wipe();
}

static Job *move(const char *volume, const char *name)
{
        return core_submit(&(Request){ .operation = OPERATION_VOLUME_MOVE,
                                       .pool = from,
                                       .volume = volume,
                                       .target = to,
                                       .new_name = name });
}

static Job *clone_to(const char *name, const char *source)
{
        return core_submit(&(Request){ .operation = OPERATION_VOLUME_CLONE,
                                       .pool = to,
                                       .volume = name,
                                       .source = source,
                                       .source_pool = from,
                                       .capacity = UINT64_MAX });
}

/* In the pool's directory, and, after what news are under way, in its table. */
static bool has(Pool *p, const char *volume)
{
        bool there = core_has_file(pool_name(p), volume);

        UNTIL(&core, !!volume_table_get(p->volumes, volume) == there);
        return there;
}

static void write_to(const char *volume, const char *text)
{
        _cleanup_free_ char *path = core_target("from", volume);
        _cleanup_fclose_ FILE *f = fopen(path, "r+e");

        CHECK(f && fputs(text, f) >= 0);
}

static void check_content(const char *volume, const char *text)
{
        _cleanup_free_ char *path = core_target("to", volume), *read = NULL;

        CHECK_OK(read_file_at(AT_FDCWD, path, 8192, &read, NULL));
        CHECK_STREQ(read, text);
}

static void clones_between_pools(void)
{
        Job *j;

        begin();
        write_to("v", "content");
        j = clone_to("c", "v");
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        CHECK_STREQ(j->pool, "to");
        CHECK_STREQ(j->source_pool, "from");
        CHECK_STREQ(bag_get_string(j->result, "volume"), "/org/example/Storage/volume/to/c");
        CHECK(!bag_has(j->result, "source"));
        CHECK(has(from, "v") && has(to, "c"));
        check_content("c", "content");
        end();
}

static void a_clone_fails_in_each_step(void)
{
        static const struct {
                const char *fault;
                ErrorKind error;
        } cases[] = {
                { "fail lend", ERROR_NO_SPACE },         { "crash lend", ERROR_WORKER_CRASHED },
                { "fail copy", ERROR_NO_SPACE },         { "die copy", ERROR_WORKER_CRASHED },
                { "intent copy", ERROR_WORKER_CRASHED },
        };
        Job *j;

        begin();
        FOREACH_ELEMENT (c, cases) {
                core_fault(&core, c->fault);
                j = clone_to("c", "v");
                (void)core_wait(&core, j);
                CHECK_JOB_FAILED(j, c->error);
                CHECK(has(from, "v") && !has(to, "c"));
        }
        end();
}

/* Whose storage is gone is told of that pool, not of the other. */
static void the_right_pool_is_blamed(void)
{
        Job *j;

        begin();
        core_fault(&core, "gone lend");
        j = clone_to("c", "v");
        (void)core_wait(&core, j);
        CHECK_JOB_FAILED(j, ERROR_SOURCE_UNREACHABLE);
        CHECK(from->state != POOL_ACTIVE);
        CHECK_EQ(to->state, POOL_ACTIVE);
        end();
}

static void moves_between_pools(void)
{
        Job *j;

        begin();
        write_to("v", "content");
        j = move("v", "w");
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        CHECK_STREQ(bag_get_string(j->result, "volume"), "/org/example/Storage/volume/to/w");
        CHECK(!has(from, "v") && has(to, "w"));
        check_content("w", "content");
        end();
}

/* A removal that is work for a worker of its own. */
static void moves_with_a_long_removal(void)
{
        begin();
        core_fault(&core, "job remove");
        CHECK_EQ(core_wait(&core, move("v", NULL)), JOB_DONE);
        CHECK(!has(from, "v") && has(to, "v"));
        UNTIL(&core, core_n_workers(&core) <= 2);
        end();
}

/* Before the copy is whole the source is all there is; when its removal fails the copy goes again. */
static void a_move_fails_and_the_source_stays(void)
{
        static const struct {
                const char *fault;
                ErrorKind error;
        } cases[] = {
                { "fail lend", ERROR_NO_SPACE },
                { "crash lend", ERROR_WORKER_CRASHED },
                { "fail copy", ERROR_NO_SPACE },
                { "die copy", ERROR_WORKER_CRASHED },
                { "intent copy", ERROR_WORKER_CRASHED },
                { "fail remove v", ERROR_NO_SPACE },
                { "crash remove v", ERROR_WORKER_CRASHED },
                { "die remove v", ERROR_WORKER_CRASHED },
                { "fail remove v\njob remove w", ERROR_NO_SPACE },
        };
        Job *j;

        begin();
        FOREACH_ELEMENT (c, cases) {
                core_fault(&core, c->fault);
                j = move("v", "w");
                (void)core_wait(&core, j);
                CHECK_JOB_FAILED(j, c->error);
                CHECK(has(from, "v") && !has(to, "w"));
        }
        end();
}

static void a_move_that_cannot_be_undone_names_both(void)
{
        static const char *const faults[] = { "fail remove", "fail remove v\ncrash remove w",
                                              "die remove v\ndie remove w" };
        char name[16];
        Job *j;

        begin();
        FOREACH_ELEMENT (fault, faults) {
                (void)snprintf(name, sizeof(name), "w");
                core_fault(&core, *fault);
                j = move("v", name);
                (void)core_wait(&core, j);
                CHECK_JOB_FAILED(j, ERROR_FAILED);
                CHECK(strstr(j->error.message, "both are there") && strstr(j->error.message, " to "));
                core_fault(&core, NULL);
                CHECK(has(from, "v") && has(to, name));
                CHECK_EQ(core_wait(&core, core_delete(to, name)), JOB_DONE);
        }
        end();
}

/* The source was removed, but the worker died before it said so. */
static void a_removal_that_was_done_is_a_move(void)
{
        begin();
        core_fault(&core, "late remove v");
        CHECK_EQ(core_wait(&core, move("v", "w")), JOB_DONE);
        CHECK(!has(from, "v") && has(to, "w"));
        end();
}

/* Where nobody can say what became of the source, the copy stays. */
static void what_is_not_known_keeps_the_copy(void)
{
        Job *j;

        begin();
        core_fault(&core, "late remove v\nfail stat");
        j = move("v", "w");
        (void)core_wait(&core, j);
        CHECK_JOB_FAILED(j, ERROR_FAILED);
        CHECK(strstr(j->error.message, "not known"));
        CHECK(!core_has_file("from", "v") && core_has_file("to", "w"));
        end();
}

/* The daemon dies in the middle of it: one whole copy at least. */
static void a_crash_of_the_daemon(void)
{
        static const char *const faults[] = { "slow copy", "hang remove v" };

        FOREACH_ELEMENT (fault, faults) {
                Job *j;

                begin();
                write_to("v", "content");
                core_fault(&core, *fault);
                j = move("v", "w");
                UNTIL(&core, j->bytes_done > 0 || core_has_file("to", "w"));
                core_crash(&core);
                CHECK(core_has_file("from", "v"));
                core_wipe();
        }
}

static void cancel_in_each_step(void)
{
        Job *j;

        begin();
        core_fault(&core, "nap lend");
        j = move("v", "w");
        UNTIL(&core, j->run->call && session_call_is_sent(j->run->call));
        CHECK_OK(job_cancel(j, NULL));
        CHECK_EQ(j->state, JOB_CANCELLING);
        CHECK_EQ(core_wait(&core, j), JOB_CANCELLED);

        core_fault(&core, "slow copy");
        j = move("v", "w");
        UNTIL(&core, j->bytes_done > 0);
        CHECK_OK(job_cancel(j, NULL));
        CHECK_EQ(core_wait(&core, j), JOB_CANCELLED);
        CHECK(has(from, "v") && !has(to, "w"));

        core_fault(&core, "nap remove v");
        j = move("v", "w");
        UNTIL(&core, core_has_file("to", "w") && !j->cancellable);
        CHECK_EQ(job_cancel(j, NULL), -EOPNOTSUPP);
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        end();
}

/* Both volumes are ordered, and both pools. */
static void both_pools_are_ordered(void)
{
        Job *j, *resize, *reader, *stop, *late;

        begin();
        core_fault(&core, "slow copy");
        j = move("v", "w");
        resize = core_resize(from, "v", 8192);
        UNTIL(&core, j->bytes_done > 0);
        CHECK_EQ(resize->state, JOB_QUEUED);
        CHECK_EQ(core_wait(&core, core_create(from, "other")), JOB_DONE);
        CHECK_EQ(j->state, JOB_RUNNING);
        reader = clone_to("c", "other");
        stop = core_stop(from, false);
        late = clone_to("d", "other");
        core_pause(&core, 50000);
        CHECK_EQ(stop->state, JOB_QUEUED);
        CHECK_EQ(core_wait(&core, late), JOB_FAILED); /* it waits for a pool that stops */
        CHECK_EQ(late->error.kind, ERROR_POOL_INACTIVE);
        CHECK_JOB_DONE(j);
        CHECK_JOB_FAILED(resize, ERROR_NO_SUCH_VOLUME);
        CHECK_JOB_DONE(reader);
        CHECK_JOB_DONE(stop);
        end();
}

static void a_forced_stop_ends_what_it_lends_to(void)
{
        Job *j;

        begin();
        core_fault(&core, "slow copy");
        j = clone_to("c", "v");
        UNTIL(&core, j->bytes_done > 0);
        CHECK_EQ(core_wait(&core, core_stop(from, true)), JOB_DONE);
        CHECK_EQ(j->state, JOB_CANCELLED);
        CHECK_EQ(to->state, POOL_ACTIVE);
        end();
}

/* It is another volume of that name when the turn has come. */
static void what_came_meanwhile(void)
{
        Job *j, *overlay;
        _cleanup_bag_ Bag *options = bag_new();

        begin();
        core_fault(&core, "slow create");
        CHECK_OK(bag_set_string(options, "backing.path", "v"));
        overlay = core_submit(&(Request){ .operation = OPERATION_VOLUME_CREATE,
                                          .pool = from,
                                          .volume = "over",
                                          .options = options,
                                          .capacity = UINT64_MAX });
        j = move("v", "w");
        (void)core_wait(&core, j);
        CHECK_JOB_DONE(overlay);
        CHECK_JOB_FAILED(j, ERROR_IN_USE);
        end();
}

int main(int argc, char **argv)
{
        core_main(argc, argv);
        RUN(clones_between_pools);
        RUN(a_clone_fails_in_each_step);
        RUN(the_right_pool_is_blamed);
        RUN(moves_between_pools);
        RUN(moves_with_a_long_removal);
        RUN(a_move_fails_and_the_source_stays);
        RUN(a_move_that_cannot_be_undone_names_both);
        RUN(a_removal_that_was_done_is_a_move);
        RUN(what_is_not_known_keeps_the_copy);
        RUN(a_crash_of_the_daemon);
        RUN(cancel_in_each_step);
        RUN(both_pools_are_ordered);
        RUN(a_forced_stop_ends_what_it_lends_to);
        RUN(what_came_meanwhile);
        return 0;
}
