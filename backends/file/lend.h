/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes of file-based pools for reading: to a worker of another pool, or to an operation of this one. */
#pragma once

#include "file/use.h"
#include "file/volume.h"

/* As Backend.volume_lend; `options`: force-share. InUse while a guest writes to it, or to what it stands on. */
int file_lend(Ctx *c, const char *name, const Bag *options, VolumeSource *ret);

/* The same in a pool that is open already. Takes e->fd when it succeeds. */
int file_lend_entry(const FileRoot *r, const char *name, FileEntry *e, bool share, VolumeSource *ret);

/* Locks a chain for as long as its descriptors are open: the image itself as `mode` says, what it stands on for reading. */
int file_chain_lock(const FileRoot *r, const char *name, const FileChain *chain, FileUseMode mode);

/* Looks the volume up and lends it. */
int file_lend_volume(const FileRoot *r, const char *name, bool share, VolumeSource *ret);
