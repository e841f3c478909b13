/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a scan saw, so that the next one tells only what differs: one record per entry in the order of
 * readdir(), in a sealed memfd. The next scan walks it in step with the directory and makes an index only
 * when the two fall out of step. */
#pragma once

#include <sys/stat.h>

#include "util/macro.h"

typedef struct SeenRecord {
        uint64_t inode, size, blocks;
        int64_t ctime_sec;
        uint32_t ctime_nsec;
        uint16_t name_size; /* with the NUL and padding up to 8 */
        uint8_t listed;     /* it was told as a volume */
        uint8_t again;      /* to be looked at again, whatever it looks like */
        char name[];
} SeenRecord;

/* ---- writing ---- */

typedef struct SeenWriter {
        uint8_t *data;
        size_t size, room, n;
} SeenWriter;

int seen_add(SeenWriter *w, const char *name, const struct statx *st, bool listed, bool again);
/* Copies a record of the last scan. */
int seen_add_record(SeenWriter *w, const SeenRecord *record);
/* The records so far, borrowed; and the way back, which copies them behind those that are there. */
const void *seen_records(const SeenWriter *w, uint64_t *ret_size);
int seen_add_records(SeenWriter *w, const void *data, uint64_t size, uint64_t n);
/* A sealed memfd, or negative errno. */
int seen_finish(SeenWriter *w);
void seen_writer_done(SeenWriter *w);

/* ---- reading ---- */

typedef struct SeenReader SeenReader;

/* -EBADMSG when fd was not made by this version. */
int seen_open(int fd, SeenReader **ret);
void seen_close(SeenReader *s);
DEFINE_CLEANUP(SeenReader *, seen_close)
size_t seen_size(const SeenReader *s); /* records */

/* The record of a name, NULL: there was none. Cheap when names come in the order of the last scan. -ENOMEM
 * in *ret_error. */
const SeenRecord *seen_find(SeenReader *s, const char *name, int *ret_error);
/* Walks the records that nobody found, NULL at the end. *cursor starts at 0. */
const SeenRecord *seen_missed(const SeenReader *s, size_t *cursor);

bool seen_matches(const SeenRecord *record, const struct statx *st);
#define SEEN_STATX (STATX_TYPE | STATX_INO | STATX_SIZE | STATX_BLOCKS | STATX_CTIME)
