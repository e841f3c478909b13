/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods of org.example.Storage.Volume that move, change or destroy data. A descriptor of the caller's goes on as it
 * came: only the worker that uses it looks at it. */
#include "bus-volume.h"

/* Upload and download differ in their direction only. */
static int transfer(sd_bus_message *m, void *userdata, Operation operation, sd_bus_error *ret_error)
{
        Request request;
        _cleanup_call_ Call c = {};
        int r;

        r = volume_begin(m, userdata, &request, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        request.operation = operation;
        r = sd_bus_message_read(m, "h", &request.fd);
        return r < 0 ? r : volume_submit(&c, &request, ret_error);
}

int volume_method_upload(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return transfer(m, userdata, OPERATION_VOLUME_UPLOAD, ret_error);
}

int volume_method_download(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return transfer(m, userdata, OPERATION_VOLUME_DOWNLOAD, ret_error);
}

int volume_method_export(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        _cleanup_free_ char *format = NULL;
        Request request;
        _cleanup_call_ Call c = {};
        int r;

        r = volume_begin(m, userdata, &request, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        request.operation = OPERATION_VOLUME_EXPORT;
        r = sd_bus_message_read(m, "h", &request.fd);
        if (r >= 0)
                r = call_read_options(&c, NULL, ret_error);
        if (r >= 0)
                r = call_take_string(&c, "format", &format, ret_error);
        if (r < 0)
                return r;
        request.format = format;
        return call_submit(&c, &request, ret_error);
}

int volume_method_rename(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Request request;
        _cleanup_call_ Call c = {};
        int r;

        r = volume_begin(m, userdata, &request, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        request.operation = OPERATION_VOLUME_RENAME;
        r = sd_bus_message_read(m, "s", &request.new_name);
        return r < 0 ? r : volume_submit(&c, &request, ret_error);
}

static int find_target(Manager *m, const char *path, Pool **ret, sd_bus_error *ret_error)
{
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *name = NULL;
        int r;

        r = object_path_to_pool(path, &name);
        if (r <= 0)
                return r < 0 ? r : call_invalid(ret_error, "%s is not the path of a pool", path);
        r = manager_find_pool(m, name, ret, &e);
        return r < 0 ? call_fail(&e, r, ret_error) : 0;
}

int volume_method_move(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        _cleanup_free_ char *name = NULL;
        Request request;
        _cleanup_call_ Call c = {};
        const char *target;
        int r;

        r = volume_begin(m, userdata, &request, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        request.operation = OPERATION_VOLUME_MOVE;
        r = sd_bus_message_read(m, "o", &target);
        if (r >= 0)
                r = find_target(c.bus->manager, target, &request.target, ret_error);
        if (r >= 0)
                r = call_read_options(&c, NULL, ret_error);
        if (r >= 0)
                r = call_take_string(&c, "name", &name, ret_error);
        if (r < 0)
                return r;
        request.new_name = name;
        return call_submit(&c, &request, ret_error);
}

int volume_method_convert(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Request request;
        _cleanup_call_ Call c = {};
        int r;

        r = volume_begin(m, userdata, &request, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        request.operation = OPERATION_VOLUME_CONVERT;
        r = sd_bus_message_read(m, "s", &request.format);
        return r < 0 ? r : volume_submit(&c, &request, ret_error);
}

int volume_method_flatten(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Request request;
        _cleanup_call_ Call c = {};
        int r;

        r = volume_begin(m, userdata, &request, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        request.operation = OPERATION_VOLUME_FLATTEN;
        return volume_submit(&c, &request, ret_error);
}

int volume_method_rebase(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        _cleanup_free_ char *pool = NULL, *backing = NULL;
        Request request;
        _cleanup_call_ Call c = {};
        const char *path;
        int r;

        r = volume_begin(m, userdata, &request, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        request.operation = OPERATION_VOLUME_REBASE;
        r = sd_bus_message_read(m, "o", &path);
        if (r >= 0)
                r = object_path_to_volume(path, &pool, &backing);
        if (r <= 0)
                return r < 0 ? r : call_invalid(ret_error, "%s is not the path of a volume", path);
        if (!streq(pool, pool_name(request.pool)))
                return call_invalid(
                        ret_error,
                        "Volume %s is in pool %s; a backing volume is in the pool of what it backs", backing,
                        pool);
        request.backing = backing;
        return volume_submit(&c, &request, ret_error);
}

int volume_method_wipe(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Request request;
        _cleanup_call_ Call c = {};
        int r;

        r = volume_begin(m, userdata, &request, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        request.operation = OPERATION_VOLUME_WIPE;
        r = sd_bus_message_read(m, "s", &request.algorithm);
        return r < 0 ? r : volume_submit(&c, &request, ret_error);
}

int volume_method_create_snapshot(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Request request;
        _cleanup_call_ Call c = {};
        int r;

        r = volume_begin(m, userdata, &request, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        request.operation = OPERATION_SNAPSHOT_CREATE;
        r = sd_bus_message_read(m, "s", &request.snapshot);
        return r < 0 ? r : volume_submit(&c, &request, ret_error);
}
