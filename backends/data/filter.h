/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compressed data, through the tools for it: gzip(1), xz(1), zstd(1). What comes from outside is hostile, so they run in the
 * sandbox of image tools, with a limit on what they may write. */
#pragma once

#include "data/copy.h"

typedef enum DataCompression {
        COMPRESSION_NONE,
        COMPRESSION_GZIP,
        COMPRESSION_XZ,
        COMPRESSION_ZSTD,
        _COMPRESSION_MAX,
        _COMPRESSION_INVALID = -EINVAL,
} DataCompression;

/* NULL is COMPRESSION_NONE; -EINVAL. */
DataCompression data_compression_from_string(const char *s);

/* Unpacks what `job` reads (length, pace, digest: of the compressed bytes, as are those of *ret) into the start of an empty
 * file, which becomes at most job->limit bytes long: more is -EFBIG without an error set, as in data_copy(). Failed with the
 * tool's own words when it is not compressed in this way. Zeros become holes where the tool can. Needs a job. */
int data_decompress(Ctx *c, DataCompression compression, const DataCopy *job, DataCopied *ret);

/* Packs a whole file, job->from, and writes (pace, digest, *ret: of the compressed bytes) to where `job` says. */
int data_compress(Ctx *c, DataCompression compression, const DataCopy *job, DataCopied *ret);
