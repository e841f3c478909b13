/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The delay lock of logind, and what its announcement of a shutdown means. The test plays logind. */
#include "fake-worker.h"
#include "peer.h"
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "job.h"

#define POOL "/org/example/Storage/pool/images"
#define LOGIND "org.freedesktop.login1"

static Peer peer;
static unsigned n_locks;
static int watched;            /* closed at its other end: the lock was given back */
static bool absent, hesitates; /* there is no logind; it does not answer yet */
static sd_bus_message *unanswered;

static int give_lock(sd_bus_message *m)
{
        int fds[2], r;

        CHECK_OK(pipe2(fds, O_CLOEXEC));
        safe_close(watched);
        watched = fds[0];
        r = sd_bus_reply_method_return(m, "h", fds[1]);
        close(fds[1]);
        return r;
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
        const char *what, *who, *why, *mode;

        if (!sd_bus_message_is_method_call(m, LOGIND ".Manager", "Inhibit"))
                return 0;
        n_locks++;
        CHECK_OK(sd_bus_message_read(m, "ssss", &what, &who, &why, &mode));
        CHECK_STREQ(what, "shutdown");
        CHECK_STREQ(mode, "delay");
        CHECK(sd_bus_message_get_auto_start(m) == 0);
        if (absent)
                return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_SERVICE_UNKNOWN, "there is none");
        if (hesitates)
                unanswered = sd_bus_message_ref(m);
        else
                CHECK_OK(give_lock(m));
        return 1;
}

static void begin(bool user_mode)
{
        peer_open(&peer);
        CHECK_OK(sd_bus_add_filter(peer.client, NULL, on_message, NULL));
        peer.worker = FAKE_WORKER;
        peer.uid = user_mode ? geteuid() : 0;
        peer_show(&peer, user_mode);
        peer_add_pool(&peer, "images", 1);
        n_locks = 0;
        watched = -EBADF;
        absent = hesitates = false;
}

static void end(void)
{
        peer_close(&peer);
        safe_close(watched);
}

static sd_bus_message *new_create(const char *name)
{
        sd_bus_message *m = peer_new_call(&peer, ":1.5", POOL, "org.example.Storage.Pool", "CreateVolume");

        CHECK_OK(sd_bus_message_append(m, "sta{sv}", name, UINT64_C(4096), 1, "wait", "b", 1));
        return m;
}

#define UNTIL(condition)                                               \
        do {                                                           \
                for (unsigned _i = 0; !(condition) && _i < 500; _i++)  \
                        CHECK_OK(sd_event_run(peer.event, 10 * 1000)); \
                CHECK(condition);                                      \
        } while (0)

static bool given_back(void)
{
        struct pollfd p = { .fd = watched };

        return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP);
}

/* A job that moves bytes until it is cancelled. */
static Job *start_job(sd_bus_message **reply)
{
        Job *j;

        peer_send(&peer, new_create("mute"), reply);
        UNTIL(hashmap_size(peer.manager->jobs) == 1);
        CHECK_OK(manager_find_job(peer.manager, 1, &j, NULL));
        UNTIL(j->announced);
        return j;
}

static void end_job(Job *j, sd_bus_message **reply)
{
        CHECK_OK(job_cancel(j, NULL));
        UNTIL(*reply);
        sd_bus_message_unref(*reply);
        peer_settle(&peer);
}

static void lock_while_bytes_move(void)
{
        sd_bus_message *reply;
        Job *j;

        begin(false);
        sd_bus_message_unref(peer_call(&peer, new_create("quick")));
        CHECK_EQ(n_locks, 0);
        end();
        begin(false);
        j = start_job(&reply);
        UNTIL(n_locks == 1 && watched >= 0);
        peer_settle(&peer);
        CHECK(!given_back());
        end_job(j, &reply);
        CHECK_EQ(n_locks, 1);
        CHECK(given_back());
        end();
}

static void without_logind(void)
{
        sd_bus_message *reply;
        Job *j;

        begin(false);
        absent = true;
        j = start_job(&reply);
        UNTIL(n_locks == 1);
        peer_settle(&peer);
        CHECK_EQ(j->state, JOB_RUNNING);
        end_job(j, &reply);
        end();
}

static void lock_that_comes_late(void)
{
        sd_bus_message *reply;
        Job *j;

        begin(false);
        hesitates = true;
        j = start_job(&reply);
        UNTIL(unanswered);
        end_job(j, &reply);
        CHECK_OK(give_lock(unanswered));
        unanswered = sd_bus_message_unref(unanswered);
        UNTIL(given_back());
        end();
}

static void user_mode_asks_for_none(void)
{
        sd_bus_message *reply;
        Job *j;

        begin(true);
        j = start_job(&reply);
        peer_settle(&peer);
        CHECK_EQ(n_locks, 0);
        end_job(j, &reply);
        end();
}

static void announce(const char *sender, bool begins)
{
        sd_bus_message *m;

        CHECK_OK(sd_bus_message_new_signal(peer.client, &m, "/org/freedesktop/login1", LOGIND ".Manager",
                                           "PrepareForShutdown"));
        CHECK_OK(sd_bus_message_set_sender(m, sender));
        CHECK_OK(sd_bus_message_append(m, "b", begins));
        CHECK_OK(sd_bus_send(peer.client, m, NULL));
        sd_bus_message_unref(m);
        peer_settle(&peer);
}

static void check_create(const char *name, const char *error)
{
        sd_bus_message *reply = peer_call(&peer, new_create(name));

        CHECK_STREQ(peer_error(reply), error);
        sd_bus_message_unref(reply);
}

/* What runs may end, nothing new is taken. */
static void shutdown_announced(void)
{
        sd_bus_message *reply;
        Job *j;

        begin(false);
        j = start_job(&reply);
        UNTIL(watched >= 0);
        announce(":1.9", true);
        check_create("new", "org.example.Storage.Error.Failed");
        CHECK_EQ(j->state, JOB_RUNNING);
        CHECK(!given_back());
        end_job(j, &reply);
        CHECK(given_back());
        announce(":1.9", false);
        check_create("new", NULL);
        end();
}

/* Every user may send us signals. */
static void announced_by_anybody(void)
{
        begin(false);
        peer.uid = 1000;
        announce(":1.66", true);
        peer.uid = 0;
        check_create("new", NULL);
        end();
}

int main(int argc, char **argv)
{
        fake_worker_main(argc, argv);
        RUN(lock_while_bytes_move);
        RUN(without_logind);
        RUN(lock_that_comes_late);
        RUN(user_mode_asks_for_none);
        RUN(shutdown_announced);
        RUN(announced_by_anybody);
        return 0;
}
