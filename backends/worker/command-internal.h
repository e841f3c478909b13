/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tool that runs: what its start (command-start.c) and its end (command.c) share. */
#pragma once

#include "worker/ctx-internal.h"
#include "worker/sandbox.h"

#define COMMAND_TIMEOUT_SEC 60u /* when the command says nothing */

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

/* Finds the tool and looks at what it gets. Sets the error. */
int command_prepare(Run *run);

/* Negative errno. The tool runs, and the worker has its ends of the pipes. */
int command_spawn(Run *run);
