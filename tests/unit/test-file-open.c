/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors of volumes, and what can be done with them. */
#include <signal.h>

#include "file-pool.h"

#define MIB (1024ull * 1024)
#define KERNEL_O_LARGEFILE 0100000 /* the C library's is 0 where files are large anyway */

static Error *error(void)
{
        return &pool->error;
}

/* -1: refused, else the descriptor. */
static int open_volume(const char *name, const char *read_only, const char *kind, bool *ret_read_only)
{
        _cleanup_bag_ Bag *options = bag_new(), *result = bag_new();
        int r;

        fake_ctx_reset(pool);
        pool->session = true;
        if (read_only)
                CHECK_OK(bag_set_string(options, "read-only", read_only));
        if (kind)
                CHECK_OK(bag_set_string(options, "kind", kind));
        r = poolkeeper_backend.volume_open(pool, name, options, result);
        pool->session = false;
        if (r < 0) {
                CHECK_EQ(bag_get_fd(result, "fd"), -EBADF);
                return r;
        }
        CHECK_STREQ(bag_get_string(result, "type"), "regular");
        if (ret_read_only)
                *ret_read_only = bag_get_bool(result, "read-only", false);
        return bag_take_fd(result, "fd");
}

static int open_again(int fd, int flags)
{
        char path[64];
        int again;

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        again = open(path, flags | O_CLOEXEC);
        return again < 0 ? -errno : again;
}

static void check_flags(int fd, int mode)
{
        int flags = fcntl(fd, F_GETFL);

        CHECK_EQ(flags & O_ACCMODE, mode);
        CHECK_EQ(flags & (O_NONBLOCK | O_APPEND | O_DIRECT), 0);
        CHECK(flags & KERNEL_O_LARGEFILE);
        CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void writable(void)
{
        bool read_only = true;
        int fd = open_volume("v", "no", "regular", &read_only);

        CHECK_OK(fd);
        CHECK(!read_only);
        check_flags(fd, O_RDWR);
        CHECK_EQ(write(fd, "data", 4), 4);
        CHECK_OK(close(fd));
        fd = open_volume("v", NULL, NULL, &read_only);
        CHECK_OK(fd);
        CHECK(!read_only);
        CHECK_OK(close(fd));
}

static void read_only(void)
{
        char text[5] = "";
        bool said = false;
        int fd = open_volume("v", "yes", NULL, &said);

        CHECK_OK(fd);
        CHECK(said);
        check_flags(fd, O_RDONLY);
        CHECK_EQ(read(fd, text, 4), 4);
        CHECK_STREQ(text, "data");
        if (geteuid() == 0) {
                CHECK_EQ(open_again(fd, O_RDWR), -EROFS);
                CHECK_EQ(open_again(fd, O_WRONLY | O_TRUNC), -EROFS);
                CHECK(fchmod(fd, 0777) < 0 && errno == EROFS);
                CHECK(futimens(fd, NULL) < 0 && errno == EROFS);
        }
        CHECK_OK(close(open_again(fd, O_RDONLY)));
        CHECK(ftruncate(fd, 0) < 0);
        CHECK_OK(close(fd));
        /* The pool itself can be written to as before. */
        CHECK_OK(close(open_volume("v", "no", NULL, NULL)));
}

static void odd_words(void)
{
        CHECK_ERROR(open_volume("v", "maybe", NULL, NULL), error(), ERROR_INVALID_ARGS);
        CHECK_ERROR(open_volume("v", NULL, "block", NULL), error(), ERROR_NOT_SUPPORTED);
        CHECK_ERROR(open_volume("none", NULL, NULL, NULL), error(), ERROR_NO_SUCH_VOLUME);
        CHECK_ERROR(open_volume("../etc", NULL, NULL, NULL), error(), ERROR_INVALID_NAME);
        CHECK_OK(create("folder", 0, words("format", "dir", NULL)));
        CHECK_ERROR(open_volume("folder", "yes", NULL, NULL), error(), ERROR_NOT_SUPPORTED);
}

/* What may be read but not written: "no" is refused, "auto" is for reading. */
static void check_only_read(const char *name, ErrorKind kind)
{
        bool said = false;

        CHECK_ERROR(open_volume(name, "no", NULL, NULL), error(), kind);
        CHECK_OK(close(open_volume(name, "yes", NULL, NULL)));
        CHECK_OK(close(open_volume(name, "auto", NULL, &said)));
        CHECK(said);
}

static void other_name(void)
{
        CHECK_OK(link("pool/v", "pool/v2"));
        check_only_read("v", ERROR_NOT_SUPPORTED);
        CHECK_OK(unlink("pool/v2"));
}

static void corrupt(void)
{
        CHECK_OK(create("q", MIB, words("format", "qcow2", NULL)));
        write_at("pool/q", 0, "spoilt", 6);
        check_only_read("q", ERROR_CORRUPT);
}

static void symbolic_link(void)
{
        CHECK_OK(symlink("v", "pool/link"));
        CHECK_OK(symlink("/etc/passwd", "pool/out"));
        CHECK_ERROR(open_volume("link", "yes", NULL, NULL), error(), ERROR_NO_SUCH_VOLUME);
        CHECK_OK(bag_set_string(pool->options, "symlinks", "follow"));
        check_only_read("link", ERROR_NOT_SUPPORTED);
        CHECK_ERROR(open_volume("out", "yes", NULL, NULL), error(), ERROR_NO_SUCH_VOLUME);
}

/* One whom a volume belongs to may put a lease on it, and an open that does not wait then says EAGAIN. */
static void lease(void)
{
        int fd = open("pool/v", O_RDWR | O_CLOEXEC);

        CHECK(fd >= 0);
        CHECK_OK(fcntl(fd, F_SETSIG, SIGURG));
        CHECK_OK(fcntl(fd, F_SETLEASE, F_WRLCK));
        (void)alarm(10); /* the kernel takes it away after 45 s, see proc(5), lease-break-time */
        CHECK_ERROR(open_volume("v", "yes", NULL, NULL), error(), ERROR_ACCESS_DENIED);
        CHECK_OK(look("v"));
        CHECK(pool->last.error);
        (void)alarm(0);
        CHECK_OK(close(fd));
        CHECK_OK(close(open_volume("v", "yes", NULL, NULL)));
}

/* A job that makes its image anew has it for itself: what came in by this descriptor would be lost. */
static void rewritten(void)
{
        const struct flock unshared = {
                .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 200, .l_len = 1
        };
        int fd = open("pool/v", O_RDONLY | O_CLOEXEC);

        CHECK(fd >= 0);
        CHECK_OK(fcntl(fd, F_OFD_SETLK, &unshared));
        check_only_read("v", ERROR_IN_USE);
        CHECK_OK(close(fd));
        CHECK_OK(close(open_volume("v", "no", NULL, NULL)));
}

int main(void)
{
        test_directory();
        pool_start();
        CHECK_OK(create("v", MIB, words("mode", "0666", NULL)));
        RUN(writable);
        RUN(read_only);
        RUN(odd_words);
        RUN(other_name);
        RUN(corrupt);
        RUN(symbolic_link);
        RUN(lease);
        RUN(rewritten);
        pool_end();
        return 0;
}
