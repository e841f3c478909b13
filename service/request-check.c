/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must hold for an operation, when it is asked for and once more when its turn has come. */
#include "job-run.h"
#include "recovery.h"
#include "request-internal.h"
#include "util/hashmap.h"
#include "util/snapshot-list.h"

int volume_check_read(const Volume *v, Error *e)
{
        if (v->flags & VOLUME_INCOMPLETE)
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "Volume %s is half made, perhaps by another host; it can only be deleted",
                                 v->name);
        if (v->flags & VOLUME_CORRUPT)
                return error_set(e, ERROR_CORRUPT,
                                 "What was written to volume %s broke off; upload all of it again, wipe or "
                                 "delete it",
                                 v->name);
        return 0;
}

int volume_check_write(const Volume *v, Error *e)
{
        if (v->flags & VOLUME_INCOMPLETE)
                return volume_check_read(v, e);
        if (v->flags & VOLUME_READ_ONLY)
                return error_set(e, ERROR_NOT_SUPPORTED, "Volume %s is read-only", v->name);
        if (v->flags & VOLUME_FOREIGN_LINKS)
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "Volume %s has another name (hard link), perhaps outside the pool; it is "
                                 "not written to",
                                 v->name);
        return 0;
}

int volume_check_alone(const Pool *p, const char *volume, const char *what, Error *e)
{
        const Volume *v = volume_table_dependents(p->volumes, volume);

        if (!v)
                return 0;
        return error_set(e, ERROR_IN_USE,
                         "Volume %s cannot %s while it backs others, %s for one; rebase, flatten or delete "
                         "these first",
                         volume, what, v->name);
}

/* What cannot happen to a volume while others stand on it, as the end of a sentence. */
static const char *const alone[_OPERATION_MAX] = {
        [OPERATION_VOLUME_RESIZE] = "shrink",        [OPERATION_VOLUME_RENAME] = "be renamed",
        [OPERATION_VOLUME_MOVE] = "be moved",        [OPERATION_VOLUME_CONVERT] = "be converted",
        [OPERATION_VOLUME_UPLOAD] = "be written to", [OPERATION_VOLUME_WIPE] = "be wiped",
        [OPERATION_SNAPSHOT_REVERT] = "be reverted",
};

int request_check_alone(const Pool *p, const char *volume, Operation o, Error *e)
{
        return alone[o] ? volume_check_alone(p, volume, alone[o], e) : 0;
}

/* What cannot happen to a volume that has snapshots, which would be lost or keep what is to be destroyed. */
static const char *const single[_OPERATION_MAX] = {
        [OPERATION_VOLUME_MOVE] = "be moved to another pool",
        [OPERATION_VOLUME_CONVERT] = "be converted",
        [OPERATION_VOLUME_REBASE] = "change what it stands on",
        [OPERATION_VOLUME_FLATTEN] = "change what it stands on",
        [OPERATION_VOLUME_WIPE] = "be wiped",
};

int request_check_snapshots(const Volume *v, Operation o, Error *e)
{
        const char *list = volume_snapshots(v);
        SnapshotInfo first;

        if (!single[o] || snapshot_list_next(&list, &first) <= 0)
                return 0;
        return error_set(e, ERROR_IN_USE,
                         "Volume %s cannot %s while it has snapshots, %.*s for one; delete them first",
                         v->name, single[o], (int)first.name_length, first.name);
}

/* Headers may lie, so a chain may be a circle. */
int request_collect_dependents(const Pool *p, const char *volume, char ***ret, Error *e)
{
        _cleanup_strv_ char **list = calloc(DEPENDENTS_MAX + 1, sizeof(*list));
        _cleanup_(hashmap_freep) Hashmap *seen = hashmap_new();
        const char *base = volume;
        size_t n = 0;

        if (!list || !seen)
                return request_no_memory(e);
        for (size_t next = 0; base; base = list[next++])
                for (Volume *v = volume_table_dependents(p->volumes, base); v;
                     v = volume_next_dependent(v)) {
                        if (streq(v->name, volume) || hashmap_get(seen, v->name))
                                continue;
                        if (n == DEPENDENTS_MAX)
                                return error_set(e, ERROR_LIMITS_EXCEEDED,
                                                 "More than %u volumes are backed by %s; delete some first",
                                                 DEPENDENTS_MAX, volume);
                        if (hashmap_put(seen, v->name, v) < 0 || !(list[n] = strdup(v->name)))
                                return request_no_memory(e);
                        n++;
                }
        if (n > 0)
                *ret = TAKE_PTR(list);
        return 0;
}

int request_check_free_name(const Pool *p, const char *name, Error *e)
{
        if (!volume_table_get(p->volumes, name))
                return 0;
        return error_set(e, ERROR_VOLUME_EXISTS, "Pool %s has a volume %s already", pool_name(p), name);
}

/* ---- once more, when the turn of a job has come ---- */

/* A volume came that is backed by this one, and that polkit was not asked about. */
static int check_delete(const Job *j, const Pool *p, Error *e)
{
        char *const *allowed = bag_get_strv(job_args(j), "names");
        _cleanup_strv_ char **dependents = NULL;
        int x = request_collect_dependents(p, j->volume, &dependents, e);

        for (char **i = dependents; i && *i && x >= 0; i++)
                if (!strv_contains(allowed, *i))
                        x = error_set(e, ERROR_IN_USE, "Volume %s backs %s now; delete that before it",
                                      j->volume, *i);
        return x;
}

static bool is_growth(const Job *j, const Volume *v)
{
        return j->operation == OPERATION_VOLUME_RESIZE &&
               (v->capacity == UINT64_MAX || bag_get_u64(job_args(j), "capacity", 0) >= v->capacity);
}

/* The volume that somebody was asked about is still there, and not another one of that name. */
static int check_same(const Pool *p, const char *name, uint32_t creator, const Volume **ret, Error *e)
{
        const Volume *v;
        int x = pool_check_usable(p, e);

        if (x < 0)
                return x;
        v = volume_table_get(p->volumes, name);
        if (!v)
                return error_set(e, ERROR_NO_SUCH_VOLUME, "Volume %s of pool %s is gone meanwhile", name,
                                 pool_name(p));
        if (v->creator != creator)
                return error_set(
                        e, ERROR_CHANGED,
                        "Volume %s of pool %s is another one than when this was asked for; ask again", name,
                        pool_name(p));
        *ret = v;
        return 0;
}

static int check_source(const Job *j, const Volume **ret, Error *e)
{
        const char *name = j->source_pool ?: j->pool;
        const Pool *p = manager_pool(j->manager, name);

        if (!p)
                return error_set(e, ERROR_NO_SUCH_POOL, "Pool %s was removed before the job began", name);
        return check_same(p, j->source, j->run->source_creator, ret, e);
}

/* What needs a volume whose content is whole. */
static const bool reads[_OPERATION_MAX] = {
        [OPERATION_VOLUME_DOWNLOAD] = true, [OPERATION_VOLUME_EXPORT] = true,
        [OPERATION_VOLUME_CONVERT] = true,  [OPERATION_VOLUME_REBASE] = true,
        [OPERATION_VOLUME_FLATTEN] = true,  [OPERATION_SNAPSHOT_CREATE] = true,
};

static int check_volume(const Job *j, const Pool *p, Error *e)
{
        const Volume *v = NULL;
        int x = check_same(p, j->volume, j->run->creator, &v, e);

        if (x >= 0 && reads[j->operation])
                x = volume_check_read(v, e);
        if (x >= 0 && !is_growth(j, v))
                x = request_check_alone(p, j->volume, j->operation, e);
        if (x >= 0)
                x = request_check_snapshots(v, j->operation, e);
        if (x >= 0 && j->operation == OPERATION_VOLUME_RENAME)
                x = request_check_free_name(p, bag_get_string(job_args(j), "name"), e);
        if (x >= 0 && j->operation == OPERATION_VOLUME_DELETE)
                x = check_delete(j, p, e);
        return x;
}

static int check_new(const Job *j, const Pool *p, Error *e)
{
        const Volume *source;
        int x = pool_check_usable(p, e);

        if (x >= 0 && j->source)
                x = check_source(j, &source, e);
        if (x >= 0 && j->source)
                x = volume_check_read(source, e);
        if (x >= 0 && j->source)
                x = request_check_alone(source->pool, j->source, j->operation, e);
        if (x >= 0 && j->source)
                x = request_check_snapshots(source, j->operation, e);
        return x;
}

static int check_start(const Job *j, const Pool *p, Error *e)
{
        if (p->state == POOL_ACTIVE)
                return error_set(e, ERROR_POOL_ACTIVE, "Pool %s is active already", pool_name(p));
        if (j->run->internal && !recovery_is_pending(p))
                return error_set(e, ERROR_CANCELLED, "Pool %s was stopped meanwhile", pool_name(p));
        return 0;
}

int request_check_again(const Job *j, const Pool *p, Error *e)
{
        const Volume *source;
        int x;

        switch (j->operation) {
        case OPERATION_POOL_START:
                return check_start(j, p, e);
        case OPERATION_POOL_STOP:
        case OPERATION_DISCOVER:
                return 0;
        case OPERATION_POOL_BUILD:
        case OPERATION_POOL_DELETE:
                if (pool_is_up(p))
                        return error_set(e, ERROR_POOL_ACTIVE, "Pool %s is active; stop it first",
                                         pool_name(p));
                return 0;
        case OPERATION_POOL_REFRESH:
        case OPERATION_POOL_CONVERT:
        case OPERATION_VOLUME_REFRESH:
                return pool_check_usable(p, e);
        case OPERATION_VOLUME_CREATE:
        case OPERATION_VOLUME_CLONE:
        case OPERATION_VOLUME_IMPORT:
        case OPERATION_VOLUME_MOVE:
                return check_new(j, p, e);
        case OPERATION_VOLUME_RESIZE:
        case OPERATION_VOLUME_DELETE:
        case OPERATION_VOLUME_SET_FORMAT:
        case OPERATION_VOLUME_UPLOAD:
        case OPERATION_VOLUME_DOWNLOAD:
        case OPERATION_VOLUME_EXPORT:
        case OPERATION_VOLUME_RENAME:
        case OPERATION_VOLUME_CONVERT:
        case OPERATION_VOLUME_REBASE:
        case OPERATION_VOLUME_FLATTEN:
        case OPERATION_VOLUME_WIPE:
        case OPERATION_SNAPSHOT_CREATE:
        case OPERATION_SNAPSHOT_REVERT:
        case OPERATION_SNAPSHOT_DELETE:
                x = check_volume(j, p, e);
                return x < 0 || !j->source ? x : check_source(j, &source, e);
        case _OPERATION_MAX:
        case _OPERATION_INVALID:
                break;
        }
        return 0;
}
