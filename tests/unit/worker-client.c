/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker-client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "util/bag-message.h"
#include "util/protocol.h"
#include "util/volume-message.h"

extern char **environ;

static int spawn_worker(Client *c, const char *worker, const char *const *args, int socket)
{
        const char *argv[16] = { worker };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        int r;

        for (size_t i = 0; args[i] && i + 2 < ELEMENTSOF(argv); i++)
                argv[i + 1] = args[i];
        (void)posix_spawn_file_actions_init(&actions);
        (void)posix_spawnattr_init(&attributes);
        (void)posix_spawn_file_actions_adddup2(&actions, socket, WORKER_FD);
        (void)posix_spawnattr_setpgroup(&attributes, 0);
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
        r = -posix_spawn(&c->pid, worker, &actions, &attributes, (char **)argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
        if (r < 0)
                return r;
        c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
        return c->pidfd < 0 ? -errno : 0;
}

int client_start(Client *c, const char *worker, const char *const *args)
{
        int pair[2], r;

        *c = CLIENT_NULL;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return -errno;
        r = spawn_worker(c, worker, args, pair[1]);
        safe_close(pair[1]);
        if (r >= 0)
                r = sd_bus_new(&c->bus);
        if (r < 0) {
                safe_close(pair[0]);
                return r;
        }
        if ((r = sd_bus_set_fd(c->bus, pair[0], pair[0])) < 0 ||
            (r = sd_bus_set_anonymous(c->bus, true)) < 0 || (r = sd_bus_set_trusted(c->bus, true)) < 0)
                return r;
        return sd_bus_start(c->bus);
}

int client_configure(Client *c, const char *pool, const char *directory, const char *job, const Bag *extra)
{
        _cleanup_bag_ Bag *args = bag_new(), *options = extra ? bag_copy(extra) : bag_new();
        _cleanup_error_ Error e = ERROR_NULL;
        int r;

        (void)bag_set_string(args, "pool", pool);
        (void)bag_set_string(args, "uuid", "11111111-2222-3333-4444-555555555555");
        (void)bag_set_string(options, "target.path", directory);
        (void)bag_set_bag(args, "options", TAKE_PTR(options));
        (void)bag_set_bool(args, "user-mode", geteuid() != 0);
        (void)bag_set_stringf(args, "state-directory", "%s.state", directory);
        (void)bag_set_stringf(args, "runtime-directory", "%s.run", directory);
        (void)bag_set_string(args, "job", job);
        r = client_call(c, "configure", "", args, NULL, &e);
        return r;
}

int client_send(Client *c, const char *operation, const char *volume, const Bag *args, uint64_t *ret_cookie)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        uint64_t cookie; /* without asking for it, sd-bus marks the call as one that wants no reply */
        int r;

        if ((r = sd_bus_message_new_method_call(c->bus, &m, NULL, WORKER_OBJECT, WORKER_INTERFACE, "Call")) <
                    0 ||
            (r = sd_bus_message_append(m, "ss", operation, volume)) < 0 ||
            (r = bag_append_to_message(args, m)) < 0)
                return r;
        r = sd_bus_send(c->bus, m, &cookie);
        if (r >= 0 && ret_cookie)
                *ret_cookie = cookie;
        return r;
}

static int count_found(Client *c, sd_bus_message *m)
{
        const char *name;
        VolumeInfo v;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(" VOLUME_SIGNATURE ")");
        while (r >= 0) {
                _cleanup_error_ Error e = ERROR_NULL;

                r = volume_read_from_message(m, &v, &e);
                if (r == 0)
                        break;
                if (r < 0) { /* a lie: the rest of the message is not read */
                        c->n_bad++;
                        return 0;
                }
                c->n_changed++;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read_basic(m, 's', &name)) > 0)
                c->n_vanished++;
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int client_wait(Client *c, sd_bus_message **ret)
{
        for (;;) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
                int r;

                r = sd_bus_process(c->bus, &m);
                if (r < 0)
                        return r == -ENOTCONN ? -ECONNRESET : r;
                if (m && (sd_bus_message_is_method_call(m, NULL, NULL) == 0) &&
                    !sd_bus_message_is_signal(m, NULL, NULL)) {
                        *ret = TAKE_PTR(m);
                        return 1;
                }
                if (m && sd_bus_message_is_signal(m, "org.freedesktop.DBus.Local", "Disconnected"))
                        return -ECONNRESET;
                if (m && sd_bus_message_is_signal(m, WORKER_INTERFACE, "Ready"))
                        c->n_ready++;
                if (m && sd_bus_message_is_signal(m, WORKER_INTERFACE, "Progress"))
                        c->n_progress++;
                if (m && sd_bus_message_is_signal(m, WORKER_INTERFACE, "Volumes")) {
                        c->n_messages++;
                        (void)count_found(c, m);
                }
                if (m && sd_bus_message_is_signal(m, NULL, NULL))
                        return 0;
                if (r == 0) {
                        r = sd_bus_wait(c->bus, UINT64_MAX);
                        if (r < 0 && r != -EINTR)
                                return r;
                }
        }
}

int client_read(Client *c, sd_bus_message *m, Bag **ret, Error *e)
{
        _cleanup_bag_ Bag *result = NULL;
        int r;

        if (sd_bus_message_is_method_error(m, NULL)) {
                const sd_bus_error *error = sd_bus_message_get_error(m);

                if (streq(error->name, WORKER_ERROR_NEEDS_JOB))
                        return -EREMOTE;
                return error_set(e, error_kind_from_name(error->name), "%s", error->message);
        }
        r = bag_read_from_message(m, &result, e);
        if (r >= 0)
                r = count_found(c, m);
        if (r >= 0 && ret)
                *ret = TAKE_PTR(result);
        return r;
}

int client_call(Client *c, const char *operation, const char *volume, const Bag *args, Bag **ret, Error *e)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = client_send(c, operation, volume, args, NULL);
        while (r >= 0 && !m)
                r = client_wait(c, &m);
        return r < 0 ? r : client_read(c, m, ret, e);
}

int client_end(Client *c)
{
        struct pollfd p = { .fd = c->pidfd, .events = POLLIN };
        int status = -ETIMEDOUT;

        sd_bus_close_unref(c->bus);
        c->bus = NULL;
        if (poll(&p, 1, 5000) > 0)
                (void)waitpid(c->pid, &status, 0);
        c->pidfd = safe_close(c->pidfd);
        return status;
}
