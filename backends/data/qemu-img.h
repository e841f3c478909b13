/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu-img on descriptors: it never gets a path, every node is stated with its format, and it runs in the
 * sandbox. Source: qemu-img(1), qemu-block-drivers(7). All of these start a process: ctx_need_job() comes
 * before. */
#pragma once

#include "backend.h"

typedef struct QemuImage {
        int fd; /* open for reading and writing */
        ImageFormat format;
        uint64_t capacity;         /* bytes, a multiple of 512 */
        const char *preallocation; /* NULL: off */
        const char *backing;       /* as written into the header, NULL: none */
        ImageFormat backing_format;
        const Bag *options; /* compat, cluster_size, lazy_refcounts, extended_l2, encryption.* */
        int passphrase;     /* a memfd, -EBADF: not encrypted */
} QemuImage;

/* Formats an empty file. The backing file is not opened: that it is there and fits was checked by the
 * caller. */
int qemu_img_create(Ctx *c, const QemuImage *image);

int qemu_img_resize(Ctx *c, const ImageNode *chain, size_t n, uint64_t capacity, bool shrink, bool allocate);

/* Copies what the guest sees of the chain into the image, which was formatted with qemu_img_create() before.
 */
int qemu_img_convert(Ctx *c, const ImageNode *chain, size_t n, const QemuImage *image);

/* The text "json:{...}" of a chain for a tool of qemu, its ends closed with "backing": null, and the descriptors of that,
 * n more at the end of `fds`. locked: the descriptors hold QEMU's locks, which the tool must then not take again. */
int qemu_node(const ImageNode *chain, size_t n, bool locked, CommandFd *fds, size_t *n_fds, char **ret);

/* The format under the name that qemu knows. */
const char *qemu_driver(ImageFormat f);
