/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of a qcow2 image's snapshots: QEMU's docs/interop/qcow2.txt, "Snapshots". */
#include "formats.h"

#include "util/names.h"
#include "util/snapshot-list.h"

#define ENTRY_SIZE 40u
#define ENTRY_USUAL 512u        /* with its strings; what is read for each */
#define TABLE_MAX (128u * 1024) /* what is read at most: snapshots behind that are not listed */
#define LIST_MAX \
        (256u * 1024) /* bytes of the list, which escapes may make four times as long as the names */
#define NAME_MAX_BYTES 255u

typedef struct Table {
        uint8_t *data;
        size_t size;
        uint32_t n; /* entries that are said to be there */
} Table;

typedef struct Entry {
        const uint8_t *id, *name; /* not terminated */
        size_t id_size, name_size;
        uint64_t created_usec, size;
} Entry;

static void table_done(Table *t)
{
        free(t->data);
}

static int table_read(ImageReader *r, uint64_t offset, uint32_t n, Table *ret)
{
        size_t size = MIN((uint64_t)n * ENTRY_USUAL, (uint64_t)TABLE_MAX);
        uint8_t *data;
        int k;

        if (!reader_has(r, offset, ENTRY_SIZE))
                return -ENODATA;
        size = MIN((uint64_t)size, r->size - offset);
        data = malloc(size);
        if (!data)
                return -ENOMEM;
        k = reader_read(r, offset, data, size);
        if (k < 0) {
                free(data);
                return k;
        }
        *ret = (Table){ .data = data, .size = size, .n = n };
        return 0;
}

/* Cuts the entry at *at out, and moves *at behind it: false when it is not wholly there. */
static bool table_entry(const Table *t, size_t *at, Entry *ret)
{
        const uint8_t *h = t->data + *at;
        uint64_t extra, total;

        if (t->size - *at < ENTRY_SIZE)
                return false;
        extra = read_be32(h + 36);
        *ret = (Entry){
                .id_size = read_be16(h + 12),
                .name_size = read_be16(h + 14),
                .created_usec = read_be32(h + 16) * UINT64_C(1000000) + read_be32(h + 20) / 1000,
                .size = UINT64_MAX,
        };
        total = ENTRY_SIZE + extra + ret->id_size + ret->name_size;
        if (t->size - *at < total)
                return false;
        if (extra >= 16)
                ret->size = read_be64(h + ENTRY_SIZE + 8);
        ret->id = h + ENTRY_SIZE + extra;
        ret->name = ret->id + ret->id_size;
        *at = (size_t)MIN(*at + ((total + 7) & ~UINT64_C(7)), (uint64_t)t->size);
        return true;
}

/* Not strndup(): what lies behind the table is not ours to look at. */
static char *copy_string(const uint8_t *bytes, size_t n)
{
        char *s = malloc(n + 1);

        if (s) {
                memcpy(s, bytes, n);
                s[n] = '\0';
        }
        return s;
}

/* A new string, NULL in *ret: a name that cannot be told. */
static int entry_name(const Entry *e, char **ret)
{
        _cleanup_free_ char *name = NULL;

        *ret = NULL;
        if (e->name_size == 0 || e->name_size > NAME_MAX_BYTES || memchr(e->name, '/', e->name_size) ||
            memchr(e->name, '\0', e->name_size))
                return 0;
        name = copy_string(e->name, e->name_size);
        if (!name)
                return -ENOMEM;
        *ret = name_escape(name);
        return *ret ? 0 : -ENOMEM;
}

static int list_add(char **list, const Entry *e)
{
        _cleanup_free_ char *name = NULL;
        SnapshotInfo known;
        int k;

        k = entry_name(e, &name);
        if (k < 0 || !name || snapshot_list_find(*list, name, &known))
                return k;
        return snapshot_list_add(list, SNAPSHOT_INTERNAL, e->created_usec, e->size, name);
}

int qcow_snapshots(ImageReader *r, uint64_t offset, uint32_t n, char **ret)
{
        _cleanup_(table_done) Table t = {};
        _cleanup_free_ char *list = NULL;
        size_t at = 0;
        Entry e;
        int k;

        k = table_read(r, offset, n, &t);
        for (uint32_t i = 0; k >= 0 && i < MIN(t.n, SNAPSHOTS_MAX) && table_entry(&t, &at, &e); i++)
                if (!list || strlen(list) < LIST_MAX)
                        k = list_add(&list, &e);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(list);
        return 0;
}

int image_snapshot_find(int fd, uint64_t size, const char *shown, char **ret_id, char **ret_name)
{
        uint8_t header[72];
        ImageReader r = {
                .head = header,
                .n_head = sizeof(header),
                .fd = fd,
                .size = size,
                .bytes_left = READER_BUDGET_BYTES,
                .reads_left = READER_BUDGET_READS,
        };
        _cleanup_(table_done) Table t = {};
        size_t at = 0;
        Entry e;
        int k;

        if (pread(fd, header, sizeof(header), 0) != (ssize_t)sizeof(header))
                return -ENODATA;
        k = table_read(&r, read_be64(header + 64), read_be32(header + 60), &t);
        for (uint32_t i = 0; k >= 0 && i < MIN(t.n, SNAPSHOTS_MAX) && table_entry(&t, &at, &e); i++) {
                _cleanup_free_ char *name = NULL, *id = NULL;

                k = entry_name(&e, &name);
                if (k < 0 || !streq_ptr(name, shown))
                        continue;
                id = copy_string(e.id, e.id_size);
                *ret_name = id ? copy_string(e.name, e.name_size) : NULL;
                if (!*ret_name)
                        return -ENOMEM;
                *ret_id = TAKE_PTR(id);
                return 0;
        }
        return k < 0 ? k : -ENOENT;
}
