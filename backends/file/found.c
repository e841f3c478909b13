/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/found.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "util/fileio.h"

#define ROOM_MIN 65536u

/* Of the memfd: this, then the records of what was seen, then the volumes. */
typedef struct FoundHeader {
        uint64_t records_size, n_records;
} FoundHeader;

/* Followed by name, backing, error and snapshots, each with its NUL, and padding up to 8; none of the latter is "". */
typedef struct FoundVolume {
        VolumeInfo info; /* the pointers mean nothing */
        uint64_t size;   /* of all of it */
} FoundVolume;

static uint8_t *writer_grow(FoundWriter *w, size_t bytes)
{
        uint8_t *p;

        if (w->size + bytes > w->room) {
                size_t room = MAX(2 * (w->size + bytes), (size_t)ROOM_MIN);
                uint8_t *data = realloc(w->data, room);

                if (!data)
                        return NULL;
                w->data = data;
                w->room = room;
        }
        p = w->data + w->size;
        w->size += bytes;
        return p;
}

int found_add(FoundWriter *w, const VolumeInfo *v)
{
        const char *texts[] = { v->name, v->backing ?: "", v->error ?: "", v->snapshots ?: "" };
        size_t size = sizeof(FoundVolume);
        uint8_t *p;

        FOREACH_ELEMENT (text, texts)
                size += strlen(*text) + 1;
        size = (size + 7) & ~(size_t)7;
        p = writer_grow(w, size);
        if (!p)
                return -ENOMEM;
        memset(p + size - 8, 0, 8); /* the padding */
        *(FoundVolume *)p = (FoundVolume){ .info = *v, .size = size };
        p += sizeof(FoundVolume);
        FOREACH_ELEMENT (text, texts)
                p = (uint8_t *)stpcpy((char *)p, *text) + 1;
        return 0;
}

int found_finish(const FoundWriter *w, const SeenWriter *records, int fd)
{
        FoundHeader header = { .n_records = records->n };
        const void *data = seen_records(records, &header.records_size);
        int r;

        r = loop_write(fd, &header, sizeof(header));
        if (r >= 0)
                r = loop_write(fd, data, header.records_size);
        return r < 0 ? r : loop_write(fd, w->data, w->size);
}

void found_writer_done(FoundWriter *w)
{
        free(w->data);
        *w = (FoundWriter){};
}

int found_open(int fd, SeenWriter *records, FoundReader *ret)
{
        FoundReader r = FOUND_READER_NULL;
        const FoundHeader *h;
        struct stat st;
        void *map;
        int k;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size < (off_t)sizeof(FoundHeader))
                return -EBADMSG;
        map = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
        if (map == MAP_FAILED)
                return -errno;
        r.map = map;
        r.size = st.st_size;
        h = map;
        if (h->records_size > r.size - sizeof(*h))
                k = -EBADMSG;
        else
                k = seen_add_records(records, h + 1, h->records_size, h->n_records);
        if (k < 0) {
                found_close(&r);
                return k;
        }
        r.at = sizeof(*h) + h->records_size;
        *ret = r;
        return 0;
}

int found_next(FoundReader *r, VolumeInfo *ret)
{
        const FoundVolume *v = (const FoundVolume *)(r->map + r->at);
        const char *text;

        if (r->at == r->size)
                return 0;
        if (r->size - r->at < sizeof(*v) || v->size > r->size - r->at || v->size <= sizeof(*v) ||
            r->map[r->at + v->size - 1])
                return -EBADMSG;
        r->at += v->size;
        *ret = v->info;
        text = ret->name = (const char *)(v + 1);
        text += strlen(text) + 1;
        ret->backing = isempty(text) ? NULL : text;
        text += strlen(text) + 1;
        ret->error = isempty(text) ? NULL : text;
        text += strlen(text) + 1;
        ret->snapshots = isempty(text) ? NULL : text;
        return 1;
}

void found_close(FoundReader *r)
{
        if (r->map)
                (void)munmap((void *)r->map, r->size);
        *r = FOUND_READER_NULL;
}
