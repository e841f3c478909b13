/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one way in which bytes go from a descriptor to another. Source: copy_file_range(2), ioctl_ficlone(2), lseek(2). */
#pragma once

#include "backend.h"

/* What moved the bytes; the words of "method" in a job's result. */
typedef enum DataMethod {
        DATA_REFLINK, /* shared blocks */
        DATA_COPY,    /* inside the kernel, or on the server of a network file system */
        DATA_STREAM,  /* through our memory or a pipe */
} DataMethod;

const char *data_method_to_string(DataMethod m);

/* Names stand in messages: "Cannot read FROM_NAME". */
typedef struct DataCopy {
        int from, to;
        const char *from_name, *to_name;
        uint64_t length; /* bytes, from the start of both files */
} DataCopy;

typedef struct DataCopied {
        uint64_t bytes; /* with holes */
        DataMethod method;
} DataCopied;

/* Copies data, holes stay holes; `to` is a new file that was not written to, and gets its length. Needs a job. A source
 * that ends before `length` is Failed, a cancel leaves what was copied so far. Does not sync. */
int data_copy(Ctx *c, const DataCopy *job, DataCopied *ret);

/* Shares all blocks of a file with an empty one, at once: 0, -EOPNOTSUPP where the two cannot share, or what the file
 * system says. Sets no error. */
int data_reflink(int from, int to);
