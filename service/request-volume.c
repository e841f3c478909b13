/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests that make, change and delete volumes. */
#include <inttypes.h>

#include "action.h"
#include "job-run.h"
#include "request-internal.h"
#include "util/hashmap.h"
#include "util/names.h"

/* Options of the methods themselves; create and clone take the volume options of the backend beside them. */
static const OptionSpec resize_options[] = {
        { .name = "shrink", .type = OPTION_BOOL },
        { .name = "allocate", .type = OPTION_BOOL },
        { .name = "sync", .type = OPTION_BOOL },
};
static const OptionSpec delete_options[] = {
        { .name = "dependents", .type = OPTION_BOOL },
        { .name = "sync", .type = OPTION_BOOL },
};

/* What an administrator alone may say, whoever may create (owner, mode, paths ...). */
static bool has_admin_words(const OptionTable *t, const Bag *options)
{
        for (size_t i = 0; i < bag_size(options); i++) {
                const OptionSpec *spec = option_find(t, bag_key(options, i));

                if (spec && (spec->flags & OPTION_ADMIN) &&
                    !(streq(spec->name, "owner") && streq_ptr(bag_get_string(options, "owner"), "caller")))
                        return true;
        }
        return false;
}

/* A backing volume must be one of ours that the caller may read. */
static int need_backing(const Request *r, const Bag *options, Prepared *p, Error *e)
{
        const char *path = bag_get_string(options, "backing.path");
        _cleanup_free_ char *name = NULL;
        Volume *v;

        if (!path)
                return 0;
        name = pool_resolve_path(r->pool, path);
        v = name ? volume_table_get(r->pool->volumes, name) : NULL;
        if (!v)
                return error_set(
                        e, ERROR_NO_SUCH_VOLUME,
                        "The backing file %s is not a volume of pool %s; only such can back another", path,
                        pool_name(r->pool));
        return request_need(p, r->pool, v, "volume-read", NULL, e);
}

/* The part that create and clone share: the new volume, its options, and who may make it. */
static int prepare_new_volume(const Request *r, const Bag *options, uint64_t capacity, const char *format,
                              Prepared *p, Error *e)
{
        const OptionTable *table = &r->pool->backend->volume_options;
        ActionCheck *check = NULL;
        int x;

        x = request_need(p, r->pool, NULL, "volume-create", &check, e);
        if (x < 0)
                return x;
        if (action_check_add(check, "volume", r->volume) < 0 ||
            action_check_add(check, "volume.format", format) < 0 ||
            action_check_add_number(check, "capacity", capacity) < 0 ||
            action_check_add_number(check, "caller.capacity", pool_owned(r->pool, r->caller)) < 0 ||
            action_check_add(check, "handover",
                             yes_no(streq_ptr(bag_get_string(options, "owner"), "caller"))) < 0)
                return request_no_memory(e);
        x = need_backing(r, options, p, e);
        if (x >= 0 && has_admin_words(table, options))
                x = request_need(p, r->pool, NULL, "pool-define", NULL, e);
        return x;
}

static int check_new_name(const Request *r, Error *e)
{
        int x = name_check("volume", r->volume, e);

        if (x >= 0)
                x = pool_check_usable(r->pool, e);
        if (x >= 0 && volume_table_get(r->pool->volumes, r->volume))
                x = error_set(e, ERROR_VOLUME_EXISTS, "Pool %s has a volume %s already", pool_name(r->pool),
                              r->volume);
        return x;
}

static uint64_t backing_capacity(const Request *r, const Bag *options)
{
        _cleanup_free_ char *name = pool_resolve_path(r->pool, bag_get_string(options, "backing.path"));
        const Volume *v = name ? volume_table_get(r->pool->volumes, name) : NULL;

        return v && v->capacity != UINT64_MAX ? v->capacity : 0;
}

/* Takes "sync" out of the method options and checks the others as volume options. */
static int split_volume_options(const Request *r, Bag *args, Bag **ret, Error *e)
{
        _cleanup_bag_ Bag *words = bag_copy(r->options);

        if (!words && r->options)
                return request_no_memory(e);
        if (bag_has(words, "sync") && bag_set_bool(args, "sync", bag_get_bool(words, "sync", true)) < 0)
                return request_no_memory(e);
        bag_remove(words, "sync");
        return options_check(&r->pool->backend->volume_options, words, ret, e);
}

static int default_format(const Request *r, Bag *options, Error *e)
{
        const char *format = bag_get_string(r->pool->definition->options, "volume.format") ?: "raw";

        if (bag_has(options, "format"))
                format = bag_get_string(options, "format");
        else if (bag_set_string(options, "format", format) < 0)
                return request_no_memory(e);
        if (strv_contains(r->pool->backend->create_formats, format))
                return 0;
        return error_set(e, ERROR_NOT_SUPPORTED, "A volume of format %s cannot be made in a pool of type %s",
                         format, pool_type(r->pool));
}

int prepare_volume_create(const Request *r, Prepared *p, Error *e)
{
        Bag *options = NULL;
        uint64_t capacity = r->capacity;
        int x;

        x = check_new_name(r, e);
        if (x >= 0)
                x = request_feature(r, "create", "make volumes", e);
        if (x < 0)
                return x;
        p->args = bag_new();
        if (!p->args)
                return request_no_memory(e);
        x = split_volume_options(r, p->args, &options, e);
        if (x < 0)
                return x;
        x = default_format(r, options, e);
        if (x >= 0 && capacity == UINT64_MAX && !bag_has(options, "backing.path"))
                x = error_set(e, ERROR_INVALID_ARGS,
                              "Volume %s needs a capacity; only one with a backing volume can do without",
                              r->volume);
        if (x >= 0 && capacity != UINT64_MAX && capacity > INT64_MAX)
                x = error_set(e, ERROR_INVALID_ARGS, "The capacity %" PRIu64 " of volume %s is over 8 EiB",
                              capacity, r->volume);
        if (x >= 0 && capacity == UINT64_MAX)
                p->charge = backing_capacity(r, options);
        else
                p->charge = capacity;
        if (x >= 0)
                x = prepare_new_volume(r, options, p->charge, bag_get_string(options, "format"), p, e);
        if (x >= 0 && (bag_set_u64(p->args, "capacity", capacity) < 0 ||
                       bag_set_u32(p->args, "creator", r->caller) < 0))
                x = request_no_memory(e);
        if (bag_set_bag(p->args, "options", options) < 0 && x >= 0)
                x = request_no_memory(e);
        return x;
}

int prepare_volume_clone(const Request *r, Prepared *p, Error *e)
{
        Bag *options = NULL;
        uint64_t capacity;
        Volume *source;
        int x;

        x = check_new_name(r, e);
        if (x >= 0)
                x = request_feature(r, "clone", "clone volumes", e);
        if (x >= 0)
                x = pool_find_volume(r->pool, r->source, &source, e);
        if (x < 0)
                return x;
        capacity = r->capacity == UINT64_MAX ? source->capacity : r->capacity;
        if (r->capacity != UINT64_MAX && r->capacity > INT64_MAX)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "The capacity %" PRIu64 " of volume %s is over 8 EiB", r->capacity,
                                 r->volume);
        if (source->capacity != UINT64_MAX && capacity < source->capacity)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "A clone of %s cannot be smaller than its %" PRIu64 " bytes", r->source,
                                 source->capacity);
        p->args = bag_new();
        if (!p->args)
                return request_no_memory(e);
        p->charge = capacity == UINT64_MAX ? 0 : capacity;
        x = split_volume_options(r, p->args, &options, e);
        if (x >= 0)
                x = request_need(p, r->pool, source, "volume-read", NULL, e);
        if (x >= 0)
                x = prepare_new_volume(
                        r, options, p->charge,
                        bag_get_string(options, "format") ?: image_format_to_string(source->format), p, e);
        if (x >= 0 && (bag_set_string(p->args, "source", r->source) < 0 ||
                       bag_set_u64(p->args, "capacity", r->capacity) < 0 ||
                       bag_set_u32(p->args, "creator", r->caller) < 0))
                x = request_no_memory(e);
        if (bag_set_bag(p->args, "options", options) < 0 && x >= 0)
                x = request_no_memory(e);
        return x;
}

static int find_volume(const Request *r, Volume **ret, Error *e)
{
        int x = pool_find_volume(r->pool, r->volume, ret, e);

        return x < 0 ? x : pool_check_usable(r->pool, e);
}

int request_check_shrink(const Pool *p, const char *volume, Error *e)
{
        const Volume *v = volume_table_dependents(p->volumes, volume);

        if (!v)
                return 0;
        return error_set(e, ERROR_IN_USE, "Volume %s cannot shrink while it backs others, %s for one",
                         volume, v->name);
}

int prepare_volume_resize(const Request *r, Prepared *p, Error *e)
{
        bool smaller;
        ActionCheck *check = NULL;
        Volume *v;
        int x;

        x = find_volume(r, &v, e);
        if (x >= 0)
                x = request_options(r, resize_options, ELEMENTSOF(resize_options), p, e);
        if (x >= 0)
                x = request_feature(r, "resize", "resize volumes", e);
        if (x < 0)
                return x;
        if (r->capacity > INT64_MAX)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "The capacity %" PRIu64 " for volume %s is over 8 EiB", r->capacity,
                                 r->volume);
        smaller = v->capacity != UINT64_MAX && r->capacity < v->capacity;
        if (smaller && !bag_get_bool(p->args, "shrink", false))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "Volume %s has %" PRIu64
                                 " bytes; to make it smaller and lose what is beyond, say shrink",
                                 r->volume, v->capacity);
        if (smaller) {
                x = request_feature(r, "shrink", "shrink volumes", e);
                if (x >= 0)
                        x = request_check_shrink(r->pool, r->volume, e);
                if (x < 0)
                        return x;
        } else {
                /* By the time it runs the volume may have grown: what was not asked for must not happen then. */
                bag_remove(p->args, "shrink");
                p->charge = v->capacity == UINT64_MAX ? r->capacity : r->capacity - v->capacity;
        }
        x = request_need(p, r->pool, v, smaller ? "volume-shrink" : "volume-resize", &check, e);
        if (x >= 0 &&
            (action_check_add_number(check, "capacity", r->capacity) < 0 ||
             action_check_add_number(check, "caller.capacity", pool_owned(r->pool, r->caller)) < 0 ||
             bag_set_u64(p->args, "capacity", r->capacity) < 0))
                x = request_no_memory(e);
        return x;
}

/* Everything that would go with it, each behind the one that it stands on. Headers may lie, so a chain may
 * be a circle. */
static int collect_dependents(const Pool *p, const char *volume, char ***ret, Error *e)
{
        _cleanup_strv_ char **list = calloc(DEPENDENTS_MAX + 1, sizeof(*list));
        _cleanup_(hashmap_freep) Hashmap *seen = hashmap_new();
        const char *base = volume;
        size_t n = 0;

        if (!list || !seen)
                return request_no_memory(e);
        for (size_t next = 0; base; base = list[next++])
                for (Volume *v = volume_table_dependents(p->volumes, base); v;
                     v = volume_next_dependent(v)) {
                        if (streq(v->name, volume) || hashmap_get(seen, v->name))
                                continue;
                        if (n == DEPENDENTS_MAX)
                                return error_set(e, ERROR_LIMITS_EXCEEDED,
                                                 "More than %u volumes are backed by %s; delete some first",
                                                 DEPENDENTS_MAX, volume);
                        if (hashmap_put(seen, v->name, v) < 0 || !(list[n] = strdup(v->name)))
                                return request_no_memory(e);
                        n++;
                }
        if (n > 0)
                *ret = TAKE_PTR(list);
        return 0;
}

int request_check_delete(const Pool *p, const char *volume, char *const *allowed, Error *e)
{
        _cleanup_strv_ char **dependents = NULL;
        int x = collect_dependents(p, volume, &dependents, e);

        for (char **i = dependents; i && *i && x >= 0; i++)
                if (!strv_contains(allowed, *i))
                        x = error_set(e, ERROR_IN_USE, "Volume %s backs %s now; delete that before it",
                                      volume, *i);
        return x;
}

int prepare_volume_delete(const Request *r, Prepared *p, Error *e)
{
        _cleanup_strv_ char **dependents = NULL;
        Volume *v;
        int x;

        x = find_volume(r, &v, e);
        if (x >= 0)
                x = request_options(r, delete_options, ELEMENTSOF(delete_options), p, e);
        if (x >= 0)
                x = request_feature(r, "volume-delete", "delete volumes", e);
        if (x >= 0)
                x = collect_dependents(r->pool, r->volume, &dependents, e);
        if (x < 0)
                return x;
        if (dependents && !bag_get_bool(p->args, "dependents", false))
                return error_set(e, ERROR_IN_USE,
                                 "Volume %s backs %zu other%s, %s first of all; delete these before it, or "
                                 "say dependents",
                                 r->volume, strv_length(dependents), strv_length(dependents) == 1 ? "" : "s",
                                 dependents[0]);
        x = request_need(p, r->pool, v, "volume-delete", NULL, e);
        for (char **i = dependents; i && *i && x >= 0; i++)
                x = request_need(p, r->pool, volume_table_get(r->pool->volumes, *i), "volume-delete", NULL,
                                 e);
        if (x >= 0 && dependents && bag_set_strv(p->args, "names", dependents) < 0)
                x = request_no_memory(e);
        return x;
}

/* To say what a file from outside is lets tools read it so: an administrator's word. */
int prepare_volume_set_format(const Request *r, Prepared *p, Error *e)
{
        int x = request_options(r, &request_sync_option, 1, p, e);
        Volume *v;

        if (x >= 0)
                x = find_volume(r, &v, e);
        if (x >= 0)
                x = request_feature(r, "declare", "remember a volume's format", e);
        if (x < 0)
                return x;
        if (!strv_contains(r->pool->backend->formats, r->format))
                return error_set(e, ERROR_INVALID_ARGS, "%s is no format of volumes in pools of type %s",
                                 r->format, pool_type(r->pool));
        x = request_need(p, r->pool, v, "pool-define", NULL, e);
        if (x >= 0 && bag_set_string(p->args, "format", r->format) < 0)
                x = request_no_memory(e);
        return x;
}

int prepare_volume_refresh(const Request *r, Prepared *p, Error *e)
{
        int x = request_options(r, NULL, 0, p, e);
        Volume *v;

        if (x >= 0)
                x = find_volume(r, &v, e);
        if (x >= 0)
                x = request_need(p, r->pool, v, "volume-list", NULL, e);
        if (x >= 0 && bag_add_strv(p->args, "names", r->volume) < 0)
                x = request_no_memory(e);
        return x;
}
