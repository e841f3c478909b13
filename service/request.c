/* SPDX-License-Identifier: LGPL-2.1-or-later */
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

int request_feature(const Request *r, const char *feature, const char *what, Error *e)
{
        if (backend_has_feature(r->pool->backend, feature))
                return 0;
        return error_set(e, ERROR_NOT_SUPPORTED, "Pools of type %s cannot %s", pool_type(r->pool), what);
}

static int prepare(const Request *r, Prepared *p, Error *e)
{
        switch (r->operation) {
        case OPERATION_POOL_START:
                return prepare_pool_start(r, p, e);
        case OPERATION_POOL_STOP:
                return prepare_pool_stop(r, p, e);
        case OPERATION_POOL_BUILD:
                return prepare_pool_build(r, p, e);
        case OPERATION_POOL_DELETE:
                return prepare_pool_delete(r, p, e);
        case OPERATION_POOL_REFRESH:
                return prepare_pool_refresh(r, p, e);
        case OPERATION_VOLUME_CREATE:
                return prepare_volume_create(r, p, e);
        case OPERATION_VOLUME_CLONE:
                return prepare_volume_clone(r, p, e);
        case OPERATION_VOLUME_RESIZE:
                return prepare_volume_resize(r, p, e);
        case OPERATION_VOLUME_DELETE:
                return prepare_volume_delete(r, p, e);
        case OPERATION_VOLUME_SET_FORMAT:
                return prepare_volume_set_format(r, p, e);
        case OPERATION_VOLUME_REFRESH:
                return prepare_volume_refresh(r, p, e);
        case OPERATION_DISCOVER:
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
        case OPERATION_POOL_CONVERT:
        case _OPERATION_MAX:
        case _OPERATION_INVALID:
                break;
        }
        return error_set(e, ERROR_NOT_SUPPORTED, "This cannot be asked of a pool");
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

int request_check_same(const Job *j, const Pool *p, Error *e)
{
        bool is_new = j->operation == OPERATION_VOLUME_CLONE;
        const char *name = is_new ? j->source : j->volume;
        const Volume *v = volume_table_get(p->volumes, name);

        if (!v)
                return error_set(e, ERROR_NO_SUCH_VOLUME, "Volume %s of pool %s is gone meanwhile", name,
                                 j->pool);
        if (v->creator != j->run->creator)
                return error_set(
                        e, ERROR_CHANGED,
                        "Volume %s of pool %s is another one than when this was asked for; ask again", name,
                        j->pool);
        return 0;
}

/* A stop does not wait for scans, and when forced for nothing that can be cancelled. */
static void make_way_for(Job *stop, bool force)
{
        for (Job *j = queue_first(stop->manager->queue), *next; j; j = next) {
                next = j->run->next;
                if (j != stop && streq_ptr(j->pool, stop->pool) && j->cancellable &&
                    (j->operation == OPERATION_POOL_REFRESH ||
                     (force && j->operation != OPERATION_POOL_STOP)))
                        (void)job_cancel(j, NULL);
        }
}

/* What the new volume is made of must not change meanwhile. */
static char *read_volume(const Request *r, const Prepared *p)
{
        const char *backing = bag_get_string(bag_get_bag(p->args, "options"), "backing.path");

        if (r->source)
                return strdup(r->source);
        return backing ? pool_resolve_path(r->pool, backing) : NULL;
}

int request_submit(const Request *r, Prepared *p, Job **ret, Error *e)
{
        bool force = bag_get_bool(p->args, "force", false);
        _cleanup_free_ char *source = read_volume(r, p);
        Manager *m = r->pool->manager;
        Job *j;
        int x;

        if (job_new(m, r->operation, r->pool, r->volume, source, r->caller, TAKE_PTR(p->args), &j) < 0)
                return request_no_memory(e);
        j->run->charge = p->charge;
        j->run->creator = creator_of(r->pool, r->source ?: r->volume);
        x = queue_add(m->queue, j, e);
        if (x < 0)
                return x;
        *ret = j;
        if (r->operation == OPERATION_POOL_STOP)
                make_way_for(j, force); /* the pool may be gone after this */
        return 0;
}
