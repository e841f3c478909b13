/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.example.Storage.Volume: objects are lazy, a look-up in the pool's table each time; nothing is kept per
 * volume. */
#include <inttypes.h>

#include "bus-open.h"
#include "bus-query.h"
#include "bus-snapshot.h"
#include "bus-volume.h"
#include "util/bag-message.h"
#include "util/names.h"

static const char *format_name(uint8_t format)
{
        return image_format_to_string((ImageFormat)format);
}

DEFINE_GETTER_STRING(get_name, Volume, o->name)
DEFINE_GETTER_STRING(get_type, Volume, volume_type_to_string((VolumeType)o->type))
DEFINE_GETTER_STRING(get_format, Volume, format_name(o->format))
DEFINE_GETTER_STRING(get_detected, Volume, format_name(o->detected))
DEFINE_GETTER_U64(get_capacity, Volume, o->capacity)
DEFINE_GETTER_U64(get_allocation, Volume, o->allocation)
DEFINE_GETTER_U64(get_physical, Volume, o->physical)
DEFINE_GETTER_U32(get_creator, Volume, o->creator)
DEFINE_GETTER_U32(get_uid, Volume, o->uid)
DEFINE_GETTER_U32(get_gid, Volume, o->gid)
DEFINE_GETTER_U32(get_mode, Volume, o->mode)
DEFINE_GETTER_U64(get_mtime, Volume, o->mtime_usec)
DEFINE_GETTER_STRING(get_backing_path, Volume, volume_backing(o))
DEFINE_GETTER_STRING(get_backing_format, Volume, volume_backing(o) ? format_name(o->backing_format) : NULL)
DEFINE_GETTER_BOOL(get_encrypted, Volume, (o->flags & VOLUME_ENCRYPTED) != 0)
DEFINE_GETTER_BOOL(get_incomplete, Volume, (o->flags & VOLUME_INCOMPLETE) != 0)
DEFINE_GETTER_BOOL(get_corrupt, Volume, (o->flags & VOLUME_CORRUPT) != 0)
DEFINE_GETTER_STRING(get_error, Volume, volume_error(o))
DEFINE_GETTER_U64(get_generation, Volume, o->generation)

static int get_pool(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        const Volume *v = userdata;
        _cleanup_free_ char *pool = object_path_pool(pool_name(v->pool));

        return pool ? sd_bus_message_append_basic(reply, 'o', pool) : -ENOMEM;
}

/* Strings on the bus are UTF-8, file names need not be: such a path is shown like the name, with \xHH. */
char *volume_shown_path(const Pool *p, const char *name)
{
        _cleanup_free_ char *path = pool_volume_path(p, name);
        const char *c = path;

        while (c && *c >= ' ' && *c < 0x7f)
                c++;
        return c && *c && name_needs_escape(path) ? name_escape(path) : TAKE_PTR(path);
}

/* Serves Path and Key: for volumes that are files, the path is the key. */
static int get_path(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        const Volume *v = userdata;
        _cleanup_free_ char *file = volume_shown_path(v->pool, v->name);

        return file ? sd_bus_message_append_basic(reply, 's', file) : -ENOMEM;
}

/* "/" stands for none: there is no backing file, or it is no volume of this pool. */
static int get_backing_volume(sd_bus *bus, const char *path, const char *interface, const char *property,
                              sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        const Volume *v = userdata;
        _cleanup_free_ char *name = pool_resolve_record(v->pool, volume_backing(v));
        _cleanup_free_ char *object = NULL;

        if (!name || !volume_table_get(v->pool->volumes, name))
                return sd_bus_message_append_basic(reply, 'o', "/");
        object = object_path_volume(pool_name(v->pool), name);
        return object ? sd_bus_message_append_basic(reply, 'o', object) : -ENOMEM;
}

/* A base of very many volumes shows the first of them only: the list is read with all other properties. */
static int get_dependents(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        const Volume *v = userdata;
        size_t n = 0;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "o");
        for (Volume *i = volume_table_dependents(v->pool->volumes, v->name);
             i && n < DEPENDENTS_MAX && r >= 0; i = volume_next_dependent(i), n++) {
                _cleanup_free_ char *object = object_path_volume(pool_name(v->pool), i->name);

                r = object ? sd_bus_message_append_basic(reply, 'o', object) : -ENOMEM;
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_snapshots(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        return snapshots_append_paths(userdata, reply);
}

int volume_begin(sd_bus_message *m, Volume *v, Request *ret_request, Call *ret, sd_bus_error *ret_error)
{
        *ret_request = (Request){ .pool = v->pool, .volume = v->name, .capacity = UINT64_MAX, .fd = -EBADF };
        return call_begin(v->pool->manager, m, ret, ret_error);
}

int volume_submit(Call *c, Request *request, sd_bus_error *ret_error)
{
        int r = call_read_options(c, NULL, ret_error);

        return r < 0 ? r : call_submit(c, request, ret_error);
}

static int method_resize(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Request request;
        _cleanup_call_ Call c = {};
        int r;

        r = volume_begin(m, userdata, &request, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        request.operation = OPERATION_VOLUME_RESIZE;
        r = sd_bus_message_read(m, "t", &request.capacity);
        return r < 0 ? r : volume_submit(&c, &request, ret_error);
}

static int method_set_format(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Request request;
        _cleanup_call_ Call c = {};
        int r;

        r = volume_begin(m, userdata, &request, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        request.operation = OPERATION_VOLUME_SET_FORMAT;
        r = sd_bus_message_read(m, "s", &request.format);
        return r < 0 ? r : volume_submit(&c, &request, ret_error);
}

static int method_delete(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Request request;
        _cleanup_call_ Call c = {};
        int r;

        r = volume_begin(m, userdata, &request, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        request.operation = OPERATION_VOLUME_DELETE;
        return volume_submit(&c, &request, ret_error);
}

static int method_refresh(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Request request;
        _cleanup_call_ Call c = {};
        int r;

        r = volume_begin(m, userdata, &request, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        request.operation = OPERATION_VOLUME_REFRESH;
        return volume_submit(&c, &request, ret_error);
}

/* Begins a method that asks the worker: no options, allowed to who may list. 1: go on. */
static int begin_query(sd_bus_message *m, Volume *v, Call *c, sd_bus_error *ret_error)
{
        int r;

        r = call_read_options(c, (const char *[]){ NULL }, ret_error);
        if (r < 0)
                return r;
        r = query_check_pool(v->pool, ret_error);
        if (r < 0)
                return r;
        return call_authorize_pool(c, v->pool, v, "volume-list", ret_error);
}

/* Asks for the fresh details, of which `answer` makes the reply. */
static int ask_info(sd_bus_message *m, Volume *v, query_answer_t answer, sd_bus_error *ret_error)
{
        _cleanup_call_ Call c = {};
        int r;

        r = call_begin(v->pool->manager, m, &c, ret_error);
        if (r > 0)
                r = begin_query(m, v, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        return query_ask(&c, v->pool, "info", v->name, NULL, answer, ret_error);
}

static int answer_info(sd_bus_message *m, Pool *p, const char *volume, const Bag *result, Error *e)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = bag_append_to_message(bag_get_bag(result, "details"), reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int method_get_info(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return ask_info(m, userdata, answer_info, ret_error);
}

static int answer_xml(sd_bus_message *m, Pool *p, const char *volume, const Bag *result, Error *e)
{
        _cleanup_free_ char *path = NULL, *xml = NULL;
        VolumeInfo info;
        Volume *v;
        int r;

        r = pool_find_volume(p, volume, &v, e);
        if (r < 0)
                return r;
        volume_to_info(v, &info);
        path = volume_shown_path(p, volume);
        if (!path)
                return -ENOMEM;
        r = volume_to_xml(&info, path, path, bag_get_bag(result, "details"), &p->backend->volume_options,
                          &xml);
        return r < 0 ? r : sd_bus_reply_method_return(m, "s", xml);
}

static int method_get_xml(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return ask_info(m, userdata, answer_xml, ret_error);
}

static int answer_access(sd_bus_message *m, Pool *p, const char *volume, const Bag *result, Error *e)
{
        return sd_bus_reply_method_return(m, "bs", bag_get_bool(result, "allowed", false),
                                          bag_get_string(result, "reason") ?: "");
}

static int method_check_access(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Volume *v = userdata;
        _cleanup_bag_ Bag *args = bag_new();
        _cleanup_call_ Call c = {};
        uint32_t uid;
        int r;

        r = call_begin(v->pool->manager, m, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = sd_bus_message_read(m, "u", &uid);
        if (r < 0)
                return r;
        if (uid == UINT32_MAX)
                return call_invalid(ret_error, "%" PRIu32 " is no uid", uid);
        r = begin_query(m, v, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = bag_set_u32(args, "uid", uid);
        if (r < 0)
                return r;
        return query_ask(&c, v->pool, "access", v->name, TAKE_PTR(args), answer_access, ret_error);
}

const sd_bus_vtable volume_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Name", "s", get_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Pool", "o", get_pool, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Path", "s", get_path, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Key", "s", get_path, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Type", "s", get_type, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Format", "s", get_format, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("DetectedFormat", "s", get_detected, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Capacity", "t", get_capacity, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Allocation", "t", get_allocation, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Physical", "t", get_physical, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Creator", "u", get_creator, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("UID", "u", get_uid, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("GID", "u", get_gid, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Mode", "u", get_mode, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("MTimeUSec", "t", get_mtime, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("BackingPath", "s", get_backing_path, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("BackingFormat", "s", get_backing_format, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("BackingVolume", "o", get_backing_volume, 0, 0),
        SD_BUS_PROPERTY("Dependents", "ao", get_dependents, 0, 0),
        SD_BUS_PROPERTY("Snapshots", "ao", get_snapshots, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Encrypted", "b", get_encrypted, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Incomplete", "b", get_incomplete, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Corrupt", "b", get_corrupt, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Error", "s", get_error, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Generation", "t", get_generation, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_METHOD_WITH_ARGS("Resize", SD_BUS_ARGS("t", capacity, "a{sv}", options),
                                SD_BUS_RESULT("o", job), method_resize, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Delete", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", job),
                                method_delete, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("SetFormat", SD_BUS_ARGS("s", format, "a{sv}", options),
                                SD_BUS_RESULT("o", job), method_set_format, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Refresh", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", job),
                                method_refresh, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Open", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("h", descriptor, "s", type, "b", read_only, "a{sv}", source),
                                volume_method_open, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenNBD", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("h", socket, "s", export, "b", read_only),
                                volume_method_open_nbd, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetAttachment", SD_BUS_ARGS("s", kind, "a{sv}", options),
                                SD_BUS_RESULT("s", text), volume_method_get_attachment,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Upload", SD_BUS_ARGS("h", data, "a{sv}", options), SD_BUS_RESULT("o", job),
                                volume_method_upload, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Download", SD_BUS_ARGS("h", data, "a{sv}", options),
                                SD_BUS_RESULT("o", job), volume_method_download, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Export", SD_BUS_ARGS("h", data, "a{sv}", options), SD_BUS_RESULT("o", job),
                                volume_method_export, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Rename", SD_BUS_ARGS("s", name, "a{sv}", options), SD_BUS_RESULT("o", job),
                                volume_method_rename, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Move", SD_BUS_ARGS("o", pool, "a{sv}", options), SD_BUS_RESULT("o", job),
                                volume_method_move, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Convert", SD_BUS_ARGS("s", format, "a{sv}", options),
                                SD_BUS_RESULT("o", job), volume_method_convert, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Flatten", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("o", job),
                                volume_method_flatten, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Rebase", SD_BUS_ARGS("o", backing, "a{sv}", options),
                                SD_BUS_RESULT("o", job), volume_method_rebase, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Wipe", SD_BUS_ARGS("s", algorithm, "a{sv}", options),
                                SD_BUS_RESULT("o", job), volume_method_wipe, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CreateSnapshot", SD_BUS_ARGS("s", name, "a{sv}", options),
                                SD_BUS_RESULT("o", job), volume_method_create_snapshot,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetXML", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("s", xml),
                                method_get_xml, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetInfo", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("a{sv}", details),
                                method_get_info, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CheckAccess", SD_BUS_ARGS("u", uid, "a{sv}", options),
                                SD_BUS_RESULT("b", allowed, "s", reason), method_check_access,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

/* Unknown names are "not mine", never an error: that would break walks over the tree. */
static int find_volume(sd_bus *bus, const char *path, const char *interface, void *userdata,
                       void **ret_found, sd_bus_error *ret_error)
{
        PoolFace *f = userdata;
        _cleanup_free_ char *pool = NULL, *name = NULL;
        Volume *v;
        int r;

        r = object_path_to_volume(path, &pool, &name);
        if (r <= 0)
                return r;
        v = volume_table_get(f->pool->volumes, name);
        if (!v)
                return 0;
        *ret_found = v;
        return 1;
}

/* Registered at the same prefix as the fallback table, else introspection of a volume would omit our
 * interface. */
static int list_volumes(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                        sd_bus_error *ret_error)
{
        PoolFace *f = userdata;
        _cleanup_strv_ char **paths = NULL;
        VolumeCursor cursor;
        size_t n = 0;

        if (!f->pool->manager->volumes_listed)
                return 0;
        paths = calloc(volume_table_size(f->pool->volumes) + 1, sizeof(*paths));
        if (!paths)
                return -ENOMEM;
        for (Volume *v = volume_table_first(f->pool->volumes, NULL, &cursor); v;
             v = volume_table_next(f->pool->volumes, &cursor)) {
                paths[n] = object_path_volume(pool_name(f->pool), v->name);
                if (!paths[n++])
                        return -ENOMEM;
        }
        *ret_nodes = TAKE_PTR(paths);
        return 0;
}

int volume_faces_register(PoolFace *f)
{
        _cleanup_free_ char *prefix = NULL;
        sd_bus *bus = f->bus->connection;
        int r;

        prefix = object_path_volumes(pool_name(f->pool));
        if (!prefix)
                return -ENOMEM;
        r = sd_bus_add_fallback_vtable(bus, &f->volumes, prefix, INTERFACE_VOLUME, volume_vtable,
                                       find_volume, f);
        if (r < 0)
                return r;
        return sd_bus_add_node_enumerator(bus, &f->volume_names, prefix, list_volumes, f);
}
