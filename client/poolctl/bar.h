/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The line that shows how far a job is. */
#pragma once

#include "json.h"

/* "0:12" or "1:02:03" until `end`, both in µs of the wall clock. */
#define TIME_LEFT_MAX 48
const char *time_left_format(uint64_t end, uint64_t now, char buffer[static TIME_LEFT_MAX]);

/* "volume-create images/web1 [####      ] 42% 1.2 GiB/s 0:12 left", cut to `width` columns, from the
 * properties of a Job. `now_usec` is the wall clock. A new string; NULL: out of memory. */
char *bar_format(json_object *job, const char *object, uint64_t now_usec, size_t width);
