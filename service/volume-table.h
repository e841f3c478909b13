/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The volumes of one pool: compact records, ordered by name. */
#pragma once

#include "util/volume-info.h"
#include "volume-bases.h"

typedef struct Pool Pool;

/* What few volumes have. */
typedef struct VolumeExtra {
        VolumeLink link;
        char text[]; /* "backing\0error\0snapshots\0" */
} VolumeExtra;

/* One volume as the daemon holds it. Under 250 bytes with its name, so that 100,000 cost some 20 MB. */
struct Volume {
        Pool *pool;
        uint64_t generation; /* of the pool, when this record last changed */
        uint64_t capacity, allocation, physical, mtime_usec;
        uint32_t creator, uid, gid;
        VolumeExtra *extra; /* mostly NULL */
        uint16_t mode;
        uint8_t type, format, detected, backing_format;
        uint8_t flags;
        uint8_t scan; /* number of the last scan that told of it */
        char name[];
};

typedef struct VolumeTable VolumeTable;

VolumeTable *volume_table_new(Pool *pool);
void volume_table_free(VolumeTable *t);
DEFINE_CLEANUP(VolumeTable *, volume_table_free)

size_t volume_table_size(const VolumeTable *t);
Volume *volume_table_get(const VolumeTable *t, const char *name);

/* Adds or updates. *ret_added and *ret_changed tell what happened; an unchanged record keeps its generation.
 */
int volume_table_put(VolumeTable *t, const VolumeInfo *info, uint64_t generation, Volume **ret,
                     bool *ret_added, bool *ret_changed);
bool volume_table_remove(VolumeTable *t, const char *name);
/* Frees at least `n` volumes from the end, whole blocks at a time; returns how many are left. */
size_t volume_table_shed(VolumeTable *t, size_t n);

/* Ordered walk: the first volume whose name is greater than `after` (NULL: the first of all); NULL at the
 * end. A cursor makes the next step O(1); it is good until the table changes. */
typedef struct VolumeCursor {
        size_t block, index;
} VolumeCursor;
Volume *volume_table_first(const VolumeTable *t, const char *after, VolumeCursor *ret_cursor);
Volume *volume_table_next(const VolumeTable *t, VolumeCursor *cursor);
Volume *volume_table_last(const VolumeTable *t, const char *before,
                          VolumeCursor *ret_cursor); /* greatest name below `before` (NULL: of all) */
Volume *volume_table_previous(const VolumeTable *t, VolumeCursor *cursor);

/* What the user `uid` owns here: the sum of max(capacity, allocation, physical) of the volumes it created.
 */
uint64_t volume_table_owned(const VolumeTable *t, uid_t uid);

/* The volumes whose backing file is the volume of that name, in no order: the first, NULL: none, then
 * volume_next_dependent(). Good until the table changes. */
Volume *volume_table_dependents(const VolumeTable *t, const char *name);
Volume *volume_next_dependent(const Volume *v);
VolumeLink *volume_link(Volume *v); /* NULL: it has none */

const char *volume_backing(const Volume *v);           /* NULL: none */
const char *volume_error(const Volume *v);             /* NULL: none */
const char *volume_snapshots(const Volume *v);         /* see util/snapshot-list.h; NULL: none */
void volume_to_info(const Volume *v, VolumeInfo *ret); /* strings are borrowed */
uint64_t volume_charge(const Volume *v); /* max(capacity, allocation, physical), unknown ones aside */
