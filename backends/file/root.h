/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The directory behind a file-based pool: found safely, recognised again by every operation, built and
 * removed. */
#pragma once

#include "backend.h"

/* The pool's directory, opened once by each operation; what the helpers below need to know of the pool. */
typedef struct FileRoot {
        Ctx *ctx;
        int fd;           /* O_RDONLY | O_DIRECTORY */
        const char *path; /* target.path, borrowed from the definition */
        bool follow;      /* symlinks=follow */
        bool counts; /* st_blocks is 0 only of a file without data; set by a scan, else false: ask the file */
        bool kept;   /* fd is the operation's, not ours to close */
        uint64_t mount;                  /* id of the mount that fd is on, set by file_root_open() */
        bool system;                     /* false: user mode, marks are user.* attributes */
        struct FileSnapshots *snapshots; /* of a scan: the directory's, read once; NULL: read it each time */
} FileRoot;

#define FILE_ROOT_NULL ((FileRoot){ .fd = -EBADF })

/* Opens the target and checks that it is the directory that start saw: SourceUnreachable when it is gone or
 * another file system stands in its place, PoolInactive when the pool was never started. */
int file_root_open(Ctx *c, FileRoot *ret);

/* Walks to the target one component at a time. In system mode a directory on the way that anybody but root
 * may write is refused (a sticky one aside, as long as the next component is root's): AccessDenied. Then
 * records what was found for file_root_open(). When the pool is up already, the same file system must be
 * there: SourceUnreachable. */
int file_root_start(Ctx *c);
int file_root_stop(Ctx *c); /* forgets the record */

/* Makes the target and its parents (mode 0755) where they are missing, under the same rules. *ret is opened;
 * *ret_made tells whether the target itself is new. Directories that were made are left for
 * ctx_sync_later(). */
int file_root_make(Ctx *c, mode_t mode, FileRoot *ret, bool *ret_made);

/* Removes the empty directory: InUse when it is not empty; one that is gone already is fine. */
int file_root_remove(Ctx *c);

/* Bytes of the file system; available is what an ordinary user can still take, less nothing. */
int file_root_space(const FileRoot *r, uint64_t *ret_capacity, uint64_t *ret_allocation,
                    uint64_t *ret_available);

/* Local file systems count the blocks of a file truly; FUSE and network ones may not. Sets r->counts. */
void file_root_trust_blocks(FileRoot *r);

/* Bytes that may be taken before the pool's `reserved` space begins. */
int file_root_room(const FileRoot *r, uint64_t *ret);

/* NoSpace unless `bytes` more leave the pool's `reserved` space free; 0 (a sparse volume) when it is touched already. */
int file_root_reserve(const FileRoot *r, uint64_t bytes);

void file_root_done(FileRoot *r);
#define _cleanup_root_ _cleanup_(file_root_done)
