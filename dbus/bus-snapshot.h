/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.example.Storage.Snapshot: the snapshots of volumes as objects, lazy like volumes: they stand in the volume's
 * record. What subscribers were told of is kept, so that they can be told what came and went. */
#pragma once

#include "bus-internal.h"

#define SNAPSHOTS_LISTED_MAX 4096u /* beyond, in all pools, they leave ObjectManager and introspection */

int snapshot_faces_register(Bus *b);

/* The snapshots of this volume are `list` now (util/snapshot-list.h, NULL: none), maybe the same as before. */
void snapshots_seen(PoolFace *f, const char *volume, const char *list);
/* The volumes of the pool are to be read anew by everybody, for there is no news about each. */
void snapshots_reset(PoolFace *f);
void snapshots_forget(PoolFace *f); /* the pool goes */

/* Appends the paths of a volume's snapshots, as ao. */
int snapshots_append_paths(const Volume *v, sd_bus_message *reply);
