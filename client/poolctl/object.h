/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls of pools and volumes by name. */
#pragma once

#include "progress.h"
#include "words.h"

/* As call(), run_job() and get_properties(), on the Pool or Volume of that name; path and interface of the
 * method are filled in. An object that is not there is NoSuchPool or NoSuchVolume. */
int object_call(Poolctl *p, const ObjectName *n, Method method, sd_bus_message **ret, Error *e,
                const char *types, ...);
int object_run_job(Poolctl *p, const ObjectName *n, Method method, json_object **ret_result, Error *e,
                   const char *types, ...);
int object_properties(Poolctl *p, const ObjectName *n, json_object **ret, Error *e);

/* The switches that are options of the method, and the NAME=VALUE words. InvalidArgs. */
int options_parse(Poolctl *p, char **words, size_t n, Bag *options, Error *e);

typedef enum ObjectKind {
        OBJECT_POOL,
        OBJECT_VOLUME,
        OBJECT_ANY,
} ObjectKind;

/* A word that must be a pool, or a volume. InvalidArgs says which. */
int object_word_parse(const char *word, ObjectKind kind, ObjectName *ret, Error *e);

/* Does something with each POOL[/VOLUME] word; the first failure decides the exit status, the others are
 * tried all the same. `what` is for messages: "cannot WHAT images: ..." */
typedef int (*object_action_t)(Poolctl *p, const ObjectName *n, Error *e);
ExitStatus for_each_object(Poolctl *p, char **words, size_t n, ObjectKind kind, const char *what,
                           object_action_t action);
