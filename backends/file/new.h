/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file or directory that is being made: without a name, or under a temporary one, until it is complete. */
#pragma once

#include "file/entry.h"

typedef struct FileNew {
        const FileRoot *root;
        const char *name;   /* of the volume; borrowed, also its name on disk */
        const Bag *options; /* volume options; borrowed */
        uid_t creator;
        int fd; /* O_RDWR; of a directory O_RDONLY */
        bool directory;
        char *temporary; /* NULL: the file has no name at all (O_TMPFILE) */
} FileNew;

#define FILE_NEW_NULL ((FileNew){ .fd = -EBADF })

/* Options that every made volume takes: mode, owner, group, label, nocow. */

/* Checks the name (InvalidName, VolumeExists). No side effect. */
int file_new_check(const FileRoot *r, const char *name);

/* Opens the nameless file. Where the file system has no O_TMPFILE, and for directories, a temporary name is
 * made after its undo intent was written. */
int file_new_open(const FileRoot *r, const char *name, bool directory, const Bag *options, uid_t creator,
                  FileNew *ret);

/* Owner, mode, label and mark are set, then the file gets its name at once (VolumeExists when somebody was
 * faster), is left for syncing and told with ctx_volume(). */
int file_new_finish(FileNew *n, ImageFormat format);

/* For a file that is to take the place of another: gives it a temporary name, after the undo intent `step` "TEMPORARY NAME"
 * was written. */
int file_new_name(FileNew *n, const char *step, const char *name);

/* Only the name, as the last step of that: -EEXIST, or what the file system says. Sets no error. */
int file_new_link(FileNew *n);
void file_new_done(FileNew *n); /* unfinished: nothing is left */
#define _cleanup_new_ _cleanup_(file_new_done)

/* Undo of what a worker that died left under a temporary name. */
#define FILE_NEW_STEP "remove-temporary"
int file_new_undo(const FileRoot *r, const char *temporary);

/* A rename that replaces nothing, where there is no RENAME_NOREPLACE, on NFS for one: -EEXIST, or what the file system says;
 * sets no error. fd is the file, open by its old name; it becomes an open of the new one, since NFS gives a name that is open
 * another (.nfsXXXX) instead of removing it, until it is closed. */
int file_rename_by_link(const FileRoot *r, const char *from, const char *to, int fd);
