/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/trail.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#define WINDOW (4ull << 20)  /* one request for write-out, and the longest wait for one */
#define BEHIND (16ull << 20) /* what may wait to be written: a cancel waits for that */
#define FORGET (32ull << 20) /* dropped at once: each time may wait for all processors */

/* A file that is nowhere but in memory. */
static bool is_memory(int fd)
{
        struct statfs fs;

        return fstatfs(fd, &fs) >= 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* That the first page can be read without the disk. */
static bool is_cached(int fd, uint64_t offset)
{
        char byte;
        struct iovec v = { .iov_base = &byte, .iov_len = 1 };

        return preadv2(fd, &v, 1, (off_t)offset, RWF_NOWAIT) == 1;
}

void trail_begin(Trail *t, int fd, bool written, uint64_t offset)
{
        *t = (Trail){ .fd = fd, .start = offset, .issued = offset, .waited = offset };
        if (is_memory(fd)) {
                t->keep = true;
                return;
        }
        t->written = written;
        if (!written) {
                t->keep = is_cached(fd, offset);
                (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        }
}

static void write_out(Trail *t, uint64_t offset)
{
        for (; offset - t->issued >= WINDOW; t->issued += WINDOW)
                (void)sync_file_range(t->fd, (off_t)t->issued, WINDOW, SYNC_FILE_RANGE_WRITE);
        for (; offset - t->waited >= BEHIND + WINDOW; t->waited += WINDOW)
                (void)sync_file_range(t->fd, (off_t)t->waited, WINDOW,
                                      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                              SYNC_FILE_RANGE_WAIT_AFTER);
}

static void forget(Trail *t, uint64_t end)
{
        if (t->keep)
                return;
        (void)posix_fadvise(t->fd, (off_t)t->start, (off_t)(end - t->start), POSIX_FADV_DONTNEED);
        t->start = end;
}

void trail_move(Trail *t, uint64_t offset)
{
        if (t->written)
                write_out(t, offset);
        if ((t->written ? t->waited : offset) - t->start >= FORGET)
                forget(t, t->written ? t->waited : offset);
}

void trail_end(Trail *t, uint64_t offset)
{
        if (!t->written && offset > t->start)
                forget(t, offset);
}
