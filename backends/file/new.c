/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/new.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "util/fileio.h"
#include "util/names.h"

#define MODE_DEFAULT 0600u

static int new_exists(const FileRoot *r, const char *name)
{
        return error_set(ctx_error(r->ctx), ERROR_VOLUME_EXISTS,
                         "Pool %s already has an entry %s; choose another name", ctx_pool_name(r->ctx),
                         name);
}

int file_new_check(const FileRoot *r, const char *name)
{
        int k = name_check("volume", name, ctx_error(r->ctx));

        if (k < 0)
                return k;
        if (name_needs_escape(name))
                return error_set(ctx_error(r->ctx), ERROR_INVALID_NAME,
                                 "The name of a new volume cannot have a backslash");
        if (faccessat(r->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0)
                return new_exists(r, name);
        return 0;
}

/* ---- opening ---- */

static char *temporary_name(Ctx *c)
{
        _cleanup_free_ char *machine = NULL;
        char unique[37], *name;

        if (read_file_at(AT_FDCWD, "/etc/machine-id", 64, &machine, NULL) < 0)
                machine = strdup("unknown");
        if (!machine)
                return NULL;
        machine[strcspn(machine, "\n")] = '\0';
        uuid_generate_text(unique);
        if (asprintf(&name, TEMPORARY_PREFIX "%.32s-%s-%.8s", machine, ctx_job_id(c), unique) < 0)
                return NULL;
        return name;
}

static int open_temporary(FileNew *n)
{
        const FileRoot *r = n->root;
        int k;

        n->temporary = temporary_name(r->ctx);
        if (!n->temporary)
                return -ENOMEM;
        k = ctx_intent(r->ctx, FILE_NEW_STEP, n->temporary);
        if (k < 0)
                return k;
        if (n->directory) {
                if (mkdirat(r->fd, n->temporary, 0700) < 0)
                        return -errno;
                n->fd = file_open(r, n->temporary, O_RDONLY | O_DIRECTORY);
        } else
                n->fd = openat(r->fd, n->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                               0600);
        if (n->directory)
                return n->fd < 0 ? n->fd : 0;
        return n->fd < 0 ? -errno : 0;
}

static int open_nameless(FileNew *n)
{
        n->fd = openat(n->root->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (n->fd >= 0)
                return 0;
        if (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)
                return open_temporary(n);
        return -errno;
}

static int set_nocow(const FileNew *n)
{
        int flags;

        if (!bag_get_bool(n->options, "nocow", false))
                return 0;
        if (ioctl(n->fd, FS_IOC_GETFLAGS, &flags) < 0)
                return -errno;
        flags |= FS_NOCOW_FL;
        return ioctl(n->fd, FS_IOC_SETFLAGS, &flags) < 0 ? -errno : 0;
}

int file_new_open(const FileRoot *r, const char *name, bool directory, const Bag *options, uid_t creator,
                  FileNew *ret)
{
        _cleanup_new_ FileNew n = {
                .root = r,
                .name = name,
                .options = options,
                .creator = creator,
                .fd = -EBADF,
                .directory = directory,
        };
        int k;

        k = directory ? open_temporary(&n) : open_nameless(&n);
        if (k < 0)
                return error_set_errno(ctx_error(r->ctx), k, "Cannot make a file in %s", r->path);
        k = set_nocow(&n);
        if (k == -ENOTTY || k == -EOPNOTSUPP || k == -EINVAL)
                return error_set(ctx_error(r->ctx), ERROR_NOT_SUPPORTED,
                                 "The file system of pool %s cannot switch off copy-on-write (nocow); leave "
                                 "the option out",
                                 ctx_pool_name(r->ctx));
        if (k < 0)
                return error_set_errno(ctx_error(r->ctx), k, "Cannot switch off copy-on-write of volume %s",
                                       name);
        *ret = n;
        n = FILE_NEW_NULL;
        return 0;
}

/* ---- finishing ---- */

/* Of the volume's options, else the pool's default; UINT32_MAX: not said. "caller" is who asked for the
 * volume. */
static uint32_t new_id(const FileNew *n, const char *key, const char *pool_key)
{
        const Bag *pool = ctx_options(n->root->ctx);
        const Bag *from = bag_has(n->options, key) ? n->options : pool;
        const char *k = from == pool ? pool_key : key;
        const char *text = bag_get_string(from, k);

        if (!text)
                return bag_get_u32(from, k, UINT32_MAX);
        if (streq(text, "caller"))
                return n->creator;
        return (uint32_t)strtoul(text, NULL, 10);
}

static mode_t new_mode(const FileNew *n)
{
        mode_t mode;

        if (bag_has(n->options, "mode"))
                return bag_get_u32(n->options, "mode", MODE_DEFAULT);
        mode = bag_get_u32(ctx_options(n->root->ctx), "volume.mode", MODE_DEFAULT);
        /* A default is meant for files: who may read may enter. */
        return n->directory ? mode | (mode & 0444) >> 2 : mode;
}

static int set_permissions(const FileNew *n)
{
        uint32_t uid = new_id(n, "owner", "volume.owner"), gid = new_id(n, "group", "volume.group");
        const char *label = bag_get_string(n->options, "label");
        struct stat st;
        mode_t mode = new_mode(n);

        if (fstat(n->fd, &st) < 0)
                return -errno;
        if ((uid != UINT32_MAX && uid != st.st_uid) || (gid != UINT32_MAX && gid != st.st_gid))
                if (fchown(n->fd, uid, gid) < 0)
                        return -errno;
        if ((st.st_mode & 07777) != mode && fchmod(n->fd, mode) < 0)
                return -errno;
        if (!label)
                label = bag_get_string(ctx_options(n->root->ctx), "volume.label");
        if (label && fsetxattr(n->fd, "security.selinux", label, strlen(label) + 1, 0) < 0)
                return -errno;
        return 0;
}

static int link_nameless(const FileNew *n, const char *name)
{
        char path[64];

        if (linkat(n->fd, "", n->root->fd, name, AT_EMPTY_PATH) >= 0)
                return 0;
        if (errno != ENOENT && errno != EPERM)
                return -errno;
        /* Without CAP_DAC_READ_SEARCH. */
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", n->fd);
        return linkat(AT_FDCWD, path, n->root->fd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int rename_temporary(FileNew *n)
{
        int dir = n->root->fd, k;

        if (renameat2(dir, n->temporary, dir, n->name, RENAME_NOREPLACE) < 0) {
                if (errno != EINVAL || n->directory)
                        return -errno;
                k = file_rename_by_link(n->root, n->temporary, n->name, n->fd);
                if (k < 0)
                        return k;
        }
        free(n->temporary);
        n->temporary = NULL;
        ctx_intents_done(n->root->ctx);
        return 0;
}

int file_new_link(FileNew *n)
{
        return n->temporary ? rename_temporary(n) : link_nameless(n, n->name);
}

static int tell(FileNew *n)
{
        _cleanup_entry_ FileEntry e = FILE_ENTRY_NULL;
        int k;

        if (n->directory)
                k = file_entry_read(n->root, n->name, DT_DIR, 0, &e);
        else
                k = file_entry_describe(n->root, n->name, n->fd, &e);
        if (k < 0)
                return error_set_errno(ctx_error(n->root->ctx), k, "Cannot look at volume %s", n->name);
        return ctx_volume(n->root->ctx, &e.info);
}

static int write_mark(const FileNew *n, ImageFormat format)
{
        const char *path = bag_get_string(n->options, "backing.path");
        _cleanup_free_ char *backing = path ? file_backing_name(n->root, path) : NULL;
        FileMark mark = { .format = format, .creator = n->creator };

        (void)snprintf(mark.backing, sizeof(mark.backing), "%s", backing ?: "");
        return file_mark_write(n->root, n->fd, n->name, &mark);
}

int file_new_finish(FileNew *n, ImageFormat format)
{
        Ctx *c = n->root->ctx;
        int k;

        k = set_permissions(n);
        if (k < 0)
                return error_set_errno(ctx_error(c), k, "Cannot set owner, mode or label of volume %s",
                                       n->name);
        k = write_mark(n, format);
        if (k < 0)
                return k;
        k = file_new_link(n);
        if (k == -EEXIST)
                return new_exists(n->root, n->name);
        if (k < 0)
                return error_set_errno(ctx_error(c), k, "Cannot give volume %s its name", n->name);
        k = ctx_sync_later(c, n->fd);
        if (k >= 0)
                k = ctx_sync_later(c, n->root->fd);
        return k < 0 ? k : tell(n);
}

int file_new_name(FileNew *n, const char *step, const char *name)
{
        _cleanup_free_ char *temporary = n->temporary ? strdup(n->temporary) : temporary_name(n->root->ctx),
                            *argument = NULL;
        Ctx *c = n->root->ctx;
        int k;

        if (!temporary || asprintf(&argument, "%s %s", temporary, name) < 0) {
                argument = NULL;
                return error_set(ctx_error(c), ERROR_NO_MEMORY, "Out of memory");
        }
        k = ctx_intent(c, step, argument);
        if (k < 0 || n->temporary)
                return k;
        k = link_nameless(n, temporary);
        if (k < 0)
                return error_set_errno(ctx_error(c), k, "Cannot give volume %s a name for a while", n->name);
        n->temporary = TAKE_PTR(temporary);
        return 0;
}

int file_new_undo(const FileRoot *r, const char *temporary)
{
        if (!file_name_is_temporary(temporary) || strchr(temporary, '/'))
                return -EINVAL;
        if (unlinkat(r->fd, temporary, 0) >= 0 || errno == ENOENT)
                return 0;
        if (errno == EISDIR && (unlinkat(r->fd, temporary, AT_REMOVEDIR) >= 0 || errno == ENOENT))
                return 0;
        return error_set_errno(ctx_error(r->ctx), errno, "Cannot remove %s/%s", r->path, temporary);
}

void file_new_done(FileNew *n)
{
        if (n->temporary) {
                (void)unlinkat(n->root->fd, n->temporary, n->directory ? AT_REMOVEDIR : 0);
                ctx_intents_done(n->root->ctx);
        }
        free(n->temporary);
        n->temporary = NULL;
        n->fd = safe_close(n->fd);
}
