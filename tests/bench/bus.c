/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus.h"

#include <stdarg.h>

#include "samples.h"

#define CALL_TIMEOUT_USEC (600 * UINT64_C(1000000))
#define SYSTEM_BUS "unix:path=/run/dbus/system_bus_socket"

void bus_check(int r, const char *what)
{
        if (r < 0)
                samples_fail(what, strerror(-r));
}

sd_bus *bus_open(void)
{
        sd_bus *bus = NULL;

        bus_check(sd_bus_new(&bus), "sd_bus_new");
        bus_check(sd_bus_set_address(bus, getenv("BENCH_BUS") ?: SYSTEM_BUS), "address");
        bus_check(sd_bus_set_bus_client(bus, true), "bus client");
        bus_check(sd_bus_negotiate_fds(bus, true), "descriptors");
        bus_check(sd_bus_start(bus), "connect");
        bus_check(sd_bus_set_method_call_timeout(bus, CALL_TIMEOUT_USEC), "timeout");
        return bus;
}

sd_bus_message *bus_message(sd_bus *bus, const char *destination, const char *path, const char *interface,
                            const char *member, const char *types, ...)
{
        sd_bus_message *m = NULL;
        va_list arguments;

        bus_check(sd_bus_message_new_method_call(bus, &m, destination, path, interface, member), member);
        if (types && *types) {
                va_start(arguments, types);
                bus_check(sd_bus_message_appendv(m, types, arguments), member);
                va_end(arguments);
        }
        return m;
}

sd_bus_message *bus_call(sd_bus *bus, sd_bus_message *call)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;

        if (sd_bus_call(bus, call, 0, &error, &reply) < 0)
                samples_fail(sd_bus_message_get_member(call), error.message ?: "no reply");
        return reply;
}
