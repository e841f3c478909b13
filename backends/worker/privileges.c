/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/privileges.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static int get_capabilities(struct __user_cap_data_struct data[static 2])
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

        return syscall(SYS_capget, &header, data) < 0 ? -errno : 0;
}

int capabilities_set(uint64_t permitted, bool ambient)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2], old[2];
        int r;

        r = get_capabilities(old);
        if (r < 0)
                return r;
        for (size_t i = 0; i < 2; i++) {
                uint32_t half = (uint32_t)(permitted >> (32 * i)) & old[i].permitted;

                data[i] = (struct __user_cap_data_struct){ .effective = half,
                                                           .permitted = half,
                                                           .inheritable = ambient ? half : 0 };
        }
        if (syscall(SYS_capset, &header, data) < 0)
                return -errno;
        (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        for (int i = 0; ambient && i < 64; i++)
                if (data[i / 32].permitted & (1u << (i % 32)) &&
                    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
                        return -errno;
        return 0;
}

/* Without CAP_SETPCAP (user mode) there is nothing to drop. */
static void drop_bounding(uint64_t keep)
{
        for (int i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
                if (!(keep & CAPABILITY_BIT(i)))
                        (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

int capabilities_narrow(const int *keep, uint64_t also)
{
        uint64_t mask = also;

        for (; keep && *keep >= 0; keep++)
                mask |= CAPABILITY_BIT(*keep);
        drop_bounding(mask);
        return capabilities_set(mask, false);
}

int die_with_peer(int socket)
{
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return -errno;
        if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return -errno;
        return peer.pid != getppid() ? -ESRCH : 0; /* it died before we asked to be told */
}
