/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The format of a file that came from outside, on an administrator's word: it is written into its mark. */
#include "file/volume.h"

static int check(const FileRoot *r, const char *name, const FileEntry *e, ImageFormat format)
{
        Error *error = ctx_error(r->ctx);

        if (e->info.type != VOLUME_FILE || e->linked)
                return error_set(error, ERROR_NOT_SUPPORTED,
                                 "Volume %s is no file of its own; only such has a format", name);
        if (e->info.flags & VOLUME_FOREIGN_LINKS)
                return error_set(
                        error, ERROR_NOT_SUPPORTED,
                        "Volume %s has another name (hard link), perhaps outside the pool; it stays raw",
                        name);
        if (format == FORMAT_RAW || format == e->info.detected ||
            (format == FORMAT_ISO && e->info.detected == FORMAT_RAW))
                return 0;
        return error_set(error, ERROR_INVALID_ARGS, "Volume %s looks like %s, not like %s", name,
                         image_format_to_string(e->info.detected), image_format_to_string(format));
}

/* What its header names is as good as its format. */
static void note_backing(const FileRoot *r, const FileEntry *e, FileMark *mark)
{
        _cleanup_free_ char *backing = NULL;

        if (mark->format == e->image.format && e->image.backing)
                backing = file_backing_name(r, e->image.backing);
        (void)snprintf(mark->backing, sizeof(mark->backing), "%s", backing ?: "");
}

static int declare(const FileRoot *r, const char *name, const char *raw, ImageFormat format)
{
        _cleanup_entry_ FileEntry e = FILE_ENTRY_NULL, now = FILE_ENTRY_NULL;
        FileMark mark;
        int k;

        k = file_entry_find(r, name, raw, 0, &e);
        if (k >= 0)
                k = check(r, name, &e, format);
        if (k < 0)
                return k;
        mark = e.mark;
        mark.format = format;
        note_backing(r, &e, &mark);
        k = file_mark_write(r, e.fd, raw, &mark);
        if (k >= 0)
                k = ctx_sync_later(r->ctx, e.fd);
        if (k >= 0)
                k = file_entry_find(r, name, raw, 0, &now);
        return k < 0 ? k : ctx_volume(r->ctx, &now.info);
}

int file_declare(Ctx *c, const char *name, ImageFormat format)
{
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        _cleanup_free_ char *raw = NULL;
        int k;

        k = file_root_open(c, &r);
        if (k >= 0)
                k = file_name(&r, name, &raw);
        return k < 0 ? k : declare(&r, name, raw, format);
}
