/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fence around an object: an flock on RUNTIME/lock/POOL/OBJECT that a job worker holds while it works,
 * and that its tools inherit. A tool that outlives its worker so keeps others, and the worker that undoes,
 * away from its object. */
#include "worker/ctx-internal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "util/fileio.h"

#define LOCK_NAME_MAX 250u /* NAME_MAX, less our prefix */

/* One name for each object, of a length that every file system takes. Shown names have no '/'. */
static int lock_name(const char *volume, char **ret)
{
        uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
        char *name;
        int n;

        if (isempty(volume))
                n = asprintf(&name, "pool");
        else if (strlen(volume) + strlen("volume:") <= LOCK_NAME_MAX)
                n = asprintf(&name, "volume:%s", volume);
        else {
                for (const char *p = volume; *p; p++)
                        hash = (hash ^ (uint8_t)*p) * 0x100000001b3;
                n = asprintf(&name, "long:%.200s-%016llx", volume, (unsigned long long)hash);
        }
        if (n < 0)
                return -ENOMEM;
        *ret = name;
        return 0;
}

static int lock_path(const Ctx *c, const char *volume, char **ret_directory, char **ret_path)
{
        _cleanup_free_ char *name = NULL, *directory = NULL;
        int r;

        r = lock_name(volume, &name);
        if (r < 0)
                return r;
        if (asprintf(&directory, "%s/lock/%s", c->runtime_directory, c->pool) < 0) {
                directory = NULL;
                return -ENOMEM;
        }
        if (asprintf(ret_path, "%s/%s", directory, name) < 0)
                return -ENOMEM;
        if (ret_directory)
                *ret_directory = TAKE_PTR(directory);
        return 0;
}

static int busy(const Ctx *c, const char *volume, Error *e)
{
        if (isempty(volume))
                return error_set(e, ERROR_BUSY, "Pool %s is being worked on; try again when that has ended",
                                 c->pool);
        return error_set(e, ERROR_BUSY, "Volume %s/%s is being worked on; try again when that has ended",
                         c->pool, volume);
}

/* Whoever had the lock may have removed the file between our open() and flock(). */
static bool is_still_there(int fd, const char *path)
{
        struct stat a, b;

        return fstat(fd, &a) >= 0 && stat(path, &b) >= 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int lock_take(Ctx *c, const char *volume, int *ret_fd, Error *e)
{
        _cleanup_free_ char *directory = NULL, *path = NULL;
        int r;

        r = lock_path(c, volume, &directory, &path);
        if (r < 0)
                return error_set_errno(e, r, "Cannot lock");
        for (;;) {
                _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

                if (fd < 0 && errno == ENOENT) {
                        r = mkdir_parents(directory, 0700);
                        if (r < 0)
                                return error_set_errno(e, r, "Cannot make %s", directory);
                        continue;
                }
                if (fd < 0)
                        return error_set_errno(e, errno, "Cannot open %s", path);
                if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                        return errno == EWOULDBLOCK ? busy(c, volume, e)
                                                    : error_set_errno(e, errno, "Cannot lock %s", path);
                if (is_still_there(fd, path)) {
                        *ret_fd = TAKE_FD(fd);
                        return 0;
                }
        }
}

int lock_check(Ctx *c, const char *volume, Error *e)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = lock_path(c, volume, NULL, &path);
        if (r < 0)
                return error_set_errno(e, r, "Cannot look for a lock");
        fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : error_set_errno(e, errno, "Cannot open %s", path);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? busy(c, volume, e)
                                            : error_set_errno(e, errno, "Cannot lock %s", path);
        if (is_still_there(fd, path))
                (void)unlink(path); /* left by a worker that was killed */
        return 0;
}

/* A tool that is still alive shares our lock: then the file stays, and keeps others away until it ends. */
void lock_release(Ctx *c, const char *volume, int *fd)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int again = -EBADF;

        if (*fd < 0)
                return;
        if (lock_path(c, volume, NULL, &path) >= 0)
                again = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        *fd = safe_close(*fd);
        if (again >= 0 && flock(again, LOCK_EX | LOCK_NB) >= 0 && is_still_there(again, path))
                (void)unlink(path);
}
