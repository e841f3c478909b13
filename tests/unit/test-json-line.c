/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json-line.h"

#include "test.h"

#include <json.h>

static void members(void)
{
        static const char odd[] = "a\"b\\c\n\x01\xc3\xa9";
        JsonLine j = {};
        json_object *o;

        json_line_begin(&j);
        json_line_string(&j, "Name", odd);
        json_line_string(&j, "Empty", "");
        json_line_number(&j, "Zero", 0);
        json_line_number(&j, "Most", UINT64_MAX);
        json_line_bool(&j, "Yes", true);
        CHECK_OK(json_line_end(&j));
        CHECK_EQ(j.text[j.size - 1], '\n');
        CHECK_EQ(memchr(j.text, '\n', j.size) == j.text + j.size - 1, true);
        j.text[j.size - 1] = '\0';
        o = json_tokener_parse(j.text);
        CHECK(o);
        CHECK_STREQ(json_object_get_string(json_object_object_get(o, "Name")), odd);
        CHECK_STREQ(json_object_get_string(json_object_object_get(o, "Empty")), "");
        CHECK_EQ(json_object_get_uint64(json_object_object_get(o, "Zero")), 0u);
        CHECK(json_object_get_uint64(json_object_object_get(o, "Most")) == UINT64_MAX);
        CHECK(json_object_get_boolean(json_object_object_get(o, "Yes")));
        json_object_put(o);
        json_line_done(&j);
}

static void many_lines(void)
{
        JsonLine j = {};
        size_t lines = 0;

        for (unsigned i = 0; i < 20000; i++) {
                json_line_begin(&j);
                json_line_number(&j, "I", i);
                CHECK_OK(json_line_end(&j));
        }
        for (size_t i = 0; i < j.size; i++)
                lines += j.text[i] == '\n';
        CHECK_EQ(lines, 20000u);
        json_line_done(&j);
}

int main(void)
{
        RUN(members);
        RUN(many_lines);
        return 0;
}
