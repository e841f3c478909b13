/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "monitor-line.h"

#include <time.h>

#include "text.h"

static void print_shown(FILE *f, const char *before, const char *text)
{
        _cleanup_free_ char *shown = text_printable(text ?: "");

        fprintf(f, "%s%s", before, shown ?: "?");
}

/* Of something new, people want to see what it is; JSON has the rest. */
static bool is_told_of_new(const char *key)
{
        static const char *const keys[] = { "Type",      "Format",    "Capacity", "State",
                                            "Operation", "CallerUID", "Kind" };

        FOREACH_ELEMENT (k, keys)
                if (streq(*k, key))
                        return true;
        return false;
}

static void print_data(json_object *data, bool new, FILE *f)
{
        if (!data)
                return;
        json_object_object_foreach(data, key, value)
        {
                if (new && !is_told_of_new(key))
                        continue;
                print_shown(f, " ", key);
                print_shown(f, "=",
                            json_object_is_type(value, json_type_string)
                                    ? json_object_get_string(value)
                                    : json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE));
        }
}

void monitor_line_print(json_object *event, JsonMode mode, FILE *f)
{
        uint64_t usec = json_get_u64(event, "TimeUSec"), job = json_get_u64(event, "Job");
        const char *pool = json_get_string(event, "Pool"), *volume = json_get_string(event, "Volume"),
                   *snapshot = json_get_string(event, "Snapshot");
        const char *what = json_get_string(event, "Event") ?: "";
        time_t seconds = (time_t)(usec / 1000000);
        char clock[16] = "";
        struct tm tm;

        if (mode != JSON_OFF) {
                json_print(event, JSON_SHORT, f); /* a line each, also when pretty was asked for */
                return;
        }
        if (localtime_r(&seconds, &tm))
                strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
        fprintf(f, "%s.%03u %s", clock, (unsigned)(usec % 1000000 / 1000), what);
        if (job != UINT64_MAX)
                fprintf(f, " %llu", (unsigned long long)job);
        if (pool)
                print_shown(f, " ", pool);
        if (volume)
                print_shown(f, "/", volume);
        if (snapshot)
                print_shown(f, "@", snapshot);
        print_data(json_object_object_get(event, "Data"), strstr(what, "-added") != NULL, f);
        fputc('\n', f);
}
