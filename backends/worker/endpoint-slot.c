/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many endpoints there may be. The process of each holds two bytes of one file locked: one of those of its uid, and
 * one of those of all. Locks of an open file description go with its last descriptor, however that process ends
 * (F_OFD_SETLK(2const)), so the kernel counts, whoever was restarted meanwhile, and nothing is left to clean up. The
 * process keeps the descriptor from its tool, which could lock what it likes with it. */
#include <fcntl.h>

#include "worker/ctx-internal.h"
#include "worker/endpoint.h"

#define FILE_NAME "endpoint.slots"
#define ALL_START (((off_t)UINT32_MAX + 1) * ENDPOINTS_PER_UID_MAX) /* behind those of every uid */

/* One of n bytes. -EUSERS: others have them all. */
static int lock_one(int fd, off_t start, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                struct flock lock = {
                        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start + i, .l_len = 1
                };

                if (fcntl(fd, F_OFD_SETLK, &lock) >= 0)
                        return 0;
                if (errno != EAGAIN && errno != EACCES)
                        return -errno;
        }
        return -EUSERS;
}

static int open_file(const Ctx *c, int *ret)
{
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/" FILE_NAME, c->runtime_directory) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        *ret = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        return *ret < 0 ? -errno : 0;
}

int endpoint_take_slot(Ctx *c, int *ret)
{
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = open_file(c, &fd);
        if (r >= 0 && c->caller != 0) {
                r = lock_one(fd, (off_t)c->caller * ENDPOINTS_PER_UID_MAX, ENDPOINTS_PER_UID_MAX);
                if (r == -EUSERS)
                        return error_set(&c->error, ERROR_LIMITS_EXCEEDED,
                                         "User %u has %u volumes served by NBD already; close one of the "
                                         "connections first",
                                         c->caller, ENDPOINTS_PER_UID_MAX);
        }
        if (r >= 0)
                r = lock_one(fd, ALL_START, ENDPOINTS_MAX);
        if (r == -EUSERS)
                return error_set(
                        &c->error, ERROR_LIMITS_EXCEEDED,
                        "%u volumes are served by NBD already; some of their clients have to go first",
                        ENDPOINTS_MAX);
        if (r < 0)
                return error_set_errno(&c->error, r, "Cannot count endpoints in %s/" FILE_NAME,
                                       c->runtime_directory);
        *ret = TAKE_FD(fd);
        return 0;
}
