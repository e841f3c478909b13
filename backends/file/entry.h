/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One entry of a pool directory: opened without trusting it, and understood as a volume. */
#pragma once

#include <dirent.h>

#include "file/mark.h"
#include "image/image.h"

/* The bytes on disk behind a volume's shown name: InvalidName for what cannot be an entry, or is a temporary
 * file of ours. */
int file_name(const FileRoot *r, const char *shown, char **ret_raw);
bool file_name_is_temporary(const char *raw);

/* Opens an entry below the root: never through a link, another mount, or out of the directory. Negative
 * errno, no error set. */
int file_open(const FileRoot *r, const char *raw, int flags);

typedef struct FileEntry {
        VolumeInfo info; /* strings point into the rest */
        struct statx st; /* of the file itself; of a link's target */
        FileMark mark;
        ImageInfo image;
        int fd;                          /* for reading; -EBADF when it could not be opened */
        bool linked;                     /* reached through a symbolic link */
        char *shown, *error, *snapshots; /* snapshots: of files; those in an image are in `image` */
} FileEntry;

/* The error of a volume that is marked so. */
#define FILE_CORRUPT_TEXT "an upload or wipe broke off; upload it again, wipe or delete it"

#define FILE_ENTRY_NULL ((FileEntry){ .fd = -EBADF, .image = IMAGE_INFO_NULL })

/* What of statx() is needed. */
#define FILE_STATX (STATX_BASIC_STATS | STATX_BTIME)

typedef enum FileReadFlags {
        FILE_READ_CONTENT = 1 << 0, /* also ask what a raw image holds */
        FILE_READ_BY_NAME = 1 << 1, /* a file without data is not even opened: the working directory is the
                                       root, its blocks are counted truly, and fd is not needed */
} FileReadFlags;

/* `type` is a DT_* of readdir(); DT_UNKNOWN is fine. 1: it is a volume (one that cannot be read is one with
 * an error); 0: it is none (gone, FIFO, socket, device, a link that is not followed); negative: out of
 * memory or descriptors. */
int file_entry_read(const FileRoot *r, const char *raw, unsigned char type, FileReadFlags flags,
                    FileEntry *ret);
void file_entry_done(FileEntry *e);
#define _cleanup_entry_ _cleanup_(file_entry_done)

/* The same for a regular file that is open already, possibly without a name yet; fd stays the caller's. */
int file_entry_describe(const FileRoot *r, const char *raw, int fd, FileEntry *ret);

/* file_entry_read() for one named volume: NoSuchVolume (and ctx_vanished()) when it is none. */
int file_entry_find(const FileRoot *r, const char *shown, const char *raw, FileReadFlags flags,
                    FileEntry *ret);

/* Opens what was found there once more, for reading and writing; the caller closes it. Changed when another file has come in
 * its place. Sets the error. */
int file_open_same(const FileRoot *r, const char *shown, const char *raw, const FileEntry *e);

/* The name of the volume of this pool that a backing string of an image in it means, NULL: it lies
 * elsewhere. */
char *file_backing_name(const FileRoot *r, const char *backing);
