/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus.h"

#include <time.h>

#include "bus-call.h"
#include "bus-inhibit.h"
#include "bus-internal.h"
#include "bus-query.h"
#include "bus-snapshot.h"
#include "util/fileio.h"
#include "util/log.h"

#define LOG_CONTROL_PATH "/org/freedesktop/LogControl1"
#define FLUSH_USEC (1000 * 1000)

/* ---- what the core tells ---- */

static void note_pool(Bus *b, const Pool *p, ChangeKind kind)
{
        changes_note(b->changes, object_path_pool(pool_name(p)), INTERFACE_POOL, NULL, kind);
}

static void note_manager(Bus *b)
{
        changes_note(b->changes, strdup(OBJECT_ROOT), INTERFACE_MANAGER, NULL, CHANGE_CHANGED);
}

static void note_volume(Bus *b, const Pool *p, const char *name, ChangeKind kind)
{
        _cleanup_free_ char *pool = object_path_pool(pool_name(p));

        if (pool)
                changes_note(b->changes, object_path_volume(pool_name(p), name), INTERFACE_VOLUME, pool,
                             kind);
}

static void note_job(Bus *b, const Job *j, ChangeKind kind)
{
        if (b->inhibit)
                inhibit_update(b->inhibit);
        changes_note(b->changes, object_path_job(j->id), INTERFACE_JOB, NULL, kind);
}

static void on_pool_added(Pool *p, void *userdata)
{
        Bus *b = userdata;
        int r;

        r = pool_face_new(b, p);
        if (r < 0)
                log_line(LOG_ERR, (LogFields){ .pool = pool_name(p), .caller = (uid_t)-1 },
                         "Cannot show the volumes of pool %s on the bus: %s", pool_name(p), strerror(-r));
        note_pool(b, p, CHANGE_ADDED);
        note_manager(b);
}

static void on_pool_removed(Pool *p, void *userdata)
{
        Bus *b = userdata;

        query_drop(b, p);
        pool_face_free(hashmap_remove(b->pools, pool_name(p)));
        note_pool(b, p, CHANGE_REMOVED);
        note_manager(b);
}

static void on_pool_changed(Pool *p, void *userdata)
{
        note_pool(userdata, p, CHANGE_CHANGED);
}

static void note_snapshots(Bus *b, const Pool *p, const char *volume, const char *list)
{
        PoolFace *f = hashmap_get(b->pools, pool_name(p));

        if (f)
                snapshots_seen(f, volume, list);
}

static void on_volume_added(Volume *v, void *userdata)
{
        note_volume(userdata, v->pool, v->name, CHANGE_ADDED);
        note_snapshots(userdata, v->pool, v->name, volume_snapshots(v));
}

static void on_volume_changed(Volume *v, void *userdata)
{
        note_volume(userdata, v->pool, v->name, CHANGE_CHANGED);
        note_snapshots(userdata, v->pool, v->name, volume_snapshots(v));
}

static void on_volume_removed(Pool *p, const char *name, void *userdata)
{
        note_snapshots(userdata, p, name, NULL);
        note_volume(userdata, p, name, CHANGE_REMOVED);
}

static void on_volumes_reset(Pool *p, void *userdata)
{
        Bus *b = userdata;
        PoolFace *f = hashmap_get(b->pools, pool_name(p));

        if (f)
                snapshots_reset(f);
        note_pool(userdata, p, CHANGE_RESET);
        note_pool(userdata, p, CHANGE_CHANGED);
}

/* Volumes enter or leave ObjectManager: whoever keeps a copy of the tree has to read it again. */
static void on_listing_changed(Manager *m, void *userdata)
{
        Bus *b = userdata;
        const char *name;
        Pool *p;

        HASHMAP_FOREACH (name, p, m->pools)
                on_volumes_reset(p, b);
        note_manager(b);
}

static void on_job_added(Job *j, void *userdata)
{
        note_job(userdata, j, CHANGE_ADDED);
}

static void on_job_changed(Job *j, void *userdata)
{
        note_job(userdata, j, CHANGE_CHANGED);
}

/* The properties are told first, so that who hears Finished finds the final state. */
static void on_job_finished(Job *j, void *userdata)
{
        Bus *b = userdata;

        note_job(b, j, CHANGE_CHANGED);
        if (changes_congested(b->changes))
                return;
        changes_flush(b->changes);
        (void)job_emit_finished(b, j);
}

static void on_job_removed(Job *j, void *userdata)
{
        note_job(userdata, j, CHANGE_REMOVED);
}

static const Observer observer = {
        .pool_added = on_pool_added,
        .pool_removed = on_pool_removed,
        .pool_changed = on_pool_changed,
        .volume_added = on_volume_added,
        .volume_changed = on_volume_changed,
        .volume_removed = on_volume_removed,
        .volumes_reset = on_volumes_reset,
        .listing_changed = on_listing_changed,
        .job_added = on_job_added,
        .job_changed = on_job_changed,
        .job_finished = on_job_finished,
        .job_removed = on_job_removed,
};

static bool pool_generation(const char *path, uint64_t *ret, void *userdata)
{
        Bus *b = userdata;
        _cleanup_free_ char *name = NULL;
        const Pool *p;

        if (object_path_to_pool(path, &name) <= 0)
                return false;
        p = manager_pool(b->manager, name);
        if (!p)
                return false;
        *ret = p->generation;
        return true;
}

/* ---- what comes in ---- */

static void on_caller_gone(const char *name, void *userdata)
{
        Bus *b = userdata;

        polkit_caller_gone(b->polkit, name);
}

/* Before any handler of ours runs, the sender's uid is known; in user mode nobody but ourselves gets
 * further. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Bus *b = userdata;
        const char *path = sd_bus_message_get_path(m);
        _cleanup_error_ Error e = ERROR_NULL;
        uid_t caller;
        int r;

        if (sd_bus_message_is_method_call(m, NULL, NULL) <= 0 || !path)
                return 0;
        if (!startswith(path, OBJECT_ROOT) && !streq(path, LOG_CONTROL_PATH))
                return 0;
        r = callers_resolve(b->callers, m, &caller, &e);
        if (r < 0)
                return call_fail(&e, r, ret_error);
        if (r == 0)
                return 1;
        if (b->user_mode && caller != geteuid())
                return sd_bus_error_setf(ret_error, SD_BUS_ERROR_ACCESS_DENIED,
                                         "This service runs for uid %u only", (unsigned)geteuid());
        return 0;
}

/* ---- coming and going ---- */

static int register_objects(Bus *b)
{
        const char *name;
        Pool *p;
        int r;

        r = sd_bus_add_filter(b->connection, &b->filter, on_message, b);
        if (r >= 0)
                r = manager_face_register(b);
        if (r >= 0)
                r = pool_faces_register(b);
        if (r >= 0)
                r = snapshot_faces_register(b);
        if (r >= 0)
                r = job_faces_register(b);
        if (r >= 0)
                r = log_control_register(b);
        HASHMAP_FOREACH (name, p, b->manager->pools)
                if (r >= 0)
                        r = pool_face_new(b, p);
        return r;
}

static int bus_setup(Bus *b)
{
        int r;

        b->pools = hashmap_new();
        b->dump_builds = hashmap_new();
        if (!b->pools || !b->dump_builds)
                return -ENOMEM;
        r = callers_new(b->connection, on_caller_gone, b, &b->callers);
        if (r >= 0)
                r = polkit_new(b->connection, &b->polkit);
        if (r >= 0)
                r = changes_new(b->connection, pool_generation, b, &b->changes);
        if (r >= 0)
                r = register_objects(b);
        if (r >= 0 && !b->user_mode)
                r = inhibit_new(b, &b->inhibit);
        return r;
}

int bus_new_on(Manager *m, sd_bus *connection, bool user_mode, Bus **ret, Error *e)
{
        _cleanup_(bus_freep) Bus *b = calloc(1, sizeof(*b));
        int r;

        if (!b)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        b->manager = m;
        b->connection = sd_bus_ref(connection);
        b->user_mode = user_mode;
        r = bus_setup(b);
        if (r < 0)
                return error_set_errno(e, r, "Cannot register the objects on the bus");
        manager_set_observer(m, &observer, b);
        *ret = TAKE_PTR(b);
        return 0;
}

static int connect_bus(const BusConfig *config, sd_bus **ret)
{
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        if (!config->address)
                return config->user_mode ? sd_bus_open_user_with_description(ret, "poolkeeper")
                                         : sd_bus_open_system_with_description(ret, "poolkeeper");
        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_description(bus, "poolkeeper");
        if (r >= 0)
                r = sd_bus_set_address(bus, config->address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(bus);
        return 0;
}

int bus_new(Manager *m, const BusConfig *config, Bus **ret, Error *e)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *connection = NULL;
        _cleanup_(bus_freep) Bus *b = NULL;
        int r;

        r = connect_bus(config, &connection);
        if (r >= 0)
                r = sd_bus_attach_event(connection, m->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(connection, true);
        if (r < 0)
                return error_set_errno(e, r, "Cannot connect to the bus");
        r = bus_new_on(m, connection, config->user_mode, &b, e);
        if (r < 0)
                return r;
        /* Last, so that whoever sees the name finds every object. */
        r = sd_bus_request_name(connection, BUS_NAME, 0);
        if (r == -EEXIST)
                return error_set(e, ERROR_BUSY, "Another process owns the name %s on this bus", BUS_NAME);
        if (r < 0)
                return error_set_errno(e, r, "Cannot own the name %s", BUS_NAME);
        connection = sd_bus_unref(connection);
        *ret = TAKE_PTR(b);
        return 0;
}

static int on_released(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        Bus *b = userdata;

        b->leaving = sd_bus_slot_unref(b->leaving);
        b->left(b->left_data);
        return 1;
}

int bus_leave(Bus *b, void (*left)(void *userdata), void *userdata)
{
        if (b->leaving)
                return 0;
        b->left = left;
        b->left_data = userdata;
        return sd_bus_release_name_async(b->connection, &b->leaving, BUS_NAME, on_released, b);
}

/* Writes what is queued, but does not wait for ever for a bus that does not read. */
static void flush(sd_bus *connection)
{
        uint64_t end = now_usec(CLOCK_MONOTONIC) + FLUSH_USEC, now, queued;

        while (sd_bus_get_n_queued_write(connection, &queued) >= 0 && queued > 0) {
                now = now_usec(CLOCK_MONOTONIC);
                if (now >= end || sd_bus_wait(connection, end - now) <= 0 ||
                    sd_bus_process(connection, NULL) < 0)
                        return;
        }
}

static void free_objects(Bus *b)
{
        sd_bus_slot **slots[] = {
                &b->snapshot_names, &b->snapshot_objects, &b->leaving,      &b->job_names,
                &b->job_objects,    &b->pool_names,       &b->pool_objects, &b->log_control,
                &b->root,           &b->object_manager,   &b->filter
        };
        const char *key;
        PoolFace *f;
        void *last;

        if (b->pools)
                HASHMAP_FOREACH (key, f, b->pools)
                        pool_face_free(f);
        hashmap_free(b->pools);
        if (b->dump_builds)
                HASHMAP_FOREACH (key, last, b->dump_builds)
                        free(last);
        hashmap_free(b->dump_builds);
        FOREACH_ELEMENT (i, slots)
                **i = sd_bus_slot_unref(**i);
}

void bus_free(Bus *b)
{
        if (!b)
                return;
        if (b->manager->observer_data == b)
                manager_set_observer(b->manager, &(Observer){}, NULL);
        query_drop(b, NULL);
        reply_release_all(b);
        sd_event_source_disable_unref(b->announce);
        if (b->changes)
                changes_flush(b->changes);
        inhibit_free(b->inhibit);
        free_objects(b);
        free(b->snapshot.name);
        changes_free(b->changes);
        polkit_free(b->polkit);
        callers_free(b->callers);
        flush(b->connection);
        sd_bus_close_unref(b->connection);
        free(b);
}
