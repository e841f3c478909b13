/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume-list.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "connect.h"
#include "volume-rows.h"

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
        r = volume_rows_parse(text, (size_t)st.st_size, pool, ret);
        (void)munmap(text, (size_t)st.st_size);
        return r;
}

/* By DumpVolumes; LimitsExceeded when the user had a list made less than a second ago. */
static int read_at_once(Poolctl *p, const ObjectName *pool, json_object *ret, Error *e)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        int fd, r;

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

int volume_list_read(Poolctl *p, const ObjectName *pool, json_object *ret, Error *e)
{
        _cleanup_bag_ Bag *filters = NULL;
        int r;

        r = poolctl_connect(p, e);
        if (r < 0)
                return r;
        if (poolctl_passes_descriptors(p)) {
                r = read_at_once(p, pool, ret, e);
                if (r >= 0 || e->kind != ERROR_LIMITS_EXCEEDED)
                        return r;
                error_done(e);
        }
        filters = bag_new();
        return filters ? volume_list_read_filtered(p, pool, filters, ret, e) : error_no_memory(e);
}
