/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VirtualBox's disk image, header version 1.1. */
#include "formats.h"

#include <inttypes.h>

enum {
        VDI_HEADER_SIZE = 464,
        VDI_VERSION = 0x00010001,
};

int probe_vdi(ImageReader *r, ImageInfo *ret)
{
        uint8_t h[VDI_HEADER_SIZE];
        uint32_t block, n_blocks;
        int k;

        k = reader_read(r, 0, h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header");
        if (read_le32(h + 68) != VDI_VERSION)
                return image_damaged(ret, "version 0x%" PRIx32 " of vdi is not known", read_le32(h + 68));

        ret->capacity = read_le64(h + 368);
        block = read_le32(h + 376);
        n_blocks = read_le32(h + 384);
        if (!is_power_of_two(block) || block < 512)
                return image_damaged(ret, "a block of %" PRIu32 " bytes cannot be", block);
        ret->cluster_size = block;
        if (ret->capacity > (uint64_t)n_blocks * block)
                return image_damaged(ret,
                                     "a capacity of %" PRIu64 " bytes is more than %" PRIu32 " blocks hold",
                                     ret->capacity, n_blocks);
        if (!reader_has(r, read_le32(h + 340), (uint64_t)n_blocks * 4))
                return image_unreadable(ret, -ENODATA, "the block map");
        /* Sectors are what a guest sees; QEMU rounds up in the same way. */
        ret->capacity = (ret->capacity + 511) & ~UINT64_C(511);
        return 0;
}
