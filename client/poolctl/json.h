/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* D-Bus values as JSON objects: what --json prints and what the tables are made from. */
#pragma once

#include <json-c/json.h>
#include <systemd/sd-bus.h>

#include "util/error.h"

typedef enum JsonMode {
        JSON_OFF,
        JSON_SHORT,
        JSON_PRETTY,
        _JSON_MODE_MAX,
        _JSON_MODE_INVALID = -EINVAL,
} JsonMode;

JsonMode json_mode_from_string(const char *s);

/* Reads the next complete value. Dictionaries with string keys become objects, structs and arrays become
 * arrays. The largest number of an unsigned type means "none" or "not known" in org.example.Storage(5) and
 * becomes null. *ret is NULL for null. Negative errno for a type that has no JSON form, such as a
 * descriptor. */
int json_from_message(sd_bus_message *m, json_object **ret);

void json_print(json_object *o, JsonMode mode, FILE *f); /* and a newline */

/* Members of an object; absent, null or of another type: NULL, 0, UINT64_MAX, false. */
const char *json_get_string(json_object *o, const char *key);
uint64_t json_get_u64(json_object *o, const char *key);
double json_get_double(json_object *o, const char *key);
bool json_get_bool(json_object *o, const char *key);

void json_add_string(json_object *o, const char *key, const char *value); /* NULL: null */

static inline void json_putp(json_object **o)
{
        json_object_put(*o);
}

#define _cleanup_json_ _cleanup_(json_putp)
