/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shuts an image tool in, because the images it reads are hostile data: an unprivileged uid that owns
 * nothing, in user, mount and PID namespaces of its own, where nothing but a read-only /usr, /proc and two
 * devices is; Landlock; a seccomp allow-list without sockets; no new privileges. Images come as descriptors,
 * and are opened as /proc/self/fd/N: for that their owners are mapped into the user namespace, and the tool
 * keeps CAP_DAC_OVERRIDE there, which counts only for files of mapped owners. Where user namespaces are
 * forbidden, Landlock must do; without both nothing is run. */
#pragma once

#include <linux/capability.h>

#include "backend.h"
#include "worker/privileges.h"

/* What the starter needs in the system service: to write the maps. */
#define SANDBOX_CAPABILITIES                                                                     \
        (CAPABILITY_BIT(CAP_SETUID) | CAPABILITY_BIT(CAP_SETGID) | CAPABILITY_BIT(CAP_SETFCAP) | \
         CAPABILITY_BIT(CAP_DAC_OVERRIDE))

#define SANDBOX_IDS_MAX (COMMAND_FDS_MAX + 1) /* the owners of all images, and the tool's own */

typedef struct Sandbox {
        bool namespaces; /* else Landlock alone */
        int landlock;    /* ABI version, 0: the kernel has none */
        bool skip_sync, server;
        bool privileged; /* may map ids other than its own */
        uid_t uids[SANDBOX_IDS_MAX];
        gid_t gids[SANDBOX_IDS_MAX];
        size_t n_uids, n_gids;
        const CommandFd *fds;
        size_t n_fds;
        int ready[2]; /* the child waits here for its maps */
} Sandbox;

/* Collects the owners of the descriptors. BackendUnavailable when the kernel offers nothing to shut the tool
 * in with. */
int sandbox_init(Sandbox *s, const Command *command, Error *e);
void sandbox_done(Sandbox *s);

/* Like fork(), with a pidfd: 0 in the child, which must call sandbox_enter() once its descriptors are in
 * place. */
pid_t sandbox_fork(Sandbox *s, int *ret_pidfd);

/* In the child, before execve(). */
int sandbox_enter(Sandbox *s);

/* seccomp.c: the system calls that an image tool needs; others give ENOSYS. skip_sync: fsync() and its like
 * succeed without doing anything. server: it may also take connections from the sockets that it has, and speak on them. */
int seccomp_restrict(bool skip_sync, bool server);
