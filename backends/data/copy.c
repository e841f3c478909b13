/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/copy.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#define CHUNK (16u * 1024u * 1024u)
#define BUFFER (1024u * 1024u)

const char *data_method_to_string(DataMethod m)
{
        static const char *const words[] = {
                [DATA_REFLINK] = "reflink",
                [DATA_COPY] = "copy",
                [DATA_STREAM] = "stream",
        };

        return words[m];
}

static bool is_zero(const uint8_t *p, size_t n)
{
        return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static int read_error(Ctx *c, const DataCopy *j, int error)
{
        return error_set_errno(ctx_error(c), error, "Cannot read %s", j->from_name);
}

static int write_error(Ctx *c, const DataCopy *j, int error)
{
        return error_set_errno(ctx_error(c), error, "Cannot write %s", j->to_name);
}

static int short_error(Ctx *c, const DataCopy *j, uint64_t at)
{
        return error_set(ctx_error(c), ERROR_FAILED, "%s ended after %llu of %llu bytes", j->from_name,
                         (unsigned long long)at, (unsigned long long)j->length);
}

/* One stretch through our memory; zeros become holes. */
static int copy_by_hand(Ctx *c, const DataCopy *j, uint64_t start, uint64_t end)
{
        _cleanup_free_ uint8_t *buffer = malloc(BUFFER);

        if (!buffer)
                return error_set(ctx_error(c), ERROR_NO_MEMORY, "Out of memory");
        while (start < end) {
                ssize_t n = pread(j->from, buffer, MIN(end - start, (uint64_t)BUFFER), (off_t)start),
                        done = 0;
                int k;

                if (n < 0)
                        return read_error(c, j, errno);
                if (n == 0)
                        return short_error(c, j, start);
                while (!is_zero(buffer, n) && done < n) {
                        ssize_t w = pwrite(j->to, buffer + done, n - done, (off_t)start + done);

                        if (w < 0)
                                return write_error(c, j, errno);
                        done += w;
                }
                start += n;
                k = ctx_progress(c, start, j->length);
                if (k < 0)
                        return k;
        }
        return 0;
}

static int copy_stretch(Ctx *c, const DataCopy *j, uint64_t start, uint64_t end, DataMethod *method)
{
        while (start < end) {
                off_t in = (off_t)start, out = (off_t)start;
                ssize_t n = copy_file_range(j->from, &in, j->to, &out, MIN(end - start, (uint64_t)CHUNK), 0);
                int k;

                if (n < 0 && (errno == EXDEV || errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS)) {
                        *method = DATA_STREAM;
                        return copy_by_hand(c, j, start, end);
                }
                if (n < 0)
                        return write_error(c, j, errno);
                if (n == 0)
                        return short_error(c, j, start);
                start += n;
                k = ctx_progress(c, start, j->length);
                if (k < 0)
                        return k;
        }
        return 0;
}

static int copy_data(Ctx *c, const DataCopy *j, DataMethod *method)
{
        uint64_t at = 0;
        int k;

        while (at < j->length) {
                off_t data = lseek(j->from, (off_t)at, SEEK_DATA), hole;

                if (data < 0 && errno == ENXIO)
                        return ctx_progress(c, j->length, j->length);
                if (data < 0) {
                        *method = DATA_STREAM;
                        return copy_by_hand(c, j, at, j->length);
                }
                hole = lseek(j->from, data, SEEK_HOLE);
                if (hole < 0)
                        return read_error(c, j, errno);
                at = MIN((uint64_t)hole, j->length);
                k = copy_stretch(c, j, MIN((uint64_t)data, j->length), at, method);
                if (k < 0)
                        return k;
        }
        return 0;
}

int data_copy(Ctx *c, const DataCopy *job, DataCopied *ret)
{
        DataMethod method = DATA_COPY;
        int k;

        if (ftruncate(job->to, (off_t)job->length) < 0)
                return write_error(c, job, errno);
        k = copy_data(c, job, &method);
        if (k < 0)
                return k;
        *ret = (DataCopied){ .bytes = job->length, .method = method };
        return 0;
}

int data_reflink(int from, int to)
{
        if (ioctl(to, FICLONE, from) >= 0)
                return 0;
        return errno == ENOSPC || errno == EDQUOT || errno == EIO ? -errno : -EOPNOTSUPP;
}
