/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qcow, qcow2 and qed, as in QEMU's docs/interop/qcow2.txt and docs/specs/qed_spec.txt. */
#include "formats.h"

#include <inttypes.h>

#define QCOW_HEADER_SIZE 48u
#define QCOW2_HEADER_SIZE_V2 72u
#define QCOW2_HEADER_SIZE_V3 104u
#define QED_HEADER_SIZE 64u

#define BACKING_NAME_MAX 1023u     /* all three formats */
#define QCOW2_EXTENSIONS_MAX 32u   /* six are defined, each at most once */
#define QCOW2_SNAPSHOTS_MAX 65536u /* QEMU's limit */

enum {
        QCOW2_INCOMPATIBLE_DIRTY = 1 << 0,
        QCOW2_INCOMPATIBLE_CORRUPT = 1 << 1,
        QCOW2_INCOMPATIBLE_DATA_FILE = 1 << 2,
        QCOW2_INCOMPATIBLE_COMPRESSION = 1 << 3,
        QCOW2_INCOMPATIBLE_EXTENDED_L2 = 1 << 4,
        QCOW2_INCOMPATIBLE_KNOWN = (1 << 5) - 1,
        QCOW2_COMPATIBLE_LAZY_REFCOUNTS = 1 << 0,

        QCOW2_EXTENSION_END = 0,
        QCOW2_EXTENSION_DATA_FILE = 0x44415441,

        QED_BACKING_FILE = 1 << 0,
        QED_NEED_CHECK = 1 << 1,
        QED_BACKING_RAW = 1 << 2,
        QED_KNOWN = (1 << 3) - 1,
};
#define QCOW2_EXTENSION_BACKING_FORMAT 0xe2792acau

static int read_backing(ImageReader *r, uint64_t offset, uint32_t length, ImageInfo *ret)
{
        int k;

        if (length > BACKING_NAME_MAX)
                return image_damaged(ret, "the name of the backing file has %" PRIu32 " bytes, more than %u",
                                     length, BACKING_NAME_MAX);
        k = reader_string(r, offset, length, &ret->backing);
        if (k < 0)
                return image_unreadable(ret, k, "the name of the backing file");
        return 0;
}

static int probe_qcow1(ImageReader *r, ImageInfo *ret)
{
        uint8_t h[QCOW_HEADER_SIZE];
        uint64_t backing_offset;
        uint8_t cluster_bits;
        int k;

        ret->format = FORMAT_QCOW;
        k = reader_read(r, 0, h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header");

        ret->capacity = read_be64(h + 24);
        cluster_bits = h[32];
        if (cluster_bits < 9 || cluster_bits > 16)
                return image_damaged(ret, "the cluster size is 2^%u, not 2^9 to 2^16", cluster_bits);
        ret->cluster_size = 1u << cluster_bits;

        switch (read_be32(h + 36)) {
        case 0:
                break;
        case 1:
                ret->encrypted = true;
                ret->encryption = "aes";
                break;
        default:
                return image_damaged(ret, "the encryption method %" PRIu32 " is not known",
                                     read_be32(h + 36));
        }

        if (!reader_has(r, read_be64(h + 40), 1))
                return image_unreadable(ret, -ENODATA, "the L1 table");
        backing_offset = read_be64(h + 8);
        if (backing_offset == 0)
                return 0;
        return read_backing(r, backing_offset, read_be32(h + 16), ret);
}

/* The L1 table must be there, and long enough for the capacity that the header claims. */
static int check_l1(ImageReader *r, const uint8_t *h, unsigned cluster_bits, ImageInfo *ret)
{
        uint64_t entries = read_be32(h + 36), needed;
        unsigned covered_bits; /* of what one L1 entry maps: one L2 table, of one cluster */

        covered_bits = cluster_bits + cluster_bits - (ret->extended_l2 ? 4 : 3);
        needed = (ret->capacity >> covered_bits) +
                 ((ret->capacity & ((UINT64_C(1) << covered_bits) - 1)) != 0);
        if (entries < needed)
                return image_damaged(ret,
                                     "a capacity of %" PRIu64 " bytes needs %" PRIu64
                                     " L1 entries, there are %" PRIu64,
                                     ret->capacity, needed, entries);
        if (!reader_has(r, read_be64(h + 40), entries * 8))
                return image_unreadable(ret, -ENODATA, "the L1 table");
        return 0;
}

static int read_extension(ImageReader *r, uint32_t type, uint64_t offset, uint32_t length, ImageInfo *ret)
{
        _cleanup_free_ char *name = NULL;
        ImageFormat f;
        int k;

        if (type == QCOW2_EXTENSION_DATA_FILE && !ret->data_file) {
                if (length > BACKING_NAME_MAX)
                        return image_damaged(ret,
                                             "the name of the data file has %" PRIu32 " bytes, more than %u",
                                             length, BACKING_NAME_MAX);
                k = reader_string(r, offset, length, &ret->data_file);
                return k < 0 ? image_unreadable(ret, k, "the name of the data file") : 0;
        }
        if (type != QCOW2_EXTENSION_BACKING_FORMAT)
                return 0;

        if (length > 15) /* QEMU's limit */
                return image_damaged(ret, "the name of the backing format has %" PRIu32 " bytes", length);
        k = reader_string(r, offset, length, &name);
        if (k < 0)
                return image_unreadable(ret, k, "the backing format");
        f = image_format_from_string(name);
        ret->backing_format = f > FORMAT_NONE ? f : FORMAT_NONE;
        return 0;
}

static int read_extensions(ImageReader *r, uint64_t offset, uint64_t end, ImageInfo *ret)
{
        for (unsigned i = 0; offset + 8 <= end; i++) {
                uint32_t type, length;
                uint8_t h[8];
                int k;

                if (i == QCOW2_EXTENSIONS_MAX)
                        return image_damaged(ret, "there are more than %u header extensions",
                                             QCOW2_EXTENSIONS_MAX);
                k = reader_read(r, offset, h, sizeof(h));
                if (k < 0)
                        return image_unreadable(ret, k, "a header extension");
                type = read_be32(h);
                length = read_be32(h + 4);
                offset += 8;
                if (type == QCOW2_EXTENSION_END)
                        return 0;
                if (length > end - offset)
                        return image_damaged(
                                ret, "a header extension of %" PRIu32 " bytes does not fit into the header",
                                length);
                k = read_extension(r, type, offset, length, ret);
                if (k < 0)
                        return k;
                offset += ((uint64_t)length + 7) & ~UINT64_C(7);
        }
        return 0;
}

/* The fields that version 3 added. Sets where the extensions begin. */
static int read_version3(ImageReader *r, uint32_t *ret_header_length, ImageInfo *ret)
{
        uint8_t h[QCOW2_HEADER_SIZE_V3];
        uint64_t incompatible;
        uint32_t length;
        int k;

        k = reader_read(r, 0, h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header");

        length = read_be32(h + 100);
        if (length < QCOW2_HEADER_SIZE_V3 || length % 8 != 0 || length > ret->cluster_size)
                return image_damaged(ret, "a header of %" PRIu32 " bytes cannot be", length);
        incompatible = read_be64(h + 72);
        if (incompatible & ~(uint64_t)QCOW2_INCOMPATIBLE_KNOWN)
                return image_damaged(ret, "the image needs features that are not known (0x%" PRIx64 ")",
                                     incompatible & ~(uint64_t)QCOW2_INCOMPATIBLE_KNOWN);
        if (read_be32(h + 96) > 6)
                return image_damaged(ret, "the reference counts are 2^%" PRIu32 " bits wide",
                                     read_be32(h + 96));

        ret->dirty = incompatible & (QCOW2_INCOMPATIBLE_DIRTY | QCOW2_INCOMPATIBLE_CORRUPT);
        ret->extended_l2 = incompatible & QCOW2_INCOMPATIBLE_EXTENDED_L2;
        ret->lazy_refcounts = read_be64(h + 80) & QCOW2_COMPATIBLE_LAZY_REFCOUNTS;
        if (ret->extended_l2 && ret->cluster_size < 16384)
                return image_damaged(
                        ret, "extended L2 entries need clusters of 16 KiB, these have %" PRIu32 " bytes",
                        ret->cluster_size);
        *ret_header_length = length;
        return 0;
}

static int read_qcow2_encryption(uint32_t method, ImageInfo *ret)
{
        if (method > 2)
                return image_damaged(ret, "the encryption method %" PRIu32 " is not known", method);
        ret->encrypted = method != 0;
        ret->encryption = method == 2 ? "luks" : method == 1 ? "aes" : NULL;
        return 0;
}

static int check_snapshots(ImageReader *r, const uint8_t *h, ImageInfo *ret)
{
        uint32_t n = read_be32(h + 60);
        int k;

        if (n > QCOW2_SNAPSHOTS_MAX)
                return image_damaged(ret, "%" PRIu32 " snapshots are more than there can be", n);
        /* one entry has at least 40 bytes */
        if (n > 0 && !reader_has(r, read_be64(h + 64), (uint64_t)n * 40))
                return image_unreadable(ret, -ENODATA, "the snapshot table");
        ret->n_snapshots = n;
        if (n == 0)
                return 0;
        k = qcow_snapshots(r, read_be64(h + 64), n, &ret->snapshots);
        return k < 0 ? image_unreadable(ret, k, "the snapshot table") : 0;
}

static int probe_qcow2(ImageReader *r, ImageInfo *ret)
{
        uint32_t header_length = QCOW2_HEADER_SIZE_V2, cluster_bits;
        uint8_t h[QCOW2_HEADER_SIZE_V2];
        uint64_t backing_offset, extensions_end;
        int k;

        k = reader_read(r, 0, h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header");

        ret->capacity = read_be64(h + 24);
        cluster_bits = read_be32(h + 20);
        if (cluster_bits < 9 || cluster_bits > 21)
                return image_damaged(ret, "the cluster size is 2^%" PRIu32 ", not 2^9 to 2^21",
                                     cluster_bits);
        ret->cluster_size = 1u << cluster_bits;

        k = read_qcow2_encryption(read_be32(h + 32), ret);
        if (k < 0)
                return k;
        if (ret->version >= 3) {
                k = read_version3(r, &header_length, ret);
                if (k < 0 || ret->error)
                        return k;
        }

        backing_offset = read_be64(h + 8);
        extensions_end =
                backing_offset >= header_length ? MIN(backing_offset, ret->cluster_size) : ret->cluster_size;
        k = read_extensions(r, header_length, MIN(extensions_end, r->size), ret);
        if (k < 0)
                return k;
        if (backing_offset != 0) {
                k = read_backing(r, backing_offset, read_be32(h + 16), ret);
                if (k < 0)
                        return k;
        }
        k = check_snapshots(r, h, ret);
        if (k < 0)
                return k;
        return check_l1(r, h, cluster_bits, ret);
}

int probe_qcow(ImageReader *r, ImageInfo *ret)
{
        uint8_t h[8];
        uint32_t version;
        int k;

        k = reader_read(r, 0, h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header");

        version = read_be32(h + 4);
        if (version == 1)
                return probe_qcow1(r, ret);
        if (version != 2 && version != 3)
                return image_damaged(ret, "version %" PRIu32 " of qcow2 is not known", version);
        ret->version = version;
        return probe_qcow2(r, ret);
}

int probe_qed(ImageReader *r, ImageInfo *ret)
{
        uint8_t h[QED_HEADER_SIZE];
        uint64_t features;
        uint32_t cluster_size;
        int k;

        k = reader_read(r, 0, h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header");

        ret->capacity = read_le64(h + 48);
        cluster_size = read_le32(h + 4);
        if (!is_power_of_two(cluster_size) || cluster_size < 1u << 12 || cluster_size > 1u << 26)
                return image_damaged(
                        ret, "the cluster size is %" PRIu32 ", not a power of two from 4 KiB to 64 MiB",
                        cluster_size);
        ret->cluster_size = cluster_size;

        features = read_le64(h + 16);
        if (features & ~(uint64_t)QED_KNOWN)
                return image_damaged(ret, "the image needs features that are not known (0x%" PRIx64 ")",
                                     features & ~(uint64_t)QED_KNOWN);
        ret->dirty = features & QED_NEED_CHECK;
        if (!reader_has(r, read_le64(h + 40), 1))
                return image_unreadable(ret, -ENODATA, "the L1 table");

        if (!(features & QED_BACKING_FILE))
                return 0;
        if (features & QED_BACKING_RAW)
                ret->backing_format = FORMAT_RAW;
        return read_backing(r, read_le32(h + 56), read_le32(h + 60), ret);
}
