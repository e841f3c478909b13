/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs on single volumes. */
#include <fcntl.h>
#include <limits.h>

#include "connect.h"
#include "definition-file.h"
#include "object.h"
#include "output.h"
#include "remote.h"
#include "util/units.h"

static const char *const volume_sizes[] = { "Capacity", "Allocation", "Physical", NULL };

/* GetInfo looks at the volume anew, so it goes first; the properties are then fresh as well. */
static int read_info(Poolctl *p, const ObjectName *n, json_object **ret, Error *e)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_json_ json_object *properties = NULL, *details = NULL;
        int r;

        r = object_call(p, n, (Method){ .member = "GetInfo" }, &reply, e, NULL);
        if (r < 0)
                return r;
        r = json_from_message(reply, &details);
        if (r < 0)
                return error_bad_reply(e, r);
        r = object_properties(p, n, &properties, e);
        if (r < 0)
                return r;
        json_add_string(properties, "Pool", n->pool);
        if (streq_ptr(json_get_string(properties, "BackingVolume"), "/"))
                json_object_object_add(properties, "BackingVolume", NULL);
        json_object_object_add(properties, "Details", TAKE_PTR(details));
        *ret = TAKE_PTR(properties);
        return 0;
}

/* A path as people write it: POOL/VOLUME, or the name of a snapshot. */
static json_object *shown_object(json_object *path)
{
        _cleanup_object_name_ ObjectName n = OBJECT_NAME_NULL;
        _cleanup_free_ char *pool = NULL, *volume = NULL, *snapshot = NULL, *text = NULL;
        const char *word = json_object_get_string(path);

        if (object_name_from_path(word, &n) >= 0)
                text = object_name_to_string(&n);
        else
                (void)object_path_to_snapshot(word, &pool, &volume, &snapshot);
        return json_object_new_string(text ?: snapshot ?: word);
}

static void show_objects(json_object *info, const char *key)
{
        json_object *value = json_object_object_get(info, key), *shown;

        if (json_object_is_type(value, json_type_array)) {
                shown = json_object_new_array();
                for (size_t i = 0; i < json_object_array_length(value); i++)
                        json_object_array_add(shown, shown_object(json_object_array_get_idx(value, i)));
                json_object_object_add(info, key, shown);
        } else if (value)
                json_object_object_add(info, key, shown_object(value));
}

static int show_info(Poolctl *p, const ObjectName *n, Error *e)
{
        _cleanup_json_ json_object *info = NULL;
        int r;

        r = read_info(p, n, &info, e);
        if (r < 0)
                return r;
        if (p->json != JSON_OFF) {
                (void)print_json(p, info);
                return 0;
        }
        show_objects(info, "BackingVolume");
        show_objects(info, "Dependents");
        show_objects(info, "Snapshots");
        (void)print_members(info, volume_sizes);
        return 0;
}

ExitStatus verb_info(Poolctl *p, char **words, size_t n)
{
        return for_each_object(p, words, n, OBJECT_VOLUME, "show", show_info);
}

/* The passphrase never stands in an argument: the service reads it from the descriptor. */
static int add_passphrase(Poolctl *p, Bag *options, Error *e)
{
        const char *path = p->line.value[SWITCH_PASSPHRASE_FILE];
        int fd;

        if (!path)
                return 0;
        fd = streq(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                              : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return error_set_errno(e, errno, "cannot open %s", path);
        return bag_set_fd(options, "passphrase", fd) < 0 ? error_no_memory(e) : 0;
}

static ExitStatus create_from_file(Poolctl *p, char **words, size_t n)
{
        _cleanup_object_name_ ObjectName pool = OBJECT_NAME_NULL;
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_free_ char *xml = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        int r;

        if (n != 1 || given(p, SWITCH_FORMAT) || given(p, SWITCH_PASSPHRASE_FILE))
                return usage("expected: poolctl create --xml=FILE POOL");
        if (object_word_parse(words[0], OBJECT_POOL, &pool, &e) < 0)
                return usage("%s", e.message);
        if (!options || (given(p, SWITCH_LAX) && bag_set_bool(options, "lax", true) < 0))
                return out_of_memory();
        r = definition_file_read(p->line.value[SWITCH_XML], &xml, &e);
        if (r >= 0)
                r = object_run_job(p, &pool, (Method){ .member = "CreateVolumeXML", .options = options },
                                   NULL, &e, "s", xml);
        return r < 0 ? fail(&e, "cannot create a volume in %s", pool.pool) : STATUS_DONE;
}

/* Is the word a size, rather than NAME=VALUE? */
static bool is_size_word(char **words, size_t n)
{
        return n > 0 && !strchr(words[0], '=');
}

ExitStatus verb_create(Poolctl *p, char **words, size_t n)
{
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;
        uint64_t capacity = UINT64_MAX; /* then a backing volume tells */
        bool sized = is_size_word(words + 1, n - 1);

        if (given(p, SWITCH_XML))
                return create_from_file(p, words, n);
        if (given(p, SWITCH_LAX))
                return usage("--lax goes with --xml");
        if (!options)
                return out_of_memory();
        if (object_word_parse(words[0], OBJECT_VOLUME, &name, &e) < 0 ||
            (sized && size_word_is_relative(words[1])) ||
            (sized && size_word_parse(words[1], 0, &capacity, &e) < 0) ||
            options_parse(p, words + 1 + sized, n - 1 - sized, options, &e) < 0)
                return usage("%s", e.message ?: "a new volume has no size that could be changed");
        if (given(p, SWITCH_HOST) && given(p, SWITCH_PASSPHRASE_FILE))
                return remote_create(p);
        if (add_passphrase(p, options, &e) < 0)
                return fail(&e, "cannot read the passphrase");
        {
                const ObjectName pool = { .pool = name.pool };

                if (object_run_job(p, &pool, (Method){ .member = "CreateVolume", .options = options }, NULL,
                                   &e, "st", name.volume, capacity) < 0)
                        return fail(&e, "cannot create %s", words[0]);
        }
        return STATUS_DONE;
}

ExitStatus verb_resize(Poolctl *p, char **words, size_t n)
{
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
        _cleanup_json_ json_object *properties = NULL;
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;
        uint64_t capacity = 0;

        if (object_word_parse(words[0], OBJECT_VOLUME, &name, &e) < 0)
                return usage("%s", e.message);
        if (options_parse(p, NULL, 0, options, &e) < 0)
                return fail(&e, "cannot resize %s", words[0]);
        if (size_word_is_relative(words[1])) {
                if (object_properties(p, &name, &properties, &e) < 0)
                        return fail(&e, "cannot resize %s", words[0]);
                capacity = json_get_u64(properties, "Capacity");
        }
        if (size_word_parse(words[1], capacity, &capacity, &e) < 0)
                return usage("%s", e.message);
        if (object_run_job(p, &name, (Method){ .member = "Resize", .options = options }, NULL, &e, "t",
                           capacity) < 0)
                return fail(&e, "cannot resize %s", words[0]);
        return STATUS_DONE;
}

ExitStatus verb_declare(Poolctl *p, char **words, size_t n)
{
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_bag_ Bag *options = bag_new();

        if (object_word_parse(words[0], OBJECT_VOLUME, &name, &e) < 0)
                return usage("%s", e.message);
        if (object_run_job(p, &name, (Method){ .member = "SetFormat", .options = options }, NULL, &e, "s",
                           words[1]) < 0)
                return fail(&e, "cannot declare %s", words[0]);
        return STATUS_DONE;
}

static int delete_volume(Poolctl *p, const ObjectName *n, Error *e)
{
        _cleanup_bag_ Bag *options = bag_new();
        int r;

        r = options_parse(p, NULL, 0, options, e);
        return r < 0 ? r
                     : object_run_job(p, n, (Method){ .member = "Delete", .options = options }, NULL, e,
                                      NULL);
}

ExitStatus verb_rm(Poolctl *p, char **words, size_t n)
{
        return for_each_object(p, words, n, OBJECT_VOLUME, "delete", delete_volume);
}

/* Relative to where the user stands, but only here: another host has its own directories. */
static char *absolute_path(Poolctl *p, const char *word)
{
        _cleanup_free_ char *here = NULL;
        char *path;

        if (word[0] == '/' || given(p, SWITCH_HOST))
                return strdup(word);
        here = getcwd(NULL, 0);
        if (!here || asprintf(&path, "%s/%s", here, startswith(word, "./") ?: word) < 0)
                return NULL;
        return path;
}

static int find_by_path(Poolctl *p, const char *member, const char *path, ObjectName *ret, Error *e)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *object;
        int r;

        r = call(p, MANAGER_METHOD(.member = member, .plain = true), &reply, e, "s", path);
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(reply, 'o', &object);
        if (r >= 0)
                r = object_name_from_path(object, ret);
        return r < 0 ? error_bad_reply(e, r) : 0;
}

ExitStatus verb_find(Poolctl *p, char **words, size_t n)
{
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
        _cleanup_free_ char *path = absolute_path(p, words[0]), *text = NULL, *shown = NULL;
        _cleanup_error_ Error volume_error = ERROR_NULL, pool_error = ERROR_NULL;
        _cleanup_json_ json_object *o = NULL;

        if (!path)
                return out_of_memory();
        if (find_by_path(p, "GetVolumeByPath", path, &name, &volume_error) < 0 &&
            (volume_error.kind != ERROR_NO_SUCH_VOLUME ||
             find_by_path(p, "GetPoolByPath", path, &name, &pool_error) < 0))
                return fail(&volume_error, "cannot find %s", path);
        if (p->json != JSON_OFF) {
                o = json_object_new_object();
                json_add_string(o, "Pool", name.pool);
                json_add_string(o, "Volume", name.volume);
                return print_json(p, o);
        }
        text = object_name_to_string(&name);
        shown = text ? text_printable(text) : NULL;
        if (!shown)
                return out_of_memory();
        puts(shown);
        return STATUS_DONE;
}
