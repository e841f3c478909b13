/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The snapshots of one volume as the one word of its record: "KIND CREATED SIZE NAME", several joined by "/", which no name
 * has. */
#pragma once

#include "error.h"

typedef enum SnapshotKind {
        SNAPSHOT_INTERNAL, /* kept in the image itself */
        SNAPSHOT_FILE,     /* a file of its own that shares blocks */
        _SNAPSHOT_KIND_MAX,
        _SNAPSHOT_KIND_INVALID = -EINVAL,
} SnapshotKind;

#define SNAPSHOTS_MAX 1024u /* of one volume */

typedef struct SnapshotInfo {
        SnapshotKind kind;
        uint64_t created_usec; /* realtime */
        uint64_t size;         /* guest-visible bytes of the volume then; UINT64_MAX: not known */
        const char *name;      /* not terminated in a list, see name_length */
        size_t name_length;
} SnapshotInfo;

const char *snapshot_kind_to_string(SnapshotKind k); /* "internal", "file" */

/* Appends to *list (NULL: empty). */
int snapshot_list_add(char **list, SnapshotKind kind, uint64_t created_usec, uint64_t size,
                      const char *name);
/* Reads the next and moves *list behind it. 1: read; 0: the end; -EBADMSG: malformed. */
int snapshot_list_next(const char **list, SnapshotInfo *ret);
bool snapshot_list_find(const char *list, const char *name, SnapshotInfo *ret);
bool snapshot_list_is_valid(const char *list);
