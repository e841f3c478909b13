/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/object-path.h"

#include "test.h"

static void names_return(void)
{
        static const char *const names[] = { "a", "web1.qcow2", "Gr\u00fc\u00dfe", "-", "a/b", "_",
                                             "1", "\\x0a" };

        FOREACH_ELEMENT (pool, names)
                FOREACH_ELEMENT (volume, names) {
                        _cleanup_free_ char *p = object_path_pool(*pool),
                                            *v = object_path_volume(*pool, *volume);
                        _cleanup_free_ char *prefix = object_path_volumes(*pool), *a = NULL, *b = NULL,
                                            *c = NULL;

                        CHECK_EQ(object_path_to_pool(p, &a), 1);
                        CHECK_STREQ(a, *pool);
                        CHECK(startswith(v, prefix));
                        CHECK_EQ(object_path_to_volume(v, &b, &c), 1);
                        CHECK_STREQ(b, *pool);
                        CHECK_STREQ(c, *volume);
                }
}

static void snapshots_return(void)
{
        static const char *const names[] = { "before update", "1", "a/b", "Gr\u00fc\u00dfe" };

        FOREACH_ELEMENT (name, names) {
                _cleanup_free_ char *path = object_path_snapshot("images", "web1.qcow2", *name),
                                    *prefix = object_path_snapshots("images", "web1.qcow2"), *pool = NULL,
                                    *volume = NULL, *snapshot = NULL;

                CHECK(startswith(path, prefix));
                CHECK_EQ(object_path_to_snapshot(path, &pool, &volume, &snapshot), 1);
                CHECK_STREQ(pool, "images");
                CHECK_STREQ(volume, "web1.qcow2");
                CHECK_STREQ(snapshot, *name);
        }
}

static void other_paths(void)
{
        char *a = NULL, *b = NULL, *c = NULL;

        CHECK_EQ(object_path_to_pool(OBJECT_ROOT, &a), 0);
        CHECK_EQ(object_path_to_pool(OBJECT_POOLS, &a), 0);
        CHECK_EQ(object_path_to_pool(OBJECT_POOLS "/_", &a), 0); /* an empty name */
        CHECK_EQ(object_path_to_pool(OBJECT_POOLS "/a/b", &a), 0);
        CHECK_EQ(object_path_to_pool(OBJECT_VOLUMES "/a", &a), 0);
        CHECK_EQ(object_path_to_pool(OBJECT_POOLS "/_61", &a), 0); /* an 'a' is not escaped */
        CHECK_EQ(object_path_to_volume(OBJECT_VOLUMES "/a", &a, &b), 0);
        CHECK_EQ(object_path_to_volume(OBJECT_VOLUMES "/a/b/c", &a, &b), 0);
        CHECK_EQ(object_path_to_volume(OBJECT_POOLS "/a/b", &a, &b), 0);
        CHECK_EQ(object_path_to_volume("", &a, &b), 0);
        CHECK_EQ(object_path_to_snapshot(OBJECT_SNAPSHOTS "/a/b", &a, &b, &c), 0);
        CHECK_EQ(object_path_to_snapshot(OBJECT_SNAPSHOTS "/a/b/c/d", &a, &b, &c), 0);
        CHECK_EQ(object_path_to_snapshot(OBJECT_SNAPSHOTS "/a/_/c", &a, &b, &c), 0);
        CHECK_EQ(object_path_to_snapshot(OBJECT_VOLUMES "/a/b/c", &a, &b, &c), 0);
        CHECK(!a && !b && !c);
}

static void jobs(void)
{
        static const char *const bad[] = { OBJECT_JOBS,
                                           OBJECT_JOBS "/",
                                           OBJECT_JOBS "/x",
                                           OBJECT_JOBS "/1x",
                                           OBJECT_JOBS "/01",
                                           OBJECT_JOBS "/-1",
                                           OBJECT_JOBS "/18446744073709551616",
                                           OBJECT_POOLS "/1" };
        _cleanup_free_ char *path = object_path_job(UINT64_MAX);
        uint64_t id = 42;

        FOREACH_ELEMENT (p, bad)
                CHECK_EQ(object_path_to_job(*p, &id), 0);
        CHECK_EQ(id, 42);
        CHECK_EQ(object_path_to_job(path, &id), 1);
        CHECK(id == UINT64_MAX);
}

int main(void)
{
        RUN(names_return);
        RUN(snapshots_return);
        RUN(other_paths);
        RUN(jobs);
        return 0;
}
