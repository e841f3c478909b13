/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "file/change.h"
#include "file/new.h"
#include "file/snapshots.h"
#include "file/use.h"
#include "file/volume.h"

typedef struct Rename {
        FileRoot root;
        const char *name, *new_name;
        char *raw;
        FileEntry entry;
} Rename;

static void rename_done(Rename *s)
{
        file_entry_done(&s->entry);
        free(s->raw);
        file_root_done(&s->root);
}

static int rename_check(Rename *s)
{
        FileUse use;
        int k = 0;

        if (s->entry.linked)
                return error_set(ctx_error(s->root.ctx), ERROR_NOT_SUPPORTED,
                                 "Volume %s is a symbolic link; rename what it leads to", s->name);
        if (s->entry.mark.base)
                k = file_refuse_overlays(&s->root, s->name, s->raw, NULL);
        if (k >= 0 && s->entry.info.type == VOLUME_FILE && s->entry.fd >= 0)
                k = file_use_begin(&s->root, s->name, s->entry.fd, FILE_USE_WRITE, &use);
        if (k >= 0 && s->entry.mark.snapshots && file_snapshots_fit(&s->root, s->raw, s->new_name) < 0)
                return error_set(ctx_error(s->root.ctx), ERROR_INVALID_NAME,
                                 "Name %s is too long together with those of the snapshots of volume %s",
                                 s->new_name, s->name);
        return k;
}

/* For a moment it has both names, or its mark still has the old one. */
static int intend(const Rename *s)
{
        _cleanup_free_ char *argument = NULL;

        if (asprintf(&argument, "%s/%s", s->raw, s->new_name) < 0) {
                argument = NULL;
                return -ENOMEM;
        }
        return ctx_intent(s->root.ctx, FILE_RENAME_STEP, argument);
}

/* fd becomes an open of this name of its file. */
static int reopen(const FileRoot *r, const char *raw, int fd)
{
        _cleanup_close_ int new = file_open(r, raw, fcntl(fd, F_GETFL) & O_ACCMODE);
        struct stat a, b;

        if (new < 0)
                return new;
        if (fstat(fd, &a) < 0 || fstat(new, &b) < 0)
                return -errno;
        if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
                return -ESTALE;
        return dup3(new, fd, O_CLOEXEC) < 0 ? -errno : 0;
}

int file_rename_by_link(const FileRoot *r, const char *from, const char *to, int fd)
{
        int k;

        if (linkat(r->fd, from, r->fd, to, 0) < 0)
                return -errno;
        k = reopen(r, to, fd);
        if (k < 0)
                return k;
        return unlinkat(r->fd, from, 0) < 0 ? -errno : 0;
}

static int rename_by_link(const Rename *s)
{
        int k = intend(s);

        return k < 0 ? k : file_rename_by_link(&s->root, s->raw, s->new_name, s->entry.fd);
}

static int rename_file(const Rename *s)
{
        bool apart = s->entry.fd >= 0 && file_mark_is_apart(&s->root, s->entry.fd),
             snapshots = s->entry.mark.snapshots;
        int dir = s->root.fd, k = apart || snapshots ? intend(s) : 0;

        if (k >= 0 && renameat2(dir, s->raw, dir, s->new_name, RENAME_NOREPLACE) < 0)
                k = errno == EINVAL && s->entry.info.type == VOLUME_FILE ? rename_by_link(s) : -errno;
        if (k < 0)
                return k;
        if (apart)
                file_mark_move(&s->root, s->raw, s->new_name);
        if (snapshots)
                k = file_snapshots_rename(&s->root, s->raw, s->new_name);
        ctx_intents_done(s->root.ctx);
        return k;
}

static int rename_run(const Rename *s)
{
        Ctx *c = s->root.ctx;
        int k = rename_file(s);

        if (k == -EEXIST)
                return error_set(ctx_error(c), ERROR_VOLUME_EXISTS,
                                 "Pool %s already has an entry %s; choose another name", ctx_pool_name(c),
                                 s->new_name);
        if (k < 0)
                return error_set_errno(ctx_error(c), k, "Cannot rename volume %s to %s", s->name,
                                       s->new_name);
        return ctx_sync_later(c, s->root.fd);
}

int file_rename(Ctx *c, const char *name, const char *new_name)
{
        _cleanup_(rename_done) Rename s = {
                .root = FILE_ROOT_NULL, .name = name, .new_name = new_name, .entry = FILE_ENTRY_NULL
        };
        _cleanup_entry_ FileEntry now = FILE_ENTRY_NULL;
        int k;

        k = file_root_open(c, &s.root);
        if (k >= 0)
                k = file_name(&s.root, name, &s.raw);
        if (k >= 0)
                k = file_entry_find(&s.root, name, s.raw, 0, &s.entry);
        if (k >= 0)
                k = file_new_check(&s.root, new_name);
        if (k >= 0)
                k = rename_check(&s);
        if (k >= 0)
                k = rename_run(&s);
        if (k >= 0)
                k = ctx_vanished(c, name);
        if (k >= 0)
                k = file_entry_find(&s.root, new_name, new_name, 0, &now);
        return k < 0 ? k : ctx_volume(c, &now.info);
}

int file_rename_undo(const FileRoot *r, const char *argument)
{
        const char *slash = strchr(argument, '/');
        _cleanup_free_ char *old = slash ? strndup(argument, (size_t)(slash - argument)) : NULL;
        struct statx a, b;

        if (!old)
                return slash ? -ENOMEM : -EINVAL;
        if (statx(r->fd, slash + 1, AT_SYMLINK_NOFOLLOW, STATX_INO, &b) < 0)
                return 0; /* it did not begin */
        if (statx(r->fd, old, AT_SYMLINK_NOFOLLOW, STATX_INO, &a) < 0) {
                file_mark_move(r, old, slash + 1);
                return file_snapshots_rename(r, old, slash + 1);
        }
        if (a.stx_ino == b.stx_ino && unlinkat(r->fd, slash + 1, 0) < 0)
                return error_set_errno(ctx_error(r->ctx), errno, "Cannot take the name %s back", slash + 1);
        return ctx_sync_later(r->ctx, r->fd);
}
