/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New volumes with the data of others: of this pool or of any. */
#pragma once

#include "file/new.h"

/* What the new volume is to be. */
typedef struct FileCopy {
        const char *name;
        uint64_t capacity;  /* bytes, 0 or UINT64_MAX: that of the source */
        uint64_t bandwidth; /* bytes per second, 0: no limit */
        const Bag *options; /* of the volume */
        uid_t creator;
} FileCopy;

/* As Backend.volume_copy. Of the same format: shared blocks (FICLONE) where the file system can, in the session worker;
 * else a copy that keeps holes; in another format, with options of one, or of a volume that stands on others: through
 * qemu-img, what the guest sees. The capacity may be larger than the source's in every case (except as it is, in a format
 * that cannot grow: NotSupported); smaller is InvalidArgs. Tells "method" of the result: reflink, copy, stream or convert. */
int file_copy(Ctx *c, const char *name, const VolumeSource *source, uint64_t capacity, const Bag *transfer,
              const Bag *options, uid_t creator);

/* The same in a pool that is open already; the name was checked by file_new_check(). */
int file_copy_source(const FileRoot *r, const FileCopy *what, const VolumeSource *source);

/* Fills fd, an empty file without a name, with what the guest sees of the chain (that file_chain_check() has passed), as an
 * image of `format`. NoSpace where what the options allocate would take the pool's reserve. The job's work of an import, an
 * export, a conversion and the rest. */
typedef struct FileConvert {
        const char *name; /* for messages */
        const ImageNode *nodes;
        size_t n;
        int fd;
        ImageFormat format;
        uint64_t capacity;  /* bytes; rounded up to sectors */
        uint64_t bandwidth; /* as above */
        const Bag *options; /* of the volume, as file_create_format() has passed them */
} FileConvert;
int file_convert_into(const FileRoot *r, const FileConvert *what);
