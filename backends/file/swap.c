/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/swap.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "file/lend.h"

#define ATTRIBUTES_MAX 65536u /* XATTR_LIST_MAX, XATTR_SIZE_MAX */

static int swap_check(const FileSwap *s, const char *what)
{
        Error *e = ctx_error(s->root.ctx);
        const VolumeInfo *v = &s->entry.info;

        if (v->type != VOLUME_FILE || s->entry.linked)
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "Volume %s is no file of its own; only such can be %s", s->name, what);
        if (v->flags & VOLUME_FOREIGN_LINKS)
                return error_set(
                        e, ERROR_NOT_SUPPORTED,
                        "Volume %s has another name (hard link), perhaps outside the pool; it is not %s",
                        s->name, what);
        if (v->error)
                return error_set(e, ERROR_CORRUPT, "Volume %s: %s", s->name, v->error);
        return file_refuse_undeclared(&s->root, s->name, &s->entry, what);
}

int file_swap_begin(Ctx *c, const char *name, const char *what, FileSwap *ret)
{
        _cleanup_swap_ FileSwap s = FILE_SWAP_NULL;
        int k;

        s.name = name;
        k = file_root_open(c, &s.root);
        if (k >= 0)
                k = file_name(&s.root, name, &s.raw);
        if (k >= 0)
                k = file_entry_find(&s.root, name, s.raw, 0, &s.entry);
        if (k >= 0)
                k = swap_check(&s, what);
        if (k < 0)
                return k;
        *ret = s;
        s = FILE_SWAP_NULL;
        return 0;
}

int file_swap_lock(FileSwap *s)
{
        const ImageInfo *i = &s->entry.image;
        int k;

        if (i->format == s->entry.info.format && i->n_snapshots > 0)
                return error_set(
                        ctx_error(s->root.ctx), ERROR_NOT_SUPPORTED,
                        "Volume %s has %u internal snapshots, which would be lost; delete them first",
                        s->name, i->n_snapshots);
        k = file_chain_open(&s->root, s->name, &s->entry, s->entry.fd, &s->chain);
        if (k >= 0)
                k = file_chain_lock(&s->root, s->name, &s->chain, FILE_USE_WRITE);
        return k < 0 ? k : file_root_reserve(&s->root, s->entry.info.allocation);
}

int file_swap_making(const FileSwap *s, Bag **ret)
{
        const ImageInfo *i = &s->entry.image;
        _cleanup_bag_ Bag *b = bag_new();
        int k = 0;

        if (i->cluster_size > 0 && (i->format == FORMAT_QCOW2 || i->format == FORMAT_QED))
                k = bag_set_u64(b, "cluster_size", i->cluster_size);
        if (k >= 0 && i->format == FORMAT_QCOW2)
                k = bag_set_string(b, "compat", i->version >= 3 ? "1.1" : "0.10");
        if (k >= 0 && i->lazy_refcounts)
                k = bag_set_bool(b, "lazy_refcounts", true);
        if (k >= 0 && i->extended_l2)
                k = bag_set_bool(b, "extended_l2", true);
        if (!b || k < 0)
                return error_set(ctx_error(s->root.ctx), ERROR_NO_MEMORY, "Out of memory");
        *ret = TAKE_PTR(b);
        return 0;
}

int file_swap_open(FileSwap *s)
{
        int flags, k;

        k = file_new_open(&s->root, s->raw, false, NULL, s->entry.mark.creator, &s->new);
        if (k < 0)
                return k;
        if (ioctl(s->entry.fd, FS_IOC_GETFLAGS, &flags) < 0 || !(flags & FS_NOCOW_FL))
                return 0;
        if (ioctl(s->new.fd, FS_IOC_GETFLAGS, &flags) >= 0) {
                flags |= FS_NOCOW_FL;
                (void)ioctl(s->new.fd, FS_IOC_SETFLAGS, &flags); /* it serves speed only */
        }
        return 0;
}

/* ---- the new one takes over ---- */

/* What its users noted, its access list and its label; not what is computed from the content, nor the mark, which is written
 * apart. */
static bool is_kept(const char *name)
{
        return startswith(name, "user.") || streq(name, "system.posix_acl_access") ||
               streq(name, "security.selinux");
}

/* A label may be there already, and not ours to write. */
static bool has_attribute(int fd, const char *name, const char *value, size_t size)
{
        _cleanup_free_ char *now = malloc(ATTRIBUTES_MAX);

        return now && fgetxattr(fd, name, now, ATTRIBUTES_MAX) == (ssize_t)size &&
               memcmp(now, value, size) == 0;
}

static int copy_attributes(int from, int to)
{
        _cleanup_free_ char *names = malloc(ATTRIBUTES_MAX), *value = malloc(ATTRIBUTES_MAX);
        ssize_t n;

        if (!names || !value)
                return -ENOMEM;
        n = flistxattr(from, names, ATTRIBUTES_MAX);
        if (n < 0)
                return errno == EOPNOTSUPP ? 0 : -errno;
        for (const char *name = names; name < names + n; name += strlen(name) + 1) {
                ssize_t size;

                if (!is_kept(name))
                        continue;
                size = fgetxattr(from, name, value, ATTRIBUTES_MAX);
                if (size < 0)
                        return -errno;
                if (!has_attribute(to, name, value, (size_t)size) &&
                    fsetxattr(to, name, value, (size_t)size, 0) < 0)
                        return -errno;
        }
        return 0;
}

static int take_over_file(const FileSwap *s)
{
        const struct statx *st = &s->entry.st;
        struct stat now;

        if (fstat(s->new.fd, &now) < 0)
                return -errno;
        if ((now.st_uid != st->stx_uid || now.st_gid != st->stx_gid) &&
            fchown(s->new.fd, st->stx_uid, st->stx_gid) < 0)
                return -errno;
        if (fchmod(s->new.fd, st->stx_mode & 07777) < 0)
                return -errno;
        return copy_attributes(s->entry.fd, s->new.fd);
}

/* Somebody else may have put another file there meanwhile. */
static int check_same(const FileSwap *s)
{
        struct statx st;

        if (statx(s->root.fd, s->raw, AT_SYMLINK_NOFOLLOW, STATX_INO, &st) >= 0 &&
            st.stx_ino == s->entry.st.stx_ino)
                return 0;
        return error_set(ctx_error(s->root.ctx), ERROR_CHANGED, "Volume %s was replaced in the meantime",
                         s->name);
}

static int take_place(FileSwap *s, const FileMark *mark)
{
        const FileRoot *r = &s->root;
        int k;

        k = file_new_name(&s->new, FILE_SWAP_STEP, s->raw);
        if (k >= 0)
                k = file_mark_write(r, s->new.fd, s->new.temporary, mark);
        if (k >= 0 && fsync(s->new.fd) < 0)
                k = error_set_errno(ctx_error(r->ctx), errno, "Cannot write the new volume %s to disk",
                                    s->name);
        if (k >= 0)
                k = check_same(s);
        if (k >= 0 && renameat(r->fd, s->new.temporary, r->fd, s->raw) < 0)
                k = error_set_errno(ctx_error(r->ctx), errno, "Cannot put the new volume %s in its place",
                                    s->name);
        if (k < 0) {
                if (s->new.temporary)
                        file_mark_remove(r, s->new.temporary);
                return k;
        }
        file_mark_move(r, s->new.temporary, s->raw);
        free(s->new.temporary);
        s->new.temporary = NULL;
        ctx_intents_done(r->ctx);
        return ctx_sync_later(r->ctx, r->fd);
}

int file_swap_tell(const FileSwap *s)
{
        _cleanup_entry_ FileEntry now = FILE_ENTRY_NULL;
        int k = file_entry_find(&s->root, s->name, s->raw, 0, &now);

        return k < 0 ? k : ctx_volume(s->root.ctx, &now.info);
}

int file_swap_finish(FileSwap *s, ImageFormat format)
{
        FileMark mark = s->entry.mark;
        int k;

        mark.format = format;
        k = take_over_file(s);
        if (k < 0)
                return error_set_errno(
                        ctx_error(s->root.ctx), k,
                        "Cannot give the new volume %s owner, mode and attributes of the old one", s->name);
        k = take_place(s, &mark);
        return k < 0 ? k : file_swap_tell(s);
}

void file_swap_done(FileSwap *s)
{
        file_new_done(&s->new);
        file_chain_done(&s->chain);
        file_entry_done(&s->entry);
        free(s->raw);
        s->raw = NULL;
        file_root_done(&s->root);
}

/* Where marks are files of their own, the new one's follows after the rename. */
int file_swap_undo(const FileRoot *r, const char *argument)
{
        const char *space = strchr(argument, ' ');
        _cleanup_free_ char *temporary = space ? strndup(argument, (size_t)(space - argument)) : NULL;

        if (!temporary)
                return space ? -ENOMEM : -EINVAL;
        if (faccessat(r->fd, temporary, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
                file_mark_move(r, temporary, space + 1);
                return 0;
        }
        file_mark_remove(r, temporary);
        return file_new_undo(r, temporary);
}
