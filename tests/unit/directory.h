/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A directory of the test's own, in which it then stands. */
#pragma once

#include "test.h"

#include <ftw.h>

static char test_directory_path[] = "/tmp/poolkeeper-test.XXXXXX";

static inline int test_directory_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        return remove(path);
}

static inline void test_directory_remove(void)
{
        CHECK_OK(chdir("/"));
        (void)nftw(test_directory_path, test_directory_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void test_directory(void)
{
        CHECK(mkdtemp(test_directory_path));
        CHECK_OK(chdir(test_directory_path));
        atexit(test_directory_remove);
}
