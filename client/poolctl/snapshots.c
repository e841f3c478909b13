/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb on snapshots. */
#include "object.h"
#include "output.h"

/* The properties of each snapshot. One that is deleted meanwhile is left out. */
static int read_snapshots(Poolctl *p, const ObjectName *n, json_object *ret, Error *e)
{
        _cleanup_json_ json_object *volume = NULL;
        json_object *paths;
        int r;

        r = object_properties(p, n, &volume, e);
        if (r < 0)
                return r;
        paths = json_object_object_get(volume, "Snapshots");
        if (!json_object_is_type(paths, json_type_array))
                return 0;
        for (size_t i = 0; i < json_object_array_length(paths); i++) {
                const char *path = json_object_get_string(json_object_array_get_idx(paths, i));
                _cleanup_error_ Error vanished = ERROR_NULL;
                json_object *snapshot = NULL;

                r = get_properties(p, path, SNAPSHOT_INTERFACE, &snapshot, &vanished);
                if (r >= 0)
                        json_object_array_add(ret, snapshot);
                else if (vanished.kind != ERROR_UNKNOWN_OBJECT) {
                        error_move(e, &vanished);
                        return r;
                }
        }
        return 0;
}

static ExitStatus print_snapshots(Poolctl *p, json_object *snapshots)
{
        static const Column columns[] = {
                { "NAME", COLUMN_ELASTIC },
                { "KIND", 0 },
                { "SIZE", COLUMN_RIGHT },
                { "CREATED", 0 },
        };
        _cleanup_table_ Table *t = table_new(columns, ELEMENTSOF(columns));

        if (!t)
                return out_of_memory();
        for (size_t i = 0; i < json_object_array_length(snapshots); i++) {
                json_object *snapshot = json_object_array_get_idx(snapshots, i);

                (void)table_add(t, json_get_string(snapshot, "Name"));
                (void)table_add(t, json_get_string(snapshot, "Kind"));
                (void)table_add_size(t, json_get_u64(snapshot, "Size"));
                (void)table_add_time(t, json_get_u64(snapshot, "CreatedUSec"));
        }
        return print_table(p, t);
}

static ExitStatus list(Poolctl *p, const ObjectName *n)
{
        _cleanup_json_ json_object *snapshots = json_object_new_array();
        _cleanup_error_ Error e = ERROR_NULL;

        if (!snapshots)
                return out_of_memory();
        if (read_snapshots(p, n, snapshots, &e) < 0)
                return fail(&e, "cannot list the snapshots of %s/%s", n->pool, n->volume);
        return p->json == JSON_OFF ? print_snapshots(p, snapshots) : print_json(p, snapshots);
}

static int create(Poolctl *p, const ObjectName *n, const char *name, Bag *options, Error *e)
{
        return object_run_job(p, n, (Method){ .member = "CreateSnapshot", .options = options }, NULL, e, "s",
                              name);
}

static int call_snapshot(Poolctl *p, const ObjectName *n, const char *name, const char *member, Bag *options,
                         Error *e)
{
        _cleanup_free_ char *path = object_path_snapshot(n->pool, n->volume, name);
        int r;

        if (!path || !options)
                return error_no_memory(e);
        r = run_job(p,
                    &(const Method){
                            .path = path,
                            .interface = SNAPSHOT_INTERFACE,
                            .member = member,
                            .options = options,
                    },
                    NULL, e, NULL);
        if (r < 0 && e->kind == ERROR_UNKNOWN_OBJECT) {
                error_done(e);
                return error_set(e, ERROR_UNKNOWN_OBJECT,
                                 "there is no such snapshot; \"poolctl snapshot list %s/%s\" shows all",
                                 n->pool, n->volume);
        }
        return r;
}

static int revert(Poolctl *p, const ObjectName *n, const char *name, Bag *options, Error *e)
{
        return call_snapshot(p, n, name, "Revert", options, e);
}

static int delete (Poolctl *p, const ObjectName *n, const char *name, Bag *options, Error *e)
{
        return call_snapshot(p, n, name, "Delete", options, e);
}

ExitStatus verb_snapshot(Poolctl *p, char **words, size_t n)
{
        static const struct {
                const char *word, *what;
                int (*run)(Poolctl *p, const ObjectName *n, const char *name, Bag *options, Error *e);
        } table[] = {
                { "create", "create", create },
                { "revert", "revert to", revert },
                { "rm", "delete", delete },
        };
        _cleanup_object_name_ ObjectName volume = OBJECT_NAME_NULL;
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;

        if (object_word_parse(words[1], OBJECT_VOLUME, &volume, &e) < 0)
                return usage("%s", e.message);
        if (streq(words[0], "list") && n == 2)
                return list(p, &volume);
        FOREACH_ELEMENT (t, table) {
                if (!streq(t->word, words[0]) || n != 3)
                        continue;
                if (t->run(p, &volume, words[2], options, &e) < 0)
                        return fail(&e, "cannot %s snapshot %s of %s", t->what, words[2], words[1]);
                return STATUS_DONE;
        }
        return usage("expected: poolctl snapshot list POOL/VOLUME, or snapshot create|revert|rm POOL/VOLUME "
                     "SNAPSHOT");
}
