/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/stream.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>

#define WAIT_MSEC 100
#define ACCEPTED "pass a regular file, a block device, a pipe or a stream socket"

/* Not in linux/magic.h everywhere; see fs/configfs, fs/fuse/control.c, ipc/mqueue.c. */
#define CONFIGFS_FS_MAGIC 0x62656570
#define FUSECTL_FS_MAGIC 0x65735543
#define MQUEUE_FS_MAGIC 0x19800202

static const struct {
        unsigned long magic;
        const char *name;
} virtual_file_systems[] = {
        { PROC_SUPER_MAGIC, "proc" },       { SYSFS_MAGIC, "sysfs" },
        { CGROUP_SUPER_MAGIC, "cgroup" },   { CGROUP2_SUPER_MAGIC, "cgroup" },
        { DEBUGFS_MAGIC, "debugfs" },       { TRACEFS_MAGIC, "tracefs" },
        { SECURITYFS_MAGIC, "securityfs" }, { BPF_FS_MAGIC, "bpf" },
        { SELINUX_MAGIC, "selinuxfs" },     { SMACK_MAGIC, "smackfs" },
        { PSTOREFS_MAGIC, "pstore" },       { EFIVARFS_MAGIC, "efivarfs" },
        { BINFMTFS_MAGIC, "binfmt_misc" },  { RDTGROUP_SUPER_MAGIC, "resctrl" },
        { XENFS_SUPER_MAGIC, "xenfs" },     { NSFS_MAGIC, "nsfs" },
        { DEVPTS_SUPER_MAGIC, "devpts" },   { CONFIGFS_FS_MAGIC, "configfs" },
        { FUSECTL_FS_MAGIC, "fusectl" },    { MQUEUE_FS_MAGIC, "mqueue" },
};

static const char *virtual_file_system(int fd)
{
        struct statfs fs;

        if (fstatfs(fd, &fs) < 0)
                return "an unknown file system";
        FOREACH_ELEMENT (i, virtual_file_systems)
                if ((unsigned long)fs.f_type == i->magic)
                        return i->name;
        return NULL;
}

static const char *mode_name(mode_t mode)
{
        switch (mode & S_IFMT) {
        case S_IFDIR:
                return "a directory";
        case S_IFCHR:
                return "a character device";
        case S_IFLNK:
                return "a symbolic link";
        case S_IFSOCK:
                return "a socket that is no connected stream";
        default:
                return "of another kind";
        }
}

static int kind_of(int fd, const struct stat *st, DataKind *ret)
{
        struct sockaddr_storage peer;
        socklen_t n = sizeof(int), n_peer = sizeof(peer);
        int type;

        switch (st->st_mode & S_IFMT) {
        case S_IFREG:
                *ret = DATA_REGULAR;
                return 0;
        case S_IFBLK:
                *ret = DATA_BLOCK;
                return 0;
        case S_IFIFO:
                *ret = DATA_PIPE;
                return 0;
        case S_IFSOCK:
                if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 || type != SOCK_STREAM ||
                    getpeername(fd, (struct sockaddr *)&peer, &n_peer) < 0)
                        return -EBADF;
                *ret = DATA_SOCKET;
                return 0;
        default:
                return -EBADF;
        }
}

int data_kind(int fd, DataKind *ret)
{
        struct stat st;

        return fstat(fd, &st) < 0 ? -errno : kind_of(fd, &st, ret);
}

static int check_flags(Ctx *c, int fd, DataDirection direction)
{
        int flags = fcntl(fd, F_GETFL);
        Error *e = ctx_error(c);

        if (flags < 0)
                return error_set(e, ERROR_INVALID_ARGS, "No usable descriptor was passed; " ACCEPTED);
        if (flags & O_PATH)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "The descriptor was opened with O_PATH; open it for %s",
                                 direction == DATA_READ ? "reading" : "writing");
        if ((flags & O_ACCMODE) != O_RDWR &&
            (flags & O_ACCMODE) != (direction == DATA_READ ? O_RDONLY : O_WRONLY))
                return error_set(e, ERROR_INVALID_ARGS, "The descriptor is not open for %s",
                                 direction == DATA_READ ? "reading" : "writing");
        if (flags & O_DIRECT)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "The descriptor was opened with O_DIRECT; open it without");
        if (flags & O_APPEND && direction == DATA_WRITE)
                return error_set(
                        e, ERROR_INVALID_ARGS,
                        "The descriptor was opened for appending (O_APPEND, >> in a shell); data goes to "
                        "its position, so open it without");
        return 0;
}

/* Position and size of what has them. */
static int fill_seekable(int fd, const struct stat *st, DataStream *s)
{
        off_t at = lseek(fd, 0, SEEK_CUR);

        if (at < 0)
                return -errno;
        s->offset = at;
        if (s->kind == DATA_BLOCK)
                return ioctl(fd, BLKGETSIZE64, &s->size) < 0 ? -errno : 0;
        s->size = st->st_size;
        s->device = st->st_dev;
        s->inode = st->st_ino;
        return 0;
}

int data_stream_check(Ctx *c, int fd, DataDirection direction, DataStream *ret)
{
        DataStream s = { .fd = fd, .size = UINT64_MAX };
        const char *where;
        struct stat st;
        int k;

        k = check_flags(c, fd, direction);
        if (k < 0)
                return k;
        if (fstat(fd, &st) < 0)
                return error_set_errno(ctx_error(c), errno, "Cannot look at the descriptor");
        if (kind_of(fd, &st, &s.kind) < 0)
                return error_set(ctx_error(c), ERROR_INVALID_ARGS, "The descriptor is %s; " ACCEPTED,
                                 mode_name(st.st_mode));
        where = s.kind == DATA_REGULAR ? virtual_file_system(fd) : NULL;
        if (where)
                return error_set(ctx_error(c), ERROR_INVALID_ARGS,
                                 "The descriptor is a file on %s, which stores nothing; " ACCEPTED, where);
        if (data_kind_seeks(s.kind) && (k = fill_seekable(fd, &st, &s)) < 0)
                return error_set_errno(ctx_error(c), k, "Cannot ask for the size of the descriptor");
        *ret = s;
        return 0;
}

/* ---- without waiting ---- */

static bool is_readable(int fd)
{
        struct pollfd p = { .fd = fd, .events = POLLIN };

        return poll(&p, 1, 0) > 0;
}

static ssize_t read_pipe(int fd, void *data, size_t size)
{
        /* A read that is known to find something does not wait, and O_NONBLOCK belongs to the caller. */
        if (!is_readable(fd)) {
                errno = EAGAIN;
                return -1;
        }
        return read(fd, data, size);
}

ssize_t data_stream_read(int fd, DataKind kind, void *data, size_t size)
{
        ssize_t n = kind == DATA_SOCKET ? recv(fd, data, size, MSG_DONTWAIT) : read_pipe(fd, data, size);

        return n >= 0 ? n : errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t write_pipe(int fd, const void *data, size_t size)
{
        struct iovec v = { .iov_base = (void *)data, .iov_len = size };
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        ssize_t n = pwritev2(fd, &v, 1, -1, RWF_NOWAIT);

        if (n >= 0 || (errno != EOPNOTSUPP && errno != EINVAL && errno != ESPIPE))
                return n;
        /* An older kernel, or a FIFO: what is sure to fit, see pipe(7). */
        if (poll(&p, 1, 0) <= 0) {
                errno = EAGAIN;
                return -1;
        }
        return write(fd, data, MIN(size, (size_t)PIPE_BUF));
}

ssize_t data_stream_write(int fd, DataKind kind, const void *data, size_t size)
{
        ssize_t n = kind == DATA_SOCKET ? send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                                        : write_pipe(fd, data, size);

        return n >= 0 ? n : errno == EINTR ? -EAGAIN : -errno;
}

void data_stream_wait(int fd, DataDirection direction)
{
        struct pollfd p = { .fd = fd, .events = direction == DATA_READ ? POLLIN : POLLOUT };

        (void)poll(&p, 1, WAIT_MSEC);
}
