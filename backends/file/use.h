/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether somebody else uses a volume, and telling others that we do.
 * QEMU's image locks are read locks of open file descriptions (fcntl(2), F_OFD_SETLK), a byte for each permission that a
 * process has on an image and one for each that it does not share: block/file-posix.c, RAW_LOCK_PERM_BASE and
 * RAW_LOCK_SHARED_BASE; docs/system/qemu-block-drivers, "Disk image file locking". */
#pragma once

#include "file/root.h"

typedef enum FileUseMode {
        FILE_USE_WRITE, /* ours alone: no lock of QEMU's, nobody has it open for writing */
        FILE_USE_GUEST, /* as a guest: alone in writing, but qemu-img -U may look */
        FILE_USE_READ,  /* others may read too, a guest must not write meanwhile */
        FILE_USE_SHARE, /* whoever uses it: nothing is checked or locked */
} FileUseMode;

typedef struct FileUse {
        int fd; /* borrowed; -EBADF: nothing is locked */
} FileUse;

#define FILE_USE_NULL ((FileUse){ .fd = -EBADF })

/* InUse, which names the holder as far as /proc shows it, or the locks are ours. `fd` is the file, open for reading and,
 * for the first two, for reading only, before anything of ours opens it for writing: the kernel's count of writers (see
 * F_SETLEASE in fcntl(2)) has ours in it too. (With a writable one, only /proc can tell of others.)
 * The locks are the open file description's: descriptors that are passed on or duplicated keep them, until the last is
 * closed, or file_use_end(), which comes before fd is closed and may be left out. An image tool that gets another
 * description of the same file needs "locking": "off". Where a file system has no such locks, there are none, as in QEMU. */
int file_use_begin(const FileRoot *r, const char *name, int fd, FileUseMode mode, FileUse *ret);
void file_use_end(FileUse *u);

/* InUse while somebody does not even let others read, as FILE_USE_WRITE does: what is written into the file now may be gone
 * with it. Takes no locks. */
int file_use_refuse_rewrite(const FileRoot *r, const char *name, int fd);
#define _cleanup_use_ _cleanup_(file_use_end)
