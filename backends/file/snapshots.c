/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/snapshots.h"

#include <fcntl.h>
#include <limits.h>

#include "data/copy.h"
#include "file/scan.h"
#include "file/swap.h"
#include "file/use.h"
#include "util/names.h"
#include "util/snapshot-list.h"

#define PREFIX TEMPORARY_PREFIX "snapshot-"
#define PREFIX_MAX (sizeof(PREFIX) + 5 + NAME_MAX) /* with the volume's name */

/* ---- names ---- */

static void volume_prefix(const char *raw, char ret[static PREFIX_MAX])
{
        (void)snprintf(ret, PREFIX_MAX, PREFIX "%zu-%s-", strlen(raw), raw);
}

/* *ret is the name on disk. */
static int snapshot_path(const FileRoot *r, const char *raw, const char *snapshot, char **ret)
{
        char prefix[PREFIX_MAX];
        int k;

        k = name_check("snapshot", snapshot, ctx_error(r->ctx));
        if (k < 0)
                return k;
        volume_prefix(raw, prefix);
        if (strlen(prefix) + strlen(snapshot) > NAME_MAX)
                return error_set(
                        ctx_error(r->ctx), ERROR_INVALID_NAME,
                        "The names of volume and snapshot %s are too long together; take a shorter one",
                        snapshot);
        return asprintf(ret, "%s%s", prefix, snapshot) < 0 ? -ENOMEM : 0;
}

/* ---- finding ---- */

static int visit_snapshot(const char *raw, unsigned char type, void *userdata)
{
        return startswith(raw, PREFIX) ? strv_append(userdata, raw) : 0;
}

static int read_names(const FileRoot *r, char ***ret)
{
        _cleanup_close_ int fd =
                openat(r->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* with an offset of its own */
        char **names = NULL;
        int k;

        k = fd < 0 ? -errno : file_each_entry(fd, visit_snapshot, &names);
        if (k < 0) {
                strv_free(names);
                return k;
        }
        *ret = names;
        return 0;
}

void file_snapshots_done(FileSnapshots *s)
{
        strv_free(s->names);
        *s = (FileSnapshots){};
}

typedef int (*snapshot_visit_t)(const FileRoot *r, const char *raw, const char *snapshot, void *userdata);

/* Calls `visit` with each file of the volume: its name on disk, and the snapshot's. */
static int each_snapshot(const FileRoot *r, const char *raw, snapshot_visit_t visit, void *userdata)
{
        FileSnapshots own = {}, *s = r->snapshots ?: &own;
        char prefix[PREFIX_MAX];
        int k = 0;

        if (!s->read) {
                k = read_names(r, &s->names);
                s->read = k >= 0;
        }
        volume_prefix(raw, prefix);
        for (char **name = s->names; name && *name && k >= 0; name++) {
                const char *snapshot = startswith(*name, prefix) ? *name + strlen(prefix) : NULL;

                if (snapshot && *snapshot && !name_needs_escape(snapshot))
                        k = visit(r, *name, snapshot, userdata);
        }
        file_snapshots_done(&own);
        return k;
}

static int list_one(const FileRoot *r, const char *raw, const char *snapshot, void *userdata)
{
        struct statx st;

        /* Nobody writes into it, so this is when it was made. */
        if (statx(r->fd, raw, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_SIZE | STATX_MTIME, &st) < 0 ||
            !S_ISREG(st.stx_mode))
                return 0;
        return snapshot_list_add(userdata, SNAPSHOT_FILE,
                                 (uint64_t)MAX(st.stx_mtime.tv_sec, 0) * 1000000 +
                                         st.stx_mtime.tv_nsec / 1000,
                                 st.stx_size, snapshot);
}

int file_snapshots_list(const FileRoot *r, const char *raw, char **ret)
{
        char *list = NULL;
        int k = each_snapshot(r, raw, list_one, &list);

        if (k < 0) {
                free(list);
                return k;
        }
        *ret = list;
        return 0;
}

static int rename_one(const FileRoot *r, const char *raw, const char *snapshot, void *userdata)
{
        char prefix[PREFIX_MAX], name[PREFIX_MAX + NAME_MAX];

        volume_prefix(userdata, prefix);
        (void)snprintf(name, sizeof(name), "%s%s", prefix, snapshot);
        return renameat(r->fd, raw, r->fd, name) < 0 ? -errno : 0;
}

int file_snapshots_rename(const FileRoot *r, const char *raw, const char *new_raw)
{
        return each_snapshot(r, raw, rename_one, (void *)new_raw);
}

static int fits_one(const FileRoot *r, const char *raw, const char *snapshot, void *userdata)
{
        char prefix[PREFIX_MAX];

        volume_prefix(userdata, prefix);
        return strlen(prefix) + strlen(snapshot) > NAME_MAX ? -ENAMETOOLONG : 0;
}

int file_snapshots_fit(const FileRoot *r, const char *raw, const char *new_raw)
{
        return each_snapshot(r, raw, fits_one, (void *)new_raw);
}

static int remove_one(const FileRoot *r, const char *raw, const char *snapshot, void *userdata)
{
        return unlinkat(r->fd, raw, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int file_snapshots_remove(const FileRoot *r, const char *raw)
{
        return each_snapshot(r, raw, remove_one, NULL);
}

/* ---- files ---- */

static int no_such(const FileSwap *s, const char *snapshot)
{
        return error_set(ctx_error(s->root.ctx), ERROR_NO_SUCH_VOLUME, "Volume %s has no snapshot %s",
                         s->name, snapshot);
}

static int mark_snapshots(const FileSwap *s, bool snapshots)
{
        FileMark mark = s->entry.mark;
        int k;

        if (mark.snapshots == snapshots)
                return 0;
        mark.snapshots = snapshots;
        k = file_mark_write(&s->root, s->entry.fd, s->raw, &mark);
        return k < 0 ? k : ctx_sync_later(s->root.ctx, s->entry.fd);
}

static int create_file(FileSwap *s, const char *snapshot, const char *path)
{
        Ctx *c = s->root.ctx;
        int k;

        k = file_swap_open(s);
        if (k < 0)
                return k;
        s->new.name = path;
        k = data_reflink(s->entry.fd, s->new.fd);
        if (k == -EOPNOTSUPP)
                return error_set(ctx_error(c), ERROR_NOT_SUPPORTED,
                                 "The file system of pool %s cannot share blocks between files, so only "
                                 "qcow2 volumes "
                                 "have snapshots in it; convert volume %s to qcow2",
                                 ctx_pool_name(c), s->name);
        if (k >= 0)
                k = ctx_sync_later(c, s->new.fd);
        if (k >= 0)
                k = mark_snapshots(s, true);
        if (k >= 0)
                k = file_new_link(&s->new);
        if (k == -EEXIST)
                return error_set(ctx_error(c), ERROR_VOLUME_EXISTS, "Volume %s has a snapshot %s already",
                                 s->name, snapshot);
        return k < 0 ? error_set_errno(ctx_error(c), k, "Cannot make snapshot %s of volume %s", snapshot,
                                       s->name)
                     : 0;
}

static int revert_file(FileSwap *s, const char *snapshot, const char *path)
{
        _cleanup_use_ FileUse use = FILE_USE_NULL;
        _cleanup_close_ int fd = -EBADF;
        int k;

        fd = file_open(&s->root, path, O_RDONLY);
        if (fd < 0)
                return no_such(s, snapshot);
        k = file_use_begin(&s->root, s->name, s->entry.fd, FILE_USE_WRITE, &use);
        if (k >= 0 && s->entry.mark.base)
                k = file_refuse_overlays(&s->root, s->name, s->raw, NULL);
        if (k >= 0)
                k = file_swap_open(s);
        if (k < 0)
                return k;
        k = data_reflink(fd, s->new.fd);
        if (k < 0)
                return error_set_errno(ctx_error(s->root.ctx), k, "Cannot revert volume %s to snapshot %s",
                                       s->name, snapshot);
        return file_swap_finish(s, s->entry.info.format);
}

static int delete_file(const FileSwap *s, const char *snapshot, const char *path)
{
        _cleanup_free_ char *left = NULL;
        int k;

        if (unlinkat(s->root.fd, path, 0) < 0)
                return errno == ENOENT ? no_such(s, snapshot)
                                       : error_set_errno(ctx_error(s->root.ctx), errno,
                                                         "Cannot delete snapshot %s of volume %s", snapshot,
                                                         s->name);
        k = file_snapshots_list(&s->root, s->raw, &left);
        return k < 0 || left ? k : mark_snapshots(s, false);
}

static int snapshot_file(FileSwap *s, SnapshotAction action, const char *snapshot)
{
        _cleanup_free_ char *path = NULL;
        int k = snapshot_path(&s->root, s->raw, snapshot, &path);

        if (k < 0)
                return k;
        switch (action) {
        case SNAPSHOT_CREATE:
                return create_file(s, snapshot, path);
        case SNAPSHOT_REVERT:
                return revert_file(s, snapshot, path);
        case SNAPSHOT_DELETE:
                return delete_file(s, snapshot, path);
        }
        return -EINVAL;
}

/* ---- in the image ---- */

static int tool_words(const FileSwap *s, SnapshotAction action, const char *snapshot, const char **ret_what,
                      char **ret)
{
        _cleanup_free_ char *id = NULL, *name = NULL;
        Error *e = ctx_error(s->root.ctx);
        int k;

        k = image_snapshot_find(s->entry.fd, s->entry.st.stx_size, snapshot, &id, &name);
        if (k < 0 && k != -ENOENT)
                return error_set_errno(e, k, "Cannot read the snapshots of volume %s", s->name);
        if (action == SNAPSHOT_CREATE) {
                if (k >= 0)
                        return error_set(e, ERROR_VOLUME_EXISTS, "Volume %s has a snapshot %s already",
                                         s->name, snapshot);
                k = name_check("snapshot", snapshot, e);
                if (k < 0)
                        return k;
                *ret_what = "-c";
                *ret = strdup(snapshot);
                return *ret ? 0 : -ENOMEM;
        }
        if (k < 0)
                return no_such(s, snapshot);
        /* One is looked for by its id before its name, and the other by its name alone. */
        *ret_what = action == SNAPSHOT_REVERT ? "-a" : "-d";
        *ret = action == SNAPSHOT_REVERT ? TAKE_PTR(id) : TAKE_PTR(name);
        return 0;
}

static int snapshot_image(FileSwap *s, SnapshotAction action, const char *snapshot)
{
        _cleanup_use_ FileUse use = FILE_USE_NULL;
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *word = NULL;
        Ctx *c = s->root.ctx;
        const char *what = NULL;
        int k;

        k = tool_words(s, action, snapshot, &what, &word);
        if (k >= 0)
                k = ctx_need_job(c);
        if (k >= 0)
                k = file_use_begin(&s->root, s->name, s->entry.fd, FILE_USE_WRITE, &use);
        if (k >= 0 && action == SNAPSHOT_REVERT && s->entry.mark.base)
                k = file_refuse_overlays(&s->root, s->name, s->raw, NULL);
        if (k < 0)
                return k;
        fd = file_open(&s->root, s->raw, O_RDWR);
        if (fd < 0)
                return error_set_errno(ctx_error(c), fd, "Cannot open volume %s for writing", s->name);
        k = file_chain_open(&s->root, s->name, &s->entry, fd, &s->chain);
        if (k < 0)
                return k;
        ctx_ready(c);
        k = qemu_img_snapshot(c, s->chain.nodes, s->chain.n, what, word);
        return k < 0 ? k : ctx_sync_later(c, fd);
}

/* ---- either ---- */

int file_snapshot(Ctx *c, const char *name, SnapshotAction action, const char *snapshot, const Bag *options)
{
        static const char *const words[] = {
                [SNAPSHOT_CREATE] = "given a snapshot",
                [SNAPSHOT_REVERT] = "reverted",
                [SNAPSHOT_DELETE] = "changed",
        };
        _cleanup_entry_ FileEntry now = FILE_ENTRY_NULL;
        _cleanup_swap_ FileSwap s = FILE_SWAP_NULL;
        int k;

        k = file_swap_begin(c, name, words[action], &s);
        if (k < 0)
                return k;
        k = s.entry.info.format == FORMAT_QCOW2 ? snapshot_image(&s, action, snapshot)
                                                : snapshot_file(&s, action, snapshot);
        if (k >= 0)
                k = ctx_sync_later(c, s.root.fd);
        if (k >= 0)
                k = file_entry_find(&s.root, name, s.raw, 0, &now);
        return k < 0 ? k : ctx_volume(c, &now.info);
}
