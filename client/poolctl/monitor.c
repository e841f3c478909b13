/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `poolctl monitor`: signals as lines, as they come. */
#include <signal.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "monitor-line.h"
#include "object.h"

typedef struct Monitor {
        Poolctl *p;
        sd_event *event;
} Monitor;

/* The pool and volume that a job, when it is new, says it works on. */
static int read_job_object(json_object *data, ObjectName *ret)
{
        json_object *objects = data ? json_object_object_get(data, "Objects") : NULL;
        size_t n = json_object_is_type(objects, json_type_array) ? json_object_array_length(objects) : 0;

        return n == 0 ? -ENODATA
                      : object_name_from_path(
                                json_object_get_string(json_object_array_get_idx(objects, MIN(n, 2u) - 1)),
                                ret);
}

/* What the path is: a job by its number, the others by their names. A new job tells what it works on. */
static void add_names(json_object *o, const char *path, json_object *data)
{
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
        _cleanup_free_ char *snapshot = NULL;
        uint64_t job = 0;

        if (object_path_to_job(path, &job) > 0)
                json_object_object_add(o, "Job", json_object_new_uint64(job));
        if (object_path_to_snapshot(path, &name.pool, &name.volume, &snapshot) <= 0 &&
            object_name_from_path(path, &name) < 0 && read_job_object(data, &name) < 0)
                return;
        json_add_string(o, "Pool", name.pool);
        if (name.volume)
                json_add_string(o, "Volume", name.volume);
        if (snapshot)
                json_add_string(o, "Snapshot", snapshot);
}

/* `data` (may be NULL) is taken. */
static void tell(Monitor *m, const char *event, const char *path, json_object *data)
{
        _cleanup_json_ json_object *o = json_object_new_object();
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        json_object_object_add(
                o, "TimeUSec",
                json_object_new_uint64((uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000));
        json_add_string(o, "Event", event);
        if (path)
                add_names(o, path, data);
        if (data)
                json_object_object_add(o, "Data", data);
        monitor_line_print(o, m->p->json, stdout);
        fflush(stdout);
}

/* "pool", "volume", "snapshot", "job": which interface of ours a signal is about; NULL: none. */
static const char *interface_kind(const char *interface)
{
        if (streq(interface, POOL_INTERFACE))
                return "pool";
        if (streq(interface, VOLUME_INTERFACE))
                return "volume";
        if (streq(interface, SNAPSHOT_INTERFACE))
                return "snapshot";
        if (streq(interface, JOB_INTERFACE))
                return "job";
        return NULL;
}

static void tell_kind(Monitor *m, const char *interface, const char *what, const char *path,
                      json_object *data)
{
        const char *kind = interface_kind(interface);
        char event[32];

        if (!kind) {
                json_object_put(data);
                return;
        }
        snprintf(event, sizeof(event), "%s-%s", kind, what);
        tell(m, event, path, data);
}

/* InterfacesAdded(o, a{sa{sv}}) */
static int on_added(Monitor *m, sd_bus_message *message)
{
        _cleanup_json_ json_object *interfaces = NULL;
        const char *path;
        int r;

        r = sd_bus_message_read_basic(message, 'o', &path);
        if (r >= 0)
                r = json_from_message(message, &interfaces);
        if (r < 0)
                return r;
        json_object_object_foreach(interfaces, interface, properties)
                tell_kind(m, interface, "added", path, json_object_get(properties));
        return 0;
}

/* InterfacesRemoved(o, as) */
static int on_removed(Monitor *m, sd_bus_message *message)
{
        _cleanup_json_ json_object *interfaces = NULL;
        const char *path;
        int r;

        r = sd_bus_message_read_basic(message, 'o', &path);
        if (r >= 0)
                r = json_from_message(message, &interfaces);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_object_array_length(interfaces); i++)
                tell_kind(m, json_object_get_string(json_object_array_get_idx(interfaces, i)), "removed",
                          path, NULL);
        return 0;
}

/* PropertiesChanged(s, a{sv}, as) */
static int on_changed(Monitor *m, sd_bus_message *message)
{
        json_object *properties = NULL;
        const char *interface;
        int r;

        r = sd_bus_message_read_basic(message, 's', &interface);
        if (r >= 0)
                r = json_from_message(message, &properties);
        if (r < 0)
                return r;
        tell_kind(m, interface, "changed", sd_bus_message_get_path(message), properties);
        return 0;
}

/* Finished(b, s, s, a{sv}) */
static int on_finished(Monitor *m, sd_bus_message *message)
{
        _cleanup_json_ json_object *data = json_object_new_object();
        static const char *const members[] = { "Success", "ErrorName", "ErrorMessage", "Result" };

        FOREACH_ELEMENT (member, members) {
                json_object *value = NULL;
                int r = json_from_message(message, &value);

                if (r < 0)
                        return r;
                json_object_object_add(data, *member, value);
        }
        tell(m, "job-finished", sd_bus_message_get_path(message), TAKE_PTR(data));
        return 0;
}

/* VolumesReset(t): more has changed in this pool than is told one by one. */
static int on_reset(Monitor *m, sd_bus_message *message)
{
        json_object *data = json_object_new_object(), *generation = NULL;
        int r = json_from_message(message, &generation);

        if (r < 0) {
                json_object_put(data);
                return r;
        }
        json_object_object_add(data, "Generation", generation);
        tell(m, "volumes-reset", sd_bus_message_get_path(message), data);
        return 0;
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *reterr)
{
        Monitor *m = userdata;
        const char *member = sd_bus_message_get_member(message);
        int r = 0;

        if (streq_ptr(member, "InterfacesAdded"))
                r = on_added(m, message);
        else if (streq_ptr(member, "InterfacesRemoved"))
                r = on_removed(m, message);
        else if (streq_ptr(member, "PropertiesChanged"))
                r = on_changed(m, message);
        else if (streq_ptr(member, "Finished"))
                r = on_finished(m, message);
        else if (streq_ptr(member, "VolumesReset"))
                r = on_reset(m, message);
        /* A signal of a form that is not known here is of a later version: the others still count. */
        return r < 0 && r != -EBADMSG && r != -ENXIO ? sd_event_exit(m->event, r) : 0;
}

static int on_owner_changed(sd_bus_message *message, void *userdata, sd_bus_error *reterr)
{
        const char *owner;

        if (sd_bus_message_read(message, "sss", NULL, NULL, &owner) >= 0)
                tell(userdata, isempty(owner) ? "service-stopped" : "service-started", NULL, NULL);
        return 0;
}

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *reterr)
{
        Monitor *m = userdata;

        return sd_event_exit(m->event, -ECONNRESET);
}

static int subscribe(Monitor *m)
{
        sd_bus *bus = m->p->bus;
        int r;

        r = sd_bus_add_match(bus, NULL,
                             "type='signal',sender='" SERVICE "',path_namespace='" OBJECT_ROOT "'",
                             on_signal, m);
        if (r >= 0)
                r = sd_bus_add_match(
                        bus, NULL,
                        "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                        "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" SERVICE "'",
                        on_owner_changed, m);
        if (r >= 0)
                r = sd_bus_match_signal(bus, NULL, "org.freedesktop.DBus.Local",
                                        "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                        "Disconnected", on_disconnected, m);
        return r;
}

/* Ends with SIGINT or SIGTERM, which is success. */
static int watch(Monitor *m)
{
        sigset_t signals;
        int r;

        sigemptyset(&signals);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGTERM);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        r = sd_event_new(&m->event);
        if (r >= 0)
                r = sd_bus_attach_event(m->p->bus, m->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_event_add_signal(m->event, NULL, SIGINT, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(m->event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = subscribe(m);
        return r < 0 ? r : sd_event_loop(m->event);
}

ExitStatus verb_monitor(Poolctl *p, char **words, size_t n)
{
        const Method ping = {
                .path = MANAGER_PATH,
                .interface = "org.freedesktop.DBus.Peer",
                .member = "Ping",
                .plain = true,
        };
        Monitor m = { .p = p };
        _cleanup_error_ Error e = ERROR_NULL;
        int r;

        /* Starts the service where the bus can: a service that is not there has no news. */
        if (call(p, &ping, NULL, &e, NULL) < 0)
                return fail(&e, "cannot reach the service");
        r = watch(&m);
        (void)sd_bus_detach_event(p->bus);
        sd_event_unref(m.event);
        if (r < 0) {
                (void)error_set_errno(&e, r, "the connection broke");
                return fail(&e, "cannot go on watching");
        }
        return STATUS_DONE;
}
