/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What subscribers hear, and what they hear when they, or the bus, do not read. */
#include "bus-changes.h"

#include "bus-internal.h"
#include "peer.h"
#include "test.h"
#include "util/fileio.h"

static Peer peer;
static Pool *pool;
static unsigned n_added, n_removed, n_changed, n_reset;
static uint64_t last_generation;

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
        n_added += sd_bus_message_is_signal(m, NULL, "InterfacesAdded") > 0;
        n_removed += sd_bus_message_is_signal(m, NULL, "InterfacesRemoved") > 0;
        n_changed += sd_bus_message_is_signal(m, NULL, "PropertiesChanged") > 0;
        if (sd_bus_message_is_signal(m, INTERFACE_POOL, "VolumesReset") > 0) {
                n_reset++;
                CHECK_OK(sd_bus_message_read(m, "t", &last_generation));
        }
        return 0;
}

static void wait_for_signals(void)
{
        uint64_t end = now_usec(CLOCK_MONOTONIC) + 150 * 1000;

        while (now_usec(CLOCK_MONOTONIC) < end)
                CHECK_OK(sd_event_run(peer.event, 10 * 1000));
}

static void forget(void)
{
        wait_for_signals();
        n_added = n_removed = n_changed = n_reset = 0;
}

static Volume *volume(size_t i)
{
        char name[32];

        snprintf(name, sizeof(name), "v%06zu", i);
        return volume_table_get(pool->volumes, name);
}

static const Observer *observer(void)
{
        return &peer.manager->observer;
}

static void changes_are_gathered(void)
{
        forget();
        for (unsigned i = 0; i < 100; i++) {
                observer()->volume_changed(volume(1), peer.bus);
                observer()->pool_changed(pool, peer.bus);
        }
        wait_for_signals();
        CHECK_EQ(n_changed, 2);
}

/* In each window of 20 ms at most one signal an object. */
static void changes_are_limited(void)
{
        uint64_t start = now_usec(CLOCK_MONOTONIC);

        forget();
        start = now_usec(CLOCK_MONOTONIC);
        while (now_usec(CLOCK_MONOTONIC) - start < 200 * 1000) {
                observer()->pool_changed(pool, peer.bus);
                CHECK_OK(sd_event_run(peer.event, 1000));
        }
        wait_for_signals();
        CHECK(n_changed >= 3 && n_changed <= 13);
}

static void added_and_removed(void)
{
        forget();
        observer()->volume_added(volume(2), peer.bus);
        wait_for_signals();
        CHECK_EQ(n_added, 1);
        observer()->volume_removed(pool, "v000002", peer.bus);
        wait_for_signals();
        CHECK_EQ(n_removed, 1);
        observer()->volume_added(volume(2), peer.bus);
        observer()->volume_removed(pool, "v000002", peer.bus);
        wait_for_signals();
        CHECK_EQ(n_added, 1); /* nobody heard of it */
        CHECK_EQ(n_removed, 1);
        observer()->volume_removed(pool, "v000002", peer.bus);
        observer()->volume_added(volume(2), peer.bus);
        wait_for_signals();
        CHECK_EQ(n_removed, 2); /* another one of that name */
        CHECK_EQ(n_added, 2);
}

static void a_reset_replaces_details(void)
{
        forget();
        for (size_t i = 0; i < 10; i++)
                observer()->volume_changed(volume(i), peer.bus);
        observer()->volumes_reset(pool, peer.bus);
        wait_for_signals();
        CHECK_EQ(n_reset, 1);
        CHECK_EQ(n_changed, 1); /* of the pool */
        CHECK_EQ(last_generation, pool->generation);
}

static void too_many_details_become_a_reset(void)
{
        forget();
        for (size_t i = 0; i < volume_table_size(pool->volumes); i++)
                observer()->volume_changed(volume(i), peer.bus);
        wait_for_signals();
        CHECK_EQ(n_reset, 1);
        CHECK(n_changed < volume_table_size(pool->volumes));
}

/* The other end does not read: our queue stays bounded, and what was missed is told in the end. */
static void a_stalled_bus(void)
{
        uint64_t queued;

        forget();
        CHECK_OK(sd_bus_detach_event(peer.client));
        for (unsigned round = 0; round < 60; round++) {
                for (size_t i = 0; i < 500; i++)
                        observer()->volume_changed(volume(i), peer.bus);
                changes_flush(peer.bus->changes);
                CHECK_OK(sd_event_run(peer.event, 1000));
        }
        CHECK_OK(sd_bus_get_n_queued_write(peer.server, &queued));
        CHECK(queued > 100 && queued < 2048);
        CHECK(changes_congested(peer.bus->changes));
        CHECK_OK(sd_bus_attach_event(peer.client, peer.event, SD_EVENT_PRIORITY_NORMAL));
        for (unsigned i = 0; i < 20 && n_reset == 0; i++)
                wait_for_signals();
        CHECK(n_reset > 0);
        CHECK(!changes_congested(peer.bus->changes));
        forget();
        observer()->volume_changed(volume(1), peer.bus);
        wait_for_signals();
        CHECK_EQ(n_changed, 1);
}

int main(void)
{
        peer_open(&peer);
        peer_show(&peer, false);
        pool = peer_add_pool(&peer, "images", 1500);
        CHECK_OK(sd_bus_add_filter(peer.client, NULL, on_signal, NULL));
        RUN(changes_are_gathered);
        RUN(changes_are_limited);
        RUN(added_and_removed);
        RUN(a_reset_replaces_details);
        RUN(too_many_details_become_a_reset);
        RUN(a_stalled_bus);
        peer_close(&peer);
        return 0;
}
