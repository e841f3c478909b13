/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/seen.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "util/fileio.h"

#define SEEN_MAGIC 0x31304e5350414b50ull /* "PKAPSN01" */

typedef struct SeenHeader {
        uint64_t magic, n;
} SeenHeader;

struct SeenReader {
        const uint8_t *map;
        size_t size, n;
        uint32_t *offsets; /* of each record, in units of 8 bytes */
        uint8_t *seen;
        size_t next;     /* the record that is expected */
        uint32_t *index; /* open addressing, record + 1; made when first out of step */
        size_t index_mask;
};

/* ---- writing ---- */

static void *writer_grow(SeenWriter *w, size_t bytes)
{
        void *p;

        if (w->size == 0)
                w->size = sizeof(SeenHeader);
        if (w->size + bytes > w->room) {
                size_t room = MAX(2 * (w->size + bytes), (size_t)65536);
                uint8_t *data = realloc(w->data, room);

                if (!data)
                        return NULL;
                w->data = data;
                w->room = room;
        }
        p = w->data + w->size;
        w->size += bytes;
        w->n++;
        return p;
}

int seen_add(SeenWriter *w, const char *name, const struct statx *st, bool listed, bool again)
{
        size_t length = strlen(name), padded = (length + 8) & ~(size_t)7;
        SeenRecord *r = writer_grow(w, sizeof(SeenRecord) + padded);

        if (!r)
                return -ENOMEM;
        *r = (SeenRecord){
                .inode = st->stx_ino,
                .size = st->stx_size,
                .blocks = st->stx_blocks,
                .ctime_sec = st->stx_ctime.tv_sec,
                .ctime_nsec = st->stx_ctime.tv_nsec,
                .name_size = padded,
                .listed = listed,
                .again = again,
        };
        memset(r->name + length, 0, padded - length);
        memcpy(r->name, name, length);
        return 0;
}

int seen_add_record(SeenWriter *w, const SeenRecord *record)
{
        size_t bytes = sizeof(SeenRecord) + record->name_size;
        void *p = writer_grow(w, bytes);

        if (!p)
                return -ENOMEM;
        memcpy(p, record, bytes);
        return 0;
}

const void *seen_records(const SeenWriter *w, uint64_t *ret_size)
{
        *ret_size = w->size == 0 ? 0 : w->size - sizeof(SeenHeader);
        return w->size == 0 ? NULL : w->data + sizeof(SeenHeader);
}

int seen_add_records(SeenWriter *w, const void *data, uint64_t size, uint64_t n)
{
        void *p;

        if (n == 0)
                return 0;
        p = writer_grow(w, size);
        if (!p)
                return -ENOMEM;
        memcpy(p, data, size);
        w->n += n - 1; /* one is counted */
        return 0;
}

int seen_finish(SeenWriter *w)
{
        SeenHeader header = { .magic = SEEN_MAGIC, .n = w->n };

        if (w->size == 0) /* an empty directory */
                return memfd_sealed("poolkeeper-seen", &header, sizeof(header));
        memcpy(w->data, &header, sizeof(header));
        return memfd_sealed("poolkeeper-seen", w->data, w->size);
}

void seen_writer_done(SeenWriter *w)
{
        free(w->data);
        *w = (SeenWriter){};
}

/* ---- reading ---- */

static const SeenRecord *reader_record(const SeenReader *s, size_t i)
{
        return (const SeenRecord *)(s->map + (size_t)s->offsets[i] * 8);
}

void seen_close(SeenReader *s)
{
        if (s->map)
                (void)munmap((void *)s->map, s->size);
        free(s->offsets);
        free(s->seen);
        free(s->index);
        free(s);
}

static int reader_parse(SeenReader *s)
{
        const SeenHeader *h = (const SeenHeader *)s->map;
        size_t at = sizeof(*h);

        if (s->size < sizeof(*h) || h->magic != SEEN_MAGIC || h->n > s->size / sizeof(SeenRecord))
                return -EBADMSG;
        s->n = h->n;
        s->offsets = malloc(MAX(s->n, (size_t)1) * sizeof(uint32_t));
        s->seen = calloc(1, s->n / 8 + 1);
        if (!s->offsets || !s->seen)
                return -ENOMEM;
        for (size_t i = 0; i < s->n; i++) {
                const SeenRecord *r = (const SeenRecord *)(s->map + at);

                if (s->size - at < sizeof(*r) || s->size - at - sizeof(*r) < r->name_size ||
                    r->name_size < 8 || r->name_size % 8 || r->name[r->name_size - 1] || at / 8 > UINT32_MAX)
                        return -EBADMSG;
                s->offsets[i] = at / 8;
                at += sizeof(*r) + r->name_size;
        }
        return 0;
}

int seen_open(int fd, SeenReader **ret)
{
        _cleanup_(seen_closep) SeenReader *s = calloc(1, sizeof(*s));
        struct stat st;
        void *map;
        int r;

        if (!s)
                return -ENOMEM;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size < (off_t)sizeof(SeenHeader))
                return -EBADMSG;
        map = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
        if (map == MAP_FAILED)
                return -errno;
        s->map = map;
        s->size = st.st_size;
        r = reader_parse(s);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

size_t seen_size(const SeenReader *s)
{
        return s->n;
}

static uint64_t name_hash(const char *name)
{
        uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a */

        for (; *name; name++)
                h = (h ^ (uint8_t)*name) * 0x100000001b3ull;
        return h ^ h >> 29;
}

static int reader_index(SeenReader *s)
{
        size_t size = 16;

        while (size < s->n * 2)
                size *= 2;
        s->index = calloc(size, sizeof(uint32_t));
        if (!s->index)
                return -ENOMEM;
        s->index_mask = size - 1;
        for (size_t i = 0; i < s->n; i++) {
                size_t at = name_hash(reader_record(s, i)->name) & s->index_mask;

                while (s->index[at])
                        at = (at + 1) & s->index_mask;
                s->index[at] = i + 1;
        }
        return 0;
}

static const SeenRecord *reader_take(SeenReader *s, size_t i)
{
        s->seen[i / 8] |= 1u << i % 8;
        s->next = i + 1;
        return reader_record(s, i);
}

const SeenRecord *seen_find(SeenReader *s, const char *name, int *ret_error)
{
        if (s->next < s->n && streq(reader_record(s, s->next)->name, name))
                return reader_take(s, s->next);
        if (!s->index && (*ret_error = reader_index(s)) < 0)
                return NULL;
        for (size_t at = name_hash(name) & s->index_mask; s->index[at]; at = (at + 1) & s->index_mask)
                if (streq(reader_record(s, s->index[at] - 1)->name, name))
                        return reader_take(s, s->index[at] - 1);
        return NULL;
}

const SeenRecord *seen_missed(const SeenReader *s, size_t *cursor)
{
        while (*cursor < s->n) {
                size_t i = (*cursor)++;

                if (!(s->seen[i / 8] & 1u << i % 8))
                        return reader_record(s, i);
        }
        return NULL;
}

bool seen_matches(const SeenRecord *r, const struct statx *st)
{
        return !r->again && r->inode == st->stx_ino && r->ctime_sec == st->stx_ctime.tv_sec &&
               r->ctime_nsec == st->stx_ctime.tv_nsec && r->size == st->stx_size &&
               r->blocks == st->stx_blocks;
}
