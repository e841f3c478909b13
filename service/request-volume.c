/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests that change what is known of a volume, its name and size, and that delete it. */
#include <inttypes.h>

#include "action.h"
#include "request-internal.h"

static const OptionSpec resize_options[] = {
        { .name = "shrink", .type = OPTION_BOOL },
        { .name = "allocate", .type = OPTION_BOOL },
        { .name = "sync", .type = OPTION_BOOL },
};
static const OptionSpec delete_options[] = {
        { .name = "dependents", .type = OPTION_BOOL },
        { .name = "sync", .type = OPTION_BOOL },
};

int prepare_volume_resize(const Request *r, Prepared *p, Error *e)
{
        bool smaller;
        ActionCheck *check = NULL;
        Volume *v;
        int x;

        x = request_find_volume(r, &v, e);
        if (x >= 0)
                x = request_options(r, resize_options, ELEMENTSOF(resize_options), p, e);
        if (x >= 0)
                x = request_feature(r->pool, "resize", "resize volumes", e);
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
                x = request_feature(r->pool, "shrink", "shrink volumes", e);
                if (x >= 0)
                        x = request_check_alone(r->pool, r->volume, r->operation, e);
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

int prepare_volume_delete(const Request *r, Prepared *p, Error *e)
{
        _cleanup_strv_ char **dependents = NULL;
        Volume *v;
        int x;

        x = request_find_volume(r, &v, e);
        if (x >= 0)
                x = request_options(r, delete_options, ELEMENTSOF(delete_options), p, e);
        if (x >= 0)
                x = request_feature(r->pool, "volume-delete", "delete volumes", e);
        if (x >= 0)
                x = request_collect_dependents(r->pool, r->volume, &dependents, e);
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
                x = request_find_volume(r, &v, e);
        if (x >= 0)
                x = request_feature(r->pool, "declare", "remember a volume's format", e);
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
                x = request_find_volume(r, &v, e);
        if (x >= 0)
                x = request_need(p, r->pool, v, "volume-list", NULL, e);
        if (x >= 0 && bag_add_strv(p->args, "names", r->volume) < 0)
                x = request_no_memory(e);
        return x;
}

/* A name is a volume's identity: taking one away is its deletion for those who know it, giving one its creation. */
int prepare_volume_rename(const Request *r, Prepared *p, Error *e)
{
        int x = request_options(r, &request_sync_option, 1, p, e);
        Volume *v;

        if (x >= 0)
                x = request_find_volume(r, &v, e);
        if (x >= 0)
                x = request_feature(r->pool, "rename", "rename volumes", e);
        if (x >= 0 && (v->flags & VOLUME_INCOMPLETE))
                x = volume_check_read(v, e);
        if (x >= 0)
                x = request_new_name(r->pool, r->new_name, e);
        if (x >= 0)
                x = request_check_alone(r->pool, r->volume, OPERATION_VOLUME_RENAME, e);
        if (x >= 0)
                x = request_need(p, r->pool, v, "volume-delete", NULL, e);
        if (x >= 0)
                x = request_need_new(&(NewVolume){ .pool = r->pool,
                                                   .name = r->new_name,
                                                   .format = image_format_to_string(v->format),
                                                   .capacity = volume_charge(v),
                                                   .caller = r->caller },
                                     p, e);
        if (x >= 0 && bag_set_string(p->args, "name", r->new_name) < 0)
                x = request_no_memory(e);
        return x;
}
