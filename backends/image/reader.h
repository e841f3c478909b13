/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a header that may lie about itself: every byte comes through one function that knows the file's
 * end and keeps a budget, so that no header can make a probe read much, read outside, or read for long. */
#pragma once

#include <endian.h>

#include "image.h"

#define READER_BUDGET_BYTES (384u * 1024)
#define READER_BUDGET_READS 256u

typedef struct ImageReader {
        const uint8_t *head; /* what was read already, from offset 0 */
        size_t n_head;
        int fd;
        uint64_t size;
        size_t bytes_left; /* of the budget */
        unsigned reads_left;
} ImageReader;

/* Copies n bytes from offset. -ENODATA: not wholly within the file; -EFBIG: over the budget; else an I/O
 * error. */
int reader_read(ImageReader *r, uint64_t offset, void *ret, size_t n);

/* True when n bytes at offset lie within the file. */
bool reader_has(const ImageReader *r, uint64_t offset, uint64_t n);

/* A new string of the n bytes at offset, ended at its first NUL. Errors as above, -ENOMEM. */
int reader_string(ImageReader *r, uint64_t offset, size_t n, char **ret);

/* Notes what is wrong with the header; the first one stays. The text must be printable. 0 or -ENOMEM. */
int image_damaged(ImageInfo *i, const char *format, ...) _printf_(2, 3);

/* For the outcome of reader_read(): a short file or a spent budget is the header's fault (noted, 0), the
 * rest ours. */
int image_unreadable(ImageInfo *i, int error, const char *what);

/* A new string of the n bytes, at most up to the first NUL, without blanks at its end; what is not printable
 * ASCII becomes '?'. NULL: out of memory. */
char *printable_ascii(const uint8_t *text, size_t n);

/* UTF-16 (n bytes, ended early by a NUL) as a new UTF-8 string; lone surrogates become U+FFFD. NULL: out of
 * memory. */
char *utf16_to_utf8(const uint8_t *text, size_t n, bool big_endian);

static inline uint16_t read_be16(const uint8_t *p)
{
        uint16_t v;

        memcpy(&v, p, sizeof(v));
        return be16toh(v);
}

static inline uint32_t read_be32(const uint8_t *p)
{
        uint32_t v;

        memcpy(&v, p, sizeof(v));
        return be32toh(v);
}

static inline uint64_t read_be64(const uint8_t *p)
{
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        return be64toh(v);
}

static inline uint16_t read_le16(const uint8_t *p)
{
        uint16_t v;

        memcpy(&v, p, sizeof(v));
        return le16toh(v);
}

static inline uint32_t read_le32(const uint8_t *p)
{
        uint32_t v;

        memcpy(&v, p, sizeof(v));
        return le32toh(v);
}

static inline uint64_t read_le64(const uint8_t *p)
{
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        return le64toh(v);
}

static inline bool is_power_of_two(uint64_t v)
{
        return v != 0 && (v & (v - 1)) == 0;
}
