/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/use.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/vfs.h>

#include "file/holder.h"

/* First bytes of the permissions that are had, and of those that are not shared: block/file-posix.c. */
#define PERMISSION_BASE 100
#define UNSHARED_BASE 200

/* include/block/block-common.h */
enum {
        CONSISTENT_READ = 1 << 0,
        WRITE = 1 << 1,
        WRITE_UNCHANGED = 1 << 2,
        RESIZE = 1 << 3,
        ALL = CONSISTENT_READ | WRITE | WRITE_UNCHANGED | RESIZE,
};

/* One call for each run of bits in `mask`. 1: somebody's lock is in the way. */
static int each_run(int fd, int command, short type, int base, unsigned mask)
{
        for (int start = 0, end; mask >> start; start = end) {
                struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

                for (; !(mask >> start & 1); start++)
                        ;
                for (end = start; mask >> end & 1; end++)
                        ;
                lock.l_start = base + start;
                lock.l_len = end - start;
                if (fcntl(fd, command, &lock) < 0)
                        return errno == EAGAIN || errno == EACCES ? 1 : -errno;
                if (command == F_OFD_GETLK && lock.l_type != F_UNLCK)
                        return 1;
        }
        return 0;
}

void file_use_end(FileUse *u)
{
        if (u->fd < 0)
                return;
        (void)each_run(u->fd, F_OFD_SETLK, F_UNLCK, PERMISSION_BASE, ALL);
        (void)each_run(u->fd, F_OFD_SETLK, F_UNLCK, UNSHARED_BASE, ALL);
        u->fd = -EBADF;
}

/* As QEMU: first one's own, then a look whether they go with those of others, so that of two at once none goes on
 * unseen. */
static int take_locks(int fd, unsigned have, unsigned unshared)
{
        int k;

        k = each_run(fd, F_OFD_SETLK, F_RDLCK, PERMISSION_BASE, have);
        if (k == 0)
                k = each_run(fd, F_OFD_SETLK, F_RDLCK, UNSHARED_BASE, unshared);
        if (k == 0)
                k = each_run(fd, F_OFD_GETLK, F_WRLCK, PERMISSION_BASE, unshared);
        if (k == 0)
                k = each_run(fd, F_OFD_GETLK, F_WRLCK, UNSHARED_BASE, have);
        return k;
}

/* There a lease depends on what the server granted, not only on who writes. */
static bool is_remote(int fd)
{
        struct statfs fs;

        if (fstatfs(fd, &fs) < 0)
                return true;
        switch ((uint32_t)fs.f_type) {
        case NFS_SUPER_MAGIC:
        case SMB_SUPER_MAGIC:
        case SMB2_SUPER_MAGIC:
        case CIFS_SUPER_MAGIC:
                return true;
        default:
                return false;
        }
}

/* A lease for reading is granted only while nobody, the kernel itself included, has the file open for writing.
 * -EOPNOTSUPP: it cannot be told in this way. */
static int has_writer(int fd)
{
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || (flags & O_ACCMODE) != O_RDONLY)
                return -EOPNOTSUPP;
        /* Who opens it in this moment has us signalled: by one that is ignored by default, SIGIO would end us. */
        if (fcntl(fd, F_SETSIG, SIGURG) < 0)
                return -EOPNOTSUPP;
        if (fcntl(fd, F_SETLEASE, F_RDLCK) >= 0) {
                (void)fcntl(fd, F_SETLEASE, F_UNLCK);
                return 0;
        }
        return errno == EAGAIN && !is_remote(fd) ? 1 : -EOPNOTSUPP;
}

static int refuse(const FileRoot *r, const char *name, FileUseMode mode, const Holder *h)
{
        const char *remedy =
                mode == FILE_USE_READ ? "shut it down first, or say force-share" : "shut it down first";
        Error *e = ctx_error(r->ctx);

        if (h->pid == 0)
                return error_set(e, ERROR_IN_USE, "Volume %s is in use by another process or host; %s", name,
                                 remedy);
        return error_set(e, ERROR_IN_USE, "Volume %s is in use by process %d (%s); %s", name, (int)h->pid,
                         h->command, remedy);
}

int file_use_refuse_rewrite(const FileRoot *r, const char *name, int fd)
{
        Holder holder = {};

        if (each_run(fd, F_OFD_GETLK, F_WRLCK, UNSHARED_BASE, CONSISTENT_READ) <= 0)
                return 0;
        holder_find(fd, HOLDER_LOCKS, &holder);
        return refuse(r, name, FILE_USE_WRITE, &holder);
}

static int check_writers(const FileRoot *r, const char *name, int fd)
{
        Holder holder = {};
        int k = has_writer(fd);

        if (k == 0)
                return 0;
        holder_find(fd, HOLDER_WRITES, &holder);
        return k > 0 || holder.pid > 0 ? refuse(r, name, FILE_USE_WRITE, &holder) : 0;
}

int file_use_begin(const FileRoot *r, const char *name, int fd, FileUseMode mode, FileUse *ret)
{
        _cleanup_use_ FileUse u = FILE_USE_NULL;
        static const struct {
                unsigned have, unshared;
        } locks[] = {
                [FILE_USE_WRITE] = { ALL, ALL },
                [FILE_USE_GUEST] = { CONSISTENT_READ | WRITE, WRITE | RESIZE },
                [FILE_USE_READ] = { CONSISTENT_READ, WRITE | RESIZE },
        };
        Holder holder = {};
        int k;

        if (mode == FILE_USE_SHARE) {
                *ret = u;
                return 0;
        }
        u.fd = fd;
        k = take_locks(fd, locks[mode].have, locks[mode].unshared);
        if (k > 0) {
                holder_find(fd, HOLDER_LOCKS, &holder);
                return refuse(r, name, mode, &holder);
        }
        /* ENOLCK, EOPNOTSUPP, EINVAL: a file system without locks. Then nobody else can have one either. */
        if (mode != FILE_USE_READ && (k = check_writers(r, name, fd)) < 0)
                return k;
        *ret = u;
        u = FILE_USE_NULL;
        return 0;
}
