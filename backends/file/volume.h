/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes of file-based pools that are there already. As the functions of that name in Backend. */
#pragma once

#include "data/qemu-img.h"
#include "file/entry.h"

int file_stat(Ctx *c, const char *name);
int file_info(Ctx *c, const char *name, Bag *ret);
int file_access(Ctx *c, const char *name, uid_t uid, bool *ret_allowed, char **ret_reason);
int file_resize(Ctx *c, const char *name, uint64_t capacity, bool shrink, bool allocate);
int file_declare(Ctx *c, const char *name, ImageFormat format);
int file_endpoint(Ctx *c, const char *name, bool read_only, Bag *result);        /* endpoint.c */
int file_attachment(Ctx *c, const char *name, Bag *result);                      /* attachment.c */
int file_volume_open(Ctx *c, const char *name, const Bag *options, Bag *result); /* open.c */
int file_delete(Ctx *c, const char *name, char *const *dependents);

/* Undo of a resize that died while it wrote zeros: `argument` is "SIZE NAME". */
#define FILE_RESIZE_STEP "truncate"
int file_resize_undo(const FileRoot *r, const char *argument);

/* InUse while a volume of the pool that is not among `dependents` stands on this one. Reads all headers: a
 * job's work. */
int file_refuse_overlays(const FileRoot *r, const char *name, const char *raw, char *const *dependents);

/* Everything that qemu opens for an image: the chain starts with the image itself on `fd`, the others are opened for
 * reading. NotSupported when a part lies outside the pool, or has files that cannot be pinned. */
typedef struct FileChain {
        ImageNode nodes[IMAGE_CHAIN_MAX];
        size_t n;
} FileChain;
int file_chain_find(const FileRoot *r, const char *name, const FileEntry *e, int fd, FileChain *ret);
/* The same, for a tool that is to read it: NotSupported when a part is encrypted, Corrupt when it is not what it counts as. */
int file_chain_open(const FileRoot *r, const char *name, const FileEntry *e, int fd, FileChain *ret);
int file_chain_check(Ctx *c, const char *name, const ImageNode *nodes, size_t n);
/* NotSupported when an image on top of these would be one that cannot be opened any more. */
int file_chain_check_top(Ctx *c, const char *name, size_t n);
void file_chain_done(FileChain *ch); /* closes all but the first */
#define _cleanup_chain_ _cleanup_(file_chain_done)

/* What a header says that lets qemu open other files (NotSupported), or that keeps it from reading (encryption). */
int file_check_pinned(Ctx *c, const char *name, ImageFormat f, const ImageInfo *i);
int file_check_readable(Ctx *c, const char *name, ImageFormat f, const ImageInfo *i);
/* NotSupported where qemu can only read, or writes only what was never written before. */
int file_check_writable(Ctx *c, const char *name, ImageFormat f, const ImageInfo *i);

/* A file that nobody declared but that looks like an image must not be handled as raw: InvalidArgs. */
int file_refuse_undeclared(const FileRoot *r, const char *name, const FileEntry *e, const char *what);
