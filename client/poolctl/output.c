/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "output.h"

#include "util/units.h"

ExitStatus print_table(Poolctl *p, const Table *t)
{
        int r = table_print(t, stdout, text_columns(stdout), !given(p, SWITCH_NO_LEGEND),
                            text_has_colours(stdout));

        return r < 0 ? out_of_memory() : STATUS_DONE;
}

ExitStatus print_json(Poolctl *p, json_object *o)
{
        json_print(o, p->json == JSON_OFF ? JSON_PRETTY : p->json, stdout);
        return STATUS_DONE;
}

static bool ends_with(const char *s, const char *end)
{
        size_t n = strlen(s), m = strlen(end);

        return n >= m && streq(s + n - m, end);
}

static char *join(json_object *list)
{
        char *text = strdup("");

        for (size_t i = 0; text && i < json_object_array_length(list); i++) {
                json_object *item = json_object_array_get_idx(list, i);
                char *longer;

                if (asprintf(&longer, "%s%s%s", text, *text ? " " : "", json_object_get_string(item) ?: "") <
                    0)
                        longer = NULL;
                free(text);
                text = longer;
        }
        return text;
}

static bool is_size(const char *key, const char *const *sizes)
{
        for (; *sizes; sizes++)
                if (streq(*sizes, key))
                        return true;
        return false;
}

static int add_value(Table *t, const char *key, json_object *value, const char *const *sizes)
{
        char size[SIZE_TEXT_MAX], text[64];

        if (json_object_is_type(value, json_type_boolean))
                return table_add(t, yes_no(json_object_get_boolean(value)));
        if (json_object_is_type(value, json_type_int)) {
                uint64_t n = json_object_get_uint64(value);

                if (ends_with(key, "USec"))
                        return table_add_time(t, n);
                if (streq(key, "Mode") || ends_with(key, "mode"))
                        snprintf(text, sizeof(text), "%04llo", (unsigned long long)n);
                else if (is_size(key, sizes) && n >= 1024)
                        snprintf(text, sizeof(text), "%s (%llu)", size_format(n, size),
                                 (unsigned long long)n);
                else
                        snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
                return table_add(t, text);
        }
        return table_add(t, json_object_get_string(value));
}

static int add_members(Table *t, json_object *o, const char *const *sizes)
{
        int r = 0;

        json_object_object_foreach(o, key, value)
        {
                _cleanup_free_ char *name = NULL, *list = NULL;

                if (!value)
                        continue;
                /* A time is shown as one, not as a number of µs. */
                name = ends_with(key, "USec") ? strndup(key, strlen(key) - 4) : strdup(key);
                if (!name)
                        return -ENOMEM;
                if (json_object_is_type(value, json_type_object)) {
                        r = add_members(t, value, sizes);
                } else if (json_object_is_type(value, json_type_array)) {
                        list = join(value);
                        if (!list)
                                return -ENOMEM;
                        if (list[strspn(list, " ")]) {
                                r = table_add(t, name);
                                if (r >= 0)
                                        r = table_add(t, list);
                        }
                } else if (!json_object_is_type(value, json_type_string) ||
                           !isempty(json_object_get_string(value))) {
                        r = table_add(t, name);
                        if (r >= 0)
                                r = add_value(t, key, value, sizes);
                }
                if (r < 0)
                        return r;
        }
        return r;
}

ExitStatus print_members(json_object *o, const char *const *sizes)
{
        static const Column columns[] = { { "NAME", COLUMN_RIGHT }, { "VALUE", 0 } };
        _cleanup_table_ Table *t = table_new(columns, ELEMENTSOF(columns));

        if (!t || add_members(t, o, sizes) < 0 || table_print_vertical(t, stdout) < 0)
                return out_of_memory();
        return STATUS_DONE;
}
