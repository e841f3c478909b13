/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node of QEMU's block layer as an NBD export, for one client. Source: qemu-nbd(8). */
#pragma once

#include "backend.h"

#define ENDPOINT_EXPORT "export" /* the name of the export */

typedef struct Endpoint {
        const char *node;     /* "json:{...}", every part with its driver; see qemu_node() */
        const char *object;   /* of qemu-nbd's --object, for a secret in a descriptor; NULL: none */
        const CommandFd *fds; /* what the node and the object name as /proc/self/fd/N */
        size_t n_fds;
        bool read_only;
        uint64_t size_max; /* bytes that a file may grow to, 0: no limit */
} Endpoint;

/* *ret is a connected socket on which the server has greeted; the server ends when it is closed. The descriptors live, and
 * keep their locks, as long. Errors as command_run(), and TimedOut. A process is started: ctx_need_job() comes before. */
int endpoint_open(Ctx *c, const Endpoint *e, int *ret);
