/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "glob.h"

#include <stddef.h>
#include <string.h>

static const char *next_character(const char *s)
{
        s++;
        while (((unsigned char)*s & 0xc0) == 0x80)
                s++;
        return s;
}

/* `set` stands behind '['. Returns what follows the ']', NULL: there is none. */
static const char *match_set(const char *set, char c, bool *ret_match)
{
        bool negated = *set == '!' || *set == '^', found = false;

        set += negated;
        for (const char *first = set; *set && (*set != ']' || set == first); set++) {
                unsigned char low = (unsigned char)*set, high = low;

                if (set[1] == '-' && set[2] && set[2] != ']') {
                        high = (unsigned char)set[2];
                        set += 2;
                }
                found = found || (low <= (unsigned char)c && (unsigned char)c <= high);
        }
        if (*set != ']')
                return NULL;
        *ret_match = found != negated;
        return set + 1;
}

/* One character of the pattern that is no '*'. Returns the rest of the pattern, NULL: no match. */
static const char *match_one(const char *pattern, const char *text)
{
        bool match = false;

        switch (*pattern) {
        case '\0':
                return NULL;
        case '?':
                return pattern + 1;
        case '[':
                pattern = match_set(pattern + 1, *text, &match);
                return match ? pattern : NULL;
        case '\\':
                pattern += pattern[1] != '\0';
                break;
        }
        return *pattern == *text ? pattern + 1 : NULL;
}

/* On a mismatch only the last '*' has to take one character more: earlier ones cannot help. */
bool glob_match(const char *pattern, const char *text)
{
        const char *star = NULL, *retry = NULL;

        while (*text) {
                const char *rest;

                if (*pattern == '*') {
                        star = ++pattern;
                        retry = text;
                        continue;
                }
                rest = match_one(pattern, text);
                if (rest) {
                        text = *pattern == '?' || *pattern == '[' ? next_character(text) : text + 1;
                        pattern = rest;
                } else if (star) {
                        pattern = star;
                        text = retry = next_character(retry);
                } else
                        return false;
        }
        while (*pattern == '*')
                pattern++;
        return !*pattern;
}

bool glob_is_valid(const char *pattern)
{
        bool match;

        if (strlen(pattern) > GLOB_BYTES_MAX)
                return false;
        while (pattern && *pattern) {
                if (*pattern == '\\' && !pattern[1])
                        return false;
                pattern = *pattern == '[' ? match_set(pattern + 1, 'x', &match)
                                          : pattern + (*pattern == '\\' ? 2 : 1);
        }
        return pattern != NULL;
}
