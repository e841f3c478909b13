/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which process has a file open, as far as /proc shows it (proc(5)): its own user's, all of them with CAP_SYS_PTRACE. */
#pragma once

#include <sys/types.h>

typedef enum HolderKind {
        HOLDER_WRITES, /* open for writing */
        HOLDER_LOCKS,  /* with locks of the open file description */
} HolderKind;

typedef struct Holder {
        pid_t pid;        /* 0: none was found */
        char command[16]; /* what it calls itself, printable ASCII */
} Holder;

/* The first one besides this process. Looks at many descriptors, so only where there is something to explain; stops after
 * 50,000 of them. */
void holder_find(int fd, HolderKind kind, Holder *ret);
