/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of one volume: the record that crosses from worker to daemon, and its words on the bus. */
#pragma once

#include "error.h"

typedef enum VolumeType {
        VOLUME_FILE,
        VOLUME_BLOCK,
        VOLUME_DIR,
        VOLUME_NETWORK,
        _VOLUME_TYPE_MAX,
        _VOLUME_TYPE_INVALID = -EINVAL,
} VolumeType;

/* Formats of image files (libvirt's names; vhdx and luks are ours in addition). */
typedef enum ImageFormat {
        FORMAT_NONE, /* not known, or not applicable */
        FORMAT_RAW,
        FORMAT_DIR,
        FORMAT_BOCHS,
        FORMAT_CLOOP,
        FORMAT_DMG,
        FORMAT_ISO,
        FORMAT_VPC,
        FORMAT_VDI,
        FORMAT_FAT,
        FORMAT_VHD,
        FORMAT_PLOOP,
        FORMAT_COW,
        FORMAT_QCOW,
        FORMAT_QCOW2,
        FORMAT_QED,
        FORMAT_VMDK,
        FORMAT_VHDX,
        FORMAT_LUKS,
        _FORMAT_MAX,
        _FORMAT_INVALID = -EINVAL,
} ImageFormat;

typedef enum VolumeFlags {
        VOLUME_ENCRYPTED = 1 << 0,
        VOLUME_INCOMPLETE = 1 << 1, /* somebody else's half-made volume; can only be deleted */
        VOLUME_READ_ONLY = 1 << 2,
        VOLUME_FOREIGN_LINKS =
                1 << 3, /* more than one hard link: never resized, wiped, chowned, opened for writing */
        VOLUME_CORRUPT = 1 << 4, /* an upload or wipe broke off in it; until it is rewritten */
} VolumeFlags;

/* All strings are borrowed. Sizes in bytes, times in µs since the epoch. UINT64_MAX: not known. */
typedef struct VolumeInfo {
        const char *name; /* as shown (names.h); unique in the pool */
        VolumeType type;
        ImageFormat format;   /* declared; what poolkeeper and its tools use */
        ImageFormat detected; /* what the header looks like; informs only */
        uint32_t flags;       /* VolumeFlags */
        uint64_t capacity;    /* guest-visible */
        uint64_t allocation;  /* taken from the pool */
        uint64_t physical;    /* apparent size of the file or device */
        uint64_t mtime_usec;
        uint32_t creator;    /* uid that made it through poolkeeper, UINT32_MAX: none known */
        uint32_t uid, gid;   /* owner of the file */
        uint32_t mode;       /* permission bits */
        const char *backing; /* backing file as written in the header, NULL: none */
        ImageFormat backing_format;
        const char *error;     /* what is wrong with this volume, NULL: nothing */
        const char *snapshots; /* snapshot-list.h, NULL: none */
} VolumeInfo;

const char *volume_type_to_string(VolumeType t); /* "file" ... */
VolumeType volume_type_from_string(const char *s);
const char *image_format_to_string(ImageFormat f); /* "raw" ...; FORMAT_NONE: "none" */
ImageFormat image_format_from_string(const char *s);

/* QEMU's name for a format; NULL: it has no driver. See "Disk image file formats" in qemu-block-drivers(7). */
const char *image_format_to_driver(ImageFormat f);
/* That driver writes images, too. */
bool image_format_is_writable(ImageFormat f);
bool image_format_is_same(ImageFormat a, ImageFormat b); /* iso is raw by another name */

/* Plausibility of a record that came from a worker: lengths, UTF-8, enum ranges. 0 or Failed. */
int volume_info_check(const VolumeInfo *v, Error *e);
