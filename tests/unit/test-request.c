/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What may be asked for, and what polkit is asked about it. */
#include "core.h"

#include "refresh.h"

static Core core;
static Pool *pool;

static void begin(void)
{
        core_new(&core, (ManagerConfig){ .kill_usec = 100000 });
        pool = core_pool(&core, "p");
}

static void end(void)
{
        core_end(&core);
        core_wipe();
}

/* Asks with these options (pairs of names and words, as strings; NULL: none) and expects the error. */
static void refused(Request r, const char *key, const char *word, ErrorKind wanted)
{
        _cleanup_prepared_ Prepared p = {};
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_bag_ Bag *options = bag_new();

        r.pool = r.pool ?: pool;
        if (key && (streq(word, "yes") || streq(word, "no")))
                CHECK_OK(bag_set_bool(options, key, streq(word, "yes")));
        else if (key)
                CHECK_OK(bag_set_string(options, key, word));
        r.options = options;
        CHECK_ERROR(request_prepare(&r, &p, &e), &e, wanted);
}

static void states(void)
{
        static const Operation need_active[] = { OPERATION_POOL_REFRESH, OPERATION_VOLUME_CREATE,
                                                 OPERATION_VOLUME_CLONE };
        Pool *down;

        begin();
        down = core_define(&core, "down");
        FOREACH_ELEMENT (o, need_active)
                refused((Request){ .operation = *o, .pool = down, .volume = "v", .source = "w" }, NULL, NULL,
                        ERROR_POOL_INACTIVE);
        refused((Request){ .operation = OPERATION_POOL_STOP, .pool = down }, NULL, NULL,
                ERROR_POOL_INACTIVE);
        refused((Request){ .operation = OPERATION_POOL_START }, NULL, NULL, ERROR_POOL_ACTIVE);
        refused((Request){ .operation = OPERATION_POOL_BUILD }, NULL, NULL, ERROR_POOL_ACTIVE);
        refused((Request){ .operation = OPERATION_POOL_DELETE }, NULL, NULL, ERROR_POOL_ACTIVE);
        refused((Request){ .operation = OPERATION_VOLUME_DELETE, .volume = "v" }, NULL, NULL,
                ERROR_NO_SUCH_VOLUME);
        refused((Request){ .operation = OPERATION_VOLUME_RESIZE, .volume = "v", .capacity = 1 }, NULL, NULL,
                ERROR_NO_SUCH_VOLUME);
        refused((Request){ .operation = OPERATION_VOLUME_REFRESH, .volume = "v" }, NULL, NULL,
                ERROR_NO_SUCH_VOLUME);
        refused((Request){ .operation = OPERATION_DISCOVER }, NULL, NULL, ERROR_NOT_SUPPORTED);
        end();
}

/* Every kind of request refuses an option that it does not know, and one of the wrong type. */
static void options(void)
{
        static const Operation on_volume[] = { OPERATION_VOLUME_CREATE, OPERATION_VOLUME_CLONE,
                                               OPERATION_VOLUME_RESIZE, OPERATION_VOLUME_DELETE,
                                               OPERATION_VOLUME_REFRESH };
        static const Operation on_pool[] = { OPERATION_POOL_START, OPERATION_POOL_BUILD,
                                             OPERATION_POOL_DELETE };
        Pool *down;

        begin();
        down = core_define(&core, "down");
        CHECK_EQ(core_wait(&core, core_create(pool, "v")), JOB_DONE);
        FOREACH_ELEMENT (o, on_volume) {
                bool is_new = *o == OPERATION_VOLUME_CREATE || *o == OPERATION_VOLUME_CLONE;
                Request r = {
                        .operation = *o, .volume = is_new ? "n" : "v", .source = "v", .capacity = 8192
                };

                refused(r, "sideways", "yes", ERROR_INVALID_ARGS);
                refused(r, "wait", "yes", ERROR_INVALID_ARGS); /* is the bus' own */
        }
        FOREACH_ELEMENT (o, on_pool)
                refused((Request){ .operation = *o, .pool = down }, "sideways", "yes", ERROR_INVALID_ARGS);
        refused((Request){ .operation = OPERATION_POOL_STOP }, "sideways", "yes", ERROR_INVALID_ARGS);
        refused((Request){ .operation = OPERATION_POOL_STOP }, "force", "maybe", ERROR_INVALID_ARGS);
        refused((Request){ .operation = OPERATION_POOL_REFRESH }, "force", "yes", ERROR_INVALID_ARGS);
        refused((Request){ .operation = OPERATION_VOLUME_CREATE, .volume = "n", .capacity = 1 }, "mode",
                "rw", ERROR_INVALID_ARGS);
        end();
}

static void names_and_sizes(void)
{
        static const char *const bad[] = { "", ".", "..", "a/b", "a\nb", "\xff" };
        Request create = { .operation = OPERATION_VOLUME_CREATE, .capacity = 1 };
        Request resize = { .operation = OPERATION_VOLUME_RESIZE, .volume = "v" };
        Request clone = { .operation = OPERATION_VOLUME_CLONE, .volume = "n", .source = "v" };

        begin();
        FOREACH_ELEMENT (name, bad) {
                create.volume = *name;
                refused(create, NULL, NULL, ERROR_INVALID_NAME);
        }
        CHECK_EQ(core_wait(&core, core_create(pool, "v")), JOB_DONE);
        create.volume = "v";
        refused(create, NULL, NULL, ERROR_VOLUME_EXISTS);
        create.volume = "n";
        create.capacity = (uint64_t)INT64_MAX + 1;
        refused(create, NULL, NULL, ERROR_INVALID_ARGS);
        create.capacity = UINT64_MAX; /* not given: a backing volume has to tell it */
        refused(create, NULL, NULL, ERROR_INVALID_ARGS);
        refused(create, "backing.path", "nobody", ERROR_NO_SUCH_VOLUME);
        refused(create, "backing.path", "/etc/shadow", ERROR_NO_SUCH_VOLUME);
        create.capacity = 1;
        refused(create, "format", "vmdk", ERROR_NOT_SUPPORTED);
        refused(create, "format", "none", ERROR_INVALID_ARGS);

        resize.capacity = UINT64_MAX;
        refused(resize, NULL, NULL, ERROR_INVALID_ARGS);
        resize.capacity = 1;
        refused(resize, NULL, NULL, ERROR_INVALID_ARGS); /* without "shrink" */
        refused(resize, "shrink", "no", ERROR_INVALID_ARGS);

        clone.capacity = 1;
        refused(clone, NULL, NULL, ERROR_INVALID_ARGS); /* smaller than its source */
        clone.capacity = (uint64_t)INT64_MAX + 1;
        refused(clone, NULL, NULL, ERROR_INVALID_ARGS);
        clone.source = "nobody";
        refused(clone, NULL, NULL, ERROR_NO_SUCH_VOLUME);
        end();
}

/* The detail `key` of the check; NULL: it has none. */
static const char *detail(const Prepared *p, size_t i, const char *key)
{
        CHECK(i < p->n_checks);
        for (char **d = p->checks[i].details; d && *d; d += 2)
                if (streq(*d, key))
                        return d[1];
        return NULL;
}

static Prepared asked(Request r, Bag *options)
{
        _cleanup_bag_ _unused_ Bag *owned = options;
        _cleanup_error_ Error e = ERROR_NULL;
        Prepared p = {};

        r.pool = r.pool ?: pool;
        r.options = options;
        if (request_prepare(&r, &p, &e) < 0)
                TEST_FAIL("%s", e.message);
        return p;
}

static Bag *word(const char *key, const char *value)
{
        Bag *b = bag_new();

        CHECK_OK(bag_set_string(b, key, value));
        return b;
}

static Bag *yes(const char *key)
{
        Bag *b = bag_new();

        CHECK_OK(bag_set_bool(b, key, true));
        return b;
}

static void actions_and_details(void)
{
        Request create = {
                .operation = OPERATION_VOLUME_CREATE, .volume = "n", .capacity = 1000, .caller = 7
        };
        Pool *down;
        Volume *v;
        Prepared p;

        begin();
        down = core_define(&core, "down");
        CHECK_EQ(core_wait(&core, core_create(pool, "v")), JOB_DONE);
        v = volume_table_get(pool->volumes, "v");
        v->creator = 42;

        p = asked((Request){ .operation = OPERATION_POOL_START, .pool = down }, NULL);
        CHECK_EQ(p.n_checks, 1);
        CHECK_STREQ(p.checks[0].action, "pool-manage");
        CHECK_STREQ(detail(&p, 0, "pool"), "down");
        CHECK_STREQ(detail(&p, 0, "pool.type"), "fake");
        prepared_done(&p);
        p = asked((Request){ .operation = OPERATION_POOL_START, .pool = down }, yes("build"));
        CHECK_EQ(p.n_checks, 2);
        CHECK_STREQ(p.checks[1].action, "pool-build");
        CHECK_STREQ(detail(&p, 1, "overwrite"), "no");
        prepared_done(&p);
        p = asked((Request){ .operation = OPERATION_POOL_BUILD, .pool = down }, yes("overwrite"));
        CHECK_STREQ(p.checks[0].action, "pool-build");
        CHECK_STREQ(detail(&p, 0, "overwrite"), "yes");
        prepared_done(&p);
        p = asked((Request){ .operation = OPERATION_POOL_DELETE, .pool = down }, NULL);
        CHECK_STREQ(p.checks[0].action, "pool-delete");
        prepared_done(&p);

        p = asked(create, NULL);
        CHECK_EQ(p.n_checks, 1);
        CHECK_STREQ(p.checks[0].action, "volume-create");
        CHECK_STREQ(detail(&p, 0, "volume"), "n");
        CHECK_STREQ(detail(&p, 0, "volume.format"), "raw");
        CHECK_STREQ(detail(&p, 0, "capacity"), "1000");
        CHECK_STREQ(detail(&p, 0, "caller.capacity"), "0");
        CHECK_STREQ(detail(&p, 0, "handover"), "no");
        CHECK_EQ(p.charge, 1000);
        CHECK_EQ(bag_get_u32(p.args, "creator", 0), 7);
        prepared_done(&p);
        p = asked(create, word("owner", "caller")); /* a detail, not an administrator's word */
        CHECK_EQ(p.n_checks, 1);
        CHECK_STREQ(detail(&p, 0, "handover"), "yes");
        prepared_done(&p);
        p = asked(create, word("label", "x")); /* this is one */
        CHECK_EQ(p.n_checks, 2);
        CHECK_STREQ(p.checks[1].action, "pool-define");
        prepared_done(&p);
        create.capacity = UINT64_MAX;
        p = asked(create, word("backing.path", "v"));
        CHECK_EQ(p.n_checks, 2);
        CHECK_STREQ(p.checks[1].action, "volume-read");
        CHECK_STREQ(detail(&p, 1, "volume"), "v");
        CHECK_STREQ(detail(&p, 1, "volume.owner"), "42");
        CHECK_STREQ(detail(&p, 0, "capacity"), "4096");
        CHECK_EQ(p.charge, 4096);
        prepared_done(&p);

        p = asked((Request){ .operation = OPERATION_VOLUME_CLONE,
                             .volume = "n",
                             .source = "v",
                             .capacity = UINT64_MAX },
                  NULL);
        CHECK_EQ(p.n_checks, 2);
        CHECK_STREQ(p.checks[0].action, "volume-read");
        CHECK_STREQ(detail(&p, 0, "volume"), "v");
        CHECK_STREQ(p.checks[1].action, "volume-create");
        CHECK_STREQ(detail(&p, 1, "capacity"), "4096");
        CHECK_STREQ(bag_get_string(p.args, "source"), "v");
        prepared_done(&p);

        p = asked((Request){ .operation = OPERATION_VOLUME_RESIZE, .volume = "v", .capacity = 10000 },
                  yes("shrink"));
        CHECK_STREQ(p.checks[0].action, "volume-resize");
        CHECK_STREQ(detail(&p, 0, "volume.owner"), "42");
        CHECK_STREQ(detail(&p, 0, "capacity"), "10000");
        CHECK_EQ(p.charge, 10000 - 4096);
        CHECK(!bag_get_bool(p.args, "shrink", false)); /* nobody was asked whether it may */
        prepared_done(&p);
        p = asked((Request){ .operation = OPERATION_VOLUME_RESIZE, .volume = "v", .capacity = 1 },
                  yes("shrink"));
        CHECK_STREQ(p.checks[0].action, "volume-shrink");
        CHECK(bag_get_bool(p.args, "shrink", false));
        CHECK_EQ(p.charge, 0);
        prepared_done(&p);
        v->capacity = 0; /* from nothing, or from what is not known, all of it counts */
        p = asked((Request){ .operation = OPERATION_VOLUME_RESIZE, .volume = "v", .capacity = 500 }, NULL);
        CHECK_EQ(p.charge, 500);
        prepared_done(&p);
        v->capacity = UINT64_MAX;
        p = asked((Request){ .operation = OPERATION_VOLUME_RESIZE, .volume = "v", .capacity = 500 }, NULL);
        CHECK_EQ(p.charge, 500);
        prepared_done(&p);

        p = asked((Request){ .operation = OPERATION_VOLUME_DELETE, .volume = "v" }, NULL);
        CHECK_EQ(p.n_checks, 1);
        CHECK_STREQ(p.checks[0].action, "volume-delete");
        CHECK_STREQ(detail(&p, 0, "volume.owner"), "42");
        prepared_done(&p);
        p = asked((Request){ .operation = OPERATION_VOLUME_REFRESH, .volume = "v" }, NULL);
        CHECK_STREQ(p.checks[0].action, "volume-list");
        prepared_done(&p);
        end();
}

static const char *caller_capacity(uid_t uid)
{
        static char text[32];
        Prepared p = asked((Request){ .operation = OPERATION_VOLUME_CREATE,
                                      .volume = "other",
                                      .capacity = 1,
                                      .caller = uid },
                           NULL);

        (void)snprintf(text, sizeof(text), "%s", detail(&p, 0, "caller.capacity"));
        prepared_done(&p);
        return text;
}

/* What is under way counts, and what was made; what failed does not. */
static void quotas(void)
{
        Job *j;

        begin();
        core_fault(&core, "slow create");
        j = core_create_as(pool, "mine", 100000, 7);
        CHECK_STREQ(caller_capacity(7), "100000");
        CHECK_STREQ(caller_capacity(8), "0");
        UNTIL(&core, j->bytes_done > 0);
        CHECK_STREQ(caller_capacity(7), "100000");
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        CHECK_STREQ(caller_capacity(7), "0"); /* the fake pool type forgets who made it */
        volume_table_get(pool->volumes, "mine")->creator = UINT32_MAX;
        pool_volume_seen(pool, &(VolumeInfo){ .name = "mine",
                                              .capacity = 100000,
                                              .allocation = 200000,
                                              .physical = UINT64_MAX,
                                              .creator = 7 });
        CHECK_STREQ(caller_capacity(7), "200000"); /* the larger of the sizes */
        core_fault(&core, "fail create");
        j = core_create_as(pool, "more", 5, 7);
        CHECK_STREQ(caller_capacity(7), "200005");
        CHECK_EQ(core_wait(&core, j), JOB_FAILED);
        CHECK_STREQ(caller_capacity(7), "200000");
        end();
}

static void seen(const char *name, const char *backing)
{
        pool_volume_seen(pool, &(VolumeInfo){ .name = name,
                                              .format = FORMAT_RAW,
                                              .capacity = 4096,
                                              .backing = backing,
                                              .creator = 3 });
}

static void dependents(void)
{
        _cleanup_free_ char *absolute = core_target("p", "base");
        char *const *names;
        Prepared p;

        begin();
        seen("base", NULL);
        seen("child", absolute);
        seen("other", "base");
        seen("grandchild", "./child");
        seen("stranger", "/elsewhere/base");
        refused((Request){ .operation = OPERATION_VOLUME_DELETE, .volume = "base" }, NULL, NULL,
                ERROR_IN_USE);
        refused((Request){ .operation = OPERATION_VOLUME_DELETE, .volume = "base" }, "dependents", "no",
                ERROR_IN_USE);
        refused((Request){ .operation = OPERATION_VOLUME_RESIZE, .volume = "base", .capacity = 1 }, "shrink",
                "yes", ERROR_IN_USE);
        p = asked((Request){ .operation = OPERATION_VOLUME_DELETE, .volume = "base" }, yes("dependents"));
        CHECK_EQ(p.n_checks, 4); /* each has to be allowed */
        for (size_t i = 0; i < p.n_checks; i++)
                CHECK_STREQ(p.checks[i].action, "volume-delete");
        names = bag_get_strv(p.args, "names");
        CHECK_EQ(strv_length(names), 3);
        CHECK(strv_contains(names, "child") && strv_contains(names, "other"));
        CHECK_STREQ(names[2], "grandchild"); /* behind the one that it stands on */
        prepared_done(&p);

        seen("base", "grandchild"); /* a circle, as only lying headers make it */
        p = asked((Request){ .operation = OPERATION_VOLUME_DELETE, .volume = "base" }, yes("dependents"));
        CHECK_EQ(strv_length(bag_get_strv(p.args, "names")), 3);
        CHECK(!strv_contains(bag_get_strv(p.args, "names"), "base"));
        prepared_done(&p);
        end();
}

static void too_many_dependents(void)
{
        char name[32];
        Prepared p;

        begin();
        seen("base", NULL);
        for (unsigned i = 0; i < DEPENDENTS_MAX; i++) {
                (void)snprintf(name, sizeof(name), "d%u", i);
                seen(name, "base");
        }
        p = asked((Request){ .operation = OPERATION_VOLUME_DELETE, .volume = "base" }, yes("dependents"));
        CHECK_EQ(strv_length(bag_get_strv(p.args, "names")), DEPENDENTS_MAX);
        prepared_done(&p);
        seen("one-more", "base");
        refused((Request){ .operation = OPERATION_VOLUME_DELETE, .volume = "base" }, "dependents", "yes",
                ERROR_LIMITS_EXCEEDED);
        end();
}

/* Somebody else's volume took the name while the job waited: nobody allowed that. */
static void another_volume_of_that_name(void)
{
        Job *resize, *deletion, *clone, *gone;

        begin();
        seen("v", NULL);
        seen("w", NULL);
        core_fault(&core, "slow resize");
        resize = core_resize(pool, "v", 8192);
        deletion = core_delete(pool, "v");
        clone = core_submit(&(Request){ .operation = OPERATION_VOLUME_CLONE,
                                        .pool = pool,
                                        .volume = "n",
                                        .source = "v",
                                        .capacity = UINT64_MAX });
        (void)core_resize(pool, "w", 8192);
        gone = core_delete(pool, "w");
        UNTIL(&core, resize->bytes_done > 0);
        volume_table_get(pool->volumes, "v")->creator = 4;
        pool_volume_gone(pool, "w");
        (void)core_wait(&core, clone);
        (void)core_wait(&core, gone);
        CHECK_JOB_FAILED(deletion, ERROR_CHANGED);
        CHECK_JOB_FAILED(clone, ERROR_CHANGED);
        CHECK_JOB_FAILED(gone, ERROR_NO_SUCH_VOLUME);
        end();
}

static void features(void)
{
        BackendInfo poor, *rich;

        begin();
        CHECK_EQ(core_wait(&core, core_create(pool, "v")), JOB_DONE);
        rich = (BackendInfo *)pool->backend;
        poor = *rich;
        poor.features = NULL;
        pool->backend = &poor;
        refused((Request){ .operation = OPERATION_VOLUME_CREATE, .volume = "n", .capacity = 1 }, NULL, NULL,
                ERROR_NOT_SUPPORTED);
        refused((Request){ .operation = OPERATION_VOLUME_CLONE, .volume = "n", .source = "v" }, NULL, NULL,
                ERROR_NOT_SUPPORTED);
        refused((Request){ .operation = OPERATION_VOLUME_DELETE, .volume = "v" }, NULL, NULL,
                ERROR_NOT_SUPPORTED);
        refused((Request){ .operation = OPERATION_VOLUME_RESIZE, .volume = "v", .capacity = 8192 }, NULL,
                NULL, ERROR_NOT_SUPPORTED);
        poor.features = (char *[]){ (char *)"resize", NULL };
        refused((Request){ .operation = OPERATION_VOLUME_RESIZE, .volume = "v", .capacity = 1 }, "shrink",
                "yes", ERROR_NOT_SUPPORTED);
        pool->backend = rich;
        end();
}

int main(int argc, char **argv)
{
        core_main(argc, argv);
        RUN(states);
        RUN(options);
        RUN(names_and_sizes);
        RUN(actions_and_details);
        RUN(quotas);
        RUN(dependents);
        RUN(too_many_dependents);
        RUN(another_volume_of_that_name);
        RUN(features);
        return 0;
}
