/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools of type dir: the files of one directory that is there already or is made. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#include "file/change.h"
#include "file/clone.h"
#include "file/copy.h"
#include "file/create.h"
#include "file/exchange.h"
#include "file/lend.h"
#include "file/mark.h"
#include "file/new.h"
#include "file/scan.h"
#include "file/snapshots.h"
#include "file/swap.h"
#include "file/transfer.h"
#include "file/volume.h"

#define TARGET_MODE_DEFAULT 0711u

static const char *const symlinks_choices[] = { "skip", "follow", NULL };

static const OptionSpec pool_options[] = {
        { "target.path", OPTION_PATH, OPTION_REQUIRED | OPTION_FIXED, "target/path", NULL, NULL,
          "The directory that holds the volumes." },
        { "features.cow", OPTION_BOOL, 0, "features/cow@state", NULL, NULL,
          "Copy-on-write of new files where the file system (btrfs) can switch it: without the option, it "
          "is off there." },
        { "symlinks", OPTION_ENUM, 0, NULL, symlinks_choices, "skip",
          "Whether links to files in this same directory are volumes." },
};

static const ImageFormat formats[] = {
        FORMAT_RAW, FORMAT_DIR,  FORMAT_BOCHS, FORMAT_CLOOP, FORMAT_DMG,  FORMAT_ISO,  FORMAT_VPC,
        FORMAT_VDI, FORMAT_FAT,  FORMAT_VHD,   FORMAT_PLOOP, FORMAT_COW,  FORMAT_QCOW, FORMAT_QCOW2,
        FORMAT_QED, FORMAT_VMDK, FORMAT_VHDX,  FORMAT_LUKS,  FORMAT_NONE,
};

/* Files of any owner are made, opened and handed over; trusted.* attributes; qemu-img is put into a sandbox;
 * access is checked with another user's rights; who uses a file is asked by a lease, and named from /proc. */
static const int capabilities[] = {
        CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,     CAP_SETUID, CAP_SETGID,
        CAP_KILL,  CAP_SYS_ADMIN,    CAP_LEASE,           CAP_SYS_PTRACE, -1,
};

/* ---- build ---- */

static int build_permissions(Ctx *c, int fd)
{
        const Bag *o = ctx_options(c);
        const char *label = bag_get_string(o, "target.permissions.label");
        uint32_t uid = bag_get_u32(o, "target.permissions.owner", UINT32_MAX);
        uint32_t gid = bag_get_u32(o, "target.permissions.group", UINT32_MAX);
        uint32_t mode = bag_get_u32(o, "target.permissions.mode", UINT32_MAX);

        if ((uid != UINT32_MAX || gid != UINT32_MAX) && fchown(fd, uid, gid) < 0)
                return -errno;
        if (mode != UINT32_MAX && fchmod(fd, mode) < 0)
                return -errno;
        if (label && fsetxattr(fd, "security.selinux", label, strlen(label) + 1, 0) < 0)
                return -errno;
        return 0;
}

/* As libvirt: on btrfs off unless asked for, elsewhere an explicit word cannot be met. */
static int build_cow(Ctx *c, int fd, bool made)
{
        const Bag *o = ctx_options(c);
        bool said = bag_has(o, "features.cow"), cow = bag_get_bool(o, "features.cow", false);
        struct statfs fs;
        int flags;

        if (fstatfs(fd, &fs) < 0)
                return -errno;
        if (fs.f_type != BTRFS_SUPER_MAGIC)
                return said ? error_set(ctx_error(c), ERROR_NOT_SUPPORTED,
                                        "The file system of %s cannot switch copy-on-write; leave "
                                        "features.cow out",
                                        bag_get_string(o, "target.path"))
                            : 0;
        if (!said && !made)
                return 0;
        if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
                return -errno;
        flags = cow ? flags & ~FS_NOCOW_FL : flags | FS_NOCOW_FL;
        return ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0 ? -errno : 0;
}

static int dir_build(Ctx *c, bool overwrite)
{
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        bool made;
        int k;

        ctx_ready(c);
        k = file_root_make(c, TARGET_MODE_DEFAULT, &r, &made);
        if (k < 0)
                return k;
        if (made && fchmod(r.fd, TARGET_MODE_DEFAULT) < 0) /* whatever the umask */
                return error_set_errno(ctx_error(c), errno, "Cannot set the mode of %s", r.path);
        k = build_cow(c, r.fd, made);
        if (k >= 0)
                k = build_permissions(c, r.fd);
        if (k < 0)
                return error_set_errno(ctx_error(c), k,
                                       "Cannot set owner, mode, label or copy-on-write of %s", r.path);
        return ctx_sync_later(c, r.fd);
}

static int dir_delete(Ctx *c)
{
        int k = file_root_remove(c);

        if (k >= 0)
                file_mark_remove_all(c);
        return k;
}

/* ---- the rest ---- */

static int dir_available(Ctx *c)
{
        if (!command_exists("qemu-img"))
                return error_set(ctx_error(c), ERROR_BACKEND_UNAVAILABLE,
                                 "qemu-img is not installed; install the package qemu-utils (or qemu-img)");
        return 0;
}

static int dir_watch(Ctx *c, int *ret_fd)
{
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        _cleanup_close_ int fd = -EBADF;
        char path[64];
        int k;

        k = file_root_open(c, &r);
        if (k < 0)
                return k;
        fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", r.fd);
        if (fd < 0 || inotify_add_watch(fd, path,
                                        IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE |
                                                IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |
                                                IN_ONLYDIR | IN_EXCL_UNLINK) < 0)
                return error_set_errno(ctx_error(c), errno, "Cannot watch directory %s", r.path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int dir_space(Ctx *c, uint64_t *ret_capacity, uint64_t *ret_allocation, uint64_t *ret_available)
{
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        int k = file_root_open(c, &r);

        return k < 0 ? k : file_root_space(&r, ret_capacity, ret_allocation, ret_available);
}

static int dir_undo(Ctx *c, const char *step, const char *argument)
{
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        int k = file_root_open(c, &r);

        if (k < 0)
                return k;
        if (streq(step, FILE_NEW_STEP))
                return file_new_undo(&r, argument);
        if (streq(step, FILE_SWAP_STEP))
                return file_swap_undo(&r, argument);
        if (streq(step, FILE_RENAME_STEP))
                return file_rename_undo(&r, argument);
        if (streq(step, FILE_RESIZE_STEP))
                return file_resize_undo(&r, argument);
        return error_set(ctx_error(c), ERROR_NOT_SUPPORTED, "No step of pools of type dir is called %s",
                         step);
}

const Backend poolkeeper_backend = {
        .name = "dir",
        .summary = "files in a directory",
        .features = FEATURE_BUILD | FEATURE_DELETE | FEATURE_CREATE | FEATURE_RESIZE | FEATURE_SHRINK |
                    FEATURE_CLONE | FEATURE_COPY | FEATURE_IMPORT | FEATURE_CONVERT | FEATURE_REBASE |
                    FEATURE_RENAME | FEATURE_DECLARE | FEATURE_VOLUME_DELETE | FEATURE_TRANSFER |
                    FEATURE_WATCH | FEATURE_USER_MODE | FEATURE_NBD | FEATURE_OPEN | FEATURE_ATTACHMENT |
                    FEATURE_WIPE | FEATURE_SNAPSHOT,
        .pool_options = pool_options,
        .n_pool_options = ELEMENTSOF(pool_options),
        .volume_options = file_volume_options,
        .n_volume_options = FILE_VOLUME_OPTIONS,
        .formats = formats,
        .create_formats = file_create_formats,
        .capabilities = capabilities,
        .available = dir_available,
        .build = dir_build,
        .start = file_root_start,
        .stop = file_root_stop,
        .delete = dir_delete,
        .refresh = file_scan,
        .volume_create = file_create,
        .volume_clone = file_clone,
        .volume_lend = file_lend,
        .volume_copy = file_copy,
        .volume_import = file_import,
        .volume_export = file_export,
        .volume_convert = file_convert,
        .volume_rebase = file_rebase,
        .volume_rename = file_rename,
        .volume_resize = file_resize,
        .volume_declare = file_declare,
        .volume_delete = file_delete,
        .volume_stat = file_stat,
        .volume_info = file_info,
        .volume_access = file_access,
        .volume_upload = file_upload,
        .volume_download = file_download,
        .volume_endpoint = file_endpoint,
        .volume_open = file_volume_open,
        .volume_attachment = file_attachment,
        .volume_wipe = file_wipe,
        .volume_snapshot = file_snapshot,
        .watch = dir_watch,
        .space = dir_space,
        .undo = dir_undo,
};
