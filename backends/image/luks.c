/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LUKS 1 and 2, by the cryptsetup project's on-disk format specifications. What the guest sees is the
 * payload, so the capacity is what is left of the file behind the header. */
#include "formats.h"

#include <inttypes.h>

enum {
        LUKS1_HEADER_SIZE = 592,
        LUKS2_BINARY_SIZE = 4096,
        LUKS2_HEADER_MIN = 16384,
        LUKS2_HEADER_MAX = 4 * 1024 * 1024,
        LUKS2_JSON_MAX = 60 * 1024, /* of its text that we read; cryptsetup writes 2 or 3 KiB */
        JSON_DEPTH_MAX = 16,
};

static int set_payload(ImageReader *r, uint64_t offset, ImageInfo *ret)
{
        if (offset > r->size)
                return image_unreadable(ret, -ENODATA, "the encrypted data");
        ret->capacity = r->size - offset;
        return 0;
}

static int probe_luks1(ImageReader *r, ImageInfo *ret)
{
        uint8_t h[LUKS1_HEADER_SIZE];
        uint32_t sectors;
        int k;

        k = reader_read(r, 0, h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header");
        sectors = read_be32(h + 104);
        if (sectors == 0)
                return image_damaged(ret, "this is a detached header, its data is elsewhere");
        return set_payload(r, (uint64_t)sectors * 512, ret);
}

/* A walk over JSON text without building a tree: the position, and false for what is not JSON. */
typedef struct Json {
        const char *at;
} Json;

static void json_blank(Json *j)
{
        j->at += strspn(j->at, " \t\r\n");
}

static bool json_char(Json *j, char c)
{
        json_blank(j);
        if (*j->at != c)
                return false;
        j->at++;
        return true;
}

/* A string; its raw inside (escapes not resolved: no key or number that we want has any). */
static bool json_string(Json *j, const char **ret, size_t *ret_length)
{
        const char *start;

        if (!json_char(j, '"'))
                return false;
        start = j->at;
        while (*j->at && *j->at != '"') {
                if (*j->at == '\\' && j->at[1])
                        j->at++;
                j->at++;
        }
        if (*j->at != '"')
                return false;
        *ret = start;
        *ret_length = (size_t)(j->at - start);
        j->at++;
        return true;
}

/* Passes over one value of any kind, nested at most JSON_DEPTH_MAX deep. */
static bool json_skip(Json *j)
{
        unsigned depth = 0;

        do {
                const char *s;
                size_t n;

                json_blank(j);
                switch (*j->at) {
                case '\0':
                        return false;
                case '{':
                case '[':
                        if (++depth > JSON_DEPTH_MAX)
                                return false;
                        j->at++;
                        break;
                case '}':
                case ']':
                        if (depth-- == 0)
                                return false;
                        j->at++;
                        break;
                case '"':
                        if (!json_string(j, &s, &n))
                                return false;
                        break;
                case ',':
                case ':':
                        if (depth == 0)
                                return false;
                        j->at++;
                        break;
                default: /* a number or a word */
                        n = strcspn(j->at, " \t\r\n,:{}[]\"");
                        j->at += n;
                        break;
                }
        } while (depth > 0);
        return true;
}

/* The next key of an object whose '{' was passed: true with the position at its value; false at the end (`}`
 * is passed) or when it is not JSON, which the caller sees by *ret_ok. */
static bool json_key(Json *j, bool *first, const char **ret, size_t *ret_length, bool *ret_ok)
{
        *ret_ok = true;
        if (json_char(j, '}'))
                return false;
        if ((!*first && !json_char(j, ',')) || !json_string(j, ret, ret_length) || !json_char(j, ':')) {
                *ret_ok = false;
                return false;
        }
        *first = false;
        return true;
}

static bool is_text(const char *s, size_t n, const char *text)
{
        return n == strlen(text) && memcmp(s, text, n) == 0;
}

static bool parse_number(const char *s, size_t n, uint64_t *ret)
{
        uint64_t v = 0;

        if (n == 0 || n > 20)
                return false;
        for (size_t i = 0; i < n; i++)
                if (s[i] < '0' || s[i] > '9' || __builtin_mul_overflow(v, UINT64_C(10), &v) ||
                    __builtin_add_overflow(v, (uint64_t)(s[i] - '0'), &v))
                        return false;
        *ret = v;
        return true;
}

typedef struct Segments {
        unsigned n;
        uint64_t start,
                end; /* of the payload in the file; end UINT64_MAX: up to the end of the file ("dynamic") */
} Segments;

/* "segments":{"0":{"type":"crypt","offset":"16777216","size":"dynamic",…}} */
static bool parse_segment(Json *j, Segments *s)
{
        bool first = true, ok, has_offset = false, dynamic = false, backup = false;
        uint64_t offset = 0, size = 0, end;
        const char *key, *value;
        size_t n_key, n_value;

        if (!json_char(j, '{'))
                return false;
        while (json_key(j, &first, &key, &n_key, &ok)) {
                bool is_offset = is_text(key, n_key, "offset"), is_size = is_text(key, n_key, "size");

                if (!is_offset && !is_size) {
                        backup =
                                backup || is_text(key, n_key,
                                                  "flags"); /* only copies kept by a reencryption have any */
                        if (!json_skip(j))
                                return false;
                        continue;
                }
                if (!json_string(j, &value, &n_value))
                        return false;
                if (is_size && is_text(value, n_value, "dynamic"))
                        dynamic = true;
                else if (!parse_number(value, n_value, is_offset ? &offset : &size))
                        return false;
                has_offset = has_offset || is_offset;
        }
        if (!ok || !has_offset)
                return false;
        if (backup)
                return true;

        if (dynamic || __builtin_add_overflow(offset, size, &end))
                end = UINT64_MAX;
        s->start = s->n == 0 ? offset : MIN(s->start, offset);
        s->end = s->n == 0 ? end : MAX(s->end, end);
        s->n++;
        return true;
}

static bool parse_segments(Json *j, Segments *s)
{
        bool first = true, ok;
        const char *key;
        size_t n;

        if (!json_char(j, '{'))
                return false;
        while (json_key(j, &first, &key, &n, &ok))
                if (!parse_segment(j, s))
                        return false;
        return ok;
}

static bool parse_metadata(const char *text, Segments *s)
{
        Json j = { text };
        bool first = true, ok;
        const char *key;
        size_t n;

        if (!json_char(&j, '{'))
                return false;
        while (json_key(&j, &first, &key, &n, &ok))
                if (!(is_text(key, n, "segments") ? parse_segments(&j, s) : json_skip(&j)))
                        return false;
        return ok && s->n > 0;
}

static int probe_luks2(ImageReader *r, ImageInfo *ret)
{
        _cleanup_free_ char *text = NULL;
        uint64_t header_size, text_size;
        Segments s = {};
        uint8_t h[16];
        int k;

        k = reader_read(r, 0, h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header");
        header_size = read_be64(h + 8);
        if (header_size < LUKS2_HEADER_MIN || header_size > LUKS2_HEADER_MAX ||
            !is_power_of_two(header_size))
                return image_damaged(ret, "a header of %" PRIu64 " bytes cannot be", header_size);

        text_size = MIN(header_size - LUKS2_BINARY_SIZE, (uint64_t)LUKS2_JSON_MAX);
        k = reader_string(r, LUKS2_BINARY_SIZE, (size_t)text_size, &text);
        if (k < 0)
                return image_unreadable(ret, k, "the metadata");
        if (!parse_metadata(text, &s))
                return image_damaged(ret, "the metadata do not say where the encrypted data is");

        k = set_payload(r, s.start, ret);
        if (k < 0 || ret->error || s.end == UINT64_MAX)
                return k;
        if (s.end > r->size)
                return image_unreadable(ret, -ENODATA, "the end of the encrypted data");
        ret->capacity = s.end - s.start;
        return 0;
}

int probe_luks(ImageReader *r, ImageInfo *ret)
{
        uint8_t h[8];
        int k;

        ret->encrypted = true;
        ret->encryption = "luks";
        k = reader_read(r, 0, h, sizeof(h));
        if (k < 0)
                return image_unreadable(ret, k, "the header");

        switch (read_be16(h + 6)) {
        case 1:
                ret->version = 1;
                return probe_luks1(r, ret);
        case 2:
                ret->version = 2;
                return probe_luks2(r, ret);
        default:
                return image_damaged(ret, "version %u of LUKS is not known", read_be16(h + 6));
        }
}
