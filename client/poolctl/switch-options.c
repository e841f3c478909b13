/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "switch-options.h"

#include "util/units.h"

static int add_option(const SwitchSpec *s, const char *value, Bag *options, Error *e)
{
        _cleanup_error_ Error reason = ERROR_NULL;
        uint64_t size;

        if (!s->value)
                return bag_set_bool(options, s->name, true);
        if (!streq(s->value, "SIZE") && !streq(s->value, "RATE"))
                return bag_set_string(options, s->name, value);
        if (size_parse(value, &size, &reason) < 0)
                return error_set(e, ERROR_INVALID_ARGS, "--%s: %s", s->name, reason.message);
        return bag_set_u64(options, s->name, size);
}

int switches_to_options(const CommandLine *line, Bag *options, Error *e)
{
        for (Switch s = 0; s < _SWITCH_MAX; s++) {
                int r;

                if (!line->value[s] || !(SWITCHES_OPTIONS & (UINT64_C(1) << s)))
                        continue;
                r = add_option(&switch_table[s], line->value[s], options, e);
                if (r < 0)
                        return r == -ENOMEM ? error_set(e, ERROR_NO_MEMORY, "out of memory") : r;
        }
        return 0;
}
