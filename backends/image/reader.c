/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader.h"

#include <stdarg.h>

bool reader_has(const ImageReader *r, uint64_t offset, uint64_t n)
{
        return offset <= r->size && n <= r->size - offset;
}

int reader_read(ImageReader *r, uint64_t offset, void *ret, size_t n)
{
        size_t done = 0;

        if (!reader_has(r, offset, n))
                return -ENODATA;
        if (offset <= r->n_head && n <= r->n_head - offset) {
                memcpy(ret, r->head + offset, n);
                return 0;
        }
        if (n > r->bytes_left)
                return -EFBIG;

        while (done < n) {
                ssize_t k;

                if (r->reads_left == 0)
                        return -EFBIG;
                r->reads_left--;

                k = pread(r->fd, (uint8_t *)ret + done, n - done, (off_t)(offset + done));
                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0) /* shrank under our hands */
                        return -ENODATA;
                done += (size_t)k;
                r->bytes_left -= (size_t)k;
        }
        return 0;
}

int reader_string(ImageReader *r, uint64_t offset, size_t n, char **ret)
{
        _cleanup_free_ char *s = NULL;
        int k;

        if (!reader_has(r, offset, n))
                return -ENODATA;
        if (n > r->bytes_left)
                return -EFBIG;

        s = malloc(n + 1);
        if (!s)
                return -ENOMEM;
        k = reader_read(r, offset, s, n);
        if (k < 0)
                return k;
        s[n] = '\0';

        *ret = TAKE_PTR(s);
        return 0;
}

int image_damaged(ImageInfo *i, const char *format, ...)
{
        va_list ap;
        int k;

        if (i->error)
                return 0;

        va_start(ap, format);
        k = vasprintf(&i->error, format, ap);
        va_end(ap);
        if (k < 0) {
                i->error = NULL;
                return -ENOMEM;
        }
        return 0;
}

int image_unreadable(ImageInfo *i, int error, const char *what)
{
        if (error == -ENODATA)
                return image_damaged(i, "the file is cut short: %s is behind its end", what);
        if (error == -EFBIG)
                return image_damaged(i, "%s is longer than any real one", what);
        return error;
}

char *printable_ascii(const uint8_t *text, size_t n)
{
        char *s;

        n = strnlen((const char *)text, n);
        while (n > 0 && text[n - 1] == ' ')
                n--;

        s = malloc(n + 1);
        if (!s)
                return NULL;
        for (size_t i = 0; i < n; i++)
                s[i] = text[i] >= 0x20 && text[i] < 0x7f ? (char)text[i] : '?';
        s[n] = '\0';
        return s;
}

/* The next character of the UTF-16 text at *at, which is moved on. */
static uint32_t utf16_next(const uint8_t *text, size_t n, bool big_endian, size_t *at)
{
        uint32_t c, low;

        c = big_endian ? read_be16(text + *at) : read_le16(text + *at);
        *at += 2;
        if (c < 0xd800 || c > 0xdfff)
                return c;
        if (c > 0xdbff || *at + 2 > n)
                return 0xfffd;

        low = big_endian ? read_be16(text + *at) : read_le16(text + *at);
        if (low < 0xdc00 || low > 0xdfff)
                return 0xfffd;
        *at += 2;
        return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

static size_t utf8_put(char *to, uint32_t c)
{
        if (c < 0x80) {
                to[0] = (char)c;
                return 1;
        }
        if (c < 0x800) {
                to[0] = (char)(0xc0 | c >> 6);
                to[1] = (char)(0x80 | (c & 0x3f));
                return 2;
        }
        if (c < 0x10000) {
                to[0] = (char)(0xe0 | c >> 12);
                to[1] = (char)(0x80 | (c >> 6 & 0x3f));
                to[2] = (char)(0x80 | (c & 0x3f));
                return 3;
        }
        to[0] = (char)(0xf0 | c >> 18);
        to[1] = (char)(0x80 | (c >> 12 & 0x3f));
        to[2] = (char)(0x80 | (c >> 6 & 0x3f));
        to[3] = (char)(0x80 | (c & 0x3f));
        return 4;
}

char *utf16_to_utf8(const uint8_t *text, size_t n, bool big_endian)
{
        size_t at = 0, length = 0;
        char *s;

        s = malloc(n / 2 * 3 + 1);
        if (!s)
                return NULL;
        while (at + 2 <= n) {
                uint32_t c = utf16_next(text, n, big_endian, &at);

                if (c == 0)
                        break;
                length += utf8_put(s + length, c);
        }
        s[length] = '\0';
        return s;
}
