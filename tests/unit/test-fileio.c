/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/fileio.h"

#include "directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

static size_t count_entries(void)
{
        DIR *d = opendir(".");
        size_t n = 0;

        while (readdir(d))
                n++;
        closedir(d);
        return n - 2;
}

static void check_content(const char *name, const char *wanted)
{
        _cleanup_free_ char *text = NULL;
        size_t size = 0;

        CHECK_OK(read_file_at(AT_FDCWD, name, 1000, &text, &size));
        CHECK_EQ(size, strlen(wanted));
        CHECK_STREQ(text, wanted);
}

static void write_and_read(void)
{
        struct stat st;

        umask(077);
        CHECK_OK(write_file_atomic_at(AT_FDCWD, "a", "one", 3, 0644));
        check_content("a", "one");
        CHECK_OK(stat("a", &st));
        CHECK_EQ(st.st_mode & 07777, 0644);
        CHECK_OK(write_file_atomic_at(AT_FDCWD, "a", "two", 3, 0600));
        check_content("a", "two");
        CHECK_OK(stat("a", &st));
        CHECK_EQ(st.st_mode & 07777, 0600);
        CHECK_OK(write_file_atomic_at(AT_FDCWD, "a", NULL, 0, 0600));
        check_content("a", "");
        CHECK_EQ(count_entries(), 1);
}

static void below_a_descriptor(void)
{
        int fd;

        CHECK_OK(mkdir("d", 0700));
        fd = open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK_OK(write_file_atomic_at(fd, "b", "x", 1, 0600));
        check_content("d/b", "x");
        CHECK_OK(write_file_atomic_at(AT_FDCWD, "d/b", "y", 1, 0600));
        check_content("d/b", "y");
        CHECK_OK(unlink_durable_at(fd, "b"));
        CHECK_EQ(unlink_durable_at(fd, "b"), -ENOENT);
        CHECK_EQ(write_file_atomic_at(AT_FDCWD, "none/b", "y", 1, 0600), -ENOENT);
        close(fd);
        CHECK_OK(rmdir("d"));
}

/* A write that cannot finish: the old file stands, nothing is left beside it. */
static void failed_write(void)
{
        struct rlimit old, small = { .rlim_cur = 10, .rlim_max = RLIM_INFINITY };
        char data[100] = {};

        signal(SIGXFSZ, SIG_IGN);
        CHECK_OK(write_file_atomic_at(AT_FDCWD, "a", "old", 3, 0600));
        CHECK_OK(getrlimit(RLIMIT_FSIZE, &old));
        small.rlim_max = old.rlim_max;
        CHECK_OK(setrlimit(RLIMIT_FSIZE, &small));
        CHECK_EQ(write_file_atomic_at(AT_FDCWD, "a", data, sizeof(data), 0600), -EFBIG);
        CHECK_OK(setrlimit(RLIMIT_FSIZE, &old));
        check_content("a", "old");
        CHECK_EQ(count_entries(), 1);
        CHECK_OK(mkdir("d", 0700));
        CHECK_EQ(write_file_atomic_at(AT_FDCWD, "d", "x", 1, 0600), -EISDIR);
        CHECK_OK(rmdir("d"));
        CHECK_EQ(count_entries(), 1);
}

static void limits(void)
{
        _cleanup_free_ char *text = NULL, *large = calloc(1, 200001);

        CHECK_OK(write_file_atomic_at(AT_FDCWD, "a", "12345", 5, 0600));
        CHECK_EQ(read_file_at(AT_FDCWD, "a", 4, &text, NULL), -EFBIG);
        CHECK(!text);
        CHECK_OK(read_file_at(AT_FDCWD, "a", 5, &text, NULL));
        CHECK_STREQ(text, "12345");
        free(TAKE_PTR(text));
        memset(large, 'x', 200000);
        CHECK_OK(write_file_atomic_at(AT_FDCWD, "a", large, 200000, 0600));
        CHECK_EQ(read_file_at(AT_FDCWD, "a", 199999, &text, NULL), -EFBIG);
        CHECK_OK(read_file_at(AT_FDCWD, "a", SIZE_MAX - 1, &text, NULL));
        CHECK_STREQ(text, large);
}

static void only_regular_files(void)
{
        char *text = NULL;

        CHECK_OK(symlink("a", "link"));
        CHECK_EQ(read_file_at(AT_FDCWD, "link", 10, &text, NULL), -ELOOP);
        CHECK_OK(mkfifo("fifo", 0600)); /* must not wait for a writer */
        CHECK_EQ(read_file_at(AT_FDCWD, "fifo", 10, &text, NULL), -EBADFD);
        CHECK_EQ(read_file_at(AT_FDCWD, ".", 10, &text, NULL), -EISDIR);
        CHECK_EQ(read_file_at(AT_FDCWD, "none", 10, &text, NULL), -ENOENT);
        CHECK(!text);
}

static void directories(void)
{
        struct stat st;

        CHECK_OK(mkdir_parents("x/y//z/", 0750));
        CHECK_OK(stat("x/y/z", &st));
        CHECK(S_ISDIR(st.st_mode));
        CHECK_OK(mkdir_parents("x/y/z", 0700));
        CHECK_OK(mkdir_parents("/", 0700));
        CHECK_OK(write_file_atomic_at(AT_FDCWD, "file", "", 0, 0600));
        CHECK_EQ(mkdir_parents("file", 0700), -ENOTDIR);
        CHECK_EQ(mkdir_parents("file/below", 0700), -ENOTDIR);
}

static void sealed_memory(void)
{
        _cleanup_free_ char *text = NULL;
        int fd = memfd_sealed("test", "data", 4), again;

        CHECK_OK(fd);
        CHECK_OK(read_fd(fd, 100, &text, NULL));
        CHECK_STREQ(text, "data");
        CHECK(write(fd, "x", 1) < 0 && errno == EPERM);
        CHECK(ftruncate(fd, 0) < 0 && errno == EPERM);
        CHECK(mmap(NULL, 4, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
        again = fd_reopen(fd, O_RDONLY);
        CHECK_OK(again);
        CHECK_EQ(fcntl(again, F_GETFL) & O_ACCMODE, O_RDONLY);
        CHECK(fcntl(again, F_GETFD) & FD_CLOEXEC);
        close(fd);
        close(again);
        CHECK_EQ(fd_reopen(9999, O_RDONLY), -ENOENT);
}

static void clocks(void)
{
        uint64_t a = now_usec(CLOCK_MONOTONIC), b;

        usleep(1000);
        b = now_usec(CLOCK_MONOTONIC);
        CHECK(b >= a + 1000 && b < a + 60000000);
        CHECK(now_usec(CLOCK_REALTIME) / 1000000 - (uint64_t)time(NULL) + 1 <= 2);
}

int main(void)
{
        test_directory();
        RUN(write_and_read);
        RUN(below_a_descriptor);
        RUN(failed_write);
        RUN(limits);
        RUN(only_regular_files);
        RUN(directories);
        RUN(sealed_memory);
        RUN(clocks);
        return 0;
}
