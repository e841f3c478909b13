/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a scan saw, so that the next one tells only what differs: one record per entry in the order of
 * readdir(), in a sealed memfd. The next scan walks it in step with the directory and makes an index only
 * when the two fall out of step. */
#pragma once

#include <sys/stat.h>

#include "util/macro.h"

typedef struct SnapshotRecord {
        uint64_t inode, size, blocks;
        int64_t ctime_sec;
        uint32_t ctime_nsec;
        uint16_t name_size; /* with the NUL and padding up to 8 */
        uint8_t listed;     /* it was told as a volume */
        uint8_t again;      /* to be looked at again, whatever it looks like */
        char name[];
} SnapshotRecord;

/* ---- writing ---- */

typedef struct SnapshotWriter {
        uint8_t *data;
        size_t size, room, n;
} SnapshotWriter;

int snapshot_add(SnapshotWriter *w, const char *name, const struct statx *st, bool listed, bool again);
/* Copies a record of the last scan. */
int snapshot_add_record(SnapshotWriter *w, const SnapshotRecord *record);
/* The records so far, borrowed; and the way back, which copies them behind those that are there. */
const void *snapshot_records(const SnapshotWriter *w, uint64_t *ret_size);
int snapshot_add_records(SnapshotWriter *w, const void *data, uint64_t size, uint64_t n);
/* A sealed memfd, or negative errno. */
int snapshot_finish(SnapshotWriter *w);
void snapshot_writer_done(SnapshotWriter *w);

/* ---- reading ---- */

typedef struct SnapshotReader SnapshotReader;

/* -EBADMSG when fd is no snapshot of this version. */
int snapshot_open(int fd, SnapshotReader **ret);
void snapshot_close(SnapshotReader *s);
DEFINE_CLEANUP(SnapshotReader *, snapshot_close)
size_t snapshot_size(const SnapshotReader *s); /* records */

/* The record of a name, NULL: there was none. Cheap when names come in the order of the last scan. -ENOMEM
 * in *ret_error. */
const SnapshotRecord *snapshot_find(SnapshotReader *s, const char *name, int *ret_error);
/* Walks the records that nobody found, NULL at the end. *cursor starts at 0. */
const SnapshotRecord *snapshot_missed(const SnapshotReader *s, size_t *cursor);

bool snapshot_matches(const SnapshotRecord *record, const struct statx *st);
#define SNAPSHOT_STATX (STATX_TYPE | STATX_INO | STATX_SIZE | STATX_BLOCKS | STATX_CTIME)
