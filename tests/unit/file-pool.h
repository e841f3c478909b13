/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A started pool of type dir in the test's directory: files in ./pool, state in ./state. */
#pragma once

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "directory.h"
#include "fake-ctx.h"

static Ctx *pool;

static inline void pool_start(void)
{
        char target[128], state[128];

        if (pool)
                fake_ctx_free(pool);
        (void)snprintf(target, sizeof(target), "%s/pool", test_directory_path);
        (void)snprintf(state, sizeof(state), "%s/state", test_directory_path);
        pool = fake_ctx_new(state, target);
        pool->user_mode = geteuid() != 0;
        CHECK_OK(poolkeeper_backend.build(pool, false));
        CHECK_OK(poolkeeper_backend.start(pool));
        fake_ctx_reset(pool);
}

static inline void pool_end(void)
{
        fake_ctx_free(pool);
        pool = NULL;
}

/* Options from "key", "value" pairs of strings, ended by NULL; numbers and booleans as their tables would
 * make them. */
static inline Bag *words(const char *key, ...)
{
        Bag *b = bag_new();
        va_list ap;

        va_start(ap, key);
        for (const char *k = key; k; k = va_arg(ap, const char *)) {
                const char *v = va_arg(ap, const char *);
                char *end;
                unsigned long long n = strtoull(v, &end, 0);

                if (streq(v, "yes") || streq(v, "no"))
                        CHECK_OK(bag_set_bool(b, k, streq(v, "yes")));
                else if (!*end && !streq(k, "compat"))
                        CHECK_OK(streq(k, "allocation") || streq(k, "cluster_size")
                                         ? bag_set_u64(b, k, n)
                                         : bag_set_u32(b, k, (uint32_t)n));
                else
                        CHECK_OK(bag_set_string(b, k, v));
        }
        va_end(ap);
        return b;
}

static inline int create(const char *name, uint64_t capacity, Bag *options /* taken */)
{
        int r;

        fake_ctx_reset(pool);
        r = poolkeeper_backend.volume_create(pool, name, capacity, options, 1000);
        bag_free(options);
        return r;
}

static inline int clone_volume(const char *name, const char *source, uint64_t capacity,
                               Bag *options /* taken */)
{
        int r;

        fake_ctx_reset(pool);
        r = poolkeeper_backend.volume_clone(pool, name, source, capacity, NULL, options, 1000);
        bag_free(options);
        return r;
}

static inline int look(const char *name)
{
        fake_ctx_reset(pool);
        return poolkeeper_backend.volume_stat(pool, name);
}

static inline void write_at(const char *path, off_t at, const void *data, size_t size)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        CHECK(fd >= 0);
        CHECK_EQ(pwrite(fd, data, size, at), (ssize_t)size);
        CHECK_OK(close(fd));
}

/* Entries of ./pool besides . and .., temporary ones too. */
static inline int entries(void)
{
        FILE *f = popen("ls -A pool | wc -l", "r");
        int n = -1;

        CHECK(f && fscanf(f, "%d", &n) == 1);
        (void)pclose(f);
        return n;
}
