/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

static const char *const json_mode_table[_JSON_MODE_MAX] = {
        [JSON_OFF] = "off",
        [JSON_SHORT] = "short",
        [JSON_PRETTY] = "pretty",
};

JsonMode json_mode_from_string(const char *s)
{
        for (JsonMode m = 0; m < _JSON_MODE_MAX; m++)
                if (streq(json_mode_table[m], s))
                        return m;
        return _JSON_MODE_INVALID;
}

static int read_basic(sd_bus_message *m, char type, json_object **ret)
{
        union {
                const char *s;
                int b;
                uint8_t y;
                uint16_t q;
                uint32_t u;
                uint64_t t;
                int32_t i;
                int64_t x;
                double d;
        } v = { 0 };
        int r = sd_bus_message_read_basic(m, type, &v);

        if (r < 0)
                return r;
        switch (type) {
        case 's':
        case 'o':
        case 'g':
                *ret = json_object_new_string(v.s);
                return 0;
        case 'b':
                *ret = json_object_new_boolean(v.b);
                return 0;
        case 'y':
                *ret = json_object_new_int(v.y);
                return 0;
        case 'q':
                *ret = json_object_new_int(v.q);
                return 0;
        case 'i':
                *ret = json_object_new_int(v.i);
                return 0;
        case 'x':
                *ret = json_object_new_int64(v.x);
                return 0;
        case 'u':
                *ret = v.u == UINT32_MAX ? NULL : json_object_new_uint64(v.u);
                return 0;
        case 't':
                *ret = v.t == UINT64_MAX ? NULL : json_object_new_uint64(v.t);
                return 0;
        case 'd':
                *ret = json_object_new_double(v.d);
                return 0;
        default:
                return -EBADMSG;
        }
}

/* The container is open: its values up to the end, into an array. */
static int read_items(sd_bus_message *m, json_object *array)
{
        int r;

        while ((r = sd_bus_message_at_end(m, /* complete= */ false)) == 0) {
                json_object *item = NULL;

                r = json_from_message(m, &item);
                if (r < 0)
                        return r;
                json_object_array_add(array, item);
        }
        return r < 0 ? r : 0;
}

/* An array of {s...} is open. */
static int read_members(sd_bus_message *m, const char *entry, json_object *object)
{
        char contents[256];
        int r;

        if (strlen(entry) < 3 || strlen(entry) > sizeof(contents))
                return -EBADMSG;
        memcpy(contents, entry + 1, strlen(entry) - 2);
        contents[strlen(entry) - 2] = 0;
        while ((r = sd_bus_message_enter_container(m, 'e', contents)) > 0) {
                json_object *value = NULL;
                const char *key;

                r = sd_bus_message_read_basic(m, contents[0], &key);
                if (r >= 0)
                        r = json_from_message(m, &value);
                if (r < 0)
                        return r;
                json_object_object_add(object, key, value);
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r;
}

int json_from_message(sd_bus_message *m, json_object **ret)
{
        _cleanup_json_ json_object *o = NULL;
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        if (r == 0)
                return -ENXIO;
        if (!contents)
                return read_basic(m, type, ret);
        r = sd_bus_message_enter_container(m, type, contents);
        if (r < 0)
                return r;
        if (type == 'v')
                r = json_from_message(m, &o);
        else if (type == 'a' && contents[0] == '{' && strchr("sog", contents[1])) {
                o = json_object_new_object();
                r = o ? read_members(m, contents, o) : -ENOMEM;
        } else if (type == 'a' || type == 'r') {
                o = json_object_new_array();
                r = o ? read_items(m, o) : -ENOMEM;
        } else
                r = -EBADMSG;
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(o);
        return 0;
}

void json_print(json_object *o, JsonMode mode, FILE *f)
{
        int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

        flags |= mode == JSON_PRETTY ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
                                     : JSON_C_TO_STRING_PLAIN;
        fputs(json_object_to_json_string_ext(o, flags), f);
        fputc('\n', f);
}

const char *json_get_string(json_object *o, const char *key)
{
        json_object *v = json_object_object_get(o, key);

        return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

uint64_t json_get_u64(json_object *o, const char *key)
{
        json_object *v = json_object_object_get(o, key);

        return json_object_is_type(v, json_type_int) ? json_object_get_uint64(v) : UINT64_MAX;
}

double json_get_double(json_object *o, const char *key)
{
        json_object *v = json_object_object_get(o, key);

        return json_object_is_type(v, json_type_double) ? json_object_get_double(v) : 0;
}

bool json_get_bool(json_object *o, const char *key)
{
        return json_object_get_boolean(json_object_object_get(o, key));
}

void json_add_string(json_object *o, const char *key, const char *value)
{
        json_object_object_add(o, key, value ? json_object_new_string(value) : NULL);
}
