/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tools as a backend runs them, outside the sandbox. */
#include "worker/ctx-internal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "directory.h"
#include "util/fileio.h"

#define CTX ((Ctx){ .volume = "", .lock_fd = -EBADF, .intent_fd = -EBADF, .kept_fd = -EBADF, .job = true })
#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void output(void)
{
        Ctx c = CTX;
        _cleanup_free_ char *text = NULL, *long_text = NULL;

        CHECK_OK(command_run(&c, &(Command){ .argv = ARGV("echo", "a b", "$HOME;*") }, &text));
        CHECK_STREQ(text, "a b $HOME;*\n"); /* no shell */
        /* more than a pipe holds on both sides, and more than is kept */
        CHECK_OK(command_run(
                &c,
                &(Command){ .argv = ARGV("sh", "-c", "yes 12345678 | head -c 3000000 | tee /dev/stderr") },
                &long_text));
        CHECK_EQ(strlen(long_text), 1024u * 1024);
        ctx_done(&c);
}

static void environment(void)
{
        Ctx c = CTX;
        _cleanup_free_ char *text = NULL;

        CHECK_OK(setenv("SECRET", "x", 1));
        CHECK_OK(command_run(&c, &(Command){ .argv = ARGV("env") }, &text));
        CHECK_STREQ(text, "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C.UTF-8\n");
        ctx_done(&c);
}

static void input_and_fds(void)
{
        Ctx c = CTX;
        _cleanup_free_ char *text = NULL, *nothing = NULL, *list = NULL;
        _cleanup_close_ int a = memfd_sealed("a", "from a", 6), b = memfd_sealed("b", "from b", 6);
        _cleanup_close_ int leaked = open("/dev/null", O_RDONLY); /* not close-on-exec */
        /* each one's place is the other one's number */
        const CommandFd fds[] = { { a, b }, { b, a } };
        char script[128];

        CHECK_OK(command_run(&c, &(Command){ .argv = ARGV("cat"), .input = "words", .input_size = 5 },
                             &text));
        CHECK_STREQ(text, "words");
        CHECK_OK(command_run(&c, &(Command){ .argv = ARGV("cat") }, &nothing));
        CHECK_STREQ(nothing, "");
        CHECK(leaked >= 0);
        (void)snprintf(script, sizeof(script), "cat /proc/self/fd/%d; ls /proc/self/fd | grep -c .", b);
        CHECK_OK(command_run(&c, &(Command){ .argv = ARGV("sh", "-c", script), .fds = fds, .n_fds = 2 },
                             &list));
        CHECK_STREQ(list, "from a6\n"); /* 0, 1, 2, the two, and that of ls */
        ctx_done(&c);
}

static void collect(Ctx *c, const char *line, void *userdata)
{
        char *text = userdata;

        strcat(strcat(text, line), "|");
}

static void lines(void)
{
        Ctx c = CTX;
        char text[256] = "";

        CHECK_OK(command_run(&c,
                             &(Command){ .argv = ARGV("printf", "one\\n\\ntwo (10/100%%)\\rthree\\n  four"),
                                         .output_line = collect,
                                         .userdata = text },
                             NULL));
        CHECK_STREQ(text, "one|two (10/100%)|three|  four|");
        ctx_done(&c);
}

static void check_failure(const char *const *argv, ErrorKind kind, const char *message)
{
        Ctx c = CTX;

        CHECK(command_run(&c, &(Command){ .argv = argv }, NULL) < 0);
        CHECK_EQ(c.error.kind, kind);
        CHECK_STREQ(c.error.message, message);
        ctx_done(&c);
}

static void failures(void)
{
        check_failure(ARGV("sh", "-c", "echo first >&2; echo 'sh: the last line' >&2; echo >&2; exit 3"),
                      ERROR_FAILED, "sh: the last line");
        check_failure(ARGV("sh", "-c", "printf 'bad \\377 byte\\033[1m' >&2; exit 1"), ERROR_FAILED,
                      "sh: bad \\xff byte\\x1b[1m");
        check_failure(ARGV("sh", "-c", "exit 7"), ERROR_FAILED, "sh failed with exit status 7");
        check_failure(ARGV("sh", "-c", "echo 'write: No space left on device' >&2; exit 1"), ERROR_NO_SPACE,
                      "sh: write: No space left on device");
        check_failure(ARGV("sh", "-c", "kill -SEGV $$"), ERROR_FAILED,
                      "sh was ended by signal 11 (Segmentation fault)");
        check_failure(ARGV("no-such-tool"), ERROR_BACKEND_UNAVAILABLE,
                      "The program no-such-tool is not installed");
        CHECK(command_exists("sh") && !command_exists("no-such-tool"));
}

static void limit_of_size(void)
{
        Ctx c = CTX;
        _cleanup_close_ int fd = open("big", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        const CommandFd fds[] = { { fd, 5 } };

        CHECK(command_run(&c,
                          &(Command){ .argv = ARGV("dd", "if=/dev/zero", "of=/proc/self/fd/5", "bs=64k",
                                                   "count=64"),
                                      .fds = fds,
                                      .n_fds = 1,
                                      .output_size_max = 1 << 20 },
                          NULL) < 0);
        CHECK_EQ(lseek(fd, 0, SEEK_END), 1 << 20);
        ctx_done(&c);
}

static void too_long(void)
{
        uint64_t start = now_usec(CLOCK_MONOTONIC);
        Ctx c = CTX;

        CHECK(command_run(&c, &(Command){ .argv = ARGV("sleep", "60"), .timeout_sec = 1 }, NULL) < 0);
        CHECK_EQ(c.error.kind, ERROR_TIMED_OUT);
        CHECK(now_usec(CLOCK_MONOTONIC) - start < 2000000);
        ctx_done(&c);
}

static void on_terminate(int signal)
{
        ctx_cancelled = true;
}

static void check_cancel(const char *script, uint64_t longest_usec)
{
        const struct sigaction action = { .sa_handler = on_terminate };
        uint64_t start = now_usec(CLOCK_MONOTONIC);
        Ctx c = CTX;
        char path[128];
        pid_t pid;

        CHECK_OK(sigaction(SIGTERM, &action, NULL));
        pid = fork();
        if (pid == 0) {
                (void)usleep(200000);
                (void)kill(getppid(), SIGTERM);
                _exit(0);
        }
        CHECK(command_run(&c, &(Command){ .argv = ARGV("sh", "-c", script) }, NULL) < 0);
        CHECK_EQ(c.error.kind, ERROR_CANCELLED);
        CHECK(now_usec(CLOCK_MONOTONIC) - start < longest_usec);
        CHECK_EQ(waitpid(pid, NULL, 0), pid);
        ctx_done(&c);
        /* the next tool is not even begun */
        c = CTX;
        (void)snprintf(path, sizeof(path), "%s/begun", test_directory_path);
        CHECK(command_run(&c, &(Command){ .argv = ARGV("touch", path) }, NULL) < 0);
        CHECK(access("begun", F_OK) < 0);
        ctx_cancelled = false;
        ctx_done(&c);
}

static void cancel(void)
{
        check_cancel("sleep 60", 1500000);
        check_cancel("trap '' TERM; while :; do sleep 0.05; done", 5000000); /* is killed */
}

/* A tool holds its worker's lock for as long as it lives. */
static void lock_is_inherited(void)
{
        Ctx c = CTX;
        _cleanup_close_ int other = -EBADF;

        c.lock_fd = open("lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        CHECK_OK(flock(c.lock_fd, LOCK_EX));
        CHECK_OK(command_run(&c, &(Command){ .argv = ARGV("setsid", "--fork", "sleep", "1") }, NULL));
        ctx_done(&c);
        other = open("lock", O_RDWR | O_CLOEXEC);
        CHECK(flock(other, LOCK_EX | LOCK_NB) < 0);
        CHECK_OK(flock(other, LOCK_EX)); /* waits for its end */
}

/* The worker is killed: its tool goes too. */
static void dies_with_worker(void)
{
        _cleanup_free_ char *text = NULL;
        char script[128];
        int status;
        pid_t pid;

        (void)snprintf(script, sizeof(script), "echo $$ > %s/pid; exec sleep 60", test_directory_path);
        pid = fork();
        if (pid == 0) {
                Ctx c = CTX;

                (void)command_run(&c, &(Command){ .argv = ARGV("sh", "-c", script) }, NULL);
                _exit(0);
        }
        for (int i = 0; i < 100 && (access("pid", F_OK) < 0 || !text || !*text); i++) {
                (void)usleep(50000);
                free(text);
                text = NULL;
                (void)read_file_at(AT_FDCWD, "pid", 100, &text, NULL);
        }
        CHECK(text && atoi(text) > 0);
        CHECK_OK(kill(pid, SIGKILL));
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        for (int i = 0; i < 100 && kill(atoi(text), 0) == 0; i++)
                (void)usleep(20000);
        CHECK(kill(atoi(text), 0) < 0 && errno == ESRCH);
}

int main(void)
{
        test_directory();
        RUN(output);
        RUN(environment);
        RUN(input_and_fds);
        RUN(lines);
        RUN(failures);
        RUN(limit_of_size);
        RUN(too_long);
        RUN(cancel);
        RUN(lock_is_inherited);
        RUN(dies_with_worker);
        return 0;
}
