/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs on pool types. */
#include "object.h"
#include "output.h"

static const char *const backend_members[] = {
        "Name", "Available", "Reason", "Summary", "Features", "Formats", "CreateFormats",
};

/* ListBackends answers with structs; gives their members names. */
static int read_backends(Poolctl *p, json_object *ret, Error *e)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_json_ json_object *structs = NULL;
        int r;

        r = call(p, MANAGER_METHOD(.member = "ListBackends"), &reply, e, NULL);
        if (r < 0)
                return r;
        r = json_from_message(reply, &structs);
        if (r < 0)
                return error_bad_reply(e, r);
        for (size_t i = 0; i < json_object_array_length(structs); i++) {
                json_object *members = json_object_array_get_idx(structs, i), *o = json_object_new_object();

                for (size_t k = 0; k < ELEMENTSOF(backend_members); k++)
                        json_object_object_add(o, backend_members[k],
                                               json_object_get(json_object_array_get_idx(members, k)));
                json_object_array_add(ret, o);
        }
        return 0;
}

static ExitStatus list_backends(Poolctl *p)
{
        static const Column columns[] = { { "TYPE", 0 },
                                          { "AVAILABLE", COLUMN_STATE },
                                          { "SUMMARY", COLUMN_ELASTIC } };
        _cleanup_table_ Table *t = table_new(columns, ELEMENTSOF(columns));
        _cleanup_json_ json_object *backends = json_object_new_array();
        _cleanup_error_ Error e = ERROR_NULL;

        if (!t || !backends)
                return out_of_memory();
        if (read_backends(p, backends, &e) < 0)
                return fail(&e, "cannot list the pool types");
        if (p->json != JSON_OFF)
                return print_json(p, backends);
        for (size_t i = 0; i < json_object_array_length(backends); i++) {
                json_object *o = json_object_array_get_idx(backends, i);
                bool available = json_get_bool(o, "Available");

                (void)table_add(t, json_get_string(o, "Name"));
                (void)table_add(t, yes_no(available));
                (void)table_add(t, json_get_string(o, available ? "Summary" : "Reason"));
        }
        return print_table(p, t);
}

/* "required", "secret", "admin", the default and the choices, as far as there are any. */
static void add_notes(Table *t, json_object *option)
{
        json_object *choices = json_object_object_get(option, "choices");
        const char *fallback = json_get_string(option, "default");
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f) {
                (void)table_add(t, NULL);
                return;
        }
        fprintf(f, "%s%s%s", json_get_bool(option, "required") ? "required " : "",
                json_get_bool(option, "secret") ? "secret " : "",
                json_get_bool(option, "admin") ? "admin " : "");
        if (!isempty(fallback))
                fprintf(f, "default=%s ", fallback);
        for (size_t i = 0;
             json_object_is_type(choices, json_type_array) && i < json_object_array_length(choices); i++)
                fprintf(f, "%s%s", i ? "|" : "",
                        json_object_get_string(json_object_array_get_idx(choices, i)));
        fclose(f);
        if (text && size && text[size - 1] == ' ')
                text[size - 1] = 0;
        (void)table_add(t, text);
        free(text);
}

static ExitStatus print_options(Poolctl *p, json_object *options, const char *header)
{
        const Column columns[] = {
                { header, 0 },
                { "TYPE", 0 },
                { "NOTES", COLUMN_ELASTIC },
                { "HELP", COLUMN_ELASTIC },
        };
        _cleanup_table_ Table *t = table_new(columns, ELEMENTSOF(columns));

        if (!t)
                return out_of_memory();
        for (size_t i = 0; i < json_object_array_length(options); i++) {
                json_object *option = json_object_array_get_idx(options, i);

                (void)table_add(t, json_get_string(option, "name"));
                (void)table_add(t, json_get_string(option, "type"));
                add_notes(t, option);
                (void)table_add(t, json_get_string(option, "help"));
        }
        return print_table(p, t);
}

static ExitStatus describe_backend(Poolctl *p, const char *type)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_json_ json_object *pool = NULL, *volume = NULL, *both = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        ExitStatus status;
        int r;

        r = call(p, MANAGER_METHOD(.member = "DescribeBackend"), &reply, &e, "s", type);
        if (r >= 0) {
                r = json_from_message(reply, &pool);
                if (r >= 0)
                        r = json_from_message(reply, &volume);
                if (r < 0)
                        (void)error_bad_reply(&e, r);
        }
        if (r < 0)
                return fail(&e, "cannot describe pool type %s", type);
        if (p->json != JSON_OFF) {
                both = json_object_new_object();
                json_object_object_add(both, "PoolOptions", TAKE_PTR(pool));
                json_object_object_add(both, "VolumeOptions", TAKE_PTR(volume));
                return print_json(p, both);
        }
        status = print_options(p, pool, "POOL OPTION");
        putchar('\n');
        return status == STATUS_DONE ? print_options(p, volume, "VOLUME OPTION") : status;
}

ExitStatus verb_backends(Poolctl *p, char **words, size_t n)
{
        return n ? describe_backend(p, words[0]) : list_backends(p);
}

ExitStatus verb_discover(Poolctl *p, char **words, size_t n)
{
        _cleanup_bag_ Bag *hint = bag_new(), *options = bag_new();
        _cleanup_json_ json_object *result = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        json_object *sources;

        if (!hint || !options)
                return out_of_memory();
        if (assignments_parse(words + 1, n - 1, hint, &e) < 0)
                return usage("%s", e.message);
        if (run_job(p, MANAGER_METHOD(.member = "DiscoverSources", .definition = hint, .options = options),
                    &result, &e, "s", words[0]) < 0)
                return fail(&e, "cannot discover sources of type %s", words[0]);
        if (!result)
                return STATUS_DONE; /* --no-wait */
        if (p->json != JSON_OFF)
                return print_json(p, result);
        sources = json_object_object_get(result, "sources");
        for (size_t i = 0;
             json_object_is_type(sources, json_type_array) && i < json_object_array_length(sources); i++)
                puts(json_object_get_string(json_object_array_get_idx(sources, i)));
        return STATUS_DONE;
}
