/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volume.OpenNBD: the volume's data through a server of its own, whatever its format. */
#include "action.h"
#include "bus-open.h"
#include "bus-query.h"
#include "util/bag-message.h"

static int answer_endpoint(sd_bus_message *m, Pool *p, const char *volume, const Bag *result, Error *e)
{
        const char *export = bag_get_string(result, "export");
        int r, fd = bag_get_fd(result, "fd");
        _cleanup_bag_ Bag *options = NULL;

        if (fd < 0 || !export)
                return error_set(e, ERROR_WORKER_CRASHED, "The worker of pool %s did not connect volume %s",
                                 pool_name(p), volume);
        r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = bag_read_from_message(m, &options, e);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(m, "hsb", fd, export,
                                          (int)bag_get_bool(options, "read-only", true));
}

static int authorize(Call *c, const Volume *v, bool read_only, sd_bus_error *ret_error)
{
        ActionCheck check = {};
        int r;

        r = pool_action_check(v->pool, v, read_only ? "volume-read" : "volume-write", &check);
        if (r >= 0)
                r = action_check_add(&check, "read-only", yes_no(read_only));
        if (r >= 0)
                r = call_authorize(c, check.action, check.details, ret_error);
        action_check_done(&check);
        return r;
}

static int check_alone(const Volume *v, bool read_only, sd_bus_error *ret_error)
{
        _cleanup_error_ Error e = ERROR_NULL;
        int r = read_only ? 0 : volume_check_alone(v->pool, v->name, "be opened for writing", &e);

        return r < 0 ? call_fail(&e, r, ret_error) : 0;
}

int volume_method_open_nbd(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Volume *v = userdata;
        _cleanup_bag_ Bag *args = bag_new();
        _cleanup_call_ Call c = {};
        const Value *said;
        bool read_only;
        int r;

        r = call_begin(v->pool->manager, m, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = call_read_options(&c, (const char *[]){ "read-only", NULL }, ret_error);
        if (r < 0)
                return r;
        said = bag_get(c.options, "read-only");
        if (said && said->type != VALUE_BOOL)
                return call_invalid(ret_error, "Option read-only is a boolean");
        read_only = !said || said->boolean;
        r = query_check_pool(v->pool, ret_error);
        if (r >= 0)
                r = check_alone(v, read_only, ret_error);
        if (r >= 0)
                r = authorize(&c, v, read_only, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (bag_set_bool(args, "read-only", read_only) < 0 || bag_set_u32(args, "caller", c.caller) < 0)
                return -ENOMEM;
        return query_ask(&c, v->pool, "endpoint", v->name, TAKE_PTR(args), answer_endpoint, ret_error);
}
