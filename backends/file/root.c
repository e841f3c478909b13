/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/root.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "util/fileio.h"
#include "util/units.h"

#define LINKS_MAX 40u /* as the kernel's MAXSYMLINKS */

/* What start saw. It is good within one boot only: mount ids and some device numbers are given anew at the
 * next. */
typedef struct Identity {
        char boot[64];
        unsigned long long device, inode, mount, fsid;
} Identity;

void file_root_done(FileRoot *r)
{
        r->fd = r->kept ? -EBADF : safe_close(r->fd);
}

static const char *root_path(Ctx *c)
{
        return bag_get_string(ctx_options(c), "target.path");
}

static void root_fill(Ctx *c, int fd, FileRoot *ret)
{
        *ret = (FileRoot){
                .ctx = c,
                .fd = fd,
                .path = root_path(c),
                .follow = streq_ptr(bag_get_string(ctx_options(c), "symlinks"), "follow"),
                .system = !ctx_user_mode(c),
        };
}

static int root_unreachable(Ctx *c, int error)
{
        if (error == ENOENT)
                return error_set(
                        ctx_error(c), ERROR_SOURCE_UNREACHABLE,
                        "The directory %s of pool %s does not exist; build the pool, or mount what holds it",
                        root_path(c), ctx_pool_name(c));
        if (error == ENOTDIR)
                return error_set(ctx_error(c), ERROR_SOURCE_UNREACHABLE, "%s of pool %s is not a directory",
                                 root_path(c), ctx_pool_name(c));
        return error_set(ctx_error(c), ERROR_SOURCE_UNREACHABLE,
                         "Cannot open the directory %s of pool %s: %s", root_path(c), ctx_pool_name(c),
                         strerror(error));
}

/* ---- the record of what start saw ---- */

static int identity_read_fd(int fd, Identity *ret)
{
        _cleanup_free_ char *boot = NULL;
        struct statx st;
        struct statfs fs;
        uint64_t fsid;
        int r;

        if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &st) < 0 || fstatfs(fd, &fs) < 0)
                return -errno;
        r = read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &boot, NULL);
        if (r < 0)
                return r;
        memcpy(&fsid, &fs.f_fsid, sizeof(fsid));
        *ret = (Identity){
                .device = (unsigned long long)st.stx_dev_major << 32 | st.stx_dev_minor,
                .inode = st.stx_ino,
                .mount = st.stx_mnt_id,
                .fsid = fsid,
        };
        (void)snprintf(ret->boot, sizeof(ret->boot), "%.36s", boot);
        return 0;
}

static int state_directory(Ctx *c, bool make)
{
        _cleanup_free_ char *path = NULL;
        int fd, r;

        if (asprintf(&path, "%s/roots", ctx_state_directory(c)) < 0)
                return -ENOMEM;
        if (make && (r = mkdir_parents(path, 0700)) < 0)
                return r;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* -ENOENT: nothing was recorded in this boot. */
static int identity_load(Ctx *c, Identity *ret)
{
        _cleanup_close_ int dir = state_directory(c, false);
        _cleanup_free_ char *text = NULL, *boot = NULL;
        Identity i = {};
        int r;

        if (dir < 0)
                return dir;
        r = read_file_at(dir, ctx_pool_uuid(c), 512, &text, NULL);
        if (r < 0)
                return r;
        r = read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &boot, NULL);
        if (r < 0)
                return r;
        if (sscanf(text, "%36s %llu %llu %llu %llu", i.boot, &i.device, &i.inode, &i.mount, &i.fsid) != 5 ||
            strncmp(i.boot, boot, 36) != 0)
                return -ENOENT;
        *ret = i;
        return 0;
}

static int identity_save(Ctx *c, const Identity *i)
{
        _cleanup_close_ int dir = state_directory(c, true);
        char text[256];
        int n;

        if (dir < 0)
                return dir;
        n = snprintf(text, sizeof(text), "%s %llu %llu %llu %llu\n", i->boot, i->device, i->inode, i->mount,
                     i->fsid);
        return write_file_atomic_at(dir, ctx_pool_uuid(c), text, n, 0600);
}

static bool identity_is_same_directory(const Identity *i, const struct statx *st)
{
        return i->device == ((unsigned long long)st->stx_dev_major << 32 | st->stx_dev_minor) &&
               i->inode == st->stx_ino && i->mount == st->stx_mnt_id;
}

/* A worker serves one pool. What it knows of it is read again whenever it does not fit. */
static Identity known;

/* In an operation that looked once already, what it saw. */
static bool root_is_kept(Ctx *c, FileRoot *ret)
{
        int fd = ctx_kept_fd(c);

        if (fd < 0)
                return false;
        root_fill(c, fd, ret);
        ret->kept = true;
        ret->mount = known.mount;
        return true;
}

int file_root_open(Ctx *c, FileRoot *ret)
{
        _cleanup_close_ int fd = -EBADF;
        struct statx st;
        int r;

        if (root_is_kept(c, ret))
                return 0;
        fd = open(root_path(c), O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return root_unreachable(c, errno);
        if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &st) < 0)
                return root_unreachable(c, errno);
        if (!identity_is_same_directory(&known, &st)) {
                r = identity_load(c, &known);
                if (r == -ENOENT)
                        return error_set(ctx_error(c), ERROR_POOL_INACTIVE, "Pool %s is not started",
                                         ctx_pool_name(c));
                if (r < 0)
                        return error_set_errno(ctx_error(c), r, "Cannot read the state of pool %s",
                                               ctx_pool_name(c));
                if (!identity_is_same_directory(&known, &st))
                        return error_set(ctx_error(c), ERROR_SOURCE_UNREACHABLE,
                                         "%s is not the directory that pool %s was started with: something "
                                         "was mounted, "
                                         "unmounted or moved there; put it back, or stop and start the pool",
                                         root_path(c), ctx_pool_name(c));
        }
        root_fill(c, TAKE_FD(fd), ret);
        ret->mount = st.stx_mnt_id;
        ret->kept = ctx_keep_fd(c, ret->fd);
        return 0;
}

/* ---- the walk ---- */

typedef struct Walk {
        Ctx *ctx;
        int fd;     /* O_PATH, where we stand */
        char *rest; /* still to go */
        unsigned links;
        bool make, sticky; /* sticky: others may write where we stand, but not rename what is root's */
        bool made;         /* the last component is new */
        mode_t mode;       /* of the last component, when it is made */
} Walk;

static void walk_done(Walk *w)
{
        w->fd = safe_close(w->fd);
        free(w->rest);
}

static int walk_refuse(Walk *w, const char *why)
{
        return error_set(ctx_error(w->ctx), ERROR_ACCESS_DENIED,
                         "Target %s of pool %s is not safe: %s; choose a path that only root can change",
                         root_path(w->ctx), ctx_pool_name(w->ctx), why);
}

/* Before something is looked up where we stand. */
static int walk_check_parent(Walk *w)
{
        struct stat st;

        if (ctx_user_mode(w->ctx))
                return 0;
        if (fstat(w->fd, &st) < 0)
                return -errno;
        if (st.st_uid != 0)
                return walk_refuse(w, "a directory above it does not belong to root");
        w->sticky = (st.st_mode & 022) && (st.st_mode & S_ISVTX);
        if ((st.st_mode & 022) && !w->sticky)
                return walk_refuse(w, "others than root may write to a directory above it");
        return 0;
}

static int walk_follow(Walk *w, const char *name)
{
        char target[PATH_MAX];
        char *rest;
        ssize_t n = readlinkat(w->fd, name, target, sizeof(target) - 1);
        struct stat st;

        if (n < 0)
                return errno == EINVAL ? -ENOTDIR : -errno;
        target[n] = '\0';
        if (++w->links > LINKS_MAX)
                return -ELOOP;
        if (w->sticky && (fstatat(w->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_uid != 0))
                return walk_refuse(
                        w, "it leads through a link of another user in a directory that all may write");
        if (target[0] == '/') {
                safe_close(w->fd);
                w->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (w->fd < 0)
                        return -errno;
        }
        if (asprintf(&rest, "%s/%s", target, w->rest) < 0)
                return -ENOMEM;
        free(w->rest);
        w->rest = rest;
        return 0;
}

static int walk_make(Walk *w, const char *name, bool last)
{
        _cleanup_close_ int parent = -EBADF;

        if (mkdirat(w->fd, name, last ? w->mode : 0755) < 0)
                return errno == EEXIST ? 0 : -errno;
        w->made = last;
        parent = openat(w->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0)
                return -errno;
        return ctx_sync_later(w->ctx, parent);
}

static int walk_step(Walk *w, const char *name, bool last)
{
        const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        struct stat st;
        int fd, r;

        r = walk_check_parent(w);
        if (r < 0)
                return r;
        fd = openat(w->fd, name, flags);
        if (fd < 0 && errno == ENOENT && w->make) {
                r = walk_make(w, name, last);
                if (r < 0)
                        return r;
                fd = openat(w->fd, name, flags);
        }
        if (fd < 0)
                return errno == ENOTDIR || errno == ELOOP ? walk_follow(w, name) : -errno;
        if (w->sticky && !streq(name, "..") && (fstat(fd, &st) < 0 || st.st_uid != 0)) {
                safe_close(fd);
                return walk_refuse(w,
                                   "it leads through a directory of another user in one that all may write");
        }
        safe_close(w->fd);
        w->fd = fd;
        return 0;
}

static int walk_all(Walk *w)
{
        int r;

        while (w->rest[strspn(w->rest, "/")]) {
                _cleanup_free_ char *name = NULL, *rest = NULL;
                const char *start = w->rest + strspn(w->rest, "/");
                size_t n = strcspn(start, "/");

                name = strndup(start, n);
                rest = strdup(start + n);
                if (!name || !rest)
                        return -ENOMEM;
                free(w->rest);
                w->rest = TAKE_PTR(rest);
                if (streq(name, "."))
                        continue;
                r = walk_step(w, name, !w->rest[strspn(w->rest, "/")]);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* *ret: O_RDONLY | O_DIRECTORY. Sets the error. */
static int walk(Ctx *c, bool make, mode_t mode, int *ret, bool *ret_made)
{
        _cleanup_(walk_done) Walk w = { .ctx = c, .fd = -EBADF, .make = make, .mode = mode };
        const char *path = root_path(c);
        int fd, r;

        if (!path || path[0] != '/' || !path[strspn(path, "/")])
                return error_set(ctx_error(c), ERROR_INVALID_DEFINITION,
                                 "Pool %s needs a target.path that is absolute and not the root directory",
                                 ctx_pool_name(c));
        w.rest = strdup(path);
        w.fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (!w.rest || w.fd < 0)
                return error_set_errno(ctx_error(c), w.rest ? errno : ENOMEM, "Cannot look up %s", path);
        r = walk_all(&w);
        if (r < 0)
                return ctx_error(c)->kind != ERROR_NONE ? r : root_unreachable(c, -r);
        fd = openat(w.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return root_unreachable(c, errno);
        *ret = fd;
        if (ret_made)
                *ret_made = w.made;
        return 0;
}

int file_root_start(Ctx *c)
{
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *text = NULL;
        Identity now, then;
        int r;

        r = walk(c, false, 0, &fd, NULL);
        if (r < 0)
                return r;
        r = identity_read_fd(fd, &now);
        if (r < 0)
                return root_unreachable(c, -r);
        r = identity_load(c, &then);
        if (r >= 0 && then.device != now.device && (then.fsid != now.fsid || now.fsid == 0))
                return error_set(ctx_error(c), ERROR_SOURCE_UNREACHABLE,
                                 "%s is on another file system than when pool %s was started; mount what "
                                 "belongs there, "
                                 "or stop the pool",
                                 root_path(c), ctx_pool_name(c));
        r = identity_save(c, &now);
        if (r < 0)
                return error_set_errno(ctx_error(c), r, "Cannot store the state of pool %s",
                                       ctx_pool_name(c));
        if (asprintf(&text, "%llx:%llx", now.device, now.inode) < 0) {
                text = NULL;
                return error_set(ctx_error(c), ERROR_NO_MEMORY, "Out of memory");
        }
        return ctx_result(c, "identity", text);
}

int file_root_stop(Ctx *c)
{
        _cleanup_close_ int dir = state_directory(c, false);

        known = (Identity){};
        if (dir >= 0 && unlinkat(dir, ctx_pool_uuid(c), 0) < 0 && errno != ENOENT)
                return error_set_errno(ctx_error(c), errno, "Cannot remove the state of pool %s",
                                       ctx_pool_name(c));
        return 0;
}

int file_root_make(Ctx *c, mode_t mode, FileRoot *ret, bool *ret_made)
{
        int fd, r;

        r = walk(c, true, mode, &fd, ret_made);
        if (r < 0)
                return r;
        root_fill(c, fd, ret);
        return 0;
}

int file_root_remove(Ctx *c)
{
        _cleanup_close_ int fd = -EBADF, parent = -EBADF;
        char path[PATH_MAX], link[64];
        char *slash;
        ssize_t n;
        int r;

        if (access(root_path(c), F_OK) < 0 && errno == ENOENT)
                return file_root_stop(c);
        r = walk(c, false, 0, &fd, NULL);
        if (r < 0)
                return r;
        /* The way may lead through links: remove the directory itself, by the name it really has. */
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return root_unreachable(c, errno);
        path[n] = '\0';
        slash = strrchr(path, '/');
        parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0 || !slash)
                return root_unreachable(c, errno);
        if (unlinkat(parent, slash + 1, AT_REMOVEDIR) < 0) {
                if (errno == ENOTEMPTY || errno == EEXIST)
                        return error_set(ctx_error(c), ERROR_IN_USE,
                                         "Directory %s of pool %s is not empty; delete its volumes first",
                                         root_path(c), ctx_pool_name(c));
                return error_set_errno(ctx_error(c), errno, "Cannot remove directory %s", root_path(c));
        }
        r = ctx_sync_later(c, parent);
        return r < 0 ? r : file_root_stop(c);
}

int file_root_space(const FileRoot *r, uint64_t *ret_capacity, uint64_t *ret_allocation,
                    uint64_t *ret_available)
{
        struct statvfs st;

        if (fstatvfs(r->fd, &st) < 0)
                return root_unreachable(r->ctx, errno);
        *ret_capacity = (uint64_t)st.f_blocks * st.f_frsize;
        *ret_allocation = (uint64_t)(st.f_blocks - MIN(st.f_blocks, st.f_bfree)) * st.f_frsize;
        *ret_available = (uint64_t)st.f_bavail * st.f_frsize;
        return 0;
}

void file_root_trust_blocks(FileRoot *r)
{
        struct statfs fs;

        if (fstatfs(r->fd, &fs) < 0)
                return;
        r->counts = fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC ||
                    fs.f_type == BTRFS_SUPER_MAGIC || fs.f_type == TMPFS_MAGIC;
}

int file_root_room(const FileRoot *r, uint64_t *ret)
{
        const char *text = bag_get_string(ctx_options(r->ctx), "reserved");
        uint64_t capacity = 0, allocation = 0, available = 0, reserve = 0;
        int k;

        k = file_root_space(r, &capacity, &allocation, &available);
        if (k >= 0 && text)
                k = reserve_parse(text, capacity, &reserve, ctx_error(r->ctx));
        if (k < 0)
                return k;
        *ret = available - MIN(available, reserve);
        return 0;
}

int file_root_reserve(const FileRoot *r, uint64_t bytes)
{
        const char *text = bag_get_string(ctx_options(r->ctx), "reserved");
        uint64_t capacity = 0, allocation = 0, available = 0, reserve;
        char need[SIZE_TEXT_MAX], have[SIZE_TEXT_MAX], kept[SIZE_TEXT_MAX];
        int k;

        if (!text)
                return 0;
        k = file_root_space(r, &capacity, &allocation, &available);
        if (k < 0)
                return k;
        k = reserve_parse(text, capacity, &reserve, ctx_error(r->ctx));
        if (k < 0)
                return k;
        if (available > reserve && available - reserve >= bytes)
                return 0;
        return error_set(ctx_error(r->ctx), ERROR_NO_SPACE,
                         "Pool %s has no room for %s more: %s are free, of which %s are reserved",
                         ctx_pool_name(r->ctx), size_format(bytes, need), size_format(available, have),
                         size_format(reserve, kept));
}
