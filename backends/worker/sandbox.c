/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define UNPRIVILEGED_ID \
        2147450880u /* in no range of systemd's UIDS-GIDS: nobody else runs as this, or may signal it */
#define FIRST_INSIDE_ID 1u /* as which the tool runs; the owners of images follow */

/* Newer than the oldest headers that we build with. */
#define ACCESS_TRUNCATE (UINT64_C(1) << 14)  /* ABI 3 */
#define ACCESS_IOCTL_DEV (UINT64_C(1) << 15) /* ABI 5 */
#define ACCESS_TREE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)
#define ENDING_MSEC 50

static void add_id(uint32_t *ids, size_t *n, uint32_t id)
{
        for (size_t i = 0; i < *n; i++)
                if (ids[i] == id)
                        return;
        if (*n < SANDBOX_IDS_MAX)
                ids[(*n)++] = id;
}

/* Out of the way of the numbers that the tool's descriptors get. */
static int open_ready(Sandbox *s)
{
        _cleanup_close_ int in = -EBADF, out = -EBADF;
        int pair[2];

        if (pipe2(pair, O_CLOEXEC) < 0)
                return -errno;
        in = pair[0];
        out = pair[1];
        s->ready[0] = fcntl(in, F_DUPFD_CLOEXEC, COMMAND_FD_NUMBERS);
        s->ready[1] = fcntl(out, F_DUPFD_CLOEXEC, COMMAND_FD_NUMBERS);
        return s->ready[0] < 0 || s->ready[1] < 0 ? -errno : 0;
}

int sandbox_init(Sandbox *s, const Command *command, Error *e)
{
        s->landlock =
                (int)MAX(syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION), 0);
        s->skip_sync = command->skip_sync;
        s->server = command->server;
        s->fds = command->fds;
        s->n_fds = command->n_fds;
        s->privileged = geteuid() == 0;
        add_id(s->uids, &s->n_uids, s->privileged ? UNPRIVILEGED_ID : geteuid());
        add_id(s->gids, &s->n_gids, s->privileged ? UNPRIVILEGED_ID : getegid());
        for (size_t i = 0; s->privileged && i < s->n_fds; i++) {
                struct stat st;

                if (fstat(s->fds[i].fd, &st) < 0)
                        return error_set_errno(e, errno, "Cannot look at an image");
                add_id(s->uids, &s->n_uids, st.st_uid);
                add_id(s->gids, &s->n_gids, st.st_gid);
        }
        return open_ready(s) < 0 ? error_set_errno(e, errno, "Cannot make a pipe") : 0;
}

void sandbox_done(Sandbox *s)
{
        s->ready[0] = safe_close(s->ready[0]);
        s->ready[1] = safe_close(s->ready[1]);
}

static int write_proc(pid_t pid, const char *file, const char *text)
{
        _cleanup_close_ int fd = -EBADF;
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Each id gets one of its own inside, from FIRST_INSIDE_ID on. */
static int write_map(pid_t pid, const char *file, const uint32_t *ids, size_t n)
{
        char text[SANDBOX_IDS_MAX * 32], *p = text;

        for (size_t i = 0; i < n; i++)
                p += snprintf(p, (size_t)(text + sizeof(text) - p), "%u %u 1\n",
                              (unsigned)(FIRST_INSIDE_ID + i), ids[i]);
        return write_proc(pid, file, text);
}

static int write_maps(const Sandbox *s, pid_t pid)
{
        int r = 0;

        if (!s->privileged)
                r = write_proc(pid, "setgroups", "deny");
        if (r >= 0)
                r = write_map(pid, "uid_map", s->uids, s->n_uids);
        if (r >= 0)
                r = write_map(pid, "gid_map", s->gids, s->n_gids);
        return r;
}

static pid_t clone_with(uint64_t flags, int *ret_pidfd)
{
        struct clone_args args = { .flags = flags | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
                                   .pidfd = (uintptr_t)ret_pidfd,
                                   .exit_signal = SIGCHLD };
        long pid = syscall(SYS_clone3, &args, sizeof(args));

        return pid < 0 ? -errno : (pid_t)pid;
}

/* A child that ended by itself, or is just ending, has said why. */
static bool has_ended(int pidfd)
{
        struct pollfd p = { .fd = pidfd, .events = POLLIN };

        return poll(&p, 1, ENDING_MSEC) > 0;
}

pid_t sandbox_fork(Sandbox *s, int *ret_pidfd)
{
        pid_t pid;
        int r;

        s->namespaces = true;
        pid = clone_with(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID, ret_pidfd);
        if (pid < 0 && s->landlock > 0) { /* the kernel or the administrator does not allow namespaces */
                s->namespaces = false;
                pid = clone_with(0, ret_pidfd);
        }
        if (pid <= 0)
                return pid;
        r = s->namespaces ? write_maps(s, pid) : 0;
        if (r >= 0 && write(s->ready[1], "", 1) < 0)
                r = -errno;
        if (r < 0 && !has_ended(*ret_pidfd)) {
                (void)kill(pid, SIGKILL);
                (void)waitpid(pid, NULL, 0);
                *ret_pidfd = safe_close(*ret_pidfd);
                return r;
        }
        return pid;
}

/* ---- in the child ---- */

static int wait_ready(Sandbox *s)
{
        char c;

        s->ready[1] = safe_close(s->ready[1]);
        return read(s->ready[0], &c, 1) == 1 ? 0 : -ESRCH;
}

static int become_unprivileged(const Sandbox *s)
{
        if (s->privileged && setgroups(0, NULL) < 0)
                return -errno;
        if (setresgid(FIRST_INSIDE_ID, FIRST_INSIDE_ID, FIRST_INSIDE_ID) < 0 ||
            setresuid(FIRST_INSIDE_ID, FIRST_INSIDE_ID, FIRST_INSIDE_ID) < 0)
                return -errno;
        return 0;
}

static int attach_tree(const char *source, const char *target, uint64_t flags)
{
        struct mount_attr attributes = { .attr_set = flags };
        _cleanup_close_ int tree = -EBADF;

        tree = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        if (tree < 0)
                return -errno;
        if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof(attributes)) < 0)
                return -errno;
        return move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

static int attach_directory(const char *source, const char *target)
{
        if (mkdir(target, 0755) < 0)
                return -errno;
        return attach_tree(source, target, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

static int attach_file(const char *source, const char *target, uint64_t flags)
{
        _cleanup_close_ int fd = -EBADF;

        if (access(source, F_OK) < 0)
                return 0;
        fd = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        return attach_tree(source, target, flags | MOUNT_ATTR_NOSUID);
}

/* /lib and its like: links into /usr on merged systems, directories on others. */
static int attach_library(const char *path)
{
        char target[64];
        ssize_t n;

        n = readlink(path, target, sizeof(target) - 1);
        if (n > 0) {
                target[n] = '\0';
                return symlink(target, path + 1) < 0 ? -errno : 0;
        }
        return errno == ENOENT ? 0 : attach_directory(path, path + 1);
}

/* In the new root, which is the working directory. */
static int fill_root(void)
{
        static const char *const libraries[] = { "/lib", "/lib32", "/lib64", "/bin", "/sbin" };
        int r;

        r = attach_directory("/usr", "usr");
        FOREACH_ELEMENT (library, libraries)
                if (r >= 0)
                        r = attach_library(*library);
        if (r >= 0 && (mkdir("etc", 0755) < 0 || mkdir("dev", 0755) < 0 || mkdir("proc", 0555) < 0))
                r = -errno;
        if (r >= 0)
                r = attach_file("/etc/ld.so.cache", "etc/ld.so.cache", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV);
        if (r >= 0)
                r = attach_file("/dev/null", "dev/null", MOUNT_ATTR_NOEXEC);
        if (r >= 0)
                r = attach_file("/dev/urandom", "dev/urandom", MOUNT_ATTR_NOEXEC);
        return r;
}

/* chroot() and not pivot_root(): taking the old root off costs a millisecond of waiting in the kernel, and
 * without CAP_SYS_CHROOT, without a directory descriptor and without the system call there is no way out of
 * this one either. */
static int enter_root(void)
{
        struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
        int r;

        if (mount("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,nr_inodes=32,mode=0755") < 0 ||
            chdir("/proc") < 0)
                return -errno;
        r = fill_root();
        if (r < 0)
                return r;
        if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "subset=pid") < 0)
                return -errno;
        if (chroot(".") < 0 || chdir("/") < 0)
                return -errno;
        return mount_setattr(AT_FDCWD, "/", 0, &read_only, sizeof(read_only)) < 0 ? -errno : 0;
}

/* Some hosts let everybody make a user namespace and forbid mounts in it; containers that hide parts of
 * /proc do not let it be mounted. Then Landlock must do. */
static int enter_namespaces(Sandbox *s)
{
        int r;

        r = wait_ready(s);
        if (r >= 0)
                r = become_unprivileged(s);
        if (r >= 0)
                r = enter_root();
        if ((r == -EPERM || r == -EACCES) && s->landlock > 0) {
                s->namespaces = false;
                r = chdir("/") < 0 ? -errno : 0;
                (void)umount2("/proc", MNT_DETACH); /* ours, if it came so far */
        }
        return r;
}

/* What the kernel does not know cannot be handled. */
static uint64_t landlock_known(int abi)
{
        uint64_t access = (UINT64_C(1) << 13) - 1;

        if (abi >= 2)
                access |= LANDLOCK_ACCESS_FS_REFER;
        if (abi >= 3)
                access |= ACCESS_TRUNCATE;
        if (abi >= 5)
                access |= ACCESS_IOCTL_DEV;
        return access;
}

static int allow_fd(int ruleset, int fd, uint64_t access)
{
        const struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };

        if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) >= 0)
                return 0;
        return errno == EBADFD ? 0 : -errno; /* a pipe or memfd, which Landlock leaves alone */
}

static int allow_path(int ruleset, const char *path, uint64_t access)
{
        _cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
        struct stat st;

        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        return S_ISLNK(st.st_mode) ? 0 : allow_fd(ruleset, fd, access);
}

static int allow_image(int ruleset, int fd, uint64_t known)
{
        int mode = fcntl(fd, F_GETFL);
        struct stat st;
        uint64_t access = 0;

        if (mode < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if ((mode & O_ACCMODE) != O_WRONLY)
                access |= LANDLOCK_ACCESS_FS_READ_FILE;
        if ((mode & O_ACCMODE) != O_RDONLY)
                access |= LANDLOCK_ACCESS_FS_WRITE_FILE | (known & ACCESS_TRUNCATE);
        if (S_ISBLK(st.st_mode))
                access |= known & ACCESS_IOCTL_DEV;
        return allow_fd(ruleset, fd, access);
}

/* The descriptors, opened again, give no more than they give now. */
static int restrict_files(const Sandbox *s)
{
        static const char *const trees[] = { "/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin" };
        static const char *const devices[] = { "/dev/null", "/dev/urandom" };
        struct {
                uint64_t fs, net, scoped;
        } attributes = { .fs = landlock_known(s->landlock) };
        size_t size = sizeof(attributes.fs);
        _cleanup_close_ int ruleset = -EBADF;
        int r = 0;

        if (s->landlock >= 4) { /* TCP bind and connect */
                attributes.net = 3;
                size = offsetof(typeof(attributes), scoped);
        }
        if (s->landlock >= 6) { /* abstract sockets, signals */
                attributes.scoped = 3;
                size = sizeof(attributes);
        }
        ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
        if (ruleset < 0)
                return -errno;
        FOREACH_ELEMENT (tree, trees)
                if (r >= 0)
                        r = allow_path(ruleset, *tree, ACCESS_TREE);
        FOREACH_ELEMENT (device, devices)
                if (r >= 0)
                        r = allow_path(ruleset, *device,
                                       LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
        if (r >= 0)
                r = allow_path(ruleset, "/etc/ld.so.cache", LANDLOCK_ACCESS_FS_READ_FILE);
        if (r >= 0 && s->namespaces)
                r = allow_path(ruleset, "/proc", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
        for (size_t i = 0; r >= 0 && i < s->n_fds; i++)
                r = allow_image(ruleset, s->fds[i].number, attributes.fs);
        if (r >= 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
                r = -errno;
        return r;
}

int sandbox_enter(Sandbox *s)
{
        int r;

        r = s->namespaces ? enter_namespaces(s) : 0;
        /* Else access(2), with which scrub asks before it opens, would forget the capability: capabilities(7). */
        if (r >= 0 && s->namespaces && s->privileged &&
            prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0)
                r = -errno;
        if (r >= 0)
                r = capabilities_set(s->privileged ? CAPABILITY_BIT(CAP_DAC_OVERRIDE) : 0, true);
        if (r >= 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                r = -errno;
        if (r >= 0 && s->landlock > 0)
                r = restrict_files(s);
        if (r >= 0)
                r = seccomp_restrict(s->skip_sync, s->server);
        return r;
}
