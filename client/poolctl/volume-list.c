/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume-list.h"

#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "connect.h"

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

int volume_list_parse(const char *text, size_t size, const char *pool, json_object *ret)
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

static int read_dump(int fd, const char *pool, json_object *ret)
{
        struct stat st;
        char *text;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size == 0)
                return 0;
        text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (text == MAP_FAILED)
                return -errno;
        r = volume_list_parse(text, (size_t)st.st_size, pool, ret);
        (void)munmap(text, (size_t)st.st_size);
        return r;
}

int volume_list_read(Poolctl *p, const ObjectName *pool, json_object *ret, Error *e)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        int fd, r;

        r = poolctl_connect(p, e);
        if (r < 0)
                return r;
        if (!poolctl_passes_descriptors(p)) {
                _cleanup_bag_ Bag *filters = bag_new();

                return filters ? volume_list_read_filtered(p, pool, filters, ret, e) : error_no_memory(e);
        }
        r = object_call(p, pool, (Method){ .member = "DumpVolumes" }, &reply, e, NULL);
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(reply, 'h', &fd);
        if (r >= 0)
                r = read_dump(fd, pool->pool, ret);
        return r < 0 ? error_bad_reply(e, r) : 0;
}

static json_object *number(uint64_t n)
{
        return n == UINT64_MAX ? NULL : json_object_new_uint64(n);
}

/* One page; *ret_next is borrowed from the message. */
static int read_page(sd_bus_message *reply, const char *pool, json_object *ret, const char **ret_next)
{
        uint64_t capacity, allocation, mtime;
        const char *name, *format, *type;
        uint32_t creator;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "(stttssu)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(reply, "(stttssu)", &name, &capacity, &allocation, &mtime, &format,
                                        &type, &creator)) > 0) {
                json_object *o = json_object_new_object();

                json_add_string(o, "Name", name);
                json_add_string(o, "Type", type);
                json_add_string(o, "Format", format);
                json_object_object_add(o, "Capacity", number(capacity));
                json_object_object_add(o, "Allocation", number(allocation));
                json_object_object_add(o, "MTimeUSec", number(mtime));
                if (creator != UINT32_MAX)
                        json_object_object_add(o, "Creator", json_object_new_uint64(creator));
                json_add_string(o, "Pool", pool);
                json_object_array_add(ret, o);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        if (r >= 0)
                r = sd_bus_message_read_basic(reply, 's', ret_next);
        return r;
}

int volume_list_read_filtered(Poolctl *p, const ObjectName *pool, Bag *filters, json_object *ret, Error *e)
{
        for (;;) {
                _cleanup_message_ sd_bus_message *reply = NULL;
                const char *next;
                int r;

                r = object_call(p, pool, (Method){ .member = "ListVolumes", .options = filters }, &reply, e,
                                NULL);
                if (r < 0)
                        return r;
                r = read_page(reply, pool->pool, ret, &next);
                if (r < 0)
                        return error_bad_reply(e, r);
                if (isempty(next))
                        return 0;
                if (bag_set_string(filters, "after", next) < 0)
                        return error_no_memory(e);
        }
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

int volume_list_sort(json_object *list, const char *key, bool reverse)
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
                        json_object_array_sort(list, compare);
                        return 0;
                }
        return -EINVAL;
}
