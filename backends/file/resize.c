/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "file/create.h"
#include "file/use.h"
#include "file/volume.h"
#include "util/names.h"

#define SECTOR 512u
#define SESSION_ALLOCATION_MAX (1024ull * 1024 * 1024) /* more may be long on a fragmented file system */

typedef struct Resize {
        const FileRoot *root;
        const char *name;
        char *raw;
        FileEntry entry;
        FileUse use;
        int fd;
        uint64_t capacity;
        bool shrink, allocate;
} Resize;

static void resize_done(Resize *s)
{
        free(s->raw);
        file_use_end(&s->use);
        file_entry_done(&s->entry);
        s->fd = safe_close(s->fd);
}

static bool is_plain(const Resize *s)
{
        ImageFormat f = s->entry.info.format;

        return f == FORMAT_RAW || f == FORMAT_ISO || f == FORMAT_LUKS;
}

/* A file that only becomes longer may be in use. The tables of an image must be nobody else's meanwhile. */
static int resize_lock(Resize *s)
{
        bool smaller = s->capacity < s->entry.info.capacity;
        int k;

        if (!smaller && is_plain(s))
                return 0;
        k = file_use_begin(s->root, s->name, s->entry.fd, FILE_USE_WRITE, &s->use);
        if (k >= 0 && smaller && s->entry.mark.base)
                k = file_refuse_overlays(s->root, s->name, s->raw, NULL);
        return k;
}

static int resize_check(Resize *s)
{
        Error *e = ctx_error(s->root->ctx);
        const VolumeInfo *v = &s->entry.info;

        if (v->type != VOLUME_FILE)
                return error_set(e, ERROR_NOT_SUPPORTED, "Volume %s is a directory; it has no size",
                                 s->name);
        if (s->entry.linked)
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "Volume %s is a symbolic link; resize what it leads to", s->name);
        if (v->flags & VOLUME_FOREIGN_LINKS)
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "Volume %s has another name (hard link), perhaps outside the pool; it is "
                                 "not resized",
                                 s->name);
        if (v->error)
                return error_set(e, ERROR_CORRUPT, "Volume %s: %s", s->name, v->error);
        if (s->capacity > INT64_MAX - (1 << 30))
                return error_set(e, ERROR_INVALID_ARGS, "Volume %s: capacity %llu is too large", s->name,
                                 (unsigned long long)s->capacity);
        if (s->capacity < v->capacity && !s->shrink)
                return error_set(
                        e, ERROR_INVALID_ARGS,
                        "Volume %s has %llu bytes; to make it smaller and lose what is beyond, say shrink",
                        s->name, (unsigned long long)v->capacity);
        return file_refuse_undeclared(s->root, s->name, &s->entry, "resized");
}

static int resize_open(Resize *s)
{
        s->fd = file_open_same(s->root, s->name, s->raw, &s->entry);
        if (s->fd < 0)
                return s->fd;
        if (s->capacity < s->entry.info.capacity)
                return 0;
        return file_root_reserve(s->root, s->allocate ? s->capacity - s->entry.info.capacity : 0);
}

/* Where there is no fallocate(): the new part is written. A worker that dies leaves the old size to be
 * restored. */
static int write_new_part(const Resize *s, uint64_t old, uint64_t size)
{
        _cleanup_free_ char *argument = NULL;
        Ctx *c = s->root->ctx;
        int k;

        k = ctx_need_job(c);
        if (k < 0)
                return k;
        if (asprintf(&argument, "%llu %s", (unsigned long long)old, s->raw) < 0)
                return -ENOMEM;
        k = ctx_intent(c, FILE_RESIZE_STEP, argument);
        if (k >= 0)
                k = file_allocate(s->root, s->fd, old, size, true);
        if (k < 0)
                (void)ftruncate(s->fd, (off_t)old);
        ctx_intents_done(c);
        return k;
}

static int allocate_whole(const Resize *s, uint64_t old, uint64_t size)
{
        int k;

        if (size > SESSION_ALLOCATION_MAX && (k = ctx_need_job(s->root->ctx)) < 0)
                return k;
        /* The size stays, so that the old state holds until ftruncate() makes it the new one. */
        if (size == 0 || fallocate(s->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) >= 0)
                return 0;
        if (errno == EOPNOTSUPP)
                return write_new_part(s, old, size);
        k = error_set_errno(ctx_error(s->root->ctx), errno, "Cannot allocate volume %s", s->name);
        (void)ftruncate(s->fd, (off_t)old);
        return k;
}

/* Raw files, and LUKS, whose payload has no size of its own: it goes to the end of the file. */
static int resize_plain(const Resize *s)
{
        uint64_t old = s->entry.st.stx_size, header = old - MIN(old, s->entry.info.capacity);
        uint64_t size = s->capacity + header;
        int k;

        if (s->entry.info.format == FORMAT_LUKS)
                size = (size + SECTOR - 1) / SECTOR * SECTOR;
        if (s->allocate && (k = allocate_whole(s, old, size)) < 0)
                return k;
        if (ftruncate(s->fd, (off_t)size) < 0)
                return error_set_errno(ctx_error(s->root->ctx), errno,
                                       "Cannot resize volume %s to %llu bytes", s->name,
                                       (unsigned long long)s->capacity);
        return 0;
}

static int resize_image(const Resize *s)
{
        uint64_t capacity = (s->capacity + SECTOR - 1) / SECTOR * SECTOR;
        bool smaller = capacity < s->entry.info.capacity;
        _cleanup_chain_ FileChain chain = {};
        Ctx *c = s->root->ctx;
        int k;

        if (s->entry.info.format == FORMAT_QED && smaller)
                return error_set(ctx_error(c), ERROR_NOT_SUPPORTED,
                                 "Volume %s: format qed cannot be made smaller", s->name);
        if (s->allocate && (s->entry.info.format == FORMAT_QED || capacity <= s->entry.info.capacity))
                return error_set(ctx_error(c), ERROR_INVALID_ARGS,
                                 "Volume %s: only the part by which a qcow2 volume grows can be allocated",
                                 s->name);
        k = ctx_need_job(c);
        if (k >= 0)
                k = file_chain_open(s->root, s->name, &s->entry, s->fd, &chain);
        if (k < 0)
                return k;
        ctx_ready(c);
        return qemu_img_resize(c, chain.nodes, chain.n, capacity, smaller, s->allocate);
}

static int resize_run(const Resize *s)
{
        if (is_plain(s))
                return resize_plain(s);
        switch (s->entry.info.format) {
        case FORMAT_QCOW2:
        case FORMAT_QED:
                return resize_image(s);
        default:
                return error_set(
                        ctx_error(s->root->ctx), ERROR_NOT_SUPPORTED,
                        "Volume %s: format %s cannot be resized; clone it to qcow2 with the new capacity",
                        s->name, image_format_to_string(s->entry.info.format));
        }
}

static int resize_tell(const Resize *s)
{
        _cleanup_entry_ FileEntry now = FILE_ENTRY_NULL;
        int k;

        k = ctx_sync_later(s->root->ctx, s->fd);
        if (k >= 0)
                k = file_entry_find(s->root, s->name, s->raw, 0, &now);
        return k < 0 ? k : ctx_volume(s->root->ctx, &now.info);
}

int file_resize(Ctx *c, const char *name, uint64_t capacity, bool shrink, bool allocate)
{
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        _cleanup_(resize_done) Resize s = {
                .root = &r,
                .name = name,
                .entry = FILE_ENTRY_NULL,
                .use = FILE_USE_NULL,
                .fd = -EBADF,
                .capacity = capacity,
                .shrink = shrink,
                .allocate = allocate,
        };
        int k;

        k = file_root_open(c, &r);
        if (k >= 0)
                k = file_name(&r, name, &s.raw);
        if (k >= 0)
                k = file_entry_find(&r, name, s.raw, 0, &s.entry);
        if (k >= 0)
                k = resize_check(&s);
        if (k >= 0)
                k = resize_lock(&s);
        if (k >= 0)
                k = resize_open(&s);
        if (k >= 0)
                k = resize_run(&s);
        return k < 0 ? k : resize_tell(&s);
}

int file_resize_undo(const FileRoot *r, const char *argument)
{
        _cleanup_close_ int fd = -EBADF;
        const char *space = strchr(argument, ' ');
        char *end;
        unsigned long long size = strtoull(argument, &end, 10);

        if (!space || end != space || file_name_is_temporary(space + 1))
                return -EINVAL;
        fd = file_open(r, space + 1, O_RDWR);
        if (fd == -ENOENT)
                return 0;
        if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
                return error_set_errno(ctx_error(r->ctx), fd < 0 ? fd : errno,
                                       "Cannot restore the size of %s", space + 1);
        return ctx_sync_later(r->ctx, fd);
}
