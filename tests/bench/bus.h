/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bus connection of a measuring client: any error ends the process with a message. */
#pragma once

#include <systemd/sd-bus.h>

#include "util/macro.h"

/* A connection to the bus at $BENCH_BUS, the system bus if that is unset. Calls may last ten minutes. */
sd_bus *bus_open(void);

/* A method call, arguments as sd_bus_message_appendv() takes them; NULL or "" for none. */
sd_bus_message *bus_message(sd_bus *bus, const char *destination, const char *path, const char *interface,
                            const char *member, const char *types, ...);

/* Sends the call and waits for its reply, which the caller owns. */
sd_bus_message *bus_call(sd_bus *bus, sd_bus_message *call);

/* Ends the process if r is an error. */
void bus_check(int r, const char *what);
