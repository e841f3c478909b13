/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/socket.h>

#include "bar.h"
#include "monitor-line.h"
#include "test.h"
#include "volume-rows.h"

static void modes(void)
{
        CHECK_EQ(json_mode_from_string("off"), JSON_OFF);
        CHECK_EQ(json_mode_from_string("short"), JSON_SHORT);
        CHECK_EQ(json_mode_from_string("pretty"), JSON_PRETTY);
        CHECK_EQ(json_mode_from_string("long"), _JSON_MODE_INVALID);
}

/* A message needs a bus that was started; nobody reads at its other end. */
static sd_bus_message *new_message(sd_bus **ret_bus)
{
        sd_bus_message *m = NULL;
        int pair[2];

        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
        CHECK_OK(sd_bus_new(ret_bus));
        CHECK_OK(sd_bus_set_fd(*ret_bus, pair[0], pair[0]));
        CHECK_OK(sd_bus_start(*ret_bus));
        CHECK_OK(sd_bus_message_new_signal(*ret_bus, &m, "/", "a.b", "C"));
        return m;
}

static void every_type(void)
{
        static const char wanted[] =
                "{\"s\":\"x\",\"b\":true,\"t\":18446744073709551614,\"none\":null,\"u\":7,\"nobody\":null,"
                "\"d\":0.5,\"e\":[\"name\",\"text\"],\"as\":[\"a\",\"b\"],\"v\":{\"k\":1}}";
        sd_bus *bus = NULL;
        sd_bus_message *m = new_message(&bus);
        _cleanup_json_ json_object *o = NULL;
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f;

        CHECK_OK(sd_bus_message_append(m, "a{sv}", 10, "s", "s", "x", "b", "b", 1, "t", "t", UINT64_MAX - 1,
                                       "none", "t", UINT64_MAX, "u", "u", 7, "nobody", "u", UINT32_MAX, "d",
                                       "d", 0.5, "e", "(ss)", "name", "text", "as", "as", 2, "a", "b", "v",
                                       "a{sv}", 1, "k", "y", 1));
        CHECK_OK(sd_bus_message_seal(m, 1, 0));
        CHECK_OK(json_from_message(m, &o));
        f = open_memstream(&text, &size);
        json_print(o, JSON_SHORT, f);
        fclose(f);
        text[strlen(text) - 1] = 0; /* the newline */
        CHECK_STREQ(text, wanted);
        CHECK_STREQ(json_get_string(o, "s"), "x");
        CHECK_STREQ(json_get_string(o, "t"), NULL);
        CHECK_EQ(json_get_u64(o, "u"), 7);
        CHECK(json_get_u64(o, "none") == UINT64_MAX);
        CHECK(json_get_bool(o, "b") && !json_get_bool(o, "absent"));
        sd_bus_message_unref(m);
        sd_bus_unref(bus);
}

static void the_end_is_an_error(void)
{
        sd_bus *bus = NULL;
        sd_bus_message *m;
        json_object *o = NULL;

        m = new_message(&bus);
        CHECK_OK(sd_bus_message_append(m, "a{sg}", 1, "k", "s"));
        CHECK_OK(sd_bus_message_seal(m, 1, 0));
        CHECK_OK(json_from_message(m, &o));
        CHECK_EQ(json_from_message(m, &o), -ENXIO); /* the end */
        json_object_put(o);
        sd_bus_message_unref(m);
        sd_bus_unref(bus);
}

#define ROWS                                                                   \
        "{\"Name\":\"b\",\"Capacity\":1,\"MTimeUSec\":3}\n"                    \
        "{\"Name\":\"a\",\"Capacity\":18446744073709551615,\"MTimeUSec\":2}\n" \
        "{\"Name\":\"c\",\"Capacity\":1,\"MTimeUSec\":1}\n"

static const char *name_at(json_object *list, size_t i)
{
        return json_get_string(json_object_array_get_idx(list, i), "Name");
}

static void rows_are_read_and_ordered(void)
{
        _cleanup_json_ json_object *list = json_object_new_array();

        CHECK_OK(volume_rows_parse(ROWS, strlen(ROWS), "images", list));
        CHECK_EQ(json_object_array_length(list), 3);
        CHECK_STREQ(json_get_string(json_object_array_get_idx(list, 1), "Pool"), "images");
        CHECK(json_get_u64(json_object_array_get_idx(list, 1), "Capacity") == UINT64_MAX);
        CHECK_OK(volume_rows_sort(list, "name", false));
        CHECK_STREQ(name_at(list, 0), "a");
        CHECK_OK(volume_rows_sort(list, "capacity", false));
        CHECK_STREQ(name_at(list, 0), "b"); /* equal: by name */
        CHECK_STREQ(name_at(list, 2), "a"); /* unknown: last */
        CHECK_OK(volume_rows_sort(list, "mtime", true));
        CHECK_STREQ(name_at(list, 0), "b");
        CHECK_STREQ(name_at(list, 2), "c");
        CHECK_EQ(volume_rows_sort(list, "colour", false), -EINVAL);
}

static void broken_rows_are_refused(void)
{
        static const char *const wrong[] = { "{\"Name\":", "[1]\n", "\n", "{} {}\n[]\n" };

        FOREACH_ELEMENT (w, wrong) {
                _cleanup_json_ json_object *list = json_object_new_array();

                CHECK_EQ(volume_rows_parse(*w, strlen(*w), "p", list), -EBADMSG);
        }
}

static json_object *job(const char *text)
{
        json_object *o = json_tokener_parse(text);

        CHECK(o);
        return o;
}

static void bars(void)
{
        _cleanup_json_ json_object
                *known = job("{\"Operation\":\"volume-create\",\"State\":\"running\",\"Progress\":0.5,"
                             "\"ProgressValid\":true,\"Rate\":1073741824,"
                             "\"ExpectedEndTimeUSec\":100000000}"),
                *unknown = job("{\"Operation\":\"pool-refresh\",\"State\":\"queued\",\"Stalled\":true}");
        _cleanup_free_ char *bar = bar_format(known, "images/a\n", 25000000, SIZE_MAX),
                            *state = bar_format(unknown, "images", 0, SIZE_MAX),
                            *cut = bar_format(unknown, "images", 0, 10);

        CHECK_STREQ(bar,
                    "volume-create images/a\\x0A [###############               ]  50% 1.0 GiB/s 1:15 left");
        CHECK_STREQ(state, "pool-refresh images: queued (stalled)");
        CHECK_STREQ(cut, "pool-refr…");
}

static char *monitor_line(const char *event, JsonMode mode)
{
        _cleanup_json_ json_object *o = job(event);
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        monitor_line_print(o, mode, f);
        fclose(f);
        return text;
}

static void monitor_lines(void)
{
        static const char event[] =
                "{\"TimeUSec\":1234567,\"Event\":\"volume-changed\",\"Pool\":\"p\",\"Volume\":\"v\\n\","
                "\"Data\":{\"Capacity\":5,\"Error\":\"\\u001b[2J\"}}";
        _cleanup_free_ char *line = monitor_line(event, JSON_OFF), *json = monitor_line(event, JSON_PRETTY),
                            *finished = monitor_line("{\"TimeUSec\":0,\"Event\":\"job-removed\",\"Job\":3}",
                                                     JSON_OFF),
                            *added = monitor_line(
                                    "{\"TimeUSec\":0,\"Event\":\"job-added\",\"Job\":3,\"Pool\":\"p\","
                                    "\"Volume\":\"v\",\"Data\":{\"Id\":3,\"Operation\":\"volume-clone\"}}",
                                    JSON_OFF);

        CHECK_STREQ(line, "00:00:01.234 volume-changed p/v\\x0A Capacity=5 Error=\\x1B[2J\n");
        CHECK_STREQ(added, "00:00:00.000 job-added 3 p/v Operation=volume-clone\n");
        CHECK_STREQ(finished, "00:00:00.000 job-removed 3\n");
        CHECK_EQ(strlen(json), strlen(event) + 1);
        CHECK(startswith(json, event) && strchr(json, '\n') == json + strlen(event)); /* one line */
}

int main(void)
{
        CHECK_OK(setenv("TZ", "UTC", 1));
        RUN(modes);
        RUN(every_type);
        RUN(the_end_is_an_error);
        RUN(rows_are_read_and_ordered);
        RUN(broken_rows_are_refused);
        RUN(bars);
        RUN(monitor_lines);
        return 0;
}
