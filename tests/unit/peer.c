/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "peer.h"

#include "test.h"

#include <ftw.h>
#include <signal.h>
#include <sys/socket.h>
#include <systemd/sd-id128.h>

#include "util/fileio.h"
#include "util/log.h"

#define DRIVER "org.freedesktop.DBus"

static int answer_driver(Peer *p, sd_bus_message *m)
{
        if (!sd_bus_message_is_method_call(m, DRIVER, "GetConnectionUnixUser"))
                return sd_bus_reply_method_return(m, NULL);
        p->n_lookups++;
        if (p->uid == (uid_t)-1)
                return sd_bus_reply_method_errorf(m, DRIVER ".Error.NameHasNoOwner",
                                                  "There is nobody of that name");
        return sd_bus_reply_method_return(m, "u", (uint32_t)p->uid);
}

static int on_client_message(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
        const char *destination = sd_bus_message_get_destination(m);
        Peer *p = userdata;

        if (!sd_bus_message_is_method_call(m, NULL, NULL) || !destination)
                return 0;
        if (streq(destination, DRIVER))
                return answer_driver(p, m) < 0 ? -EIO : 1;
        if (!streq(destination, "org.freedesktop.PolicyKit1"))
                return 0;
        p->n_questions++;
        if (p->on_question)
                p->on_question(p, m);
        else
                CHECK_OK(sd_bus_reply_method_errorf(m, DRIVER ".Error.ServiceUnknown",
                                                    "polkit is not installed"));
        return 1;
}

static sd_bus *open_end(sd_event *event, int fd, bool server)
{
        sd_id128_t id;
        sd_bus *bus;

        CHECK_OK(sd_id128_randomize(&id));
        CHECK_OK(sd_bus_new(&bus));
        CHECK_OK(sd_bus_set_fd(bus, fd, fd));
        if (server)
                CHECK_OK(sd_bus_set_server(bus, true, id));
        CHECK_OK(sd_bus_set_anonymous(bus, true));
        CHECK_OK(sd_bus_negotiate_fds(bus, true));
        CHECK_OK(sd_bus_start(bus));
        CHECK_OK(sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL));
        return bus;
}

void peer_open(Peer *p)
{
        int pair[2];

        *p = (Peer){ .uid = 1000 };
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
        CHECK_OK(sd_event_new(&p->event));
        p->server = open_end(p->event, pair[0], true);
        p->client = open_end(p->event, pair[1], false);
        CHECK_OK(sd_bus_add_filter(p->client, NULL, on_client_message, p));
        peer_settle(p);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
        return remove(path);
}

void peer_close(Peer *p)
{
        bus_free(p->bus);
        manager_free(p->manager);
        sd_bus_close_unref(p->server);
        sd_bus_close_unref(p->client);
        sd_event_unref(p->event);
        if (*p->directory)
                CHECK_EQ(nftw(p->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
        for (size_t i = 0; i < ELEMENTSOF(p->subdirectories); i++)
                free(p->subdirectories[i]);
}

void peer_show(Peer *p, bool user_mode)
{
        static const char *const names[] = { "pools", "state", "run" };
        ManagerConfig config = { .user_mode = user_mode,
                                 .worker = p->worker ?: "/nonexistent/worker",
                                 .deadline_usec = 5 * 1000 * 1000,
                                 .kill_usec = 1000 * 1000 };
        sigset_t children;
        Error e = ERROR_NULL;

        sigemptyset(&children);
        sigaddset(&children, SIGCHLD); /* as sd-event asks for */
        CHECK_OK(sigprocmask(SIG_BLOCK, &children, NULL));
        CHECK_OK(log_set_target("null"));
        /* In memory where that goes: definitions are made durable. */
        snprintf(p->directory, sizeof(p->directory), "%s/poolkeeper-XXXXXX",
                 access("/dev/shm", W_OK) >= 0 ? "/dev/shm" : "/tmp");
        CHECK(mkdtemp(p->directory));
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                CHECK(asprintf(p->subdirectories + i, "%s/%s", p->directory, names[i]) >= 0);
        config.pool_directory = p->subdirectories[0];
        config.state_directory = p->subdirectories[1];
        config.runtime_directory = p->subdirectories[2];
        CHECK_OK(manager_new(p->event, &config, &p->manager));
        CHECK_OK(backends_load(config.worker, NULL, &p->manager->backends, &e));
        CHECK_OK(bus_new_on(p->manager, p->server, user_mode, &p->bus, &e));
        peer_settle(p);
}

void peer_add_volume(Pool *p, size_t i)
{
        bool added, changed;
        char name[32];
        Volume *v;

        snprintf(name, sizeof(name), "v%06zu", i);
        VolumeInfo info = {
                .name = name,
                .format = i % 2 ? FORMAT_QCOW2 : FORMAT_RAW,
                .detected = FORMAT_RAW,
                .capacity = (i % 7) << 20,
                .allocation = 4096,
                .physical = (i % 7) << 20,
                .mtime_usec = i,
                .creator = 1000,
                .mode = 0600,
        };
        CHECK_OK(volume_table_put(p->volumes, &info, ++p->generation, &v, &added, &changed));
        manager_count_volumes(p->manager, 1);
}

Pool *peer_add_pool(Peer *p, const char *name, size_t n_volumes)
{
        const BackendInfo *backend = backends_find(p->manager->backends, "dir");
        Error e = ERROR_NULL;
        Bag *options = bag_new();
        Definition *d;
        Pool *pool;

        CHECK_OK(bag_set_stringf(options, "target.path", "/nonexistent/%s", name));
        CHECK_OK(definition_from_bag(name, "dir", options, &backend->pool_options, &d, &e));
        bag_free(options);
        pool = pool_new(p->manager, d, backend);
        CHECK(pool);
        CHECK_OK(hashmap_put(p->manager->pools, name, pool));
        pool->persistent = true;
        pool->state = POOL_ACTIVE;
        p->manager->observer.pool_added(pool, p->manager->observer_data);
        for (size_t i = 0; i < n_volumes; i++)
                peer_add_volume(pool, i);
        peer_settle(p);
        return pool;
}

void peer_settle(Peer *p)
{
        while (sd_event_run(p->event, 0) > 0)
                ;
}

sd_bus_message *peer_new_call(Peer *p, const char *sender, const char *path, const char *interface,
                              const char *member)
{
        sd_bus_message *m;

        CHECK_OK(sd_bus_message_new_method_call(p->client, &m, BUS_NAME, path, interface, member));
        CHECK_OK(sd_bus_message_set_sender(m, sender));
        return m;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
        sd_bus_message **reply = userdata;

        *reply = sd_bus_message_ref(m);
        return 1;
}

void peer_send(Peer *p, sd_bus_message *call, sd_bus_message **reply)
{
        *reply = NULL;
        CHECK_OK(sd_bus_call_async(p->client, NULL, call, on_reply, reply, UINT64_MAX));
        sd_bus_message_unref(call);
}

sd_bus_message *peer_call(Peer *p, sd_bus_message *call)
{
        uint64_t end = now_usec(CLOCK_MONOTONIC) + 30 * 1000 * 1000;
        sd_bus_message *reply;

        peer_send(p, call, &reply);
        while (!reply && now_usec(CLOCK_MONOTONIC) < end)
                CHECK_OK(sd_event_run(p->event, 100 * 1000));
        CHECK(reply);
        return reply;
}

void peer_leave(Peer *p, const char *sender)
{
        sd_bus_message *m;

        CHECK_OK(sd_bus_message_new_signal(p->client, &m, "/org/freedesktop/DBus", DRIVER,
                                           "NameOwnerChanged"));
        CHECK_OK(sd_bus_message_set_sender(m, DRIVER));
        CHECK_OK(sd_bus_message_append(m, "sss", sender, sender, ""));
        CHECK_OK(sd_bus_send(p->client, m, NULL));
        sd_bus_message_unref(m);
        peer_settle(p);
}

const char *peer_error(sd_bus_message *reply)
{
        const sd_bus_error *e = sd_bus_message_get_error(reply);

        return e ? e->name : NULL;
}

void peer_answer(sd_bus_message *question, bool authorised, bool challenge)
{
        CHECK_OK(sd_bus_reply_method_return(question, "(bba{ss})", authorised, challenge, 0));
}

const char *peer_detail(sd_bus_message *question, const char *key)
{
        const char *k, *v, *found = NULL;

        CHECK_OK(sd_bus_message_rewind(question, true));
        CHECK_OK(sd_bus_message_skip(question, "(sa{sv})s"));
        CHECK_OK(sd_bus_message_enter_container(question, 'a', "{ss}"));
        while (sd_bus_message_read(question, "{ss}", &k, &v) > 0)
                if (streq(k, key))
                        found = v;
        return found;
}
