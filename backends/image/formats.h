/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One probe for each format family. Each is called when its magic stands where it should, has set what the
 * header says when it returns 0 (with `error` when that cannot be right), and gives a negative errno for an
 * I/O error only. ret->format is set by the caller from the dispatch table in image.c, ret->capacity is the
 * file size until told better. */
#pragma once

#include "reader.h"

/* The list of a qcow2 image's snapshots, NULL: none that can be told. Errors of reader_read(). */
int qcow_snapshots(ImageReader *r, uint64_t offset, uint32_t n, char **ret);
int probe_qcow(ImageReader *r, ImageInfo *ret); /* qcow and qcow2 share the magic: may correct ret->format */
int probe_qed(ImageReader *r, ImageInfo *ret);
int probe_vmdk_sparse(ImageReader *r, ImageInfo *ret);
int probe_vmdk_cowd(ImageReader *r, ImageInfo *ret);
int probe_vmdk_text(ImageReader *r, ImageInfo *ret);
int probe_vpc(ImageReader *r, ImageInfo *ret);
int probe_vhdx(ImageReader *r, ImageInfo *ret);
int probe_vdi(ImageReader *r, ImageInfo *ret);
int probe_luks(ImageReader *r, ImageInfo *ret);
int probe_bochs(ImageReader *r, ImageInfo *ret);
int probe_cloop(ImageReader *r, ImageInfo *ret);
int probe_cow(ImageReader *r, ImageInfo *ret);
int probe_ploop(ImageReader *r, ImageInfo *ret);

/* Those without a magic in the first block. They return 1 when it is theirs (ret->format is set then) and 0
 * when not. `tail` is the last 512 bytes of the file. */
#define TAIL_SIZE 512u
int probe_vpc_fixed(ImageReader *r, const uint8_t tail[static TAIL_SIZE], ImageInfo *ret);
int probe_dmg(ImageReader *r, const uint8_t tail[static TAIL_SIZE], ImageInfo *ret);
int probe_iso(ImageReader *r, ImageInfo *ret);

/* What libblkid finds on a raw image: ret->variant, or nothing. */
int probe_content(ImageReader *r, ImageInfo *ret);
