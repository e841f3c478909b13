/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "refresh.h"

#include <malloc.h>
#include <sys/inotify.h>

#include "reaper.h"
#include "session.h"
#include "util/fileio.h"
#include "watcher.h"

/* Lives while a scan runs. */
typedef struct ScanGuard {
        char *swept;        /* the name up to which unseen ones were dropped at the end, NULL: none yet */
        uint64_t start;     /* generation when the scan began: newer records know better than the scan */
        Hashmap *removed;   /* names that operations removed meanwhile: the scan may have seen them before */
        char **recheck;     /* names that the scan and an operation tell different things of */
        size_t n_told;      /* differences told one by one so far */
        bool reset;         /* too many: one reset at the end */
        bool full;          /* no snapshot to differ from */
        bool known;         /* there were volumes before it */
        bool touched;       /* operations changed something meanwhile */
        Hashmap *unscanned; /* names that its snapshot does not know: it can not tell that they went */
} ScanGuard;

#define UNSCANNED_MAX 4096u /* beyond, the next scan starts from nothing */

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

static void note_unscanned(Pool *p, const char *name)
{
        if (hashmap_size(p->unscanned) < UNSCANNED_MAX && hashmap_put(p->unscanned, name, p) != -ENOMEM)
                return;
        p->snapshot = safe_close(p->snapshot);
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
        if (added && !scan)
                note_unscanned(p, v->name);
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
        if (p->guard)
                p->guard->touched = true;
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

static void guard_free(ScanGuard *g)
{
        hashmap_free(g->removed);
        hashmap_free(g->unscanned);
        strv_free(g->recheck);
        free(g->swept);
        free(g);
}

/* Names that come from now on are the business of the next scan. */
static void swap_unscanned(Pool *p, ScanGuard *g)
{
        Hashmap *before = p->unscanned;

        p->unscanned = g->unscanned;
        g->unscanned = before;
}

int refresh_begin(Pool *p, bool full)
{
        ScanGuard *g = calloc(1, sizeof(*g));

        if (!g)
                return -ENOMEM;
        g->start = p->generation;
        g->removed = hashmap_new();
        g->unscanned = hashmap_new();
        if (!g->removed || !g->unscanned) {
                guard_free(g);
                return -ENOMEM;
        }
        refresh_abort(p);
        g->full = full;
        g->known = volume_table_size(p->volumes) > 0;
        p->scan++;
        swap_unscanned(p, g);
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
        /* Its snapshot knows the name now, also when an operation knows better. */
        (void)hashmap_remove(p->unscanned, v->name);
        if (p->guard && !outdated(p, v->name))
                put(p, v, p->guard);
}

void refresh_vanished(Pool *p, const char *name)
{
        if (p->guard && !outdated(p, name))
                drop(p, name, p->guard);
}

/* What one call may do: so many volumes looked at, or dropped. */
#define SWEEP_LOOKS 8192u
#define SWEEP_DROPS 1024u

/* Of the table's order the part up to the name p->guard->swept is done. */
bool refresh_sweep(Pool *p)
{
        ScanGuard *g = p->guard;
        unsigned n_looks = 0, n_drops = 0;
        VolumeCursor cursor;
        Volume *v;

        if (!g->full || !g->known)
                return true;
        v = volume_table_first(p->volumes, g->swept, &cursor);
        while (v && n_looks++ < SWEEP_LOOKS && n_drops < SWEEP_DROPS) {
                if (free_and_strdup(&g->swept, v->name) < 0)
                        return true;
                /* It was seen, by the scan or by an operation meanwhile. */
                if (v->scan == p->scan) {
                        v = volume_table_next(p->volumes, &cursor);
                        continue;
                }
                drop(p, g->swept, g);
                n_drops++;
                v = volume_table_first(p->volumes, g->swept, &cursor);
        }
        /* Giving all of it back at the end takes milliseconds. */
        if (n_drops == SWEEP_DROPS)
                (void)malloc_trim(0);
        return !v;
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

/* A scan that only tells differences from its snapshot says nothing of a volume that came after that and went; had it been
 * there, it would have been told as new. */
static void drop_unscanned(Pool *p)
{
        ScanGuard *g = p->guard;
        const char *name;
        void *value;

        HASHMAP_FOREACH (name, value, g->unscanned) {
                const Volume *v = volume_table_get(p->volumes, name);

                if (!v || v->scan == p->scan)
                        continue;
                if (v->generation > g->start)
                        (void)strv_append(&g->recheck, name);
                else
                        drop(p, name, g);
        }
}

void refresh_end(Pool *p, Bag *result)
{
        char **recheck = NULL;

        if (p->guard) {
                if (!p->guard->full)
                        drop_unscanned(p);
                recheck = TAKE_PTR(p->guard->recheck);
        }
        safe_close(p->snapshot);
        p->snapshot = -EBADF;
        refresh_abort(p);
        p->snapshot = bag_take_fd(result, "snapshot");
        if (hashmap_size(p->unscanned) >= UNSCANNED_MAX)
                p->snapshot = safe_close(p->snapshot);
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
