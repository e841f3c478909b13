/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The service's side of a bus and its callers in one process, over a socket pair: no bus daemon, no worker.
 * The bus driver and polkit are played by the test. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "bus.h"
#include "manager.h"
#include "pool.h"

typedef struct Peer {
        sd_event *event;
        sd_bus *server, *client; /* the service's end, and that of everybody else */
        Manager *manager;        /* peer_show() */
        Bus *bus;
        char directory[64]; /* for what the manager writes; gone with peer_close() */
        char *subdirectories[3];

        const char *worker; /* program to start as worker; NULL: none can be started */
        uid_t uid;          /* what the driver says of every sender; (uid_t)-1: that it has gone */
        unsigned n_lookups;
        /* Called for each question to polkit; the test answers it now or later. NULL: polkit is not there.
         */
        void (*on_question)(struct Peer *p, sd_bus_message *question);
        unsigned n_questions;
} Peer;

void peer_open(Peer *p);
void peer_close(Peer *p);

/* A manager, by default without workers, and its objects on the server's end. */
void peer_show(Peer *p, bool user_mode);
/* A pool of type "dir" that counts as active, with `n_volumes` volumes v000000, v000001 ... */
Pool *peer_add_pool(Peer *p, const char *name, size_t n_volumes);
void peer_add_volume(Pool *p, size_t i);

/* A call from `sender`; the reply, also an error, is awaited for at most 5 s of running the loop. New
 * references. */
sd_bus_message *peer_new_call(Peer *p, const char *sender, const char *path, const char *interface,
                              const char *member);
sd_bus_message *peer_call(Peer *p, sd_bus_message *call);
/* Sends without waiting; *reply is set when it comes. */
void peer_send(Peer *p, sd_bus_message *call, sd_bus_message **reply);
/* Runs the loop until nothing more happens. */
void peer_settle(Peer *p);
/* The bus says that a peer has left. */
void peer_leave(Peer *p, const char *sender);
const char *peer_error(sd_bus_message *reply); /* name of the error, NULL: none */

void peer_answer(sd_bus_message *question, bool authorised, bool challenge);
/* One of the details of a question; NULL: not among them. */
const char *peer_detail(sd_bus_message *question, const char *key);
