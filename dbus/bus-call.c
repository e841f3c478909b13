/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-call.h"

#include <stdarg.h>

#include "util/bag-message.h"

int call_fail(Error *e, int r, sd_bus_error *ret_error)
{
        if (e->kind != ERROR_NONE)
                r = sd_bus_error_set(ret_error, error_kind_to_name(e->kind), e->message ?: "out of memory");
        else
                r = sd_bus_error_set_errno(ret_error, r);
        error_done(e);
        return r;
}

int call_invalid(sd_bus_error *ret_error, const char *format, ...)
{
        va_list ap;
        int r;

        va_start(ap, format);
        r = sd_bus_error_setfv(ret_error, SD_BUS_ERROR_INVALID_ARGS, format, ap);
        va_end(ap);
        return r;
}

int call_begin(Manager *m, sd_bus_message *message, Call *ret, sd_bus_error *ret_error)
{
        Bus *b = bus_of(m);
        _cleanup_error_ Error e = ERROR_NULL;
        uid_t caller;
        int r;

        r = callers_resolve(b->callers, message, &caller, &e);
        if (r < 0)
                return call_fail(&e, r, ret_error);
        if (r == 0)
                return 0;
        *ret = (Call){ .bus = b, .message = message, .caller = caller };
        return 1;
}

void call_done(Call *c)
{
        bag_free(c->options);
}

static bool is_allowed(const char *const *allowed, const char *key)
{
        for (; *allowed; allowed++)
                if (streq(*allowed, key))
                        return true;
        return false;
}

static int take_wait(Call *c, sd_bus_error *ret_error)
{
        const Value *wait = bag_get(c->options, "wait");

        if (!wait)
                return 0;
        if (wait->type != VALUE_BOOL)
                return call_invalid(ret_error, "Option wait is a boolean");
        c->wait = wait->boolean;
        bag_remove(c->options, "wait");
        return 0;
}

int call_read_options(Call *c, const char *const *allowed, sd_bus_error *ret_error)
{
        _cleanup_error_ Error e = ERROR_NULL;
        int r;

        r = bag_read_from_message(c->message, &c->options, &e);
        if (r < 0)
                return call_fail(&e, r, ret_error);
        for (size_t i = 0; allowed && i < bag_size(c->options); i++)
                if (!is_allowed(allowed, bag_key(c->options, i)))
                        return call_invalid(ret_error, "Unknown option %s of %s", bag_key(c->options, i),
                                            sd_bus_message_get_member(c->message));
        return take_wait(c, ret_error);
}

int call_take_size(Call *c, const char *key, uint64_t *ret, sd_bus_error *ret_error)
{
        const Value *value = bag_get(c->options, key);

        if (!value)
                return 0;
        if (value->type != VALUE_U64 && value->type != VALUE_U32)
                return call_invalid(ret_error, "Option %s is a number of bytes (t)", key);
        *ret = value->type == VALUE_U64 ? value->u64 : value->u32;
        bag_remove(c->options, key);
        return 0;
}

int call_take_string(Call *c, const char *key, char **ret, sd_bus_error *ret_error)
{
        const Value *value = bag_get(c->options, key);
        char *copy;

        if (!value)
                return 0;
        if (value->type != VALUE_STRING)
                return call_invalid(ret_error, "Option %s is a text (s)", key);
        copy = strdup(value->string);
        if (!copy)
                return -ENOMEM;
        free(*ret);
        *ret = copy;
        bag_remove(c->options, key);
        return 0;
}

int call_authorize(Call *c, const char *action, char *const *details, sd_bus_error *ret_error)
{
        _cleanup_error_ Error e = ERROR_NULL;
        int r;

        if (c->bus->user_mode) /* the filter has compared the uid */
                return 1;
        r = polkit_check(c->bus->polkit, c->message, c->caller, action, details, &e);
        return r < 0 ? call_fail(&e, r, ret_error) : r;
}

int call_ask(Call *c, const char *action, char *const *details, PolkitVerdict *ret, sd_bus_error *ret_error)
{
        _cleanup_error_ Error e = ERROR_NULL;
        int r;

        if (c->bus->user_mode) {
                *ret = POLKIT_YES;
                return 1;
        }
        r = polkit_ask(c->bus->polkit, c->message, c->caller, action, details, /* interactive= */ false, ret,
                       &e);
        return r < 0 ? call_fail(&e, r, ret_error) : r;
}

int call_authorize_all(Call *c, const ActionCheck *checks, size_t n_checks, sd_bus_error *ret_error)
{
        for (size_t i = 0; i < n_checks; i++) {
                int r = call_authorize(c, checks[i].action, checks[i].details, ret_error);

                if (r <= 0)
                        return r;
        }
        return 1;
}

int call_authorize_pool(Call *c, const Pool *p, const Volume *v, const char *action, sd_bus_error *ret_error)
{
        ActionCheck check = {};
        int r;

        r = pool_action_check(p, v, action, &check);
        if (r < 0)
                return sd_bus_error_set_errno(ret_error, r);
        r = call_authorize(c, check.action, check.details, ret_error);
        action_check_done(&check);
        return r;
}

static int submit(Call *c, Request *request, const char *pool, sd_bus_error *ret_error)
{
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_prepared_ Prepared prepared = {};
        Job *job;
        int r;

        request->caller = c->caller;
        if (!request->options)
                request->options = c->options;
        r = request_prepare(request, &prepared, &e);
        if (r < 0)
                return call_fail(&e, r, ret_error);
        r = call_authorize_all(c, prepared.checks, prepared.n_checks, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = request_submit(request, &prepared, &job, &e);
        if (r < 0)
                return call_fail(&e, r, ret_error);
        return reply_hold(c->bus, c->message, job, c->wait, pool);
}

int call_submit(Call *c, Request *request, sd_bus_error *ret_error)
{
        return submit(c, request, NULL, ret_error);
}

int call_submit_pool(Call *c, Request *request, sd_bus_error *ret_error)
{
        _cleanup_free_ char *path = object_path_pool(pool_name(request->pool));

        return path ? submit(c, request, path, ret_error) : -ENOMEM;
}
