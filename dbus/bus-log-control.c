/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.freedesktop.LogControl1: the log level and target at run time (systemctl service-log-level), see
 * org.freedesktop.LogControl1(5). The one interface of ours with writable properties, since the standard
 * says so. */
#include "bus-call.h"
#include "util/log.h"

#define LOG_CONTROL_PATH "/org/freedesktop/LogControl1"
#define LOG_CONTROL_INTERFACE "org.freedesktop.LogControl1"

DEFINE_GETTER_STRING(get_level, Bus, log_level())
DEFINE_GETTER_STRING(get_target, Bus, log_target())
DEFINE_GETTER_STRING(get_identifier, Bus, log_identifier())

/* Our own check instead of sd-bus's: that one would wait for the bus to tell who the caller is. */
static int check_caller(Bus *b, sd_bus *connection, sd_bus_error *ret_error)
{
        sd_bus_message *m = sd_bus_get_current_message(connection);
        _cleanup_error_ Error e = ERROR_NULL;
        uid_t caller;
        int r;

        r = m ? callers_resolve(b->callers, m, &caller, &e) : -EACCES;
        if (r < 0)
                return call_fail(&e, r, ret_error);
        if (r == 0 || (caller != 0 && caller != geteuid()))
                return sd_bus_error_set_const(ret_error, SD_BUS_ERROR_ACCESS_DENIED,
                                              "Only root may change how the service logs");
        return 0;
}

static int set(sd_bus *bus, sd_bus_message *value, Bus *b, int (*apply)(const char *), const char *property,
               sd_bus_error *ret_error)
{
        const char *text;
        int r;

        r = check_caller(b, bus, ret_error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(value, "s", &text);
        if (r < 0)
                return r;
        return apply(text) < 0 ? call_invalid(ret_error, "'%s' is no %s", text, property) : 0;
}

static int set_level(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *value, void *userdata, sd_bus_error *ret_error)
{
        return set(bus, value, userdata, log_set_level, property, ret_error);
}

static int set_target(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *value, void *userdata, sd_bus_error *ret_error)
{
        return set(bus, value, userdata, log_set_target, property, ret_error);
}

static const sd_bus_vtable log_control_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", get_level, set_level, 0, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", get_target, set_target, 0, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("SyslogIdentifier", "s", get_identifier, 0, 0),
        SD_BUS_VTABLE_END,
};

int log_control_register(Bus *b)
{
        return sd_bus_add_object_vtable(b->connection, &b->log_control, LOG_CONTROL_PATH,
                                        LOG_CONTROL_INTERFACE, log_control_vtable, b);
}
