/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots of file volumes. A qcow2 image keeps its own; any other file has files beside it that share its blocks, under
 * names that are never listed as volumes: ".poolkeeper-snapshot-LENGTH-VOLUME-SNAPSHOT", where LENGTH is that of VOLUME. A
 * volume that has such is marked so; only then are they looked for. */
#pragma once

#include "file/root.h"

/* As Backend.volume_snapshot. Revert and, with qcow2, all of them: InUse while anybody uses the volume. A file's snapshot
 * holds what a crash at that moment would leave. NotSupported where the file system cannot share blocks. */
int file_snapshot(Ctx *c, const char *name, SnapshotAction action, const char *snapshot, const Bag *options);

/* What a directory has of them, for a scan: zeroed at first, read when first asked for. */
typedef struct FileSnapshots {
        char **names; /* on disk */
        bool read;
} FileSnapshots;
void file_snapshots_done(FileSnapshots *s);

/* The list (util/snapshot-list.h) of a volume's files, NULL: there are none. Negative errno, no error set. */
int file_snapshots_list(const FileRoot *r, const char *raw, char **ret);

/* They follow their volume to another name (what has that name already is replaced), and go with it. Negative errno, no
 * error set; one that broke off can be done again. */
int file_snapshots_rename(const FileRoot *r, const char *raw, const char *new_raw);
int file_snapshots_fit(const FileRoot *r, const char *raw, const char *new_raw); /* -ENAMETOOLONG */
int file_snapshots_remove(const FileRoot *r, const char *raw);
