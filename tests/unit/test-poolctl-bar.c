/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bar.h"

#include "test.h"

#define SECOND UINT64_C(1000000)

static json_object *job(const char *text)
{
        json_object *o = json_tokener_parse(text);

        CHECK(o);
        return o;
}

static void times_left(void)
{
        char text[TIME_LEFT_MAX];

        CHECK_STREQ(time_left_format(12 * SECOND, 0, text), "0:12");
        CHECK_STREQ(time_left_format(12 * SECOND + 1, 0, text), "0:13");
        CHECK_STREQ(time_left_format(5 * SECOND, 9 * SECOND, text), "0:00");
        CHECK_STREQ(time_left_format(3723 * SECOND, 0, text), "1:02:03");
}

static void a_line_has_all(void)
{
        _cleanup_json_ json_object *half = job("{\"Operation\": \"volume-upload\", \"ProgressValid\": true, "
                                               "\"Progress\": 0.5, \"Rate\": 1048576, "
                                               "\"ExpectedEndTimeUSec\": 3000000}");
        _cleanup_free_ char *line = bar_format(half, "images/web1", SECOND, 200);

        CHECK_STREQ(line,
                    "volume-upload images/web1 [###############               ]  50% 1.0 MiB/s 0:02 left");
}

static void what_is_not_known_is_left_out(void)
{
        _cleanup_json_ json_object *queued = job("{\"Operation\": \"volume-wipe\", \"State\": \"queued\"}"),
                                   *stalled = job("{\"Operation\": \"volume-wipe\", \"State\": \"running\", "
                                                  "\"Stalled\": true}");
        _cleanup_free_ char *line = bar_format(queued, "a/b", SECOND, 200),
                            *other = bar_format(stalled, "a/b\x1b", SECOND, 200);

        CHECK_STREQ(line, "volume-wipe a/b: queued");
        CHECK_STREQ(other, "volume-wipe a/b\\x1B: running (stalled)");
}

int main(void)
{
        RUN(times_left);
        RUN(a_line_has_all);
        RUN(what_is_not_known_is_left_out);
        return 0;
}
