/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume-rows.h"

#include <limits.h>

/* Numbers that mean "not known" become null, as everywhere. */
static void forget_unknown(json_object *volume)
{
        static const char *const numbers[] = { "Capacity", "Allocation", "Physical" };

        FOREACH_ELEMENT (key, numbers) {
                json_object *value = json_object_object_get(volume, *key);

                if (json_object_is_type(value, json_type_int) && json_object_get_uint64(value) == UINT64_MAX)
                        json_object_object_add(volume, *key, NULL);
        }
}

int volume_rows_parse(const char *text, size_t size, const char *pool, json_object *ret)
{
        struct json_tokener *tokener = json_tokener_new();
        int r = 0;

        if (!tokener)
                return -ENOMEM;
        while (size > 0 && r == 0) {
                const char *end = memchr(text, '\n', size);
                size_t length = end ? (size_t)(end - text) : size;
                json_object *volume =
                        length <= INT_MAX ? json_tokener_parse_ex(tokener, text, (int)length) : NULL;

                if (!json_object_is_type(volume, json_type_object)) {
                        json_object_put(volume);
                        r = -EBADMSG;
                        break;
                }
                json_tokener_reset(tokener);
                json_add_string(volume, "Pool", pool);
                forget_unknown(volume);
                json_object_array_add(ret, volume);
                length += end != NULL;
                text += length;
                size -= length;
        }
        json_tokener_free(tokener);
        return r;
}

typedef struct Order {
        const char *key; /* member */
        bool number, reverse;
} Order;

/* json_object_array_sort() hands nothing through to its comparison. */
static Order current_order;

static int compare_text(json_object *a, json_object *b, const char *key)
{
        return strcmp(json_get_string(a, key) ?: "", json_get_string(b, key) ?: "");
}

static int compare(const void *pa, const void *pb)
{
        json_object *a = *(json_object *const *)pa, *b = *(json_object *const *)pb;
        int c = 0;

        if (current_order.number) {
                uint64_t na = json_get_u64(a, current_order.key), nb = json_get_u64(b, current_order.key);

                c = na < nb ? -1 : na > nb;
        }
        if (c == 0)
                c = compare_text(a, b, "Pool");
        if (c == 0)
                c = compare_text(a, b, "Name");
        return current_order.reverse ? -c : c;
}

/* Lists by name come in order; looking costs far less than sorting. */
static void sort(json_object *list)
{
        for (size_t i = 1; i < json_object_array_length(list); i++) {
                json_object *a = json_object_array_get_idx(list, i - 1),
                            *b = json_object_array_get_idx(list, i);

                if (compare(&a, &b) > 0) {
                        json_object_array_sort(list, compare);
                        return;
                }
        }
}

int volume_rows_sort(json_object *list, const char *key, bool reverse)
{
        static const struct {
                const char *word;
                Order order;
        } orders[] = {
                { "name", { "Name", false, false } },
                { "capacity", { "Capacity", true, false } },
                { "allocation", { "Allocation", true, false } },
                { "mtime", { "MTimeUSec", true, false } },
        };

        FOREACH_ELEMENT (o, orders)
                if (streq(o->word, key)) {
                        current_order = o->order;
                        current_order.reverse = reverse;
                        sort(list);
                        return 0;
                }
        return -EINVAL;
}
