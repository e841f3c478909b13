/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "action.h"

#include <inttypes.h>

int action_check_add(ActionCheck *c, const char *key, const char *value)
{
        int r = strv_append(&c->details, key);

        return r < 0 ? r : strv_append(&c->details, value);
}

int action_check_add_number(ActionCheck *c, const char *key, uint64_t value)
{
        char text[24];

        snprintf(text, sizeof(text), "%" PRIu64, value);
        return action_check_add(c, key, text);
}

void action_check_done(ActionCheck *c)
{
        strv_free(c->details);
        *c = (ActionCheck){ 0 };
}

static int add_volume(ActionCheck *c, const Volume *v)
{
        int r = action_check_add(c, "volume", v->name);

        if (r >= 0)
                r = action_check_add(c, "volume.format", image_format_to_string(v->format));
        if (r >= 0 && v->creator != UINT32_MAX)
                r = action_check_add_number(c, "volume.owner", v->creator);
        return r;
}

int pool_action_check(const Pool *p, const Volume *v, const char *action, ActionCheck *ret)
{
        ActionCheck c = { .action = action };
        int r = 0;

        if (p)
                r = action_check_add(&c, "pool", pool_name(p));
        if (p && r >= 0)
                r = action_check_add(&c, "pool.type", pool_type(p));
        if (v && r >= 0)
                r = add_volume(&c, v);
        if (r < 0) {
                action_check_done(&c);
                return r;
        }
        *ret = c;
        return 0;
}
