/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a tool: argv array, no shell, clean environment, both outputs drained while it runs, ended on cancel,
 * on timeout and with the worker. */
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "util/fileio.h"
#include "util/names.h"
#include "worker/ctx-internal.h"
#include "worker/sandbox.h"

#define TIMEOUT_SEC 60u
#define GRACE_USEC (2ULL * 1000 * 1000) /* between SIGTERM and SIGKILL */
#define OUTPUT_MAX (1024u * 1024)
#define ERRORS_MAX (64u * 1024)
#define LINE_MAX_BYTES 4096u
#define SANDBOX_ADDRESS_SPACE (4ULL * 1024 * 1024 * 1024)
#define SANDBOX_FILES 64u
#define SANDBOX_PROCESSES \
        128u        /* QEMU has up to 64 threads for I/O alone, and aborts when it cannot start one */
#define LISTEN_FD 3 /* SD_LISTEN_FDS_START */

static const char *const tool_path[] = { "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/" };
#define TOOL_ENVIRONMENT (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LC_ALL=C.UTF-8"

/* What came out of one pipe. */
typedef struct Stream {
        int fd;
        char *text; /* NUL-terminated once something came */
        size_t size, limit;
        size_t line; /* where the line starts that has not been told */
} Stream;

struct CommandRun {
        Ctx *ctx;
        const Command *command;
        int from, to; /* of a filter, borrowed: the tool's standard input and output; -EBADF: it is none */
        char *tool;
        pid_t pid;
        int pidfd, input;
        int reserve; /* borrowed, see CommandServer */
        Stream output, errors;
        uint64_t deadline_usec, kill_usec; /* monotonic; kill_usec 0: not asked to end yet */
        bool timed_out, cancelled, unused; /* unused: its client has gone without a word */
        sigset_t mask;
        Sandbox sandbox;
};
typedef struct CommandRun Run;

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
                r = set_limit(RLIMIT_CPU, command->timeout_sec ?: TIMEOUT_SEC);
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

static int spawn(Run *run)
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

/* Tells whole lines (ended by newline or carriage return, as progress meters do), and the last one at the
 * end. */
static void tell_lines(Run *run, bool at_end)
{
        Stream *s = &run->output;

        if (!run->command->output_line || !s->text)
                return;
        for (;;) {
                char *start = s->text + s->line;
                size_t n = strcspn(start, "\r\n");
                bool ended = start[n] != '\0';

                if (!ended && (!at_end || n == 0) && n < LINE_MAX_BYTES)
                        break;
                start[n] = '\0';
                if (n > 0)
                        run->command->output_line(run->ctx, start, run->command->userdata);
                s->line += n + ended;
        }
        s->size -= s->line; /* told lines are not kept */
        memmove(s->text, s->text + s->line, s->size + 1);
        s->line = 0;
}

/* Over its limit, a stream keeps its beginning; what comes then is read and dropped so that the tool does
 * not block. */
static int keep(Stream *s, const char *data, size_t n)
{
        char *text;

        n = MIN(n, s->limit - s->size);
        text = realloc(s->text, s->size + n + 1);
        if (!text)
                return -ENOMEM;
        memcpy(text + s->size, data, n);
        s->text = text;
        s->size += n;
        text[s->size] = '\0';
        return 0;
}

/* Reads what is there. The descriptor is closed at the end of the stream. */
static int drain(Run *run, Stream *s)
{
        char buffer[16384];
        int r;

        while (s->fd >= 0) {
                ssize_t n = read(s->fd, buffer, sizeof(buffer));

                if (n < 0)
                        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
                if (n == 0) {
                        s->fd = safe_close(s->fd);
                        break;
                }
                r = keep(s, buffer, (size_t)n);
                if (r < 0)
                        return r;
                if (s == &run->output)
                        tell_lines(run, false);
        }
        return 0;
}

static void end_tool(Run *run, int signal)
{
        /* The sandboxed tool is the first process of its PID namespace: SIGKILL ends all of them, and it
         * ignores others, unless it is a server, which writes down what it has in memory. */
        if (run->command->sandbox && !run->command->server)
                signal = SIGKILL;
        if (kill(-run->pid, signal) < 0)
                (void)syscall(SYS_pidfd_send_signal, run->pidfd, signal, NULL, 0);
}

/* Ends the tool when its time is up or the job was cancelled; says when to look again. */
static uint64_t check_end(Run *run)
{
        uint64_t now = now_usec(CLOCK_MONOTONIC);

        if (run->kill_usec == 0) {
                run->cancelled = ctx_cancelled;
                run->timed_out = !run->cancelled && !run->unused && now >= run->deadline_usec;
                if (!run->cancelled && !run->timed_out && !run->unused)
                        return run->deadline_usec - now;
                end_tool(run, SIGTERM);
                run->kill_usec = now + GRACE_USEC;
        } else if (now >= run->kill_usec) {
                end_tool(run, SIGKILL);
                run->kill_usec = now + GRACE_USEC;
        }
        return run->kill_usec - now;
}

/* Until the tool has ended. Its children may still hold the pipes; nobody waits for them. */
static int attend(Run *run)
{
        Stream *const streams[] = { &run->output, &run->errors };
        int r = 0, x;

        for (;;) {
                struct pollfd fds[] = { { .fd = run->pidfd, .events = POLLIN },
                                        { .fd = run->output.fd, .events = POLLIN },
                                        { .fd = run->errors.fd, .events = POLLIN },
                                        { .fd = run->reserve, .events = POLLIN } };
                uint64_t usec = check_end(run);
                const struct timespec wait = { .tv_sec = (time_t)(usec / 1000000),
                                               .tv_nsec = (long)(usec % 1000000) * 1000 };

                if (ppoll(fds, ELEMENTSOF(fds), &wait, &run->mask) < 0 && errno != EINTR)
                        return -errno;
                FOREACH_ELEMENT (s, streams) {
                        x = drain(run, *s);
                        if (x < 0 && r == 0) {
                                r = x;
                                end_tool(run, SIGKILL);
                        }
                }
                if (fds[0].revents != 0)
                        return r;
                if (fds[3].revents != 0) {
                        run->reserve = -EBADF;
                        run->unused = !(fds[3].revents & POLLHUP); /* else it is about to end by itself */
                }
        }
}

static char *last_line(char *text)
{
        char *end, *line;

        for (end = text + strlen(text); end > text && strchr(" \t\r\n", end[-1]); end--)
                end[-1] = '\0';
        line = strrchr(text, '\n');
        return line ? line + 1 : text;
}

static int report_failure(Run *run, const siginfo_t *end)
{
        const char *tool = run->command->argv[0],
                   *line = run->errors.text ? last_line(run->errors.text) : "";
        _cleanup_free_ char *shown = NULL;
        const char *rest = startswith(line, tool);
        Error *e = &run->ctx->error;

        if (rest && startswith(rest, ": "))
                line = rest + 2;
        shown = name_escape(line); /* a tool's words are outside data too */
        if (!shown)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        if (end->si_code != CLD_EXITED)
                return error_set(e, ERROR_FAILED, "%s was ended by signal %d (%s)%s%s", tool, end->si_status,
                                 strsignal(end->si_status), *shown ? ": " : "", shown);
        if (strstr(line, strerror(ENOSPC)) || strstr(line, strerror(EDQUOT)))
                return error_set(e, ERROR_NO_SPACE, "%s: %s", tool, shown);
        if (!*shown)
                return error_set(e, ERROR_FAILED, "%s failed with exit status %d", tool, end->si_status);
        return error_set(e, ERROR_FAILED, "%s: %s", tool, shown);
}

static int reap(Run *run)
{
        Error *e = &run->ctx->error;
        siginfo_t end = {};

        while (waitid(P_PIDFD, (id_t)run->pidfd, &end, WEXITED) < 0)
                if (errno != EINTR)
                        return error_set_errno(e, errno, "Cannot wait for %s", run->command->argv[0]);
        run->pid = 0;
        if (run->cancelled)
                return ctx_check_cancelled(run->ctx);
        if (run->timed_out)
                return error_set(e, ERROR_TIMED_OUT, "%s did not end in time and was stopped",
                                 run->command->argv[0]);
        if (!run->unused && (end.si_code != CLD_EXITED || end.si_status != 0))
                return report_failure(run, &end);
        return 0;
}

static void run_done(Run *run)
{
        if (run->pid > 0) {
                end_tool(run, SIGKILL);
                (void)reap(run);
        }
        safe_close(run->input);
        safe_close(run->output.fd);
        safe_close(run->errors.fd);
        safe_close(run->pidfd);
        free(run->output.text);
        free(run->errors.text);
        free(run->tool);
        sandbox_done(&run->sandbox);
        (void)sigprocmask(SIG_SETMASK, &run->mask, NULL);
}

static int prepare(Run *run)
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

/* It is let in only while something waits. */
static void block_terminate(sigset_t *ret_before)
{
        sigset_t terminate;

        sigemptyset(&terminate);
        sigaddset(&terminate, SIGTERM);
        (void)sigprocmask(SIG_BLOCK, &terminate, ret_before);
}

static void run_init(Run *run, Ctx *c, const Command *command)
{
        *run = (Run){
                .ctx = c,
                .command = command,
                .from = -EBADF,
                .to = -EBADF,
                .pidfd = -EBADF,
                .input = -EBADF,
                .reserve = command->server ? command->server->reserve : -EBADF,
                .output = { .fd = -EBADF, .limit = OUTPUT_MAX },
                .errors = { .fd = -EBADF, .limit = ERRORS_MAX },
                .sandbox = { .ready = { -EBADF, -EBADF } },
        };
        block_terminate(&run->mask);
}

static int run_start(Run *run)
{
        int r;

        r = ctx_check_cancelled(run->ctx);
        if (r >= 0)
                r = prepare(run);
        if (r < 0)
                return r;
        r = spawn(run);
        return r < 0 ? error_set_errno(&run->ctx->error, r, "Cannot run %s", run->command->argv[0]) : 0;
}

static int run_end(Run *run)
{
        int r;

        run->deadline_usec = run->command->server
                                     ? UINT64_MAX
                                     : now_usec(CLOCK_MONOTONIC) +
                                               (run->command->timeout_sec ?: TIMEOUT_SEC) * 1000000ULL;
        r = attend(run);
        if (r < 0)
                return error_set_errno(&run->ctx->error, r, "Cannot run %s", run->command->argv[0]);
        tell_lines(run, true);
        return reap(run);
}

int command_run(Ctx *c, const Command *command, char **ret_output)
{
        _cleanup_(run_done) Run run;
        int r;

        run_init(&run, c, command);
        r = run_start(&run);
        if (r >= 0)
                r = run_end(&run);
        if (r < 0)
                return r;
        if (ret_output) {
                if (!run.output.text && keep(&run.output, "", 0) < 0)
                        return error_set(&c->error, ERROR_NO_MEMORY, "out of memory");
                *ret_output = TAKE_PTR(run.output.text);
        }
        return 0;
}

/* ---- filters ---- */

int command_start(Ctx *c, const Command *command, int from, int to, CommandRun **ret)
{
        CommandRun *run = malloc(sizeof(*run));
        int r;

        if (!run)
                return error_set(&c->error, ERROR_NO_MEMORY, "out of memory");
        run_init(run, c, command);
        run->from = from;
        run->to = to;
        r = run_start(run);
        if (r < 0) {
                run_done(run);
                free(run);
                return r;
        }
        (void)sigprocmask(SIG_SETMASK, &run->mask, NULL);
        *ret = run;
        return 0;
}

int command_finish(CommandRun *run)
{
        int r;

        block_terminate(&run->mask);
        r = run_end(run);
        command_stop(run);
        return r;
}

void command_stop(CommandRun *run)
{
        if (!run)
                return;
        run_done(run);
        free(run);
}
