/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Image headers. Input: the file's size (8 bytes), then pieces of its contents: where (4 bytes, in units of
 * 64; with the top bit set counted back from the end), length (2 bytes), bytes; all little-endian. So a
 * short input can be an image of terabytes with tables far behind its header. */
#include <endian.h>
#include <sys/mman.h>

#include "fuzz.h"
#include "image/image.h"
#include "util/snapshot-list.h"

#define UNIT 64u
#define FROM_END (UINT32_C(1) << 31)
#define FILE_SIZE_MAX (UINT64_C(1) << 50)

static void check(const ImageInfo *i, uint64_t size)
{
        if (i->capacity > INT64_MAX && i->capacity != size)
                abort();
        if (i->error && i->capacity != size)
                abort();
        if (i->snapshots && !snapshot_list_is_valid(i->snapshots))
                abort();
        for (const char *v = i->variant; v && *v; v++)
                if (*v < 0x20 || *v > 0x7e)
                        abort();
        for (const char *v = i->error; v && *v; v++)
                if (*v < 0x20 || *v > 0x7e)
                        abort();
}

static uint64_t take(const uint8_t **data, size_t *n, size_t width)
{
        uint64_t v = 0;

        if (*n < width) {
                *n = 0;
                return 0;
        }
        memcpy(&v, *data, width);
        *data += width;
        *n -= width;
        return le64toh(v);
}

static void write_piece(int fd, uint64_t size, const uint8_t **data, size_t *n)
{
        uint32_t where = (uint32_t)take(data, n, 4);
        size_t length = (size_t)take(data, n, 2);
        uint64_t at = (uint64_t)(where & ~FROM_END) * UNIT;

        length = MIN(length, *n);
        if (where & FROM_END)
                at = at <= size ? size - at : 0;
        if (at < size) {
                size_t inside = (size_t)MIN(size - at, (uint64_t)length);

                if (pwrite(fd, *data, inside, (off_t)at) != (ssize_t)inside)
                        abort();
        }
        *data += length;
        *n -= length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL, j = IMAGE_INFO_NULL;
        static int fd = -EBADF;
        uint64_t size;

        size = take(&data, &n, 8) % FILE_SIZE_MAX;
        if (fd < 0)
                fd = memfd_create("fuzz-image", MFD_CLOEXEC);
        if (fd < 0 || ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)size) < 0)
                abort();
        while (n > 0)
                write_piece(fd, size, &data, &n);

        if (image_probe(fd, size, IMAGE_PROBE_CONTENT, &i) < 0)
                abort();
        check(&i, size);
        /* a file that has become shorter since its size was asked */
        if (image_probe(fd, UINT64_MAX, 0, &j) == 0)
                check(&j, UINT64_MAX);
        return 0;
}
