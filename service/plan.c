/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What workers are asked for, step by step, to do a job. */
#include <fcntl.h>

#include "job-run.h"

static const char *const step_operations[_OPERATION_MAX] = {
        [OPERATION_VOLUME_CREATE] = "create",     [OPERATION_VOLUME_RESIZE] = "resize",
        [OPERATION_VOLUME_DELETE] = "remove",     [OPERATION_VOLUME_SET_FORMAT] = "declare",
        [OPERATION_VOLUME_REFRESH] = "stat",      [OPERATION_VOLUME_UPLOAD] = "upload",
        [OPERATION_VOLUME_DOWNLOAD] = "download", [OPERATION_VOLUME_IMPORT] = "import",
        [OPERATION_VOLUME_EXPORT] = "export",     [OPERATION_VOLUME_RENAME] = "rename",
        [OPERATION_VOLUME_MOVE] = "copy",         [OPERATION_VOLUME_CONVERT] = "convert",
        [OPERATION_VOLUME_REBASE] = "rebase",     [OPERATION_VOLUME_FLATTEN] = "rebase",
        [OPERATION_VOLUME_WIPE] = "wipe",         [OPERATION_SNAPSHOT_CREATE] = "snapshot",
        [OPERATION_SNAPSHOT_REVERT] = "snapshot", [OPERATION_SNAPSHOT_DELETE] = "snapshot",
};

static int add_step(Job *j, const char *operation, Bag *args)
{
        if (!args)
                return -ENOMEM;
        j->run->steps[j->run->n_steps++] = (JobStep){ operation, args };
        return 0;
}

/* With what the last scan saw it tells only of differences. */
static int add_refresh(Job *j, const Pool *p)
{
        Bag *args = bag_new();

        if (args && p->snapshot >= 0)
                (void)bag_set_fd(args, "snapshot", fcntl(p->snapshot, F_DUPFD_CLOEXEC, 3));
        return add_step(j, "refresh", args);
}

static int plan_start(Job *j, const Pool *p)
{
        int r = 0;

        if (bag_get_bool(j->run->args, "build", false)) {
                Bag *build = bag_new();

                (void)bag_set_bool(build, "overwrite", bag_get_bool(j->run->args, "overwrite", false));
                r = add_step(j, "build", build);
        }
        if (r >= 0)
                r = add_step(j, "start", bag_new());
        if (r >= 0)
                r = add_step(j, "undo", bag_new());
        if (r >= 0 && backend_has_feature(p->backend, "watch"))
                r = add_step(j, "watch", bag_new());
        if (r >= 0)
                r = add_refresh(j, p);
        return r;
}

int job_plan(Job *j, const Pool *p)
{
        switch (j->operation) {
        case OPERATION_POOL_START:
                return plan_start(j, p);
        case OPERATION_POOL_STOP:
                return add_step(j, "stop", TAKE_PTR(j->run->args));
        case OPERATION_POOL_BUILD:
                return add_step(j, "build", TAKE_PTR(j->run->args));
        case OPERATION_POOL_DELETE:
                return add_step(j, "delete", TAKE_PTR(j->run->args));
        case OPERATION_POOL_REFRESH:
                return add_refresh(j, p);
        case OPERATION_DISCOVER:
                return add_step(j, "discover", TAKE_PTR(j->run->args));
        case OPERATION_VOLUME_CLONE:
                return add_step(j, j->source_pool ? "copy" : "clone", TAKE_PTR(j->run->args));
        case OPERATION_VOLUME_CREATE:
        case OPERATION_VOLUME_RESIZE:
        case OPERATION_VOLUME_DELETE:
        case OPERATION_VOLUME_SET_FORMAT:
        case OPERATION_VOLUME_REFRESH:
        case OPERATION_VOLUME_UPLOAD:
        case OPERATION_VOLUME_DOWNLOAD:
        case OPERATION_VOLUME_IMPORT:
        case OPERATION_VOLUME_EXPORT:
        case OPERATION_VOLUME_RENAME:
        case OPERATION_VOLUME_MOVE:
        case OPERATION_VOLUME_CONVERT:
        case OPERATION_VOLUME_REBASE:
        case OPERATION_VOLUME_FLATTEN:
        case OPERATION_VOLUME_WIPE:
        case OPERATION_SNAPSHOT_CREATE:
        case OPERATION_SNAPSHOT_REVERT:
        case OPERATION_SNAPSHOT_DELETE:
                return add_step(j, step_operations[j->operation], TAKE_PTR(j->run->args));
        case OPERATION_POOL_CONVERT: /* its volumes are jobs of their own */
                return 0;
        case _OPERATION_MAX:
        case _OPERATION_INVALID:
                break;
        }
        return -EINVAL;
}
