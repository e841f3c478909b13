/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "file/transfer.h"

typedef struct Upload {
        FileTransfer t;
        uint64_t size;     /* of the file as it is */
        uint64_t limit;    /* of a length that is not known */
        uint64_t capacity; /* the most that an image may have */
        bool grow, atomic, formatted;
        bool tight; /* the limit is the pool's, not the volume's */
        int fd;     /* in place: the file, for writing */
} Upload;

static void upload_done(Upload *u)
{
        file_transfer_done(&u->t);
        u->fd = safe_close(u->fd);
}

/* ---- checks ---- */

static int beyond_end(const Upload *u)
{
        return error_set(
                ctx_error(u->t.ctx), ERROR_INVALID_ARGS,
                "Volume %s has a capacity of %llu bytes, and the upload goes beyond its end; to make it "
                "larger, say grow",
                u->t.volume.name, (unsigned long long)u->size);
}

static int check_kind(Upload *u)
{
        const FileSwap *v = &u->t.volume;
        const VolumeInfo *i = &v->entry.info;
        Error *e = ctx_error(u->t.ctx);

        if (v->entry.linked)
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "Volume %s is a symbolic link; upload to what it leads to", v->name);
        if (i->flags & VOLUME_FOREIGN_LINKS)
                return error_set(
                        e, ERROR_NOT_SUPPORTED,
                        "Volume %s has another name (hard link), perhaps outside the pool; it is not "
                        "written to",
                        v->name);
        u->formatted = i->format != FORMAT_RAW && i->format != FORMAT_ISO;
        if (!u->formatted)
                return 0;
        u->atomic = true;
        if (u->t.offset > 0 || u->t.length != UINT64_MAX)
                return error_set(
                        e, ERROR_INVALID_ARGS,
                        "Volume %s is of format %s: an upload replaces the whole image; leave offset and "
                        "length out",
                        v->name, image_format_to_string(i->format));
        return 0;
}

/* What is known to come. */
static int find_length(Upload *u)
{
        FileTransfer *t = &u->t;
        uint64_t has;

        if (!data_kind_seeks(t->peer.kind))
                return 0;
        has = t->peer.size - MIN(t->peer.size, t->peer.offset);
        if (t->length == UINT64_MAX)
                t->length = has;
        if (t->length > has)
                return error_set(
                        ctx_error(t->ctx), ERROR_FAILED,
                        "The source has %llu bytes from its position on, fewer than the length of %llu",
                        (unsigned long long)has, (unsigned long long)t->length);
        if (t->length > INT64_MAX - t->offset)
                return beyond_end(u);
        return 0;
}

static int no_room(const Upload *u)
{
        return error_set(ctx_error(u->t.ctx), ERROR_NO_SPACE, "Pool %s has no room for all of the upload",
                         ctx_pool_name(u->t.ctx));
}

static int image_too_large(const Upload *u)
{
        return error_set(
                ctx_error(u->t.ctx), ERROR_INVALID_ARGS,
                "The upload has more bytes than an image of the capacity of volume %s needs; to make "
                "it larger, say grow",
                u->t.volume.name);
}

/* An image ends where its header says, but its file need not: what lies behind takes room, too. */
static int check_image_size(Upload *u, uint64_t room)
{
        uint64_t has = u->t.volume.entry.info.capacity;

        u->capacity = u->grow ? has + MIN(room, INT64_MAX - MIN(has, (uint64_t)INT64_MAX)) : has;
        u->limit = MAX(u->size, qemu_file_max(u->capacity));
        return u->t.length == UINT64_MAX || u->t.length <= u->limit ? 0 : image_too_large(u);
}

/* The volume's end is kept, and the pool's reserve. */
static int check_room(Upload *u)
{
        uint64_t left = u->size - MIN(u->size, u->t.offset), room, length = u->t.length;
        uint64_t allocation = u->t.volume.entry.info.allocation, need = length;
        int k;

        if (!u->grow && !u->formatted &&
            (u->t.offset > u->size || (length == UINT64_MAX ? left == 0 : length > left)))
                return beyond_end(u);
        k = file_root_room(&u->t.volume.root, &room);
        if (k >= 0 && u->formatted)
                k = check_image_size(u, room);
        if (k < 0)
                return k;
        if (length == UINT64_MAX) {
                uint64_t fits = u->formatted ? room : left + room;

                if (!u->formatted)
                        u->limit = u->grow ? UINT64_MAX : left;
                u->tight = fits < u->limit;
                u->limit = MIN(u->limit, fits);
                return u->limit > 0 ? 0 : no_room(u);
        }
        if (!u->atomic) /* what it has already is not taken again */
                need = MIN(need, MAX(u->size, u->t.offset + length) -
                                         MIN(MAX(u->size, u->t.offset + length), allocation));
        else if (length < u->size)
                need = MIN(u->size, allocation + length);
        return file_root_reserve(&u->t.volume.root, need);
}

static int upload_check(Upload *u)
{
        const FileSwap *v = &u->t.volume;
        int k;

        u->size = v->entry.st.stx_size;
        k = check_kind(u);
        if (k >= 0)
                k = find_length(u);
        if (k >= 0)
                k = check_room(u);
        if (k >= 0 && v->entry.mark.base)
                k = file_refuse_overlays(&v->root, v->name, v->raw, NULL);
        return k < 0 ? k : file_use_begin(&v->root, v->name, v->entry.fd, FILE_USE_WRITE, &u->t.use);
}

/* ---- the bytes ---- */

static uint64_t new_size(const Upload *u)
{
        return u->t.length == UINT64_MAX ? 0
               : u->formatted            ? u->t.length
                                         : MAX(u->size, u->t.offset + u->t.length);
}

static int upload_copy(Upload *u, int to)
{
        FileTransfer *t = &u->t;
        DataCopy job = {
                .from = t->peer.fd,
                .to = to,
                .from_name = "the source of the upload",
                .to_name = t->volume.name,
                .from_offset = t->peer.offset,
                .to_offset = t->offset,
                .length = t->length,
                .limit = u->limit,
                .sparse = t->sparse,
                .pace = &t->pace,
                .digest = t->digest,
        };
        int k;

        if (u->atomic) {
                job.before = t->offset;
                job.total = new_size(u);
        }
        k = data_copy(t->ctx, &job, &t->copied);
        if (k != -EFBIG)
                return k;
        return u->tight ? no_room(u) : u->formatted ? image_too_large(u) : beyond_end(u);
}

/* ---- in place ---- */

static int set_corrupt(Upload *u, bool corrupt)
{
        const FileSwap *v = &u->t.volume;
        FileMark mark = v->entry.mark;
        int k;

        mark.corrupt = corrupt;
        k = file_mark_write(&v->root, u->fd, v->raw, &mark);
        if (k >= 0 && (corrupt || ctx_sync(u->t.ctx)) && fsync(u->fd) < 0)
                k = error_set_errno(ctx_error(u->t.ctx), errno, "Cannot write volume %s to disk", v->name);
        return k;
}

/* What broke off before is mended by all of it only. */
static bool stays_corrupt(const Upload *u)
{
        const FileTransfer *t = &u->t;

        return t->volume.entry.mark.corrupt && !u->formatted && (t->offset > 0 || t->copied.bytes < u->size);
}

static int upload_in_place(Upload *u)
{
        FileSwap *v = &u->t.volume;
        int k;

        u->fd = file_open_same(&v->root, v->name, v->raw, &v->entry);
        if (u->fd < 0)
                return u->fd;
        ctx_ready(u->t.ctx);
        k = set_corrupt(u, true);
        if (k >= 0)
                k = upload_copy(u, u->fd);
        if (k >= 0)
                k = file_transfer_result(&u->t);
        if (k >= 0 && ctx_sync(u->t.ctx) && fsync(u->fd) < 0)
                k = error_set_errno(ctx_error(u->t.ctx), errno, "Cannot write volume %s to disk", v->name);
        if (k >= 0)
                k = set_corrupt(u, stays_corrupt(u));
        if (k < 0) { /* whoever hears of that finds it marked */
                (void)file_swap_tell(v);
                return k;
        }
        return file_swap_tell(v);
}

/* ---- by a new image ---- */

/* What the upload leaves alone, before it and behind it. */
static int copy_old(Upload *u, uint64_t start, uint64_t end)
{
        const FileSwap *v = &u->t.volume;
        DataCopied copied;

        if (start >= end || u->formatted)
                return 0;
        return data_copy(u->t.ctx,
                         &(DataCopy){ .from = v->entry.fd,
                                      .to = v->new.fd,
                                      .from_name = v->name,
                                      .to_name = v->name,
                                      .from_offset = start,
                                      .to_offset = start,
                                      .length = end - start,
                                      .before = start,
                                      .total = new_size(u) },
                         &copied);
}

/* A header that names other files than the volume stands on would let its sender read them. */
static int check_names(const Upload *u, const ImageInfo *i)
{
        const ImageInfo *old = &u->t.volume.entry.image;
        Error *e = ctx_error(u->t.ctx);

        if (i->data_file)
                return error_set(
                        e, ERROR_INVALID_ARGS,
                        "The uploaded image keeps its data in another file; volume %s stays as it was",
                        u->t.volume.name);
        if (i->format == FORMAT_VMDK && !streq_ptr(i->variant, "monolithicSparse") &&
            !streq_ptr(i->variant, "streamOptimized"))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "The uploaded image is a vmdk of several files; volume %s stays as it was",
                                 u->t.volume.name);
        if (i->backing && (!streq_ptr(i->backing, old->backing) || i->backing_format != old->backing_format))
                return error_set(
                        e, ERROR_INVALID_ARGS,
                        "The uploaded image stands on a backing file that volume %s does not have; the "
                        "volume stays as it was. Flatten the image, or rebase the volume first",
                        u->t.volume.name);
        return 0;
}

static int check_image(Upload *u)
{
        FileSwap *v = &u->t.volume;
        _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL;
        Error *e = ctx_error(u->t.ctx);
        int k;

        if (!u->formatted)
                return 0;
        k = image_probe(v->new.fd, u->t.copied.bytes, 0, &i);
        if (k < 0)
                return error_set_errno(e, k, "Cannot read the image that was uploaded");
        if (i.format != v->entry.info.format)
                return error_set(
                        e, ERROR_INVALID_ARGS,
                        "Volume %s is of format %s, but what was uploaded looks like %s; the volume stays "
                        "as it was",
                        v->name, image_format_to_string(v->entry.info.format),
                        image_format_to_string(i.format));
        if (i.error)
                return error_set(e, ERROR_CORRUPT,
                                 "The uploaded image is damaged: %s; volume %s stays as it was", i.error,
                                 v->name);
        if (i.capacity > u->capacity && u->grow)
                return no_room(u);
        if (i.capacity > u->capacity)
                return error_set(
                        e, ERROR_INVALID_ARGS,
                        "The uploaded image has a capacity of %llu bytes, volume %s one of %llu; to make it "
                        "larger, say grow",
                        (unsigned long long)i.capacity, v->name, (unsigned long long)v->entry.info.capacity);
        if (!i.backing)
                v->entry.mark.backing[0] = '\0'; /* it has all its data now */
        return check_names(u, &i);
}

static int upload_replace(Upload *u)
{
        FileSwap *v = &u->t.volume;
        int k;

        ctx_ready(u->t.ctx);
        k = file_swap_open(v);
        if (k >= 0)
                k = copy_old(u, 0, MIN(u->t.offset, u->size));
        if (k >= 0)
                k = upload_copy(u, v->new.fd);
        if (k >= 0)
                k = copy_old(u, u->t.offset + u->t.copied.bytes, u->size);
        if (k >= 0)
                k = check_image(u);
        if (k >= 0)
                k = file_transfer_result(&u->t);
        if (k < 0)
                return k;
        v->entry.mark.corrupt = stays_corrupt(u);
        return file_swap_finish(v, v->entry.mark.format);
}

int file_upload(Ctx *c, const char *name, int fd, const Bag *options)
{
        _cleanup_(upload_done) Upload u = {
                .t = FILE_TRANSFER_NULL,
                .grow = bag_get_bool(options, "grow", false),
                .atomic = bag_get_bool(options, "atomic", false),
                .fd = -EBADF,
        };
        int k;

        k = file_transfer_begin(c, name, fd, DATA_READ, options, &u.t);
        if (k >= 0)
                k = upload_check(&u);
        if (k < 0)
                return k;
        return u.atomic ? upload_replace(&u) : upload_in_place(&u);
}
