/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/bag.h"

#include "test.h"

static void lists(void)
{
        _cleanup_strv_ char **l = NULL, **copy = NULL, **empty = NULL;

        CHECK_EQ(strv_length(NULL), 0);
        CHECK(!strv_contains(NULL, "a"));
        CHECK_OK(strv_append(&l, "a"));
        CHECK_OK(strv_append(&l, ""));
        CHECK_OK(strv_append(&l, "b"));
        CHECK_EQ(strv_length(l), 3);
        CHECK(strv_contains(l, "b"));
        CHECK(strv_contains(l, ""));
        CHECK(!strv_contains(l, "c"));
        copy = strv_copy(l);
        CHECK_EQ(strv_length(copy), 3);
        CHECK(copy[0] != l[0]);
        CHECK_STREQ(copy[2], "b");
        empty = strv_copy(NULL);
        CHECK(empty);
        CHECK_EQ(strv_length(empty), 0);
}

int main(void)
{
        RUN(lists);
        return 0;
}
