/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operations of protocol.h: from words and bags to the backend's functions. */
#include <fcntl.h>

#include "worker/operation.h"

typedef enum OperationFlags {
        OPERATION_LOCKS = 1 << 0, /* has its object to itself */
        OPERATION_SPACE = 1 << 1, /* tells the pool's numbers afterwards */
        OPERATION_BARE = 1 << 2,  /* before "configure" */
} OperationFlags;

typedef struct OperationEntry {
        const char *name;
        uint32_t flags;
        int (*run)(Ctx *c, const char *volume, Bag *args, Bag *result);
} OperationEntry;

int not_supported(Ctx *c, const char *what)
{
        return error_set(&c->error, ERROR_NOT_SUPPORTED, "Pools of type %s cannot %s", c->backend->name,
                         what);
}

static int run_describe(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        return describe_backends(c->backend_directory, result, &c->error);
}

static int set_bag(Bag **p, const Bag *value)
{
        Bag *copy = value ? bag_copy(value) : bag_new();

        if (!copy)
                return -ENOMEM;
        bag_free(*p);
        *p = copy;
        return 0;
}

static int run_configure(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        const char *state = bag_get_string(args, "state-directory"),
                   *runtime = bag_get_string(args, "runtime-directory");

        if (isempty(bag_get_string(args, "pool")) || isempty(bag_get_string(args, "uuid")) || !state ||
            !runtime)
                return error_set(&c->error, ERROR_INVALID_ARGS,
                                 "configure needs pool, uuid and the directories");
        if (free_and_strdup(&c->pool, bag_get_string(args, "pool")) < 0 ||
            free_and_strdup(&c->uuid, bag_get_string(args, "uuid")) < 0 ||
            free_and_strdup(&c->state_directory, state) < 0 ||
            free_and_strdup(&c->runtime_directory, runtime) < 0 ||
            free_and_strdup(&c->job_id, bag_get_string(args, "job") ?: "") < 0 ||
            set_bag(&c->options, bag_get_bag(args, "options")) < 0)
                return error_set(&c->error, ERROR_NO_MEMORY, "out of memory");
        c->user_mode = bag_get_bool(args, "user-mode", false);
        c->configured = true;
        return 0;
}

static int run_start(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        return c->backend->start ? c->backend->start(c) : 0;
}

static int run_stop(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        return c->backend->stop ? c->backend->stop(c) : 0;
}

static int run_build(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        if (!c->backend->build)
                return not_supported(c, "be built");
        return c->backend->build(c, bag_get_bool(args, "overwrite", false));
}

static int run_delete(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        if (!c->backend->delete)
                return not_supported(c, "be deleted");
        return c->backend->delete (c);
}

static int run_refresh(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        int snapshot = -EBADF, r;

        if (!c->backend->refresh)
                return not_supported(c, "be refreshed");
        r = c->backend->refresh(c, bag_get_fd(args, "snapshot"), &snapshot);
        if (r >= 0 && snapshot >= 0)
                r = bag_set_fd(result, "snapshot", snapshot);
        return r;
}

static int run_create(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        if (!c->backend->volume_create)
                return not_supported(c, "make volumes");
        return c->backend->volume_create(c, volume, bag_get_u64(args, "capacity", 0),
                                         bag_get_bag(args, "options"),
                                         bag_get_u32(args, "creator", UINT32_MAX));
}

static int run_clone(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        const char *source = bag_get_string(args, "source");

        if (!c->backend->volume_clone)
                return not_supported(c, "clone volumes");
        if (isempty(source))
                return error_set(&c->error, ERROR_INVALID_ARGS, "clone needs a source");
        return c->backend->volume_clone(c, volume, source, bag_get_u64(args, "capacity", 0), args,
                                        bag_get_bag(args, "options"),
                                        bag_get_u32(args, "creator", UINT32_MAX));
}

static int run_resize(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        if (!c->backend->volume_resize)
                return not_supported(c, "resize volumes");
        return c->backend->volume_resize(c, volume, bag_get_u64(args, "capacity", 0),
                                         bag_get_bool(args, "shrink", false),
                                         bag_get_bool(args, "allocate", false));
}

static int run_declare(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        ImageFormat format = image_format_from_string(bag_get_string(args, "format") ?: "");

        if (!c->backend->volume_declare)
                return not_supported(c, "remember a volume's format");
        if (format <= FORMAT_NONE)
                return error_set(&c->error, ERROR_INVALID_ARGS, "declare needs a format");
        return c->backend->volume_declare(c, volume, format);
}

static int run_remove(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        char *const *dependents = bag_get_strv(args, "names");

        if (!c->backend->volume_delete)
                return not_supported(c, "delete volumes");
        for (char *const *name = dependents; name && *name; name++) {
                int r = lock_check(c, *name, &c->error);

                if (r < 0)
                        return r;
        }
        return c->backend->volume_delete(c, volume, dependents);
}

static int run_stat(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        char *const *names = bag_get_strv(args, "names");
        int r = 0;

        if (!c->backend->volume_stat)
                return not_supported(c, "look at single volumes");
        if (!isempty(volume))
                r = c->backend->volume_stat(c, volume);
        for (; r >= 0 && names && *names; names++)
                r = c->backend->volume_stat(c, *names);
        return r;
}

static int run_info(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        _cleanup_bag_ Bag *details = bag_new();
        int r;

        if (!c->backend->volume_info)
                return not_supported(c, "tell details of volumes");
        if (!details)
                return -ENOMEM;
        r = c->backend->volume_info(c, volume, details);
        return r < 0 ? r : bag_set_bag(result, "details", TAKE_PTR(details));
}

static int run_access(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        _cleanup_free_ char *reason = NULL;
        bool allowed = false;
        int r;

        if (!c->backend->volume_access)
                return not_supported(c, "tell who may open a volume");
        r = c->backend->volume_access(c, volume, bag_get_u32(args, "uid", UINT32_MAX), &allowed, &reason);
        if (r >= 0)
                r = bag_set_bool(result, "allowed", allowed);
        return r < 0 ? r : bag_set_string(result, "reason", reason ?: "");
}

static int run_watch(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        int fd = -EBADF, r;

        if (!c->backend->watch)
                return not_supported(c, "be watched");
        r = c->backend->watch(c, &fd);
        if (r >= 0)
                r = bag_set_fd(result, "fd", fd);
        return r < 0 ? r : bag_set_string(result, "kind", "inotify");
}

static int run_undo(Ctx *c, const char *volume, Bag *args, Bag *result)
{
        return c->backend->undo ? intents_undo(c, volume) : 0;
}

static const OperationEntry operations[] = {
        { "describe", OPERATION_BARE, run_describe },
        { "configure", OPERATION_BARE, run_configure },
        { "start", OPERATION_SPACE, run_start },
        { "stop", 0, run_stop },
        { "build", OPERATION_LOCKS, run_build },
        { "delete", OPERATION_LOCKS, run_delete },
        { "refresh", OPERATION_SPACE, run_refresh },
        { "create", OPERATION_LOCKS | OPERATION_SPACE, run_create },
        { "clone", OPERATION_LOCKS | OPERATION_SPACE, run_clone },
        { "resize", OPERATION_LOCKS | OPERATION_SPACE, run_resize },
        { "declare", OPERATION_LOCKS, run_declare },
        { "remove", OPERATION_LOCKS | OPERATION_SPACE, run_remove },
        { "stat", OPERATION_SPACE, run_stat },
        { "info", 0, run_info },
        { "access", 0, run_access },
        { "open", 0, run_open },
        { "lend", 0, run_lend },
        { "attachment", 0, run_attachment },
        { "endpoint", 0, run_endpoint },
        { "copy", OPERATION_LOCKS | OPERATION_SPACE, run_copy },
        { "upload", OPERATION_LOCKS | OPERATION_SPACE, run_upload },
        { "download", 0, run_download },
        { "import", OPERATION_LOCKS | OPERATION_SPACE, run_import },
        { "export", 0, run_export },
        { "rename", OPERATION_LOCKS | OPERATION_SPACE, run_rename },
        { "convert", OPERATION_LOCKS | OPERATION_SPACE, run_convert },
        { "rebase", OPERATION_LOCKS | OPERATION_SPACE, run_rebase },
        { "wipe", OPERATION_LOCKS | OPERATION_SPACE, run_wipe },
        { "snapshot", OPERATION_LOCKS | OPERATION_SPACE, run_snapshot },
        { "watch", 0, run_watch },
        { "undo", 0, run_undo },
};

static int append_space(Ctx *c, Bag *result)
{
        uint64_t capacity = 0, allocation = 0, available = 0;
        int r;

        if (!c->backend->space)
                return 0;
        r = c->backend->space(c, &capacity, &allocation, &available);
        if (r >= 0)
                r = bag_set_u64(result, "capacity", capacity);
        if (r >= 0)
                r = bag_set_u64(result, "allocation", allocation);
        return r < 0 ? r : bag_set_u64(result, "available", available);
}

/* A session worker's operations end before the next begins, so looking for other workers' locks is enough
 * there. */
static int fence(Ctx *c, const char *volume)
{
        return c->job ? lock_take(c, volume, &c->lock_fd, &c->error) : lock_check(c, volume, &c->error);
}

static int run_fenced(Ctx *c, const OperationEntry *o, const char *volume, Bag *args, Bag *result)
{
        int r;

        r = o->flags & OPERATION_LOCKS ? fence(c, volume) : 0;
        if (r < 0)
                return r;
        c->result = result;
        r = o->run(c, volume, args, result);
        c->result = NULL;
        if (r >= 0)
                ctx_intents_done(c);
        else
                intents_roll_back(c);
        lock_release(c, volume, &c->lock_fd);
        if (r >= 0 && o->flags & OPERATION_SPACE)
                r = append_space(c, result);
        return r < 0 ? r : 0;
}

int operation_run(Ctx *c, const char *operation, const char *volume, Bag *args, Bag *result)
{
        int r;

        FOREACH_ELEMENT (o, operations) {
                if (!streq(o->name, operation))
                        continue;
                if (o->run != run_describe && !c->backend)
                        return error_set(&c->error, c->load_error.kind ?: ERROR_INVALID_ARGS, "%s",
                                         c->load_error.message ?: "this worker has no backend");
                if (!(o->flags & OPERATION_BARE) && !c->configured)
                        return error_set(&c->error, ERROR_INVALID_ARGS, "%s before configure", operation);
                r = run_fenced(c, o, volume, args, result);
                if (r < 0 && !c->needs_job && c->error.kind == ERROR_NONE)
                        (void)error_set_errno(&c->error, r, "Operation %s of backend %s failed", operation,
                                              c->backend ? c->backend->name : "none");
                return r;
        }
        return error_set(&c->error, ERROR_INVALID_ARGS, "no operation is called '%s'", operation);
}
