/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `poolctl volumes`. */
#include "output.h"
#include "volume-list.h"
#include "volume-rows.h"

static const Switch filters[] = { SWITCH_PATTERN, SWITCH_FORMAT, SWITCH_TYPE };

static int read_one_pool(Poolctl *p, const ObjectName *pool, json_object *list, Error *e)
{
        _cleanup_bag_ Bag *words = bag_new();

        if (!words)
                return error_no_memory(e);
        FOREACH_ELEMENT (f, filters)
                if (bag_set_string(words, switch_table[*f].name, p->line.value[*f]) < 0)
                        return error_no_memory(e);
        if (bag_size(words) == 0)
                return volume_list_read(p, pool, list, e);
        return volume_list_read_filtered(p, pool, words, list, e);
}

/* Of every pool that has volumes to show now; what goes down meanwhile is left out. */
static int read_all_pools(Poolctl *p, json_object *list, Error *e)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *name, *state;
        int r;

        r = call(p, MANAGER_METHOD(.member = "ListPools"), &reply, e, NULL);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "(osss)");
        if (r < 0)
                return error_bad_reply(e, r);
        while ((r = sd_bus_message_read(reply, "(osss)", NULL, &name, NULL, &state)) > 0) {
                const ObjectName pool = { .pool = (char *)name };
                _cleanup_error_ Error gone = ERROR_NULL;

                if (streq(state, "inactive") || streq(state, "starting"))
                        continue;
                r = read_one_pool(p, &pool, list, &gone);
                if (r < 0 && gone.kind != ERROR_NO_SUCH_POOL && gone.kind != ERROR_POOL_INACTIVE) {
                        error_move(e, &gone);
                        return r;
                }
        }
        return r < 0 ? error_bad_reply(e, r) : 0;
}

static ExitStatus print_volumes(Poolctl *p, json_object *list)
{
        static const Column columns[] = {
                { "VOLUME", COLUMN_ELASTIC },
                { "TYPE", 0 },
                { "FORMAT", 0 },
                { "CAPACITY", COLUMN_RIGHT },
                { "ALLOCATION", COLUMN_RIGHT },
                { "MODIFIED", 0 },
        };
        _cleanup_table_ Table *t = table_new(columns, ELEMENTSOF(columns));

        if (!t)
                return out_of_memory();
        for (size_t i = 0; i < json_object_array_length(list); i++) {
                json_object *o = json_object_array_get_idx(list, i);
                const ObjectName n = {
                        .pool = (char *)json_get_string(o, "Pool"),
                        .volume = (char *)json_get_string(o, "Name"),
                };
                _cleanup_free_ char *name = object_name_to_string(&n);

                (void)table_add(t, name);
                (void)table_add(t, json_get_string(o, "Type"));
                (void)table_add(t, json_get_string(o, "Format"));
                (void)table_add_size(t, json_get_u64(o, "Capacity"));
                (void)table_add_size(t, json_get_u64(o, "Allocation"));
                (void)table_add_time(t, json_get_u64(o, "MTimeUSec"));
        }
        return print_table(p, t);
}

ExitStatus verb_volumes(Poolctl *p, char **words, size_t n)
{
        _cleanup_json_ json_object *list = json_object_new_array();
        _cleanup_error_ Error e = ERROR_NULL;
        const char *sort = p->line.value[SWITCH_SORT] ?: "name";
        ExitStatus status = STATUS_DONE;

        if (!list)
                return out_of_memory();
        if (volume_rows_sort(list, sort, given(p, SWITCH_REVERSE)) < 0)
                return usage("--sort is %s, not \"%s\"", switch_table[SWITCH_SORT].value, sort);
        if (n == 0 && read_all_pools(p, list, &e) < 0)
                return fail(&e, "cannot list the volumes");
        for (size_t i = 0; i < n; i++) {
                _cleanup_object_name_ ObjectName pool = OBJECT_NAME_NULL;
                _cleanup_error_ Error error = ERROR_NULL;
                ExitStatus s = STATUS_DONE;

                if (object_word_parse(words[i], OBJECT_POOL, &pool, &error) < 0)
                        s = usage("%s", error.message);
                else if (read_one_pool(p, &pool, list, &error) < 0)
                        s = fail(&error, "cannot list the volumes of %s", words[i]);
                if (status == STATUS_DONE)
                        status = s;
        }
        if (n > 0 && status != STATUS_DONE && json_object_array_length(list) == 0)
                return status;
        (void)volume_rows_sort(list, sort, given(p, SWITCH_REVERSE));
        if (p->json != JSON_OFF)
                (void)print_json(p, list);
        else if (print_volumes(p, list) != STATUS_DONE)
                return STATUS_FAILED;
        return status;
}
