/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "action.h"
#include "job-run.h"
#include "request-internal.h"

const OptionSpec request_sync_option = { .name = "sync", .type = OPTION_BOOL, .fallback = "yes" };

void prepared_done(Prepared *p)
{
        for (size_t i = 0; i < p->n_checks; i++)
                action_check_done(p->checks + i);
        free(p->checks);
        bag_free(p->args);
        *p = (Prepared){ 0 };
}

int request_no_memory(Error *e)
{
        return error_set(e, ERROR_NO_MEMORY, "out of memory");
}

/* Adds one thing that polkit has to allow; details beyond those of the pool and volume are added by the
 * caller. */
int request_need(Prepared *p, const Pool *pool, const Volume *v, const char *action, ActionCheck **ret,
                 Error *e)
{
        ActionCheck *checks = reallocarray(p->checks, p->n_checks + 1, sizeof(*checks));

        if (!checks)
                return request_no_memory(e);
        p->checks = checks;
        if (pool_action_check(pool, v, action, checks + p->n_checks) < 0)
                return request_no_memory(e);
        if (ret)
                *ret = checks + p->n_checks;
        p->n_checks++;
        return 0;
}

int request_options(const Request *r, const OptionSpec *specs, size_t n, Prepared *p, Error *e)
{
        OptionTable table = { .specs = specs, .n_specs = n };

        return options_check(&table, r->options, &p->args, e);
}

int request_split_options(const Request *r, const Pool *pool, const OptionSpec *specs, size_t n, Prepared *p,
                          Bag **ret_options, Error *e)
{
        const OptionTable own = { .specs = specs, .n_specs = n };
        _cleanup_bag_ Bag *method = bag_new(), *volume = bag_new();
        int x;

        for (size_t i = 0; i < bag_size(r->options); i++) {
                const char *key = bag_key(r->options, i);

                if (bag_set_value(option_find(&own, key) ? method : volume, key, bag_value(r->options, i)) <
                    0)
                        return request_no_memory(e);
        }
        if (!method || !volume)
                return request_no_memory(e);
        x = options_check(&own, method, &p->args, e);
        return x < 0 ? x : options_check(&pool->backend->volume_options, volume, ret_options, e);
}

int request_take_fd(const Request *r, Prepared *p, Error *e)
{
        int fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 3);

        if (fd < 0)
                return error_set_errno(e, errno, "Cannot keep the descriptor");
        return bag_set_fd(p->args, "fd", fd) < 0 ? request_no_memory(e) : 0;
}

int request_feature(const Pool *p, const char *feature, const char *what, Error *e)
{
        if (backend_has_feature(p->backend, feature))
                return 0;
        return error_set(e, ERROR_NOT_SUPPORTED, "Pools of type %s cannot %s", pool_type(p), what);
}

int request_find_volume(const Request *r, Volume **ret, Error *e)
{
        int x = pool_find_volume(r->pool, r->volume, ret, e);

        return x < 0 ? x : pool_check_usable(r->pool, e);
}

static const prepare_t prepares[_OPERATION_MAX] = {
        [OPERATION_POOL_START] = prepare_pool_start,
        [OPERATION_POOL_STOP] = prepare_pool_stop,
        [OPERATION_POOL_BUILD] = prepare_pool_build,
        [OPERATION_POOL_DELETE] = prepare_pool_delete,
        [OPERATION_POOL_REFRESH] = prepare_pool_refresh,
        [OPERATION_POOL_CONVERT] = prepare_pool_convert,
        [OPERATION_VOLUME_CREATE] = prepare_volume_create,
        [OPERATION_VOLUME_CLONE] = prepare_volume_clone,
        [OPERATION_VOLUME_IMPORT] = prepare_volume_import,
        [OPERATION_VOLUME_MOVE] = prepare_volume_move,
        [OPERATION_VOLUME_RENAME] = prepare_volume_rename,
        [OPERATION_VOLUME_RESIZE] = prepare_volume_resize,
        [OPERATION_VOLUME_DELETE] = prepare_volume_delete,
        [OPERATION_VOLUME_SET_FORMAT] = prepare_volume_set_format,
        [OPERATION_VOLUME_REFRESH] = prepare_volume_refresh,
        [OPERATION_VOLUME_UPLOAD] = prepare_volume_upload,
        [OPERATION_VOLUME_DOWNLOAD] = prepare_volume_download,
        [OPERATION_VOLUME_EXPORT] = prepare_volume_export,
        [OPERATION_VOLUME_CONVERT] = prepare_volume_convert,
        [OPERATION_VOLUME_REBASE] = prepare_volume_rebase,
        [OPERATION_VOLUME_FLATTEN] = prepare_volume_flatten,
        [OPERATION_VOLUME_WIPE] = prepare_volume_wipe,
        [OPERATION_SNAPSHOT_CREATE] = prepare_snapshot,
        [OPERATION_SNAPSHOT_REVERT] = prepare_snapshot,
        [OPERATION_SNAPSHOT_DELETE] = prepare_snapshot,
};

static int prepare(const Request *r, Prepared *p, Error *e)
{
        if (!prepares[r->operation])
                return error_set(e, ERROR_NOT_SUPPORTED, "This cannot be asked of a pool");
        return prepares[r->operation](r, p, e);
}

int request_prepare(const Request *r, Prepared *ret, Error *e)
{
        _cleanup_prepared_ Prepared p = { .operation = r->operation };
        int x;

        x = manager_check_accepting(r->pool->manager, e);
        if (x >= 0)
                x = prepare(r, &p, e);
        if (x < 0)
                return x;
        *ret = p;
        p = (Prepared){ 0 };
        return 0;
}

static uint32_t creator_of(const Pool *p, const char *volume)
{
        const Volume *v = volume ? volume_table_get(p->volumes, volume) : NULL;

        return v ? v->creator : UINT32_MAX;
}

/* A stop does not wait for scans, and when forced for nothing that can be cancelled. */
static bool is_in_the_way(const Job *j, const void *userdata)
{
        const Job *stop = userdata;

        return j != stop && job_is_in_pool(j, stop->pool) &&
               (j->operation == OPERATION_POOL_REFRESH ||
                (bag_get_bool(job_args(stop), "force", false) && j->operation != OPERATION_POOL_STOP));
}

/* What the volume is made of, or stands on, must not change meanwhile; a new string or NULL. */
static char *read_volume(const Request *r, const Prepared *p)
{
        const char *backing = bag_get_string(bag_get_bag(p->args, "options"), "backing.path");
        const Volume *v;

        if (r->source || r->backing)
                return strdup(r->source ?: r->backing);
        if (r->operation == OPERATION_VOLUME_FLATTEN) {
                v = volume_table_get(r->pool->volumes, r->volume);
                return v ? pool_resolve_record(r->pool, volume_backing(v)) : NULL;
        }
        return backing ? pool_resolve_path(r->pool, backing) : NULL;
}

/* Where the job works: a move is a job of the pool that it goes to, with what it moves as the source. */
static int make_job(const Request *r, Prepared *p, Job **ret)
{
        bool moves = p->operation == OPERATION_VOLUME_MOVE;
        Pool *pool = moves ? r->target : r->pool, *from = moves ? r->pool : r->source_pool ?: pool;
        const char *volume = moves ? r->new_name ?: r->volume : r->volume;
        _cleanup_free_ char *source = moves ? strdup(r->volume) : read_volume(r, p);
        Job *j;

        if (job_new(pool->manager, p->operation, pool, volume, source, r->caller, TAKE_PTR(p->args), &j) < 0)
                return -ENOMEM;
        if (from != pool && free_and_strdup(&j->source_pool, pool_name(from)) < 0) {
                job_free(j);
                return -ENOMEM;
        }
        j->run->charge = p->charge;
        j->run->creator = creator_of(pool, volume);
        j->run->source_creator = creator_of(from, source);
        *ret = j;
        return 0;
}

int request_submit_child(Job *parent, const Request *r, Prepared *p, Job **ret, Error *e)
{
        Job *j;
        int x;

        if (make_job(r, p, &j) < 0)
                return request_no_memory(e);
        j->run->parent = parent;
        x = queue_add(j->manager->queue, j, e);
        if (x < 0)
                return x;
        *ret = j;
        return 0;
}

int request_submit(const Request *r, Prepared *p, Job **ret, Error *e)
{
        Job *j;
        int x;

        if (make_job(r, p, &j) < 0)
                return request_no_memory(e);
        x = queue_add(j->manager->queue, j, e);
        if (x < 0)
                return x;
        *ret = j;
        if (r->operation == OPERATION_POOL_STOP)
                queue_cancel(j->manager->queue, is_in_the_way, j); /* the pool may be gone after this */
        return 0;
}
