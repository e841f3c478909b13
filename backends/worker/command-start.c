/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the worker to a running tool: its descriptors, limits and environment, and nothing else of ours. */
#include "worker/command-internal.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "util/fileio.h"

#define SANDBOX_ADDRESS_SPACE (4ULL * 1024 * 1024 * 1024)
#define SANDBOX_FILES 64u
#define SANDBOX_PROCESSES \
        128u        /* QEMU has up to 64 threads for I/O alone, and aborts when it cannot start one */
#define LISTEN_FD 3 /* SD_LISTEN_FDS_START */

static const char *const tool_path[] = { "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/" };
#define TOOL_ENVIRONMENT (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LC_ALL=C.UTF-8"

static int find_tool(const char *name, char **ret)
{
        FOREACH_ELEMENT (directory, tool_path) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s%s", *name == '/' ? "" : *directory, name) < 0) {
                        path = NULL;
                        return -ENOMEM;
                }
                if (access(path, X_OK) == 0) {
                        if (ret)
                                *ret = TAKE_PTR(path);
                        return 0;
                }
        }
        return -ENOENT;
}

bool command_exists(const char *tool)
{
        return find_tool(tool, NULL) >= 0;
}

/* ---- in the child: it executes the tool or ends ---- */

static int take_standard_fds(int input, int output, int errors)
{
        return dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
                               dup2(errors, STDERR_FILENO) < 0
                       ? -errno
                       : 0;
}

/* All sources go out of the way first, for the place of one may be the source of another. The lock stays
 * open in the tool, so that its object is fenced off for as long as the tool lives. */
static int take_fds(const Run *run, int output, int errors)
{
        const Command *command = run->command;
        int spare[COMMAND_FDS_MAX], lock = -EBADF, listener = -EBADF, r;

        /* also what somebody left open for us */
        if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
                return -errno;
        for (size_t i = 0; i < command->n_fds; i++) {
                spare[i] = fcntl(command->fds[i].fd, F_DUPFD_CLOEXEC, COMMAND_FD_NUMBERS);
                if (spare[i] < 0)
                        return -errno;
        }
        if (run->ctx->lock_fd >= 0) {
                lock = fcntl(run->ctx->lock_fd, F_DUPFD_CLOEXEC, COMMAND_FD_NUMBERS);
                if (lock < 0)
                        return -errno;
        }
        if (command->server) {
                listener = fcntl(command->server->listener, F_DUPFD_CLOEXEC, COMMAND_FD_NUMBERS);
                if (listener < 0)
                        return -errno;
        }
        r = take_standard_fds(run->input, output, errors);
        if (r < 0)
                return r;
        for (size_t i = 0; i < command->n_fds; i++)
                if (dup2(spare[i], command->fds[i].number) < 0)
                        return -errno;
        if (listener >= 0 && dup2(listener, LISTEN_FD) < 0)
                return -errno;
        return lock >= 0 && fcntl(lock, F_SETFD, 0) < 0 ? -errno : 0;
}

static int set_limit(int resource, uint64_t value)
{
        const struct rlimit limit = { .rlim_cur = value, .rlim_max = value };

        return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;
}

static int set_limits(const Run *run)
{
        const Command *command = run->command;
        int r;

        r = set_limit(RLIMIT_CORE, 0);
        if (r >= 0 && command->output_size_max > 0)
                r = set_limit(RLIMIT_FSIZE, command->output_size_max);
        if (r < 0 || !command->sandbox)
                return r;
        r = set_limit(RLIMIT_AS, SANDBOX_ADDRESS_SPACE);
        if (r >= 0 && !command->server)
                r = set_limit(RLIMIT_CPU, command->timeout_sec ?: COMMAND_TIMEOUT_SEC);
        if (r >= 0)
                r = set_limit(RLIMIT_NOFILE, SANDBOX_FILES + COMMAND_FD_NUMBERS);
        if (r >= 0 && run->sandbox.namespaces) /* counted per user namespace; without one it would count all
                                                  of the user's */
                r = set_limit(RLIMIT_NPROC, SANDBOX_PROCESSES);
        return r;
}

static void reset_signals(void)
{
        const struct sigaction fallback = { .sa_handler = SIG_DFL };
        sigset_t none;

        for (int i = 1; i < _NSIG; i++)
                (void)sigaction(i, &fallback, NULL);
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool has_reader(int pipe)
{
        struct pollfd p = { .fd = pipe, .events = POLLOUT };

        return poll(&p, 1, 0) >= 0 && !(p.revents & POLLERR);
}

static void execute_tool(const Run *run)
{
        char pid[32], *environment[] = { TOOL_ENVIRONMENT, NULL, NULL, NULL };

        if (run->command->server) { /* the pid as the tool sees it */
                (void)snprintf(pid, sizeof(pid), "LISTEN_PID=%d", (int)getpid());
                environment[2] = (char *)"LISTEN_FDS=1";
                environment[3] = pid;
        }
        (void)execve(run->tool, (char **)run->command->argv, environment);
}

static _Noreturn void execute(Run *run, int output, int errors)
{
        int r;

        reset_signals();
        (void)setpgid(0, 0);
        r = take_fds(run, output, errors);
        if (r >= 0)
                r = set_limits(run);
        if (r >= 0 && chdir("/") < 0)
                r = -errno;
        if (r >= 0 && run->command->sandbox)
                r = sandbox_enter(&run->sandbox);
        else if (r >= 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                r = -errno;
        if (r >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) /* last: a change of uid clears it */
                r = -errno;
        if (r >= 0 && !has_reader(STDERR_FILENO))
                _exit(127); /* the worker ended before it could take us along */
        if (r >= 0) {
                execute_tool(run);
                r = -errno;
        }
        dprintf(STDERR_FILENO, "cannot run %s: %s\n", run->tool, strerror(-r));
        _exit(127);
}

/* ---- in the worker ---- */

static pid_t fork_with_pidfd(int *ret_pidfd)
{
        struct clone_args args = { .flags = CLONE_PIDFD,
                                   .pidfd = (uintptr_t)ret_pidfd,
                                   .exit_signal = SIGCHLD };
        long pid;

        pid = syscall(SYS_clone3, &args, sizeof(args));
        return pid < 0 ? -errno : (pid_t)pid;
}

/* The tool's standard input; a memfd needs nobody to feed it. */
static int open_input(const Run *run)
{
        const Command *command = run->command;
        int fd;

        if (run->from >= 0) {
                fd = fcntl(run->from, F_DUPFD_CLOEXEC, 3);
                return fd < 0 ? -errno : fd;
        }
        if (!command->input) {
                fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
                return fd < 0 ? -errno : fd;
        }
        fd = memfd_sealed("input", command->input, command->input_size);
        if (fd >= 0)
                (void)lseek(fd, 0, SEEK_SET);
        return fd;
}

int command_spawn(Run *run)
{
        _cleanup_close_ int output = -EBADF, errors = -EBADF;
        int pipes[2][2], r;

        if (run->to >= 0)
                output = fcntl(run->to, F_DUPFD_CLOEXEC, 3);
        else if (pipe2(pipes[0], O_CLOEXEC) >= 0) {
                run->output.fd = pipes[0][0];
                output = pipes[0][1];
        }
        if (output < 0)
                return -errno;
        if (pipe2(pipes[1], O_CLOEXEC) < 0)
                return -errno;
        run->errors.fd = pipes[1][0];
        errors = pipes[1][1];
        run->input = open_input(run);
        if (run->input < 0)
                return run->input;
        r = run->command->sandbox ? sandbox_fork(&run->sandbox, &run->pidfd) : fork_with_pidfd(&run->pidfd);
        if (r < 0)
                return r;
        if (r == 0)
                execute(run, output, errors);
        run->pid = r;
        /* They, and their locks, are to end with the server. */
        for (size_t i = 0; run->command->server && i < run->command->n_fds; i++)
                (void)close(run->command->fds[i].fd);
        if (run->output.fd >= 0)
                (void)fcntl(run->output.fd, F_SETFL, O_NONBLOCK);
        run->input = safe_close(run->input); /* so that the tool sees the end of a pipe */
        (void)fcntl(run->errors.fd, F_SETFL, O_NONBLOCK);
        return 0;
}

int command_prepare(Run *run)
{
        const Command *command = run->command;
        Error *e = &run->ctx->error;
        int r;

        if (command->n_fds > COMMAND_FDS_MAX)
                return error_set(e, ERROR_LIMITS_EXCEEDED, "%s takes at most %u descriptors",
                                 command->argv[0], COMMAND_FDS_MAX);
        for (size_t i = 0; i < command->n_fds; i++)
                if (command->fds[i].number <= STDERR_FILENO || command->fds[i].number >= COMMAND_FD_NUMBERS)
                        return error_set(e, ERROR_INVALID_ARGS, "%d is no number for a descriptor of %s",
                                         command->fds[i].number, command->argv[0]);
        r = find_tool(command->argv[0], &run->tool);
        if (r == -ENOENT)
                return error_set(e, ERROR_BACKEND_UNAVAILABLE, "The program %s is not installed",
                                 command->argv[0]);
        if (r >= 0 && command->sandbox)
                return sandbox_init(&run->sandbox, command, e);
        return r < 0 ? error_set_errno(e, r, "Cannot find %s", command->argv[0]) : 0;
}
