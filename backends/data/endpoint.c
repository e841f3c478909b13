/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/endpoint.h"

#define ARGUMENTS_MAX 16u

int endpoint_open(Ctx *c, const Endpoint *e, int *ret)
{
        const char *argv[ARGUMENTS_MAX] = { "qemu-nbd", "--shared=1", ("--export-name=" ENDPOINT_EXPORT),
                                            "--discard=unmap" };
        const Command command = {
                .argv = argv, .fds = e->fds, .n_fds = e->n_fds, .output_size_max = e->size_max
        };
        size_t n = 4;

        if (e->read_only)
                argv[n++] = "--read-only";
        if (e->object) {
                argv[n++] = "--object";
                argv[n++] = e->object;
        }
        argv[n++] = "--";
        argv[n] = e->node;
        return command_serve(c, &command, ret);
}
