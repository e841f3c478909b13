/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remote.h"

#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <sys/wait.h>

#include "data-file.h"
#include "shell-quote.h"
#include "util/bag.h"
#include "words.h"

#define SSH_FAILED 255 /* ssh(1), EXIT STATUS */
#define FILE_WORD 2    /* VERB POOL/VOLUME FILE */

static int spawn_ssh(const char *host, char *command, int input, int output, pid_t *ret)
{
        char *argv[] = { (char *)"ssh", (char *)"-xT", (char *)"--", (char *)host, command, NULL };
        posix_spawn_file_actions_t actions;
        int r;

        r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return -r;
        r = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawnp(ret, argv[0], &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

static int run_ssh(const char *host, char *command, int input, int output, int *ret, Error *e)
{
        int status, r;
        pid_t pid;

        r = spawn_ssh(host, command, input, output, &pid);
        if (r < 0)
                return error_set_errno(e, r, "cannot start ssh");
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (!WIFEXITED(status) || WEXITSTATUS(status) == SSH_FAILED)
                return error_set(e, ERROR_FAILED, "ssh failed");
        *ret = WEXITSTATUS(status);
        return 0;
}

/* Its messages come through by themselves. */
static ExitStatus run_there(const char *host, const CommandLine *line, int input, int output)
{
        _cleanup_strv_ char **argv = NULL;
        _cleanup_free_ char *command = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        int status = STATUS_FAILED;

        if (command_line_to_argv(line, "poolctl", &argv) < 0)
                return out_of_memory();
        command = shell_quote(argv);
        if (!command)
                return out_of_memory();
        if (run_ssh(host, command, input, output, &status, &e) < 0)
                return fail(&e, "cannot %s %s on %s", line->words[0], line->words[1], host);
        return (ExitStatus)status;
}

ExitStatus remote_create(Poolctl *p)
{
        const char *file = p->line.value[SWITCH_PASSPHRASE_FILE];
        _cleanup_close_ int opened = -EBADF;
        _cleanup_error_ Error e = ERROR_NULL;
        CommandLine there = p->line;

        if (!streq(file, "-")) {
                opened = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
                if (opened < 0) {
                        (void)error_set_errno(&e, errno, "cannot open %s", file);
                        return fail(&e, "cannot read the passphrase");
                }
        }
        there.value[SWITCH_HOST] = NULL;
        there.value[SWITCH_PASSPHRASE_FILE] = "-";
        return run_there(p->line.value[SWITCH_HOST], &there, opened >= 0 ? opened : STDIN_FILENO,
                         STDOUT_FILENO);
}

/* What the name of FILE says is said by a switch there. */
static ExitStatus run_with_data(Poolctl *p, CommandLine *there, int input, int output)
{
        _cleanup_free_ char **words = NULL;

        words = calloc(there->n_words, sizeof(char *));
        if (!words)
                return out_of_memory();
        memcpy(words, there->words, there->n_words * sizeof(char *));
        words[FILE_WORD] = (char *)"-";
        there->words = words;
        there->value[SWITCH_HOST] = NULL;
        return run_there(p->line.value[SWITCH_HOST], there, input, output);
}

ExitStatus remote_upload(Poolctl *p, int fd)
{
        uint64_t length = data_input_length(fd);
        CommandLine there = p->line;
        char number[32];

        /* A connection that breaks looks like the end of the data: it is told where that is. */
        if (streq(there.words[0], "upload") && !there.value[SWITCH_LENGTH] && length != UINT64_MAX) {
                snprintf(number, sizeof(number), "%" PRIu64, length);
                there.value[SWITCH_LENGTH] = number;
        }
        return run_with_data(p, &there, fd, STDOUT_FILENO);
}

ExitStatus remote_download(Poolctl *p, int fd)
{
        CommandLine there = p->line;

        return run_with_data(p, &there, STDIN_FILENO, fd);
}
