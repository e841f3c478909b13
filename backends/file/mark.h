/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a file remembers of its making: declared format and creator, where its owner cannot forge them.
 * One extended attribute, trusted.poolkeeper (user.poolkeeper in user mode); on file systems without such, a
 * file in the state directory that counts only while name, inode and birth time of the volume are the same.
 */
#pragma once

#include <limits.h>
#include <sys/stat.h>

#include "file/root.h"

typedef struct FileMark {
        ImageFormat format; /* FORMAT_NONE: never declared, to be used as raw */
        uint32_t creator;   /* UINT32_MAX: none */
        bool base;          /* was made the backing file of another volume at some time */
        bool snapshots;     /* there are files with what it was: file/snapshots.h */
        bool corrupt;       /* an upload or wipe began to write into it and did not end well */
        /* The name on disk of what it was made to stand on, "": nothing. Who may write to a volume may write any name into
         * its header. */
        char backing[NAME_MAX + 1];
} FileMark;

#define FILE_MARK_NULL ((FileMark){ .format = FORMAT_NONE, .creator = UINT32_MAX })

/* fd is the volume, open for reading; `raw` its name on disk. Anything malformed or not fitting reads as no
 * mark. */
void file_mark_read(const FileRoot *r, int fd, const char *raw, const struct statx *st, FileMark *ret);

/* The same by the name in the working directory, without opening the file: false when that cannot tell, and
 * the file is to be asked. */
bool file_mark_read_name(const FileRoot *r, const char *raw, FileMark *ret);

/* May be called before the name exists. Sets the error. */
int file_mark_write(const FileRoot *r, int fd, const char *raw, const FileMark *m);

/* Whether the mark of this file is not its attribute, but kept in the state directory under its name. */
bool file_mark_is_apart(const FileRoot *r, int fd);

/* Forgets what was kept in the state directory for a name; an attribute goes with its file. */
void file_mark_remove(const FileRoot *r, const char *raw);
/* What is kept there for `from`, if anything, counts for `to` from now on. */
void file_mark_move(const FileRoot *r, const char *from, const char *to);
void file_mark_remove_all(Ctx *c); /* of a pool whose directory is deleted */

/* The fields of statx() that tell one file from another. */
#define FILE_MARK_STATX (STATX_INO | STATX_BTIME)
