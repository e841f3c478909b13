/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests on whole pools. */
#include "action.h"
#include "request-internal.h"

static const OptionSpec start_options[] = {
        { .name = "build", .type = OPTION_BOOL },
        { .name = "overwrite", .type = OPTION_BOOL },
        { .name = "sync", .type = OPTION_BOOL },
};
static const OptionSpec stop_options[] = {
        { .name = "force", .type = OPTION_BOOL },
};
static const OptionSpec convert_options[] = {
        { .name = "bandwidth", .type = OPTION_SIZE },
        { .name = "sync", .type = OPTION_BOOL },
};
static const OptionSpec build_options[] = {
        { .name = "overwrite", .type = OPTION_BOOL },
        { .name = "sync", .type = OPTION_BOOL },
};

int prepare_pool_start(const Request *r, Prepared *p, Error *e)
{
        int x = request_options(r, start_options, ELEMENTSOF(start_options), p, e);
        ActionCheck *check = NULL;

        if (x < 0)
                return x;
        if (r->pool->state == POOL_ACTIVE)
                return error_set(e, ERROR_POOL_ACTIVE, "Pool %s is active already", pool_name(r->pool));
        x = request_need(p, r->pool, NULL, "pool-manage", NULL, e);
        if (x < 0 || !bag_get_bool(p->args, "build", false))
                return x;
        x = request_feature(r->pool, "build", "be built", e);
        if (x >= 0)
                x = request_need(p, r->pool, NULL, "pool-build", &check, e);
        if (x >= 0 &&
            action_check_add(check, "overwrite", yes_no(bag_get_bool(p->args, "overwrite", false))) < 0)
                return request_no_memory(e);
        return x;
}

int prepare_pool_stop(const Request *r, Prepared *p, Error *e)
{
        int x = request_options(r, stop_options, ELEMENTSOF(stop_options), p, e);

        if (x < 0)
                return x;
        if (r->pool->state == POOL_INACTIVE)
                return error_set(e, ERROR_POOL_INACTIVE, "Pool %s is not active", pool_name(r->pool));
        return request_need(p, r->pool, NULL, "pool-manage", NULL, e);
}

static int need_inactive(const Request *r, Error *e)
{
        if (r->pool->state == POOL_INACTIVE)
                return 0;
        return error_set(e, ERROR_POOL_ACTIVE, "Pool %s is %s; stop it first", pool_name(r->pool),
                         pool_state_to_string(r->pool->state));
}

int prepare_pool_build(const Request *r, Prepared *p, Error *e)
{
        int x = request_options(r, build_options, ELEMENTSOF(build_options), p, e);
        ActionCheck *check = NULL;

        if (x >= 0)
                x = request_feature(r->pool, "build", "be built", e);
        if (x >= 0)
                x = need_inactive(r, e);
        if (x >= 0)
                x = request_need(p, r->pool, NULL, "pool-build", &check, e);
        if (x >= 0 &&
            action_check_add(check, "overwrite", yes_no(bag_get_bool(p->args, "overwrite", false))) < 0)
                return request_no_memory(e);
        return x;
}

int prepare_pool_delete(const Request *r, Prepared *p, Error *e)
{
        int x = request_options(r, &request_sync_option, 1, p, e);

        if (x >= 0)
                x = request_feature(r->pool, "delete", "be deleted", e);
        if (x >= 0)
                x = need_inactive(r, e);
        return x < 0 ? x : request_need(p, r->pool, NULL, "pool-delete", NULL, e);
}

int prepare_pool_refresh(const Request *r, Prepared *p, Error *e)
{
        int x = request_options(r, NULL, 0, p, e);

        if (x >= 0)
                x = pool_check_usable(r->pool, e);
        return x < 0 ? x : request_need(p, r->pool, NULL, "pool-manage", NULL, e);
}

static bool is_convertible(const Volume *v, const char *format)
{
        return v->type == VOLUME_FILE && (v->format == FORMAT_RAW || v->format == FORMAT_QCOW2) &&
               !streq(image_format_to_string(v->format), format);
}

/* Everybody's word is asked for each of a few volumes; so many are an administrator's business. */
static int need_conversions(const Request *r, char *const *volumes, size_t n, Prepared *p, Error *e)
{
        int x = 0;

        if (n > CONVERSIONS_ASKED_MAX)
                return request_need(p, r->pool, NULL, "pool-define", NULL, e);
        for (size_t i = 0; i < n && x >= 0; i++)
                x = request_need(p, r->pool, volume_table_get(r->pool->volumes, volumes[i]), "volume-write",
                                 NULL, e);
        return x;
}

/* Which volumes, and how many bytes they have. The names are borrowed from the table. */
static char **list_convertible(const Request *r, size_t *ret_n, uint64_t *ret_bytes)
{
        char **list = calloc(volume_table_size(r->pool->volumes) + 1, sizeof(*list));
        uint64_t bytes = 0;
        VolumeCursor cursor;
        size_t n = 0;

        for (Volume *v = list ? volume_table_first(r->pool->volumes, NULL, &cursor) : NULL; v;
             v = volume_table_next(r->pool->volumes, &cursor)) {
                if (!is_convertible(v, r->format))
                        continue;
                list[n++] = v->name;
                bytes += v->capacity == UINT64_MAX ? 0 : v->capacity;
        }
        *ret_n = n;
        *ret_bytes = bytes;
        return list;
}

int prepare_pool_convert(const Request *r, Prepared *p, Error *e)
{
        _cleanup_free_ char **volumes = NULL;
        uint64_t bytes;
        size_t n;
        int x = request_options(r, convert_options, ELEMENTSOF(convert_options), p, e);

        if (x >= 0)
                x = pool_check_usable(r->pool, e);
        if (x >= 0)
                x = request_feature(r->pool, "convert", "convert volumes in place", e);
        if (x < 0)
                return x;
        if ((!streq(r->format, "raw") && !streq(r->format, "qcow2")) ||
            !strv_contains(r->pool->backend->create_formats, r->format))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "The volumes of pool %s cannot all become '%s'; raw and qcow2 are possible",
                                 pool_name(r->pool), r->format);
        volumes = list_convertible(r, &n, &bytes);
        if (!volumes)
                return request_no_memory(e);
        x = need_conversions(r, volumes, n, p, e);
        if (x >= 0 &&
            (bag_set_string(p->args, "format", r->format) < 0 ||
             bag_set_strv(p->args, "volumes", volumes) < 0 || bag_set_u64(p->args, "bytes", bytes) < 0))
                x = request_no_memory(e);
        return x;
}
