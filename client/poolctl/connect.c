/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "connect.h"

#include "agent.h"

static int open_address(const char *address, sd_bus **ret)
{
        sd_bus *bus;
        int r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, true);
        if (r >= 0)
                r = sd_bus_negotiate_fds(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0)
                sd_bus_unref(bus);
        else
                *ret = bus;
        return r;
}

int poolctl_connect(Poolctl *p, Error *e)
{
        const char *host = p->line.value[SWITCH_HOST], *address = p->line.value[SWITCH_ADDRESS];
        int r;

        if (p->bus)
                return 0;
        if (host) {
                r = sd_bus_open_system_remote(&p->bus, host);
                if (r < 0)
                        return error_set_errno(e, r, "cannot reach the system bus of %s by ssh", host);
        } else if (address) {
                r = open_address(address, &p->bus);
                if (r < 0)
                        return error_set_errno(e, r, "cannot reach the bus at %s", address);
        } else if (given(p, SWITCH_USER)) {
                r = sd_bus_open_user(&p->bus);
                if (r < 0)
                        return error_set_errno(e, r, "cannot reach the user's bus");
        } else {
                r = sd_bus_open_system(&p->bus);
                if (r < 0)
                        return error_set_errno(e, r, "cannot reach the system bus");
                if (p->ask)
                        agent_open();
        }
        return 0;
}

bool poolctl_passes_descriptors(Poolctl *p)
{
        return sd_bus_can_send(p->bus, SD_BUS_TYPE_UNIX_FD) > 0;
}
