/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "data/scrub.h"
#include "data/trail.h"
#include "file/change.h"
#include "file/create.h"
#include "file/swap.h"
#include "file/use.h"

#define CHUNK (1024u * 1024)

typedef enum WipeMethod {
        WIPE_PUNCH, /* given back to the file system, which reads it as zeros */
        WIPE_WRITE, /* zeros are written */
        WIPE_SCRUB, /* patterns */
} WipeMethod;

typedef struct Wipe {
        FileSwap
                swap; /* entry: the volume; new: the empty image that replaces one with a header of its own */
        FileUse use;
        int fd; /* the volume, for writing */
        const char *pattern;
        WipeMethod method;
        bool trim; /* no other method will do */
} Wipe;

static void wipe_done(Wipe *w)
{
        w->fd = safe_close(w->fd);
        file_use_end(&w->use);
        file_swap_done(&w->swap);
}

/* What is only bytes: it stays the file that it is. luks loses its header, and with it all that a passphrase opens. */
static bool is_plain(ImageFormat f)
{
        return f == FORMAT_RAW || f == FORMAT_ISO || f == FORMAT_LUKS;
}

/* ---- checks ---- */

static int choose_method(Wipe *w, const char *algorithm, const Bag *options)
{
        Ctx *c = w->swap.root.ctx;

        w->pattern = algorithm;
        w->trim = streq(algorithm, "trim");
        if (w->trim)
                w->method = WIPE_PUNCH;
        else if (streq(algorithm, "zero"))
                w->method = bag_get_bool(options, "write", false) ? WIPE_WRITE : WIPE_PUNCH;
        else if (scrub_knows(algorithm)) {
                w->method = WIPE_SCRUB;
                return scrub_available(c);
        } else
                return error_set(ctx_error(c), ERROR_INVALID_ARGS,
                                 "\"%s\" is no algorithm to wipe with; use zero, trim, random, nnsa, dod, "
                                 "bsi, gutmann, "
                                 "schneier, pfitzner7 or pfitzner33",
                                 algorithm);
        return 0;
}

static int check_volume(const Wipe *w)
{
        const FileSwap *s = &w->swap;
        const VolumeInfo *v = &s->entry.info;
        Error *e = ctx_error(s->root.ctx);

        if (v->type != VOLUME_FILE || s->entry.linked)
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "Volume %s is no file of its own; only such can be wiped", s->name);
        if (v->flags & VOLUME_FOREIGN_LINKS)
                return error_set(
                        e, ERROR_NOT_SUPPORTED,
                        "Volume %s has another name (hard link), perhaps outside the pool; it is not wiped",
                        s->name);
        if (is_plain(v->format))
                return s->entry.mark.corrupt ? 0
                                             : file_refuse_undeclared(&s->root, s->name, &s->entry, "wiped");
        if (v->error)
                return error_set(e, ERROR_CORRUPT,
                                 "Volume %s: %s; no empty image can be made like it, so delete it instead",
                                 s->name, v->error);
        for (const ImageFormat *f = file_create_formats; *f != FORMAT_NONE; f++)
                if (*f == v->format)
                        return 0;
        return error_set(e, ERROR_NOT_SUPPORTED, "Volume %s: an empty image of format %s cannot be made",
                         s->name, image_format_to_string(v->format));
}

static int lock_volume(Wipe *w)
{
        FileSwap *s = &w->swap;
        int k;

        k = file_use_begin(&s->root, s->name, s->entry.fd, FILE_USE_WRITE, &w->use);
        if (k >= 0 && s->entry.mark.base)
                k = file_refuse_overlays(&s->root, s->name, s->raw, NULL);
        return k;
}

/* Whether the file system can take back a part, asked behind the end, where there is nothing. */
static int check_method(Wipe *w)
{
        const FileSwap *s = &w->swap;
        const struct statx *st = &s->entry.st;
        bool punches =
                fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)st->stx_size, 4096) >= 0;

        if (w->method == WIPE_PUNCH && !punches) {
                if (w->trim)
                        return error_set(
                                ctx_error(s->root.ctx), ERROR_NOT_SUPPORTED,
                                "The file system of pool %s cannot trim files; wipe volume %s with zero",
                                ctx_pool_name(s->root.ctx), s->name);
                w->method = WIPE_WRITE;
        }
        if (w->method == WIPE_PUNCH)
                return 0;
        return file_root_reserve(&s->root, st->stx_size - MIN(st->stx_size, st->stx_blocks * 512));
}

/* ---- work ---- */

static int make_empty(Wipe *w)
{
        const VolumeInfo *v = &w->swap.entry.info;
        _cleanup_bag_ Bag *making = NULL;
        int k;

        if (is_plain(v->format))
                return 0;
        k = file_swap_making(&w->swap, &making);
        if (k >= 0)
                k = file_swap_open(&w->swap);
        if (k >= 0)
                k = file_create_image(&w->swap.root, w->swap.name, w->swap.new.fd, v->format, v->capacity,
                                      making, NULL);
        return k;
}

static int write_zeros(const Wipe *w, uint64_t size)
{
        _cleanup_free_ void *zeros = calloc(1, CHUNK);
        Ctx *c = w->swap.root.ctx;
        Trail trail;
        int k = 0;

        if (!zeros)
                return error_set(ctx_error(c), ERROR_NO_MEMORY, "Out of memory");
        trail_begin(&trail, w->fd, true, 0);
        for (uint64_t at = 0; at < size && k >= 0;) {
                ssize_t n = pwrite(w->fd, zeros, (size_t)MIN((uint64_t)CHUNK, size - at), (off_t)at);

                if (n < 0 && errno != EINTR)
                        return error_set_errno(ctx_error(c), errno, "Cannot overwrite volume %s",
                                               w->swap.name);
                at += (uint64_t)MAX(n, 0);
                trail_move(&trail, at);
                k = ctx_progress(c, at, size);
        }
        trail_end(&trail, size);
        return k;
}

static int overwrite(const Wipe *w)
{
        uint64_t size = w->swap.entry.st.stx_size;
        int k = 0;

        if (w->method == WIPE_SCRUB)
                k = scrub_file(w->swap.root.ctx, w->fd, size, w->pattern);
        else if (w->method == WIPE_WRITE)
                k = write_zeros(w, size);
        else if (size > 0 &&
                 fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0)
                k = -errno;
        if (k >= 0 && fsync(w->fd) < 0)
                k = -errno;
        return k < 0 ? error_set_errno(ctx_error(w->swap.root.ctx), k, "Cannot wipe volume %s", w->swap.name)
                     : 0;
}

/* Before the first byte goes: whoever finds it half done finds it marked. */
static int mark_begun(const Wipe *w)
{
        const FileSwap *s = &w->swap;
        FileMark mark = s->entry.mark;
        int k;

        mark.corrupt = true;
        k = file_mark_write(&s->root, w->fd, s->raw, &mark);
        if (k >= 0 && fsync(w->fd) < 0)
                k = error_set_errno(ctx_error(s->root.ctx), errno, "Cannot mark volume %s", s->name);
        return k;
}

static int finish_plain(const Wipe *w)
{
        const FileSwap *s = &w->swap;
        FileMark mark = s->entry.mark;
        int k;

        mark.corrupt = false;
        if (mark.format == FORMAT_LUKS)
                mark.format = FORMAT_RAW;
        k = file_mark_write(&s->root, w->fd, s->raw, &mark);
        if (k >= 0)
                k = ctx_sync_later(s->root.ctx, w->fd);
        return k < 0 ? k : file_swap_tell(s);
}

static int wipe(Wipe *w)
{
        ImageFormat format = w->swap.entry.info.format;
        int k;

        k = make_empty(w);
        if (k >= 0)
                k = mark_begun(w);
        if (k >= 0)
                k = overwrite(w);
        if (k < 0) { /* whoever hears of that finds it marked */
                (void)file_swap_tell(&w->swap);
                return k;
        }
        return is_plain(format) ? finish_plain(w) : file_swap_finish(&w->swap, format);
}

int file_wipe(Ctx *c, const char *name, const char *algorithm, const Bag *options)
{
        _cleanup_(wipe_done) Wipe w = { .swap = FILE_SWAP_NULL, .use = FILE_USE_NULL, .fd = -EBADF };
        int k;

        w.swap.name = name;
        k = file_root_open(c, &w.swap.root);
        if (k >= 0)
                k = choose_method(&w, algorithm, options);
        if (k >= 0)
                k = file_name(&w.swap.root, name, &w.swap.raw);
        if (k >= 0)
                k = file_entry_find(&w.swap.root, name, w.swap.raw, 0, &w.swap.entry);
        if (k >= 0)
                k = check_volume(&w);
        if (k >= 0)
                k = ctx_need_job(c);
        if (k >= 0)
                k = lock_volume(&w);
        if (k >= 0)
                k = w.fd = file_open_same(&w.swap.root, name, w.swap.raw, &w.swap.entry);
        if (k >= 0)
                k = check_method(&w);
        if (k < 0)
                return k;
        ctx_ready(c);
        return wipe(&w);
}
