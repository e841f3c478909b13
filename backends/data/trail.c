/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/trail.h"

#include <fcntl.h>
#include <sys/uio.h>

#define WINDOW (4ull << 20)  /* one request for write-out, and the longest wait for one */
#define BEHIND (32ull << 20) /* what may be in memory */

/* That the first page can be read without the disk. */
static bool is_cached(int fd, uint64_t offset)
{
        char byte;
        struct iovec v = { .iov_base = &byte, .iov_len = 1 };

        return preadv2(fd, &v, 1, (off_t)offset, RWF_NOWAIT) == 1;
}

void trail_begin(Trail *t, int fd, bool written, uint64_t offset)
{
        *t = (Trail){ .fd = fd, .written = written, .start = offset, .issued = offset };
        if (!written) {
                t->keep = is_cached(fd, offset);
                (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        }
}

static void forget(Trail *t, uint64_t n)
{
        if (t->written)
                (void)sync_file_range(t->fd, (off_t)t->start, (off_t)n,
                                      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                              SYNC_FILE_RANGE_WAIT_AFTER);
        if (!t->keep)
                (void)posix_fadvise(t->fd, (off_t)t->start, (off_t)n, POSIX_FADV_DONTNEED);
        t->start += n;
}

void trail_move(Trail *t, uint64_t offset)
{
        while (t->written && offset - t->issued >= WINDOW) {
                (void)sync_file_range(t->fd, (off_t)t->issued, WINDOW, SYNC_FILE_RANGE_WRITE);
                t->issued += WINDOW;
        }
        while (offset - t->start >= BEHIND + WINDOW)
                forget(t, WINDOW);
}

void trail_end(Trail *t, uint64_t offset)
{
        if (!t->written && offset > t->start)
                forget(t, offset - t->start);
}
