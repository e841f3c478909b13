/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volume.GetAttachment: the words by which a virtual machine uses a volume. */
#include "attachment.h"
#include "bus-open.h"
#include "bus-query.h"
#include "util/bag-message.h"

/* The worker tells of the images; what the caller wants to have of that stands in the call. */
static int answer_attachment(sd_bus_message *m, Pool *p, const char *volume, const Bag *result, Error *e)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_bag_ Bag *options = NULL;
        const char *kind;
        int r;

        r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = sd_bus_message_read(m, "s", &kind);
        if (r >= 0)
                r = bag_read_from_message(m, &options, e);
        if (r >= 0)
                r = attachment_text(p, volume, result, kind, options, &text, e);
        return r < 0 ? r : sd_bus_reply_method_return(m, "s", text);
}

int volume_method_get_attachment(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        static const char *const allowed[] = { "node-name", "id", "device", "read-only", "secret", NULL };
        Volume *v = userdata;
        _cleanup_call_ Call c = {};
        const char *kind;
        int r;

        r = call_begin(v->pool->manager, m, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = sd_bus_message_read(m, "s", &kind);
        if (r >= 0)
                r = call_read_options(&c, allowed, ret_error);
        if (r >= 0)
                r = query_check_pool(v->pool, ret_error);
        if (r >= 0)
                r = call_authorize_pool(&c, v->pool, v, "volume-list", ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        return query_ask(&c, v->pool, "attachment", v->name, NULL, answer_attachment, ret_error);
}
