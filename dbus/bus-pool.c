/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.example.Storage.Pool. Lists of volumes are in bus-listing.c and bus-dump.c, definitions in bus-define.c, what makes
 * volumes in bus-create.c. */
#include "bus-pool.h"

#include "bus-dump.h"
#include "bus-open.h"
#include "bus-query.h"
#include "bus-snapshot.h"

static const char *text_option(const Pool *p, const char *name)
{
        return bag_get_string(p->definition->options, name);
}

static PoolNumbers numbers(const Pool *p)
{
        PoolNumbers n = {};

        pool_numbers(p, &n);
        return n;
}

DEFINE_GETTER_STRING(get_name, Pool, pool_name(o))
DEFINE_GETTER_STRING(get_uuid, Pool, o->definition->uuid)
DEFINE_GETTER_STRING(get_type, Pool, pool_type(o))
DEFINE_GETTER_STRING(get_state, Pool, pool_state_to_string(o->state))
DEFINE_GETTER_BOOL(get_persistent, Pool, o->persistent)
DEFINE_GETTER_BOOL(get_autostart, Pool, o->autostart)
DEFINE_GETTER_BOOL(get_update_pending, Pool, o->update != NULL)
DEFINE_GETTER_BOOL(get_refreshing, Pool, o->refreshing)
DEFINE_GETTER_STRING(get_target_path, Pool, pool_target(o))
DEFINE_GETTER_U64(get_capacity, Pool, numbers(o).capacity)
DEFINE_GETTER_U64(get_allocation, Pool, numbers(o).allocation)
DEFINE_GETTER_U64(get_available, Pool, numbers(o).available)
DEFINE_GETTER_U64(get_reserved, Pool, pool_reserved(o))
DEFINE_GETTER_U64(get_volume_count, Pool, volume_table_size(o->volumes))
DEFINE_GETTER_BOOL(get_volumes_listed, Pool, o->manager->volumes_listed)
DEFINE_GETTER_U64(get_generation, Pool, o->generation)
DEFINE_GETTER_U64(get_last_refresh, Pool, o->last_refresh_usec)
DEFINE_GETTER_STRING(get_purpose, Pool, text_option(o, "purpose") ?: "images")
DEFINE_GETTER_STRING(get_description, Pool, text_option(o, "description"))
DEFINE_GETTER_STRING(get_default_format, Pool, text_option(o, "volume.format") ?: "raw")

static int get_error(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        const Pool *p = userdata;

        return error_append_to_message(&p->error, reply);
}

static int get_features(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        const Pool *p = userdata;

        return sd_bus_message_append_strv(reply, p->backend ? p->backend->features : NULL);
}

static int get_volume_formats(sd_bus *bus, const char *path, const char *interface, const char *property,
                              sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        const Pool *p = userdata;

        return sd_bus_message_append_strv(reply, p->backend ? p->backend->create_formats : NULL);
}

int pool_begin(sd_bus_message *m, Pool *p, Call *ret, sd_bus_error *ret_error)
{
        return call_begin(p->manager, m, ret, ret_error);
}

static int submit(sd_bus_message *m, Pool *p, Operation operation, sd_bus_error *ret_error)
{
        _cleanup_call_ Call c = {};
        int r;

        r = pool_begin(m, p, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = call_read_options(&c, NULL, ret_error);
        if (r < 0)
                return r;
        return call_submit(&c, &(Request){ .operation = operation, .pool = p, .capacity = UINT64_MAX },
                           ret_error);
}

static int method_start(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return submit(m, userdata, OPERATION_POOL_START, ret_error);
}

static int method_stop(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return submit(m, userdata, OPERATION_POOL_STOP, ret_error);
}

static int method_build(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return submit(m, userdata, OPERATION_POOL_BUILD, ret_error);
}

static int method_delete(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return submit(m, userdata, OPERATION_POOL_DELETE, ret_error);
}

static int method_refresh(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return submit(m, userdata, OPERATION_POOL_REFRESH, ret_error);
}

static int method_undefine(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Pool *p = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_call_ Call c = {};
        int r;

        r = pool_begin(m, p, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = call_read_options(&c, (const char *[]){ NULL }, ret_error);
        if (r < 0)
                return r;
        r = call_authorize_pool(&c, p, NULL, "pool-manage", ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = manager_undefine(p->manager, p, &e);
        return r < 0 ? call_fail(&e, r, ret_error) : sd_bus_reply_method_return(m, NULL);
}

static int method_set_autostart(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Pool *p = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_call_ Call c = {};
        int r, on;

        r = pool_begin(m, p, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = sd_bus_message_read(m, "b", &on);
        if (r < 0)
                return r;
        r = call_read_options(&c, (const char *[]){ NULL }, ret_error);
        if (r < 0)
                return r;
        r = call_authorize_pool(&c, p, NULL, "pool-manage", ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = manager_set_autostart(p->manager, p, on, &e);
        return r < 0 ? call_fail(&e, r, ret_error) : sd_bus_reply_method_return(m, NULL);
}

static int method_get_volume(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Pool *p = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *path = NULL;
        const char *name;
        Volume *v;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        r = pool_find_volume(p, name, &v, &e);
        if (r < 0)
                return call_fail(&e, r, ret_error);
        path = object_path_volume(pool_name(p), v->name);
        return path ? sd_bus_reply_method_return(m, "o", path) : -ENOMEM;
}

const sd_bus_vtable pool_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", get_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("UUID", "s", get_uuid, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Type", "s", get_type, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Error", "(ss)", get_error, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Persistent", "b", get_persistent, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Autostart", "b", get_autostart, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("UpdatePending", "b", get_update_pending, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Refreshing", "b", get_refreshing, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("TargetPath", "s", get_target_path, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Capacity", "t", get_capacity, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Allocation", "t", get_allocation, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Available", "t", get_available, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Reserved", "t", get_reserved, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("VolumeCount", "t", get_volume_count, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("VolumesListed", "b", get_volumes_listed, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Generation", "t", get_generation, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("LastRefreshUSec", "t", get_last_refresh, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Purpose", "s", get_purpose, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Description", "s", get_description, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("DefaultFormat", "s", get_default_format, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Features", "as", get_features, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("VolumeFormats", "as", get_volume_formats, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_METHOD_WITH_ARGS("Start", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", job),
                                method_start, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", job), method_stop,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Build", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", job),
                                method_build, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Delete", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", job),
                                method_delete, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Refresh", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", job),
                                method_refresh, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Undefine", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method_undefine,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetAutostart", SD_BUS_ARGS("b", autostart, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_set_autostart, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Update", SD_BUS_ARGS("a{sv}", definition, "a{sv}", options),
                                SD_BUS_NO_RESULT, pool_method_update, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("UpdateXML", SD_BUS_ARGS("s", xml, "a{sv}", options), SD_BUS_NO_RESULT,
                                pool_method_update_xml, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetXML", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("s", xml),
                                pool_method_get_xml, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetDefinition", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a{sv}", definition), pool_method_get_definition,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CreateVolume", SD_BUS_ARGS("s", name, "t", capacity, "a{sv}", options),
                                SD_BUS_RESULT("o", job), pool_method_create_volume,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CreateVolumeXML", SD_BUS_ARGS("s", xml, "a{sv}", options),
                                SD_BUS_RESULT("o", job), pool_method_create_volume_xml,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CloneVolume", SD_BUS_ARGS("s", name, "o", source, "a{sv}", options),
                                SD_BUS_RESULT("o", job), pool_method_clone_volume,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ImportVolume", SD_BUS_ARGS("s", name, "h", data, "a{sv}", options),
                                SD_BUS_RESULT("o", job), pool_method_import_volume,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ConvertVolumes", SD_BUS_ARGS("s", format, "a{sv}", options),
                                SD_BUS_RESULT("o", job), pool_method_convert_volumes,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenVolume", SD_BUS_ARGS("s", name, "a{sv}", options),
                                SD_BUS_RESULT("h", descriptor, "s", type, "b", read_only, "a{sv}", source),
                                pool_method_open_volume, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetVolume", SD_BUS_ARGS("s", name), SD_BUS_RESULT("o", volume),
                                method_get_volume, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListVolumes", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a(stttssu)", volumes, "s", next, "t", generation),
                                pool_method_list_volumes, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DumpVolumes", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("h", list, "t", generation), pool_method_dump_volumes,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("VolumesReset", SD_BUS_ARGS("t", generation), 0),
        SD_BUS_VTABLE_END,
};

static int find_pool(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                     sd_bus_error *ret_error)
{
        Bus *b = userdata;
        _cleanup_free_ char *name = NULL;
        Pool *p;
        int r;

        r = object_path_to_pool(path, &name);
        if (r <= 0)
                return r;
        p = manager_pool(b->manager, name);
        if (!p)
                return 0;
        *ret_found = p;
        return 1;
}

static int list_pools(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                      sd_bus_error *ret_error)
{
        Bus *b = userdata;
        _cleanup_strv_ char **paths = calloc(hashmap_size(b->manager->pools) + 1, sizeof(*paths));
        const char *name;
        size_t n = 0;
        Pool *p;

        if (!paths)
                return -ENOMEM;
        HASHMAP_FOREACH (name, p, b->manager->pools) {
                paths[n] = object_path_pool(name);
                if (!paths[n++])
                        return -ENOMEM;
        }
        *ret_nodes = TAKE_PTR(paths);
        return 0;
}

int pool_faces_register(Bus *b)
{
        int r;

        r = sd_bus_add_fallback_vtable(b->connection, &b->pool_objects, OBJECT_POOLS, INTERFACE_POOL,
                                       pool_vtable, find_pool, b);
        if (r < 0)
                return r;
        return sd_bus_add_node_enumerator(b->connection, &b->pool_names, OBJECT_POOLS, list_pools, b);
}

int pool_face_new(Bus *b, Pool *p)
{
        PoolFace *f = calloc(1, sizeof(*f));
        int r;

        if (!f)
                return -ENOMEM;
        *f = (PoolFace){ .bus = b, .pool = p };
        snapshots_reset(f);
        r = f->snapshots ? volume_faces_register(f) : -ENOMEM;
        if (r >= 0)
                r = hashmap_put(b->pools, pool_name(p), f);
        if (r < 0)
                pool_face_free(f);
        return r;
}

void pool_face_free(PoolFace *f)
{
        if (!f)
                return;
        sd_bus_slot_unref(f->volume_names);
        sd_bus_slot_unref(f->volumes);
        snapshots_forget(f);
        dump_free(f->dump);
        free(f);
}
