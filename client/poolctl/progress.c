/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "progress.h"

#include <signal.h>
#include <stdarg.h>
#include <systemd/sd-event.h>

#include "bar.h"
#include "connect.h"
#include "text.h"
#include "util/fileio.h"
#include "words.h"

#define SHOW_AFTER_USEC 300000u
#define REDRAW_USEC 100000u

/* One job that is watched. */
typedef struct Watch {
        Poolctl *p;
        sd_event *event;
        sd_bus_slot *signals, *owner, *cancel;
        char *path;
        char *object;       /* as shown: POOL or POOL/VOLUME */
        json_object *job;   /* its properties */
        json_object *ended; /* arguments of Finished: success, error name, message, result */
        bool drawn, cancelling, lost;
} Watch;

static void watch_done(Watch *w)
{
        sd_bus_slot_unref(w->signals);
        sd_bus_slot_unref(w->owner);
        sd_bus_slot_unref(w->cancel);
        if (w->event) {
                (void)sd_bus_detach_event(w->p->bus);
                sd_event_unref(w->event);
        }
        free(w->path);
        free(w->object);
        json_object_put(w->job);
        json_object_put(w->ended);
}

static void draw(Watch *w)
{
        _cleanup_free_ char *line =
                bar_format(w->job, w->object, now_usec(CLOCK_REALTIME), text_columns(stderr) - 1);

        if (!line)
                return;
        fprintf(stderr, "\r\033[K%s", line);
        fflush(stderr);
        w->drawn = true;
}

static void erase(Watch *w)
{
        if (w->drawn)
                fputs("\r\033[K", stderr);
        w->drawn = false;
}

/* Signals of all jobs come here; those of others, and those before our job's path is known, are left alone.
 */
static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *reterr)
{
        Watch *w = userdata;

        if (!w->path || !streq(sd_bus_message_get_path(m), w->path))
                return 0;
        if (sd_bus_message_is_signal(m, JOB_INTERFACE, "Finished")) {
                json_object *arguments = json_object_new_array();

                for (int i = 0; i < 4; i++) {
                        json_object *a = NULL;

                        if (json_from_message(m, &a) >= 0)
                                json_object_array_add(arguments, a);
                }
                json_object_put(w->ended);
                w->ended = arguments;
                return sd_event_exit(w->event, 0);
        }
        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Properties", "PropertiesChanged")) {
                _cleanup_json_ json_object *changed = NULL;

                if (sd_bus_message_skip(m, "s") >= 0 && json_from_message(m, &changed) >= 0) {
                        json_object_object_foreach(changed, key, value)
                                json_object_object_add(w->job, key, json_object_get(value));
                }
        }
        return 0;
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *reterr)
{
        Watch *w = userdata;

        w->lost = true;
        return w->path ? sd_event_exit(w->event, 0) : 0;
}

/* A job that cannot be cancelled goes on, and is waited for; a second Ctrl-C leaves it alone. */
static int on_cancel_answer(sd_bus_message *m, void *userdata, sd_bus_error *reterr)
{
        const sd_bus_error *error = sd_bus_message_get_error(m);

        if (error) {
                erase(userdata);
                fprintf(stderr, "poolctl: cannot cancel the job; Ctrl-C again leaves it running: %s\n",
                        error->message ?: error->name);
        }
        return 0;
}

static int on_interrupt(sd_event_source *s, const struct signalfd_siginfo *info, void *userdata)
{
        Watch *w = userdata;

        if (w->cancelling)
                return sd_event_exit(w->event, 0);
        w->cancelling = true;
        return sd_bus_call_method_async(w->p->bus, &w->cancel, SERVICE, w->path, JOB_INTERFACE, "Cancel",
                                        on_cancel_answer, w, "a{sv}", 0);
}

static int on_tick(sd_event_source *s, uint64_t usec, void *userdata)
{
        int r;

        draw(userdata);
        r = sd_event_source_set_time(s, usec + REDRAW_USEC);
        return r < 0 ? r : sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

/* The matches must stand before the call, or a quick job's end is missed. */
static int watch_subscribe(Watch *w, Error *e)
{
        int r;

        r = sd_bus_add_match(w->p->bus, &w->signals,
                             "type='signal',sender='" SERVICE "',path_namespace='" OBJECT_JOBS "'",
                             on_signal, w);
        if (r >= 0)
                r = sd_bus_add_match(
                        w->p->bus, &w->owner,
                        "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                        "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" SERVICE "',"
                        "arg2=''",
                        on_owner_changed, w);
        return r < 0 ? error_set_errno(e, r, "cannot subscribe to the job's signals") : 0;
}

/* A script's command in the background ignores Ctrl-C, and so do we then. */
static bool interrupt_is_ignored(void)
{
        struct sigaction action;

        return sigaction(SIGINT, NULL, &action) >= 0 && action.sa_handler == SIG_IGN;
}

static int watch_loop(Watch *w, Error *e)
{
        sigset_t interrupt, old;
        int r;

        sigemptyset(&interrupt);
        sigaddset(&interrupt, SIGINT);
        sigprocmask(SIG_BLOCK, &interrupt, &old);
        r = sd_event_new(&w->event);
        if (r >= 0)
                r = sd_bus_attach_event(w->p->bus, w->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0 && !interrupt_is_ignored())
                r = sd_event_add_signal(w->event, NULL, SIGINT, on_interrupt, w);
        if (r >= 0 && w->p->terminal)
                r = sd_event_add_time_relative(w->event, NULL, CLOCK_MONOTONIC, SHOW_AFTER_USEC, 0, on_tick,
                                               w);
        if (r >= 0)
                r = sd_event_loop(w->event);
        sigprocmask(SIG_SETMASK, &old, NULL);
        erase(w);
        return r < 0 ? error_set_errno(e, r, "cannot follow the job") : 0;
}

/* What Finished says, or else what the job's properties do; both are fine when the job was quicker than we.
 */
static int watch_verdict(Watch *w, json_object **ret_result, Error *e)
{
        const char *name, *message;
        json_object *error;

        if (w->ended && json_object_array_length(w->ended) == 4) {
                name = json_object_get_string(json_object_array_get_idx(w->ended, 1));
                message = json_object_get_string(json_object_array_get_idx(w->ended, 2));
                if (!json_object_get_boolean(json_object_array_get_idx(w->ended, 0)))
                        return error_set(e, error_kind_from_name(name), "%s", message);
                if (ret_result)
                        *ret_result = json_object_get(json_object_array_get_idx(w->ended, 3));
                return 0;
        }
        if (w->lost)
                return error_set(e, ERROR_FAILED, "the service ended while the job ran");
        if (w->cancelling)
                return error_set(e, ERROR_CANCELLED,
                                 "interrupted; the job may still run, see \"poolctl jobs\"");
        error = json_object_object_get(w->job, "Error");
        name = json_object_get_string(json_object_array_get_idx(error, 0));
        message = json_object_get_string(json_object_array_get_idx(error, 1));
        if (!isempty(name))
                return error_set(e, error_kind_from_name(name), "%s", message);
        if (ret_result)
                *ret_result = json_object_get(json_object_object_get(w->job, "Result"));
        return 0;
}

static bool job_has_ended(json_object *job)
{
        const char *state = json_get_string(job, "State");

        return state && (streq(state, "done") || streq(state, "failed") || streq(state, "cancelled"));
}

/* Objects are the pool, then the volume if there is one, then a source. */
static char *job_object_name(json_object *job)
{
        json_object *objects = json_object_object_get(job, "Objects");
        size_t n_objects =
                json_object_is_type(objects, json_type_array) ? json_object_array_length(objects) : 0;
        json_object *last = n_objects ? json_object_array_get_idx(objects, MIN(n_objects, 2u) - 1) : NULL;
        _cleanup_object_name_ ObjectName n = OBJECT_NAME_NULL;

        if (!last || object_name_from_path(json_object_get_string(last), &n) < 0)
                return strdup("");
        return object_name_to_string(&n);
}

static int watch_job(Watch *w, const char *path, json_object **ret_result, Error *e)
{
        int r;

        w->path = strdup(path);
        if (!w->path)
                return error_no_memory(e);
        r = get_properties(w->p, path, JOB_INTERFACE, &w->job, e);
        if (r < 0)
                return r;
        w->object = job_object_name(w->job);
        if (!w->object)
                return error_no_memory(e);
        if (!job_has_ended(w->job)) {
                r = watch_loop(w, e);
                if (r < 0)
                        return r;
        }
        return watch_verdict(w, ret_result, e);
}

/* The last object path of the answer. */
static int read_job_path(sd_bus_message *reply, const char **ret, Error *e)
{
        int r = 0;

        if (streq(sd_bus_message_get_signature(reply, true), "oo"))
                r = sd_bus_message_skip(reply, "o");
        if (r >= 0)
                r = sd_bus_message_read_basic(reply, 'o', ret);
        return r < 0 ? error_bad_reply(e, r) : 0;
}

int run_jobv(Poolctl *p, const Method *method, json_object **ret_result, Error *e, const char *types,
             va_list ap)
{
        _cleanup_(watch_done) Watch w = { .p = p };
        _cleanup_message_ sd_bus_message *reply = NULL;
        bool detach = given(p, SWITCH_NO_WAIT), watch = !detach && (p->terminal || method->moves_data);
        const char *job;
        int r;

        if ((!detach && !watch && bag_set_bool(method->options, "wait", true) < 0) ||
            (given(p, SWITCH_NO_SYNC) && bag_set_bool(method->options, "sync", false) < 0))
                return error_no_memory(e);
        if (watch) {
                r = poolctl_connect(p, e);
                if (r >= 0)
                        r = watch_subscribe(&w, e);
                if (r < 0)
                        return r;
        }
        r = callv(p, method, &reply, e, types, ap);
        if (r < 0)
                return r;
        r = read_job_path(reply, &job, e);
        if (r < 0)
                return r;
        if (ret_result)
                *ret_result = NULL;
        if (watch)
                return watch_job(&w, job, ret_result, e);
        if (detach)
                puts(job);
        else if (ret_result) {
                _cleanup_json_ json_object *properties = NULL;

                r = get_properties(p, job, JOB_INTERFACE, &properties, e);
                if (r < 0)
                        return r;
                *ret_result = json_object_get(json_object_object_get(properties, "Result"));
        }
        return 0;
}

int run_job(Poolctl *p, const Method *method, json_object **ret_result, Error *e, const char *types, ...)
{
        va_list ap;
        int r;

        va_start(ap, types);
        r = run_jobv(p, method, ret_result, e, types, ap);
        va_end(ap);
        return r;
}
