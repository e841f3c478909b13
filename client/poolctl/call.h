/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls of the service's methods, with its errors as ours. */
#pragma once

#include <stdarg.h>

#include "poolctl.h"
#include "util/bag.h"

static inline void message_unrefp(sd_bus_message **m)
{
        sd_bus_message_unref(*m);
}

#define _cleanup_message_ _cleanup_(message_unrefp)

/* A method and the dictionaries at the end of its arguments. */
typedef struct Method {
        const char *path, *interface, *member;
        char *const *strings;  /* as before these; NULL: the method takes none */
        const Bag *definition; /* a{sv} before the options; NULL: the method takes none */
        Bag *options;          /* NULL: empty */
        bool plain;            /* the method takes no options at all */
        bool moves_data; /* to or from a descriptor of ours: run_job() follows the job off a terminal too */
} Method;

/* Calls it; its other arguments are `types` (as of sd_bus_message_append(3), may be NULL) and what follows.
 * ret may be NULL. With p->ask the service may ask the user, who may take as long as he likes, and with the
 * option "wait" the answer has no limit either; else a missing answer is TimedOut after 25 s. */
int call(Poolctl *p, const Method *method, sd_bus_message **ret, Error *e, const char *types, ...);
int callv(Poolctl *p, const Method *method, sd_bus_message **ret, Error *e, const char *types, va_list ap);

/* All properties of one interface, as an object. */
int get_properties(Poolctl *p, const char *path, const char *interface, json_object **ret, Error *e);

/* Keeps the name, and translates errors of the bus itself into words that help. */
int error_from_bus(Error *e, const sd_bus_error *error, int errnum);
int error_no_memory(Error *e);
int error_bad_reply(Error *e, int r); /* the service and poolctl are of different versions */

#define MANAGER_METHOD(...) \
        (&(const Method){ .path = MANAGER_PATH, .interface = MANAGER_INTERFACE, __VA_ARGS__ })
