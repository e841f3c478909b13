/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manager.h"

#include <inttypes.h>
#include <systemd/sd-id128.h>

#include "backends.h"
#include "job-run.h"
#include "recovery.h"
#include "refresh.h"
#include "spare.h"
#include "store.h"
#include "util/fileio.h"
#include "util/log.h"
#include "util/names.h"
#include "worker.h"

#define KILL_USEC (5ULL * 1000 * 1000)

int manager_new(sd_event *event, const ManagerConfig *config, Manager **ret)
{
        _cleanup_(manager_freep) Manager *m = calloc(1, sizeof(*m));
        sd_id128_t id;
        int r;

        if (!m)
                return -ENOMEM;
        *m = (Manager){
                .event = sd_event_ref(event), .config = *config, .volumes_listed = true, .next_job_id = 1
        };
        m->config.kill_usec = config->kill_usec ?: KILL_USEC;
        m->config.keep_usec = config->keep_usec ?: JOB_KEEP_USEC;
        m->pools = hashmap_new();
        m->jobs = hashmap_new();
        if (!m->pools || !m->jobs)
                return -ENOMEM;
        r = queue_new(m, &m->queue);
        if (r < 0)
                return r;
        r = sd_id128_randomize(&id);
        if (r < 0)
                return r;
        snprintf(m->instance, sizeof(m->instance), "%016" PRIx64, id.qwords[0]);
        *ret = TAKE_PTR(m);
        return 0;
}

void manager_free(Manager *m)
{
        const char *name;
        Pool *p;

        if (!m)
                return;
        m->observer = (Observer){ 0 };
        queue_free(m->queue);
        m->queue = NULL;
        HASHMAP_FOREACH (name, p, m->pools)
                pool_free(p);
        hashmap_free(m->pools);
        hashmap_free(m->jobs);
        spare_drop(m);
        workers_free(m);
        backends_free(m->backends);
        sd_event_source_disable_unref(m->idle_source);
        sd_event_source_disable_unref(m->stop_source);
        sd_event_unref(m->event);
        free(m);
}

void manager_set_observer(Manager *m, const Observer *observer, void *userdata)
{
        m->observer = *observer;
        m->observer_data = userdata;
}

const OptionTable *manager_pool_options(const char *type, void *userdata)
{
        Manager *m = userdata;
        const BackendInfo *b = backends_find(m->backends, type);

        return b ? &b->pool_options : NULL;
}

Pool *manager_pool(Manager *m, const char *name)
{
        return hashmap_get(m->pools, name);
}

int manager_find_pool(Manager *m, const char *name, Pool **ret, Error *e)
{
        Pool *p = manager_pool(m, name);

        if (!p)
                return error_set(e, ERROR_NO_SUCH_POOL, "There is no pool %s", name);
        *ret = p;
        return 0;
}

Pool *manager_pool_by_uuid(Manager *m, const char *uuid)
{
        const char *name;
        char wanted[37];
        Pool *p;

        if (uuid_normalise(uuid, wanted) < 0)
                return NULL;
        HASHMAP_FOREACH (name, p, m->pools)
                if (streq(p->definition->uuid, wanted))
                        return p;
        return NULL;
}

Pool *manager_pool_by_path(Manager *m, const char *path)
{
        _cleanup_free_ char *clean = path_clean(path);
        const char *name;
        Pool *p;

        HASHMAP_FOREACH (name, p, m->pools)
                if (clean && streq_ptr(pool_target(p), clean))
                        return p;
        return NULL;
}

Volume *manager_volume_by_path(Manager *m, const char *path)
{
        const char *name;
        Pool *p;

        HASHMAP_FOREACH (name, p, m->pools) {
                _cleanup_free_ char *volume = *path == '/' ? pool_resolve_path(p, path) : NULL;
                Volume *v = volume ? volume_table_get(p->volumes, volume) : NULL;

                if (v)
                        return v;
        }
        return NULL;
}

void manager_count_volumes(Manager *m, ssize_t delta)
{
        bool listed;

        m->n_volumes += (size_t)delta;
        listed = m->volumes_listed ? m->n_volumes <= VOLUMES_LISTED_MAX
                                   : m->n_volumes < VOLUMES_LISTED_RESUME;
        if (listed == m->volumes_listed)
                return;
        m->volumes_listed = listed;
        if (m->observer.listing_changed)
                m->observer.listing_changed(m, m->observer_data);
}

int manager_check_accepting(const Manager *m, Error *e)
{
        if (m->stopping)
                return error_set(e, ERROR_FAILED, "The service is shutting down; try again when it is back");
        if (m->closing)
                return error_set(e, ERROR_FAILED, "The host is shutting down; try again when it is back");
        return 0;
}

/* ---- definitions ---- */

static char *target_of(const Definition *d)
{
        const char *target = d ? bag_get_string(d->options, "target.path") : NULL;

        return target ? path_absolute("/", target) : NULL;
}

static int check_target(const Definition *d, const Definition *other, Error *e)
{
        _cleanup_free_ char *target = target_of(d), *taken = target_of(other);

        if (!target || !taken || !(path_is_below(target, taken) || path_is_below(taken, target)))
                return 0;
        return error_set(e, ERROR_DUPLICATE_SOURCE,
                         "The target %s overlaps with %s of pool %s; choose another directory", target,
                         taken, other->name);
}

/* Name and UUID go together; nobody else may have either, nor a target that overlaps, now or once what was
 * defined while it is active counts. */
static int check_identity(Manager *m, const Definition *d, const Pool *same, Error *e)
{
        const char *name;
        Pool *p;
        int r;

        if (same && !streq(same->definition->uuid, d->uuid))
                return error_set(e, ERROR_POOL_EXISTS,
                                 "Pool %s exists already with UUID %s; undefine it first", d->name,
                                 same->definition->uuid);
        HASHMAP_FOREACH (name, p, m->pools) {
                if (p == same)
                        continue;
                if (streq(p->definition->uuid, d->uuid))
                        return error_set(e, ERROR_POOL_EXISTS, "UUID %s belongs to pool %s already", d->uuid,
                                         pool_name(p));
                r = check_target(d, p->definition, e);
                if (r >= 0)
                        r = check_target(d, p->update, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

int manager_set_identity(Manager *m, Pool *p, const char *identity, Error *e)
{
        const char *name;
        Pool *other;

        HASHMAP_FOREACH (name, other, m->pools)
                if (other != p && identity && streq_ptr(other->identity, identity))
                        return error_set(e, ERROR_DUPLICATE_SOURCE,
                                         "%s is the directory of pool %s by another name; choose another "
                                         "one for pool %s",
                                         pool_target(p) ?: "It", pool_name(other), pool_name(p));
        return free_and_strdup(&p->identity, identity) < 0 ? error_set(e, ERROR_NO_MEMORY, "out of memory")
                                                           : 0;
}

static int save(Manager *m, const Pool *p, const Definition *d, Error *e)
{
        StoredPool stored = { .definition = (Definition *)d, .autostart = p->autostart };

        return store_save(m->config.pool_directory, &stored, manager_pool_options(d->type, m), e);
}

static void log_defined(const Pool *p, const char *id, const char *what)
{
        log_line(LOG_INFO, (LogFields){ .message_id = id, .pool = pool_name(p), .caller = (uid_t)-1 },
                 "Pool %s %s", pool_name(p), what);
}

static int add_pool(Manager *m, Definition *d, const BackendInfo *backend, Pool **ret)
{
        Pool *p = pool_new(m, d, backend);

        if (!p)
                return -ENOMEM;
        if (hashmap_put(m->pools, pool_name(p), p) < 0) {
                pool_free(p);
                return -ENOMEM;
        }
        *ret = p;
        return 0;
}

static void remove_pool(Manager *m, Pool *p)
{
        hashmap_remove(m->pools, pool_name(p));
        if (m->observer.pool_removed)
                m->observer.pool_removed(p, m->observer_data);
        pool_free(p);
        manager_touch(m);
}

static int update_pool(Manager *m, Pool *p, Definition *d, Error *e)
{
        int r;

        if (!streq(p->definition->type, d->type) && p->state != POOL_INACTIVE)
                return error_set(e, ERROR_POOL_ACTIVE,
                                 "Pool %s is of type %s; stop it before its type is changed", pool_name(p),
                                 pool_type(p));
        r = save(m, p, d, e);
        if (r < 0)
                return r;
        if (p->state == POOL_INACTIVE) {
                p->backend = backends_find(m->backends, d->type);
                definition_free(p->definition);
                p->definition = d;
        } else {
                definition_free(p->update);
                p->update = d;
        }
        p->persistent = true;
        pool_tell_changed(p);
        return 0;
}

int manager_define(Manager *m, Definition *definition, bool transient, Pool **ret, Error *e)
{
        _cleanup_definition_ Definition *d = definition;
        const BackendInfo *backend = backends_find(m->backends, d->type);
        Pool *p = manager_pool(m, d->name);
        int r;

        if (!backend)
                return error_set(e, ERROR_BACKEND_UNAVAILABLE, "There is no backend for pools of type %s",
                                 d->type);
        if (backend->reason)
                return error_set(e, ERROR_BACKEND_UNAVAILABLE, "Pools of type %s cannot be used here: %s",
                                 d->type, backend->reason);
        if (transient && p)
                return error_set(e, ERROR_POOL_EXISTS, "Pool %s exists already", d->name);
        r = check_identity(m, d, p, e);
        if (r < 0)
                return r;
        if (p) {
                r = update_pool(m, p, d, e);
                if (r < 0)
                        return r;
                TAKE_PTR(d);
                *ret = p;
                return 0;
        }
        r = add_pool(m, TAKE_PTR(d), backend, &p);
        if (r < 0)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        p->persistent = !transient;
        if (!transient) {
                r = save(m, p, p->definition, e);
                if (r < 0) {
                        hashmap_remove(m->pools, pool_name(p));
                        pool_free(p);
                        return r;
                }
        }
        log_defined(p, MESSAGE_POOL_DEFINED, transient ? "is made for this run" : "is defined");
        if (m->observer.pool_added)
                m->observer.pool_added(p, m->observer_data);
        *ret = p;
        return 0;
}

int manager_undefine(Manager *m, Pool *p, Error *e)
{
        int r;

        if (!p->persistent)
                return error_set(e, ERROR_NOT_SUPPORTED, "Pool %s is transient; it goes when it is stopped",
                                 pool_name(p));
        if (p->state != POOL_INACTIVE)
                return error_set(e, ERROR_POOL_ACTIVE, "Pool %s is %s; stop it first", pool_name(p),
                                 pool_state_to_string(p->state));
        if (queue_pool_has_jobs(m->queue, p))
                return error_set(e, ERROR_BUSY, "Pool %s has jobs under way; wait for them", pool_name(p));
        r = store_remove(m->config.pool_directory, pool_name(p), e);
        if (r < 0)
                return r;
        log_defined(p, MESSAGE_POOL_UNDEFINED, "is undefined");
        remove_pool(m, p);
        return 0;
}

int manager_set_autostart(Manager *m, Pool *p, bool on, Error *e)
{
        bool before = p->autostart;
        int r;

        if (!p->persistent)
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "Pool %s is transient; define it to have it started by itself",
                                 pool_name(p));
        if (before == on)
                return 0;
        p->autostart = on;
        r = save(m, p, p->update ?: p->definition, e);
        if (r < 0) {
                p->autostart = before;
                return r;
        }
        pool_tell_changed(p);
        return 0;
}

/* ---- what is up ---- */

static char *active_directory(const Manager *m)
{
        char *path;

        return asprintf(&path, "%s/active", m->config.runtime_directory) < 0 ? NULL : path;
}

void manager_remember_active(Manager *m, Pool *p)
{
        _cleanup_free_ char *directory = active_directory(m);
        StoredPool stored = { .definition = p->definition, .autostart = p->persistent };
        _cleanup_error_ Error e = ERROR_NULL;

        if (!directory || store_save(directory, &stored, &p->backend->pool_options, &e) < 0)
                log_warning("Cannot remember that pool %s is active: %s", pool_name(p),
                            e.message ?: "out of memory");
}

void manager_pool_went_down(Manager *m, Pool *p)
{
        _cleanup_free_ char *directory = active_directory(m);
        Definition *update = TAKE_PTR(p->update);

        if (directory)
                (void)store_remove(directory, pool_name(p), NULL);
        (void)manager_set_identity(m, p, NULL, NULL);
        if (!p->persistent) {
                definition_free(update);
                remove_pool(m, p);
                return;
        }
        if (update) {
                definition_free(p->definition);
                p->definition = update;
                pool_tell_changed(p);
        }
}

static void on_bad(const char *file, const Error *e, void *userdata)
{
        log_warning("Definition %s is left alone: %s", file, e->message);
}

/* Files may have been written by hand. */
static bool is_acceptable(Manager *m, const Definition *d)
{
        _cleanup_error_ Error e = ERROR_NULL;

        if (check_identity(m, d, NULL, &e) >= 0)
                return true;
        on_bad(d->name, &e, m);
        return false;
}

static int on_stored(StoredPool stored, void *userdata)
{
        _cleanup_definition_ Definition *d = stored.definition;
        Manager *m = userdata;
        Pool *p;
        int r;

        if (!is_acceptable(m, d))
                return 0;
        r = add_pool(m, d, backends_find(m->backends, d->type), &p);
        TAKE_PTR(d);
        if (r < 0)
                return r;
        p->persistent = true;
        p->autostart = stored.autostart;
        return 0;
}

/* Was up when the daemon ended without stopping it; "autostart" tells here whether it was persistent. */
static int on_active(StoredPool stored, void *userdata)
{
        _cleanup_definition_ Definition *d = stored.definition;
        Manager *m = userdata;
        Pool *p = manager_pool(m, d->name);
        int r;

        if (!p) {
                if (stored.autostart || !is_acceptable(m, d)) /* undefined meanwhile */
                        return 0;
                r = add_pool(m, d, backends_find(m->backends, d->type), &p);
                TAKE_PTR(d);
                if (r < 0)
                        return r;
        } else if (streq(p->definition->uuid, d->uuid) && streq(pool_type(p), d->type) &&
                   !bag_equal(p->definition->options, d->options)) {
                p->update = p->definition;
                p->definition = TAKE_PTR(d);
        }
        p->adopt = true;
        return 0;
}

int manager_load(Manager *m, Error *e)
{
        _cleanup_free_ char *directory = active_directory(m);
        int r;

        r = backends_load(m->config.worker, m->config.backend_directory, &m->backends, e);
        if (r < 0)
                return r;
        r = store_load(m->config.pool_directory, manager_pool_options, on_stored, on_bad, m);
        if (r >= 0 && directory)
                r = store_load(directory, manager_pool_options, on_active, on_bad, m);
        return r < 0 ? error_set_errno(e, r, "Cannot read the pools in %s", m->config.pool_directory) : 0;
}

void manager_autostart(Manager *m)
{
        const char *name;
        Pool *p;

        HASHMAP_FOREACH (name, p, m->pools) {
                if (!p->autostart && !p->adopt)
                        continue;
                p->adopt = false;
                recovery_begin(p);
        }
}
