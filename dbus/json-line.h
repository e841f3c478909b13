/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON objects, one a line, appended to a buffer: the few kinds of members that a list of volumes needs,
 * fast. */
#pragma once

#include "util/macro.h"

typedef struct JsonLine {
        char *text;
        size_t size, allocated;
        bool first, failed; /* failed: out of memory, told by json_line_end() */
} JsonLine;

void json_line_begin(JsonLine *j);
/* Keys are literals that need no escapes; values are UTF-8. */
void json_line_string(JsonLine *j, const char *key, const char *value);
void json_line_number(JsonLine *j, const char *key, uint64_t value);
void json_line_bool(JsonLine *j, const char *key, bool value);
int json_line_end(JsonLine *j); /* 0 or -ENOMEM */
void json_line_done(JsonLine *j);
