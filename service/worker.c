/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#include "util/bag-message.h"
#include "util/log.h"
#include "util/protocol.h"
#include "util/volume-message.h"

#define ABANDON_AFTER_USEC (2ULL * 1000 * 1000)

typedef struct Call {
        Worker *worker;
        sd_bus_slot *slot;
        worker_reply_t reply;
        void *userdata;
        struct Call *next;
} Call;

struct Worker {
        Manager *manager;
        char *backend;
        pid_t pid;
        int pidfd;
        sd_bus *bus;
        sd_event_source *child, *timer;
        WorkerEvents events;
        void *userdata;
        Call *calls;
        bool killed, told; /* told: the owner has heard `gone`, or does not want to */
        Error broken;      /* how it broke its protocol */
        Worker *next;
};

static void call_free(Worker *w, Call *c)
{
        for (Call **i = &w->calls; *i; i = &(*i)->next)
                if (*i == c) {
                        *i = c->next;
                        break;
                }
        sd_bus_slot_unref(c->slot);
        free(c);
}

static void worker_free(Worker *w)
{
        for (Worker **i = &w->manager->workers; *i; i = &(*i)->next)
                if (*i == w) {
                        *i = w->next;
                        break;
                }
        while (w->calls)
                call_free(w, w->calls);
        sd_event_source_disable_unref(w->child);
        sd_event_source_disable_unref(w->timer);
        if (w->bus) {
                sd_bus_detach_event(w->bus);
                sd_bus_close_unref(w->bus);
        }
        safe_close(w->pidfd);
        error_done(&w->broken);
        free(w->backend);
        free(w);
}

/* Drops what is in flight and tells the owner, once. The worker itself lives on until its process is reaped.
 */
static void tell_gone(Worker *w, const Error *e)
{
        bool told = w->told;

        w->told = true;
        while (w->calls)
                call_free(w, w->calls);
        if (!told && w->events.gone)
                w->events.gone(e, w->userdata);
}

/* Nothing of what it says counts (any more). */
static bool is_unheard(const Worker *w)
{
        return w->told || w->broken.kind != ERROR_NONE;
}

/* The process does not keep the protocol. The owner hears of it when it has ended: what it does until then nobody could
 * undo, or see. */
static void protocol_broken(Worker *w, const Error *why)
{
        if (w->broken.kind != ERROR_NONE)
                return;
        error_set(&w->broken, ERROR_WORKER_CRASHED, "the %s worker broke its protocol: %s", w->backend,
                  why->message ?: "no reason");
        worker_kill(w);
}

static int read_volumes(Worker *w, sd_bus_message *m, Error *e)
{
        const char *name;
        VolumeInfo v;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(" VOLUME_SIGNATURE ")");
        while (r >= 0 && (r = volume_read_from_message(m, &v, e)) > 0)
                if (w->events.volume && !is_unheard(w))
                        w->events.volume(&v, w->userdata);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read_basic(m, 's', &name)) > 0)
                if (w->events.vanished && !is_unheard(w))
                        w->events.vanished(name, w->userdata);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? error_set_errno(e, r, "bad list of volumes") : 0;
}

/* A connection that ends is told by sd-bus with an answer of its own, to every call that is out. */
static bool is_from_worker(sd_bus_message *m)
{
        const char *sender = sd_bus_message_get_sender(m);

        return !sender || !startswith(sender, "org.freedesktop.DBus");
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
        Call *c = userdata;
        Worker *w = c->worker;
        _cleanup_error_ Error e = ERROR_NULL, broken = ERROR_NULL;
        _cleanup_bag_ Bag *result = NULL;
        const sd_bus_error *error = sd_bus_message_get_error(m);
        worker_reply_t reply = c->reply;
        void *reply_data = c->userdata;
        bool needs_job = false;

        if (error && !is_from_worker(m))
                return 0; /* the end of the process will say why */

        call_free(w, c);
        if (w->told && !w->calls)
                sd_bus_close(w->bus);
        if (is_unheard(w))
                return 0;
        if (error && streq(error->name, WORKER_ERROR_NEEDS_JOB))
                needs_job = true;
        else if (error)
                error_set(&e, error_kind_from_name(error->name), "%s", error->message ?: error->name);
        else if (bag_read_from_message(m, &result, &broken) < 0 || read_volumes(w, m, &broken) < 0)
                protocol_broken(w, &broken);
        if (!is_unheard(w))
                reply(e.kind == ERROR_NONE ? result : NULL, e.kind == ERROR_NONE ? NULL : &e, needs_job,
                      reply_data);
        return 0;
}

static int on_ready(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
        Worker *w = userdata;

        if (w->events.ready && !is_unheard(w))
                w->events.ready(w->userdata);
        return 0;
}

static int on_progress(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
        Worker *w = userdata;
        uint64_t done, total;

        if (sd_bus_message_read(m, "tt", &done, &total) >= 0 && w->events.progress && !is_unheard(w))
                w->events.progress(done, total, w->userdata);
        return 0;
}

static int on_volumes(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
        _cleanup_error_ Error e = ERROR_NULL;

        if (read_volumes(userdata, m, &e) < 0)
                protocol_broken(userdata, &e);
        return 0;
}

static void describe_end(const siginfo_t *si, char *buffer, size_t size)
{
        if (si->si_code == CLD_EXITED)
                snprintf(buffer, size, "exit status %d", si->si_status);
        else
                snprintf(buffer, size, "killed by signal %d (%s)", si->si_status, strsignal(si->si_status));
}

static int on_child(sd_event_source *s, const siginfo_t *si, void *userdata)
{
        Worker *w = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        char text[64];
        bool crashed = !(si->si_code == CLD_EXITED && si->si_status == 0) && !w->killed;

        /* What it said before it ended still counts. */
        while (!is_unheard(w) && sd_bus_process(w->bus, NULL) > 0)
                ;
        describe_end(si, text, sizeof(text));
        error_set(&e, ERROR_WORKER_CRASHED, "the %s worker ended early: %s", w->backend, text);
        if (crashed && (!w->told || w->calls))
                log_line(LOG_WARNING,
                         (LogFields){ .message_id = MESSAGE_WORKER_CRASHED, .caller = (uid_t)-1 },
                         "Worker %d of backend %s ended: %s", (int)w->pid, w->backend, text);
        tell_gone(w, w->broken.kind != ERROR_NONE ? &w->broken : &e);
        worker_free(w);
        return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Worker *w = userdata;
        _cleanup_error_ Error e = ERROR_NULL;

        if (!w->killed) {
                worker_kill(w);
                return 0;
        }
        log_line(LOG_WARNING, (LogFields){ .message_id = MESSAGE_WORKER_ABANDONED, .caller = (uid_t)-1 },
                 "Worker %d of backend %s does not end even when killed, abandoning it", (int)w->pid,
                 w->backend);
        error_set(&e, ERROR_TIMED_OUT, "the %s worker is stuck in the kernel and was abandoned", w->backend);
        tell_gone(w, &e);
        return 0;
}

static int arm(Worker *w, uint64_t after_usec)
{
        if (w->timer) {
                int r = sd_event_source_set_time_relative(w->timer, after_usec);

                return r < 0 ? r : sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
        }
        return sd_event_add_time_relative(w->manager->event, &w->timer, CLOCK_MONOTONIC, after_usec, 0,
                                          on_timer, w);
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *unused)
{
        Worker *w = userdata;

        if (!w->killed)
                (void)arm(w, w->manager->config.kill_usec); /* it is leaving; it has some time to */
        return 0;
}

/* SIGTERM to its process group, so that its tools hear it; SIGKILL to itself as well, wherever it went. */
void worker_cancel(Worker *w)
{
        if (w->killed)
                return;
        (void)kill(-w->pid, SIGTERM);
        if (!w->timer || sd_event_source_get_enabled(w->timer, NULL) == 0)
                (void)arm(w, w->manager->config.kill_usec);
}

void worker_kill(Worker *w)
{
        w->killed = true;
        (void)kill(-w->pid, SIGKILL);
        (void)pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0);
        (void)arm(w, ABANDON_AFTER_USEC);
}

bool worker_lives(const Worker *w)
{
        struct pollfd ended = { .fd = w->pidfd, .events = POLLIN };

        return poll(&ended, 1, 0) == 0;
}

void worker_hand_over(Worker *w, const WorkerEvents *events, void *userdata)
{
        w->events = *events;
        w->userdata = userdata;
}

void worker_release(Worker *w)
{
        w->told = true;
        w->events = (WorkerEvents){ 0 };
        if (w->bus && w->calls == NULL)
                sd_bus_close(w->bus);
        if (!w->killed)
                (void)arm(w, w->manager->config.kill_usec);
}

void worker_dismiss(Worker *w, const WorkerEvents *events, void *userdata)
{
        w->events = *events;
        w->userdata = userdata;
        sd_bus_close(w->bus);
        if (!w->killed)
                (void)arm(w, w->manager->config.kill_usec);
}

void workers_free(Manager *m)
{
        while (m->workers) {
                m->workers->told = true;
                (void)kill(-m->workers->pid, SIGKILL);
                worker_free(m->workers);
        }
}

/* The worker's side of the socket becomes its descriptor 3; everything else of ours is close-on-exec. */
static int spawn(Manager *m, WorkerKind kind, const char *backend, int socket, pid_t *ret)
{
        const char *argv[5] = { m->config.worker, kind == WORKER_JOB ? "--job" : "--session" };
        _cleanup_free_ char *directory = NULL;
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none, all;
        int r;

        if (m->config.backend_directory) {
                if (asprintf(&directory, "--backend-dir=%s", m->config.backend_directory) < 0)
                        return -ENOMEM;
                argv[2] = directory;
        }
        argv[directory ? 3 : 2] = backend;
        sigemptyset(&none);
        sigfillset(&all);
        if (posix_spawn_file_actions_init(&actions) != 0)
                return -ENOMEM;
        if (posix_spawnattr_init(&attributes) != 0) {
                posix_spawn_file_actions_destroy(&actions);
                return -ENOMEM;
        }
        r = -posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (r == 0)
                r = -posix_spawn_file_actions_adddup2(&actions, socket, WORKER_FD);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setpgroup(&attributes, 0);
        posix_spawnattr_setflags(&attributes,
                                 POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        if (r == 0)
                r = -posix_spawn(ret, m->config.worker, &actions, &attributes, (char **)argv, environ);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        return r;
}

static int connect_bus(Worker *w, int fd /* taken */)
{
        int r;

        r = sd_bus_new(&w->bus);
        if (r < 0) {
                safe_close(fd);
                return r;
        }
        r = sd_bus_set_fd(w->bus, fd, fd);
        if (r < 0) {
                safe_close(fd);
                return r;
        }
        (void)sd_bus_set_anonymous(w->bus, true);
        (void)sd_bus_set_trusted(w->bus, true);
        (void)sd_bus_negotiate_fds(w->bus, true);
        /* Long work has job workers and deadlines of its own; a call on this bus never times out by itself.
         */
        (void)sd_bus_set_method_call_timeout(w->bus, UINT64_MAX);
        r = sd_bus_start(w->bus);
        if (r >= 0)
                r = sd_bus_match_signal(w->bus, NULL, NULL, WORKER_OBJECT, WORKER_INTERFACE, "Ready",
                                        on_ready, w);
        if (r >= 0)
                r = sd_bus_match_signal(w->bus, NULL, NULL, WORKER_OBJECT, WORKER_INTERFACE, "Progress",
                                        on_progress, w);
        if (r >= 0)
                r = sd_bus_match_signal(w->bus, NULL, NULL, WORKER_OBJECT, WORKER_INTERFACE, "Volumes",
                                        on_volumes, w);
        if (r >= 0)
                r = sd_bus_match_signal(w->bus, NULL, NULL, "/org/freedesktop/DBus/Local",
                                        "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, w);
        /* Callers on the public bus come first. */
        if (r >= 0)
                r = sd_bus_attach_event(w->bus, w->manager->event, SD_EVENT_PRIORITY_NORMAL + 10);
        return r;
}

int worker_start(Manager *m, WorkerKind kind, const char *backend, const WorkerEvents *events,
                 void *userdata, Worker **ret, Error *e)
{
        int fds[2], r;
        Worker *w;

        w = calloc(1, sizeof(*w));
        if (!w)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        *w = (Worker){ .manager = m, .events = *events, .userdata = userdata, .pidfd = -EBADF };
        w->next = m->workers;
        m->workers = w;
        w->backend = strdup(backend);
        if (!w->backend) {
                worker_free(w);
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        }

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
                r = -errno;
                worker_free(w);
                return error_set_errno(e, r, "Cannot make a socket for the %s worker", backend);
        }
        r = spawn(m, kind, backend, fds[1], &w->pid);
        safe_close(fds[1]);
        if (r < 0) {
                safe_close(fds[0]);
                worker_free(w);
                return error_set_errno(e, r, "Cannot start %s for backend %s", m->config.worker, backend);
        }
        w->pidfd = pidfd_open(w->pid, 0);
        r = w->pidfd < 0 ? -errno : 0;
        if (r >= 0)
                r = sd_event_add_child_pidfd(m->event, &w->child, w->pidfd, WEXITED, on_child, w);
        if (r >= 0)
                (void)sd_event_source_set_priority(w->child, SD_EVENT_PRIORITY_NORMAL + 20);
        if (r < 0)
                safe_close(fds[0]);
        else
                r = connect_bus(w, fds[0]);
        if (r < 0) {
                w->told = true;
                worker_kill(w);
                if (!w->child)
                        worker_free(w); /* nobody would hear of its end */
                if (r == -EPIPE || r == -ECONNRESET)
                        return error_set(e, ERROR_WORKER_CRASHED, "the %s worker ended before it began",
                                         backend);
                return error_set_errno(e, r, "Cannot speak to the %s worker", backend);
        }
        *ret = w;
        return 0;
}

int worker_call(Worker *w, const char *operation, const char *volume, const Bag *args, worker_reply_t reply,
                void *userdata, Error *e)
{
        sd_bus_message *m = NULL;
        Call *c;
        int r;

        c = calloc(1, sizeof(*c));
        if (!c)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        *c = (Call){ .worker = w, .reply = reply, .userdata = userdata };
        r = sd_bus_message_new_method_call(w->bus, &m, NULL, WORKER_OBJECT, WORKER_INTERFACE, "Call");
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", operation, volume ?: "");
        if (r >= 0)
                r = bag_append_to_message(args, m);
        if (r >= 0)
                r = sd_bus_call_async(w->bus, &c->slot, m, on_reply, c, UINT64_MAX);
        sd_bus_message_unref(m);
        if (r < 0) {
                free(c);
                return error_set_errno(e, r, "Cannot send %s to the %s worker", operation, w->backend);
        }
        /* In the order of the calls, so that a death answers them in that order too. */
        Call **tail = &w->calls;
        while (*tail)
                tail = &(*tail)->next;
        *tail = c;
        return 0;
}
