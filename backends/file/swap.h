/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A volume whose image is made anew beside it, and then takes its place by one rename: at every instruction there is the old
 * one or the new one, whole. */
#pragma once

#include "file/new.h"
#include "file/volume.h"

typedef struct FileSwap {
        FileRoot root;
        const char *name; /* of the volume; borrowed */
        char *raw;
        FileEntry entry; /* as it is */
        FileChain chain; /* what a tool reads of it; the first is entry.fd */
        FileNew new;     /* as it will be */
} FileSwap;

#define FILE_SWAP_NULL ((FileSwap){ .root = FILE_ROOT_NULL, .entry = FILE_ENTRY_NULL, .new = FILE_NEW_NULL })

/* Finds the volume. NotSupported for what is no file of its own, Corrupt, InvalidArgs for an image that nobody declared.
 * what: "converted" and the like, for messages. No side effect. */
int file_swap_begin(Ctx *c, const char *name, const char *what, FileSwap *ret);

/* Opens what it stands on, locks all of it until the end (InUse), and refuses what would be lost: internal snapshots
 * (NotSupported). NoSpace when the pool has no room for as much as it takes now. ctx_need_job() comes before. */
int file_swap_lock(FileSwap *s);

/* The options by which a new image is made as the old one was: cluster size, features. */
int file_swap_making(const FileSwap *s, Bag **ret);

/* The new image: an empty file, without copy-on-write where the old one is. */
int file_swap_open(FileSwap *s);

/* Gives it the owner, mode, attributes and mark (entry.mark; what it stands on is the caller's to change) of the old one, makes it durable, whatever the caller said of that, lets it
 * take the old one's place, and tells of it. */
int file_swap_finish(FileSwap *s, ImageFormat format);

/* Tells the service what is there now. */
int file_swap_tell(const FileSwap *s);

void file_swap_done(FileSwap *s); /* unfinished: the old one stays, nothing is left of the new one */
#define _cleanup_swap_ _cleanup_(file_swap_done)

/* Undo of a worker that died on the way: "TEMPORARY NAME". */
#define FILE_SWAP_STEP "swap"
int file_swap_undo(const FileRoot *r, const char *argument);
