/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A real poolkeeper-worker over a socketpair, with the backend that fails as it is told
 * (tests/fake/fake-backend.c). Usage: test-host WORKER */
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "directory.h"
#include "util/fileio.h"
#include "worker-client.h"

static char *worker;
static char pool_directory[128];

#define SESSION ((const char *const[]){ "--session", "fake", NULL })
#define JOB ((const char *const[]){ "--job", "fake", NULL })

/* A worker of the pool with this fault ("KIND OPERATION"; NULL: none). */
static void start(Client *c, const char *const *args, const char *fault)
{
        _cleanup_bag_ Bag *extra = bag_new();

        CHECK_OK(bag_set_string(extra, "fault", fault));
        CHECK_OK(client_start(c, worker, args));
        CHECK_OK(client_configure(c, "p", pool_directory, args == JOB ? "7" : "", extra));
}

static Bag *capacity(uint64_t size)
{
        Bag *b = bag_new();

        CHECK_OK(bag_set_u64(b, "capacity", size));
        return b;
}

static bool is_there(const char *name)
{
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/%s", pool_directory, name);
        return access(path, F_OK) == 0;
}

/* How many entries a directory below the pool's path has, e.g. ".state/intents". */
static unsigned count_entries(const char *suffix)
{
        _cleanup_free_ char *path = NULL;
        struct dirent *entry;
        unsigned n = 0;
        DIR *d;

        CHECK(asprintf(&path, "%s%s", pool_directory, suffix) >= 0);
        d = opendir(path);
        if (!d)
                return 0;
        while ((entry = readdir(d)))
                n += *entry->d_name != '.';
        closedir(d);
        return n;
}

static void describe(void)
{
        _cleanup_bag_ Bag *result = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        const Value *list;
        bool found = false;
        Client c;

        CHECK_OK(client_start(&c, worker, (const char *const[]){ "--describe", "--socket", NULL }));
        CHECK_OK(client_call(&c, "describe", "", NULL, &result, &e));
        list = bag_get_bags(result, "backends");
        CHECK(list);
        for (size_t i = 0; i < list->n_bags; i++) {
                const Bag *b = list->bags[i];

                if (!streq(bag_get_string(b, "name"), "fake"))
                        continue;
                found = true;
                CHECK(bag_get_bool(b, "available", false));
                CHECK(strv_contains(bag_get_strv(b, "features"), "volume-delete"));
                CHECK(!strv_contains(bag_get_strv(b, "features"), "discover"));
                CHECK_STREQ(bag_get_strv(b, "create-formats")[0], "raw");
                CHECK_STREQ(bag_get_strv(b, "capabilities")[0], "cap_dac_override");
                CHECK(bag_get_bags(b, "pool-options")->n_bags > 3);
        }
        CHECK(found);
        CHECK_ERROR(client_call(&c, "start", "", NULL, NULL, &e), &e, ERROR_INVALID_ARGS);
        CHECK_EQ(client_end(&c), 0);
}

static void volumes(void)
{
        _cleanup_bag_ Bag *size = capacity(1 << 20), *result = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        Client c;

        CHECK_OK(client_start(&c, worker, SESSION));
        CHECK_ERROR(client_call(&c, "create", "a", size, NULL, &e), &e,
                    ERROR_INVALID_ARGS); /* not configured */
        CHECK_OK(client_configure(&c, "p", pool_directory, "", NULL));
        CHECK_ERROR(client_call(&c, "no-such", "", NULL, NULL, &e), &e, ERROR_INVALID_ARGS);
        CHECK_OK(client_call(&c, "create", "a", size, &result, &e));
        CHECK(bag_get_u64(result, "capacity", 0) > 0 && bag_has(result, "available") &&
              bag_has(result, "allocation"));
        CHECK_EQ(c.n_changed, 1u);
        CHECK_ERROR(client_call(&c, "create", "a", size, NULL, &e), &e, ERROR_VOLUME_EXISTS);
        CHECK_OK(client_call(&c, "stat", "a", NULL, NULL, &e));
        CHECK_EQ(c.n_changed, 2u);
        CHECK_OK(client_call(&c, "remove", "a", NULL, NULL, &e));
        CHECK_EQ(c.n_vanished, 1u);
        CHECK(!is_there("a"));
        CHECK_ERROR(client_call(&c, "remove", "a", NULL, NULL, &e), &e, ERROR_NO_SUCH_VOLUME);
        CHECK_ERROR(client_call(&c, "access", "b", NULL, NULL, &e), &e, ERROR_NOT_SUPPORTED);
        CHECK_EQ(client_end(&c), 0);
        CHECK_EQ(count_entries(".run/lock/p"), 0u);
}

/* Calls that wait together are answered in their order, each with its own result. */
static void waiting_calls(void)
{
        _cleanup_bag_ Bag *size = capacity(4096);
        uint64_t cookies[100], cookie;
        Client c;

        start(&c, SESSION, NULL);
        for (size_t i = 0; i < ELEMENTSOF(cookies); i++) {
                char name[16];

                (void)snprintf(name, sizeof(name), "w%zu", i % 50); /* the second half fails */
                CHECK_OK(client_send(&c, "create", name, size, &cookies[i]));
        }
        for (size_t i = 0; i < ELEMENTSOF(cookies); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
                _cleanup_error_ Error e = ERROR_NULL;

                CHECK_EQ(client_wait(&c, &m), 1);
                CHECK_OK(sd_bus_message_get_reply_cookie(m, &cookie));
                CHECK_EQ(cookie, cookies[i]);
                if (i < 50)
                        CHECK_OK(client_read(&c, m, NULL, &e));
                else
                        CHECK_ERROR(client_read(&c, m, NULL, &e), &e, ERROR_VOLUME_EXISTS);
        }
        for (unsigned i = 0; i < 50; i++) {
                char name[16];

                (void)snprintf(name, sizeof(name), "w%u", i);
                CHECK_OK(client_call(&c, "remove", name, NULL, NULL, NULL));
        }
        CHECK_EQ(client_end(&c), 0);
}

/* More records than one message takes go ahead of the reply. */
static void refresh(void)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Client c;

        for (unsigned i = 0; i < 1234; i++) {
                char path[256];
                int fd;

                (void)snprintf(path, sizeof(path), "%s/r%u", pool_directory, i);
                fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
                CHECK_OK(fd);
                safe_close(fd);
        }
        start(&c, JOB, NULL);
        CHECK_OK(client_call(&c, "refresh", "", NULL, NULL, &e));
        CHECK_EQ(c.n_changed, 1234u);
        CHECK_EQ(c.n_messages, 2u);
        CHECK_EQ(client_end(&c), 0);
        for (unsigned i = 0; i < 1234; i++) {
                char path[256];

                (void)snprintf(path, sizeof(path), "%s/r%u", pool_directory, i);
                CHECK_OK(unlink(path));
        }
}

static void needs_job(void)
{
        _cleanup_bag_ Bag *size = capacity(4096);
        _cleanup_error_ Error e = ERROR_NULL;
        Client c;

        start(&c, SESSION, "job create");
        CHECK_EQ(client_call(&c, "create", "j", size, NULL, &e), -EREMOTE);
        CHECK(!is_there("j"));
        CHECK_EQ(client_end(&c), 0);
        start(&c, JOB, "job create");
        CHECK_OK(client_call(&c, "create", "j", size, NULL, &e));
        CHECK_EQ(c.n_ready, 1u);
        CHECK_OK(client_call(&c, "remove", "j", NULL, NULL, &e));
        CHECK_EQ(client_end(&c), 0);
        CHECK_EQ(count_entries(".run/lock/p"), 0u);
}

/* Waits until the running call says that it has begun. */
static void wait_ready(Client *c)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        while (c->n_ready == 0)
                CHECK_EQ(client_wait(c, &m), 0);
}

static void cancel_of(const char *fault)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_bag_ Bag *size = capacity(4096);
        _cleanup_error_ Error e = ERROR_NULL;
        Client c;
        int r;

        start(&c, JOB, fault);
        CHECK_OK(client_send(&c, "create", "slow", size, NULL));
        wait_ready(&c);
        (void)usleep(300000);
        CHECK_OK(kill(-c.pid, SIGTERM));
        while ((r = client_wait(&c, &m)) == 0)
                ;
        CHECK_EQ(r, 1);
        CHECK_ERROR(client_read(&c, m, NULL, &e), &e, ERROR_CANCELLED);
        if (streq(fault, "slow create"))
                CHECK(c.n_progress >= 2 && c.n_progress <= 10); /* ten a second at most */
        CHECK_EQ(client_end(&c), 0);
        CHECK(!is_there("slow"));
        CHECK_EQ(count_entries(".run/lock/p"), 0u);
}

static void cancel(void)
{
        cancel_of("slow create");
        cancel_of("tool create");
}

static void idle_worker_ends_on_sigterm(void)
{
        struct pollfd p;
        Client c;

        start(&c, JOB, NULL);
        CHECK_OK(kill(c.pid, SIGTERM));
        p = (struct pollfd){ .fd = c.pidfd, .events = POLLIN };
        CHECK_EQ(poll(&p, 1, 2000), 1);
        CHECK_EQ(client_end(&c), 0);
}

static void crash(void)
{
        _cleanup_bag_ Bag *size = capacity(4096);
        Client c;

        start(&c, SESSION, "crash create");
        CHECK_EQ(client_call(&c, "create", "x", size, NULL, NULL), -ECONNRESET);
        CHECK(WIFSIGNALED(client_end(&c)));
}

static void hang(void)
{
        _cleanup_bag_ Bag *size = capacity(4096);
        struct pollfd p;
        Client c;

        start(&c, SESSION, "hang create");
        CHECK_OK(client_send(&c, "create", "x", size, NULL));
        CHECK_OK(sd_bus_flush(c.bus));
        p = (struct pollfd){ .fd = c.pidfd, .events = POLLIN };
        (void)usleep(200000); /* it has begun */
        CHECK_OK(kill(-c.pid, SIGTERM));
        CHECK_EQ(poll(&p, 1, 300), 0);
        CHECK_OK(kill(-c.pid, SIGKILL));
        CHECK_EQ(poll(&p, 1, 2000), 1);
        (void)client_end(&c);
}

/* What a worker says is outside data: the reader refuses it. */
static void lies(void)
{
        Client c;

        start(&c, JOB, "lie refresh");
        CHECK_OK(client_call(&c, "refresh", "", NULL, NULL, NULL));
        CHECK_EQ(c.n_bad, 1u);
        CHECK_EQ(c.n_changed, 0u);
        CHECK_EQ(client_end(&c), 0);
}

/* A worker that died left a half-made volume and how to undo it. */
static void undo(void)
{
        _cleanup_bag_ Bag *size = capacity(4096);
        _cleanup_error_ Error e = ERROR_NULL;
        Client c;

        for (unsigned i = 0; i < 2; i++) {
                start(&c, JOB, "intent create");
                CHECK_EQ(client_call(&c, "create", i ? "half 2" : "half\t1\\", size, NULL, NULL),
                         -ECONNRESET);
                CHECK(WIFSIGNALED(client_end(&c)));
        }
        CHECK(is_there("half\t1\\") && is_there("half 2"));
        CHECK_EQ(count_entries(".state/intents"), 2u);
        start(&c, JOB, NULL); /* of one volume, then of all */
        CHECK_OK(client_call(&c, "undo", "half 2", NULL, NULL, &e));
        CHECK(is_there("half\t1\\") && !is_there("half 2"));
        CHECK_EQ(count_entries(".state/intents"), 1u);
        CHECK_OK(client_call(&c, "undo", "", NULL, NULL, &e));
        CHECK(!is_there("half\t1\\"));
        CHECK_EQ(count_entries(".state/intents"), 0u);
        CHECK_OK(client_call(&c, "undo", "", NULL, NULL, &e)); /* nothing is left to do */
        CHECK_EQ(client_end(&c), 0);
}

/* A tool that outlives its worker keeps the volume fenced off. */
static void fence(void)
{
        _cleanup_bag_ Bag *size = capacity(4096);
        _cleanup_error_ Error e = ERROR_NULL;
        Client c, other;
        pid_t group;

        start(&c, JOB, "orphan create");
        CHECK_OK(client_call(&c, "create", "fenced", size, NULL, &e));
        CHECK_EQ(client_end(&c), 0);
        start(&other, SESSION, NULL);
        CHECK_ERROR(client_call(&other, "remove", "fenced", NULL, NULL, &e), &e, ERROR_BUSY);
        CHECK_EQ(client_end(&other), 0);
        (void)usleep(1200000);

        start(&c, JOB, "slow resize");
        CHECK_OK(client_send(&c, "resize", "fenced", size, NULL));
        wait_ready(&c);
        start(&other, SESSION, NULL);
        CHECK_ERROR(client_call(&other, "remove", "fenced", NULL, NULL, &e), &e, ERROR_BUSY);
        CHECK_ERROR(client_call(&other, "resize", "fenced", size, NULL, &e), &e, ERROR_BUSY);
        CHECK_OK(client_call(&other, "stat", "fenced", NULL, NULL, &e));
        CHECK_OK(client_call(&other, "create", "free", size, NULL, &e));
        CHECK_OK(client_call(&other, "remove", "free", NULL, NULL, &e));
        group = c.pid;
        CHECK_OK(kill(-group, SIGKILL));
        (void)client_end(&c);
        CHECK_EQ(count_entries(".run/lock/p"), 1u); /* stale: the next one takes it away */
        CHECK_OK(client_call(&other, "remove", "fenced", NULL, NULL, &e));
        CHECK_EQ(count_entries(".run/lock/p"), 0u);
        CHECK_EQ(client_end(&other), 0);
}

/* The daemon is killed: no worker and no tool of it lives on. */
static void dies_with_daemon(void)
{
        struct pollfd p;
        int pipe_fds[2], status;
        pid_t daemon, pid;

        CHECK_OK(pipe2(pipe_fds, O_CLOEXEC));
        daemon = fork();
        if (daemon == 0) {
                _cleanup_bag_ Bag *size = capacity(4096);
                Client c;

                start(&c, JOB, "hang create");
                CHECK_OK(client_send(&c, "create", "x", size, NULL));
                CHECK_OK(sd_bus_flush(c.bus));
                CHECK_EQ(write(pipe_fds[1], &c.pid, sizeof(c.pid)), (ssize_t)sizeof(c.pid));
                (void)pause();
        }
        CHECK_EQ(read(pipe_fds[0], &pid, sizeof(pid)), (ssize_t)sizeof(pid));
        p = (struct pollfd){ .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
        CHECK_OK(p.fd);
        CHECK_OK(kill(daemon, SIGKILL));
        CHECK_EQ(waitpid(daemon, &status, 0), daemon);
        CHECK_EQ(poll(&p, 1, 2000), 1);
        safe_close(p.fd);
        safe_close(pipe_fds[0]);
        safe_close(pipe_fds[1]);
}

/* Of root's capabilities it keeps what its backend declares, a job worker also what the sandbox needs. */
static void capabilities(void)
{
        _cleanup_free_ char *session = NULL, *job = NULL;
        char path[64], wanted[64];
        Client c;

        if (geteuid() != 0)
                SKIP("not root");
        start(&c, SESSION, NULL);
        (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)c.pid);
        CHECK_OK(read_file_at(AT_FDCWD, path, 65536, &session, NULL));
        CHECK_EQ(client_end(&c), 0);
        (void)snprintf(wanted, sizeof(wanted), "CapEff:\t%016x\nCapBnd:\t%016x\n", 1u << CAP_DAC_OVERRIDE,
                       1u << CAP_DAC_OVERRIDE);
        CHECK(strstr(session, wanted));
        start(&c, JOB, NULL);
        (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)c.pid);
        CHECK_OK(read_file_at(AT_FDCWD, path, 65536, &job, NULL));
        CHECK_EQ(client_end(&c), 0);
        CHECK(!strstr(job, wanted) && !strstr(job, "CapEff:\t000001ffffffffff"));
}

/* The reason is the answer to the first call. */
static void no_such_backend(void)
{
        static const char *const names[] = { "../fake", "no-such", "" };

        FOREACH_ELEMENT (name, names) {
                _cleanup_error_ Error e = ERROR_NULL;
                Client c;

                CHECK_OK(client_start(&c, worker, (const char *const[]){ "--session", *name, NULL }));
                CHECK(client_call(&c, "configure", "", NULL, NULL, &e) < 0);
                CHECK(e.kind == ERROR_BACKEND_UNAVAILABLE || e.kind == ERROR_INVALID_ARGS);
                CHECK(strstr(e.message, *name));
                CHECK_EQ(client_end(&c), 0);
        }
}

int main(int argc, char *argv[])
{
        if (argc != 2) {
                fprintf(stderr, "usage: test-host WORKER\n");
                return 1;
        }
        worker = realpath(argv[1], NULL); /* we leave this directory */
        CHECK(worker);
        test_directory();
        (void)snprintf(pool_directory, sizeof(pool_directory), "%s/pool", test_directory_path);
        CHECK_OK(mkdir(pool_directory, 0755));
        RUN(describe);
        RUN(volumes);
        RUN(waiting_calls);
        RUN(refresh);
        RUN(needs_job);
        RUN(cancel);
        RUN(idle_worker_ends_on_sigterm);
        RUN(crash);
        RUN(hang);
        RUN(lies);
        RUN(undo);
        RUN(fence);
        RUN(dies_with_daemon);
        RUN(capabilities);
        RUN(no_such_backend);
        free(worker);
        return 0;
}
