/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.example.Storage.Job: how far it is, its end, and cancelling it. */

#include "bus-call.h"
#include "util/bag-message.h"

DEFINE_GETTER_U64(get_id, Job, o->id)
DEFINE_GETTER_STRING(get_operation, Job, operation_to_string(o->operation))
DEFINE_GETTER_STRING(get_state, Job, job_state_to_string(o->state))
DEFINE_GETTER_U32(get_caller, Job, o->caller)
DEFINE_GETTER_DOUBLE(get_progress, Job, job_progress(o, &(bool){ false }))
DEFINE_GETTER_U64(get_bytes, Job, o->bytes)
DEFINE_GETTER_U64(get_bytes_done, Job, o->bytes_done)
DEFINE_GETTER_U64(get_rate, Job, o->rate)
DEFINE_GETTER_U64(get_start, Job, o->start_usec)
DEFINE_GETTER_U64(get_expected_end, Job, o->expected_end_usec)
DEFINE_GETTER_BOOL(get_cancellable, Job, o->cancellable)
DEFINE_GETTER_BOOL(get_stalled, Job, o->stalled)

static bool progress_is_valid(const Job *j)
{
        bool valid;

        (void)job_progress(j, &valid);
        return valid;
}
DEFINE_GETTER_BOOL(get_progress_valid, Job, progress_is_valid(o))

static int get_objects(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        const Job *j = userdata;
        _cleanup_free_ char *pool = j->pool ? object_path_pool(j->pool) : NULL;
        _cleanup_free_ char *volume = j->volume ? object_path_volume(j->pool, j->volume) : NULL;
        _cleanup_free_ char *source =
                j->source ? object_path_volume(j->source_pool ?: j->pool, j->source) : NULL;
        char *paths[4] = {};
        size_t n = 0;

        if (pool)
                paths[n++] = pool;
        if (volume)
                paths[n++] = volume;
        if (source)
                paths[n++] = source;
        int r = sd_bus_message_open_container(reply, 'a', "o");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = sd_bus_message_append_basic(reply, 'o', paths[i]);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

int error_append_to_message(const Error *e, sd_bus_message *m)
{
        return sd_bus_message_append(m, "(ss)", error_kind_to_name(e->kind) ?: "", e->message ?: "");
}

static int get_error(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        const Job *j = userdata;

        return error_append_to_message(&j->error, reply);
}

static int get_result(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        const Job *j = userdata;

        return bag_append_to_message(j->result, reply);
}

/* The details come from the job; its pool may have gone. */
static int authorize_cancel(Call *c, const Job *j, sd_bus_error *ret_error)
{
        Pool *p = j->pool ? manager_pool(c->bus->manager, j->pool) : NULL;
        Volume *v = p && j->volume ? volume_table_get(p->volumes, j->volume) : NULL;
        char *details[] = { (char *)"pool", j->pool, NULL };

        if (c->caller == j->caller)
                return 1;
        if (p)
                return call_authorize_pool(c, p, v, "job-manage", ret_error);
        return call_authorize(c, "job-manage", j->pool ? details : NULL, ret_error);
}

static int method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Job *j = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_call_ Call c = {};
        int r;

        r = call_begin(j->manager, m, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = call_read_options(&c, (const char *[]){ NULL }, ret_error);
        if (r < 0)
                return r;
        r = authorize_cancel(&c, j, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = job_cancel(j, &e);
        return r < 0 ? call_fail(&e, r, ret_error) : sd_bus_reply_method_return(m, NULL);
}

const sd_bus_vtable job_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "t", get_id, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Operation", "s", get_operation, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Objects", "ao", get_objects, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("CallerUID", "u", get_caller, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Progress", "d", get_progress, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ProgressValid", "b", get_progress_valid, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Bytes", "t", get_bytes, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("BytesDone", "t", get_bytes_done, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Rate", "t", get_rate, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("StartTimeUSec", "t", get_start, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ExpectedEndTimeUSec", "t", get_expected_end, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Cancellable", "b", get_cancellable, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Stalled", "b", get_stalled, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Error", "(ss)", get_error, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Result", "a{sv}", get_result, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method_cancel,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS(
                "Finished", SD_BUS_ARGS("b", success, "s", error_name, "s", error_message, "a{sv}", result),
                0),
        SD_BUS_VTABLE_END,
};

static int find_job(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found,
                    sd_bus_error *ret_error)
{
        Bus *b = userdata;
        uint64_t id;
        Job *j;

        if (object_path_to_job(path, &id) <= 0 || manager_find_job(b->manager, id, &j, NULL) < 0)
                return 0;
        *ret_found = j;
        return 1;
}

/* Jobs that were announced only, so that the list agrees with InterfacesAdded. */
static int list_jobs(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                     sd_bus_error *ret_error)
{
        Bus *b = userdata;
        char **paths = calloc(hashmap_size(b->manager->jobs) + 1, sizeof(*paths));
        const char *key;
        size_t n = 0;
        Job *j;

        if (!paths)
                return -ENOMEM;
        HASHMAP_FOREACH (key, j, b->manager->jobs)
                if (j->announced) {
                        paths[n] = object_path_job(j->id);
                        if (!paths[n]) {
                                strv_free(paths);
                                return -ENOMEM;
                        }
                        n++;
                }
        *ret_nodes = paths;
        return 0;
}

int job_faces_register(Bus *b)
{
        int r;

        r = sd_bus_add_fallback_vtable(b->connection, &b->job_objects, OBJECT_JOBS, INTERFACE_JOB,
                                       job_vtable, find_job, b);
        if (r < 0)
                return r;
        return sd_bus_add_node_enumerator(b->connection, &b->job_names, OBJECT_JOBS, list_jobs, b);
}

int job_emit_finished(Bus *b, const Job *j)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *path = object_path_job(j->id);
        int r;

        if (!path)
                return -ENOMEM;
        r = sd_bus_message_new_signal(b->connection, &m, path, INTERFACE_JOB, "Finished");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "bss", j->state == JOB_DONE, error_kind_to_name(j->error.kind) ?: "",
                                  j->error.message ?: "");
        if (r < 0)
                return r;
        r = bag_append_to_message(j->result, m);
        return r < 0 ? r : sd_bus_send(b->connection, m, NULL);
}
