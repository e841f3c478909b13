/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/volume.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include "file/scan.h"
#include "file/snapshots.h"
#include "file/use.h"
#include "util/names.h"

/* ---- stat and info ---- */

int file_stat(Ctx *c, const char *name)
{
        _cleanup_entry_ FileEntry e = FILE_ENTRY_NULL;
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        _cleanup_free_ char *raw = NULL;
        int k;

        k = file_root_open(c, &r);
        if (k < 0)
                return k;
        k = file_name(&r, name, &raw);
        if (k < 0)
                return k;
        k = file_entry_read(&r, raw, DT_UNKNOWN, 0, &e);
        if (k < 0)
                return error_set_errno(ctx_error(c), k, "Cannot look at volume %s", name);
        return k > 0 ? ctx_volume(c, &e.info) : ctx_vanished(c, name);
}

static int info_time(Bag *b, const char *key, const struct statx_timestamp *t)
{
        if (t->tv_sec == 0 && t->tv_nsec == 0)
                return 0; /* the file system does not know */
        if (t->tv_nsec == 0)
                return bag_set_stringf(b, key, "%lld", (long long)t->tv_sec);
        return bag_set_stringf(b, key, "%lld.%09u", (long long)t->tv_sec, t->tv_nsec);
}

static int info_file(Bag *b, const FileEntry *e)
{
        char label[256];
        ssize_t n;
        int k;

        k = bag_set_u32(b, "mode", e->st.stx_mode & 07777);
        if (k >= 0)
                k = bag_set_u32(b, "owner", e->st.stx_uid);
        if (k >= 0)
                k = bag_set_u32(b, "group", e->st.stx_gid);
        if (k >= 0)
                k = info_time(b, "timestamps.atime", &e->st.stx_atime);
        if (k >= 0)
                k = info_time(b, "timestamps.mtime", &e->st.stx_mtime);
        if (k >= 0)
                k = info_time(b, "timestamps.ctime", &e->st.stx_ctime);
        if (k >= 0)
                k = info_time(b, "timestamps.btime", &e->st.stx_btime);
        if (k < 0 || e->fd < 0)
                return k;
        n = fgetxattr(e->fd, "security.selinux", label, sizeof(label) - 1);
        if (n <= 0)
                return 0;
        label[n] = '\0';
        return bag_set_string(b, "label", label);
}

/* Only of a header that is of the declared format. */
static int info_image(Bag *b, const FileEntry *e)
{
        const ImageInfo *i = &e->image;
        int k = 0;

        if (i->encryption)
                k = bag_set_string(b, "encryption.format", i->encryption);
        if (k >= 0 && i->cluster_size)
                k = bag_set_u64(b, "cluster_size", i->cluster_size);
        if (i->format == FORMAT_QCOW2) {
                if (k >= 0)
                        k = bag_set_string(b, "compat", i->version >= 3 ? "1.1" : "0.10");
                if (k >= 0)
                        k = bag_set_bool(b, "lazy_refcounts", i->lazy_refcounts);
                if (k >= 0)
                        k = bag_set_bool(b, "extended_l2", i->extended_l2);
        }
        if (k >= 0 && i->n_snapshots)
                k = bag_set_u32(b, "snapshots", i->n_snapshots);
        if (k >= 0 && i->dirty)
                k = bag_set_bool(b, "dirty", true);
        return k;
}

static int info_backing(const FileRoot *r, Bag *b, const FileEntry *e)
{
        _cleanup_entry_ FileEntry below = FILE_ENTRY_NULL;
        _cleanup_free_ char *raw = NULL;
        int k;

        k = bag_set_string(b, "backing.path", e->info.backing);
        if (k >= 0 && e->info.backing_format != FORMAT_NONE)
                k = bag_set_string(b, "backing.format", image_format_to_string(e->info.backing_format));
        raw = file_backing_name(r, e->image.backing);
        if (k < 0 || !raw || file_entry_read(r, raw, DT_REG, 0, &below) <= 0)
                return k;
        k = bag_set_u32(b, "backing.mode", below.st.stx_mode & 07777);
        if (k >= 0)
                k = bag_set_u32(b, "backing.owner", below.st.stx_uid);
        if (k >= 0)
                k = bag_set_u32(b, "backing.group", below.st.stx_gid);
        if (k >= 0)
                k = info_time(b, "backing.timestamps.atime", &below.st.stx_atime);
        if (k >= 0)
                k = info_time(b, "backing.timestamps.mtime", &below.st.stx_mtime);
        if (k >= 0)
                k = info_time(b, "backing.timestamps.ctime", &below.st.stx_ctime);
        return k < 0 ? k : info_time(b, "backing.timestamps.btime", &below.st.stx_btime);
}

int file_info(Ctx *c, const char *name, Bag *ret)
{
        _cleanup_entry_ FileEntry e = FILE_ENTRY_NULL;
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        _cleanup_free_ char *raw = NULL;
        int k;

        k = file_root_open(c, &r);
        if (k >= 0)
                k = file_name(&r, name, &raw);
        if (k >= 0)
                k = file_entry_find(&r, name, raw, FILE_READ_CONTENT, &e);
        if (k >= 0)
                k = ctx_volume(c, &e.info);
        if (k < 0)
                return k;
        k = info_file(ret, &e);
        if (k >= 0 && e.info.type == VOLUME_FILE && e.image.format == e.info.format)
                k = info_image(ret, &e);
        if (k >= 0 && e.image.variant)
                k = bag_set_string(ret, "variant", e.image.variant);
        if (k >= 0 && e.info.backing)
                k = info_backing(&r, ret, &e);
        return k < 0 ? error_set_errno(ctx_error(c), k, "Cannot tell of volume %s", name) : 0;
}

/* ---- delete ---- */

/* The overlay whose header names `base`, looked for in every image of the pool. */
typedef struct Overlays {
        const FileRoot *root;
        const char *base; /* raw name */
        char *const *allowed;
        char *found; /* shown name of one that may not go */
        uint64_t n;
} Overlays;

static int visit_overlay(const char *raw, unsigned char type, void *userdata)
{
        _cleanup_entry_ FileEntry e = FILE_ENTRY_NULL;
        _cleanup_free_ char *base = NULL;
        Overlays *o = userdata;

        if (++o->n % 1000 == 0) {
                int k = ctx_progress(o->root->ctx, o->n, 0);
                if (k < 0)
                        return k;
        }
        if (streq(raw, o->base) || file_entry_read(o->root, raw, type, 0, &e) <= 0 || !e.info.backing)
                return 0;
        base = file_backing_name(o->root, e.image.backing);
        if (!base || !streq(base, o->base) || strv_contains(o->allowed, e.info.name))
                return 0;
        o->found = strdup(e.info.name);
        return o->found ? 1 : -ENOMEM;
}

/* A volume that was once made a backing file (file-create.c marks it) may still have overlays. */
int file_refuse_overlays(const FileRoot *r, const char *name, const char *raw, char *const *dependents)
{
        Overlays o = { .root = r, .base = raw, .allowed = dependents };
        _cleanup_free_ char *found = NULL;
        int k;

        k = ctx_need_job(r->ctx);
        if (k < 0)
                return k;
        k = file_each_entry(r->fd, visit_overlay, &o);
        found = o.found;
        if (k < 0)
                return error_set_errno(ctx_error(r->ctx), k, "Cannot look for the overlays of volume %s",
                                       name);
        if (found)
                return error_set(ctx_error(r->ctx), ERROR_IN_USE,
                                 "Volume %s backs volume %s; flatten or delete that one first, or say "
                                 "dependents where both "
                                 "are to be deleted",
                                 name, found);
        return 0;
}

static int delete_one(const FileRoot *r, const char *name, const char *raw, bool directory)
{
        Ctx *c = r->ctx;

        if (unlinkat(r->fd, raw, directory ? AT_REMOVEDIR : 0) < 0) {
                if (errno == ENOTEMPTY || errno == EEXIST)
                        return error_set(ctx_error(c), ERROR_IN_USE,
                                         "Directory %s is not empty; remove what is in it first", name);
                if (errno != ENOENT)
                        return error_set_errno(ctx_error(c), errno, "Cannot delete volume %s", name);
        }
        file_mark_remove(r, raw);
        return ctx_vanished(c, name);
}

/* What goes. The base flag is all that is needed of it: no header is read. */
typedef struct Doomed {
        char *raw;
        int fd; /* holds the locks until the file is gone; -EBADF: no file, or one that we may not read */
        bool directory, base, snapshots;
} Doomed;

static void doomed_done(Doomed *d)
{
        free(d->raw);
        d->fd = safe_close(d->fd);
}

static int delete_look(const FileRoot *r, const char *name, Doomed *d)
{
        FileMark mark = FILE_MARK_NULL;
        struct statx st;
        int k;

        if (statx(r->fd, d->raw, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE | FILE_MARK_STATX, &st) <
            0) {
                if (errno != ENOENT)
                        return error_set_errno(ctx_error(r->ctx), errno, "Cannot look at volume %s", name);
                k = ctx_vanished(r->ctx, name);
                return k < 0 ? k
                             : error_set(ctx_error(r->ctx), ERROR_NO_SUCH_VOLUME, "Pool %s has no volume %s",
                                         ctx_pool_name(r->ctx), name);
        }
        if (!S_ISREG(st.stx_mode) && !S_ISDIR(st.stx_mode) && !(S_ISLNK(st.stx_mode) && r->follow))
                return error_set(ctx_error(r->ctx), ERROR_NO_SUCH_VOLUME,
                                 "%s in pool %s is neither a file nor a directory", name,
                                 ctx_pool_name(r->ctx));
        d->fd = S_ISREG(st.stx_mode) ? file_open(r, d->raw, O_RDONLY) : -EBADF;
        if (d->fd >= 0)
                file_mark_read(r, d->fd, d->raw, &st, &mark);
        d->directory = S_ISDIR(st.stx_mode);
        d->base = mark.base;
        d->snapshots = mark.snapshots;
        return 0;
}

static int delete_named(const FileRoot *r, const char *name, char *const *dependents)
{
        _cleanup_(doomed_done) Doomed d = { .fd = -EBADF };
        FileUse use; /* ends with d.fd */
        int k;

        k = file_name(r, name, &d.raw);
        if (k >= 0)
                k = delete_look(r, name, &d);
        if (k >= 0 && d.fd >= 0)
                k = file_use_begin(r, name, d.fd, FILE_USE_WRITE, &use);
        if (k >= 0 && d.base)
                k = file_refuse_overlays(r, name, d.raw, dependents);
        if (k < 0)
                return k;
        /* First, so that none is left to a later volume of the same name. */
        if (d.snapshots && (k = file_snapshots_remove(r, d.raw)) < 0)
                return error_set_errno(ctx_error(r->ctx), k, "Cannot delete the snapshots of volume %s",
                                       name);
        return delete_one(r, name, d.raw, d.directory);
}

int file_delete(Ctx *c, const char *name, char *const *dependents)
{
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        int k;

        k = file_root_open(c, &r);
        if (k < 0)
                return k;
        if (dependents && dependents[0]) {
                k = ctx_need_job(c);
                if (k < 0)
                        return k;
                ctx_ready(c);
        }
        /* Each stands behind the one that it needs: from the end, a chain is whole at every moment. */
        for (size_t i = strv_length(dependents); i-- > 0;) {
                k = delete_named(&r, dependents[i], dependents + i);
                if (k < 0 && ctx_error(c)->kind == ERROR_NO_SUCH_VOLUME)
                        error_done(ctx_error(c));
                else if (k < 0)
                        return k;
                k = ctx_progress(c, strv_length(dependents) - i, strv_length(dependents) + 1);
                if (k < 0)
                        return k;
        }
        k = delete_named(&r, name, NULL);
        return k < 0 ? k : ctx_sync_later(c, r.fd);
}
