/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What makes another image, or another name, of a volume that is there. As the functions of that name in Backend. */
#pragma once

#include "file/root.h"

/* Into another format, in place: each moment the old volume or the new one, with its owner, mode and creator. A volume of
 * that format already is done, unless `options` (in it, those of volumes: cluster_size and the like) ask for another making.
 * InUse while anybody uses it or another volume stands on it. An overlay becomes a volume of its own. Tells "method": none
 * or convert. */
int file_convert(Ctx *c, const char *name, ImageFormat format, const Bag *options);

/* Onto another backing volume of the pool, so that a guest sees the same as before: a copy of the image, shared blocks where
 * the file system can, takes up what differs, and then the place of the old one. backing NULL: onto none, by a new image of
 * the same format and making. InvalidArgs when the backing volume itself stands on this one. */
int file_rebase(Ctx *c, const char *name, const char *backing, const Bag *options);

/* Overwrites what the volume's file holds. A raw one keeps its size; an image is replaced by an empty one of its format,
 * capacity and making, that stands on no other. What was encrypted loses its key with everything else: luks becomes raw, an
 * encrypted qcow2 one without encryption. Algorithms as of scrub_knows(), zero (option `write`: by writing also where the
 * file system could discard) and trim (NotSupported where it cannot). InUse while anybody uses it or another volume stands
 * on it. One that broke off leaves the volume marked corrupt. */
int file_wipe(Ctx *c, const char *name, const char *algorithm, const Bag *options);

/* InUse while anybody uses it or another volume's header names it. VolumeExists, InvalidName. */
int file_rename(Ctx *c, const char *name, const char *new_name);

/* Undo of a rename that died in the middle, where one step is not enough: "NAME/NEW NAME". */
#define FILE_RENAME_STEP "rename"
int file_rename_undo(const FileRoot *r, const char *argument);
