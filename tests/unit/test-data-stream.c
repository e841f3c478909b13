/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/stream.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "directory.h"
#include "fake-ctx.h"

static Ctx *ctx;

/* Closes fd. NULL: accepted; else part of the message. */
static void check(int fd, DataDirection direction, const char *message)
{
        DataStream s;
        int k;

        CHECK(fd >= 0);
        fake_ctx_reset(ctx);
        k = data_stream_check(ctx, fd, direction, &s);
        (void)close(fd);
        if (!message) {
                CHECK_OK(k);
                return;
        }
        CHECK(k < 0 && ctx->error.message && strstr(ctx->error.message, message));
        CHECK_ERROR(k, &ctx->error, ERROR_INVALID_ARGS);
}

static void test_refused(void)
{
        int p[2];

        check(open("/proc/self/status", O_RDONLY | O_CLOEXEC), DATA_READ, "a file on proc");
        check(open("/sys/kernel/uevent_seqnum", O_RDONLY | O_CLOEXEC), DATA_READ, "a file on sysfs");
        check(open("/dev/zero", O_RDONLY | O_CLOEXEC), DATA_READ, "a character device");
        check(open(".", O_RDONLY | O_CLOEXEC), DATA_READ, "a directory");
        check(eventfd(0, EFD_CLOEXEC), DATA_READ, "of another kind");
        check(open("file", O_PATH | O_CLOEXEC), DATA_READ, "O_PATH");
        check(open("file", O_WRONLY | O_CLOEXEC), DATA_READ, "not open for reading");
        check(open("file", O_RDONLY | O_CLOEXEC), DATA_WRITE, "not open for writing");
        check(open("file", O_WRONLY | O_APPEND | O_CLOEXEC), DATA_WRITE, "O_APPEND");
        check(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), DATA_READ,
              "a socket that is no connected stream");
        check(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), DATA_READ,
              "a socket that is no connected stream");
        CHECK_OK(pipe2(p, O_CLOEXEC));
        check(p[0], DATA_WRITE, "not open for writing");
        check(p[1], DATA_READ, "not open for reading");
}

static void test_accepted(void)
{
        int p[2];

        check(open("file", O_RDONLY | O_CLOEXEC), DATA_READ, NULL);
        check(open("file", O_RDWR | O_CLOEXEC), DATA_WRITE, NULL);
        check(memfd_create("m", MFD_CLOEXEC), DATA_WRITE, NULL);
        CHECK_OK(pipe2(p, O_CLOEXEC));
        check(p[0], DATA_READ, NULL);
        check(p[1], DATA_WRITE, NULL);
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p));
        check(p[0], DATA_READ, NULL);
        check(p[1], DATA_WRITE, NULL);
}

static void test_position_counts(void)
{
        _cleanup_close_ int fd = open("file", O_RDWR | O_CLOEXEC);
        DataStream s;

        CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
        CHECK_OK(data_stream_check(ctx, fd, DATA_READ, &s));
        CHECK_EQ(s.offset, 3u);
        CHECK_EQ(s.size, 5u);
        CHECK_EQ(s.kind, DATA_REGULAR);
}

/* Neither direction waits, on descriptors that would. */
static void never_waits(int in, int out, DataKind kind)
{
        static char b[256 * 1024];
        ssize_t n;

        CHECK_EQ(data_stream_read(in, kind, b, sizeof(b)), -EAGAIN);
        do
                n = data_stream_write(out, kind, b, sizeof(b));
        while (n > 0);
        CHECK_EQ(n, -EAGAIN);
        data_stream_wait(out, DATA_WRITE);
        CHECK(data_stream_read(in, kind, b, sizeof(b)) > 0);
        (void)close(out);
        do
                n = data_stream_read(in, kind, b, sizeof(b));
        while (n > 0);
        CHECK_EQ(n, 0);
        (void)close(in);
}

static void test_never_waits(void)
{
        int p[2];

        (void)alarm(20);
        CHECK_OK(pipe2(p, O_CLOEXEC));
        never_waits(p[0], p[1], DATA_PIPE);
        CHECK_OK(mkfifo("fifo", 0600));
        p[0] = open("fifo", O_RDWR | O_CLOEXEC);
        p[1] = open("fifo", O_WRONLY | O_CLOEXEC);
        (void)close(p[0]);
        p[0] = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        CHECK_OK(fcntl(p[0], F_SETFL, 0));
        (void)close(p[1]);
        p[1] = open("fifo", O_WRONLY | O_CLOEXEC);
        never_waits(p[0], p[1], DATA_PIPE);
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p));
        never_waits(p[0], p[1], DATA_SOCKET);
        (void)alarm(0);
}

int main(void)
{
        (void)signal(SIGPIPE, SIG_IGN);
        test_directory();
        CHECK_OK(close(open("file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
        CHECK_OK(truncate("file", 5));
        ctx = fake_ctx_new("state", "pool");
        RUN(test_refused);
        RUN(test_accepted);
        RUN(test_position_counts);
        RUN(test_never_waits);
        fake_ctx_free(ctx);
        return 0;
}
