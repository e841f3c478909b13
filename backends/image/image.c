/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which format: a table of magics for the first block, then the few formats that have theirs elsewhere. */
#include "image.h"

#include <inttypes.h>

#include "formats.h"

#define HEAD_SIZE 4096u

typedef struct Magic {
        const char *bytes;
        uint8_t length, offset;
        ImageFormat format;
        int (*probe)(ImageReader *r, ImageInfo *ret);
} Magic;

#define MAGIC(s, at, f, p)                                                                         \
        {                                                                                          \
                .bytes = (s), .length = sizeof(s) - 1, .offset = (at), .format = (f), .probe = (p) \
        }

/* Usual ones first. */
static const Magic magics[] = {
        MAGIC("QFI\xfb", 0, FORMAT_QCOW2, probe_qcow),
        MAGIC("QED\0", 0, FORMAT_QED, probe_qed),
        MAGIC("KDMV", 0, FORMAT_VMDK, probe_vmdk_sparse),
        MAGIC("COWD", 0, FORMAT_VMDK, probe_vmdk_cowd),
        MAGIC("# Disk DescriptorFile", 0, FORMAT_VMDK, probe_vmdk_text),
        MAGIC("conectix", 0, FORMAT_VPC, probe_vpc),
        MAGIC("vhdxfile", 0, FORMAT_VHDX, probe_vhdx),
        MAGIC("LUKS\xba\xbe", 0, FORMAT_LUKS, probe_luks),
        MAGIC("Bochs Virtual HD Image", 0, FORMAT_BOCHS, probe_bochs),
        MAGIC("#!/bin/sh\n#V2.0 Format\nmodprobe cloop", 0, FORMAT_CLOOP, probe_cloop),
        MAGIC("OOOM", 0, FORMAT_COW, probe_cow),
        MAGIC("WithoutFreeSpace", 0, FORMAT_PLOOP, probe_ploop),
        MAGIC("WithouFreSpacExt", 0, FORMAT_PLOOP, probe_ploop),
        MAGIC("\x7f\x10\xda\xbe", 64, FORMAT_VDI, probe_vdi),
};

static const Magic *find_magic(const uint8_t *head, size_t n)
{
        FOREACH_ELEMENT (m, magics)
                if (n >= (size_t)m->offset + m->length && memcmp(head + m->offset, m->bytes, m->length) == 0)
                        return m;
        return NULL;
}

/* At most two reads: the last sector (vpc, dmg) and the one at 32 KiB (iso). */
static int probe_elsewhere(ImageReader *r, ImageInfo *ret)
{
        uint8_t tail[TAIL_SIZE];
        int k;

        if (r->size >= TAIL_SIZE) {
                k = reader_read(r, r->size - TAIL_SIZE, tail, sizeof(tail));
                if (k < 0)
                        return k == -ENODATA ? 0 : k;
                k = probe_vpc_fixed(r, tail, ret);
                if (k != 0)
                        return k;
                k = probe_dmg(r, tail, ret);
                if (k != 0)
                        return k;
        }
        return probe_iso(r, ret);
}

static int probe(ImageReader *r, ImageProbeFlags flags, ImageInfo *ret)
{
        const Magic *m;
        int k;

        m = find_magic(r->head, r->n_head);
        if (m) {
                ret->format = m->format;
                return m->probe(r, ret);
        }
        k = probe_elsewhere(r, ret);
        if (k < 0)
                return k;
        if (ret->format == FORMAT_RAW && (flags & IMAGE_PROBE_CONTENT))
                return probe_content(r, ret);
        return 0;
}

int image_probe_head(const uint8_t *head, size_t n, int fd, uint64_t size, ImageProbeFlags flags,
                     ImageInfo *ret)
{
        _cleanup_image_ ImageInfo i = { .format = FORMAT_RAW, .capacity = size };
        ImageReader r = {
                .head = head,
                .n_head = n,
                .fd = fd,
                .size = size,
                .bytes_left = READER_BUDGET_BYTES,
                .reads_left = READER_BUDGET_READS,
        };
        int k;

        k = probe(&r, flags, &i);
        if (k < 0)
                return k;
        if (i.capacity > INT64_MAX) {
                k = image_damaged(&i, "a capacity of %" PRIu64 " bytes is more than any disk can have",
                                  i.capacity);
                if (k < 0)
                        return k;
        }
        if (i.error)
                i.capacity = size;

        *ret = i;
        i = IMAGE_INFO_NULL;
        return 0;
}

int image_probe(int fd, uint64_t size, ImageProbeFlags flags, ImageInfo *ret)
{
        uint8_t head[HEAD_SIZE];
        ssize_t n;

        do
                n = pread(fd, head, sizeof(head), 0);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        return image_probe_head(head, (size_t)n, fd, size, flags, ret);
}

void image_info_done(ImageInfo *i)
{
        free(i->backing);
        free(i->data_file);
        free(i->snapshots);
        free(i->variant);
        free(i->error);
        *i = IMAGE_INFO_NULL;
}
