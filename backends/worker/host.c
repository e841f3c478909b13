/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolkeeper-worker: runs one backend for the daemon, over the private bus of protocol.h. Operations come
 * one after the other; those that are waiting already share one round of fsync() before all of them are
 * answered. */
#include <fcntl.h>
#include <getopt.h>
#include <linux/capability.h>
#include <sys/socket.h>

#include "config.h"
#include "util/bag-message.h"
#include "util/protocol.h"
#include "util/volume-message.h"
#include "worker/ctx-internal.h"
#include "worker/endpoint.h"
#include "worker/privileges.h"
#include "worker/sandbox.h"

#define ROUND_MAX 256u /* operations that share one round */

/* A call that ran, and whose answer waits for its descriptors to be durable. */
typedef struct Answer {
        sd_bus_message *call, *reply;
        size_t *sync_items;
        size_t n_sync_items;
} Answer;

typedef struct Host {
        Ctx ctx;
        Answer answers[ROUND_MAX];
        size_t n_answers;
} Host;

static volatile sig_atomic_t idle = false;

static void on_terminate(int signal)
{
        ctx_cancelled = true;
        if (idle)
                _exit(EXIT_SUCCESS);
}

static int make_error(sd_bus_message *call, const Error *e, sd_bus_message **ret)
{
        return sd_bus_message_new_method_errorf(call, ret, error_kind_to_name(e->kind), "%s",
                                                e->message ?: "");
}

static int make_reply(Ctx *c, sd_bus_message *call, const Bag *result, sd_bus_message **ret)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &m);
        if (r >= 0)
                r = bag_append_to_message(result, m);
        if (r >= 0)
                r = ctx_append_found(c, m);
        if (r >= 0)
                *ret = TAKE_PTR(m);
        return r;
}

/* Runs one call; *ret is its answer, good or bad. */
static int run_call(Ctx *c, sd_bus_message *call, sd_bus_message **ret)
{
        _cleanup_bag_ Bag *args = NULL, *result = bag_new();
        const char *operation, *volume;
        int r;

        if (!result)
                return -ENOMEM;
        r = sd_bus_message_read(call, "ss", &operation, &volume);
        if (r < 0)
                return r;
        r = bag_read_from_message(call, &args, &c->error);
        if (r >= 0) {
                ctx_begin(c, volume, bag_get_bool(args, "sync", true));
                r = operation_run(c, operation, volume, args, result);
                if (r < 0 && c->needs_job)
                        return sd_bus_message_new_method_errorf(call, ret, WORKER_ERROR_NEEDS_JOB,
                                                                "%s is work for a job", operation);
        }
        if (r < 0) /* what a failure has changed is known before it is */
                (void)ctx_send_found(c);
        return r < 0 ? make_error(call, &c->error, ret) : make_reply(c, call, result, ret);
}

static void answer_done(Answer *a)
{
        sd_bus_message_unref(a->call);
        sd_bus_message_unref(a->reply);
        free(a->sync_items);
        *a = (Answer){};
}

/* 0, or the failure of a descriptor that this answer asked for. */
static int answer_synced(const SyncRound *s, const Answer *a)
{
        for (size_t i = 0; i < a->n_sync_items; i++)
                if (s->items[a->sync_items[i]].result < 0)
                        return s->items[a->sync_items[i]].result;
        return 0;
}

static int send_answer(Host *h, Answer *a)
{
        int r;

        r = answer_synced(&h->ctx.syncs, a);
        if (r < 0 && !sd_bus_message_is_method_error(a->reply, NULL)) {
                _cleanup_error_ Error e = ERROR_NULL;

                (void)error_set_errno(&e, r, "The change was made, but could not be made durable");
                a->reply = sd_bus_message_unref(a->reply);
                r = make_error(a->call, &e, &a->reply);
                if (r < 0)
                        return r;
        }
        /* Whoever hears of the end finds the descriptors of the call closed, and their locks gone. */
        a->call = sd_bus_message_unref(a->call);
        return sd_bus_send(h->ctx.bus, a->reply, NULL);
}

/* Makes durable what was done, and answers in the order of the calls. */
static int commit(Host *h)
{
        int r = 0;

        if (h->n_answers == 0)
                return 0;
        sync_round_run(&h->ctx.syncs);
        for (size_t i = 0; i < h->n_answers; i++) {
                if (r >= 0)
                        r = send_answer(h, &h->answers[i]);
                answer_done(&h->answers[i]);
        }
        h->n_answers = 0;
        sync_round_done(&h->ctx.syncs);
        return r < 0 ? r : sd_bus_flush(h->ctx.bus);
}

static int on_call(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
        Host *h = userdata;
        Answer *a = &h->answers[h->n_answers];
        int r;

        r = run_call(&h->ctx, call, &a->reply);
        if (r >= 0) {
                a->call = sd_bus_message_ref(call);
                a->sync_items = TAKE_PTR(h->ctx.sync_items);
                a->n_sync_items = h->ctx.n_sync_items;
                h->n_answers++;
        }
        ctx_end(&h->ctx);
        return r < 0 ? r : 1;
}

static const sd_bus_vtable worker_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Call", "ssa{sv}", "a{sv}a(" VOLUME_SIGNATURE ")as", on_call,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL("Ready", "", 0),
        SD_BUS_SIGNAL("Progress", "tt", 0),
        SD_BUS_SIGNAL("Volumes", "a(" VOLUME_SIGNATURE ")as", 0),
        SD_BUS_VTABLE_END,
};

static int open_bus(Host *h, int fd)
{
        sd_id128_t id;
        sd_bus *bus;
        int r;

        r = sd_id128_randomize(&id);
        if (r < 0)
                return r;
        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        h->ctx.bus = bus;
        if ((r = sd_bus_set_fd(bus, fd, fd)) < 0 || (r = sd_bus_set_server(bus, true, id)) < 0 ||
            (r = sd_bus_set_anonymous(bus, true)) < 0 || (r = sd_bus_set_trusted(bus, true)) < 0 ||
            (r = sd_bus_add_object_vtable(bus, NULL, WORKER_OBJECT, WORKER_INTERFACE, worker_vtable, h)) < 0)
                return r;
        return sd_bus_start(bus);
}

/* What is readable already is run before anything is answered. */
static int serve(Host *h)
{
        int r;

        for (;;) {
                r = sd_bus_process(h->ctx.bus, NULL);
                if (r > 0 && h->n_answers < ROUND_MAX && !h->ctx.job)
                        continue;
                if (r < 0)
                        return r;
                if (r == 0 || h->n_answers > 0) {
                        r = commit(h);
                        if (r < 0)
                                return r;
                }
                idle = true;
                if (ctx_cancelled)
                        return 0;
                r = sd_bus_wait(h->ctx.bus, UINT64_MAX);
                idle = false;
                if (r < 0 && r != -EINTR)
                        return r;
        }
}

static int run_worker(const char *backend, const char *directory, bool job)
{
        static Host host = {
                .ctx = { .volume = "", .lock_fd = -EBADF, .intent_fd = -EBADF, .kept_fd = -EBADF }
        };
        const struct sigaction terminate = { .sa_handler = on_terminate };
        int r;

        host.ctx.backend_directory = directory;
        host.ctx.job = job;
        if (die_with_peer(WORKER_FD) < 0)
                return EXIT_FAILURE;
        (void)sigaction(SIGTERM, &terminate, NULL);
        (void)signal(SIGPIPE, SIG_IGN);
        /* A backend that does not load is told as the answer to the first call. */
        if (backend && module_load(directory, backend, &host.ctx.backend, &host.ctx.load_error) >= 0) {
                r = capabilities_narrow(host.ctx.backend->capabilities, job ? SANDBOX_CAPABILITIES : 0);
                if (r < 0)
                        return EXIT_FAILURE;
        }
        r = open_bus(&host, WORKER_FD);
        if (r >= 0)
                r = serve(&host);
        ctx_done(&host.ctx);
        if (r < 0 && r != -ENOTCONN && r != -ECONNRESET && r != -EPIPE) {
                fprintf(stderr, "poolkeeper-worker: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}

static int print_description(const char *directory)
{
        _cleanup_error_ Error e = ERROR_NULL;

        if (describe_print(directory, stdout, &e) >= 0)
                return EXIT_SUCCESS;
        fprintf(stderr, "poolkeeper-worker: %s\n", e.message);
        return EXIT_FAILURE;
}

static void print_line(Ctx *c, const char *line, void *userdata)
{
        puts(line);
}

/* Runs a tool as backends do, with the descriptors that we were given from 3 on. */
static int run_sandboxed(const char *const *argv)
{
        Ctx c = { .volume = "", .lock_fd = -EBADF, .intent_fd = -EBADF, .kept_fd = -EBADF, .job = true };
        CommandFd fds[COMMAND_FDS_MAX];
        Command command = { .argv = argv, .fds = fds, .sandbox = true, .output_line = print_line };
        int r;

        for (int fd = 3; fd < 3 + (int)ELEMENTSOF(fds); fd++)
                if (fcntl(fd, F_GETFD) >= 0)
                        fds[command.n_fds++] = (CommandFd){ fd, fd };
        r = command_run(&c, &command, NULL);
        if (r < 0)
                fprintf(stderr, "poolkeeper-worker: %s\n", c.error.message ?: strerror(-r));
        ctx_done(&c);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int help(void)
{
        printf("poolkeeper-worker [--session|--job] BACKEND   serve one backend on descriptor %d\n"
               "poolkeeper-worker --describe [--socket]       tell what the backends can do (JSON, or on "
               "descriptor %d)\n"
               "poolkeeper-worker --sandbox -- TOOL [ARG...]  run an image tool on the descriptors from 3 "
               "on, shut in\n"
               "poolkeeper-worker --endpoint                  serve one client, as the socket on standard "
               "input "
               "says\n"
               "\n"
               "  --backend-dir=DIR  where the backends are (%s)\n"
               "  --help  --version\n"
               "\n"
               "It is started by poolkeeperd(8) and of no use by itself.\n",
               WORKER_FD, WORKER_FD, BACKEND_DIR);
        return EXIT_SUCCESS;
}

enum {
        ARG_JOB = 256,
        ARG_SESSION,
        ARG_BACKEND_DIR,
        ARG_DESCRIBE,
        ARG_SOCKET,
        ARG_SANDBOX,
        ARG_ENDPOINT,
        ARG_HELP,
        ARG_VERSION
};

static const struct option long_options[] = {
        { "job", no_argument, NULL, ARG_JOB },
        { "session", no_argument, NULL, ARG_SESSION },
        { "backend-dir", required_argument, NULL, ARG_BACKEND_DIR },
        { "describe", no_argument, NULL, ARG_DESCRIBE },
        { "socket", no_argument, NULL, ARG_SOCKET },
        { "sandbox", no_argument, NULL, ARG_SANDBOX },
        { "endpoint", no_argument, NULL, ARG_ENDPOINT },
        { "help", no_argument, NULL, ARG_HELP },
        { "version", no_argument, NULL, ARG_VERSION },
        {},
};

/* A worker that is not where it would be installed finds its backends beside itself. NULL: out of memory. */
static char *default_directory(void)
{
        char path[4096], *slash;
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

        if (n <= 0)
                return strdup(BACKEND_DIR);
        path[n] = '\0';
        slash = strrchr(path, '/');
        if (streq(path, WORKER_PATH) || !slash)
                return strdup(BACKEND_DIR);
        *slash = '\0';
        return strdup(path);
}

int main(int argc, char *argv[])
{
        _cleanup_free_ char *directory = NULL;
        bool job = false, describe = false, on_socket = false, sandbox = false;
        int o;

        while ((o = getopt_long(argc, argv, "+", long_options, NULL)) >= 0)
                switch (o) {
                case ARG_JOB:
                        job = true;
                        break;
                case ARG_SESSION:
                        job = false;
                        break;
                case ARG_BACKEND_DIR:
                        if (free_and_strdup(&directory, optarg) < 0)
                                return EXIT_FAILURE;
                        break;
                case ARG_DESCRIBE:
                        describe = true;
                        break;
                case ARG_SOCKET:
                        on_socket = true;
                        break;
                case ARG_SANDBOX:
                        sandbox = true;
                        break;
                case ARG_ENDPOINT:
                        return endpoint_main();
                case ARG_HELP:
                        return help();
                case ARG_VERSION:
                        puts("poolkeeper-worker " PROJECT_VERSION);
                        return EXIT_SUCCESS;
                default:
                        return EXIT_FAILURE;
                }
        if (sandbox && optind < argc)
                return run_sandboxed((const char *const *)argv + optind);
        if (!directory)
                directory = default_directory();
        if (!directory)
                return EXIT_FAILURE;
        if (describe && !on_socket)
                return print_description(directory);
        if (!describe && optind + 1 != argc) {
                fprintf(stderr, "poolkeeper-worker: give one backend's name; see --help\n");
                return EXIT_FAILURE;
        }
        return run_worker(describe ? NULL : argv[optind], directory, job);
}
