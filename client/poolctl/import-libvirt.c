/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `poolctl import-libvirt`: definitions of libvirt's storage driver become pools of ours. Its files stay as
 * they are. */
#include <fcntl.h>

#include "libvirt-pool.h"
#include "object.h"
#include "output.h"

#define SYSTEM_DIRECTORY "/etc/libvirt/storage"
#define USER_DIRECTORY "libvirt/storage" /* below $XDG_CONFIG_HOME */

static char *default_directory(Poolctl *p)
{
        const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
        char *path;

        if (!given(p, SWITCH_USER))
                return strdup(SYSTEM_DIRECTORY);
        if (asprintf(&path, "%s%s/" USER_DIRECTORY, isempty(config) ? home ?: "" : config,
                     isempty(config) ? "/.config" : "") < 0)
                return NULL;
        return path;
}

/* 1: a pool of that name or UUID stands already; 0: none. */
static int is_known(Poolctl *p, const LibvirtPool *l, Error *e)
{
        const struct {
                const char *member, *argument;
        } questions[] = { { "GetPool", l->name }, { "GetPoolByUUID", l->uuid } };

        FOREACH_ELEMENT (q, questions) {
                _cleanup_error_ Error answer = ERROR_NULL;

                if (!q->argument)
                        continue;
                if (call(p, MANAGER_METHOD(.member = q->member, .plain = true), NULL, &answer, "s",
                         q->argument) >= 0)
                        return 1;
                /* A name or UUID that we refuse is told by the definition itself. */
                if (answer.kind != ERROR_NO_SUCH_POOL && answer.kind != ERROR_INVALID_NAME &&
                    answer.kind != ERROR_INVALID_ARGS) {
                        error_move(e, &answer);
                        return error_errno(e);
                }
        }
        return 0;
}

static int is_supported(Poolctl *p, const char *type, Error *e)
{
        return call(p, MANAGER_METHOD(.member = "DescribeBackend"), NULL, e, "s", type);
}

static int take_over(Poolctl *p, const LibvirtPool *l, Error *e)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error refused = ERROR_NULL;
        Method autostart = { .interface = POOL_INTERFACE, .member = "SetAutostart" };
        int r;

        if (bag_set_bool(options, "lax", true) < 0)
                return error_no_memory(e);
        r = call(p, MANAGER_METHOD(.member = "DefinePoolXML", .options = options), &reply, e, "s", l->xml);
        if (r < 0 || !l->autostart)
                return r;
        r = sd_bus_message_read_basic(reply, 'o', &autostart.path);
        if (r < 0)
                return error_bad_reply(e, r);
        r = call(p, &autostart, NULL, &refused, "b", 1);
        return r < 0 ? error_set(e, refused.kind, "defined, but without autostart: %s", refused.message) : 0;
}

/* One file: what became of it, as a member of the report. */
static json_object *import_file(Poolctl *p, int directory, const char *file, ExitStatus *status)
{
        _cleanup_(libvirt_pool_done) LibvirtPool l = { 0 };
        _cleanup_error_ Error e = ERROR_NULL;
        json_object *o = json_object_new_object();
        bool dry_run = given(p, SWITCH_DRY_RUN);
        const char *result = dry_run ? "would be taken" : "taken";
        int r;

        r = libvirt_pool_read(directory, file, &l, &e);
        if (r >= 0)
                r = is_known(p, &l, &e);
        if (r > 0)
                result = "known";
        else if (r == 0)
                r = dry_run ? is_supported(p, l.type, &e) : take_over(p, &l, &e);
        if (r < 0) {
                result = "not taken";
                *status = STATUS_FAILED;
        }
        json_add_string(o, "File", file);
        json_add_string(o, "Pool", l.name);
        json_add_string(o, "Type", l.type);
        json_object_object_add(o, "Autostart", json_object_new_boolean(l.autostart));
        json_add_string(o, "Result", result);
        json_add_string(o, "Reason",
                        streq(result, "known") ? "a pool of this name or UUID is defined already"
                                               : e.message);
        return o;
}

static ExitStatus print_report(Poolctl *p, json_object *report)
{
        static const Column columns[] = {
                { "FILE", COLUMN_ELASTIC },
                { "POOL", COLUMN_ELASTIC },
                { "TYPE", 0 },
                { "AUTOSTART", 0 },
                { "RESULT", 0 },
                { "REASON", COLUMN_ELASTIC },
        };
        _cleanup_table_ Table *t = table_new(columns, ELEMENTSOF(columns));

        if (!t)
                return out_of_memory();
        for (size_t i = 0; i < json_object_array_length(report); i++) {
                json_object *o = json_object_array_get_idx(report, i);

                (void)table_add(t, json_get_string(o, "File"));
                (void)table_add(t, json_get_string(o, "Pool"));
                (void)table_add(t, json_get_string(o, "Type"));
                (void)table_add(t, yes_no(json_get_bool(o, "Autostart")));
                (void)table_add(t, json_get_string(o, "Result"));
                (void)table_add(t, json_get_string(o, "Reason"));
        }
        return print_table(p, t);
}

ExitStatus verb_import_libvirt(Poolctl *p, char **words, size_t n)
{
        _cleanup_free_ char *path = n ? strdup(words[0]) : default_directory(p);
        _cleanup_json_ json_object *report = json_object_new_array();
        _cleanup_strv_ char **files = NULL;
        _cleanup_close_ int directory = -EBADF;
        _cleanup_error_ Error e = ERROR_NULL;
        ExitStatus status = STATUS_DONE, printed;

        if (!path || !report)
                return out_of_memory();
        directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0) {
                (void)error_set_errno(&e, errno, "cannot open the directory");
                return fail(&e, "cannot import from %s", path);
        }
        if (libvirt_pool_files(directory, &files, &e) < 0)
                return fail(&e, "cannot import from %s", path);
        for (char **f = files; f && *f; f++)
                json_object_array_add(report, import_file(p, directory, *f, &status));
        printed = p->json == JSON_OFF ? print_report(p, report) : print_json(p, report);
        return status == STATUS_DONE ? printed : status;
}
