/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one way in which bytes go from a descriptor to another, as cheaply as the two allow.
 * Source: copy_file_range(2), ioctl_ficlonerange(2), lseek(2), fallocate(2). */
#pragma once

#include "data/digest.h"
#include "data/pace.h"

/* What moved the bytes; the words of "method" in a job's result. */
typedef enum DataMethod {
        DATA_REFLINK, /* shared blocks */
        DATA_COPY,    /* inside the kernel, or on the server of a network file system */
        DATA_STREAM,  /* through our memory */
} DataMethod;

const char *data_method_to_string(DataMethod m);

/* Names stand in messages: "Cannot read FROM_NAME". Offsets count in regular files and block devices only. */
typedef struct DataCopy {
        int from, to;
        const char *from_name, *to_name;
        uint64_t from_offset, to_offset;
        uint64_t length; /* bytes; UINT64_MAX: until `from` ends */
        uint64_t limit;  /* of a length that is not known: more is -EFBIG; 0: none */
        bool sparse;     /* zeros in the data become holes, too; else only holes do */
        uint64_t before; /* of a copy in parts: progress counts from here... */
        uint64_t total;  /* ...of this; 0: this is all */
        Pace *pace;      /* NULL: as fast as it goes */
        Digest *digest;  /* NULL: none; holes count as zeros */
} DataCopy;

typedef struct DataCopied {
        uint64_t bytes; /* with holes */
        DataMethod method;
} DataCopied;

/* Holes stay holes: zeros of the target are given back where it can, and written elsewhere (pipe). A regular file becomes
 * longer as needed, never shorter. Needs a job; ctx_progress() is called all the while, even while a pipe's peer stalls.
 * A source that ends before `length` is Failed, a peer that hung up is Failed, -EFBIG sets no error. After a failure or a
 * cancel the target has what was copied so far. Does not sync. */
int data_copy(Ctx *c, const DataCopy *job, DataCopied *ret);

/* Shares all blocks of a file with an empty one, at once: 0, -EOPNOTSUPP where the two cannot share, or what the file
 * system says. Sets no error. */
int data_reflink(int from, int to);

/* What a file holds between two offsets, holes included. */
bool data_has_data(int fd, uint64_t start, uint64_t end);
