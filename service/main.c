/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolkeeperd: state first, then the bus, then the pools that start by themselves, then the event loop. */
#include <linux/capability.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>

#include "bus.h"
#include "manager.h"
#include "settings.h"
#include "util/fileio.h"
#include "util/log.h"

typedef struct Daemon {
        sd_event *event;
        Manager *manager;
        Bus *bus;
} Daemon;

static void on_left(void *userdata)
{
        Daemon *d = userdata;

        (void)sd_event_exit(d->event, EXIT_SUCCESS);
}

/* The name is given up first, so that a late caller starts the next instance instead of being lost. */
static void on_exit_wanted(Manager *m, void *userdata)
{
        Daemon *d = userdata;

        (void)sd_notify(false, "STOPPING=1");
        if (bus_leave(d->bus, on_left, d) < 0)
                on_left(d);
}

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
        Daemon *d = userdata;

        log_info("Received %s, finishing", strsignal((int)si->ssi_signo));
        manager_stop(d->manager);
        return 0;
}

static int set_up_events(Daemon *d)
{
        sigset_t signals;
        int r;

        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGCHLD);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        (void)signal(SIGPIPE, SIG_IGN);
        r = sd_event_default(&d->event);
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGTERM, on_signal, d);
        if (r >= 0)
                r = sd_event_add_signal(d->event, NULL, SIGINT, on_signal, d);
        if (r >= 0)
                r = sd_event_set_watchdog(d->event, true);
        return r;
}

static int set_up_logging(const Settings *s)
{
        log_open("poolkeeperd");
        if (s->log_target && log_set_target(s->log_target) < 0) {
                fprintf(stderr, "poolkeeperd: unknown log target \"%s\"; see --help\n", s->log_target);
                return -EINVAL;
        }
        if (s->log_level && log_set_level(s->log_level) < 0) {
                fprintf(stderr, "poolkeeperd: unknown log level \"%s\"; see --help\n", s->log_level);
                return -EINVAL;
        }
        return 0;
}

/* Workers need capabilities, which a process with NoNewPrivileges can only pass on while it is permitted them
 * (capabilities(7)). What is used here is none but that to end whatever a worker has started. */
static int drop_capabilities(void)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2];

        if (syscall(SYS_capget, &header, data) < 0)
                return -errno;
        data[0].effective &= 1u << CAP_KILL;
        data[1].effective = 0;
        return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int run(Daemon *d, const Settings *s, Error *e)
{
        BusConfig bus = { .address = s->address, .user_mode = s->manager.user_mode };
        int r;

        r = drop_capabilities();
        if (r < 0)
                return error_set_errno(e, r, "Cannot give up privileges");
        r = set_up_events(d);
        if (r < 0)
                return error_set_errno(e, r, "Cannot set up the event loop");
        r = mkdir_parents(s->manager.runtime_directory, 0755);
        if (r >= 0)
                r = mkdir_parents(s->manager.state_directory, 0755);
        if (r < 0)
                return error_set_errno(e, r, "Cannot make %s and %s", s->manager.runtime_directory,
                                       s->manager.state_directory);
        r = manager_new(d->event, &s->manager, &d->manager);
        if (r < 0)
                return error_set_errno(e, r, "Cannot set up the service");
        d->manager->on_exit = on_exit_wanted;
        d->manager->on_exit_data = d;
        r = manager_load(d->manager, e);
        if (r >= 0)
                r = bus_new(d->manager, &bus, &d->bus, e);
        if (r < 0)
                return r;
        (void)sd_notify(false, "READY=1");
        manager_autostart(d->manager);
        manager_touch(d->manager);
        r = sd_event_loop(d->event);
        return r < 0 ? error_set_errno(e, r, "The event loop failed") : r;
}

int main(int argc, char **argv)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Settings settings;
        Daemon d = { 0 };
        int r;

        r = settings_parse(argc, argv, &settings);
        if (r <= 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        umask(0022);
        r = set_up_logging(&settings);
        if (r >= 0)
                r = run(&d, &settings, &e);
        if (e.kind != ERROR_NONE)
                log_error("%s", e.message ?: "out of memory");
        bus_free(d.bus);
        manager_free(d.manager);
        sd_event_unref(d.event);
        settings_done(&settings);
        return r < 0 ? EXIT_FAILURE : r;
}
