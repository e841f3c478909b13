/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of volumes as JSON arrays, without a bus. */
#pragma once

#include "json.h"

/* Lines of JSON objects, as DumpVolumes hands out; each gets a member "Pool". -EBADMSG for anything else. */
int volume_rows_parse(const char *text, size_t size, const char *pool, json_object *ret);

/* Orders by "name", "capacity", "allocation" or "mtime", and then by pool and name. -EINVAL for another key.
 */
int volume_rows_sort(json_object *list, const char *key, bool reverse);
