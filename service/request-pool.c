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
        x = request_feature(r, "build", "be built", e);
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
                x = request_feature(r, "build", "be built", e);
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
                x = request_feature(r, "delete", "be deleted", e);
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
