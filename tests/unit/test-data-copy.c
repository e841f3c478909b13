/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/copy.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "directory.h"
#include "fake-ctx.h"
#include "util/fileio.h"

#define MIB (1024u * 1024u)

static Ctx *ctx;

/* Bytes that are nowhere zero and nowhere the same. */
static void fill(uint8_t *p, size_t n)
{
        for (size_t i = 0; i < n; i++)
                p[i] = (uint8_t)(1 + i % 251);
}

static int make(const char *path, uint64_t size)
{
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        CHECK(fd >= 0);
        CHECK_OK(ftruncate(fd, (off_t)size));
        return fd;
}

static void put(int fd, uint64_t at, size_t n)
{
        _cleanup_free_ uint8_t *p = malloc(n);

        fill(p, n);
        CHECK_EQ(pwrite(fd, p, n, (off_t)at), (ssize_t)n);
}

static uint64_t blocks(int fd)
{
        struct stat st;

        CHECK_OK(fstat(fd, &st));
        return (uint64_t)st.st_blocks * 512;
}

static uint64_t size_of(int fd)
{
        struct stat st;

        CHECK_OK(fstat(fd, &st));
        return st.st_size;
}

static void check_same(int a, uint64_t a_at, int b, uint64_t b_at, uint64_t n)
{
        uint8_t x[4096], y[4096];

        for (uint64_t i = 0; i < n; i += sizeof(x)) {
                ssize_t want = (ssize_t)MIN(n - i, (uint64_t)sizeof(x));

                CHECK_EQ(pread(a, x, want, (off_t)(a_at + i)), want);
                CHECK_EQ(pread(b, y, want, (off_t)(b_at + i)), want);
                CHECK(memcmp(x, y, want) == 0);
        }
}

static DataCopy job(int from, int to)
{
        fake_ctx_reset(ctx);
        return (DataCopy){ .from = from, .to = to, .from_name = "a", .to_name = "b", .length = UINT64_MAX };
}

static void test_holes_stay(void)
{
        _cleanup_close_ int a = make("a", 64 * MIB), b = make("b", 0);
        DataCopy j = job(a, b);
        DataCopied done;

        put(a, 8 * MIB, 4096);
        put(a, 40 * MIB, 3 * MIB);
        CHECK_OK(data_copy(ctx, &j, &done));
        CHECK_EQ(done.bytes, 64u * MIB);
        CHECK_EQ(size_of(b), 64u * MIB);
        CHECK(blocks(b) <= blocks(a) + MIB);
        check_same(a, 0, b, 0, 64 * MIB);
}

static void test_offsets(void)
{
        _cleanup_close_ int a = make("a", 0), b = make("b", 9 * MIB), all = make("c", 9 * MIB);
        DataCopy j = job(a, b);
        DataCopied done;

        put(a, 0, 6 * MIB);
        put(b, 0, 9 * MIB);
        put(all, 0, 9 * MIB);
        j.from_offset = 1000;
        j.to_offset = 77;
        j.length = 4 * MIB + 5;
        CHECK_OK(data_copy(ctx, &j, &done));
        CHECK_EQ(done.bytes, 4 * MIB + 5);
        CHECK_EQ(size_of(b), 9 * MIB);
        check_same(a, 1000, b, 77, 4 * MIB + 5);
        check_same(all, 0, b, 0, 77);
        check_same(all, 4 * MIB + 82, b, 4 * MIB + 82, 9 * MIB - (4 * MIB + 82));
}

static void test_hole_over_data(void)
{
        _cleanup_close_ int a = make("a", 8 * MIB), b = make("b", 8 * MIB);
        DataCopy j = job(a, b);
        DataCopied done;

        put(a, 7 * MIB, 100);
        put(b, 0, 8 * MIB);
        CHECK_OK(data_copy(ctx, &j, &done));
        check_same(a, 0, b, 0, 8 * MIB);
        CHECK(blocks(b) <= 2 * MIB);
}

static void test_zeros_become_holes(void)
{
        _cleanup_free_ void *zero = calloc(1, 4 * MIB);
        _cleanup_close_ int a = make("a", 0), b = make("b", 0);
        DataCopy j = job(a, b);
        DataCopied done;

        CHECK_EQ(pwrite(a, zero, 4 * MIB, 0), 4 * MIB);
        put(a, MIB, 10);
        CHECK_OK(data_copy(ctx, &j, &done));
        CHECK(blocks(b) >= 4 * MIB);
        j = job(a, b);
        j.sparse = true;
        CHECK_OK(data_copy(ctx, &j, &done)); /* over data: they are punched */
        CHECK(blocks(b) <= MIB);
        check_same(a, 0, b, 0, 4 * MIB);
}

static void test_too_short(void)
{
        _cleanup_close_ int a = make("a", MIB), b = make("b", 0);
        DataCopy j = job(a, b);
        DataCopied done;

        j.length = 2 * MIB;
        CHECK_ERROR(data_copy(ctx, &j, &done), &ctx->error, ERROR_FAILED);
        CHECK_EQ(size_of(b), 0u);
}

static void cut_off(uint64_t done, void *userdata)
{
        CHECK_OK(ftruncate(*(const int *)userdata, 3 * MIB));
}

/* What is not there any more is not taken for zeros. */
static void test_shrinks_meanwhile(void)
{
        _cleanup_close_ int a = make("a", 16 * MIB), b = make("b", 0);
        DataCopy j = job(a, b);
        DataCopied done;

        put(a, 0, MIB);
        put(a, 8 * MIB, MIB);
        ctx->on_progress = cut_off;
        ctx->userdata = &a;
        CHECK_ERROR(data_copy(ctx, &j, &done), &ctx->error, ERROR_FAILED);
        ctx->on_progress = NULL;
        ctx->userdata = NULL;
}

static void test_too_long(void)
{
        _cleanup_close_ int a = make("a", MIB), b = make("b", 0);
        DataCopy j = job(a, b);
        DataCopied done;

        j.limit = MIB - 1;
        CHECK_EQ(data_copy(ctx, &j, &done), -EFBIG);
        j.limit = MIB;
        CHECK_OK(data_copy(ctx, &j, &done));
}

/* A child that sends, or takes, `n` bytes of fill() through `fd`. */
static pid_t child(int fd, int other, size_t n, bool sends, unsigned stall_usec)
{
        pid_t pid = fork();
        uint8_t *p;
        bool good = true;

        if (pid != 0)
                return pid;
        (void)close(other);
        p = malloc(n + 1);
        fill(p, n);
        if (sends)
                good = loop_write(fd, p, n) >= 0;
        for (size_t i = 0; !sends && good && i < n;) {
                uint8_t b[65536];
                ssize_t r = read(fd, b, sizeof(b));

                good = r > 0 && memcmp(b, p + i, r) == 0;
                i += MAX(r, 0);
        }
        if (stall_usec)
                (void)usleep(stall_usec);
        _exit(!good);
}

static void check_child(pid_t pid)
{
        int status;

        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void through(bool socket_pair, bool in, int flags)
{
        _cleanup_close_ int file = make("a", 0), whole = make("b", 0);
        size_t n = 3 * MIB + 123;
        DataCopied done;
        DataCopy j;
        int p[2];
        pid_t pid;

        put(whole, 0, n);
        if (!in)
                put(file, 0, n);
        if (socket_pair)
                CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p));
        else
                CHECK_OK(pipe2(p, O_CLOEXEC));
        CHECK_OK(fcntl(p[!in], F_SETFL, flags));
        pid = child(p[in], p[!in], n, in, 0);
        (void)close(p[in]);
        j = in ? job(p[0], file) : job(file, p[1]);
        CHECK_OK(data_copy(ctx, &j, &done));
        (void)close(p[!in]);
        check_child(pid);
        CHECK_EQ(done.bytes, n);
        CHECK_EQ(done.method, DATA_STREAM);
        check_same(whole, 0, file, 0, n);
}

static void test_pipes_and_sockets(void)
{
        for (int i = 0; i < 8; i++)
                through(i & 1, i & 2, i & 4 ? O_NONBLOCK : 0);
}

static void test_reader_hangs_up(void)
{
        _cleanup_close_ int a = make("a", 4 * MIB);
        DataCopied done;
        DataCopy j;
        int p[2];

        CHECK_OK(pipe2(p, O_CLOEXEC));
        (void)close(p[0]);
        j = job(a, p[1]);
        CHECK_ERROR(data_copy(ctx, &j, &done), &ctx->error, ERROR_FAILED);
        (void)close(p[1]);
}

/* A pipe that nobody fills or empties does not stop a cancel. */
static void test_cancel_of_a_stalled_peer(void)
{
        _cleanup_close_ int a = make("a", 4 * MIB);
        DataCopied done;
        DataCopy j;
        int p[2];

        CHECK_OK(pipe2(p, O_CLOEXEC));
        j = job(p[0], a);
        ctx->cancel_at = 3;
        CHECK_ERROR(data_copy(ctx, &j, &done), &ctx->error, ERROR_CANCELLED);
        put(a, 0, 4 * MIB);
        j = job(a, p[1]);
        ctx->cancel_at = 3;
        CHECK_ERROR(data_copy(ctx, &j, &done), &ctx->error, ERROR_CANCELLED);
        ctx->cancel_at = 0;
        (void)close(p[0]);
        (void)close(p[1]);
}

static void test_cancel_at_every_step(void)
{
        _cleanup_close_ int a = make("a", 0);
        unsigned n = 1;

        put(a, 0, 20 * MIB);
        for (;; n++) {
                _cleanup_close_ int b = make("b", 0);
                DataCopy j = job(a, b);
                DataCopied done;
                int k;

                ctx->cancel_at = n;
                k = data_copy(ctx, &j, &done);
                if (k >= 0)
                        break;
                CHECK_ERROR(k, &ctx->error, ERROR_CANCELLED);
        }
        ctx->cancel_at = 0;
        CHECK(n >= 3); /* 16 MiB without a word are too many */
}

static void test_digest(void)
{
        _cleanup_(digest_freep) Digest *d = NULL, *e = NULL;
        _cleanup_close_ int a = make("a", 3 * MIB), b = make("b", 0);
        _cleanup_free_ void *p = malloc(3 * MIB);
        char x[DIGEST_TEXT_MAX], y[DIGEST_TEXT_MAX];
        DataCopy j = job(a, b);
        DataCopied done;

        put(a, 100, MIB);
        CHECK_EQ(pread(a, p, 3 * MIB, 0), 3 * MIB);
        CHECK_OK(digest_new(&d));
        CHECK_OK(digest_new(&e));
        digest_update(e, p, 3 * MIB);
        digest_finish(e, y);
        j.digest = d;
        j.sparse = true;
        CHECK_OK(data_copy(ctx, &j, &done));
        digest_finish(d, x);
        CHECK_STREQ(x, y);
        digest_free(TAKE_PTR(d));
        CHECK_OK(digest_new(&d));
        digest_update(d, "abc", 3);
        digest_finish(d, x); /* FIPS 180-4, the first example */
        CHECK_STREQ(x, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        CHECK(digest_is_valid(x) && !digest_is_valid(x + 1) && digest_equal(x, x));
}

static void test_pace(void)
{
        _cleanup_close_ int a = make("a", 0), b = make("b", 0);
        uint64_t start = now_usec(CLOCK_MONOTONIC);
        DataCopy j = job(a, b);
        DataCopied done;
        Pace pace;

        put(a, 0, 2 * MIB);
        pace_init(&pace, 4 * MIB);
        j.pace = &pace;
        CHECK_OK(data_copy(ctx, &j, &done));
        CHECK(now_usec(CLOCK_MONOTONIC) - start >= 350000); /* half a second, less the bucket */
        CHECK_EQ(pace.done, 2 * MIB);
        j = job(a, b);
        pace_init(&pace, 1);
        j.pace = &pace;
        ctx->cancel_at = 3;
        CHECK_ERROR(data_copy(ctx, &j, &done), &ctx->error, ERROR_CANCELLED);
        ctx->cancel_at = 0;
}

static void test_no_space(void)
{
        _cleanup_close_ int a = make("a", 0), b = -EBADF;
        DataCopied done;
        DataCopy j;

        CHECK_OK(mkdir("small", 0700));
        if (mount("none", "small", "tmpfs", 0, "size=2m") < 0)
                SKIP("needs to mount");
        put(a, 0, 4 * MIB);
        b = make("small/b", 0);
        j = job(a, b);
        CHECK_ERROR(data_copy(ctx, &j, &done), &ctx->error, ERROR_NO_SPACE);
        b = safe_close(b);
        CHECK_OK(umount2("small", MNT_DETACH));
}

int main(void)
{
        (void)signal(SIGPIPE, SIG_IGN);
        test_directory();
        ctx = fake_ctx_new("state", "pool");
        RUN(test_holes_stay);
        RUN(test_offsets);
        RUN(test_hole_over_data);
        RUN(test_zeros_become_holes);
        RUN(test_too_short);
        RUN(test_shrinks_meanwhile);
        RUN(test_too_long);
        RUN(test_pipes_and_sockets);
        RUN(test_reader_hangs_up);
        RUN(test_cancel_of_a_stalled_peer);
        RUN(test_cancel_at_every_step);
        RUN(test_digest);
        RUN(test_pace);
        RUN(test_no_space);
        fake_ctx_free(ctx);
        return 0;
}
