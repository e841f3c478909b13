/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "glob.h"

#include "test.h"

#include <fnmatch.h>
#include <time.h>

static void matches_like_fnmatch(void)
{
        static const char *const patterns[] = { "",       "*",     "?",       "a*",     "*a",    "a?c",
                                                "[abc]*", "[!a]*", "a[b-d]e", "\\*a",   "**a**", "[]a]*",
                                                "[a-]",   "a*b*c", "*.img",   "[^b]??", "*[0-9]" };
        static const char *const texts[] = { "",   "a", "b",     "abc",   "acc", "ace", "*a",
                                             "]x", "-", "aXbYc", "x.img", "ab",  "a9" };

        FOREACH_ELEMENT (p, patterns)
                FOREACH_ELEMENT (t, texts)
                        if (glob_match(*p, *t) != (fnmatch(*p, *t, 0) == 0))
                                TEST_FAIL("'%s' and '%s': %d", *p, *t, glob_match(*p, *t));
}

static void a_question_mark_is_a_character(void)
{
        CHECK(glob_match("a?b", "a\xc3\xa9"
                                "b"));
        CHECK(!glob_match("a??b", "a\xc3\xa9"
                                  "b"));
        CHECK(glob_match("*b", "\xc3\xa9"
                               "b"));
}

static void validity(void)
{
        char longest[GLOB_BYTES_MAX + 2];

        memset(longest, 'a', sizeof(longest));
        longest[sizeof(longest) - 1] = '\0';
        CHECK(!glob_is_valid(longest));
        longest[GLOB_BYTES_MAX] = '\0';
        CHECK(glob_is_valid(longest));
        CHECK(glob_is_valid("a*[!b-]\\["));
        CHECK(!glob_is_valid("a["));
        CHECK(!glob_is_valid("[]"));
        CHECK(!glob_is_valid("a\\"));
}

/* What takes fnmatch(3) for ever. */
static void hostile_pattern_is_cheap(void)
{
        char pattern[GLOB_BYTES_MAX + 1], text[256];
        clock_t start = clock();

        for (size_t i = 0; i < GLOB_BYTES_MAX; i++)
                pattern[i] = i % 2 ? 'a' : '*';
        pattern[GLOB_BYTES_MAX - 1] = 'b';
        pattern[GLOB_BYTES_MAX] = '\0';
        memset(text, 'a', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        for (unsigned i = 0; i < 100; i++)
                CHECK(!glob_match(pattern, text));
        CHECK(clock() - start < CLOCKS_PER_SEC);
}

int main(void)
{
        RUN(matches_like_fnmatch);
        RUN(a_question_mark_is_a_character);
        RUN(validity);
        RUN(hostile_pattern_is_cheap);
        return 0;
}
