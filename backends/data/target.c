/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/target.h"

#include <fcntl.h>
#include <sys/stat.h>

#define HOLE_STEP (1024ull * 1024 * 1024)
#define ZERO_BLOCK 4096u /* the smallest run of zeros that becomes a hole, as in qemu-img convert -S */

static uint8_t zeros[1024 * 1024]; /* never written, so it takes no memory */

int data_target_error(const DataTarget *t, int error)
{
        if (abs(error) == EPIPE || abs(error) == ECONNRESET)
                return error_set(ctx_error(t->ctx), ERROR_FAILED,
                                 "The reader of %s has hung up after %llu bytes", t->name,
                                 (unsigned long long)t->progress->done);
        return error_set_errno(ctx_error(t->ctx), error, "Cannot write %s", t->name);
}

bool data_has_data(int fd, uint64_t start, uint64_t end)
{
        off_t at = lseek(fd, (off_t)start, SEEK_DATA);

        return at < 0 ? errno != ENXIO : (uint64_t)at < end;
}

int data_target_begin(DataTarget *t, Ctx *c, const DataCopy *job, const Pace *progress)
{
        *t = (DataTarget){
                .ctx = c,
                .fd = job->to,
                .name = job->to_name,
                .digest = job->digest,
                .progress = progress,
        };
        if (data_kind(t->fd, &t->kind) < 0)
                return data_target_error(t, EBADF);
        t->punches = data_kind_seeks(t->kind);
        t->sparse = job->sparse && t->punches;
        t->fresh = t->kind == DATA_REGULAR && !data_has_data(t->fd, job->to_offset, UINT64_MAX);
        return 0;
}

static int write_stream(DataTarget *t, const uint8_t *p, size_t n)
{
        while (n > 0) {
                ssize_t w = data_stream_write(t->fd, t->kind, p, n);
                int k;

                if (w < 0 && w != -EAGAIN)
                        return data_target_error(t, (int)w);
                if (w > 0) {
                        p += w;
                        n -= w;
                        continue;
                }
                data_stream_wait(t->fd, DATA_WRITE);
                k = ctx_progress(t->ctx, t->progress->done, t->progress->total);
                if (k < 0)
                        return k;
        }
        return 0;
}

static int write_bytes(DataTarget *t, uint64_t at, const uint8_t *p, size_t n)
{
        if (!data_kind_seeks(t->kind))
                return write_stream(t, p, n);
        while (n > 0) {
                ssize_t w = pwrite(t->fd, p, n, (off_t)at);

                if (w < 0 && errno == EINTR)
                        continue;
                if (w <= 0)
                        return data_target_error(t, w < 0 ? errno : ENOSPC);
                p += w;
                n -= w;
                at += w;
        }
        return 0;
}

static int make_hole(DataTarget *t, uint64_t at, uint64_t n, bool *ret_written)
{
        *ret_written = false;
        if (t->fresh)
                return 0;
        if (t->punches) {
                if (fallocate(t->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)n) >= 0)
                        return 0;
                if (errno != EOPNOTSUPP && errno != EINVAL && errno != ENODEV)
                        return data_target_error(t, errno);
                t->punches = false;
        }
        *ret_written = true;
        while (n > 0) {
                size_t chunk = MIN(n, sizeof(zeros));
                int k = write_bytes(t, at, zeros, chunk);

                if (k < 0)
                        return k;
                n -= chunk;
                at += chunk;
        }
        return 0;
}

uint64_t data_target_hole_step(const DataTarget *t)
{
        return t->digest || !(t->fresh || t->punches) ? sizeof(zeros) : HOLE_STEP;
}

int data_target_hole(DataTarget *t, uint64_t at, uint64_t n, bool *ret_written)
{
        for (uint64_t i = 0; t->digest && i < n; i += sizeof(zeros))
                digest_update(t->digest, zeros, MIN(n - i, sizeof(zeros)));
        return make_hole(t, at, n, ret_written);
}

static bool is_zero(const uint8_t *p, size_t n)
{
        return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* Length of the run of blocks at `p` that are all zero, or all not. */
static size_t run_length(const uint8_t *p, size_t n, bool *ret_zero)
{
        size_t i = MIN(n, (size_t)ZERO_BLOCK);
        bool zero = is_zero(p, i);

        while (i < n && is_zero(p + i, MIN(n - i, (size_t)ZERO_BLOCK)) == zero)
                i += MIN(n - i, (size_t)ZERO_BLOCK);
        *ret_zero = zero;
        return i;
}

int data_target_write(DataTarget *t, uint64_t at, const void *data, size_t n)
{
        const uint8_t *p = data;

        if (t->digest)
                digest_update(t->digest, data, n);
        if (!t->sparse)
                return write_bytes(t, at, p, n);
        while (n > 0) {
                bool zero, written;
                size_t run = run_length(p, n, &zero);
                int k = zero ? make_hole(t, at, run, &written) : write_bytes(t, at, p, run);

                if (k < 0)
                        return k;
                p += run;
                n -= run;
                at += run;
        }
        return 0;
}

int data_target_end(DataTarget *t, uint64_t end)
{
        struct stat st;

        if (t->kind != DATA_REGULAR)
                return 0;
        if (fstat(t->fd, &st) < 0)
                return data_target_error(t, errno);
        if ((uint64_t)st.st_size < end && ftruncate(t->fd, (off_t)end) < 0)
                return data_target_error(t, errno);
        return 0;
}
