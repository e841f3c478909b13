/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/scrub.h"

#define FD_NUMBER 10
#define BLOCK_MAX (1024u * 1024) /* of a file system: to its end the file is filled up meanwhile */
#define SLOWEST (1024u * 1024)   /* bytes per second of a storage in use, else the tool is taken for hung */

/* Passes that are told, each with a line: scrub(1), "SCRUB METHODS". */
static const struct {
        const char *name;
        unsigned passes;
} patterns[] = {
        { "nnsa", 4 },     { "dod", 4 },       { "bsi", 9 },         { "gutmann", 35 },
        { "schneier", 7 }, { "pfitzner7", 7 }, { "pfitzner33", 33 }, { "random", 1 },
};

static unsigned passes_of(const char *pattern)
{
        FOREACH_ELEMENT (p, patterns)
                if (streq(p->name, pattern))
                        return p->passes;
        return 0;
}

bool scrub_knows(const char *pattern)
{
        return passes_of(pattern) > 0;
}

int scrub_available(Ctx *c)
{
        if (!command_exists("scrub"))
                return error_set(ctx_error(c), ERROR_BACKEND_UNAVAILABLE,
                                 "scrub is not installed; install the package scrub, or wipe with zero");
        return 0;
}

typedef struct Progress {
        uint64_t size, done, total;
} Progress;

/* "scrub: random  |................................................|", when the pass has ended. A cancelled job is ended
 * by its signal, not from here. */
static void on_line(Ctx *c, const char *line, void *userdata)
{
        Progress *p = userdata;

        if (!strstr(line, "|..."))
                return;
        p->done = MIN(p->done + p->size, p->total);
        (void)ctx_progress(c, p->done, p->total);
}

int scrub_file(Ctx *c, int fd, uint64_t size, const char *pattern)
{
        Progress progress = { .size = size, .total = size * passes_of(pattern) };
        const CommandFd tool_fd = { .fd = fd, .number = FD_NUMBER };
        char path[32];
        const char *argv[] = {
                "scrub", "-S", "-f", "-p", pattern, path, NULL
        }; /* -S: no mark of its own in the data */
        const Command command = {
                .argv = argv,
                .fds = &tool_fd,
                .n_fds = 1,
                .sandbox = true,
                .output_size_max = size + BLOCK_MAX,
                .timeout_sec = 60 + (unsigned)MIN(progress.total / SLOWEST, (uint64_t)INT32_MAX),
                .output_line = on_line,
                .userdata = &progress,
        };
        int k;

        if (size == 0)
                return 0;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", FD_NUMBER);
        k = command_run(c, &command, NULL);
        /* It has filled up the last block. */
        if (k >= 0 && (fsync(fd) < 0 || ftruncate(fd, (off_t)size) < 0))
                return error_set_errno(ctx_error(c), errno, "Cannot end overwriting");
        return k;
}
