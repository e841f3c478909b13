/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A test program is a main() of RUN(case) lines; a case is a `static void case_name(void)` of CHECKs.
 * It prints "ok NAME", "skip NAME: reason" or "not ok NAME: where and what"; the first failure ends it with
 * status 1. */
#pragma once

#include "util/error.h"

#include <inttypes.h>

static const char *test_name = "?";
static bool test_skipped;

#define TEST_FAIL(format, ...)                                                                        \
        do {                                                                                          \
                printf("not ok %s: %s:%d: " format "\n", test_name, __FILE__, __LINE__, __VA_ARGS__); \
                fflush(stdout);                                                                       \
                _exit(1);                                                                             \
        } while (0)

#define CHECK(condition)                             \
        do {                                         \
                if (!(condition))                    \
                        TEST_FAIL("%s", #condition); \
        } while (0)

/* Integers of any type up to 64 bits. */
#define CHECK_EQ(a, b)                                                                            \
        do {                                                                                      \
                typeof(a) _a = (a);                                                               \
                typeof(b) _b = (b);                                                               \
                if ((intmax_t)_a != (intmax_t)_b)                                                 \
                        TEST_FAIL("%s is %jd, not %jd (%s)", #a, (intmax_t)_a, (intmax_t)_b, #b); \
        } while (0)

/* Either may be NULL. */
#define CHECK_STREQ(a, b)                                                                          \
        do {                                                                                       \
                const char *_a = (a), *_b = (b);                                                   \
                if (!streq_ptr(_a, _b))                                                            \
                        TEST_FAIL("%s is \"%s\", not \"%s\"", #a, _a ?: "(null)", _b ?: "(null)"); \
        } while (0)

/* A call that returns a negative errno on failure. */
#define CHECK_OK(call)                                                  \
        do {                                                            \
                intmax_t _r = (call);                                   \
                if (_r < 0)                                             \
                        TEST_FAIL("%s: %s", #call, strerror((int)-_r)); \
        } while (0)

/* A call that must fail with this kind of error in `e`, which is emptied for the next one. */
#define CHECK_ERROR(call, e, wanted)                                                                \
        do {                                                                                        \
                intmax_t _r = (call);                                                               \
                if (_r >= 0)                                                                        \
                        TEST_FAIL("%s succeeded", #call);                                           \
                if ((e)->kind != (wanted) || isempty((e)->message) || _r != error_errno(e))         \
                        TEST_FAIL("%s: %s: %s", #call, error_kind_to_name((e)->kind) ?: "no error", \
                                  (e)->message ?: "-");                                             \
                error_done(e);                                                                      \
        } while (0)

#define SKIP(reason)                                          \
        do {                                                  \
                printf("skip %s: %s\n", test_name, (reason)); \
                test_skipped = true;                          \
                return;                                       \
        } while (0)

static inline void test_run(const char *name, void (*test)(void))
{
        test_name = name;
        test_skipped = false;
        test();
        if (!test_skipped)
                printf("ok %s\n", name);
        fflush(stdout);
}

#define RUN(test) test_run(#test, test)
