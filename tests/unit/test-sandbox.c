/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a tool in the sandbox can do, and what it cannot. Without arguments as whoever runs it, and for root
 * once more as an ordinary user. Perl stands for a tool that a hostile image has taken over. */
#include "worker/ctx-internal.h"
#include "worker/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "data/scrub.h"
#include "directory.h"
#include "util/fileio.h"

#define CTX ((Ctx){ .volume = "", .lock_fd = -EBADF, .intent_fd = -EBADF, .kept_fd = -EBADF, .job = true })
#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Runs it in the sandbox with `fd` (may be -EBADF) as descriptor 5. */
static int run(Ctx *c, const char *const *argv, int fd, char **ret)
{
        int r;

        const CommandFd fds[] = { { fd, 5 } };
        const Command command = {
                .argv = argv, .fds = fds, .n_fds = fd >= 0, .sandbox = true, .timeout_sec = 20
        };

        r = command_run(c, &command, ret);
        if (r < 0)
                printf("# %s\n", c->error.message);
        return r;
}

/* A perl program that must print `wanted`. */
static void check_perl(const char *program, int fd, const char *wanted)
{
        Ctx c = CTX;
        _cleanup_free_ char *text = NULL;
        int r = run(&c, ARGV("perl", "-e", program), fd, &text);

        if (r < 0 || !streq(text, wanted))
                TEST_FAIL("%s: %s: \"%s\", not \"%s\"", program, c.error.message ?: "-", text ?: "", wanted);
        ctx_done(&c);
}

static void overwriting(void)
{
        _cleanup_close_ int fd = open("scrubbed", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        Ctx c = CTX;
        char byte = 0;

        if (!command_exists("scrub"))
                SKIP("scrub is not installed");
        CHECK_OK(ftruncate(fd, 100007));
        if (scrub_file(&c, fd, 100007, "bsi") < 0)
                TEST_FAIL("%s", c.error.message);
        CHECK_EQ(lseek(fd, 0, SEEK_END), 100007);
        CHECK_EQ(pread(fd, &byte, 1, 100006), 1);
        CHECK_EQ(byte, 0x7f); /* the last pass */
        ctx_done(&c);
}

static void image_of_owner(void)
{
        _cleanup_close_ int fd = open("image", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        Ctx c = CTX;
        _cleanup_free_ char *text = NULL;

        if (!command_exists("qemu-img"))
                SKIP("qemu-img is not installed");
        CHECK_OK(
                run(&c, ARGV("qemu-img", "create", "-q", "-f", "qcow2", "/proc/self/fd/5", "1G"), fd, NULL));
        CHECK_OK(run(&c, ARGV("qemu-img", "info", "-f", "qcow2", "/proc/self/fd/5"), fd, &text));
        CHECK(strstr(text, "virtual size: 1 GiB"));
        ctx_done(&c);
}

/* A file that has no name yet, of another owner. */
static void image_without_name(void)
{
        _cleanup_close_ int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        if (geteuid() == 0)
                CHECK_OK(fchown(fd, 1234, 4321));
        check_perl("open(F, '+<', '/proc/self/fd/5') or die $!; print F 'written'; close F; print 'done'",
                   fd, "done");
        CHECK_EQ(lseek(fd, 0, SEEK_END), 7);
}

static void read_only_stays_so(void)
{
        _cleanup_close_ int fd = open("ro", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
        Sandbox s = { .ready = { -EBADF, -EBADF } };

        CHECK_OK(sandbox_init(&s, &(Command){ .argv = ARGV("perl") }, NULL));
        sandbox_done(&s);
        if (s.landlock == 0)
                SKIP("the kernel has no Landlock");
        check_perl("print open(F, '<', '/proc/self/fd/5') ? 'read ' : 'no '; print open(F, '+<', "
                   "'/proc/self/fd/5') ? 'written' : 'not'",
                   fd, "read not");
}

static void no_network(void)
{
        check_perl(
                "use Socket; for ([AF_INET, SOCK_STREAM], [AF_INET6, SOCK_DGRAM], [AF_UNIX, SOCK_STREAM]) "
                "{ print socket(my $s, $$_[0], $$_[1], 0) ? 'open' : 'shut ' }",
                -EBADF, "shut shut shut ");
}

/* A server takes the connections of the socket that it was given, and makes none itself. */
static void server_only_accepts(void)
{
        static const char program[] =
                "use Socket; print \"$ENV{LISTEN_FDS} \", $ENV{LISTEN_PID} == $$; open(my $l, '+<&=', 3); "
                "print accept(my $c, $l) ? ' accepted' : ' deaf'; send($c, 'hello', 0) if $c; "
                "print socket(my $s, AF_UNIX, SOCK_STREAM, 0) || socketpair(my $a, my $b, AF_UNIX, "
                "SOCK_STREAM, 0) ? "
                "' open' : ' shut', connect($c, pack_sockaddr_un('/x')) || bind($c, pack_sockaddr_un('/x')) "
                "|| "
                "listen($c, 1) ? ' open' : ' shut'";
        struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "socket" };
        _cleanup_close_ int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                            client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                            reserve = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const CommandServer server = { listener, reserve };
        const CommandFd as_file = { listener, 3 };
        _cleanup_free_ char *text = NULL, *without = NULL;
        char hello[5];
        Ctx c = CTX;

        (void)unlink("socket");
        CHECK_OK(bind(listener, (struct sockaddr *)&address, sizeof(address)));
        CHECK_OK(listen(listener, 2));
        CHECK_OK(connect(client, (struct sockaddr *)&address, sizeof(address)));
        CHECK_OK(connect(reserve, (struct sockaddr *)&address, sizeof(address)));
        CHECK_OK(command_run(
                &c, &(Command){ .argv = ARGV("perl", "-e", program), .sandbox = true, .server = &server },
                &text));
        CHECK_STREQ(text, "1 1 accepted shut shut");
        CHECK_EQ(recv(client, hello, sizeof(hello), 0), (ssize_t)sizeof(hello));
        CHECK_OK(command_run(
                &c,
                &(Command){
                        .argv = ARGV("perl", "-e", program), .sandbox = true, .fds = &as_file, .n_fds = 1 },
                &without));
        CHECK_STREQ(without, "  deaf shut shut");
        ctx_done(&c);
}

static void no_other_files(void)
{
        _cleanup_close_ int fd = open("secret", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        _cleanup_free_ char *program = NULL;

        CHECK_EQ(write(fd, "x", 1), 1);
        CHECK(asprintf(&program,
                       "for ('/etc/shadow', '/etc/passwd', '/etc/hostname', '%s/secret', '/root', '/home', "
                       "'/var/log', '/proc/kmsg', "
                       "'/proc/1/root/etc/passwd', '/proc/sys/kernel/core_pattern', "
                       "'/sys/kernel/uevent_seqnum', '/dev/vda') "
                       "{ print \"$_ \" if open(F, '<', $_) or opendir(D, $_) } print 'end'",
                       test_directory_path) >= 0);
        check_perl(program, -EBADF, "end");
}

static void nothing_is_written(void)
{
        check_perl("for ('/x', '/usr/x', '/tmp/x', '/etc/x', '/dev/x', '/proc/x', '/usr/bin/perl', "
                   "'/etc/ld.so.cache', '/proc/self/oom_score_adj') "
                   "{ print \"$_ \" if open(F, '>>', $_) } print 'end'",
                   -EBADF, "end");
}

static void no_privileges(void)
{
        _cleanup_free_ char *program = NULL;

        CHECK(asprintf(&program,
                       "print syscall(%d, %d, 0, 0, 0, 0), syscall(%d, %d, 0, 0, 0, 0); "
                       "print syscall(%d, %d) < 0 ? ' refused' : ' unshared'; "
                       "print syscall(%d, 0, 0, 0, 0) < 0 ? ' refused' : ' traced'; "
                       "print syscall(%d, 0, 0) < 0 ? ' refused' : ' io_uring'",
                       SYS_prctl, PR_GET_NO_NEW_PRIVS, SYS_prctl, PR_GET_SECCOMP, SYS_unshare, CLONE_NEWUSER,
                       SYS_ptrace, SYS_io_uring_setup) >= 0);
        check_perl(program, -EBADF, "12 refused refused refused");
}

/* Of all capabilities the tool keeps one, which counts only for files of the owners that were mapped. */
static void capabilities(void)
{
        if (geteuid() == 0)
                check_perl("open(F, '<', '/proc/self/status') or die $!; /^Cap(Eff|Prm|Inh):\\s0*(.)$/ and "
                           "print $2 while <F>",
                           -EBADF, "222");
        else
                check_perl("exit unless open(F, '<', '/proc/self/status'); /^Cap...:\\s.*[1-9a-f]/ and not "
                           "/Bnd/ and print while <F>",
                           -EBADF, "");
}

static void sees_no_other_process(void)
{
        Sandbox s = { .ready = { -EBADF, -EBADF } };
        _cleanup_free_ char *program = NULL;
        int pidfd = -EBADF;
        pid_t pid;

        CHECK_OK(sandbox_init(&s, &(Command){ .argv = ARGV("perl") }, NULL));
        pid = sandbox_fork(&s, &pidfd);
        if (pid == 0)
                _exit(0);
        CHECK_EQ(waitpid(pid, NULL, 0), pid);
        sandbox_done(&s);
        safe_close(pidfd);
        if (!s.namespaces)
                SKIP("namespaces are not allowed here");
        CHECK(asprintf(&program, "print \"$$ \", kill(0, %d) ? 'sees' : 'blind'", (int)getpid()) >= 0);
        check_perl(program, -EBADF, "1 blind");
}

static void limits(void)
{
        _cleanup_close_ int fd = open("big", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        const CommandFd fds[] = { { fd, 5 } };
        Ctx c = CTX;

        CHECK(command_run(&c,
                          &(Command){ .argv = ARGV("perl", "-e",
                                                   "open(F, '>&=', 5); for (1..64) { syswrite(F, 'x' x "
                                                   "65536) or die $! }"),
                                      .fds = fds,
                                      .n_fds = 1,
                                      .sandbox = true,
                                      .output_size_max = 1 << 20 },
                          NULL) < 0);
        CHECK_EQ(lseek(fd, 0, SEEK_END), 1 << 20);
        ctx_done(&c);
        c = CTX; /* 8 GiB of memory */
        CHECK(run(&c, ARGV("perl", "-e", "my $n = 8 << 30; my $x = 'a' x $n; print 'had it'"), -EBADF,
                  NULL) < 0);
        ctx_done(&c);
}

/* Time is up, whatever the tool does about signals; and its children go with it. */
static void too_long(void)
{
        uint64_t start = now_usec(CLOCK_MONOTONIC);
        Ctx c = CTX;
        const Command command = { .argv = ARGV("perl", "-e", "$SIG{TERM} = 'IGNORE'; fork; fork; sleep 60"),
                                  .sandbox = true,
                                  .timeout_sec = 1 };

        CHECK(command_run(&c, &command, NULL) < 0);
        CHECK_EQ(c.error.kind, ERROR_TIMED_OUT);
        CHECK(now_usec(CLOCK_MONOTONIC) - start < 3000000);
        ctx_done(&c);
}

static void syncs_are_skipped_when_asked(void)
{
        Ctx c = CTX;
        _cleanup_close_ int fd = open("image", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        const CommandFd fds[] = { { fd, 5 } };
        /* fsync() of a pipe fails, unless nobody asks the kernel */
        Command command = { .argv = ARGV("perl", "-e",
                                         "use IO::Handle; print STDOUT->sync ? 'skipped' : 'done'"),
                            .fds = fds,
                            .n_fds = 1,
                            .sandbox = true,
                            .skip_sync = true };
        _cleanup_free_ char *skipped = NULL, *done = NULL;

        CHECK_OK(command_run(&c, &command, &skipped));
        CHECK_STREQ(skipped, "skipped");
        command.skip_sync = false;
        CHECK_OK(command_run(&c, &command, &done));
        CHECK_STREQ(done, "done");
        ctx_done(&c);
}

/* As on hosts that do not let users make namespaces: clone3() with CLONE_NEWUSER fails with EPERM. A filter
 * cannot see clone3's flags, so this uses the limit of the user namespace that the test goes into. */
static int forbid_namespaces(void)
{
        _cleanup_close_ int fd = -EBADF;

        if (unshare(CLONE_NEWUSER) < 0)
                return -errno;
        fd = open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);
        return fd < 0 || write(fd, "0", 1) < 0 ? -errno : 0;
}

static void all(void)
{
        RUN(image_of_owner);
        RUN(overwriting);
        RUN(image_without_name);
        RUN(read_only_stays_so);
        RUN(no_network);
        RUN(server_only_accepts);
        RUN(no_other_files);
        RUN(nothing_is_written);
        RUN(no_privileges);
        RUN(capabilities);
        RUN(sees_no_other_process);
        RUN(limits);
        RUN(too_long);
        RUN(syncs_are_skipped_when_asked);
}

/* The same without privileges; with Landlock alone when namespaces are taken away by rule. */
static int as_user(bool without_namespaces)
{
        int status;
        pid_t pid;

        printf("# as an ordinary user%s\n", without_namespaces ? ", without namespaces" : "");
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                CHECK_OK(setgroups(0, NULL));
                CHECK_OK(setresgid(65534, 65534, 65534));
                CHECK_OK(setresuid(65534, 65534, 65534));
                CHECK_OK(prctl(PR_SET_DUMPABLE, 1)); /* as after execve(): /proc/PID is ours */
                CHECK_OK(chdir("user"));
                if (without_namespaces)
                        CHECK_OK(forbid_namespaces());
                all();
                fflush(stdout);
                _exit(0);
        }
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        return status == 0 ? 0 : 1;
}

int main(void)
{
        int r = 0;

        if (!command_exists("perl")) {
                printf("skip: perl is not installed\n");
                return 77;
        }
        test_directory();
        all();
        if (geteuid() != 0)
                return 0;
        CHECK_OK(chmod(".", 0755));
        CHECK_OK(mkdir("user", 0755));
        CHECK_OK(chown("user", 65534, 65534));
        r |= as_user(false);
        r |= as_user(true);
        return r;
}
