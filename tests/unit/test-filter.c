/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compressors in their sandbox, between files and pipes. */
#include "data/filter.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "directory.h"
#include "worker/ctx-internal.h"

#define CTX ((Ctx){ .volume = "", .lock_fd = -EBADF, .intent_fd = -EBADF, .kept_fd = -EBADF, .job = true })
#define MIB (1024ull * 1024)

static const DataCompression all[] = { COMPRESSION_GZIP, COMPRESSION_XZ, COMPRESSION_ZSTD };

static int empty_file(void)
{
        int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        CHECK_OK(fd);
        return fd;
}

/* Bytes that no tool makes smaller, then zeros to the end. */
static int data_file(uint64_t size)
{
        int fd = empty_file(), random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
        char noise[65536];

        CHECK_EQ(read(random, noise, sizeof(noise)), (ssize_t)sizeof(noise));
        CHECK_EQ(pwrite(fd, noise, sizeof(noise), 0), (ssize_t)sizeof(noise));
        CHECK_OK(ftruncate(fd, (off_t)size));
        CHECK_OK(close(random));
        return fd;
}

static uint64_t size_of(int fd)
{
        struct stat st;

        CHECK_OK(fstat(fd, &st));
        return (uint64_t)st.st_size;
}

static DataCopy job(int from, int to)
{
        return (DataCopy){ .from = from,
                           .to = to,
                           .from_name = "what comes",
                           .to_name = "what goes",
                           .length = UINT64_MAX,
                           .limit = INT64_MAX };
}

static void check_same(int a, int b)
{
        char x[65536], y[65536];

        CHECK_EQ(size_of(a), size_of(b));
        CHECK_EQ(pread(a, x, sizeof(x), 0), (ssize_t)sizeof(x));
        CHECK_EQ(pread(b, y, sizeof(y), 0), (ssize_t)sizeof(y));
        CHECK(memcmp(x, y, sizeof(x)) == 0);
}

/* No process is left behind. */
static void check_ended(Ctx *c)
{
        CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
        ctx_done(c);
}

static void there_and_back(void)
{
        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                _cleanup_close_ int data = data_file(3 * MIB + 5), packed = empty_file(),
                                    back = empty_file();
                DataCopied copied = {};
                DataCopy j = job(data, packed);
                Ctx c = CTX;

                CHECK_OK(data_compress(&c, all[i], &j, &copied));
                CHECK_EQ(copied.bytes, size_of(packed));
                CHECK(copied.bytes > 65536 && copied.bytes < MIB);
                j = job(packed, back);
                CHECK_OK(data_decompress(&c, all[i], &j, &copied));
                CHECK_EQ(copied.bytes, size_of(packed));
                check_same(data, back);
                check_ended(&c);
        }
}

static void limit(void)
{
        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                _cleanup_close_ int data = data_file(64 * MIB), packed = empty_file(), back = empty_file();
                DataCopied copied = {};
                DataCopy j = job(data, packed);
                Ctx c = CTX;

                CHECK_OK(data_compress(&c, all[i], &j, &copied));
                j = job(packed, back);
                j.limit = 8 * MIB;
                CHECK_EQ(data_decompress(&c, all[i], &j, &copied), -EFBIG);
                CHECK_EQ(c.error.kind, ERROR_NONE);
                CHECK(size_of(back) <= 8 * MIB);
                check_ended(&c);
        }
}

static void garbage(void)
{
        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                _cleanup_close_ int data = data_file(3 * MIB), back = empty_file();
                DataCopied copied = {};
                DataCopy j = job(data, back);
                Ctx c = CTX;

                CHECK_ERROR(data_decompress(&c, all[i], &j, &copied), &c.error, ERROR_FAILED);
                check_ended(&c);
        }
}

static void reader_is_gone(void)
{
        _cleanup_close_ int data = data_file(3 * MIB);
        DataCopied copied = {};
        int ends[2];
        DataCopy j;
        Ctx c = CTX;

        CHECK_OK(pipe2(ends, O_CLOEXEC));
        CHECK_OK(close(ends[0]));
        j = job(data, ends[1]);
        CHECK_ERROR(data_compress(&c, COMPRESSION_GZIP, &j, &copied), &c.error, ERROR_FAILED);
        CHECK_OK(close(ends[1]));
        check_ended(&c);
}

/* The peer says nothing, and the job is cancelled: both ways end at once. */
static void cancel(void)
{
        _cleanup_close_ int back = empty_file();
        DataCopied copied = {};
        int ends[2];
        DataCopy j;
        Ctx c = CTX;

        CHECK_OK(pipe2(ends, O_CLOEXEC));
        j = job(ends[0], back);
        CHECK_EQ(write(ends[1], "\x1f\x8b", 2), 2);
        (void)alarm(1);
        CHECK_ERROR(data_decompress(&c, COMPRESSION_GZIP, &j, &copied), &c.error, ERROR_CANCELLED);
        ctx_cancelled = false;
        CHECK_OK(close(ends[0]));
        CHECK_OK(close(ends[1]));
        check_ended(&c);
}

static void words(void)
{
        CHECK_EQ(data_compression_from_string(NULL), COMPRESSION_NONE);
        CHECK_EQ(data_compression_from_string("none"), COMPRESSION_NONE);
        CHECK_EQ(data_compression_from_string("zstd"), COMPRESSION_ZSTD);
        CHECK_EQ(data_compression_from_string("rar"), _COMPRESSION_INVALID);
        CHECK_EQ(data_compression_from_string(""), _COMPRESSION_INVALID);
}

static void on_alarm(int signal)
{
        ctx_cancelled = true;
}

int main(void)
{
        (void)signal(SIGPIPE, SIG_IGN);
        (void)sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
        test_directory();
        RUN(words);
        RUN(there_and_back);
        RUN(limit);
        RUN(garbage);
        RUN(reader_is_gone);
        RUN(cancel);
        return 0;
}
