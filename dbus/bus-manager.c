/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.example.Storage.Manager: what there is, and where to find it. Definitions are in bus-define.c, what
 * backends can do in bus-backends.c, questions about authorisation in bus-access.c. */
#include "bus-access.h"
#include "bus-backends.h"
#include "bus-define.h"
#include "bus-query.h"
#include "config.h"
#include "util/names.h"

static unsigned jobs_active(const Manager *m)
{
        const char *key;
        unsigned n = 0;
        Job *j;

        HASHMAP_FOREACH (key, j, m->jobs)
                n += !job_is_finished(j);
        return n;
}

DEFINE_GETTER_STRING(get_version, Bus, PROJECT_VERSION)
DEFINE_GETTER_BOOL(get_user_mode, Bus, o->user_mode)
DEFINE_GETTER_BOOL(get_volumes_listed, Bus, o->manager->volumes_listed)
DEFINE_GETTER_U32(get_pool_count, Bus, (uint32_t)hashmap_size(o->manager->pools))
DEFINE_GETTER_U64(get_volume_count, Bus, o->manager->n_volumes)
DEFINE_GETTER_U32(get_jobs_active, Bus, jobs_active(o->manager))

static int reply_pool(sd_bus_message *m, const Pool *p)
{
        _cleanup_free_ char *path = object_path_pool(pool_name(p));

        return path ? sd_bus_reply_method_return(m, "o", path) : -ENOMEM;
}

static int reply_volume(sd_bus_message *m, const Volume *v)
{
        _cleanup_free_ char *path = object_path_volume(pool_name(v->pool), v->name);

        return path ? sd_bus_reply_method_return(m, "o", path) : -ENOMEM;
}

static int method_get_pool(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Bus *b = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        const char *name;
        Pool *p;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        r = manager_find_pool(b->manager, name, &p, &e);
        return r < 0 ? call_fail(&e, r, ret_error) : reply_pool(m, p);
}

static int no_such_pool(sd_bus_error *ret_error, const char *what, const char *value)
{
        return sd_bus_error_setf(ret_error, error_kind_to_name(ERROR_NO_SUCH_POOL),
                                 "There is no pool with %s %s", what, value);
}

static int method_get_pool_by_uuid(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Bus *b = userdata;
        const char *text;
        char uuid[37];
        Pool *p;
        int r;

        r = sd_bus_message_read(m, "s", &text);
        if (r < 0)
                return r;
        if (uuid_normalise(text, uuid) < 0)
                return call_invalid(ret_error, "'%s' is not a UUID (36 characters or 32 hex digits)", text);
        p = manager_pool_by_uuid(b->manager, uuid);
        return p ? reply_pool(m, p) : no_such_pool(ret_error, "the UUID", uuid);
}

static int method_get_pool_by_path(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Bus *b = userdata;
        const char *path;
        Pool *p;
        int r;

        r = sd_bus_message_read(m, "s", &path);
        if (r < 0)
                return r;
        if (*path != '/')
                return call_invalid(ret_error, "'%s' is not an absolute path", path);
        p = manager_pool_by_path(b->manager, path);
        return p ? reply_pool(m, p) : no_such_pool(ret_error, "the target", path);
}

/* ---- volumes by path ---- */

/* What the worker found in the pool has been entered by now. */
static int answer_volume(sd_bus_message *m, Pool *p, const char *volume, const Bag *result, Error *e)
{
        Volume *v;
        int r;

        r = pool_find_volume(p, volume, &v, e);
        return r < 0 ? r : reply_volume(m, v);
}

/* The pool that holds files of that directory, and the name a volume at `path` would have there. */
static int locate(Manager *m, const char *path, Pool **ret_pool, char **ret_name)
{
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *directory = slash > path ? strndup(path, (size_t)(slash - path)) : strdup("/");
        Pool *p;

        if (!directory)
                return -ENOMEM;
        p = slash[1] ? manager_pool_by_path(m, directory) : NULL;
        if (!p || p->state != POOL_ACTIVE)
                return 0;
        *ret_name = name_escape(slash + 1);
        *ret_pool = p;
        return *ret_name ? 1 : -ENOMEM;
}

/* A file that appeared a moment ago may not be known yet, so it is looked at first. */
static int look_for_volume(Call *c, const char *path, sd_bus_error *ret_error)
{
        _cleanup_free_ char *name = NULL;
        _cleanup_bag_ Bag *args = NULL;
        Pool *p;
        int r;

        r = locate(c->bus->manager, path, &p, &name);
        if (r < 0)
                return r;
        if (r == 0)
                return sd_bus_error_setf(ret_error, error_kind_to_name(ERROR_NO_SUCH_VOLUME),
                                         "%s is no volume of an active pool", path);
        r = query_check_pool(p, ret_error);
        if (r < 0)
                return r;
        r = call_authorize_pool(c, p, NULL, "volume-list", ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        args = bag_new();
        if (bag_add_strv(args, "names", name) < 0)
                return -ENOMEM;
        return query_ask(c, p, "stat", name, TAKE_PTR(args), answer_volume, ret_error);
}

static int method_get_volume_by_path(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Bus *b = userdata;
        _cleanup_free_ char *path = NULL;
        _cleanup_call_ Call c = {};
        const char *said;
        Volume *v;
        int r;

        r = call_begin(b->manager, m, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = sd_bus_message_read(m, "s", &said);
        if (r < 0)
                return r;
        if (*said != '/')
                return call_invalid(ret_error, "'%s' is not an absolute path", said);
        path = path_clean(said);
        if (!path)
                return -ENOMEM;
        v = manager_volume_by_path(b->manager, path);
        return v ? reply_volume(m, v) : look_for_volume(&c, path, ret_error);
}

/* ---- lists ---- */

static int compare_pools(const void *a, const void *b)
{
        return strcmp(pool_name(*(Pool *const *)a), pool_name(*(Pool *const *)b));
}

static int append_pool(sd_bus_message *reply, const Pool *p)
{
        _cleanup_free_ char *path = object_path_pool(pool_name(p));

        return path ? sd_bus_message_append(reply, "(osss)", path, pool_name(p), pool_type(p),
                                            pool_state_to_string(p->state))
                    : -ENOMEM;
}

/* Takes a text option, NULL when it is absent. */
static int text_option(const Call *c, const char *key, const char **ret, sd_bus_error *ret_error)
{
        const Value *value = bag_get(c->options, key);

        if (value && value->type != VALUE_STRING)
                return call_invalid(ret_error, "Option %s is a string", key);
        *ret = value ? value->string : NULL;
        return 0;
}

static int read_pool_filter(Call *c, const char **ret_type, PoolState *ret_state, sd_bus_error *ret_error)
{
        const char *state = NULL;
        int r;

        r = call_read_options(c, (const char *[]){ "state", "type", NULL }, ret_error);
        if (r >= 0)
                r = text_option(c, "type", ret_type, ret_error);
        if (r >= 0)
                r = text_option(c, "state", &state, ret_error);
        if (r < 0)
                return r;
        *ret_state = state ? pool_state_from_string(state) : _POOL_STATE_MAX;
        return *ret_state >= 0 ? 0 : call_invalid(ret_error, "There is no pool state %s", state);
}

static int reply_pools(sd_bus_message *m, const Manager *manager, const char *type, PoolState state)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ Pool **pools = calloc(hashmap_size(manager->pools) + 1, sizeof(*pools));
        const char *name;
        size_t n = 0;
        Pool *p;
        int r;

        if (!pools)
                return -ENOMEM;
        HASHMAP_FOREACH (name, p, manager->pools)
                if ((!type || streq(type, pool_type(p))) && (state == _POOL_STATE_MAX || state == p->state))
                        pools[n++] = p;
        qsort(pools, n, sizeof(*pools), compare_pools);
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(osss)");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = append_pool(reply, pools[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int method_list_pools(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Bus *b = userdata;
        _cleanup_call_ Call c = {};
        const char *type = NULL;
        PoolState state = _POOL_STATE_MAX;
        int r;

        r = call_begin(b->manager, m, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = read_pool_filter(&c, &type, &state, ret_error);
        return r < 0 ? r : reply_pools(m, b->manager, type, state);
}

static int compare_jobs(const void *a, const void *b)
{
        uint64_t x = (*(Job *const *)a)->id, y = (*(Job *const *)b)->id;

        return x < y ? -1 : x > y;
}

static int append_job(sd_bus_message *reply, const Job *j)
{
        _cleanup_free_ char *path = object_path_job(j->id), *object = NULL;

        if (!path || asprintf(&object, "%s%s%s", j->pool ?: "", j->volume ? "/" : "", j->volume ?: "") < 0)
                return -ENOMEM;
        return sd_bus_message_append(reply, "(otsssu)", path, j->id, operation_to_string(j->operation),
                                     object, job_state_to_string(j->state), (uint32_t)j->caller);
}

static int reply_jobs(sd_bus_message *m, const Manager *manager, bool all)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ Job **jobs = calloc(hashmap_size(manager->jobs) + 1, sizeof(*jobs));
        const char *id;
        size_t n = 0;
        Job *j;
        int r;

        if (!jobs)
                return -ENOMEM;
        HASHMAP_FOREACH (id, j, manager->jobs)
                if (all || !job_is_finished(j))
                        jobs[n++] = j;
        qsort(jobs, n, sizeof(*jobs), compare_jobs);
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(otsssu)");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = append_job(reply, jobs[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int method_list_jobs(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Bus *b = userdata;
        _cleanup_call_ Call c = {};
        const Value *all;
        int r;

        r = call_begin(b->manager, m, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = call_read_options(&c, (const char *[]){ "all", NULL }, ret_error);
        if (r < 0)
                return r;
        all = bag_get(c.options, "all");
        if (all && all->type != VALUE_BOOL)
                return call_invalid(ret_error, "Option all is a boolean");
        return reply_jobs(m, b->manager, all && all->boolean);
}

const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("UserMode", "b", get_user_mode, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("VolumesListed", "b", get_volumes_listed, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("PoolCount", "u", get_pool_count, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("VolumeCount", "t", get_volume_count, 0, 0),
        SD_BUS_PROPERTY("JobsActive", "u", get_jobs_active, 0, 0),
        SD_BUS_METHOD_WITH_ARGS(
                "DefinePool", SD_BUS_ARGS("s", name, "s", type, "a{sv}", definition, "a{sv}", options),
                SD_BUS_RESULT("o", pool), manager_method_define_pool, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DefinePoolXML", SD_BUS_ARGS("s", xml, "a{sv}", options),
                                SD_BUS_RESULT("o", pool), manager_method_define_pool_xml,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                "CreatePool", SD_BUS_ARGS("s", name, "s", type, "a{sv}", definition, "a{sv}", options),
                SD_BUS_RESULT("o", pool, "o", job), manager_method_create_pool, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CreatePoolXML", SD_BUS_ARGS("s", xml, "a{sv}", options),
                                SD_BUS_RESULT("o", pool, "o", job), manager_method_create_pool_xml,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListPools", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("a(osss)", pools),
                                method_list_pools, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetPool", SD_BUS_ARGS("s", name), SD_BUS_RESULT("o", pool), method_get_pool,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetPoolByUUID", SD_BUS_ARGS("s", uuid), SD_BUS_RESULT("o", pool),
                                method_get_pool_by_uuid, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetPoolByPath", SD_BUS_ARGS("s", target), SD_BUS_RESULT("o", pool),
                                method_get_pool_by_path, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetVolumeByPath", SD_BUS_ARGS("s", path), SD_BUS_RESULT("o", volume),
                                method_get_volume_by_path, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListJobs", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("a(otsssu)", jobs),
                                method_list_jobs, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DiscoverSources", SD_BUS_ARGS("s", type, "a{sv}", hint, "a{sv}", options),
                                SD_BUS_RESULT("o", job), manager_method_discover_sources,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListBackends", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a(sbssasasas)", backends), manager_method_list_backends,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DescribeBackend", SD_BUS_ARGS("s", name, "a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", pool_options, "aa{sv}", volume_options),
                                manager_method_describe_backend, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CheckAuthorized", SD_BUS_ARGS("o", object, "as", actions, "a{sv}", options),
                                SD_BUS_RESULT("a{ss}", answers), manager_method_check_authorized,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int manager_face_register(Bus *b)
{
        int r;

        r = sd_bus_add_object_manager(b->connection, &b->object_manager, OBJECT_ROOT);
        if (r < 0)
                return r;
        return sd_bus_add_object_vtable(b->connection, &b->root, OBJECT_ROOT, INTERFACE_MANAGER,
                                        manager_vtable, b);
}
