/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data-file.h"

#include "directory.h"
#include "util/fileio.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static size_t count_entries(void)
{
        DIR *d = opendir(".");
        size_t n = 0;

        while (readdir(d))
                n++;
        closedir(d);
        return n - 2;
}

static void put(const char *name, const char *text)
{
        CHECK_OK(write_file_atomic_at(AT_FDCWD, name, text, strlen(text), 0640));
}

static void check_content(const char *name, const char *wanted)
{
        _cleanup_free_ char *text = NULL;
        size_t size = 0;

        CHECK_OK(read_file_at(AT_FDCWD, name, 1000, &text, &size));
        CHECK_STREQ(text, wanted);
}

/* The stream is `fd` for a moment. */
static int with_stream(int stream, int fd, int (*open_it)(Error *e), Error *e)
{
        int saved = dup(stream), r;

        CHECK_OK(dup2(fd, stream));
        r = open_it(e);
        CHECK_OK(dup2(saved, stream));
        close(saved);
        return r;
}

static int input_of_stdin(Error *e)
{
        return data_input_open("-", e);
}

static int output_of_stdout(Error *e)
{
        DataOutput o = DATA_OUTPUT_NULL;
        int r = data_output_open("-", false, &o, e);

        data_output_done(&o);
        return r;
}

static void inputs(void)
{
        _cleanup_error_ Error e = ERROR_NULL;
        int fd, ends[2];

        put("in", "12345");
        fd = data_input_open("in", NULL);
        CHECK_OK(fd);
        CHECK_EQ(data_input_length(fd), 5);
        CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
        CHECK_EQ(data_input_length(fd), 3);
        CHECK_EQ(lseek(fd, 9, SEEK_SET), 9);
        CHECK_EQ(data_input_length(fd), 0);
        close(fd);
        CHECK_OK(pipe(ends));
        CHECK(data_input_length(ends[0]) == UINT64_MAX);
        fd = with_stream(STDIN_FILENO, ends[0], input_of_stdin, NULL);
        CHECK_OK(fd);
        close(fd);
        CHECK_OK(with_stream(STDOUT_FILENO, ends[1], output_of_stdout, NULL));
        close(ends[0]);
        close(ends[1]);
        CHECK_ERROR(data_input_open(".", &e), &e, ERROR_FAILED);
        CHECK_ERROR(data_input_open("nothing", &e), &e, ERROR_FAILED);
        CHECK_OK(unlink("in"));
}

static void terminals_are_refused(void)
{
        _cleanup_close_ int leader = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), terminal = -EBADF;
        _cleanup_error_ Error e = ERROR_NULL;

        if (leader < 0 || grantpt(leader) < 0 || unlockpt(leader) < 0)
                SKIP("there are no terminals here");
        terminal = open(ptsname(leader), O_RDWR | O_NOCTTY | O_CLOEXEC);
        CHECK_OK(terminal);
        CHECK_ERROR(with_stream(STDIN_FILENO, terminal, input_of_stdin, &e), &e, ERROR_INVALID_ARGS);
        CHECK_ERROR(with_stream(STDOUT_FILENO, terminal, output_of_stdout, &e), &e, ERROR_INVALID_ARGS);
}

/* Returns what is in the directory while "out" is being written, one entry being "out" itself if it is there. */
static size_t write_out(const char *name, bool finish)
{
        _cleanup_data_output_ DataOutput o = DATA_OUTPUT_NULL;
        size_t n;

        CHECK_OK(data_output_open(name, false, &o, NULL));
        CHECK_OK(loop_write(o.fd, "data", 4));
        n = count_entries();
        if (finish)
                CHECK_OK(data_output_finish(&o, NULL));
        return n;
}

static void outputs_appear_whole(void)
{
        struct stat st;

        umask(022);
        CHECK_EQ(write_out("out", false), 0);
        CHECK_EQ(count_entries(), 0);
        CHECK_EQ(write_out("out", true), 0);
        check_content("out", "data");
        CHECK_OK(stat("out", &st));
        CHECK_EQ(st.st_mode & 07777, 0644);
        CHECK_EQ(count_entries(), 1);
        CHECK_OK(unlink("out"));
}

static void what_had_the_name_stays(void)
{
        struct stat st;

        put("out", "old");
        CHECK_OK(symlink("out", "link"));
        CHECK_EQ(write_out("link", false), 2);
        check_content("out", "old");
        CHECK_EQ(write_out("link", true), 2);
        check_content("out", "data");
        CHECK_OK(stat("out", &st));
        CHECK_EQ(st.st_mode & 07777, 0640);
        CHECK_OK(lstat("link", &st));
        CHECK(S_ISLNK(st.st_mode));
        CHECK_EQ(count_entries(), 2);
        CHECK_OK(unlink("link"));
        CHECK_OK(unlink("out"));
}

static void some_are_written_as_they_are(void)
{
        _cleanup_data_output_ DataOutput fifo = DATA_OUTPUT_NULL, file = DATA_OUTPUT_NULL;
        _cleanup_close_ int reader = -EBADF;
        _cleanup_error_ Error e = ERROR_NULL;
        char text[8] = "";

        CHECK_OK(mkfifo("fifo", 0600));
        reader = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        CHECK_OK(data_output_open("fifo", false, &fifo, NULL));
        CHECK_OK(loop_write(fifo.fd, "data", 4));
        CHECK_EQ(read(reader, text, sizeof(text)), 4);
        CHECK_OK(data_output_finish(&fifo, NULL));
        put("out", "much longer than the new one");
        CHECK_OK(data_output_open("out", true, &file, NULL));
        CHECK_OK(loop_write(file.fd, "data", 4));
        check_content("out", "data");
        CHECK_ERROR(data_output_open(".", false, &file, &e), &e, ERROR_FAILED);
        CHECK_ERROR(data_output_open("nowhere/out", false, &file, &e), &e, ERROR_FAILED);
        CHECK_OK(unlink("fifo"));
        CHECK_OK(unlink("out"));
}

/* A file system like NFS: open(2) with O_TMPFILE is refused from now on. */
static void without_unnamed_files(void)
{
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
                BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_TMPFILE & ~O_DIRECTORY, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { .len = ELEMENTSOF(filter), .filter = filter };

        CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
                SKIP("seccomp is not there");
        CHECK_EQ(open(".", O_WRONLY | O_TMPFILE, 0600), -1);
        CHECK_EQ(write_out("out", false), 1);
        CHECK_EQ(count_entries(), 0);
        CHECK_EQ(write_out("out", true), 1);
        check_content("out", "data");
        CHECK_EQ(count_entries(), 1);
}

int main(void)
{
        test_directory();
        RUN(inputs);
        RUN(terminals_are_refused);
        RUN(outputs_appear_whole);
        RUN(what_had_the_name_stays);
        RUN(some_are_written_as_they_are);
        RUN(without_unnamed_files);
        return 0;
}
