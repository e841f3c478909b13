/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remote.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "shell-quote.h"
#include "util/bag.h"

#define SSH_FAILED 255 /* ssh(1), EXIT STATUS */

static int add_switch(char ***line, const Poolctl *p, Switch s)
{
        _cleanup_free_ char *word = NULL;
        const char *value = p->line.value[s];

        if (!value)
                return 0;
        if (asprintf(&word, "--%s%s%s", switch_table[s].name, switch_table[s].value ? "=" : "", value) < 0) {
                word = NULL;
                return -ENOMEM;
        }
        return strv_append(line, word);
}

static int build_command(const Poolctl *p, char **words, size_t n, char ***ret)
{
        _cleanup_strv_ char **line = NULL;
        int r;

        r = strv_append(&line, "poolctl");
        if (r >= 0)
                r = strv_append(&line, "--passphrase-file=-");
        if (r >= 0)
                r = add_switch(&line, p, SWITCH_FORMAT);
        if (r >= 0)
                r = add_switch(&line, p, SWITCH_NO_WAIT);
        if (r >= 0)
                r = add_switch(&line, p, SWITCH_NO_SYNC);
        if (r >= 0)
                r = strv_append(&line, "--");
        if (r >= 0)
                r = strv_append(&line, "create");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = strv_append(&line, words[i]);
        if (r >= 0)
                *ret = TAKE_PTR(line);
        return r;
}

static int spawn_ssh(const char *host, char *command, int input, pid_t *ret)
{
        char *argv[] = { (char *)"ssh", (char *)"-xT", (char *)"--", (char *)host, command, NULL };
        posix_spawn_file_actions_t actions;
        int r;

        r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return -r;
        r = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
        if (r == 0)
                r = posix_spawnp(ret, argv[0], &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}

ExitStatus remote_create(Poolctl *p, char **words, size_t n)
{
        const char *host = p->line.value[SWITCH_HOST], *file = p->line.value[SWITCH_PASSPHRASE_FILE];
        _cleanup_strv_ char **line = NULL;
        _cleanup_free_ char *command = NULL;
        _cleanup_close_ int opened = -EBADF;
        _cleanup_error_ Error e = ERROR_NULL;
        int input = STDIN_FILENO, status, r;
        pid_t pid;

        if (!streq(file, "-")) {
                input = opened = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
                if (input < 0) {
                        (void)error_set_errno(&e, errno, "cannot open %s", file);
                        return fail(&e, "cannot read the passphrase");
                }
        }
        if (build_command(p, words, n, &line) < 0)
                return out_of_memory();
        command = shell_quote(line);
        if (!command)
                return out_of_memory();
        r = spawn_ssh(host, command, input, &pid);
        if (r < 0) {
                (void)error_set_errno(&e, r, "cannot start ssh");
                return fail(&e, "cannot create %s on %s", words[0], host);
        }
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (!WIFEXITED(status) || WEXITSTATUS(status) == SSH_FAILED) {
                (void)error_set(&e, ERROR_FAILED, "ssh failed");
                return fail(&e, "cannot create %s on %s", words[0], host);
        }
        return (ExitStatus)WEXITSTATUS(status);
}
