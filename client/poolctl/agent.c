/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "util/macro.h"

#define READY_MSEC 2000

static pid_t agent_pid;

void agent_close(void)
{
        if (agent_pid <= 0)
                return;
        (void)kill(agent_pid, SIGTERM);
        (void)waitpid(agent_pid, NULL, 0);
        agent_pid = 0;
}

void agent_open(void)
{
        char number[16];
        char *argv[] = { (char *)"pkttyagent", (char *)"--notify-fd", number, (char *)"--fallback", NULL };
        _cleanup_close_ int ready = -EBADF, notify = -EBADF;
        posix_spawn_file_actions_t actions;
        int pair[2], r;

        if (geteuid() == 0 || !isatty(STDIN_FILENO) || pipe2(pair, O_CLOEXEC) < 0)
                return;
        ready = pair[0];
        notify = pair[1];
        snprintf(number, sizeof(number), "%d", notify);
        if (posix_spawn_file_actions_init(&actions) != 0)
                return;
        /* A descriptor duplicated onto itself loses O_CLOEXEC: posix_spawn_file_actions_adddup2(3). */
        r = posix_spawn_file_actions_adddup2(&actions, notify, notify);
        if (r == 0)
                r = posix_spawnp(&agent_pid, argv[0], &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        if (r != 0)
                return;
        (void)atexit(agent_close);
        notify = safe_close(notify);
        /* It closes its end when polkit knows it. */
        (void)poll(&(struct pollfd){ .fd = ready, .events = POLLIN }, 1, READY_MSEC);
}
