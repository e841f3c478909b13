/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The directory of a pool: built, refused, recognised, removed. */
#include "file-pool.h"

#include <sys/mount.h>

static Error *error(void)
{
        return &pool->error;
}

static void target(const char *path)
{
        char absolute[256];

        (void)snprintf(absolute, sizeof(absolute), "%s/%s", test_directory_path, path);
        CHECK_OK(bag_set_string(pool->options, "target.path", absolute));
}

static int start(void)
{
        fake_ctx_reset(pool);
        (void)poolkeeper_backend.stop(pool);
        return poolkeeper_backend.start(pool);
}

static void build(void)
{
        struct stat st;

        target("a/b/c");
        CHECK_ERROR(start(), error(), ERROR_SOURCE_UNREACHABLE);
        (void)umask(077);
        CHECK_OK(bag_set_u32(pool->options, "target.permissions.mode", 0751));
        CHECK_OK(poolkeeper_backend.build(pool, false));
        CHECK_OK(stat("a/b/c", &st));
        CHECK_EQ(st.st_mode & 07777, 0751);
        bag_remove(pool->options, "target.permissions.mode");
        CHECK_OK(poolkeeper_backend.build(pool, false)); /* there already */
        CHECK_OK(stat("a/b/c", &st));
        CHECK_EQ(st.st_mode & 07777, 0751);
        CHECK_OK(start());
        CHECK_OK(create("volume", 4096, words(NULL)));
        CHECK_ERROR(poolkeeper_backend.delete(pool), error(), ERROR_IN_USE);
        CHECK_OK(poolkeeper_backend.volume_delete(pool, "volume", NULL));
        CHECK_OK(poolkeeper_backend.delete(pool));
        CHECK(access("a/b/c", F_OK) < 0);
        CHECK_OK(access("a/b", F_OK));
        CHECK_OK(poolkeeper_backend.delete(pool));
        CHECK_OK(poolkeeper_backend.build(pool, false));
        CHECK_OK(stat("a/b/c", &st));
        CHECK_EQ(st.st_mode & 07777, 0711);
        (void)umask(022);
}

static void not_started(void)
{
        CHECK_OK(start());
        CHECK_OK(poolkeeper_backend.stop(pool));
        CHECK_ERROR(create("x", 1, words(NULL)), error(), ERROR_POOL_INACTIVE);
}

static void no_directory(void)
{
        write_at("file", 0, "x", 1);
        target("file");
        CHECK_ERROR(start(), error(), ERROR_SOURCE_UNREACHABLE);
        CHECK_OK(bag_set_string(pool->options, "target.path", "/"));
        CHECK_ERROR(start(), error(), ERROR_INVALID_DEFINITION);
        CHECK_OK(symlink("round", "round"));
        target("round");
        CHECK_ERROR(start(), error(), ERROR_SOURCE_UNREACHABLE);
}

static void unsafe(void)
{
        if (geteuid() != 0)
                SKIP("only the system service refuses");
        CHECK_OK(mkdir("open", 0700));
        CHECK_OK(chmod("open", 0777));
        CHECK_OK(mkdir("open/pool", 0700));
        target("open/pool");
        CHECK_ERROR(start(), error(), ERROR_ACCESS_DENIED);
        CHECK_OK(chmod("open", 01777));
        CHECK_OK(start());
        CHECK_OK(chown("open/pool", 1000, 1000)); /* who could put a link in its place */
        CHECK_ERROR(start(), error(), ERROR_ACCESS_DENIED);
        CHECK_OK(chown("open/pool", 0, 0));
        CHECK_OK(mkdir("safe", 0755));
        CHECK_OK(symlink("../open/pool", "safe/link"));
        target("safe/link");
        CHECK_OK(start());
        CHECK_OK(chmod("open", 0777)); /* on the way of a link */
        CHECK_ERROR(start(), error(), ERROR_ACCESS_DENIED);
        CHECK_OK(chmod("open", 0755));
        CHECK_OK(chown("open", 1000, 0));
        CHECK_ERROR(start(), error(), ERROR_ACCESS_DENIED);
        pool->user_mode = true;
        CHECK_OK(start());
        pool->user_mode = false;
        CHECK_OK(lchown("safe/link", 1000, 1000));
        CHECK_OK(chmod("safe", 01777));
        CHECK_OK(chown("open", 0, 0));
        CHECK_ERROR(start(), error(), ERROR_ACCESS_DENIED);
}

/* Nothing lands in the directory below a mount that is gone, also not by a start that only retries. */
static void unmounted(void)
{
        if (geteuid() != 0)
                SKIP("needs to mount");
        CHECK_OK(mkdir("mount", 0755));
        if (mount("tmpfs", "mount", "tmpfs", 0, "size=4m") < 0)
                SKIP("cannot mount a tmpfs");
        target("mount");
        CHECK_OK(start());
        CHECK_OK(create("x", 4096, words(NULL)));
        CHECK_OK(umount("mount"));
        CHECK_ERROR(create("y", 4096, words(NULL)), error(), ERROR_SOURCE_UNREACHABLE);
        CHECK_ERROR(poolkeeper_backend.start(pool), error(), ERROR_SOURCE_UNREACHABLE);
        CHECK_OK(start()); /* stopped in between */
}

int main(void)
{
        test_directory();
        pool_start();
        RUN(build);
        RUN(not_started);
        RUN(no_directory);
        RUN(unsafe);
        RUN(unmounted);
        pool_end();
        return 0;
}
