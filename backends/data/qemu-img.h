/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu-img on descriptors: it never gets a path, every node is stated with its format, for which QEMU has to have a driver
 * (image_format_to_driver()), and it runs in the sandbox. Source: qemu-img(1), qemu-block-drivers(7). All of these start a
 * process: ctx_need_job() comes before. */
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

/* Another description of the image's file holds QEMU's locks. */
int qemu_img_resize(Ctx *c, const ImageNode *chain, size_t n, uint64_t capacity, bool shrink, bool allocate);

/* `what` is "-c" (make), "-a" (apply) or "-d" (delete) with a snapshot of the qcow2 image chain[0], which is open for
 * writing and on which another description holds QEMU's locks: its name, or for -a its id. */
int qemu_img_snapshot(Ctx *c, const ImageNode *chain, size_t n, const char *what, const char *snapshot);

/* Copies what the guest sees of the chain into the image, a new file of nobody else's that was formatted with
 * qemu_img_create() before (raw: that has its size). The descriptors of the chain hold QEMU's locks, where it has to have
 * any. bandwidth: bytes per second, 0: no limit. Does not sync. */
int qemu_img_convert(Ctx *c, const ImageNode *chain, size_t n, const QemuImage *image, uint64_t bandwidth);

/* Makes chain[0], a qcow2 image of nobody else's that is open for writing, stand on `backing`, so that the guest sees the
 * same as before; `name` is what its header calls that. NotSupported when there are too many nodes. The image is of no use
 * when it fails. Does not sync. */
int qemu_img_rebase(Ctx *c, const ImageNode *chain, size_t n, const ImageNode *backing, size_t n_backing,
                    const char *name, uint64_t capacity);

/* How large the file of an image of `capacity` bytes may become, without snapshots, saturating. */
uint64_t qemu_file_max(uint64_t capacity);

/* The text "json:{...}" of a chain for a tool of qemu, its ends closed with "backing": null, and the descriptors of that,
 * n more at the end of `fds`. locked: the descriptors hold QEMU's locks, which the tool must then not take again. */
int qemu_node(const ImageNode *chain, size_t n, bool locked, CommandFd *fds, size_t *n_fds, char **ret);

/* qemu-options.c: what -o of `qemu-img create` gets, NULL: nothing. */
int qemu_options(const QemuImage *i, char **ret);
