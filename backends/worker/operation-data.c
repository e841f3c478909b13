/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operations of protocol.h that move data or hand it out. */
#include "worker/operation.h"

/* A descriptor that the daemon has passed on from its caller. */
static int take_fd(Ctx *c, const Bag *args, int *ret)
{
        *ret = bag_get_fd(args, "fd");
        return *ret < 0 ? error_set(&c->error, ERROR_INVALID_ARGS, "the operation needs a descriptor") : 0;
}

int run_open(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        if (!c->backend->volume_open)
                return not_supported(c, "hand out descriptors of volumes");
        return c->backend->volume_open(c, volume, args, result);
}

int run_lend(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        _cleanup_source_ VolumeSource source = {};
        _cleanup_bag_ Bag *bag = NULL;
        int r;

        if (!c->backend->volume_lend)
                return not_supported(c, "lend volumes to other pools");
        r = c->backend->volume_lend(c, volume, args, &source);
        if (r >= 0)
                r = volume_source_to_bag(&source, &bag);
        return r < 0 ? r : bag_set_bag(result, "source", TAKE_PTR(bag));
}

int run_copy(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        _cleanup_source_ VolumeSource source = {};
        int r;

        if (!c->backend->volume_copy)
                return not_supported(c, "take copies of volumes of other pools");
        r = volume_source_from_bag(bag_get_bag(args, "source"), &source);
        if (r < 0)
                return error_set_errno(&c->error, r, "The volume to copy did not arrive");
        return c->backend->volume_copy(c, volume, &source, bag_get_u64(args, "capacity", UINT64_MAX), args,
                                       bag_get_bag(args, "options"),
                                       bag_get_u32(args, "creator", UINT32_MAX));
}

int run_upload(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        int fd, r;

        if (!c->backend->volume_upload)
                return not_supported(c, "take uploads");
        r = take_fd(c, args, &fd);
        return r < 0 ? r : c->backend->volume_upload(c, volume, fd, args);
}

int run_download(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        int fd, r;

        if (!c->backend->volume_download)
                return not_supported(c, "be downloaded from");
        r = take_fd(c, args, &fd);
        return r < 0 ? r : c->backend->volume_download(c, volume, fd, args);
}

int run_import(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        int fd, r;

        if (!c->backend->volume_import)
                return not_supported(c, "import images");
        r = take_fd(c, args, &fd);
        if (r < 0)
                return r;
        return c->backend->volume_import(c, volume, fd, bag_get_bag(args, "transfer"),
                                         bag_get_bag(args, "options"),
                                         bag_get_u32(args, "creator", UINT32_MAX));
}

int run_export(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        int fd, r;

        if (!c->backend->volume_export)
                return not_supported(c, "export images");
        r = take_fd(c, args, &fd);
        return r < 0 ? r : c->backend->volume_export(c, volume, fd, args);
}

int run_rename(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        const char *name = bag_get_string(args, "name");

        if (!c->backend->volume_rename)
                return not_supported(c, "rename volumes");
        if (isempty(name))
                return error_set(&c->error, ERROR_INVALID_ARGS, "rename needs a name");
        return c->backend->volume_rename(c, volume, name);
}

int run_convert(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        ImageFormat format = image_format_from_string(bag_get_string(args, "format") ?: "");

        if (!c->backend->volume_convert)
                return not_supported(c, "convert volumes in place");
        if (format <= FORMAT_NONE)
                return error_set(&c->error, ERROR_INVALID_ARGS, "convert needs a format");
        return c->backend->volume_convert(c, volume, format, args);
}

int run_rebase(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        const char *backing = bag_get_string(args, "backing");

        if (!c->backend->volume_rebase)
                return not_supported(c, "change backing volumes");
        return c->backend->volume_rebase(c, volume, isempty(backing) ? NULL : backing, args);
}

int run_wipe(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        if (!c->backend->volume_wipe)
                return not_supported(c, "wipe volumes");
        return c->backend->volume_wipe(c, volume, bag_get_string(args, "algorithm") ?: "zero", args);
}

int run_snapshot(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        static const char *const actions[] = {
                [SNAPSHOT_CREATE] = "create",
                [SNAPSHOT_REVERT] = "revert",
                [SNAPSHOT_DELETE] = "delete",
        };
        const char *action = bag_get_string(args, "action"), *name = bag_get_string(args, "snapshot");

        if (!c->backend->volume_snapshot)
                return not_supported(c, "keep snapshots");
        for (size_t i = 0; i < ELEMENTSOF(actions) && !isempty(name); i++)
                if (streq_ptr(action, actions[i]))
                        return c->backend->volume_snapshot(c, volume, (SnapshotAction)i, name, args);
        return error_set(&c->error, ERROR_INVALID_ARGS, "snapshot needs an action and a name");
}

int run_endpoint(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        if (!c->backend->volume_endpoint)
                return not_supported(c, "serve volumes by NBD");
        c->caller = bag_get_u32(args, "caller", UINT32_MAX);
        return c->backend->volume_endpoint(c, volume, bag_get_bool(args, "read-only", true), result);
}

int run_attachment(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        if (!c->backend->volume_attachment)
                return not_supported(c, "tell how a guest attaches volumes");
        return c->backend->volume_attachment(c, volume, result);
}
