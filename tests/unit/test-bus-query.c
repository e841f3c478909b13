/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions to workers: of the session, of their own, and what becomes of them when something goes away meanwhile. */
#include "fake-worker.h"
#include "peer.h"
#include "test.h"

#include "bus-query.h"

#define ERROR_PREFIX "org.example.Storage.Error."

static Peer peer;
static Pool *images;

static void allow(Peer *p, sd_bus_message *question)
{
        peer_answer(question, true, false);
}

static void add_volume(const char *name)
{
        VolumeInfo info = { .name = name, .creator = 1000 };
        bool added, changed;
        Volume *v;

        CHECK_OK(volume_table_put(images->volumes, &info, ++images->generation, &v, &added, &changed));
        manager_count_volumes(peer.manager, 1);
}

static void begin(void)
{
        peer_open(&peer);
        peer.worker = FAKE_WORKER;
        peer.on_question = allow;
        peer_show(&peer, false);
        images = peer_add_pool(&peer, "images", 2);
        add_volume("mute");
        add_volume("empty");
        add_volume("dead");
}

static sd_bus_message *new_call(const char *method, const char *volume)
{
        char path[128];
        sd_bus_message *m;

        snprintf(path, sizeof(path), "/org/example/Storage/volume/images/%s", volume);
        m = peer_new_call(&peer, ":1.5", path, INTERFACE_VOLUME, method);
        CHECK_OK(sd_bus_message_append(m, "a{sv}", 1, "read-only", "b", 1));
        return m;
}

static void check_error(sd_bus_message *reply, const char *name)
{
        CHECK_STREQ(peer_error(reply), name);
        sd_bus_message_unref(reply);
}

static void step_until_asked(void)
{
        for (unsigned i = 0; !peer.bus->queries && i < 500; i++)
                CHECK_OK(sd_event_run(peer.event, 10 * 1000));
        CHECK(peer.bus->queries);
}

static sd_bus_message *await(sd_bus_message **reply)
{
        for (unsigned i = 0; !*reply && i < 500; i++)
                CHECK_OK(sd_event_run(peer.event, 10 * 1000));
        CHECK(*reply);
        return *reply;
}

static void endpoint(void)
{
        sd_bus_message *reply;
        const char *export;
        int fd, read_only;

        begin();
        reply = peer_call(&peer, new_call("OpenNBD", "v000000"));
        CHECK_STREQ(peer_error(reply), NULL);
        CHECK_OK(sd_bus_message_read(reply, "hsb", &fd, &export, &read_only));
        CHECK(fd >= 0);
        CHECK_STREQ(export, "disk");
        CHECK(read_only);
        CHECK(!peer.bus->queries);
        sd_bus_message_unref(reply);
        peer_close(&peer);
}

static void bad_workers(void)
{
        static const char *const methods[] = { "Open", "OpenNBD" };

        begin();
        FOREACH_ELEMENT (method, methods) {
                check_error(peer_call(&peer, new_call(*method, "empty")), ERROR_PREFIX "WorkerCrashed");
                check_error(peer_call(&peer, new_call(*method, "dead")), ERROR_PREFIX "WorkerCrashed");
        }
        CHECK(!peer.bus->queries);
        peer_close(&peer);
}

/* Workers of questions are no jobs, so that they have limits of their own. */
static void limits(void)
{
        sd_bus_message *replies[QUERY_WORKERS_PER_UID_MAX];

        begin();
        FOREACH_ELEMENT (reply, replies)
                peer_send(&peer, new_call("OpenNBD", "mute"), reply);
        check_error(peer_call(&peer, new_call("OpenNBD", "v000000")), SD_BUS_ERROR_LIMITS_EXCEEDED);
        FOREACH_ELEMENT (reply, replies)
                CHECK(!*reply);
        query_drop(peer.bus, images);
        FOREACH_ELEMENT (reply, replies)
                check_error(await(reply), ERROR_PREFIX "PoolInactive");
        check_error(peer_call(&peer, new_call("OpenNBD", "v000000")), NULL);
        peer_close(&peer);
}

/* Who was allowed to open one volume does not get another that took its name meanwhile. */
static void another_volume(void)
{
        sd_bus_message *reply;

        begin();
        peer_send(&peer, new_call("Open", "v000001"), &reply);
        step_until_asked();
        volume_table_get(images->volumes, "v000001")->creator = 7;
        check_error(await(&reply), ERROR_PREFIX "Changed");
        peer_send(&peer, new_call("Open", "v000001"), &reply);
        step_until_asked();
        CHECK(volume_table_remove(images->volumes, "v000001"));
        check_error(await(&reply), ERROR_PREFIX "NoSuchVolume");
        peer_close(&peer);
}

static void late(void)
{
        begin();
        peer.manager->config.deadline_usec = 300 * 1000;
        check_error(peer_call(&peer, new_call("OpenNBD", "mute")), ERROR_PREFIX "TimedOut");
        CHECK_EQ(images->state, POOL_ACTIVE);
        peer_close(&peer);
}

int main(int argc, char **argv)
{
        fake_worker_main(argc, argv);
        RUN(endpoint);
        RUN(bad_workers);
        RUN(limits);
        RUN(another_volume);
        RUN(late);
        return 0;
}
