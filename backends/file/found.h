/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one process of a scan found, for the other to tell: volumes and records of what was seen, in a memfd that both have. */
#pragma once

#include "file/seen.h"
#include "util/volume-info.h"

typedef struct FoundWriter {
        uint8_t *data;
        size_t size, room;
} FoundWriter;

int found_add(FoundWriter *w, const VolumeInfo *v);
/* Writes both into the memfd. */
int found_finish(const FoundWriter *w, const SeenWriter *records, int fd);
void found_writer_done(FoundWriter *w);

typedef struct FoundReader {
        const uint8_t *map;
        size_t size, at;
} FoundReader;

#define FOUND_READER_NULL ((FoundReader){})

/* Appends the records of what was seen to `records`. -EBADMSG when the memfd does not hold what found_finish() left. */
int found_open(int fd, SeenWriter *records, FoundReader *ret);
/* 1: *ret, whose strings live until found_close(); 0: that was all. */
int found_next(FoundReader *r, VolumeInfo *ret);
void found_close(FoundReader *r);
