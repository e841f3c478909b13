/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a tool: argv array, no shell, clean environment, both outputs drained while it runs, ended on cancel,
 * on timeout and with the worker. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "util/fileio.h"
#include "util/names.h"
#include "worker/command-internal.h"

#define GRACE_USEC (2ULL * 1000 * 1000) /* between SIGTERM and SIGKILL */
#define OUTPUT_MAX (1024u * 1024)
#define ERRORS_MAX (64u * 1024)
#define LINE_MAX_BYTES 4096u

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
                r = command_prepare(run);
        if (r < 0)
                return r;
        r = command_spawn(run);
        return r < 0 ? error_set_errno(&run->ctx->error, r, "Cannot run %s", run->command->argv[0]) : 0;
}

static int run_end(Run *run)
{
        int r;

        run->deadline_usec =
                run->command->server
                        ? UINT64_MAX
                        : now_usec(CLOCK_MONOTONIC) +
                                  (run->command->timeout_sec ?: COMMAND_TIMEOUT_SEC) * 1000000ULL;
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
