/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The face on the bus, as main() sees it: connects, shows the objects, asks for the name, and leaves. */
#pragma once

#include <systemd/sd-bus.h>

#include "manager.h"

#define BUS_NAME "org.example.Storage"

typedef struct Bus Bus;

typedef struct BusConfig {
        const char *address; /* NULL: the system bus, in user mode the user's bus */
        bool user_mode;      /* every caller must have our uid, and polkit is not asked */
} BusConfig;

/* Connects, registers every object, and requests the name last; blocks meanwhile. When it returns 0 the
 * service can be called: the moment for READY=1. Losing the connection later ends the event loop with a
 * failure. */
int bus_new(Manager *m, const BusConfig *config, Bus **ret, Error *e);

/* The same on a connection that stands already and has an event loop attached, without a name: for tests and
 * fuzzers that speak peer to peer. Takes a reference. */
int bus_new_on(Manager *m, sd_bus *connection, bool user_mode, Bus **ret, Error *e);

/* Gives the name up; what was sent to it before that is still handled, later calls start a new daemon.
 * `left` is called once, from the event loop. */
int bus_leave(Bus *b, void (*left)(void *userdata), void *userdata);

/* Held replies of jobs that never ended are answered with Cancelled, changes are told, and what is queued is
 * written, for at most a second. */
void bus_free(Bus *b);
DEFINE_CLEANUP(Bus *, bus_free)
