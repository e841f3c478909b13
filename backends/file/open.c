/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors of volumes for clients. */
#include <fcntl.h>
#include <sys/mount.h>

#include "file/use.h"
#include "file/volume.h"

typedef enum OpenMode {
        OPEN_READ_ONLY,
        OPEN_WRITABLE,
        OPEN_EITHER, /* writable if that can be */
} OpenMode;

static int check_kind(Ctx *c, const char *name, const FileEntry *e, const char *kind)
{
        if (e->info.type != VOLUME_FILE)
                return error_set(ctx_error(c), ERROR_NOT_SUPPORTED,
                                 "Volume %s is a directory; it cannot be opened", name);
        if (kind && !streq(kind, "regular"))
                return error_set(
                        ctx_error(c), ERROR_NOT_SUPPORTED,
                        "Volume %s is a regular file, not a %s device; leave out kind, or say regular", name,
                        kind);
        return 0;
}

/* ---- for writing ---- */

static int check_writable(const FileRoot *r, const char *name, const FileEntry *e)
{
        Error *error = ctx_error(r->ctx);

        if (e->linked)
                return error_set(error, ERROR_NOT_SUPPORTED,
                                 "Volume %s is a symbolic link; open what it leads to for writing", name);
        if (e->info.flags & VOLUME_FOREIGN_LINKS)
                return error_set(
                        error, ERROR_NOT_SUPPORTED,
                        "Volume %s has another name (hard link), perhaps outside the pool; it can only "
                        "be opened read-only",
                        name);
        if (e->info.error)
                return error_set(error, ERROR_CORRUPT, "Volume %s: %s; it can only be opened read-only",
                                 name, e->info.error);
        return 0;
}

static int open_writable(const FileRoot *r, const char *name, const char *raw, const char *kind, int *ret)
{
        _cleanup_entry_ FileEntry e = FILE_ENTRY_NULL;
        _cleanup_close_ int fd = -EBADF;
        int k;

        k = file_entry_find(r, name, raw, 0, &e);
        if (k >= 0)
                k = check_kind(r->ctx, name, &e, kind);
        if (k >= 0)
                k = check_writable(r, name, &e);
        if (k < 0)
                return k;
        fd = file_open_same(r, name, raw, &e);
        if (fd < 0)
                return fd;
        /* Whoever rewrites it looks for writers after it has its locks, and so one of the two sees the other. */
        k = file_use_refuse_rewrite(r, name, fd);
        if (k < 0)
                return k;
        *ret = TAKE_FD(fd);
        return 0;
}

/* ---- for reading ---- */

/* Who has a descriptor can open it again through /proc, for writing if the file's mode lets him. Not so where the
 * descriptor stands on a mount that is read-only: one of the pool's directory that is mounted nowhere, and goes with the
 * last descriptor. See open_tree(2), mount_setattr(2). */
static int clone_mount(const FileRoot *r)
{
        struct mount_attr attr = {
                .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
        };
        _cleanup_close_ int fd = -EBADF;

        fd = open_tree(r->fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
                return error_set_errno(ctx_error(r->ctx), errno, "Cannot make a read-only view of %s",
                                       r->path);
        return TAKE_FD(fd);
}

static int open_read_only(const FileRoot *r, const char *name, const char *raw, const char *kind, int *ret)
{
        _cleanup_entry_ FileEntry e = FILE_ENTRY_NULL;
        _cleanup_close_ int clone = -EBADF;
        FileRoot view = *r;
        int k;

        /* In user mode there is nobody to keep out: whoever calls could open the file by its path. */
        if (r->system) {
                clone = clone_mount(r);
                if (clone < 0)
                        return clone;
                view.fd = clone;
        }
        k = file_entry_find(&view, name, raw, 0, &e);
        if (k >= 0)
                k = check_kind(r->ctx, name, &e, kind);
        if (k < 0)
                return k;
        if (e.fd < 0)
                return error_set(ctx_error(r->ctx), ERROR_ACCESS_DENIED, "Volume %s %s", name,
                                 e.info.error ?: "cannot be opened");
        *ret = TAKE_FD(e.fd);
        return 0;
}

/* ---- both ---- */

static int open_mode(Ctx *c, const Bag *options, OpenMode *ret)
{
        static const char *const words[] = {
                [OPEN_READ_ONLY] = "yes",
                [OPEN_WRITABLE] = "no",
                [OPEN_EITHER] = "auto",
        };
        const char *word = bag_get_string(options, "read-only") ?: "auto";

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (streq(word, words[i])) {
                        *ret = (OpenMode)i;
                        return 0;
                }
        return error_set(ctx_error(c), ERROR_INVALID_ARGS, "read-only is yes, no or auto, not \"%s\"", word);
}

static int open_either(const FileRoot *r, const char *name, const char *raw, const Bag *options, int *ret,
                       bool *ret_read_only)
{
        const char *kind = bag_get_string(options, "kind");
        OpenMode mode = OPEN_EITHER;
        int k;

        k = open_mode(r->ctx, options, &mode);
        if (k < 0)
                return k;
        *ret_read_only = false;
        if (mode != OPEN_READ_ONLY) {
                k = open_writable(r, name, raw, kind, ret);
                if (k >= 0 || mode == OPEN_WRITABLE)
                        return k;
                error_done(ctx_error(r->ctx));
        }
        *ret_read_only = true;
        return open_read_only(r, name, raw, kind, ret);
}

int file_volume_open(Ctx *c, const char *name, const Bag *options, Bag *result)
{
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *raw = NULL;
        bool read_only;
        int k;

        k = file_root_open(c, &r);
        if (k >= 0)
                k = file_name(&r, name, &raw);
        if (k >= 0)
                k = open_either(&r, name, raw, options, &fd, &read_only);
        if (k < 0)
                return k;
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_NORMAL); /* after the look at its header */
        if (fcntl(fd, F_SETFL, 0) < 0)                    /* no O_NONBLOCK */
                return error_set_errno(ctx_error(c), errno, "Cannot open volume %s", name);
        k = bag_set_fd(result, "fd", TAKE_FD(fd));
        if (k >= 0)
                k = bag_set_string(result, "type", "regular");
        return k < 0 ? k : bag_set_bool(result, "read-only", read_only);
}
