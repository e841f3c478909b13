/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/copy.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "data/target.h"
#include "data/trail.h"

#define BUFFER (1024u * 1024u)
#define ALIGNMENT 4096u
#define KERNEL_CHUNK (2u * 1024u * 1024u)     /* of copy_file_range(), which only SIGKILL cuts short */
#define REFLINK_CHUNK (1024ull * 1024 * 1024) /* of FICLONERANGE */

typedef struct Copy {
        Ctx *ctx;
        const DataCopy *job;
        DataKind from;
        DataTarget to;
        uint64_t length; /* UINT64_MAX: not known */
        uint64_t done;
        bool in_kernel;    /* copy_file_range() may be tried */
        DataMethod method; /* the worst so far */
        uint8_t *buffer;
        Trail read, written;
        Pace unpaced, *pace;
} Copy;

static void copy_done(Copy *s)
{
        free(s->buffer);
}

const char *data_method_to_string(DataMethod m)
{
        static const char *const words[] = {
                [DATA_REFLINK] = "reflink",
                [DATA_COPY] = "copy",
                [DATA_STREAM] = "stream",
        };

        return words[m];
}

static int read_error(const Copy *s, int error)
{
        return error_set_errno(ctx_error(s->ctx), error, "Cannot read %s", s->job->from_name);
}

static int short_error(const Copy *s, uint64_t has)
{
        return error_set(ctx_error(s->ctx), ERROR_FAILED, "%s ended after %llu of %llu bytes",
                         s->job->from_name, (unsigned long long)has, (unsigned long long)s->length);
}

static uint64_t from_at(const Copy *s)
{
        return s->job->from_offset + s->done;
}

static uint64_t to_at(const Copy *s)
{
        return s->job->to_offset + s->done;
}

static int tell(const Copy *s)
{
        return ctx_progress(s->ctx, s->pace->done, s->pace->total);
}

/* `n` more bytes are where they belong; `moved` of them cost anything. */
static int step(Copy *s, uint64_t n, uint64_t moved)
{
        int k;

        s->done += n;
        s->pace->done = s->job->before + s->done;
        if (data_kind_seeks(s->from))
                trail_move(&s->read, from_at(s));
        if (data_kind_seeks(s->to.kind))
                trail_move(&s->written, to_at(s));
        k = tell(s);
        return k < 0 ? k : pace_wait(s->ctx, s->pace, moved);
}

/* ---- a source with places ---- */

static int copy_hole(Copy *s, uint64_t n)
{
        while (n > 0) {
                uint64_t chunk = MIN(n, data_target_hole_step(&s->to));
                bool written;
                int k = data_target_hole(&s->to, to_at(s), chunk, &written);

                if (k >= 0)
                        k = step(s, chunk, written ? chunk : 0);
                if (k < 0)
                        return k;
                n -= chunk;
        }
        return 0;
}

static int copy_in_kernel(Copy *s, uint64_t n)
{
        off_t in = (off_t)from_at(s), out = (off_t)to_at(s);
        ssize_t r = copy_file_range(s->job->from, &in, s->job->to, &out,
                                    MIN(n, pace_chunk(s->pace, KERNEL_CHUNK)), 0);

        if (r > 0) {
                s->method = MAX(s->method, DATA_COPY);
                return step(s, r, r);
        }
        if (r < 0 && errno == EINTR)
                return tell(s);
        if (r < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
                return data_target_error(&s->to, errno);
        s->in_kernel = false; /* if one of the two is bad, reading and writing tell which */
        return 0;
}

static int copy_by_hand(Copy *s, uint64_t n)
{
        ssize_t r = pread(s->job->from, s->buffer, MIN(n, pace_chunk(s->pace, BUFFER)), (off_t)from_at(s));
        int k;

        if (r < 0)
                return errno == EINTR ? tell(s) : read_error(s, errno);
        if (r == 0)
                return short_error(s, s->done);
        s->method = DATA_STREAM;
        k = data_target_write(&s->to, to_at(s), s->buffer, r);
        return k < 0 ? k : step(s, r, r);
}

static int copy_data(Copy *s, uint64_t n)
{
        uint64_t end = s->done + n;
        int k = 0;

        while (k >= 0 && s->done < end)
                k = s->in_kernel ? copy_in_kernel(s, end - s->done) : copy_by_hand(s, end - s->done);
        return k;
}

/* Behind its last byte a file reads as having no data: it may have become shorter since it was measured. */
static int copy_last_hole(Copy *s)
{
        uint64_t end = s->job->from_offset + s->length;
        off_t now = lseek(s->job->from, 0, SEEK_END);

        if (now < 0)
                return read_error(s, errno);
        if ((uint64_t)now < end)
                return short_error(s, (uint64_t)now - MIN((uint64_t)now, s->job->from_offset));
        return copy_hole(s, end - from_at(s));
}

static int copy_stretches(Copy *s)
{
        uint64_t end = s->job->from_offset + s->length;
        int k = 0;

        while (k >= 0 && s->done < s->length) {
                off_t data = lseek(s->job->from, (off_t)from_at(s), SEEK_DATA), hole = -1;

                if (data < 0 && errno == ENXIO)
                        return copy_last_hole(s);
                if (data >= 0)
                        hole = lseek(s->job->from, data, SEEK_HOLE);
                if (hole < 0) /* it does not tell */
                        return copy_data(s, end - from_at(s));
                k = copy_hole(s, MIN((uint64_t)data, end) - from_at(s));
                if (k >= 0)
                        k = copy_data(s, MIN((uint64_t)hole, end) - from_at(s));
        }
        return k;
}

/* Shares what blocks it can; the rest is for the others. */
static int copy_reflink(Copy *s)
{
        while (s->in_kernel && s->done < s->length) {
                struct file_clone_range r = {
                        .src_fd = s->job->from,
                        .src_offset = from_at(s),
                        .src_length = MIN(s->length - s->done, REFLINK_CHUNK),
                        .dest_offset = to_at(s),
                };
                int k;

                if (ioctl(s->job->to, FICLONERANGE, &r) < 0)
                        return errno == ENOSPC || errno == EDQUOT || errno == EIO
                                       ? data_target_error(&s->to, errno)
                                       : 0;
                k = step(s, r.src_length, 0);
                if (k < 0)
                        return k;
        }
        return 0;
}

/* ---- a pipe or socket ---- */

static int copy_stream(Copy *s)
{
        int k = 0;

        while (k >= 0 && s->done < s->length) {
                size_t want = MIN(s->length - s->done, (uint64_t)pace_chunk(s->pace, BUFFER));
                ssize_t r = data_stream_read(s->job->from, s->from, s->buffer, want);

                if (r == -EAGAIN) {
                        data_stream_wait(s->job->from, DATA_READ);
                        k = tell(s);
                        continue;
                }
                if (r < 0)
                        return read_error(s, (int)r);
                if (r == 0)
                        return s->length == UINT64_MAX ? 0 : short_error(s, s->done);
                if (s->job->limit > 0 && (uint64_t)r > s->job->limit - s->done)
                        return -EFBIG;
                s->method = DATA_STREAM;
                k = data_target_write(&s->to, to_at(s), s->buffer, r);
                if (k >= 0)
                        k = step(s, r, r);
        }
        return k;
}

/* ---- both ends ---- */

/* How much there is, as far as that can be known. */
static int find_length(Copy *s)
{
        uint64_t has;
        off_t end;

        s->length = s->job->length;
        if (!data_kind_seeks(s->from))
                return 0;
        end = lseek(s->job->from, 0, SEEK_END);
        if (end < 0)
                return read_error(s, errno);
        has = (uint64_t)end - MIN((uint64_t)end, s->job->from_offset);
        if (s->length == UINT64_MAX) {
                s->length = has;
                return s->job->limit > 0 && has > s->job->limit ? -EFBIG : 0;
        }
        return s->length > has ? short_error(s, has) : 0;
}

static int copy_run(Copy *s)
{
        bool seeks = data_kind_seeks(s->from);
        int k;

        s->pace->done = s->job->before;
        s->pace->total = s->job->total > 0 ? s->job->total : s->length == UINT64_MAX ? 0 : s->length;
        s->in_kernel =
                s->from == DATA_REGULAR && s->to.kind == DATA_REGULAR && !s->job->sparse && !s->job->digest;
        if (seeks)
                trail_begin(&s->read, s->job->from, false, s->job->from_offset);
        if (data_kind_seeks(s->to.kind))
                trail_begin(&s->written, s->job->to, true, s->job->to_offset);
        k = copy_reflink(s);
        if (k >= 0)
                k = seeks ? copy_stretches(s) : copy_stream(s);
        if (seeks)
                trail_end(&s->read, from_at(s));
        return k < 0 ? k : data_target_end(&s->to, to_at(s));
}

int data_copy(Ctx *c, const DataCopy *job, DataCopied *ret)
{
        _cleanup_(copy_done) Copy s = { .ctx = c, .job = job };
        int k;

        s.pace = job->pace ?: &s.unpaced;
        k = data_target_begin(&s.to, c, job, s.pace);
        if (k < 0)
                return k;
        if (data_kind(job->from, &s.from) < 0)
                return read_error(&s, EBADF);
        s.buffer = aligned_alloc(ALIGNMENT, BUFFER);
        if (!s.buffer)
                return error_set(ctx_error(c), ERROR_NO_MEMORY, "Out of memory");
        k = find_length(&s);
        if (k >= 0)
                k = copy_run(&s);
        if (k < 0)
                return k;
        *ret = (DataCopied){ .bytes = s.done, .method = s.method };
        return 0;
}

int data_reflink(int from, int to)
{
        if (ioctl(to, FICLONE, from) >= 0)
                return 0;
        return errno == ENOSPC || errno == EDQUOT || errno == EIO ? -errno : -EOPNOTSUPP;
}
