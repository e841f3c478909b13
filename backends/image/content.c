/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is on a raw image: a partition table or a file system, asked of libblkid.
 *
 * libblkid follows what it reads (a FAT's clusters, a GPT's entry array of up to 4 GiB), so it gets a copy:
 * the first 256 KiB of the image in a memfd that ends at 2 MiB. That bounds the reads and the memory
 * whatever the header says, holds still while a guest writes, and has every superblock of the usual file
 * systems (the deepest, btrfs, is at 64 KiB). Two things need more of the disk and are seen by their magic
 * alone: GPT (entries up to the end) and NTFS (its file table may be anywhere). */
#include "formats.h"

#include <blkid/blkid.h>
#include <sys/mman.h>

enum {
        WINDOW_DATA = 256 * 1024,
        WINDOW_SIZE = 2 * 1024 * 1024,
        COPY_SIZE = 32 * 1024,
};

static int copy_head(ImageReader *r, int window)
{
        uint8_t block[COPY_SIZE];
        uint64_t end = MIN(r->size, (uint64_t)WINDOW_DATA);
        size_t n;
        int k;

        for (uint64_t at = 0; at < end; at += n) {
                n = (size_t)MIN(end - at, (uint64_t)COPY_SIZE);
                k = reader_read(r, at, block, n);
                if (k < 0)
                        return k;
                if (pwrite(window, block, n, (off_t)at) != (ssize_t)n)
                        return -EIO;
        }
        if (ftruncate(window, (off_t)MIN(r->size, (uint64_t)WINDOW_SIZE)) < 0)
                return -errno;
        return 0;
}

/* The header of a GPT is in the second sector, of 512 or of 4096 bytes. */
static bool has_gpt(ImageReader *r)
{
        uint8_t magic[8];

        for (unsigned sector = 512; sector <= 4096; sector *= 8)
                if (reader_read(r, sector, magic, sizeof(magic)) == 0 &&
                    memcmp(magic, "EFI PART", sizeof(magic)) == 0)
                        return true;
        return false;
}

static bool has_ntfs(ImageReader *r)
{
        uint8_t magic[8];

        return reader_read(r, 3, magic, sizeof(magic)) == 0 && memcmp(magic, "NTFS    ", sizeof(magic)) == 0;
}

/* The type that libblkid names, borrowed from the probe; NULL: none, or several that contradict each other.
 */
static const char *ask_blkid(blkid_probe p)
{
        char *gpt[] = { (char *)"gpt", NULL };
        const char *type = NULL;

        if (blkid_probe_enable_superblocks(p, 1) < 0 ||
            blkid_probe_set_superblocks_flags(p, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_MAGIC) < 0 ||
            blkid_probe_enable_partitions(p, 1) < 0 ||
            blkid_probe_filter_partitions_type(p, BLKID_FLTR_NOTIN, gpt) < 0)
                return NULL;
        if (blkid_do_safeprobe(p) != 0)
                return NULL;
        if (blkid_probe_lookup_value(p, "TYPE", &type, NULL) == 0 ||
            blkid_probe_lookup_value(p, "PTTYPE", &type, NULL) == 0)
                return type;
        return NULL;
}

static int probe_window(int window, ImageInfo *ret)
{
        const char *type;
        blkid_probe p;
        int k = 0;

        p = blkid_new_probe();
        if (!p)
                return -ENOMEM;
        if (blkid_probe_set_device(p, window, 0, 0) == 0) {
                type = ask_blkid(p);
                k = type ? free_and_strdup(&ret->variant, type) : 0;
        }
        blkid_free_probe(p);
        return k;
}

int probe_content(ImageReader *r, ImageInfo *ret)
{
        _cleanup_close_ int window = -EBADF;
        int k;

        if (has_gpt(r))
                return free_and_strdup(&ret->variant, "gpt");
        if (has_ntfs(r))
                return free_and_strdup(&ret->variant, "ntfs");

        window = memfd_create("image", MFD_CLOEXEC);
        if (window < 0)
                return -errno;
        k = copy_head(r, window);
        if (k == -ENODATA) /* shrank under our hands */
                return 0;
        if (k < 0)
                return k;
        return probe_window(window, ret);
}
