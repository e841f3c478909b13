/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What changed since subscribers were last told: gathered per object, told in one go, dropped for one
 * VolumesReset when the bus does not take our messages fast enough. */
#pragma once

#include <systemd/sd-bus.h>

#include "util/error.h"

typedef struct Changes Changes;

typedef enum ChangeKind {
        CHANGE_ADDED,
        CHANGE_CHANGED,
        CHANGE_REMOVED,
        CHANGE_RESET, /* of a pool: its volumes changed in ways that are not told one by one */
} ChangeKind;

/* Fills the generation that VolumesReset of the pool at `path` carries; false: the pool is gone. */
typedef bool (*changes_generation_t)(const char *path, uint64_t *ret, void *userdata);

int changes_new(sd_bus *bus, changes_generation_t generation, void *userdata, Changes **ret);
void changes_free(Changes *c);
DEFINE_CLEANUP(Changes *, changes_free)

/* Notes a change of the object at `path`, which is taken (NULL, out of memory, is fine: nothing is told).
 * `interface` is a literal. `pool` is the path of the pool a volume belongs to, NULL for other objects. */
void changes_note(Changes *c, char *path, const char *interface, const char *pool, ChangeKind kind);

/* Tells all that is noted now (as far as the bus takes it). */
void changes_flush(Changes *c);

/* True while so much waits to be written that more would stall the service; messages may be dropped then. */
bool changes_congested(Changes *c);
