/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-changes.h"

#include <time.h>

#include "util/fileio.h"
#include "util/hashmap.h"

/* Subscribers hear of one object at most this often. The first change after a quiet time is told at once.
 * The source has normal priority: an idle one would never run under steady load. */
#define INTERVAL_USEC (20 * 1000)
#define SLICE_USEC (1500)
/* Messages in our queue, which only grows while dbus-daemon does not read: some subscriber makes it wait. */
#define QUEUED_MAX 1024u
#define QUEUED_RESUME 64u
#define CONGESTION_POLL_USEC (100 * 1000)
#define VOLUMES_NOTED_MAX 1024u /* more become a reset */

#define POOL_INTERFACE "org.example.Storage.Pool"

typedef struct Change {
        char *path, *pool;
        const char *interface;
        bool removed, added, changed, reset; /* told in this order */
        struct Change *next, *previous;
} Change;

struct Changes {
        sd_bus *bus;
        changes_generation_t generation;
        void *userdata;
        Hashmap *noted; /* path -> Change */
        Change *first, *last;
        size_t n_volumes;
        sd_event_source *timer;
        uint64_t last_usec; /* of the last flush */
        bool congested;
};

static void change_free(Changes *c, Change *change)
{
        hashmap_remove(c->noted, change->path);
        if (change->previous)
                change->previous->next = change->next;
        else
                c->first = change->next;
        if (change->next)
                change->next->previous = change->previous;
        else
                c->last = change->previous;
        if (change->pool)
                c->n_volumes--;
        free(change->path);
        free(change->pool);
        free(change);
}

static Change *change_new(Changes *c, char *path, const char *interface, const char *pool)
{
        Change *change = calloc(1, sizeof(*change));

        if (!change || (pool && !(change->pool = strdup(pool))) || hashmap_put(c->noted, path, change) < 0) {
                if (change)
                        free(change->pool);
                free(change);
                free(path);
                return NULL;
        }
        change->path = path;
        change->interface = interface;
        change->previous = c->last;
        if (c->last)
                c->last->next = change;
        else
                c->first = change;
        c->last = change;
        if (pool)
                c->n_volumes++;
        return change;
}

static void emit_removed(Changes *c, const Change *change)
{
        char *const interfaces[] = {
                (char *)"org.freedesktop.DBus.Peer",
                (char *)"org.freedesktop.DBus.Introspectable",
                (char *)"org.freedesktop.DBus.Properties",
                (char *)change->interface,
                NULL,
        };

        (void)sd_bus_emit_interfaces_removed_strv(c->bus, change->path, (char **)interfaces);
}

/* Errors are those of an object that has gone meanwhile or of a closing connection: nobody is to be told. */
static void emit(Changes *c, const Change *change)
{
        uint64_t generation;

        if (change->removed)
                emit_removed(c, change);
        if (change->added)
                (void)sd_bus_emit_object_added(c->bus, change->path);
        else if (change->changed)
                (void)sd_bus_emit_properties_changed_strv(c->bus, change->path, change->interface, NULL);
        if (change->reset && c->generation(change->path, &generation, c->userdata))
                (void)sd_bus_emit_signal(c->bus, change->path, POOL_INTERFACE, "VolumesReset", "t",
                                         generation);
}

static void arm(Changes *c, uint64_t usec)
{
        (void)sd_event_source_set_time(c->timer, usec);
        (void)sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

static void merge(Changes *c, Change *change, ChangeKind kind)
{
        switch (kind) {
        case CHANGE_ADDED:
                change->added = true;
                break;
        case CHANGE_CHANGED:
                change->changed = true;
                break;
        case CHANGE_RESET:
                change->reset = true;
                break;
        case CHANGE_REMOVED:
                /* What was never told to exist need not be told to be gone. */
                if (change->added && !change->removed)
                        change_free(c, change);
                else {
                        change->added = change->changed = change->reset = false;
                        change->removed = true;
                }
                break;
        }
}

static void note(Changes *c, char *path, const char *interface, const char *pool, ChangeKind kind)
{
        bool idle = !c->first;
        Change *change = hashmap_get(c->noted, path);

        if (change)
                free(path);
        else
                change = change_new(c, path, interface, pool);
        if (!change)
                return;
        merge(c, change, kind);
        if (idle && c->first)
                arm(c, c->last_usec + INTERVAL_USEC);
}

static void note_reset(Changes *c, const char *pool)
{
        char *path = strdup(pool);

        if (path)
                note(c, path, POOL_INTERFACE, NULL, CHANGE_RESET);
}

/* The details about volumes of one pool are forgotten ... */
static void drop_volumes(Changes *c, const char *pool)
{
        for (Change *i = c->first, *next; i; i = next) {
                next = i->next;
                if (i->pool && streq(i->pool, pool))
                        change_free(c, i);
        }
}

/* ... or of all pools, for a reset of each. */
static void drop_details(Changes *c)
{
        for (Change *i = c->first, *next; i; i = next) {
                if (i->pool)
                        note_reset(c, i->pool);
                next = i->next;
                if (i->pool)
                        change_free(c, i);
        }
}

bool changes_congested(Changes *c)
{
        uint64_t queued = 0;

        if (sd_bus_get_n_queued_write(c->bus, &queued) >= 0)
                c->congested = queued > (c->congested ? QUEUED_RESUME : QUEUED_MAX);
        return c->congested;
}

static void tell(Changes *c, uint64_t budget_usec)
{
        uint64_t start = now_usec(CLOCK_MONOTONIC);

        while (c->first) {
                if (changes_congested(c)) {
                        drop_details(c);
                        arm(c, now_usec(CLOCK_MONOTONIC) + CONGESTION_POLL_USEC);
                        return;
                }
                Change *change = c->first;
                emit(c, change);
                change_free(c, change);
                if (budget_usec > 0 && now_usec(CLOCK_MONOTONIC) - start > budget_usec && c->first) {
                        arm(c, 0); /* goes on after the other sources had their turn */
                        return;
                }
        }
        c->last_usec = now_usec(CLOCK_MONOTONIC);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        tell(userdata, SLICE_USEC);
        return 0;
}

void changes_flush(Changes *c)
{
        tell(c, 0);
}

void changes_note(Changes *c, char *path, const char *interface, const char *pool, ChangeKind kind)
{
        if (!path)
                return;
        if (kind == CHANGE_RESET)
                drop_volumes(c, path);
        if (pool && (c->congested || c->n_volumes >= VOLUMES_NOTED_MAX)) {
                free(path);
                drop_volumes(c, pool);
                note_reset(c, pool);
        } else
                note(c, path, interface, pool, kind);
}

int changes_new(sd_bus *bus, changes_generation_t generation, void *userdata, Changes **ret)
{
        _cleanup_(changes_freep) Changes *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        *c = (Changes){ .bus = sd_bus_ref(bus), .generation = generation, .userdata = userdata };
        c->noted = hashmap_new();
        if (!c->noted)
                return -ENOMEM;
        r = sd_event_add_time(sd_bus_get_event(bus), &c->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, c);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

void changes_free(Changes *c)
{
        if (!c)
                return;
        while (c->first)
                change_free(c, c->first);
        hashmap_free(c->noted);
        sd_event_source_disable_unref(c->timer);
        sd_bus_unref(c->bus);
        free(c);
}
