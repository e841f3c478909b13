/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One method call on its way through a handler: parse, find, validate, polkit, act, reply. A handler is run
 * again from its top when the caller's uid or polkit's verdict has come, so nothing before polkit may have a
 * side effect. */
#pragma once

#include "bus-internal.h"
#include "request.h"

typedef struct Call {
        Bus *bus;
        sd_bus_message *message;
        uid_t caller;
        Bag *options; /* without "wait" */
        bool wait;
} Call;

/* The caller is known by then: a filter of the connection sees to it before any handler runs. */
int call_begin(Manager *m, sd_bus_message *message, Call *ret, sd_bus_error *ret_error);
void call_done(Call *c);
#define _cleanup_call_ _cleanup_(call_done)

/* Reads the a{sv} at the end. `allowed` are the keys this method knows, NULL-terminated; NULL:
 * request_prepare() checks them. "wait" is taken out where it is known. */
int call_read_options(Call *c, const char *const *allowed, sd_bus_error *ret_error);

/* Takes a size in bytes (t; u is accepted) out of the options; *ret stays as it is when there is none. */
int call_take_size(Call *c, const char *key, uint64_t *ret, sd_bus_error *ret_error);
/* The same for a text, a new string. */
int call_take_string(Call *c, const char *key, char **ret, sd_bus_error *ret_error);

/* 1: allowed. 0: polkit is being asked, the handler returns 1 and runs again. Negative: refused, ret_error
 * is set. Root, our own uid, and everybody in user mode pass. */
int call_authorize(Call *c, const char *action, char *const *details, sd_bus_error *ret_error);
int call_authorize_pool(Call *c, const Pool *p, const Volume *v, const char *action,
                        sd_bus_error *ret_error);
/* The same, but tells the verdict without showing a dialogue. 1: *ret is set. 0 and negative as before. */
int call_ask(Call *c, const char *action, char *const *details, PolkitVerdict *ret, sd_bus_error *ret_error);
int call_authorize_all(Call *c, const ActionCheck *checks, size_t n_checks, sd_bus_error *ret_error);

/* The whole way of a method that makes a job: validates, asks polkit for each action, submits, and holds the
 * reply. The request's options (unless set) and caller are filled in. Returns what the handler returns. */
int call_submit(Call *c, Request *request, sd_bus_error *ret_error);

/* For a pool that this call has made: (o pool, o job) is the reply. */
int call_submit_pool(Call *c, Request *request, sd_bus_error *ret_error);

/* Sets *ret_error from e (from r when e is empty) and returns the negative errno for the handler to return.
 */
int call_fail(Error *e, int r, sd_bus_error *ret_error);

int call_invalid(sd_bus_error *ret_error, const char *format, ...) _printf_(2, 3); /* InvalidArgs */

/* What the reply is made of once the job is done. Negative: *ret_error, or an errno, is the reply. */
typedef int (*reply_then_t)(Bus *b, sd_bus_message *m, const Job *j, const Bag *words,
                            sd_bus_error *ret_error);
/* Holds the reply to m until the job has ended; `then` makes it, of `words` (taken) and what there is by then. */
int reply_hold_then(Bus *b, sd_bus_message *m, Job *j, reply_then_t then, Bag *words);
/* Holds the reply to m until the job is ready or, with wait, has ended; an end before that is the reply.
 * `pool` (may be NULL) is the path that comes before the job's in the reply. */
int reply_hold(Bus *b, sd_bus_message *m, Job *j, bool wait, const char *pool);
/* Answers what is still held, at the end of the daemon. */
void reply_release_all(Bus *b);
