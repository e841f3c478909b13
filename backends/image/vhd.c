/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Microsoft's disks: vpc (the VHD of Virtual PC and Hyper-V) and its successor vhdx. Facts from Microsoft's
 * "Virtual Hard Disk Image Format Specification" and [MS-VHDX]. */
#include "formats.h"

#include <inttypes.h>

#define SECTOR 512u

enum {
        VPC_FIXED = 2,
        VPC_DYNAMIC = 3,
        VPC_DIFFERENCING = 4,
        VPC_FOOTER_SIZE = 512,
        VPC_DYNAMIC_HEADER_SIZE = 1024,
        VPC_PARENT_NAME = 64, /* in the dynamic header */
        VPC_PARENT_NAME_SIZE = 512,
};

static const char *vpc_type_to_string(uint32_t type)
{
        return type == VPC_FIXED          ? "fixed"
               : type == VPC_DYNAMIC      ? "dynamic"
               : type == VPC_DIFFERENCING ? "differencing"
                                          : NULL;
}

/* Virtual PC, and QEMU unless told otherwise, make the disk as large as its geometry says; all others, and
 * disks that are larger than any geometry, go by the size field. These are the creators that QEMU takes the
 * size field from. */
static uint64_t vpc_capacity(const uint8_t *footer)
{
        static const char *const by_size[] = { "win ", "qem2", "d2v ", "CTXS", "tap\0" };
        uint64_t sectors;

        FOREACH_ELEMENT (app, by_size)
                if (memcmp(footer + 28, *app, 4) == 0)
                        return read_be64(footer + 48);
        sectors = (uint64_t)read_be16(footer + 56) * footer[58] * footer[59];
        if (sectors == UINT64_C(65535) * 16 * 255)
                return read_be64(footer + 48);
        return sectors * SECTOR;
}

static int vpc_footer(const uint8_t *footer, ImageInfo *ret)
{
        const char *type = vpc_type_to_string(read_be32(footer + 60));

        if (!type)
                return image_damaged(ret, "disk type %" PRIu32 " is not known", read_be32(footer + 60));
        ret->variant = strdup(type);
        if (!ret->variant)
                return -ENOMEM;
        ret->capacity = vpc_capacity(footer);
        return 0;
}

int probe_vpc(ImageReader *r, ImageInfo *ret)
{
        uint8_t h[VPC_DYNAMIC_HEADER_SIZE];
        uint32_t type, block;
        int k;

        k = reader_read(r, 0, h, VPC_FOOTER_SIZE);
        if (k < 0)
                return image_unreadable(ret, k, "the header");
        type = read_be32(h + 60);
        k = vpc_footer(h, ret);
        if (k < 0 || ret->error || type == VPC_FIXED)
                return k;

        k = reader_read(r, read_be64(h + 16), h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header of the dynamic disk");
        if (memcmp(h, "cxsparse", 8) != 0)
                return image_damaged(ret, "the header of the dynamic disk is not where it should be");
        block = read_be32(h + 32);
        if (!is_power_of_two(block) || block < SECTOR)
                return image_damaged(ret, "a block of %" PRIu32 " bytes cannot be", block);
        ret->cluster_size = block;
        if (ret->capacity > (uint64_t)read_be32(h + 28) * block)
                return image_damaged(ret,
                                     "a capacity of %" PRIu64 " bytes is more than %" PRIu32 " blocks hold",
                                     ret->capacity, read_be32(h + 28));
        if (!reader_has(r, read_be64(h + 16), (uint64_t)read_be32(h + 28) * 4))
                return image_unreadable(ret, -ENODATA, "the block table");

        if (type != VPC_DIFFERENCING)
                return 0;
        ret->backing = utf16_to_utf8(h + VPC_PARENT_NAME, VPC_PARENT_NAME_SIZE, /* big_endian= */ true);
        ret->backing_format = FORMAT_VPC;
        return ret->backing ? 0 : -ENOMEM;
}

/* A fixed disk is the raw data with the footer behind it. Before Virtual PC 2004 the footer had 511 bytes.
 */
int probe_vpc_fixed(ImageReader *r, const uint8_t tail[static TAIL_SIZE], ImageInfo *ret)
{
        uint8_t footer[VPC_FOOTER_SIZE] = {};
        uint64_t data = r->size - VPC_FOOTER_SIZE;
        int k;

        if (memcmp(tail, "conectix", 8) == 0)
                memcpy(footer, tail, sizeof(footer));
        else if (memcmp(tail + 1, "conectix", 8) == 0) {
                memcpy(footer, tail + 1, sizeof(footer) - 1);
                data++;
        } else
                return 0;

        ret->format = FORMAT_VPC;
        k = vpc_footer(footer, ret);
        if (k < 0)
                return k;
        if (!ret->error && ret->capacity > data)
                k = image_damaged(ret, "the footer says %" PRIu64 " bytes, there are %" PRIu64,
                                  ret->capacity, data);
        return k < 0 ? k : 1;
}

enum {
        VHDX_GUID_SIZE = 16,
        VHDX_HEADER_SIZE = 80, /* what we need of it */
        VHDX_REGIONS_MAX = 2047,
        VHDX_REGION_ENTRY = 32,
        VHDX_METADATA_MAX = 2047,
        VHDX_METADATA_ENTRY = 32,
        VHDX_TABLE_READ = 64, /* entries of a table that we look at: six items and two regions are defined */
        VHDX_LOCATOR_MAX = 64,
        VHDX_LOCATOR_VALUE_MAX = 4096,
};

static const uint8_t vhdx_region_metadata[VHDX_GUID_SIZE] = {
        0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e,
};
static const uint8_t vhdx_item_size[VHDX_GUID_SIZE] = {
        0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8,
};
static const uint8_t vhdx_item_parameters[VHDX_GUID_SIZE] = {
        0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d, 0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b,
};
static const uint8_t vhdx_item_parent[VHDX_GUID_SIZE] = {
        0x2d, 0x5f, 0xd3, 0xa8, 0x0b, 0xb3, 0x4d, 0x45, 0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c,
};

/* Two copies of the header; the one with the higher sequence number counts. A log that is named there was
 * not replayed. */
static int vhdx_dirty(ImageReader *r, ImageInfo *ret)
{
        static const uint8_t no_log[VHDX_GUID_SIZE] = {};
        uint64_t sequence = 0;
        bool found = false;

        for (unsigned i = 1; i <= 2; i++) {
                uint8_t h[VHDX_HEADER_SIZE];
                int k;

                k = reader_read(r, (uint64_t)i * 65536, h, sizeof(h));
                if (k < 0)
                        return image_unreadable(ret, k, "the header");
                if (memcmp(h, "head", 4) != 0 || (found && read_le64(h + 8) <= sequence))
                        continue;
                found = true;
                sequence = read_le64(h + 8);
                ret->dirty = memcmp(h + 48, no_log, sizeof(no_log)) != 0;
        }
        return found ? 0 : image_damaged(ret, "there is no header");
}

/* Finds the metadata region in the table at offset. 1, 0 when it is not there (or that table is broken). */
static int vhdx_find_metadata(ImageReader *r, uint64_t offset, uint64_t *ret_metadata)
{
        uint8_t h[16], e[VHDX_REGION_ENTRY];
        uint32_t n;
        int k;

        k = reader_read(r, offset, h, sizeof(h));
        if (k < 0)
                return k;
        n = read_le32(h + 8);
        if (memcmp(h, "regi", 4) != 0 || n > VHDX_REGIONS_MAX)
                return 0;
        for (uint32_t i = 0; i < MIN(n, (uint32_t)VHDX_TABLE_READ); i++) {
                k = reader_read(r, offset + 16 + i * sizeof(e), e, sizeof(e));
                if (k < 0)
                        return k;
                if (memcmp(e, vhdx_region_metadata, VHDX_GUID_SIZE) == 0) {
                        *ret_metadata = read_le64(e + 16);
                        return 1;
                }
        }
        return 0;
}

/* The value behind `key` (a UTF-16LE string of ASCII) of the parent locator at offset; *ret stays when there
 * is none. */
static int vhdx_locator_value(ImageReader *r, uint64_t offset, unsigned n, const char *key, char **ret)
{
        for (unsigned i = 0; i < n; i++) {
                uint8_t e[12], text[VHDX_LOCATOR_VALUE_MAX];
                uint16_t key_length, value_length;
                _cleanup_free_ char *found = NULL;
                int k;

                k = reader_read(r, offset + 20 + i * sizeof(e), e, sizeof(e));
                if (k < 0)
                        return k;
                key_length = read_le16(e + 8);
                value_length = read_le16(e + 10);
                if (key_length != strlen(key) * 2)
                        continue;
                if (value_length > sizeof(text))
                        return -EFBIG;
                k = reader_read(r, offset + read_le32(e), text, key_length);
                if (k < 0)
                        return k;
                found = utf16_to_utf8(text, key_length, /* big_endian= */ false);
                if (!found)
                        return -ENOMEM;
                if (!streq(found, key))
                        continue;
                k = reader_read(r, offset + read_le32(e + 4), text, value_length);
                if (k < 0)
                        return k;
                *ret = utf16_to_utf8(text, value_length, /* big_endian= */ false);
                return *ret ? 0 : -ENOMEM;
        }
        return 0;
}

static int vhdx_parent(ImageReader *r, uint64_t offset, ImageInfo *ret)
{
        static const char *const keys[] = { "relative_path", "absolute_win32_path" };
        uint8_t h[20];
        unsigned n;
        int k;

        k = reader_read(r, offset, h, sizeof(h));
        if (k < 0)
                return k;
        n = read_le16(h + 18);
        if (n > VHDX_LOCATOR_MAX)
                return -EFBIG;
        ret->backing_format = FORMAT_VHDX;
        FOREACH_ELEMENT (key, keys) {
                k = vhdx_locator_value(r, offset, n, *key, &ret->backing);
                if (k < 0 || ret->backing)
                        return k;
        }
        return 0;
}

typedef struct VhdxItems {
        uint64_t size, parameters, parent; /* offsets, 0: not there */
} VhdxItems;

/* Errors as reader_read(); -EBADMSG: not a metadata table. */
static int vhdx_read_table(ImageReader *r, uint64_t metadata, VhdxItems *ret)
{
        uint8_t h[32], e[VHDX_METADATA_ENTRY];
        VhdxItems items = {};
        unsigned n;
        int k;

        k = reader_read(r, metadata, h, sizeof(h));
        if (k < 0)
                return k;
        n = read_le16(h + 10);
        if (memcmp(h, "metadata", 8) != 0 || n > VHDX_METADATA_MAX)
                return -EBADMSG;
        for (unsigned i = 0; i < MIN(n, (unsigned)VHDX_TABLE_READ); i++) {
                uint64_t at;

                k = reader_read(r, metadata + sizeof(h) + i * sizeof(e), e, sizeof(e));
                if (k < 0)
                        return k;
                at = metadata + read_le32(e + 16);
                if (memcmp(e, vhdx_item_size, VHDX_GUID_SIZE) == 0)
                        items.size = at;
                else if (memcmp(e, vhdx_item_parameters, VHDX_GUID_SIZE) == 0)
                        items.parameters = at;
                else if (memcmp(e, vhdx_item_parent, VHDX_GUID_SIZE) == 0)
                        items.parent = at;
        }
        *ret = items;
        return 0;
}

static int vhdx_metadata(ImageReader *r, uint64_t metadata, ImageInfo *ret)
{
        VhdxItems items = {};
        uint8_t v[8];
        int k;

        k = vhdx_read_table(r, metadata, &items);
        if (k == -EBADMSG || (k == 0 && (items.size == 0 || items.parameters == 0)))
                return image_damaged(ret, "the metadata table is broken");
        if (k < 0)
                return image_unreadable(ret, k, "the metadata table");

        k = reader_read(r, items.size, v, sizeof(v));
        if (k < 0)
                return image_unreadable(ret, k, "the size of the disk");
        ret->capacity = read_le64(v);
        k = reader_read(r, items.parameters, v, sizeof(v));
        if (k < 0)
                return image_unreadable(ret, k, "the size of the blocks");
        ret->cluster_size = read_le32(v);

        if (!(read_le32(v + 4) & 2)) /* has no parent */
                return 0;
        k = items.parent ? vhdx_parent(r, items.parent, ret) : -ENODATA;
        if (k < 0)
                return image_unreadable(ret, k, "the parent locator");
        return 0;
}

int probe_vhdx(ImageReader *r, ImageInfo *ret)
{
        uint64_t metadata = 0;
        int k;

        k = vhdx_dirty(r, ret);
        if (k < 0 || ret->error)
                return k;
        k = vhdx_find_metadata(r, 192 * 1024, &metadata);
        if (k == 0)
                k = vhdx_find_metadata(r, 256 * 1024, &metadata);
        if (k < 0)
                return image_unreadable(ret, k, "the region table");
        if (k == 0)
                return image_damaged(ret, "the region table is broken");
        if (metadata > INT64_MAX)
                return image_unreadable(ret, -ENODATA, "the metadata table");
        return vhdx_metadata(r, metadata, ret);
}
