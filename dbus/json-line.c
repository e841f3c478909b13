/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json-line.h"

static void append(JsonLine *j, const char *text, size_t n)
{
        if (j->failed)
                return;
        if (j->allocated - j->size < n) {
                size_t allocated = MAX(j->allocated * 2, MAX(j->size + n, (size_t)64 * 1024));
                char *bigger = realloc(j->text, allocated);

                if (!bigger) {
                        j->failed = true;
                        return;
                }
                j->text = bigger;
                j->allocated = allocated;
        }
        memcpy(j->text + j->size, text, n);
        j->size += n;
}

static void append_key(JsonLine *j, const char *key)
{
        append(j, j->first ? "\"" : ",\"", j->first ? 1 : 2);
        append(j, key, strlen(key));
        append(j, "\":", 2);
        j->first = false;
}

/* RFC 8259, section 7: the quotation mark, the backslash and the control characters must be escaped. */
static void append_escaped(JsonLine *j, const char *value)
{
        while (*value) {
                size_t plain = 0;

                while ((unsigned char)value[plain] >= 0x20 && value[plain] != '"' && value[plain] != '\\')
                        plain++;
                append(j, value, plain);
                value += plain;
                if (*value) {
                        char escape[8];
                        int n = *value == '"' || *value == '\\'
                                        ? snprintf(escape, sizeof(escape), "\\%c", *value)
                                        : snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char)*value);

                        append(j, escape, (size_t)n);
                        value++;
                }
        }
}

void json_line_begin(JsonLine *j)
{
        append(j, "{", 1);
        j->first = true;
}

void json_line_string(JsonLine *j, const char *key, const char *value)
{
        append_key(j, key);
        append(j, "\"", 1);
        append_escaped(j, value);
        append(j, "\"", 1);
}

void json_line_number(JsonLine *j, const char *key, uint64_t value)
{
        char digits[20];
        size_t at = sizeof(digits);

        do
                digits[--at] = (char)('0' + value % 10);
        while ((value /= 10) > 0);
        append_key(j, key);
        append(j, digits + at, sizeof(digits) - at);
}

void json_line_bool(JsonLine *j, const char *key, bool value)
{
        append_key(j, key);
        append(j, value ? "true" : "false", value ? 4 : 5);
}

int json_line_end(JsonLine *j)
{
        append(j, "}\n", 2);
        return j->failed ? -ENOMEM : 0;
}

void json_line_done(JsonLine *j)
{
        free(j->text);
}
