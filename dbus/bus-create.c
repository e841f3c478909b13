/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods of org.example.Storage.Pool that make volumes. */
#include "bus-pool.h"

int pool_method_create_volume(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Pool *p = userdata;
        Request request = { .operation = OPERATION_VOLUME_CREATE, .pool = p };
        _cleanup_call_ Call c = {};
        int r;

        r = pool_begin(m, p, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = sd_bus_message_read(m, "st", &request.volume, &request.capacity);
        if (r < 0)
                return r;
        r = call_read_options(&c, NULL, ret_error);
        return r < 0 ? r : call_submit(&c, &request, ret_error);
}

/* The options of a <volume> document, with those of the method that are no words of the document. */
int pool_method_create_volume_xml(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Pool *p = userdata;
        Request request = { .operation = OPERATION_VOLUME_CREATE, .pool = p };
        _cleanup_bag_ Bag *options = NULL;
        _cleanup_free_ char *name = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_call_ Call c = {};
        const char *xml;
        int r;

        r = pool_begin(m, p, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = sd_bus_message_read(m, "s", &xml);
        if (r < 0)
                return r;
        r = call_read_options(&c, (const char *[]){ "lax", "wait", "sync", NULL }, ret_error);
        if (r < 0)
                return r;
        r = volume_definition_from_xml(xml, strlen(xml),
                                       bag_get_bool(c.options, "lax", false) ? DEFINITION_LAX : 0,
                                       &p->backend->volume_options, &name, &request.capacity, &options, &e);
        if (r >= 0 && bag_has(c.options, "sync"))
                r = bag_set_value(options, "sync", bag_get(c.options, "sync"));
        if (r < 0)
                return call_fail(&e, r, ret_error);
        request.volume = name;
        request.options = options;
        return call_submit(&c, &request, ret_error);
}

static int find_source(Manager *m, const char *path, Pool **ret_pool, char **ret_name,
                       sd_bus_error *ret_error)
{
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *pool = NULL, *name = NULL;
        int r;

        r = object_path_to_volume(path, &pool, &name);
        if (r <= 0)
                return r < 0 ? r : call_invalid(ret_error, "%s is not the path of a volume", path);
        r = manager_find_pool(m, pool, ret_pool, &e);
        if (r < 0)
                return call_fail(&e, r, ret_error);
        *ret_name = TAKE_PTR(name);
        return 0;
}

/* The capacity of a clone is an option, its source a volume of any pool. */
int pool_method_clone_volume(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Pool *p = userdata;
        Request request = { .operation = OPERATION_VOLUME_CLONE, .pool = p, .capacity = UINT64_MAX };
        _cleanup_free_ char *source = NULL;
        _cleanup_call_ Call c = {};
        const char *path;
        int r;

        r = pool_begin(m, p, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = sd_bus_message_read(m, "so", &request.volume, &path);
        if (r >= 0)
                r = find_source(p->manager, path, &request.source_pool, &source, ret_error);
        if (r >= 0)
                r = call_read_options(&c, NULL, ret_error);
        if (r >= 0)
                r = call_take_size(&c, "capacity", &request.capacity, ret_error);
        if (r < 0)
                return r;
        if (request.source_pool == p)
                request.source_pool = NULL;
        request.source = source;
        return call_submit(&c, &request, ret_error);
}

/* Its capacity is the most that the image may have. */
int pool_method_import_volume(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Pool *p = userdata;
        Request request = { .operation = OPERATION_VOLUME_IMPORT, .pool = p, .capacity = UINT64_MAX };
        _cleanup_call_ Call c = {};
        int r;

        r = pool_begin(m, p, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = sd_bus_message_read(m, "sh", &request.volume, &request.fd);
        if (r >= 0)
                r = call_read_options(&c, NULL, ret_error);
        if (r >= 0)
                r = call_take_size(&c, "capacity", &request.capacity, ret_error);
        return r < 0 ? r : call_submit(&c, &request, ret_error);
}

/* Every volume of the pool that another format suits. */
int pool_method_convert_volumes(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Request request = { .operation = OPERATION_POOL_CONVERT, .pool = userdata, .capacity = UINT64_MAX };
        _cleanup_call_ Call c = {};
        int r;

        r = pool_begin(m, userdata, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = sd_bus_message_read(m, "s", &request.format);
        if (r >= 0)
                r = call_read_options(&c, NULL, ret_error);
        return r < 0 ? r : call_submit(&c, &request, ret_error);
}
