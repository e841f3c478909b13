/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an image file's header says. Headers are outside data: every read is bounded, and nothing here is
 * believed when it comes to opening a volume (its declared format counts). */
#pragma once

#include "util/volume-info.h"

typedef struct ImageInfo {
        ImageFormat format; /* FORMAT_RAW when nothing else was found */
        uint64_t capacity;  /* guest-visible bytes; file size for raw; payload for luks */
        char *backing; /* backing file as written (any bytes but NUL: escape it to show it), NULL: none */
        ImageFormat backing_format; /* FORMAT_NONE: not written */
        char *data_file;            /* qcow2 external data file, NULL: none */
        bool encrypted;
        const char *encryption; /* "luks" or "aes" (the old cipher of qcow and qcow2); NULL: not encrypted */
        bool dirty;             /* image was not closed properly, or is marked corrupt */
        unsigned version;       /* qcow2 2 or 3, luks 1 or 2, 0 elsewhere */
        uint32_t cluster_size;  /* bytes, 0: not applicable */
        bool extended_l2, lazy_refcounts;
        uint32_t n_snapshots;
        char *snapshots; /* of qcow2, those whose names can be told: util/snapshot-list.h; NULL: none */
        char *variant;   /* vmdk createType, vpc "fixed"/"dynamic"/"differencing", iso volume label,
                        * partition table or file system type of raw; printable ASCII; NULL */
        char *error;     /* what is wrong with the header: capacity is then the file size; NULL: nothing */
} ImageInfo;

#define IMAGE_INFO_NULL ((ImageInfo){ .format = FORMAT_NONE })

typedef enum ImageProbeFlags {
        IMAGE_PROBE_CONTENT = 1 << 0, /* also ask libblkid what a raw image holds (variant) */
} ImageProbeFlags;

/* One pread of 4 KiB for an image with its magic there (vhdx: a dozen small ones more; luks 2 and vmdk: one
 * more for their text); three for any other file: the head, the last 512 bytes (fixed vpc, dmg), those at 32
 * KiB (iso). Content reads 256 KiB. A qcow2 with snapshots needs one more of up to 128 KiB, for their table. Never
 * more than 384 KiB in 256 reads, whatever a header says; other tables and bitmaps are not read. fd is a regular
 * file or block device, open for reading; its offset is not used; size in bytes. 0, or negative errno for an I/O error or -ENOMEM only: garbage is FORMAT_RAW, a broken header is
 * its format with `error` set. */
int image_probe(int fd, uint64_t size, ImageProbeFlags flags, ImageInfo *ret);

/* The same on a header that was read already: `head` has n bytes from offset 0 (n < 4096 only when the file
 * is shorter). */
int image_probe_head(const uint8_t *head, size_t n, int fd, uint64_t size, ImageProbeFlags flags,
                     ImageInfo *ret);

/* What a qcow2 image itself calls the snapshot that is listed as `shown`: its unique id, and its name, any bytes. -ENOENT. */
int image_snapshot_find(int fd, uint64_t size, const char *shown, char **ret_id, char **ret_name);

void image_info_done(ImageInfo *i);
#define _cleanup_image_ _cleanup_(image_info_done)
