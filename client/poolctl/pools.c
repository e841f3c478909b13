/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs on whole pools. */
#include "object.h"
#include "output.h"

static const char *const pool_sizes[] = { "Capacity", "Allocation", "Available", "Reserved", NULL };

/* All properties of every pool, as an array; a pool that goes away meanwhile is left out. */
static int read_pools(Poolctl *p, Bag *options, json_object *ret, Error *e)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *path;
        int r;

        r = call(p, MANAGER_METHOD(.member = "ListPools", .options = options), &reply, e, NULL);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "(osss)");
        if (r < 0)
                return error_bad_reply(e, r);
        while ((r = sd_bus_message_read(reply, "(osss)", &path, NULL, NULL, NULL)) > 0) {
                _cleanup_error_ Error vanished = ERROR_NULL;
                json_object *properties = NULL;

                r = get_properties(p, path, POOL_INTERFACE, &properties, &vanished);
                if (r >= 0)
                        json_object_array_add(ret, properties);
                else if (vanished.kind != ERROR_UNKNOWN_OBJECT) {
                        error_move(e, &vanished);
                        return r;
                }
        }
        return r < 0 ? error_bad_reply(e, r) : 0;
}

static ExitStatus print_pools(Poolctl *p, json_object *pools)
{
        static const Column columns[] = {
                { "NAME", COLUMN_ELASTIC },     { "TYPE", 0 },
                { "STATE", COLUMN_STATE },      { "AUTOSTART", 0 },
                { "VOLUMES", COLUMN_RIGHT },    { "CAPACITY", COLUMN_RIGHT },
                { "ALLOCATION", COLUMN_RIGHT }, { "AVAILABLE", COLUMN_RIGHT },
        };
        _cleanup_table_ Table *t = table_new(columns, ELEMENTSOF(columns));

        if (!t)
                return out_of_memory();
        for (size_t i = 0; i < json_object_array_length(pools); i++) {
                json_object *o = json_object_array_get_idx(pools, i);

                (void)table_add(t, json_get_string(o, "Name"));
                (void)table_add(t, json_get_string(o, "Type"));
                (void)table_add(t, json_get_string(o, "State"));
                (void)table_add(t, yes_no(json_get_bool(o, "Autostart")));
                (void)table_add_number(t, json_get_u64(o, "VolumeCount"));
                (void)table_add_size(t, json_get_u64(o, "Capacity"));
                (void)table_add_size(t, json_get_u64(o, "Allocation"));
                (void)table_add_size(t, json_get_u64(o, "Available"));
        }
        return print_table(p, t);
}

ExitStatus verb_list(Poolctl *p, char **words, size_t n)
{
        _cleanup_json_ json_object *pools = json_object_new_array();
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;

        if (!pools || !options || bag_set_string(options, "state", p->line.value[SWITCH_STATE]) < 0 ||
            bag_set_string(options, "type", p->line.value[SWITCH_TYPE]) < 0)
                return out_of_memory();
        if (read_pools(p, options, pools, &e) < 0)
                return fail(&e, "cannot list the pools");
        return p->json == JSON_OFF ? print_pools(p, pools) : print_json(p, pools);
}

static int show_pool(Poolctl *p, const ObjectName *n, Error *e)
{
        _cleanup_json_ json_object *properties = NULL;
        int r;

        r = object_properties(p, n, &properties, e);
        if (r < 0)
                return r;
        if (p->json != JSON_OFF)
                (void)print_json(p, properties);
        else
                (void)print_members(properties, pool_sizes);
        return 0;
}

ExitStatus verb_show(Poolctl *p, char **words, size_t n)
{
        return for_each_object(p, words, n, OBJECT_POOL, "show", show_pool);
}

static Bag *build_options(Poolctl *p)
{
        _cleanup_bag_ Bag *options = bag_new();

        if (!options || (given(p, SWITCH_BUILD) && bag_set_bool(options, "build", true) < 0) ||
            (given(p, SWITCH_OVERWRITE) && bag_set_bool(options, "overwrite", true) < 0))
                return NULL;
        return TAKE_PTR(options);
}

static int start_pool(Poolctl *p, const ObjectName *n, Error *e)
{
        _cleanup_bag_ Bag *options = build_options(p);

        return object_run_job(p, n, (Method){ .member = "Start", .options = options }, NULL, e, NULL);
}

ExitStatus verb_start(Poolctl *p, char **words, size_t n)
{
        if (given(p, SWITCH_OVERWRITE) && !given(p, SWITCH_BUILD))
                return usage("--overwrite goes with --build");
        return for_each_object(p, words, n, OBJECT_POOL, "start", start_pool);
}

static int stop_pool(Poolctl *p, const ObjectName *n, Error *e)
{
        _cleanup_bag_ Bag *options = bag_new();

        if (given(p, SWITCH_FORCE) && bag_set_bool(options, "force", true) < 0)
                return error_no_memory(e);
        return object_run_job(p, n, (Method){ .member = "Stop", .options = options }, NULL, e, NULL);
}

ExitStatus verb_stop(Poolctl *p, char **words, size_t n)
{
        return for_each_object(p, words, n, OBJECT_POOL, "stop", stop_pool);
}

static int refresh_object(Poolctl *p, const ObjectName *n, Error *e)
{
        _cleanup_bag_ Bag *options = bag_new();

        return object_run_job(p, n, (Method){ .member = "Refresh", .options = options }, NULL, e, NULL);
}

ExitStatus verb_refresh(Poolctl *p, char **words, size_t n)
{
        return for_each_object(p, words, n, OBJECT_ANY, "refresh", refresh_object);
}

static int build_pool(Poolctl *p, const ObjectName *n, Error *e)
{
        _cleanup_bag_ Bag *options = build_options(p);

        return object_run_job(p, n, (Method){ .member = "Build", .options = options }, NULL, e, NULL);
}

ExitStatus verb_build(Poolctl *p, char **words, size_t n)
{
        return for_each_object(p, words, n, OBJECT_POOL, "build", build_pool);
}

static int delete_pool(Poolctl *p, const ObjectName *n, Error *e)
{
        _cleanup_bag_ Bag *options = bag_new();

        return object_run_job(p, n, (Method){ .member = "Delete", .options = options }, NULL, e, NULL);
}

ExitStatus verb_delete(Poolctl *p, char **words, size_t n)
{
        return for_each_object(p, words, n, OBJECT_POOL, "delete", delete_pool);
}

static int undefine_pool(Poolctl *p, const ObjectName *n, Error *e)
{
        return object_call(p, n, (Method){ .member = "Undefine" }, NULL, e, NULL);
}

ExitStatus verb_undefine(Poolctl *p, char **words, size_t n)
{
        return for_each_object(p, words, n, OBJECT_POOL, "undefine", undefine_pool);
}

ExitStatus verb_autostart(Poolctl *p, char **words, size_t n)
{
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        bool on;

        if (object_word_parse(words[0], OBJECT_POOL, &name, &e) < 0 ||
            switch_word_parse(words[1], &on, &e) < 0)
                return usage("%s", e.message);
        if (object_call(p, &name, (Method){ .member = "SetAutostart" }, NULL, &e, "b", (int)on) < 0)
                return fail(&e, "cannot change the autostart of %s", words[0]);
        return STATUS_DONE;
}
