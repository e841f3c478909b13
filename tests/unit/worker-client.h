/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's end of the private bus, blocking: starts a real poolkeeper-worker and calls it. */
#pragma once

#include <systemd/sd-bus.h>

#include "util/bag.h"

typedef struct Client {
        sd_bus *bus;
        pid_t pid;
        int pidfd;
        unsigned n_changed, n_vanished, n_bad, n_messages; /* records of signals and replies so far */
        unsigned n_ready, n_progress;
} Client;

#define CLIENT_NULL ((Client){ .pidfd = -EBADF })

/* Starts `worker` with the arguments, the socket as its descriptor 3. */
int client_start(Client *c, const char *worker, const char *const *args);
/* Configures a pool of type fake (or another) at `directory`, whose state and run-time directories are
 * `directory`.state and `directory`.run. extra may be NULL: more words of the definition. */
int client_configure(Client *c, const char *pool, const char *directory, const char *job, const Bag *extra);

/* Sends one call; its reply comes by client_wait(). */
int client_send(Client *c, const char *operation, const char *volume, const Bag *args, uint64_t *ret_cookie);
/* Waits for any message and handles it; 1: a reply or error, in *ret; -ECONNRESET: the worker is gone. */
int client_wait(Client *c, sd_bus_message **ret);
/* Reads a reply: 0 with the result, or the error's errno with e set. */
int client_read(Client *c, sd_bus_message *m, Bag **ret, Error *e);
/* All of it. *ret may be NULL. */
int client_call(Client *c, const char *operation, const char *volume, const Bag *args, Bag **ret, Error *e);

/* Closes the connection and waits for the end of the worker: its wait status, or -ETIMEDOUT after 5 s. */
int client_end(Client *c);
