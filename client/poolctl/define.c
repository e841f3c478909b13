/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions of pools, in and out. */
#include "definition-file.h"
#include "object.h"
#include "util/bag-message.h"

/* What DefinePool and CreatePool take: options or XML. */
typedef struct NewPool {
        const char *name, *type;
        Bag *definition; /* NULL: XML */
        char *xml;
        Bag *options;
} NewPool;

static void new_pool_done(NewPool *n)
{
        bag_free(n->definition);
        bag_free(n->options);
        free(n->xml);
}

static int new_pool_from_words(Poolctl *p, char **words, size_t n, NewPool *pool, Error *e)
{
        pool->options = bag_new();
        if (!pool->options)
                return error_no_memory(e);
        if (n == 1) {
                if (given(p, SWITCH_LAX) && bag_set_bool(pool->options, "lax", true) < 0)
                        return error_no_memory(e);
                return definition_file_read(words[0], &pool->xml, e);
        }
        pool->name = words[0];
        pool->type = words[1];
        pool->definition = bag_new();
        if (!pool->definition)
                return error_no_memory(e);
        return assignments_parse(words + 2, n - 2, pool->definition, e);
}

static int add_build_options(Poolctl *p, Bag *options, Error *e)
{
        if ((given(p, SWITCH_BUILD) && bag_set_bool(options, "build", true) < 0) ||
            (given(p, SWITCH_OVERWRITE) && bag_set_bool(options, "overwrite", true) < 0))
                return error_no_memory(e);
        return 0;
}

static int create_transient(Poolctl *p, const NewPool *n, Error *e)
{
        int r;

        r = add_build_options(p, n->options, e);
        if (r < 0)
                return r;
        if (n->xml)
                return run_job(p, MANAGER_METHOD(.member = "CreatePoolXML", .options = n->options), NULL, e,
                               "s", n->xml);
        return run_job(
                p,
                MANAGER_METHOD(.member = "CreatePool", .definition = n->definition, .options = n->options),
                NULL, e, "ss", n->name, n->type);
}

static int define_persistent(Poolctl *p, const NewPool *n, ObjectName *ret, Error *e)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *path;
        int r;

        if (n->xml)
                r = call(p, MANAGER_METHOD(.member = "DefinePoolXML", .options = n->options), &reply, e, "s",
                         n->xml);
        else
                r = call(p,
                         MANAGER_METHOD(.member = "DefinePool", .definition = n->definition,
                                        .options = n->options),
                         &reply, e, "ss", n->name, n->type);
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(reply, 'o', &path);
        if (r >= 0)
                r = object_name_from_path(path, ret);
        return r < 0 ? error_bad_reply(e, r) : 0;
}

static ExitStatus finish_definition(Poolctl *p, const ObjectName *n)
{
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;
        bool start = given(p, SWITCH_START);
        int r = options ? add_build_options(p, options, &e) : error_no_memory(&e);

        if (r < 0)
                return fail(&e, "cannot build %s", n->pool);
        if (!start)
                bag_remove(options, "build"); /* then it is Build itself */
        if ((start || given(p, SWITCH_BUILD)) &&
            object_run_job(p, n, (Method){ .member = start ? "Start" : "Build", .options = options }, NULL,
                           &e, NULL) < 0)
                return fail(&e, "%s is defined, but cannot be %s", n->pool, start ? "started" : "built");
        if (given(p, SWITCH_AUTOSTART) &&
            object_call(p, n, (Method){ .member = "SetAutostart" }, NULL, &e, "b", 1) < 0)
                return fail(&e, "%s is defined, but its autostart cannot be set", n->pool);
        return STATUS_DONE;
}

ExitStatus verb_define(Poolctl *p, char **words, size_t n)
{
        _cleanup_(new_pool_done) NewPool pool = { 0 };
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        bool transient = given(p, SWITCH_TRANSIENT);
        int r;

        if (given(p, SWITCH_LAX) && n > 1)
                return usage("--lax goes with an XML file");
        if (given(p, SWITCH_OVERWRITE) && !given(p, SWITCH_BUILD))
                return usage("--overwrite goes with --build");
        if (transient && (given(p, SWITCH_AUTOSTART) || given(p, SWITCH_START)))
                return usage("a transient pool is started at once and never by itself");
        if (given(p, SWITCH_NO_WAIT) && !transient && !given(p, SWITCH_START) && !given(p, SWITCH_BUILD))
                return usage("--no-wait goes with --start, --build or --transient");
        r = new_pool_from_words(p, words, n, &pool, &e);
        if (r < 0 && e.kind == ERROR_INVALID_ARGS)
                return usage("%s", e.message);
        if (r >= 0)
                r = transient ? create_transient(p, &pool, &e) : define_persistent(p, &pool, &name, &e);
        if (r < 0)
                return fail(&e, "cannot define %s", words[0]);
        return transient ? STATUS_DONE : finish_definition(p, &name);
}

static ExitStatus update_from_file(Poolctl *p, const ObjectName *n)
{
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_free_ char *xml = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        int r;

        if (!options || (given(p, SWITCH_LAX) && bag_set_bool(options, "lax", true) < 0))
                return out_of_memory();
        r = definition_file_read(p->line.value[SWITCH_XML], &xml, &e);
        if (r >= 0)
                r = object_call(p, n, (Method){ .member = "UpdateXML", .options = options }, NULL, &e, "s",
                                xml);
        return r < 0 ? fail(&e, "cannot update %s", n->pool) : STATUS_DONE;
}

/* Update() takes the whole definition: what it is now, with the given words over it. "NAME=" takes an option
 * away. */
static int changed_definition(Poolctl *p, const ObjectName *n, const Bag *changes, Bag **ret, Error *e)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_bag_ Bag *options = bag_new(), *definition = NULL;
        int r;

        if (bag_set_bool(options, "inactive", true) < 0)
                return error_no_memory(e);
        r = object_call(p, n, (Method){ .member = "GetDefinition", .options = options }, &reply, e, NULL);
        if (r < 0)
                return r;
        r = bag_read_from_message(reply, &definition, e);
        if (r < 0)
                return r;
        for (size_t i = 0; i < bag_size(changes); i++) {
                const char *key = bag_key(changes, i);

                if (streq_ptr(bag_get_string(changes, key), ""))
                        bag_remove(definition, key);
                else if (bag_set_value(definition, key, bag_value(changes, i)) < 0)
                        return error_no_memory(e);
        }
        *ret = TAKE_PTR(definition);
        return 0;
}

static ExitStatus update_from_words(Poolctl *p, const ObjectName *n, const Bag *changes)
{
        _cleanup_bag_ Bag *definition = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        int r;

        r = changed_definition(p, n, changes, &definition, &e);
        if (r >= 0)
                r = object_call(p, n, (Method){ .member = "Update", .definition = definition }, NULL, &e,
                                NULL);
        return r < 0 ? fail(&e, "cannot update %s", n->pool) : STATUS_DONE;
}

ExitStatus verb_update(Poolctl *p, char **words, size_t n)
{
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
        _cleanup_bag_ Bag *changes = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;

        if (object_word_parse(words[0], OBJECT_POOL, &name, &e) < 0)
                return usage("%s", e.message);
        if (given(p, SWITCH_XML) == (n > 1))
                return usage("expected NAME=VALUE, or --xml=FILE");
        if (given(p, SWITCH_XML))
                return update_from_file(p, &name);
        if (given(p, SWITCH_LAX))
                return usage("--lax goes with --xml");
        if (!changes)
                return out_of_memory();
        if (assignments_parse(words + 1, n - 1, changes, &e) < 0)
                return usage("%s", e.message);
        return update_from_words(p, &name, changes);
}

ExitStatus verb_xml(Poolctl *p, char **words, size_t n)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;
        const char *xml;

        if (object_word_parse(words[0], OBJECT_ANY, &name, &e) < 0)
                return usage("%s", e.message);
        if (given(p, SWITCH_INACTIVE) && name.volume)
                return usage("--inactive goes with a pool");
        if (!options || (given(p, SWITCH_INACTIVE) && bag_set_bool(options, "inactive", true) < 0))
                return out_of_memory();
        if (object_call(p, &name, (Method){ .member = "GetXML", .options = options }, &reply, &e, NULL) < 0)
                return fail(&e, "cannot get the XML of %s", words[0]);
        if (sd_bus_message_read_basic(reply, 's', &xml) < 0)
                return fail(&(Error){ .message = (char *)"the answer is no text" },
                            "cannot get the XML of %s", words[0]);
        fputs(xml, stdout);
        if (*xml && xml[strlen(xml) - 1] != '\n')
                putchar('\n');
        return STATUS_DONE;
}
