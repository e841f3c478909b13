/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Formats whose header is a handful of fields: bochs, cloop, cow, ploop (Parallels), dmg. */
#include "formats.h"

#include <inttypes.h>

enum {
        BOCHS_HEADER_SIZE = 512,
        BOCHS_V1 = 0x00010000,
        BOCHS_V2 = 0x00020000,
        CLOOP_HEADER_SIZE = 136,
        CLOOP_BLOCK_MAX = 64 * 1024 * 1024,
        COW_PATH = 1024,     /* QEMU's version 2 */
        COW_PATH_UML = 4096, /* User-Mode Linux, versions 2 and 3 */
        PLOOP_HEADER_SIZE = 64,
        PLOOP_IN_USE = 0x746f6e59,
};

/* Bochs' iodev/hdimage: little-endian; version 2 put a time stamp before the size. */
int probe_bochs(ImageReader *r, ImageInfo *ret)
{
        uint8_t h[BOCHS_HEADER_SIZE];
        uint32_t version;
        int k;

        k = reader_read(r, 0, h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header");
        version = read_le32(h + 64);
        if (version != BOCHS_V1 && version != BOCHS_V2)
                return image_damaged(ret, "version 0x%" PRIx32 " of bochs is not known", version);
        ret->cluster_size = read_le32(h + 80);
        ret->capacity = read_le64(h + (version == BOCHS_V1 ? 84 : 88));
        return 0;
}

/* Version 2 of the compressed loop device: a shell script of 128 bytes, then block size and number. */
int probe_cloop(ImageReader *r, ImageInfo *ret)
{
        uint8_t h[CLOOP_HEADER_SIZE];
        uint32_t block;
        int k;

        k = reader_read(r, 0, h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header");
        block = read_be32(h + 128);
        if (block == 0 || block % 512 != 0 || block > CLOOP_BLOCK_MAX)
                return image_damaged(ret, "a block of %" PRIu32 " bytes cannot be", block);
        ret->cluster_size = block;
        ret->capacity = (uint64_t)block * read_be32(h + 132);
        return 0;
}

static int read_cow_backing(ImageReader *r, uint64_t offset, size_t length, ImageInfo *ret)
{
        int k;

        k = reader_string(r, offset, length, &ret->backing);
        if (k < 0)
                return image_unreadable(ret, k, "the name of the backing file");
        if (isempty(ret->backing)) {
                free(ret->backing);
                ret->backing = NULL;
        }
        return 0;
}

/* One magic and "version 2", three layouts: QEMU's was not packed (so it differed between 32 and 64 bits),
 * and has a shorter path than that of User-Mode Linux. The sector size behind the capacity tells them apart.
 */
static int probe_cow2(ImageReader *r, ImageInfo *ret)
{
        static const struct {
                unsigned path, size, sector;
        } layouts[] = {
                { COW_PATH, 8 + COW_PATH + 8, 8 + COW_PATH + 16 },
                { COW_PATH, 8 + COW_PATH + 4, 8 + COW_PATH + 12 },
                { COW_PATH_UML, 8 + COW_PATH_UML + 4, 8 + COW_PATH_UML + 12 },
        };

        FOREACH_ELEMENT (l, layouts) {
                uint8_t h[12];
                int k;

                k = reader_read(r, l->size, h, sizeof(h));
                if (k < 0)
                        return image_unreadable(ret, k, "the header");
                if (read_be32(h + (l->sector - l->size)) != 512)
                        continue;
                ret->capacity = read_be64(h);
                return read_cow_backing(r, 8, l->path, ret);
        }
        return image_damaged(ret, "the header is of no known layout");
}

int probe_cow(ImageReader *r, ImageInfo *ret)
{
        uint8_t h[32];
        int k;

        k = reader_read(r, 0, h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header");

        switch (read_be32(h + 4)) {
        case 2:
                return probe_cow2(r, ret);
        case 3:
                ret->capacity = read_be64(h + 12);
                return read_cow_backing(r, 32, COW_PATH_UML, ret);
        default:
                return image_damaged(ret, "version %" PRIu32 " of cow is not known", read_be32(h + 4));
        }
}

/* QEMU's docs/interop/parallels.txt; ploop's images are the same. */
int probe_ploop(ImageReader *r, ImageInfo *ret)
{
        uint8_t h[PLOOP_HEADER_SIZE];
        uint32_t tracks;
        uint64_t sectors;
        int k;

        k = reader_read(r, 0, h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header");
        if (read_le32(h + 16) != 2)
                return image_damaged(ret, "version %" PRIu32 " of ploop is not known", read_le32(h + 16));
        tracks = read_le32(h + 28);
        if (tracks == 0 || tracks > INT32_MAX / 512)
                return image_damaged(ret, "a cluster of %" PRIu32 " sectors cannot be", tracks);
        ret->cluster_size = tracks * 512;
        /* the first of the two magics has 32 bits for the size */
        sectors = memcmp(h, "WithoutFreeSpace", 16) == 0 ? read_le32(h + 36) : read_le64(h + 36);
        ret->capacity = sectors > UINT64_MAX / 512 ? UINT64_MAX : sectors * 512;
        ret->dirty = read_le32(h + 44) == PLOOP_IN_USE;
        return 0;
}

/* Apple's disk image ends with a trailer of 512 bytes, big-endian: version 4, the sectors at its end. */
int probe_dmg(ImageReader *r, const uint8_t tail[static TAIL_SIZE], ImageInfo *ret)
{
        uint64_t sectors;

        if (memcmp(tail, "koly", 4) != 0 || read_be32(tail + 8) != TAIL_SIZE)
                return 0;
        ret->format = FORMAT_DMG;
        sectors = read_be64(tail + 492);
        ret->capacity = sectors > UINT64_MAX / 512 ? UINT64_MAX : sectors * 512;
        return 1;
}
