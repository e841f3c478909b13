/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-inhibit.h"

#include <fcntl.h>

#include "util/fileio.h"
#include "util/log.h"

#define LOGIND_NAME "org.freedesktop.login1"
#define LOGIND_PATH "/org/freedesktop/login1"
#define LOGIND_INTERFACE "org.freedesktop.login1.Manager"

struct Inhibit {
        Bus *bus;
        bool wanted;
        int lock;           /* -EBADF: we have none */
        sd_bus_slot *asked; /* for one */
        sd_bus_slot *news;
};

/* Nobody wants it any more when the work has ended meanwhile. No logind, no lock: then nobody announces a shutdown. */
static int on_lock(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        Inhibit *i = userdata;
        int fd;

        i->asked = sd_bus_slot_unref(i->asked);
        if (!i->wanted || sd_bus_message_is_method_error(reply, NULL) ||
            sd_bus_message_read(reply, "h", &fd) < 0)
                return 1;
        i->lock = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return 1;
}

static int ask(Inhibit *i)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        sd_bus *bus = i->bus->connection;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, LOGIND_NAME, LOGIND_PATH, LOGIND_INTERFACE,
                                           "Inhibit");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(call, false);
        if (r >= 0)
                r = sd_bus_message_append(call, "ssss", "shutdown", "poolkeeper",
                                          "Data of storage volumes is being written", "delay");
        return r < 0 ? r : sd_bus_call_async(bus, &i->asked, call, on_lock, i, 0);
}

void inhibit_update(Inhibit *i)
{
        bool wanted = manager_has_running_jobs(i->bus->manager);

        if (wanted == i->wanted)
                return;
        i->wanted = wanted;
        if (!wanted)
                i->lock = safe_close(i->lock);
        else if (!i->asked)
                (void)ask(i);
}

/* Anybody can send us such a signal, only root is believed. */
static int on_prepare(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Inhibit *i = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        int begins;
        uid_t uid;

        if (callers_resolve(i->bus->callers, m, &uid, &e) <= 0 || uid != 0 ||
            sd_bus_message_read(m, "b", &begins) < 0)
                return 0;
        log_info(begins ? "The host shuts down, no new work is taken"
                        : "The host does not shut down after all");
        manager_set_closing(i->bus->manager, begins);
        return 0;
}

int inhibit_new(Bus *b, Inhibit **ret)
{
        _cleanup_(inhibit_freep) Inhibit *i = calloc(1, sizeof(*i));
        int r;

        if (!i)
                return -ENOMEM;
        *i = (Inhibit){ .bus = b, .lock = -EBADF };
        r = sd_bus_match_signal_async(b->connection, &i->news, LOGIND_NAME, LOGIND_PATH, LOGIND_INTERFACE,
                                      "PrepareForShutdown", on_prepare, NULL, i);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(i);
        return 0;
}

void inhibit_free(Inhibit *i)
{
        if (!i)
                return;
        sd_bus_slot_unref(i->news);
        sd_bus_slot_unref(i->asked);
        safe_close(i->lock);
        free(i);
}
