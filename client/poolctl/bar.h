/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The line that shows how far a job is. */
#pragma once

#include "json.h"

/* "volume-create images/web1 [####      ] 42% 1.2 GiB/s 0:12 left", cut to `width` columns, from the
 * properties of a Job. `now_usec` is the wall clock. A new string; NULL: out of memory. */
char *bar_format(json_object *job, const char *object, uint64_t now_usec, size_t width);
