/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake-ctx.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "util/fileio.h"

Ctx *fake_ctx_new(const char *state_directory, const char *target)
{
        Ctx *c = calloc(1, sizeof(*c));

        if (!c)
                abort();
        (void)snprintf(c->state_directory, sizeof(c->state_directory), "%s", state_directory);
        c->options = bag_new();
        c->result = bag_new();
        if (bag_set_string(c->options, "target.path", target) < 0)
                abort();
        return c;
}

void fake_ctx_reset(Ctx *c)
{
        error_done(&c->error);
        strv_free(c->vanished);
        strv_free(c->volumes);
        strv_free(c->intents);
        c->vanished = c->volumes = c->intents = NULL;
        free((char *)c->last.name);
        free((char *)c->last.backing);
        free((char *)c->last.error);
        free((char *)c->last.snapshots);
        c->last = (VolumeInfo){};
        c->n_needs_job = c->n_ready = c->n_progress = c->n_commands = c->n_synced = c->n_volumes = 0;
}

void fake_ctx_free(Ctx *c)
{
        fake_ctx_reset(c);
        bag_free(c->options);
        bag_free(c->result);
        free(c);
}

const char *ctx_pool_name(const Ctx *c)
{
        return "test";
}

const char *ctx_pool_uuid(const Ctx *c)
{
        return "00112233-4455-6677-8899-aabbccddeeff";
}

const Bag *ctx_options(const Ctx *c)
{
        return c->options;
}

bool ctx_user_mode(const Ctx *c)
{
        return c->user_mode;
}

const char *ctx_state_directory(const Ctx *c)
{
        return c->state_directory;
}

const char *ctx_job_id(const Ctx *c)
{
        return c->session ? "" : "7";
}

bool ctx_keep_fd(Ctx *c, int fd)
{
        return false; /* a test's operations do not end by themselves */
}

int ctx_kept_fd(const Ctx *c)
{
        return -EBADF;
}

bool ctx_sync(const Ctx *c)
{
        return true;
}

Error *ctx_error(Ctx *c)
{
        return &c->error;
}

int ctx_need_job(Ctx *c)
{
        c->n_needs_job++;
        return c->session ? -EREMOTE : 0;
}

void ctx_ready(Ctx *c)
{
        c->n_ready++;
        if (c->on_ready)
                c->on_ready(c->userdata);
}

int ctx_progress(Ctx *c, uint64_t done, uint64_t total)
{
        if (c->on_progress)
                c->on_progress(done, c->userdata);
        if (++c->n_progress == c->cancel_at)
                return error_set(&c->error, ERROR_CANCELLED, "cancelled");
        return 0;
}

int ctx_volume(Ctx *c, const VolumeInfo *v)
{
        Error e = ERROR_NULL;
        int r = volume_info_check(v, &e);

        if (r < 0) {
                fprintf(stderr, "volume %s: %s\n", v->name, e.message);
                abort();
        }
        c->n_volumes++;
        if (c->on_volume) {
                c->on_volume(v, c->userdata);
                return 0;
        }
        free((char *)c->last.name);
        free((char *)c->last.backing);
        free((char *)c->last.error);
        free((char *)c->last.snapshots);
        c->last = *v;
        c->last.name = strdup(v->name);
        c->last.backing = v->backing ? strdup(v->backing) : NULL;
        c->last.error = v->error ? strdup(v->error) : NULL;
        c->last.snapshots = v->snapshots ? strdup(v->snapshots) : NULL;
        return strv_append(&c->volumes, v->name);
}

int ctx_result(Ctx *c, const char *key, const char *value)
{
        return bag_set_string(c->result, key, value);
}

int ctx_result_u64(Ctx *c, const char *key, uint64_t value)
{
        return bag_set_u64(c->result, key, value);
}

int ctx_vanished(Ctx *c, const char *name)
{
        return strv_append(&c->vanished, name);
}

int ctx_sync_later(Ctx *c, int fd)
{
        c->n_synced++;
        return fcntl(fd, F_GETFD) < 0 ? -errno : 0;
}

int ctx_intent(Ctx *c, const char *step, const char *argument)
{
        char text[512];

        (void)snprintf(text, sizeof(text), "%s %s", step, argument);
        return strv_append(&c->intents, text);
}

void ctx_intents_done(Ctx *c)
{
        if (c->keep_intents)
                return;
        strv_free(c->intents);
        c->intents = NULL;
}

int command_serve(Ctx *c, const Command *command, int *ret_socket)
{
        return error_set(&c->error, ERROR_NOT_SUPPORTED, "no endpoints here");
}

bool command_exists(const char *tool)
{
        char path[64];

        (void)snprintf(path, sizeof(path), "/usr/bin/%s", tool);
        return access(path, X_OK) >= 0;
}

static void limit_output(const Command *command)
{
        const struct rlimit limit = { command->output_size_max, command->output_size_max };

        (void)signal(SIGXFSZ, SIG_IGN); /* as in a PID namespace */
        if (command->output_size_max > 0)
                (void)setrlimit(RLIMIT_FSIZE, &limit);
}

static void run_child(const Command *command, int output)
{
        int spare[32];

        output =
                fcntl(output, F_DUPFD_CLOEXEC, 100); /* out of the way of the numbers below, as the others */
        for (size_t i = 0; i < command->n_fds; i++)
                spare[i] = fcntl(command->fds[i].fd, F_DUPFD_CLOEXEC, 100);
        for (size_t i = 0; i < command->n_fds; i++)
                if (dup2(spare[i], command->fds[i].number) < 0)
                        _exit(127);
        if (dup2(output, 1) < 0 || dup2(output, 2) < 0)
                _exit(127);
        limit_output(command);
        execvp(command->argv[0], (char *const *)command->argv);
        _exit(127);
}

int command_run(Ctx *c, const Command *command, char **ret_output)
{
        _cleanup_free_ char *text = NULL;
        int p[2], status;
        size_t n;
        pid_t pid;

        c->n_commands++;
        if (pipe2(p, O_CLOEXEC) < 0)
                return -errno;
        pid = fork();
        if (pid == 0)
                run_child(command, p[1]);
        (void)close(p[1]);
        if (read_fd(p[0], 1 << 20, &text, &n) < 0)
                n = 0;
        (void)close(p[0]);
        if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return error_set(&c->error, ERROR_FAILED, "%s: %s", command->argv[0], n ? text : "failed");
        return 0;
}

struct CommandRun {
        Ctx *ctx;
        const Command *command;
        pid_t pid;
        int errors; /* a file */
};

static void run_filter(const Command *command, int from, int to, int errors)
{
        if (dup2(from, 0) < 0 || dup2(to, 1) < 0 || dup2(errors, 2) < 0)
                _exit(127);
        (void)signal(SIGPIPE, SIG_DFL);
        limit_output(command);
        execvp(command->argv[0], (char *const *)command->argv);
        _exit(127);
}

int command_start(Ctx *c, const Command *command, int from, int to, CommandRun **ret)
{
        CommandRun *run = malloc(sizeof(*run));

        if (!run)
                abort();
        c->n_commands++;
        *run = (CommandRun){ .ctx = c, .command = command, .errors = memfd_create("errors", MFD_CLOEXEC) };
        run->pid = fork();
        if (run->pid == 0)
                run_filter(command, from, to, run->errors);
        *ret = run;
        return 0;
}

int command_finish(CommandRun *run)
{
        char text[512] = "failed";
        int status, r = 0;

        if (waitpid(run->pid, &status, 0) != run->pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                (void)pread(run->errors, text, sizeof(text) - 1, 0);
                r = error_set(&run->ctx->error, ERROR_FAILED, "%s: %s", run->command->argv[0], text);
        }
        (void)close(run->errors);
        free(run);
        return r;
}

void command_stop(CommandRun *run)
{
        (void)kill(run->pid, SIGKILL);
        (void)command_finish(run);
}
