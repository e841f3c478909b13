/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shell patterns with a bounded cost: fnmatch(3) is exponential on patterns that somebody chose for that. */
#pragma once

#include <stdbool.h>

#define GLOB_BYTES_MAX 255u

/* '*' any characters, '?' one character (of UTF-8), [abc] [a-z] [!a] sets of ASCII characters, '\' takes the
 * next one as it is. Time is at most the product of the lengths. */
bool glob_match(const char *pattern, const char *text);

/* False for a pattern that is too long, or has an open '[' or a '\' at its end. */
bool glob_is_valid(const char *pattern);
