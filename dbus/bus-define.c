/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions of pools as a{sv} or XML: define, create for this run, update, and show. */
#include "bus-define.h"

#include "bus-pool.h"
#include "util/bag-message.h"

static DefinitionFlags definition_flags(const Call *c)
{
        return bag_get_bool(c->options, "lax", false) ? DEFINITION_LAX : 0;
}

static int find_backend(const Call *c, const char *type, const BackendInfo **ret, sd_bus_error *ret_error)
{
        const BackendInfo *backend = backends_find(c->bus->manager->backends, type);
        _cleanup_error_ Error e = ERROR_NULL;

        if (!backend)
                error_set(&e, ERROR_BACKEND_UNAVAILABLE,
                          "There is no pool type %s here; ListBackends shows what there is", type);
        else if (backend->reason)
                error_set(&e, ERROR_BACKEND_UNAVAILABLE, "Pool type %s is not available: %s", type,
                          backend->reason);
        else if (c->bus->user_mode && !backend_has_feature(backend, "user-mode"))
                error_set(&e, ERROR_BACKEND_UNAVAILABLE, "Pool type %s needs the system service", type);
        if (e.kind != ERROR_NONE)
                return call_fail(&e, 0, ret_error);
        *ret = backend;
        return 0;
}

/* ---- new pools ---- */

/* The two forms of a definition in a message: (s name, s type, a{sv} definition), and (s xml). The options
 * follow. */
static int read_words(Call *c, const char *const *allowed, Definition **ret, sd_bus_error *ret_error)
{
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_bag_ Bag *words = NULL;
        const BackendInfo *backend;
        const char *name, *type;
        int r;

        r = sd_bus_message_read(c->message, "ss", &name, &type);
        if (r < 0)
                return r;
        r = bag_read_from_message(c->message, &words, &e);
        if (r < 0)
                return call_fail(&e, r, ret_error);
        r = call_read_options(c, allowed, ret_error);
        if (r < 0)
                return r;
        r = find_backend(c, type, &backend, ret_error);
        if (r < 0)
                return r;
        r = definition_from_bag(name, type, words, &backend->pool_options, ret, &e);
        return r < 0 ? call_fail(&e, r, ret_error) : 0;
}

static int read_xml(Call *c, const char *const *allowed, Definition **ret, sd_bus_error *ret_error)
{
        _cleanup_definition_ Definition *d = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        const BackendInfo *backend;
        const char *xml;
        int r;

        r = sd_bus_message_read(c->message, "s", &xml);
        if (r < 0)
                return r;
        r = call_read_options(c, allowed, ret_error);
        if (r < 0)
                return r;
        r = definition_from_xml(xml, strlen(xml), definition_flags(c), manager_pool_options, c->bus->manager,
                                &d, &e);
        if (r < 0)
                return call_fail(&e, r, ret_error);
        r = find_backend(c, d->type, &backend, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}

/* Who defines says what the pool is, so here, and here only, the details are the caller's own words. */
static int authorize_definition(Call *c, const Definition *d, const char *action, sd_bus_error *ret_error)
{
        const char *const names[] = { "source.host", "source.device", "target.path" };
        const char *const keys[] = { "source.host", "device", "target" };
        const char *details[2 * (2 + ELEMENTSOF(names)) + 1] = { "pool", d->name, "pool.type", d->type };
        size_t n = 4;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                char *const *list = bag_get_strv(d->options, names[i]);
                const char *value = list ? list[0] : bag_get_string(d->options, names[i]);

                if (value) {
                        details[n++] = keys[i];
                        details[n++] = value;
                }
        }
        return call_authorize(c, action, (char *const *)details, ret_error);
}

typedef int (*read_definition_t)(Call *c, const char *const *allowed, Definition **ret,
                                 sd_bus_error *ret_error);

static int define(sd_bus_message *m, Bus *b, read_definition_t read, const char *const *allowed,
                  sd_bus_error *ret_error)
{
        _cleanup_definition_ Definition *d = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *path = NULL;
        _cleanup_call_ Call c = {};
        Pool *p;
        int r;

        r = call_begin(b->manager, m, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = read(&c, allowed, &d, ret_error);
        if (r < 0)
                return r;
        r = authorize_definition(&c, d, "pool-define", ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = manager_define(b->manager, TAKE_PTR(d), /* transient= */ false, &p, &e);
        if (r < 0)
                return call_fail(&e, r, ret_error);
        path = object_path_pool(pool_name(p));
        return path ? sd_bus_reply_method_return(m, "o", path) : -ENOMEM;
}

int manager_method_define_pool(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return define(m, userdata, read_words, (const char *[]){ NULL }, ret_error);
}

int manager_method_define_pool_xml(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return define(m, userdata, read_xml, (const char *[]){ "lax", NULL }, ret_error);
}

/* ---- pools for this run ---- */

/* Making it, starting it, and building it where asked for. */
static int authorize_create(Call *c, const Definition *d, sd_bus_error *ret_error)
{
        int r;

        r = authorize_definition(c, d, "pool-define", ret_error);
        if (r > 0)
                r = authorize_definition(c, d, "pool-manage", ret_error);
        if (r > 0 && bag_get_bool(c->options, "build", false))
                r = authorize_definition(c, d, "pool-build", ret_error);
        return r;
}

/* The job that starts a pool which polkit has allowed to be made, and which goes again when it cannot start.
 */
static int start_transient(Call *c, Pool *p, sd_bus_error *ret_error)
{
        _cleanup_free_ char *path = object_path_pool(pool_name(p));
        _cleanup_prepared_ Prepared prepared = {};
        _cleanup_error_ Error e = ERROR_NULL;
        Request request = {
                .operation = OPERATION_POOL_START,
                .pool = p,
                .capacity = UINT64_MAX,
                .options = c->options,
                .caller = c->caller,
        };
        Job *job;
        int r;

        r = path ? request_prepare(&request, &prepared, &e) : -ENOMEM;
        if (r >= 0)
                r = request_submit(&request, &prepared, &job, &e);
        if (r < 0) {
                manager_pool_went_down(c->bus->manager, p);
                return call_fail(&e, r, ret_error);
        }
        return reply_hold(c->bus, c->message, job, c->wait, path);
}

static int create(sd_bus_message *m, Bus *b, read_definition_t read, const char *const *allowed,
                  sd_bus_error *ret_error)
{
        _cleanup_definition_ Definition *d = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_call_ Call c = {};
        Pool *p;
        int r;

        r = call_begin(b->manager, m, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = read(&c, allowed, &d, ret_error);
        if (r < 0)
                return r;
        bag_remove(c.options, "lax");
        r = authorize_create(&c, d, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = manager_define(b->manager, TAKE_PTR(d), /* transient= */ true, &p, &e);
        return r < 0 ? call_fail(&e, r, ret_error) : start_transient(&c, p, ret_error);
}

int manager_method_create_pool(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return create(m, userdata, read_words,
                      (const char *[]){ "build", "overwrite", "wait", "sync", NULL }, ret_error);
}

int manager_method_create_pool_xml(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return create(m, userdata, read_xml,
                      (const char *[]){ "lax", "build", "overwrite", "wait", "sync", NULL }, ret_error);
}

/* ---- pools there are ---- */

/* Name, type and UUID may be said again, as GetDefinition() shows them, but not differently. */
static int check_identity(const Pool *p, const char *key, const char *said, const char *is,
                          sd_bus_error *ret_error)
{
        if (!said || streq(said, is))
                return 0;
        return call_invalid(ret_error, "The %s of pool %s is %s and cannot become %s; define another pool",
                            key, pool_name(p), is, said);
}

static int check_same_pool(const Pool *p, const char *name, const char *type, const char *uuid,
                           sd_bus_error *ret_error)
{
        int r;

        r = check_identity(p, "name", name, pool_name(p), ret_error);
        if (r >= 0)
                r = check_identity(p, "type", type, pool_type(p), ret_error);
        return r < 0 ? r : check_identity(p, "UUID", uuid, p->definition->uuid, ret_error);
}

static int read_update_words(Call *c, const Pool *p, Definition **ret, sd_bus_error *ret_error)
{
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_bag_ Bag *words = NULL;
        int r;

        r = bag_read_from_message(c->message, &words, &e);
        if (r < 0)
                return call_fail(&e, r, ret_error);
        r = call_read_options(c, (const char *[]){ NULL }, ret_error);
        if (r < 0)
                return r;
        r = check_same_pool(p, bag_get_string(words, "name"), bag_get_string(words, "type"),
                            bag_get_string(words, "uuid"), ret_error);
        if (r < 0)
                return r;
        bag_remove(words, "name");
        bag_remove(words, "type");
        if (bag_set_string(words, "uuid", p->definition->uuid) < 0)
                return -ENOMEM;
        r = definition_from_bag(pool_name(p), pool_type(p), words, &p->backend->pool_options, ret, &e);
        return r < 0 ? call_fail(&e, r, ret_error) : 0;
}

/* A document without a uuid element gets a new UUID from the parser; it means this pool all the same. */
static int read_update_xml(Call *c, const Pool *p, Definition **ret, sd_bus_error *ret_error)
{
        _cleanup_definition_ Definition *d = NULL;
        int r;

        r = read_xml(c, (const char *[]){ "lax", NULL }, &d, ret_error);
        if (r < 0)
                return r;
        r = check_same_pool(p, d->name, d->type, d->uuid_is_new ? NULL : d->uuid, ret_error);
        if (r < 0)
                return r;
        memcpy(d->uuid, p->definition->uuid, sizeof(d->uuid));
        *ret = TAKE_PTR(d);
        return 0;
}

static int update(sd_bus_message *m, Pool *p,
                  int (*read)(Call *, const Pool *, Definition **, sd_bus_error *), sd_bus_error *ret_error)
{
        _cleanup_definition_ Definition *d = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_call_ Call c = {};
        int r;

        r = pool_begin(m, p, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = read(&c, p, &d, ret_error);
        if (r < 0)
                return r;
        r = call_authorize_pool(&c, p, NULL, "pool-define", ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (!p->persistent)
                error_set(&e, ERROR_NOT_SUPPORTED,
                          "Pool %s is transient; define it to have it kept and updated", pool_name(p));
        else
                (void)manager_define(p->manager, TAKE_PTR(d), /* transient= */ false, &p, &e);
        return e.kind != ERROR_NONE ? call_fail(&e, 0, ret_error) : sd_bus_reply_method_return(m, NULL);
}

int pool_method_update(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return update(m, userdata, read_update_words, ret_error);
}

int pool_method_update_xml(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        return update(m, userdata, read_update_xml, ret_error);
}

/* The live definition, or with `inactive` the one that becomes live at the next stop. */
static int begin_show(sd_bus_message *m, Pool *p, Call *c, const Definition **ret, sd_bus_error *ret_error)
{
        int r;

        r = pool_begin(m, p, c, ret_error);
        if (r <= 0)
                return r;
        r = call_read_options(c, (const char *[]){ "inactive", NULL }, ret_error);
        if (r < 0)
                return r;
        *ret = p->update && bag_get_bool(c->options, "inactive", false) ? p->update : p->definition;
        return call_authorize_pool(c, p, NULL, "volume-list", ret_error);
}

int pool_method_get_xml(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Pool *p = userdata;
        _cleanup_free_ char *xml = NULL;
        _cleanup_call_ Call c = {};
        const Definition *d;
        PoolNumbers numbers;
        int r;

        r = begin_show(m, p, &c, &d, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        pool_numbers(p, &numbers);
        r = definition_to_xml(d, &p->backend->pool_options, &numbers, &xml);
        return r < 0 ? r : sd_bus_reply_method_return(m, "s", xml);
}

int pool_method_get_definition(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Pool *p = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_bag_ Bag *words = NULL;
        _cleanup_call_ Call c = {};
        const Definition *d;
        int r;

        r = begin_show(m, p, &c, &d, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = definition_to_bag(d, &p->backend->pool_options, &words);
        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = bag_append_to_message(words, reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}
