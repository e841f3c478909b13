/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/filter.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#define SLOWEST (1024u * 1024u) /* bytes per second that a tool makes, else it is hung */

static const char *const names[_COMPRESSION_MAX] = { "none", "gzip", "xz", "zstd" };

/* One thread each: several jobs run side by side. */
static const char *const unpack[_COMPRESSION_MAX][5] = {
        [COMPRESSION_GZIP] = { "gzip", "-dcq", NULL },
        [COMPRESSION_XZ] = { "xz", "-dcq", "--memlimit=1GiB", NULL },
        [COMPRESSION_ZSTD] = { "zstd", "-dcq", "--sparse", NULL },
};
static const char *const pack[_COMPRESSION_MAX][5] = {
        [COMPRESSION_GZIP] = { "gzip", "-cq", NULL },
        [COMPRESSION_XZ] = { "xz", "-cq", NULL },
        [COMPRESSION_ZSTD] = { "zstd", "-cq", NULL },
};

DataCompression data_compression_from_string(const char *s)
{
        for (int i = 0; s && i < _COMPRESSION_MAX; i++)
                if (streq(names[i], s))
                        return (DataCompression)i;
        return s ? _COMPRESSION_INVALID : COMPRESSION_NONE;
}

static Command filter_command(const char *const *argv, uint64_t bytes, uint64_t limit)
{
        return (Command){
                .argv = argv,
                .sandbox = true,
                .output_size_max = limit,
                .timeout_sec = 60 + (unsigned)MIN(bytes / SLOWEST, (uint64_t)INT32_MAX),
        };
}

static int open_pipe(Ctx *c, int pair[2])
{
        if (pipe2(pair, O_CLOEXEC) < 0)
                return error_set_errno(ctx_error(c), errno, "Cannot make a pipe");
        (void)fcntl(pair[1], F_SETPIPE_SZ, 1024 * 1024);
        return 0;
}

/* The tool stopped at the size that its file may have. */
static bool is_too_large(const Error *e)
{
        return e->message && (strstr(e->message, strerror(EFBIG)) || strstr(e->message, strsignal(SIGXFSZ)));
}

int data_decompress(Ctx *c, DataCompression compression, const DataCopy *job, DataCopied *ret)
{
        Command command = filter_command(unpack[compression], job->limit, job->limit);
        _cleanup_(command_stopp) CommandRun *run = NULL;
        _cleanup_close_ int in = -EBADF, out = -EBADF;
        DataCopy feed = *job;
        int pair[2], k, x;

        k = open_pipe(c, pair);
        if (k < 0)
                return k;
        in = pair[0];
        out = pair[1];
        k = command_start(c, &command, in, job->to, &run);
        if (k < 0)
                return k;
        in = safe_close(in);
        feed.to = out;
        feed.to_name = names[compression];
        feed.to_offset = feed.limit = 0;
        k = data_copy(c, &feed, ret);
        out = safe_close(out);
        if (k < 0 && ctx_error(c)->kind == ERROR_CANCELLED)
                return k;
        error_done(ctx_error(c)); /* it may be that the tool ended, and knows better why */
        x = command_finish(TAKE_PTR(run));
        if (x < 0 && is_too_large(ctx_error(c))) {
                error_done(ctx_error(c));
                return -EFBIG;
        }
        if (x < 0 || k >= 0)
                return x;
        return error_set_errno(ctx_error(c), k, "Cannot read %s", job->from_name);
}

int data_compress(Ctx *c, DataCompression compression, const DataCopy *job, DataCopied *ret)
{
        off_t size = lseek(job->from, 0, SEEK_END);
        Command command = filter_command(pack[compression], size > 0 ? (uint64_t)size : 0, 0);
        _cleanup_(command_stopp) CommandRun *run = NULL;
        _cleanup_close_ int in = -EBADF, out = -EBADF;
        DataCopy drain = *job;
        int pair[2], k;

        if (size < 0 || lseek(job->from, 0, SEEK_SET) < 0)
                return error_set_errno(ctx_error(c), errno, "Cannot read %s", job->from_name);
        k = open_pipe(c, pair);
        if (k < 0)
                return k;
        in = pair[0];
        out = pair[1];
        k = command_start(c, &command, job->from, out, &run);
        if (k < 0)
                return k;
        out = safe_close(out);
        drain.from = in;
        drain.from_offset = 0;
        drain.length = UINT64_MAX;
        k = data_copy(c, &drain, ret);
        if (k < 0)
                return k;
        return command_finish(TAKE_PTR(run));
}
