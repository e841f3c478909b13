/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files and standard streams whose data goes to the service, or comes from it. */
#pragma once

#include "util/error.h"

/* The file, or standard input for "-"; a terminal and a directory are refused. A new descriptor, or negative
 * errno. */
int data_input_open(const char *word, Error *e);

/* Bytes from here to the end of a regular file; UINT64_MAX for what has no end that is known. */
uint64_t data_input_length(int fd);

/* Where data goes. A regular file gets its name only when it is whole (a file that had the name stays until
 * then); anything else is written as it is. */
typedef struct DataOutput {
        int fd;
        char *path;      /* the name to be given; NULL: it has one */
        char *temporary; /* what it is called until then; NULL: nothing, see O_TMPFILE of open(2) */
} DataOutput;

#define DATA_OUTPUT_NULL ((DataOutput){ .fd = -EBADF })

/* "-" is standard output; a terminal is refused. With `in_place` a regular file is written under its own
 * name at once, for a job that nobody waits for. */
int data_output_open(const char *word, bool in_place, DataOutput *ret, Error *e);
int data_output_finish(DataOutput *o, Error *e); /* all data is there: gives it its name */
void data_output_done(DataOutput *o);            /* what got no name is gone */
#define _cleanup_data_output_ _cleanup_(data_output_done)
