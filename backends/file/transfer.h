/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes of a file volume from and to a caller's descriptor, as they are in the file. */
#pragma once

#include "data/copy.h"
#include "data/stream.h"
#include "file/swap.h"
#include "file/use.h"

/* As Backend.volume_upload. In place, where a volume is marked as corrupt from the first byte until all are on the disk; by a
 * new image that takes the place of the old one (file/swap.h) when that is asked for, and always of a formatted image, which
 * is replaced as a whole. */
int file_upload(Ctx *c, const char *name, int fd, const Bag *options);

/* As Backend.volume_download. */
int file_download(Ctx *c, const char *name, int fd, const Bag *options);

/* What the two have in common. */
typedef struct FileTransfer {
        Ctx *ctx;
        FileSwap volume;
        FileUse use;
        DataStream peer;         /* the caller's descriptor */
        uint64_t offset, length; /* in the volume, bytes; length UINT64_MAX: to the end */
        bool sparse;
        const char *expected; /* sha256, NULL: none; borrowed */
        Digest *digest;       /* NULL: none */
        Pace pace;
        DataCopied copied;
} FileTransfer;

#define FILE_TRANSFER_NULL \
        ((FileTransfer){ .volume = FILE_SWAP_NULL, .use = FILE_USE_NULL, .peer = { .fd = -EBADF } })

/* Reads the options, checks the descriptor, finds the volume. Needs a job. */
int file_transfer_begin(Ctx *c, const char *name, int fd, DataDirection direction, const Bag *options,
                        FileTransfer *ret);
/* The job's result: bytes, sha256, method. Corrupt when that is not the expected sum. */
int file_transfer_result(FileTransfer *t);
void file_transfer_done(FileTransfer *t);
#define _cleanup_transfer_ _cleanup_(file_transfer_done)
