/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "watcher.h"

#include <fcntl.h>
#include <sys/inotify.h>

#include "job-run.h"
#include "recovery.h"
#include "refresh.h"
#include "util/names.h"

#define SETTLE_USEC (20ULL * 1000) /* news of a burst are looked at together */
#define NAMES_MAX 1024u            /* beyond, a refresh is cheaper */
#define STORM_USEC (250ULL * 1000) /* ... which waits a little longer for the end of the storm */

typedef struct Watcher {
        Pool *pool;
        int fd;
        sd_event_source *io, *settle;
        Hashmap *names; /* -> what was told of them, the events in the pointer */
        bool overflow;  /* news were lost: look at everything */
} Watcher;

/* One that has not begun yet will see everything. */
static void refresh_all(Pool *p)
{
        if (!queue_pool_waits_for(p->manager->queue, p, OPERATION_POOL_REFRESH))
                (void)job_submit_internal(p, OPERATION_POOL_REFRESH, NULL, NULL);
}

static int on_settled(sd_event_source *s, uint64_t usec, void *userdata)
{
        Watcher *w = userdata;
        _cleanup_(hashmap_freep) Hashmap *names = TAKE_PTR(w->names);
        char **list = NULL;
        const char *name;
        void *value;

        w->names = hashmap_new();
        if (w->overflow || !w->names) {
                w->overflow = false;
                refresh_all(w->pool);
                return 0;
        }
        HASHMAP_FOREACH (name, value, names)
                if (strv_append(&list, name) < 0)
                        break;
        if (list)
                pool_look_at(w->pool, list);
        return 0;
}

static void settle_after(Watcher *w, uint64_t usec)
{
        if (w->settle) {
                (void)sd_event_source_set_time_relative(w->settle, usec);
                (void)sd_event_source_set_enabled(w->settle, SD_EVENT_ONESHOT);
        } else
                (void)sd_event_add_time_relative(w->pool->manager->event, &w->settle, CLOCK_MONOTONIC, usec,
                                                 1000, on_settled, w);
}

static void settle_soon(Watcher *w)
{
        if (!w->settle || sd_event_source_get_enabled(w->settle, NULL) <= 0)
                settle_after(w, SETTLE_USEC);
}

static void lost_count(Watcher *w)
{
        if (!w->overflow)
                settle_after(w, STORM_USEC);
        w->overflow = true;
}

/* A change of attributes under an unknown name is no news: a file that appears has an event of its own. (One
 * that is made by O_TMPFILE and linked is first told of under a made-up name.) */
static void take_name(Watcher *w, const char *raw, uint32_t mask)
{
        _cleanup_free_ char *name = NULL;
        uint32_t known;

        if (startswith(raw, TEMPORARY_PREFIX))
                return;
        name = name_escape(raw);
        if (name && (mask & IN_ATTRIB) && !volume_table_get(w->pool->volumes, name))
                return;
        if (w->overflow)
                return;
        known = name ? (uint32_t)(uintptr_t)hashmap_remove(w->names, name) : 0;
        if (!name || hashmap_size(w->names) >= NAMES_MAX ||
            hashmap_put(w->names, name, (void *)(uintptr_t)(known | mask)) < 0)
                lost_count(w);
        else
                settle_soon(w);
}

static void directory_gone(Pool *p)
{
        _cleanup_error_ Error e = ERROR_NULL;

        watcher_stop(p);
        error_set(&e, ERROR_SOURCE_UNREACHABLE,
                  "%s, the directory of pool %s, is gone; bring it back, the pool then comes back by itself",
                  pool_target(p) ?: "-", pool_name(p));
        pool_failed(p, POOL_UNAVAILABLE, &e);
}

static int on_readable(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        Watcher *w = userdata;
        char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
        ssize_t n = read(fd, buffer, sizeof(buffer));

        if (n < 0)
                return 0;
        for (ssize_t i = 0; i + (ssize_t)sizeof(struct inotify_event) <= n;) {
                const struct inotify_event *event = (const struct inotify_event *)(buffer + i);

                i += (ssize_t)(sizeof(*event) + event->len);
                if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) {
                        directory_gone(w->pool);
                        return 0; /* w is gone */
                }
                if (event->mask & IN_Q_OVERFLOW)
                        lost_count(w);
                else if (event->len > 0)
                        take_name(w, event->name, event->mask);
        }
        return 0;
}

static void watcher_free(Watcher *w)
{
        sd_event_source_disable_unref(w->io);
        sd_event_source_disable_unref(w->settle);
        safe_close(w->fd);
        hashmap_free(w->names);
        free(w);
}

/* What comes out of a worker is not trusted; what comes out of the kernel is. */
static int check_inotify(int fd, Error *e)
{
        char link[sizeof("/proc/self/fd/") + 16], what[64];
        ssize_t n;
        int flags;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = fd < 0 ? -1 : readlink(link, what, sizeof(what) - 1);
        what[MAX(n, 0)] = '\0';
        if (!streq(what, "anon_inode:inotify"))
                return error_set(e, ERROR_WORKER_CRASHED, "the worker gave no inotify descriptor to watch");
        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return error_set_errno(e, errno, "Cannot set up the watch");
        return 0;
}

int watcher_start(Pool *p, int fd, Error *e)
{
        Watcher *w;
        int r;

        r = check_inotify(fd, e);
        if (r < 0) {
                safe_close(fd);
                return r;
        }
        w = calloc(1, sizeof(*w));
        if (!w) {
                safe_close(fd);
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        }
        *w = (Watcher){ .pool = p, .fd = fd, .names = hashmap_new() };
        r = w->names ? sd_event_add_io(p->manager->event, &w->io, fd, EPOLLIN, on_readable, w) : -ENOMEM;
        if (r < 0) {
                watcher_free(w);
                return error_set_errno(e, r, "Cannot watch pool %s", pool_name(p));
        }
        watcher_stop(p);
        p->watcher = w;
        return 0;
}

void watcher_stop(Pool *p)
{
        if (p->watcher)
                watcher_free(TAKE_PTR(p->watcher));
}

void watcher_forget(Pool *p, const char *name, uint32_t event)
{
        if (p->watcher && (uintptr_t)hashmap_get(p->watcher->names, name) == event)
                (void)hashmap_remove(p->watcher->names, name);
}
