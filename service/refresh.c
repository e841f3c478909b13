/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "refresh.h"

#include <sys/inotify.h>

#include "reaper.h"
#include "session.h"
#include "util/fileio.h"
#include "watcher.h"

/* Lives while a scan runs. */
typedef struct ScanGuard {
        uint64_t start;   /* generation when the scan began: newer records know better than the scan */
        Hashmap *removed; /* names that operations removed meanwhile: the scan may have seen them before */
        char **recheck;   /* names that the scan and an operation tell different things of */
        size_t n_told;    /* differences told one by one so far */
        bool reset;       /* too many: one reset at the end */
        bool full;        /* no snapshot to differ from */
        bool known;       /* there were volumes before it */
        bool touched;     /* operations changed something meanwhile */
} ScanGuard;

static void tell_added(Pool *p, Volume *v)
{
        Manager *m = p->manager;

        if (m->observer.volume_added)
                m->observer.volume_added(v, m->observer_data);
}

static void tell_changed(Pool *p, Volume *v)
{
        Manager *m = p->manager;

        if (m->observer.volume_changed)
                m->observer.volume_changed(v, m->observer_data);
}

static void tell_removed(Pool *p, const char *name)
{
        Manager *m = p->manager;

        if (m->observer.volume_removed)
                m->observer.volume_removed(p, name, m->observer_data);
}

static void tell_reset(Pool *p)
{
        Manager *m = p->manager;

        if (m->observer.volumes_reset)
                m->observer.volumes_reset(p, m->observer_data);
}

static void tell_pool(Pool *p)
{
        Manager *m = p->manager;

        if (m->observer.pool_changed)
                m->observer.pool_changed(p, m->observer_data);
}

/* One more difference found by the scan: true while they are still told one by one. */
static bool scan_tells(ScanGuard *g)
{
        if (!g)
                return true;
        if (g->n_told >= VOLUME_SIGNALS_MAX)
                g->reset = true;
        else
                g->n_told++;
        return !g->reset;
}

static void put(Pool *p, const VolumeInfo *info, ScanGuard *scan)
{
        bool added, changed;
        Volume *v;

        if (volume_table_put(p->volumes, info, p->generation + 1, &v, &added, &changed) < 0)
                return;
        v->scan = p->scan;
        if (!added && !changed)
                return;
        p->generation++;
        if (added)
                manager_count_volumes(p->manager, 1);
        if (!scan_tells(scan))
                return;
        if (added)
                tell_added(p, v);
        else
                tell_changed(p, v);
}

static void drop(Pool *p, const char *name, ScanGuard *scan)
{
        /* The name may belong to the record itself. */
        _cleanup_free_ char *copy = strdup(name);

        if (!copy || !volume_table_remove(p->volumes, copy))
                return;
        p->generation++;
        manager_count_volumes(p->manager, -1);
        if (scan_tells(scan))
                tell_removed(p, copy);
}

void pool_volume_seen(Pool *p, const VolumeInfo *v)
{
        if (!pool_is_up(p) && p->state != POOL_STARTING)
                return;
        if (pool_is_full(p) && !volume_table_get(p->volumes, v->name))
                return;
        if (p->guard) {
                p->guard->touched = true;
                (void)hashmap_remove(p->guard->removed, v->name);
        }
        watcher_forget(p, v->name, IN_CREATE);
        put(p, v, NULL);
}

void pool_volume_gone(Pool *p, const char *name)
{
        if (p->guard) {
                p->guard->touched = true;
                if (!hashmap_get(p->guard->removed, name))
                        (void)hashmap_put(p->guard->removed, name, p);
        }
        watcher_forget(p, name, IN_DELETE);
        drop(p, name, NULL);
}

void pool_space_seen(Pool *p, const Bag *result)
{
        uint64_t capacity = bag_get_u64(result, "capacity", p->capacity);
        uint64_t allocation = bag_get_u64(result, "allocation", p->allocation);
        uint64_t available = bag_get_u64(result, "available", p->available);

        if (capacity == p->capacity && allocation == p->allocation && available == p->available)
                return;
        p->capacity = capacity;
        p->allocation = allocation;
        p->available = available;
        tell_pool(p);
}

int refresh_begin(Pool *p, bool full)
{
        ScanGuard *g = calloc(1, sizeof(*g));

        if (!g)
                return -ENOMEM;
        g->start = p->generation;
        g->removed = hashmap_new();
        if (!g->removed) {
                free(g);
                return -ENOMEM;
        }
        refresh_abort(p);
        g->full = full;
        g->known = volume_table_size(p->volumes) > 0;
        if (full)
                p->scan++;
        p->guard = g;
        p->refreshing = true;
        tell_pool(p);
        return 0;
}

/* Does the table know better than the scan? Then the name is looked at again afterwards. */
static bool outdated(Pool *p, const char *name)
{
        ScanGuard *g = p->guard;
        const Volume *v;

        if (!g->touched)
                return false;
        v = volume_table_get(p->volumes, name);
        if (!(v && v->generation > g->start) && !hashmap_get(g->removed, name))
                return false;
        (void)strv_append(&g->recheck, name);
        return true;
}

void refresh_volume(Pool *p, const VolumeInfo *v)
{
        if (p->guard && !outdated(p, v->name))
                put(p, v, p->guard);
}

void refresh_vanished(Pool *p, const char *name)
{
        if (p->guard && !outdated(p, name))
                drop(p, name, p->guard);
}

/* What a full scan did not see, and no operation made meanwhile, is gone. */
static void drop_unseen(Pool *p)
{
        VolumeCursor cursor;
        Volume *v = volume_table_first(p->volumes, NULL, &cursor);

        while (v) {
                _cleanup_free_ char *name = NULL;

                if (v->scan == p->scan || v->generation > p->guard->start) {
                        v = volume_table_next(p->volumes, &cursor);
                        continue;
                }
                name = strdup(v->name);
                if (!name)
                        return;
                drop(p, name, p->guard);
                v = volume_table_first(p->volumes, name, &cursor);
        }
}

static void guard_free(ScanGuard *g)
{
        hashmap_free(g->removed);
        strv_free(g->recheck);
        free(g);
}

void refresh_abort(Pool *p)
{
        ScanGuard *g = TAKE_PTR(p->guard);

        if (!g)
                return;
        p->refreshing = false;
        if (g->reset)
                tell_reset(p);
        tell_pool(p);
        guard_free(g);
        /* The snapshot tells of a state that the table may not have reached. */
        p->snapshot = safe_close(p->snapshot);
}

void refresh_end(Pool *p, Bag *result)
{
        char **recheck = p->guard ? TAKE_PTR(p->guard->recheck) : NULL;

        if (p->guard && p->guard->full && p->guard->known)
                drop_unseen(p);
        safe_close(p->snapshot);
        p->snapshot = -EBADF;
        refresh_abort(p);
        p->snapshot = bag_take_fd(result, "snapshot");
        p->last_refresh_usec = now_usec(CLOCK_REALTIME);
        pool_space_seen(p, result);
        tell_pool(p);
        if (recheck)
                pool_look_at(p, recheck);
}

void pool_clear_volumes(Pool *p)
{
        size_t n = volume_table_size(p->volumes);
        VolumeTable *old = p->volumes, *empty;
        VolumeCursor cursor;

        p->snapshot = safe_close(p->snapshot);
        empty = n > 0 ? volume_table_new(p) : NULL;
        if (!empty)
                return;
        p->generation++;
        p->volumes = empty;
        manager_count_volumes(p->manager, -(ssize_t)n);
        if (n <= VOLUME_SIGNALS_MAX)
                for (Volume *v = volume_table_first(old, NULL, &cursor); v;
                     v = volume_table_next(old, &cursor))
                        tell_removed(p, v->name);
        else
                tell_reset(p);
        volumes_reap(p->manager->event, old);
}

static void on_looked(Bag *result, const Error *e, bool needs_job, void *userdata)
{
        /* What was found came through the session's events; a failure leaves things as they were. */
}

void pool_look_at(Pool *p, char **names)
{
        _cleanup_strv_ char **list = names;
        _cleanup_error_ Error e = ERROR_NULL;
        Bag *args = bag_new();

        if (bag_set_strv(args, "names", list) < 0) {
                bag_free(args);
                return;
        }
        (void)session_call(p->session, "stat", NULL, args, on_looked, NULL, NULL, &e);
}
