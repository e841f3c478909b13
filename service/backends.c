/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#include "util/bag-message.h"
#include "util/protocol.h"

#define DESCRIBE_TIMEOUT_USEC (10ULL * 1000 * 1000)

struct Backends {
        BackendInfo *infos;
        size_t n_infos;
};

static void info_done(BackendInfo *i)
{
        free(i->name);
        free(i->summary);
        free(i->reason);
        strv_free(i->features);
        strv_free(i->formats);
        strv_free(i->create_formats);
        option_table_done(&i->pool_options);
        option_table_done(&i->volume_options);
}

void backends_free(Backends *b)
{
        if (!b)
                return;
        for (size_t i = 0; i < b->n_infos; i++)
                info_done(b->infos + i);
        free(b->infos);
        free(b);
}

size_t backends_size(const Backends *b)
{
        return b->n_infos;
}

const BackendInfo *backends_at(const Backends *b, size_t i)
{
        return b->infos + i;
}

const BackendInfo *backends_find(const Backends *b, const char *name)
{
        for (size_t i = 0; i < b->n_infos; i++)
                if (streq(b->infos[i].name, name))
                        return b->infos + i;
        return NULL;
}

bool backend_has_feature(const BackendInfo *b, const char *feature)
{
        return strv_contains(b->features, feature);
}

static int copy_list(const Bag *b, const char *key, char ***ret)
{
        char *const *list = bag_get_strv(b, key);

        if (!list)
                return 0;
        *ret = strv_copy(list);
        return *ret ? 0 : -ENOMEM;
}

static int read_info(const Bag *b, BackendInfo *ret, Error *e)
{
        const char *name = bag_get_string(b, "name");
        BackendInfo i = { 0 };
        int r;

        if (isempty(name))
                return error_set(e, ERROR_FAILED, "a backend without a name");
        r = free_and_strdup(&i.name, name);
        if (r >= 0)
                r = free_and_strdup(&i.summary, bag_get_string(b, "summary") ?: "");
        if (r >= 0 && !bag_get_bool(b, "available", false))
                r = free_and_strdup(&i.reason, bag_get_string(b, "reason") ?: "not available");
        if (r >= 0)
                r = copy_list(b, "features", &i.features);
        if (r >= 0)
                r = copy_list(b, "formats", &i.formats);
        if (r >= 0)
                r = copy_list(b, "create-formats", &i.create_formats);
        if (r >= 0)
                r = option_table_from_bag(b, "pool-options", &i.pool_options, e);
        if (r >= 0)
                r = option_table_from_bag(b, "volume-options", &i.volume_options, e);
        if (r < 0) {
                info_done(&i);
                return r;
        }
        *ret = i;
        return 0;
}

static int compare(const void *a, const void *b)
{
        return strcmp(((const BackendInfo *)a)->name, ((const BackendInfo *)b)->name);
}

static int read_all(const Bag *answer, Backends **ret, Error *e)
{
        const Value *list = bag_get_bags(answer, "backends");
        _cleanup_(backends_freep) Backends *b = calloc(1, sizeof(*b));
        int r;

        if (!b)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        b->infos = calloc(list ? list->n_bags + 1 : 1, sizeof(*b->infos));
        if (!b->infos)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        for (size_t i = 0; list && i < list->n_bags; i++) {
                r = read_info(list->bags[i], b->infos + b->n_infos, e);
                if (r < 0)
                        return r;
                b->n_infos++;
        }
        qsort(b->infos, b->n_infos, sizeof(*b->infos), compare);
        *ret = TAKE_PTR(b);
        return 0;
}

static int spawn(const char *worker, const char *directory, int socket, pid_t *ret)
{
        const char *argv[5] = { worker, "--describe", "--socket" };
        _cleanup_free_ char *option = NULL;
        posix_spawn_file_actions_t actions;
        int r;

        if (directory && asprintf(&option, "--backend-dir=%s", directory) < 0)
                return -ENOMEM;
        argv[3] = option;
        if (posix_spawn_file_actions_init(&actions) != 0)
                return -ENOMEM;
        r = -posix_spawn_file_actions_adddup2(&actions, socket, WORKER_FD);
        if (r == 0)
                r = -posix_spawn(ret, worker, &actions, NULL, (char **)argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        return r;
}

static int ask(int fd /* taken */, Bag **ret, Error *e)
{
        sd_bus *bus = NULL;
        sd_bus_message *m = NULL, *reply = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r < 0) {
                safe_close(fd);
                return error_set_errno(e, r, "Cannot speak to the worker");
        }
        r = sd_bus_set_fd(bus, fd, fd);
        if (r < 0)
                safe_close(fd);
        (void)sd_bus_set_anonymous(bus, true);
        (void)sd_bus_set_trusted(bus, true);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                r = sd_bus_message_new_method_call(bus, &m, NULL, WORKER_OBJECT, WORKER_INTERFACE, "Call");
        if (r >= 0)
                r = sd_bus_message_append(m, "ssa{sv}", "describe", "", 0);
        if (r >= 0)
                r = sd_bus_call(bus, m, DESCRIBE_TIMEOUT_USEC, &error, &reply);
        if (r < 0)
                r = error_set(e, ERROR_FAILED, "The worker does not describe its backends: %s",
                              error.message ?: strerror(-r));
        else
                r = bag_read_from_message(reply, ret, e);
        sd_bus_error_free(&error);
        sd_bus_message_unref(m);
        sd_bus_message_unref(reply);
        sd_bus_close_unref(bus);
        return r;
}

/* The one place where the daemon waits for a worker: at its start, before anybody can call. */
int backends_load(const char *worker, const char *directory, Backends **ret, Error *e)
{
        _cleanup_bag_ Bag *answer = NULL;
        int fds[2], r;
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return error_set_errno(e, errno, "Cannot make a socket");
        r = spawn(worker, directory, fds[1], &pid);
        safe_close(fds[1]);
        if (r < 0) {
                safe_close(fds[0]);
                return error_set_errno(e, r, "Cannot start %s", worker);
        }
        r = ask(fds[0], &answer, e);
        (void)kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return r < 0 ? r : read_all(answer, ret, e);
}
