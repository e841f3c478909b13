/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fileio.h"

#include "names.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#define READ_CHUNK 65536u

int read_fd(int fd, size_t limit, char **ret, size_t *ret_size)
{
        _cleanup_free_ char *buffer = NULL;
        size_t size = 0, room = 0;

        for (;;) {
                ssize_t n;

                if (size == room) {
                        char *grown;

                        room = MIN(MAX(room * 2, (size_t)READ_CHUNK),
                                   limit + 1); /* one more tells that it is too large */
                        grown = realloc(buffer, room + 1);
                        if (!grown)
                                return -ENOMEM;
                        buffer = grown;
                }
                n = read(fd, buffer + size, room - size);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t)n;
                if (size > limit)
                        return -EFBIG;
        }
        buffer[size] = '\0';
        *ret = TAKE_PTR(buffer);
        if (ret_size)
                *ret_size = size;
        return 0;
}

int read_file_at(int dirfd, const char *name, size_t limit, char **ret, size_t *ret_size)
{
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -EBADFD;
        return read_fd(fd, limit, ret, ret_size);
}

/* The directory that holds the entry: dirfd itself, or what stands before the last slash of `name`. */
static int open_parent(int dirfd, const char *name)
{
        const char *slash = strrchr(name, '/');
        _cleanup_free_ char *parent = NULL;
        int fd;

        parent = slash ? strndup(name, slash == name ? 1 : (size_t)(slash - name)) : strdup(".");
        if (!parent)
                return -ENOMEM;
        fd = openat(dirfd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static const char *entry_name(const char *name)
{
        const char *slash = strrchr(name, '/');

        return slash ? slash + 1 : name;
}

/* Writes the new content beside the old one and makes it durable. On failure nothing is left. */
static int write_temporary(int dir, const char *temporary, const void *data, size_t size, mode_t mode)
{
        _cleanup_close_ int fd = -EBADF;
        int r;

        fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        r = fchmod(fd, mode) < 0 ? -errno : loop_write(fd, data, size);
        if (r >= 0 && fsync(fd) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(dir, temporary, 0);
        return r;
}

int write_file_atomic_at(int dirfd, const char *name, const void *data, size_t size, mode_t mode)
{
        _cleanup_close_ int dir = -EBADF;
        char temporary[sizeof(TEMPORARY_PREFIX) + 16];
        uint64_t random;
        int r;

        dir = open_parent(dirfd, name);
        if (dir < 0)
                return dir;
        if (getrandom(&random, sizeof(random), 0) != sizeof(random))
                return -EIO;
        snprintf(temporary, sizeof(temporary), TEMPORARY_PREFIX "%016llx", (unsigned long long)random);
        r = write_temporary(dir, temporary, data, size, mode);
        if (r < 0)
                return r;
        if (renameat(dir, temporary, dir, entry_name(name)) < 0) {
                r = -errno;
                (void)unlinkat(dir, temporary, 0);
                return r;
        }
        return fsync(dir) < 0 ? -errno : 0;
}

int unlink_durable_at(int dirfd, const char *name)
{
        _cleanup_close_ int dir = -EBADF;

        dir = open_parent(dirfd, name);
        if (dir < 0)
                return dir;
        if (unlinkat(dir, entry_name(name), 0) < 0 || fsync(dir) < 0)
                return -errno;
        return 0;
}

int loop_write(int fd, const void *data, size_t size)
{
        const char *p = data;

        while (size > 0) {
                ssize_t n = write(fd, p, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -EIO;
                p += n;
                size -= (size_t)n;
        }
        return 0;
}

static int mkdir_existing(const char *path, mode_t mode)
{
        struct stat st;

        if (mkdir(path, mode) >= 0)
                return 0;
        if (errno != EEXIST)
                return -errno;
        if (stat(path, &st) < 0)
                return -errno;
        return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int mkdir_parents(const char *path, mode_t mode)
{
        _cleanup_free_ char *copy = strdup(path);
        int r;

        if (!copy)
                return -ENOMEM;
        for (char *p = copy + strspn(copy, "/"); *p;) {
                char *end = p + strcspn(p, "/"), *next = end + strspn(end, "/"), saved = *end;

                *end = '\0';
                r = mkdir_existing(copy, mode);
                if (r < 0)
                        return r;
                *end = saved;
                p = next;
        }
        return 0;
}

int memfd_sealed(const char *name, const void *data, size_t size)
{
        _cleanup_close_ int fd = -EBADF;
        int r;

        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return -errno;
        r = loop_write(fd, data, size);
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
                return -errno;
        return TAKE_FD(fd);
}

int fd_reopen(int fd, int flags)
{
        char path[sizeof("/proc/self/fd/") + 10];
        int r;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        r = open(path, flags | O_CLOEXEC);
        return r < 0 ? -errno : r;
}

uint64_t now_usec(clockid_t clock)
{
        struct timespec ts;

        if (clock_gettime(clock, &ts) < 0)
                return 0;
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}
