/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-snapshot.h"

#include "bus-call.h"
#include "util/hashmap.h"
#include "util/snapshot-list.h"

/* ---- properties ---- */

DEFINE_GETTER_STRING(get_name, SnapshotFace, o->name)
DEFINE_GETTER_STRING(get_kind, SnapshotFace, snapshot_kind_to_string(o->kind))
DEFINE_GETTER_U64(get_created, SnapshotFace, o->created_usec)
DEFINE_GETTER_U64(get_size, SnapshotFace, o->size)

static int get_volume(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        const SnapshotFace *s = userdata;
        _cleanup_free_ char *volume = object_path_volume(pool_name(s->volume->pool), s->volume->name);

        return volume ? sd_bus_message_append_basic(reply, 'o', volume) : -ENOMEM;
}

static char *path_of(const Pool *p, const char *volume, const SnapshotInfo *s)
{
        _cleanup_free_ char *name = strndup(s->name, s->name_length);

        return name ? object_path_snapshot(pool_name(p), volume, name) : NULL;
}

int snapshots_append_paths(const Volume *v, sd_bus_message *reply)
{
        const char *list = volume_snapshots(v);
        SnapshotInfo s;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "o");
        while (r >= 0 && snapshot_list_next(&list, &s) > 0) {
                _cleanup_free_ char *path = path_of(v->pool, v->name, &s);

                r = path ? sd_bus_message_append_basic(reply, 'o', path) : -ENOMEM;
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* ---- methods ---- */

static int submit(sd_bus_message *m, const SnapshotFace *s, Operation operation, sd_bus_error *ret_error)
{
        Pool *p = s->volume->pool;
        _cleanup_free_ char *name = strdup(s->name); /* the face is anybody's once signals are sent */
        _cleanup_call_ Call c = {};
        int r;

        if (!name)
                return -ENOMEM;
        r = call_begin(p->manager, m, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = call_read_options(&c, NULL, ret_error);
        if (r < 0)
                return r;
        return call_submit(&c,
                           &(Request){ .operation = operation,
                                       .pool = p,
                                       .volume = s->volume->name,
                                       .snapshot = name,
                                       .capacity = UINT64_MAX,
                                       .fd = -EBADF },
                           ret_error);
}

static int method_revert(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return submit(m, userdata, OPERATION_SNAPSHOT_REVERT, ret_error);
}

static int method_delete(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return submit(m, userdata, OPERATION_SNAPSHOT_DELETE, ret_error);
}

const sd_bus_vtable snapshot_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", get_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Volume", "o", get_volume, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Kind", "s", get_kind, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("CreatedUSec", "t", get_created, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Size", "t", get_size, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_METHOD_WITH_ARGS("Revert", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", job),
                                method_revert, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Delete", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", job),
                                method_delete, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

/* ---- the tree ---- */

/* What was found is good until the next look-up, which is as long as sd-bus uses it. */
static int find_snapshot(sd_bus *bus, const char *path, const char *interface, void *userdata,
                         void **ret_found, sd_bus_error *ret_error)
{
        Bus *b = userdata;
        _cleanup_free_ char *pool = NULL, *volume = NULL, *name = NULL;
        SnapshotInfo info;
        Volume *v = NULL;
        Pool *p;
        int r;

        r = object_path_to_snapshot(path, &pool, &volume, &name);
        if (r <= 0)
                return r;
        p = manager_pool(b->manager, pool);
        if (p)
                v = volume_table_get(p->volumes, volume);
        if (!v || !snapshot_list_find(volume_snapshots(v), name, &info))
                return 0;
        free(b->snapshot.name);
        b->snapshot = (SnapshotFace){
                .volume = v,
                .name = TAKE_PTR(name),
                .kind = info.kind,
                .created_usec = info.created_usec,
                .size = info.size,
        };
        *ret_found = &b->snapshot;
        return 1;
}

static size_t count(const char *list)
{
        SnapshotInfo s;
        size_t n = 0;

        while (snapshot_list_next(&list, &s) > 0)
                n++;
        return n;
}

/* While volumes are not listed there are none in the lists. */
static bool are_listed(const Bus *b)
{
        return b->n_snapshots <= SNAPSHOTS_LISTED_MAX;
}

static int append_nodes(const PoolFace *f, char **paths, size_t *n)
{
        const char *volume, *list;

        HASHMAP_FOREACH (volume, list, f->snapshots)
                for (SnapshotInfo s; snapshot_list_next(&list, &s) > 0;) {
                        paths[*n] = path_of(f->pool, volume, &s);
                        if (!paths[(*n)++])
                                return -ENOMEM;
                }
        return 0;
}

static int list_snapshots(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                          sd_bus_error *ret_error)
{
        Bus *b = userdata;
        _cleanup_strv_ char **paths = NULL;
        const char *name;
        PoolFace *f;
        size_t n = 0;
        int r;

        if (!are_listed(b))
                return 0;
        paths = calloc(b->n_snapshots + 1, sizeof(*paths));
        if (!paths)
                return -ENOMEM;
        HASHMAP_FOREACH (name, f, b->pools) {
                r = append_nodes(f, paths, &n);
                if (r < 0)
                        return r;
        }
        *ret_nodes = TAKE_PTR(paths);
        return 0;
}

int snapshot_faces_register(Bus *b)
{
        int r;

        r = sd_bus_add_fallback_vtable(b->connection, &b->snapshot_objects, OBJECT_SNAPSHOTS,
                                       INTERFACE_SNAPSHOT, snapshot_vtable, find_snapshot, b);
        if (r < 0)
                return r;
        return sd_bus_add_node_enumerator(b->connection, &b->snapshot_names, OBJECT_SNAPSHOTS,
                                          list_snapshots, b);
}

/* ---- news ---- */

static void note(PoolFace *f, const char *volume, const SnapshotInfo *s, ChangeKind kind)
{
        _cleanup_free_ char *pool = object_path_pool(pool_name(f->pool));

        if (pool)
                changes_note(f->bus->changes, path_of(f->pool, volume, s), INTERFACE_SNAPSHOT, pool, kind);
}

static bool is_in(const char *list, const SnapshotInfo *s)
{
        for (SnapshotInfo i; snapshot_list_next(&list, &i) > 0;)
                if (i.name_length == s->name_length && strncmp(i.name, s->name, s->name_length) == 0)
                        return i.kind == s->kind && i.created_usec == s->created_usec && i.size == s->size;
        return false;
}

/* One that was replaced by another of its name goes and comes. */
static void note_differences(PoolFace *f, const char *volume, const char *before, const char *now)
{
        const char *list = before;

        for (SnapshotInfo s; snapshot_list_next(&list, &s) > 0;)
                if (!is_in(now, &s))
                        note(f, volume, &s, CHANGE_REMOVED);
        for (SnapshotInfo s; snapshot_list_next(&now, &s) > 0;)
                if (!is_in(before, &s))
                        note(f, volume, &s, CHANGE_ADDED);
}

static void note_reset(const PoolFace *f)
{
        changes_note(f->bus->changes, object_path_pool(pool_name(f->pool)), INTERFACE_POOL, NULL,
                     CHANGE_RESET);
}

static void note_reset_all(const Bus *b)
{
        const char *name;
        PoolFace *f;

        HASHMAP_FOREACH (name, f, b->pools)
                note_reset(f);
}

/* Keeps the list; without memory for it nobody hears of these snapshots. */
static void replace(PoolFace *f, const char *volume, const char *list)
{
        char *copy = list ? strdup(list) : NULL, *before = hashmap_remove(f->snapshots, volume);

        f->bus->n_snapshots -= count(before);
        free(before);
        if (copy && hashmap_put(f->snapshots, volume, copy) < 0)
                free(copy);
        else
                f->bus->n_snapshots += count(copy);
}

void snapshots_seen(PoolFace *f, const char *volume, const char *list)
{
        Bus *b = f->bus;
        const char *known = hashmap_get(f->snapshots, volume);
        _cleanup_free_ char *before = NULL;
        bool listed;

        if (!b->manager->volumes_listed || streq_ptr(known, list))
                return;
        before = known ? strdup(known) : NULL;
        listed = are_listed(b);
        replace(f, volume, list);
        if (listed != are_listed(b))
                note_reset_all(b);
        else if (listed && MAX(count(before), count(list)) > VOLUME_SIGNALS_MAX)
                note_reset(f);
        else if (listed)
                note_differences(f, volume, before, list);
}

void snapshots_forget(PoolFace *f)
{
        const char *volume;
        char *list;

        if (!f->snapshots)
                return;
        HASHMAP_FOREACH (volume, list, f->snapshots) {
                f->bus->n_snapshots -= count(list);
                free(list);
        }
        hashmap_free(f->snapshots);
        f->snapshots = NULL;
}

void snapshots_reset(PoolFace *f)
{
        VolumeCursor cursor;

        snapshots_forget(f);
        f->snapshots = hashmap_new();
        if (!f->snapshots || !f->bus->manager->volumes_listed)
                return;
        for (Volume *v = volume_table_first(f->pool->volumes, NULL, &cursor); v;
             v = volume_table_next(f->pool->volumes, &cursor))
                if (volume_snapshots(v))
                        replace(f, v->name, volume_snapshots(v));
}
