/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process behind command_serve(): what the worker tells it, and how it is started. */
#pragma once

#include "backend.h"

#define ENDPOINT_OPTION "--endpoint"
#define ENDPOINT_WORDS_MAX 16384u
#define ENDPOINTS_MAX 256u        /* at once */
#define ENDPOINTS_PER_UID_MAX 32u /* of these, for one uid other than root's */

/* What the process finds on its standard input, a socket that keeps messages apart. The descriptors of the enum
 * below come with it. */
typedef struct EndpointStart {
        uint64_t output_size_max;
        uint32_t n_fds;
        int32_t numbers[COMMAND_FDS_MAX]; /* see CommandFd */
        uint32_t words_size;
        char words[ENDPOINT_WORDS_MAX]; /* argv, each word with its NUL */
} EndpointStart;

/* What it answers when the tool fails. */
typedef struct EndpointFailure {
        int32_t kind;
        char message[1024];
} EndpointFailure;

enum {
        ENDPOINT_LISTENER,
        ENDPOINT_RESERVE,
        ENDPOINT_SLOT,    /* only held */
        ENDPOINT_FDS_OWN, /* the tool's follow */
        ENDPOINT_FDS_MAX = ENDPOINT_FDS_OWN + COMMAND_FDS_MAX,
};

/* endpoint-slot.c: a descriptor with which the endpoint counts, for its uid and for all, as long as any process has it.
 * LimitsExceeded. */
int endpoint_take_slot(Ctx *c, int *ret);

/* endpoint-main.c: the process. Returns its exit status. */
int endpoint_main(void);

/* endpoint-unit.c: starts the process with `input` as its standard input: by systemd, if that is there, as a transient
 * unit which the end of the service does not stop, else as a session of its own. */
int endpoint_spawn(Ctx *c, int input);
