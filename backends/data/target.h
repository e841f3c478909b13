/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where copied bytes end: a file, a device, a pipe or a socket, each given data and zeros in its own way. */
#pragma once

#include "data/copy.h"
#include "data/stream.h"

typedef struct DataTarget {
        Ctx *ctx;
        int fd;
        const char *name;
        DataKind kind;
        bool sparse;  /* zeros in the data become holes */
        bool fresh;   /* only holes are where we write */
        bool punches; /* it can be given holes */
        Digest *digest;
        const Pace *progress; /* what is told while a peer stalls */
} DataTarget;

/* kind and fresh of what `job` writes to. */
int data_target_begin(DataTarget *t, Ctx *c, const DataCopy *job, const Pace *progress);

/* `at` is the place in a file or device, and of no meaning elsewhere. Set the error. */
int data_target_write(DataTarget *t, uint64_t at, const void *data, size_t n);
int data_target_hole(DataTarget *t, uint64_t at, uint64_t n,
                     bool *ret_written); /* n bytes that read as zeros */

/* How much of a hole is one step: that of hashing or writing is small, so that cancel finds its place. */
uint64_t data_target_hole_step(const DataTarget *t);

/* The file ends at `end` at least. */
int data_target_end(DataTarget *t, uint64_t end);
int data_target_error(const DataTarget *t, int error);
