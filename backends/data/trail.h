/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The page cache behind a long sequential transfer: what was written goes to the disk early, so that the fsync() at the
 * end is short, and nothing stays in memory that was not there before. Source: sync_file_range(2), posix_fadvise(2). */
#pragma once

#include "util/macro.h"

typedef struct Trail {
        int fd;
        bool written;    /* and has to go to a disk */
        bool keep;       /* the file was in memory before us: somebody works with it */
        uint64_t start;  /* of what is still in memory */
        uint64_t issued; /* up to here write-out was begun */
        uint64_t waited; /* and up to here it has ended */
} Trail;

/* A regular file or block device that is read or written from `offset` on. */
void trail_begin(Trail *t, int fd, bool written, uint64_t offset);
void trail_move(Trail *t, uint64_t offset); /* everything before `offset` is done */
void trail_end(Trail *t, uint64_t offset);
