/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs on jobs. */
#include "bar.h"
#include "call.h"
#include "output.h"
#include "util/fileio.h"
#include "words.h"

/* The properties of each job, with what it works on as "Object". A job that is forgotten meanwhile is left
 * out. */
static int read_jobs(Poolctl *p, Bag *options, json_object *ret, Error *e)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *path, *object;
        int r;

        r = call(p, MANAGER_METHOD(.member = "ListJobs", .options = options), &reply, e, NULL);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "(otsssu)");
        if (r < 0)
                return error_bad_reply(e, r);
        while ((r = sd_bus_message_read(reply, "(otsssu)", &path, NULL, NULL, &object, NULL, NULL)) > 0) {
                _cleanup_error_ Error vanished = ERROR_NULL;
                json_object *job = NULL;

                r = get_properties(p, path, JOB_INTERFACE, &job, &vanished);
                if (r < 0 && vanished.kind == ERROR_UNKNOWN_OBJECT)
                        continue;
                if (r < 0) {
                        error_move(e, &vanished);
                        return r;
                }
                json_add_string(job, "Object", object);
                json_object_array_add(ret, job);
        }
        return r < 0 ? error_bad_reply(e, r) : 0;
}

static void add_progress(Table *t, json_object *job)
{
        char text[16];

        snprintf(text, sizeof(text), "%.0f%%", json_get_double(job, "Progress") * 100);
        (void)table_add(t, json_get_bool(job, "ProgressValid") ? text : NULL);
}

static int add_left(Table *t, json_object *job)
{
        uint64_t end = json_get_u64(job, "ExpectedEndTimeUSec");
        char text[TIME_LEFT_MAX];

        return table_add(t, end == 0 || end == UINT64_MAX
                                    ? NULL
                                    : time_left_format(end, now_usec(CLOCK_REALTIME), text));
}

static ExitStatus print_jobs(Poolctl *p, json_object *jobs)
{
        static const Column columns[] = {
                { "JOB", COLUMN_RIGHT },   { "OPERATION", 0 },           { "OBJECT", COLUMN_ELASTIC },
                { "STATE", COLUMN_STATE }, { "PROGRESS", COLUMN_RIGHT }, { "RATE", COLUMN_RIGHT },
                { "LEFT", COLUMN_RIGHT },  { "UID", COLUMN_RIGHT },      { "STARTED", 0 },
        };
        _cleanup_table_ Table *t = table_new(columns, ELEMENTSOF(columns));

        if (!t)
                return out_of_memory();
        for (size_t i = 0; i < json_object_array_length(jobs); i++) {
                json_object *job = json_object_array_get_idx(jobs, i);
                uint64_t rate = json_get_u64(job, "Rate");

                (void)table_add_number(t, json_get_u64(job, "Id"));
                (void)table_add(t, json_get_string(job, "Operation"));
                (void)table_add(t, json_get_string(job, "Object"));
                (void)table_add(t, json_get_string(job, "State"));
                add_progress(t, job);
                (void)table_add_size(t, rate ?: UINT64_MAX);
                (void)add_left(t, job);
                (void)table_add_number(t, json_get_u64(job, "CallerUID"));
                (void)table_add_time(t, json_get_u64(job, "StartTimeUSec"));
        }
        return print_table(p, t);
}

ExitStatus verb_jobs(Poolctl *p, char **words, size_t n)
{
        _cleanup_json_ json_object *jobs = json_object_new_array();
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;

        if (!jobs || !options || (given(p, SWITCH_ALL) && bag_set_bool(options, "all", true) < 0))
                return out_of_memory();
        if (read_jobs(p, options, jobs, &e) < 0)
                return fail(&e, "cannot list the jobs");
        return p->json == JSON_OFF ? print_jobs(p, jobs) : print_json(p, jobs);
}

static ExitStatus cancel_job(Poolctl *p, const char *word)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        Method method = { .interface = JOB_INTERFACE, .member = "Cancel" };

        if (job_word_parse(word, &path, &e) < 0)
                return usage("%s", e.message);
        method.path = path;
        if (call(p, &method, NULL, &e, NULL) >= 0)
                return STATUS_DONE;
        if (e.kind == ERROR_UNKNOWN_OBJECT) {
                error_done(&e);
                (void)error_set(&e, ERROR_NO_SUCH_JOB, "there is no such job; \"poolctl jobs\" lists them");
        }
        return fail(&e, "cannot cancel job %s", word);
}

ExitStatus verb_cancel(Poolctl *p, char **words, size_t n)
{
        ExitStatus status = STATUS_DONE;

        for (size_t i = 0; i < n; i++) {
                ExitStatus s = cancel_job(p, words[i]);

                if (status == STATUS_DONE)
                        status = s;
        }
        return status;
}
