/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pool.h"

#include "job-run.h"
#include "recovery.h"
#include "refresh.h"
#include "session.h"
#include "util/names.h"
#include "util/units.h"
#include "watcher.h"

static const char *const state_names[_POOL_STATE_MAX] = {
        [POOL_INACTIVE] = "inactive",       [POOL_STARTING] = "starting",
        [POOL_ACTIVE] = "active",           [POOL_STOPPING] = "stopping",
        [POOL_UNAVAILABLE] = "unavailable", [POOL_UNRESPONSIVE] = "unresponsive",
};

const char *pool_state_to_string(PoolState s)
{
        return s >= 0 && s < _POOL_STATE_MAX ? state_names[s] : NULL;
}

PoolState pool_state_from_string(const char *s)
{
        for (PoolState i = 0; i < _POOL_STATE_MAX; i++)
                if (streq(state_names[i], s))
                        return i;
        return _POOL_STATE_INVALID;
}

Pool *pool_new(Manager *m, Definition *definition, const BackendInfo *backend)
{
        Pool *p = calloc(1, sizeof(*p));

        if (!p) {
                definition_free(definition);
                return NULL;
        }
        *p = (Pool){ .manager = m, .definition = definition, .backend = backend, .snapshot = -EBADF };
        p->volumes = volume_table_new(p);
        p->unscanned = hashmap_new();
        if (!p->volumes || !p->unscanned || session_new(p, &p->session) < 0) {
                pool_free(p);
                return NULL;
        }
        return p;
}

void pool_free(Pool *p)
{
        if (!p)
                return;
        recovery_cancel(p);
        watcher_stop(p);
        refresh_abort(p);
        session_free(p->session);
        if (p->volumes)
                manager_count_volumes(p->manager, -(ssize_t)volume_table_size(p->volumes));
        volume_table_free(p->volumes); /* empty already, except at exit */
        definition_free(p->definition);
        definition_free(p->update);
        error_done(&p->error);
        safe_close(p->snapshot);
        hashmap_free(p->unscanned);
        free(p->identity);
        free(p);
}

const char *pool_name(const Pool *p)
{
        return p->definition->name;
}

const char *pool_type(const Pool *p)
{
        return p->definition->type;
}

const char *pool_target(const Pool *p)
{
        return bag_get_string(p->definition->options, "target.path");
}

bool pool_is_up(const Pool *p)
{
        return p->state == POOL_ACTIVE || p->state == POOL_UNAVAILABLE || p->state == POOL_UNRESPONSIVE;
}

bool pool_is_full(const Pool *p)
{
        return volume_table_size(p->volumes) >= VOLUMES_PER_POOL_MAX;
}

int pool_check_usable(const Pool *p, Error *e)
{
        switch (p->state) {
        case POOL_ACTIVE:
                return 0;
        case POOL_UNAVAILABLE:
        case POOL_UNRESPONSIVE:
                return error_set(e, ERROR_SOURCE_UNREACHABLE, "Pool %s is %s (%s); it comes back by itself",
                                 pool_name(p), pool_state_to_string(p->state),
                                 p->error.message ?: "no reason known");
        case POOL_INACTIVE:
        case POOL_STARTING:
        case POOL_STOPPING:
        case _POOL_STATE_MAX:
        case _POOL_STATE_INVALID:
                break;
        }
        return error_set(e, ERROR_POOL_INACTIVE, "Pool %s is %s; start it first", pool_name(p),
                         pool_state_to_string(p->state));
}

uint64_t pool_reserved(const Pool *p)
{
        const char *text = bag_get_string(p->definition->options, "reserved");
        uint64_t reserved;

        return text && reserve_parse(text, p->capacity, &reserved, NULL) >= 0 ? reserved : 0;
}

void pool_numbers(const Pool *p, PoolNumbers *ret)
{
        uint64_t reserved = pool_reserved(p);

        *ret = (PoolNumbers){
                .capacity = p->capacity,
                .allocation = p->allocation,
                .available = p->available > reserved ? p->available - reserved : 0,
        };
}

uint64_t pool_owned(const Pool *p, uid_t uid)
{
        return volume_table_owned(p->volumes, uid) + queue_charged(p->manager->queue, p, uid);
}

int pool_find_volume(Pool *p, const char *name, Volume **ret, Error *e)
{
        Volume *v = volume_table_get(p->volumes, name);

        if (!v)
                return error_set(e, ERROR_NO_SUCH_VOLUME, "There is no volume %s in pool %s%s", name,
                                 pool_name(p), pool_is_up(p) ? "" : ", which is not active");
        *ret = v;
        return 0;
}

char *pool_volume_path(const Pool *p, const char *name)
{
        _cleanup_free_ char *raw = NULL;
        char *path;

        if (name_unescape(name, &raw, NULL) < 0 || !pool_target(p))
                return strdup(name);
        return asprintf(&path, "%s/%s", pool_target(p), raw) < 0 ? NULL : path;
}

char *pool_resolve_record(const Pool *p, const char *backing)
{
        _cleanup_free_ char *root = NULL, *path = NULL;
        const char *rest;

        if (!pool_target(p) || !backing)
                return NULL;
        root = path_absolute("/", pool_target(p));
        path = root ? path_absolute(root, backing) : NULL;
        if (!path || !path_is_below(path, root))
                return NULL;
        rest = path + strlen(root);
        rest += *rest == '/';
        return isempty(rest) || strchr(rest, '/') ? NULL : strdup(rest);
}

char *pool_resolve_path(const Pool *p, const char *path)
{
        _cleanup_free_ char *raw = pool_resolve_record(p, path);

        return raw ? name_escape(raw) : NULL;
}

void pool_tell_changed(Pool *p)
{
        Manager *m = p->manager;

        if (m->observer.pool_changed)
                m->observer.pool_changed(p, m->observer_data);
}

void pool_set_state(Pool *p, PoolState state, const Error *e)
{
        Error copy = ERROR_NULL;

        if (e) {
                copy.kind = e->kind;
                (void)free_and_strdup(&copy.message, e->message);
        }
        error_done(&p->error);
        p->error = copy;
        p->state = state;
        pool_tell_changed(p);
        manager_touch(p->manager);
}

int pool_worker_configuration(const Pool *p, const char *job, Bag **ret)
{
        const ManagerConfig *config = &p->manager->config;
        _cleanup_bag_ Bag *b = bag_new();

        if (bag_set_string(b, "pool", pool_name(p)) < 0 ||
            bag_set_string(b, "uuid", p->definition->uuid) < 0 ||
            bag_set_bag(b, "options", bag_copy(p->definition->options)) < 0 ||
            bag_set_bool(b, "user-mode", config->user_mode) < 0 ||
            bag_set_string(b, "state-directory", config->state_directory) < 0 ||
            bag_set_string(b, "runtime-directory", config->runtime_directory) < 0 ||
            bag_set_string(b, "job", job) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(b);
        return 0;
}
