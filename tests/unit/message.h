/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages without a bus daemon: written, sealed and read again. */
#pragma once

#include "test.h"

#include <sys/socket.h>
#include <systemd/sd-bus.h>

/* A connection that never gets an answer; it is good for making messages. */
static inline sd_bus *test_bus(void)
{
        sd_bus *bus;
        int pair[2];

        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
        CHECK_OK(sd_bus_new(&bus));
        CHECK_OK(sd_bus_set_fd(bus, pair[0], pair[0]));
        CHECK_OK(sd_bus_negotiate_fds(bus, true));
        CHECK_OK(sd_bus_start(bus));
        close(pair[1]);
        return bus;
}

static inline sd_bus_message *test_message(sd_bus *bus)
{
        sd_bus_message *m;

        CHECK_OK(sd_bus_message_new_method_call(bus, &m, "org.example.Test", "/", "org.example.Test",
                                                "Test"));
        return m;
}

/* Ready to be read from its beginning. */
static inline void test_seal(sd_bus_message *m)
{
        static uint64_t serial;

        CHECK_OK(sd_bus_message_seal(m, ++serial, 0));
        CHECK_OK(sd_bus_message_rewind(m, true));
}
