/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who gets past the door, and how errors come out. */
#include "bus.h"

#include "peer.h"
#include "test.h"

#define MANAGER "org.example.Storage.Manager"

static Peer peer;

static sd_bus_message *get_pool(const char *sender, const char *name)
{
        sd_bus_message *m = peer_new_call(&peer, sender, "/org/example/Storage", MANAGER, "GetPool");

        CHECK_OK(sd_bus_message_append(m, "s", name));
        return peer_call(&peer, m);
}

static void check_error(sd_bus_message *reply, const char *error)
{
        CHECK_STREQ(peer_error(reply), error);
        sd_bus_message_unref(reply);
}

static void everybody_may_read(void)
{
        peer_open(&peer);
        peer_show(&peer, false);
        peer_add_pool(&peer, "images", 1);
        check_error(get_pool(":1.5", "images"), NULL);
        check_error(get_pool(":1.5", "none"), "org.example.Storage.Error.NoSuchPool");
        CHECK_EQ(peer.n_lookups, 1);
        peer_leave(&peer, ":1.5");
        check_error(get_pool(":1.5", "images"), NULL);
        CHECK_EQ(peer.n_lookups, 2); /* names are not used twice, but uids are forgotten with them */
        peer_close(&peer);
}

static void user_mode_is_for_one(void)
{
        peer_open(&peer);
        peer_show(&peer, true);
        peer_add_pool(&peer, "images", 1);
        peer.uid = geteuid();
        check_error(get_pool(":1.5", "images"), NULL);
        peer.uid = geteuid() + 1;
        check_error(get_pool(":1.6", "images"), SD_BUS_ERROR_ACCESS_DENIED);
        CHECK_EQ(peer.n_questions, 0);
        peer_close(&peer);
}

static void nobody_is_nobody(void)
{
        peer_open(&peer);
        peer_show(&peer, false);
        peer.uid = (uid_t)-1;
        check_error(get_pool(":1.5", "images"), SD_BUS_ERROR_ACCESS_DENIED);
        peer_close(&peer);
}

/* Validation comes before polkit, polkit before everything else. */
static void order_of_checks(void)
{
        sd_bus_message *m;

        peer_open(&peer);
        peer_show(&peer, false);
        peer_add_pool(&peer, "images", 1);
        m = peer_new_call(&peer, ":1.5", "/org/example/Storage/pool/images", "org.example.Storage.Pool",
                          "CreateVolume");
        CHECK_OK(sd_bus_message_append(m, "sta{sv}", "new", UINT64_C(1), 1, "colour", "s", "red"));
        check_error(peer_call(&peer, m), SD_BUS_ERROR_INVALID_ARGS);
        CHECK_EQ(peer.n_questions, 0);
        m = peer_new_call(&peer, ":1.5", "/org/example/Storage/pool/images", "org.example.Storage.Pool",
                          "CreateVolume");
        CHECK_OK(sd_bus_message_append(m, "sta{sv}", "new", UINT64_C(1), 0));
        check_error(peer_call(&peer, m), SD_BUS_ERROR_ACCESS_DENIED); /* polkit is not there */
        CHECK_EQ(peer.n_questions, 1);
        CHECK_EQ(hashmap_size(peer.manager->jobs), 0);
        peer_close(&peer);
}

static void only_root_sets_the_log_level(void)
{
        static const uid_t uids[] = { 1000, 0 };

        FOREACH_ELEMENT (uid, uids) {
                sd_bus_message *m;

                peer_open(&peer);
                peer_show(&peer, false);
                peer.uid = *uid;
                m = peer_new_call(&peer, ":1.5", "/org/freedesktop/LogControl1",
                                  "org.freedesktop.DBus.Properties", "Set");
                CHECK_OK(sd_bus_message_append(m, "ssv", "org.freedesktop.LogControl1", "LogLevel", "s",
                                               "debug"));
                check_error(peer_call(&peer, m), *uid == 0 ? NULL : SD_BUS_ERROR_ACCESS_DENIED);
                peer_close(&peer);
        }
}

int main(void)
{
        RUN(everybody_may_read);
        RUN(user_mode_is_for_one);
        RUN(nobody_is_nobody);
        RUN(order_of_checks);
        RUN(only_root_sets_the_log_level);
        return 0;
}
