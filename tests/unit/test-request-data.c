/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What may be asked of the content of volumes, and what polkit is asked about it. */
#include "core.h"

#include "refresh.h"

static Core core;
static Pool *pool, *other;

static void put(const char *name, ImageFormat format, uint32_t flags, const char *backing,
                const char *snapshots)
{
        const VolumeInfo info = { .name = name,
                                  .type = VOLUME_FILE,
                                  .format = format,
                                  .flags = flags,
                                  .capacity = 4096,
                                  .backing = backing,
                                  .snapshots = snapshots,
                                  .creator = 1000 };

        pool_volume_seen(pool, &info);
}

static void begin(void)
{
        _cleanup_free_ char *base = core_target("p", "base");

        core_new(&core, (ManagerConfig){});
        pool = core_pool(&core, "p");
        other = core_pool(&core, "o");
        put("v", FORMAT_RAW, 0, NULL, NULL);
        put("image", FORMAT_QCOW2, 0, NULL, NULL);
        put("base", FORMAT_RAW, 0, NULL, NULL);
        put("over", FORMAT_QCOW2, 0, base, NULL);
        put("kept", FORMAT_QCOW2, 0, NULL, "internal 1 4096 s1");
        put("broken", FORMAT_RAW, VOLUME_CORRUPT, NULL, NULL);
        put("fixed", FORMAT_RAW, VOLUME_READ_ONLY, NULL, NULL);
        put("linked", FORMAT_RAW, VOLUME_FOREIGN_LINKS, NULL, NULL);
        put("half", FORMAT_RAW, VOLUME_INCOMPLETE, NULL, NULL);
}

static void end(void)
{
        core_end(&core);
        core_wipe();
}

/* A request that is good, on this volume. */
static Request good(Operation o, const char *volume)
{
        Request r = { .operation = o, .pool = pool, .volume = volume, .capacity = UINT64_MAX };

        if (o == OPERATION_VOLUME_CLONE)
                r = (Request){ .operation = o,
                               .pool = other,
                               .volume = "n",
                               .source = volume,
                               .source_pool = pool,
                               .capacity = UINT64_MAX };
        else if (o == OPERATION_VOLUME_RENAME)
                r.new_name = "n";
        else if (o == OPERATION_VOLUME_MOVE)
                r.target = other;
        else if (o == OPERATION_VOLUME_CONVERT)
                r.format = volume_table_get(pool->volumes, volume)->format == FORMAT_RAW ? "qcow2" : "raw";
        else if (o == OPERATION_VOLUME_REBASE)
                r.backing = "v";
        else if (o == OPERATION_VOLUME_WIPE)
                r.algorithm = "zero";
        else if (o == OPERATION_SNAPSHOT_CREATE)
                r.snapshot = "new";
        else if (o == OPERATION_SNAPSHOT_REVERT || o == OPERATION_SNAPSHOT_DELETE)
                r.snapshot = "s1";
        return r;
}

static ErrorKind ask(Request r, Bag *options, Prepared *ret)
{
        _cleanup_bag_ _unused_ Bag *owned = options;
        _cleanup_error_ Error e = ERROR_NULL;

        r.options = options;
        if (request_prepare(&r, ret, &e) < 0) {
                CHECK(!isempty(e.message));
                return e.kind;
        }
        return ERROR_NONE;
}

static Bag *word(const char *key, const char *value)
{
        Bag *b = bag_new();

        CHECK_OK(bag_set_string(b, key, value));
        return b;
}

static void refused(Request r, Bag *options, ErrorKind wanted)
{
        _cleanup_prepared_ Prepared p = {};
        ErrorKind kind = ask(r, options, &p);

        if (kind != wanted)
                TEST_FAIL("%s of %s: %s, not %s", operation_to_string(r.operation), r.volume ?: "-",
                          error_kind_to_name(kind) ?: "accepted", error_kind_to_name(wanted) ?: "accepted");
}

static void states_of_volumes(void)
{
        static const Operation reading[] = { OPERATION_VOLUME_CLONE,   OPERATION_VOLUME_MOVE,
                                             OPERATION_VOLUME_CONVERT, OPERATION_VOLUME_DOWNLOAD,
                                             OPERATION_VOLUME_EXPORT,  OPERATION_SNAPSHOT_CREATE };
        static const Operation writing[] = { OPERATION_VOLUME_UPLOAD, OPERATION_VOLUME_CONVERT,
                                             OPERATION_VOLUME_WIPE, OPERATION_SNAPSHOT_CREATE };
        static const Operation alone[] = { OPERATION_VOLUME_UPLOAD, OPERATION_VOLUME_CONVERT,
                                           OPERATION_VOLUME_WIPE, OPERATION_VOLUME_RENAME,
                                           OPERATION_VOLUME_MOVE };
        static const Operation bare[] = { OPERATION_VOLUME_CONVERT, OPERATION_VOLUME_WIPE,
                                          OPERATION_VOLUME_MOVE };
        static const Operation mending[] = { OPERATION_VOLUME_UPLOAD, OPERATION_VOLUME_WIPE,
                                             OPERATION_VOLUME_RENAME, OPERATION_VOLUME_DELETE };

        begin();
        FOREACH_ELEMENT (o, reading) {
                refused(good(*o, "v"), NULL, ERROR_NONE);
                refused(good(*o, "broken"), NULL, ERROR_CORRUPT);
                refused(good(*o, "half"), NULL, ERROR_NOT_SUPPORTED);
        }
        FOREACH_ELEMENT (o, writing) {
                refused(good(*o, "fixed"), NULL, ERROR_NOT_SUPPORTED);
                refused(good(*o, "linked"), NULL, ERROR_NOT_SUPPORTED);
                refused(good(*o, "half"), NULL, ERROR_NOT_SUPPORTED);
        }
        FOREACH_ELEMENT (o, alone)
                refused(good(*o, "base"), NULL, ERROR_IN_USE);
        FOREACH_ELEMENT (o, bare)
                refused(good(*o, "kept"), NULL, ERROR_IN_USE);
        FOREACH_ELEMENT (o, mending)
                refused(good(*o, "broken"), NULL, ERROR_NONE);
        refused(good(OPERATION_VOLUME_UPLOAD, "broken"), word("offset", "1"), ERROR_CORRUPT);
        refused(good(OPERATION_VOLUME_UPLOAD, "broken"), word("length", "4095"), ERROR_CORRUPT);
        refused(good(OPERATION_VOLUME_UPLOAD, "broken"), word("length", "4096"), ERROR_NONE);
        refused(good(OPERATION_VOLUME_DOWNLOAD, "fixed"), NULL, ERROR_NONE);
        end();
}

static void words(void)
{
        static const Operation all[] = {
                OPERATION_VOLUME_CLONE,  OPERATION_VOLUME_MOVE,     OPERATION_VOLUME_CONVERT,
                OPERATION_VOLUME_UPLOAD, OPERATION_VOLUME_DOWNLOAD, OPERATION_VOLUME_EXPORT,
                OPERATION_VOLUME_RENAME, OPERATION_VOLUME_WIPE,     OPERATION_SNAPSHOT_CREATE,
        };
        Request r;

        begin();
        FOREACH_ELEMENT (o, all)
                refused(good(*o, "v"), word("sideways", "yes"), ERROR_INVALID_ARGS);
        r = good(OPERATION_VOLUME_UPLOAD, "v");
        refused(r, word("length", "4097"), ERROR_INVALID_ARGS);
        refused(r, word("offset", "4097"), ERROR_INVALID_ARGS);
        refused(r, word("sha256", "abc"), ERROR_INVALID_ARGS);
        refused(good(OPERATION_VOLUME_DOWNLOAD, "v"), word("offset", "4097"), ERROR_INVALID_ARGS);
        r = good(OPERATION_VOLUME_EXPORT, "v");
        r.format = "luks";
        refused(r, NULL, ERROR_INVALID_ARGS);
        refused(good(OPERATION_VOLUME_EXPORT, "v"), word("compression", "xz"), ERROR_INVALID_ARGS);
        r = good(OPERATION_VOLUME_CONVERT, "v");
        refused(r, word("owner", "1"), ERROR_INVALID_ARGS);
        refused(r, word("backing.path", "base"), ERROR_INVALID_ARGS);
        r.format = "raw";
        refused(r, NULL, ERROR_INVALID_ARGS);
        r.format = "vmdk";
        refused(r, NULL, ERROR_NOT_SUPPORTED);
        r = good(OPERATION_VOLUME_WIPE, "v");
        refused(r, word("write", "yes"), ERROR_NONE);
        r.algorithm = "gutmann";
        refused(r, word("write", "yes"), ERROR_INVALID_ARGS);
        r.algorithm = "rm";
        refused(r, NULL, ERROR_INVALID_ARGS);
        r = good(OPERATION_VOLUME_RENAME, "v");
        r.new_name = "image";
        refused(r, NULL, ERROR_VOLUME_EXISTS);
        r.new_name = "a/b";
        refused(r, NULL, ERROR_INVALID_NAME);
        end();
}

static void overlays(void)
{
        Request r;

        begin();
        refused(good(OPERATION_VOLUME_REBASE, "over"), NULL, ERROR_NONE);
        refused(good(OPERATION_VOLUME_FLATTEN, "over"), NULL, ERROR_NONE);
        refused(good(OPERATION_VOLUME_REBASE, "v"), NULL, ERROR_NOT_SUPPORTED);
        refused(good(OPERATION_VOLUME_FLATTEN, "image"), NULL, ERROR_INVALID_ARGS);
        refused(good(OPERATION_VOLUME_REBASE, "kept"), NULL, ERROR_IN_USE);
        r = good(OPERATION_VOLUME_REBASE, "over");
        r.backing = "over";
        refused(r, NULL, ERROR_INVALID_ARGS);
        r.backing = "broken";
        refused(r, NULL, ERROR_CORRUPT);
        r.backing = "nobody";
        refused(r, NULL, ERROR_NO_SUCH_VOLUME);
        /* What stands on the volume cannot carry it. */
        put("base", FORMAT_QCOW2, 0, NULL, NULL);
        r = good(OPERATION_VOLUME_REBASE, "base");
        r.backing = "over";
        refused(r, NULL, ERROR_INVALID_ARGS);
        end();
}

static void clones_and_moves(void)
{
        Request r;

        begin();
        r = good(OPERATION_VOLUME_CLONE, "v");
        refused(r, word("linked", "yes"), ERROR_INVALID_ARGS);
        refused(r, word("backing.path", "base"), ERROR_INVALID_ARGS);
        r.pool = pool;
        refused(r, word("linked", "yes"), ERROR_NONE);
        r.capacity = 4095;
        refused(r, NULL, ERROR_INVALID_ARGS);
        r = good(OPERATION_VOLUME_MOVE, "v");
        r.target = pool;
        refused(r, NULL, ERROR_INVALID_ARGS); /* without another name */
        r.new_name = "n";
        refused(r, word("bandwidth", "1000"), ERROR_NONE);
        refused(r, word("format", "qcow2"), ERROR_INVALID_ARGS);
        r.new_name = "image";
        refused(r, NULL, ERROR_VOLUME_EXISTS);
        r.target = core_define(&core, "down");
        refused(r, NULL, ERROR_POOL_INACTIVE);
        end();
}

static void imports(void)
{
        Request r = { .operation = OPERATION_VOLUME_IMPORT, .volume = "n", .capacity = 1 << 20 };
        _cleanup_prepared_ Prepared p = {};
        Bag *options;

        begin();
        r.pool = pool;
        refused(r, NULL, ERROR_INVALID_ARGS); /* neither a format nor leave to guess it */
        refused(r, word("probe", "yes"), ERROR_NONE);
        refused(r, word("source-format", "luks"), ERROR_INVALID_ARGS);
        options = word("source-format", "qcow2");
        CHECK_OK(bag_set_bool(options, "probe", true));
        refused(r, options, ERROR_INVALID_ARGS);
        CHECK_EQ(ask(r, word("source-format", "qcow2"), &p), ERROR_NONE);
        CHECK_EQ(p.charge, 1 << 20);
        CHECK_STREQ(p.checks[0].action, "volume-create");
        CHECK_STREQ(bag_get_string(bag_get_bag(p.args, "transfer"), "source-format"), "qcow2");
        CHECK_EQ(bag_get_u64(bag_get_bag(p.args, "transfer"), "limit", 0), 1 << 20);
        CHECK_STREQ(bag_get_string(bag_get_bag(p.args, "options"), "format"), "qcow2");
        CHECK(bag_get_fd(p.args, "fd") > 2);
        prepared_done(&p);
        CHECK_EQ(ask(r, word("source-format", "vmdk"), &p), ERROR_NONE); /* which the pool cannot make */
        CHECK_STREQ(bag_get_string(bag_get_bag(p.args, "options"), "format"), "raw");
        prepared_done(&p);
        r.capacity = UINT64_MAX; /* what the pool has */
        CHECK_EQ(ask(r, word("probe", "yes"), &p), ERROR_NONE);
        CHECK_EQ(p.charge, pool->available);
        prepared_done(&p);
        end();
}

static void snapshots(void)
{
        Request r;

        begin();
        r = good(OPERATION_SNAPSHOT_CREATE, "kept");
        refused(r, NULL, ERROR_NONE);
        r.snapshot = "s1";
        refused(r, NULL, ERROR_VOLUME_EXISTS);
        r.snapshot = "a/b";
        refused(r, NULL, ERROR_INVALID_NAME);
        refused(good(OPERATION_SNAPSHOT_REVERT, "kept"), NULL, ERROR_NONE);
        refused(good(OPERATION_SNAPSHOT_DELETE, "kept"), NULL, ERROR_NONE);
        refused(good(OPERATION_SNAPSHOT_REVERT, "image"), NULL, ERROR_UNKNOWN_OBJECT);
        refused(good(OPERATION_SNAPSHOT_DELETE, "image"), NULL, ERROR_UNKNOWN_OBJECT);
        end();
}

/* The actions, each with the pool that it is about. */
static void actions(void)
{
        static const struct {
                Operation operation;
                const char *volume, *actions;
        } cases[] = {
                { OPERATION_VOLUME_CLONE, "v", "volume-read p volume-create o " },
                { OPERATION_VOLUME_MOVE, "v", "volume-read p volume-delete p volume-create o " },
                { OPERATION_VOLUME_RENAME, "v", "volume-delete p volume-create p " },
                { OPERATION_VOLUME_UPLOAD, "v", "volume-write p " },
                { OPERATION_VOLUME_DOWNLOAD, "v", "volume-read p " },
                { OPERATION_VOLUME_EXPORT, "v", "volume-read p " },
                { OPERATION_VOLUME_CONVERT, "v", "volume-write p " },
                { OPERATION_VOLUME_REBASE, "over", "volume-write p volume-read p " },
                { OPERATION_VOLUME_FLATTEN, "over", "volume-write p volume-read p " },
                { OPERATION_VOLUME_WIPE, "v", "volume-wipe p " },
                { OPERATION_SNAPSHOT_CREATE, "v", "snapshot-manage p " },
                { OPERATION_SNAPSHOT_REVERT, "kept", "snapshot-manage p volume-write p " },
                { OPERATION_SNAPSHOT_DELETE, "kept", "snapshot-manage p " },
        };

        begin();
        FOREACH_ELEMENT (c, cases) {
                _cleanup_prepared_ Prepared p = {};
                char text[128] = "";

                CHECK_EQ(ask(good(c->operation, c->volume), NULL, &p), ERROR_NONE);
                for (size_t i = 0; i < p.n_checks; i++) {
                        CHECK_STREQ(p.checks[i].details[0], "pool");
                        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %s ",
                                       p.checks[i].action, p.checks[i].details[1]);
                }
                CHECK_STREQ(text, c->actions);
        }
        end();
}

static void quotas(void)
{
        _cleanup_prepared_ Prepared p = {};
        Bag *grow;

        begin();
        CHECK_EQ(ask(good(OPERATION_VOLUME_MOVE, "v"), NULL, &p), ERROR_NONE);
        CHECK_EQ(p.charge, 4096);
        CHECK_EQ(bag_get_u32(p.args, "creator", 0), 1000); /* it stays whose it was */
        CHECK_STREQ(bag_get_string(bag_get_bag(p.args, "options"), "format"), "raw");
        prepared_done(&p);
        grow = word("length", "10000");
        CHECK_OK(bag_set_bool(grow, "grow", true));
        CHECK_EQ(ask(good(OPERATION_VOLUME_UPLOAD, "v"), grow, &p), ERROR_NONE);
        CHECK_EQ(p.charge, 10000 - 4096);
        CHECK_EQ(p.n_checks, 2);
        CHECK_STREQ(p.checks[1].action, "volume-resize");
        prepared_done(&p);
        CHECK_EQ(ask(good(OPERATION_VOLUME_UPLOAD, "v"), word("grow", "yes"), &p), ERROR_NONE);
        CHECK_EQ(p.charge, pool->available); /* nobody knows how long it will be */
        prepared_done(&p);
        end();
}

/* They differ in what is declared, not in what is written. */
static void raw_and_iso(void)
{
        static const struct {
                const char *volume, *format;
                ErrorKind wanted;
        } cases[] = {
                { "v", "iso", ERROR_INVALID_ARGS },
                { "image", "iso", ERROR_INVALID_ARGS },
                { "cd", "raw", ERROR_INVALID_ARGS },
                { "cd", "qcow2", ERROR_NONE },
        };
        Request r;

        begin();
        put("cd", FORMAT_ISO, 0, NULL, NULL);
        FOREACH_ELEMENT (c, cases) {
                r = good(OPERATION_VOLUME_CONVERT, c->volume);
                r.format = c->format;
                refused(r, NULL, c->wanted);
        }
        end();
}

/* Of few volumes polkit is asked one by one, of many once, and as of an administrator's. */
static void conversions_of_a_pool(void)
{
        Request r = { .operation = OPERATION_POOL_CONVERT, .format = "qcow2" };
        _cleanup_prepared_ Prepared p = {};
        char name[16];

        begin();
        r.pool = pool;
        CHECK_EQ(ask(r, NULL, &p), ERROR_NONE);
        CHECK_EQ(strv_length(bag_get_strv(p.args, "volumes")), 6); /* raw ones */
        CHECK_EQ(bag_get_u64(p.args, "bytes", 0), 6 * 4096);
        CHECK_EQ(p.n_checks, 6);
        CHECK_STREQ(p.checks[5].action, "volume-write");
        prepared_done(&p);
        for (unsigned i = 0; i < CONVERSIONS_ASKED_MAX; i++) {
                (void)snprintf(name, sizeof(name), "n%u", i);
                put(name, FORMAT_RAW, 0, NULL, NULL);
        }
        CHECK_EQ(ask(r, NULL, &p), ERROR_NONE);
        CHECK_EQ(p.n_checks, 1);
        CHECK_STREQ(p.checks[0].action, "pool-define");
        r.format = "vmdk";
        refused(r, NULL, ERROR_INVALID_ARGS);
        end();
}

int main(int argc, char **argv)
{
        core_main(argc, argv);
        RUN(states_of_volumes);
        RUN(words);
        RUN(overlays);
        RUN(clones_and_moves);
        RUN(imports);
        RUN(snapshots);
        RUN(actions);
        RUN(quotas);
        RUN(raw_and_iso);
        RUN(conversions_of_a_pool);
        return 0;
}
