/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMware's disks: the sparse extent with its embedded descriptor, the old ESX extent, and the descriptor as
 * a text file. Facts from VMware's "Virtual Disk Format 1.1" note. */
#include "formats.h"

#include <inttypes.h>

#define SECTOR 512u
#define DESCRIPTOR_MAX (60u * 1024)

enum {
        SPARSE_HEADER_SIZE = 79,
        COWD_HEADER_SIZE = 20,
};

/* The value of a `key=value` or `key="value"` line as a new string, in *ret; untouched when the line is
 * another. */
static int line_value(const char *line, const char *key, char **ret)
{
        const char *v;
        size_t n;
        char *s;

        v = startswith(line, key);
        if (!v)
                return 0;
        v += strspn(v, " \t");
        if (*v != '=')
                return 0;
        v++;
        v += strspn(v, " \t");
        if (*v == '"') {
                v++;
                n = strcspn(v, "\"");
        } else
                n = strcspn(v, " \t\r");

        s = strndup(v, n);
        if (!s)
                return -ENOMEM;
        free(*ret);
        *ret = s;
        return 0;
}

/* `RW 204800 FLAT "disk-flat.vmdk" 0`: the sectors, or 0 when the line is no extent. */
static bool line_extent(const char *line, uint64_t *ret_sectors)
{
        static const char *const access[] = { "RW ", "RDONLY ", "NOACCESS " };

        FOREACH_ELEMENT (a, access) {
                const char *s = startswith(line, *a);
                unsigned long long v;
                char *end;

                if (!s || *s < '0' || *s > '9')
                        continue;
                errno = 0;
                v = strtoull(s, &end, 10);
                if (errno != 0 || *end != ' ')
                        v = UINT64_MAX;
                *ret_sectors = v;
                return true;
        }
        return false;
}

typedef struct Descriptor {
        char *create_type, *parent, *parent_cid;
        uint64_t sectors; /* of all extents, UINT64_MAX: more than can be */
        unsigned n_extents;
} Descriptor;

static void descriptor_done(Descriptor *d)
{
        free(d->create_type);
        free(d->parent);
        free(d->parent_cid);
}

static int parse_line(const char *line, Descriptor *d)
{
        uint64_t sectors;
        int k;

        if (line_extent(line, &sectors)) {
                d->n_extents++;
                if (__builtin_add_overflow(d->sectors, sectors, &d->sectors))
                        d->sectors = UINT64_MAX;
                return 0;
        }
        k = line_value(line, "createType", &d->create_type);
        if (k < 0)
                return k;
        k = line_value(line, "parentCID", &d->parent_cid);
        if (k < 0)
                return k;
        return line_value(line, "parentFileNameHint", &d->parent);
}

/* The text is cut into lines in place. */
static int parse_descriptor(char *text, Descriptor *d)
{
        char *state = NULL;

        for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
                int k = parse_line(line + strspn(line, " \t"), d);

                if (k < 0)
                        return k;
        }
        return 0;
}

/* Type and parent; the capacity is the sparse header's or the sum of the extents. */
static int take_descriptor(Descriptor *d, ImageInfo *ret)
{
        if (d->create_type) {
                ret->variant = printable_ascii((const uint8_t *)d->create_type, strnlen(d->create_type, 64));
                if (!ret->variant)
                        return -ENOMEM;
        }
        if (!isempty(d->parent) && !(d->parent_cid && strcasecmp(d->parent_cid, "ffffffff") == 0)) {
                ret->backing = TAKE_PTR(d->parent);
                ret->backing_format = FORMAT_VMDK; /* a parent is never anything else */
        }
        return 0;
}

static int read_descriptor(ImageReader *r, uint64_t offset, uint64_t length, Descriptor *d, ImageInfo *ret)
{
        _cleanup_free_ char *text = NULL;
        int k;

        if (length > DESCRIPTOR_MAX)
                return image_damaged(ret, "a descriptor of %" PRIu64 " bytes is longer than any real one",
                                     length);
        k = reader_string(r, offset, (size_t)length, &text);
        if (k < 0)
                return image_unreadable(ret, k, "the descriptor");
        k = parse_descriptor(text, d);
        if (k < 0)
                return k;
        return take_descriptor(d, ret);
}

static uint64_t sectors_to_bytes(uint64_t sectors)
{
        return sectors > UINT64_MAX / SECTOR ? UINT64_MAX : sectors * SECTOR;
}

int probe_vmdk_sparse(ImageReader *r, ImageInfo *ret)
{
        _cleanup_(descriptor_done) Descriptor d = {};
        uint8_t h[SPARSE_HEADER_SIZE];
        uint64_t grain, offset;
        uint32_t version;
        int k;

        k = reader_read(r, 0, h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header");

        version = read_le32(h + 4);
        if (version < 1 || version > 3)
                return image_damaged(ret, "version %" PRIu32 " of vmdk is not known", version);
        ret->capacity = sectors_to_bytes(read_le64(h + 12));
        grain = read_le64(h + 20);
        if (!is_power_of_two(grain) || grain > 1u << 17)
                return image_damaged(ret, "a grain of %" PRIu64 " sectors cannot be", grain);
        ret->cluster_size = (uint32_t)grain * SECTOR;
        ret->dirty = h[72] != 0;

        offset = read_le64(h + 28);
        if (offset == 0) /* one extent of several: its descriptor is another file */
                return 0;
        if (offset > r->size / SECTOR)
                return image_unreadable(ret, -ENODATA, "the descriptor");
        return read_descriptor(r, offset * SECTOR, sectors_to_bytes(read_le64(h + 36)), &d, ret);
}

int probe_vmdk_cowd(ImageReader *r, ImageInfo *ret)
{
        uint8_t h[COWD_HEADER_SIZE];
        int k;

        k = reader_read(r, 0, h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header");
        ret->capacity = (uint64_t)read_le32(h + 12) * SECTOR;
        ret->cluster_size = read_le32(h + 16) <= 1u << 17 ? read_le32(h + 16) * SECTOR : 0;
        return 0;
}

int probe_vmdk_text(ImageReader *r, ImageInfo *ret)
{
        _cleanup_(descriptor_done) Descriptor d = {};
        int k;

        k = read_descriptor(r, 0, r->size, &d, ret);
        if (k < 0 || ret->error)
                return k;
        if (d.n_extents == 0)
                return image_damaged(ret, "the descriptor names no extent");
        ret->capacity = sectors_to_bytes(d.sectors);
        return 0;
}
