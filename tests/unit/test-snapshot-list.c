/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/snapshot-list.h"

#include "test.h"

static void round_trip(void)
{
        _cleanup_free_ char *list = NULL;
        const char *at;
        SnapshotInfo s;

        CHECK_OK(snapshot_list_add(&list, SNAPSHOT_INTERNAL, 17, 4096, "before upgrade"));
        CHECK_OK(snapshot_list_add(&list, SNAPSHOT_FILE, 18, UINT64_MAX, "2"));
        CHECK_STREQ(list, "internal 17 4096 before upgrade/file 18 18446744073709551615 2");
        CHECK(snapshot_list_is_valid(list));
        at = list;
        CHECK_EQ(snapshot_list_next(&at, &s), 1);
        CHECK_EQ(s.created_usec, 17);
        CHECK_EQ(s.name_length, strlen("before upgrade"));
        CHECK_EQ(snapshot_list_next(&at, &s), 1);
        CHECK_EQ(s.kind, SNAPSHOT_FILE);
        CHECK_EQ(s.size, UINT64_MAX);
        CHECK_EQ(snapshot_list_next(&at, &s), 0);
        CHECK(snapshot_list_find(list, "2", &s));
        CHECK(!snapshot_list_find(list, "before", &s));
}

static void malformed(void)
{
        static const char *const bad[] = { "x 1 2 a",
                                           "internal 1 a",
                                           "internal 1 2 ",
                                           "internal 1 2 a/",
                                           "internal -1 2 a",
                                           "internal 99999999999999999999999 2 a",
                                           "file 1 2 a//file 1 2 b" };

        FOREACH_ELEMENT (text, bad)
                CHECK(!snapshot_list_is_valid(*text));
        CHECK(snapshot_list_is_valid(NULL));
        CHECK(snapshot_list_is_valid(""));
        CHECK_EQ(snapshot_list_add(&(char *){ NULL }, SNAPSHOT_FILE, 1, 2, "a/b"), -EINVAL);
}

int main(void)
{
        RUN(round_trip);
        RUN(malformed);
        return 0;
}
