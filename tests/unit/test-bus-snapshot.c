/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots as objects: found while they are in the volume's record, and told of when they come and go. */
#include "peer.h"
#include "test.h"

#include "bus-snapshot.h"

#define FOLDER "/org/example/Storage/snapshot/images/v000001/"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

static Peer peer;
static Pool *images;
static char told[512]; /* "+NAME" and "-NAME", and "!" for a reset, in order */

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
        const char *path, *name;
        bool added = sd_bus_message_is_signal(m, OBJECT_MANAGER, "InterfacesAdded");
        size_t n = strlen(told);

        if (sd_bus_message_is_signal(m, INTERFACE_POOL, "VolumesReset")) {
                snprintf(told + n, sizeof(told) - n, "! ");
                return 0;
        }
        if (!added && !sd_bus_message_is_signal(m, OBJECT_MANAGER, "InterfacesRemoved"))
                return 0;
        CHECK_OK(sd_bus_message_read(m, "o", &path));
        name = startswith(path, FOLDER);
        if (name)
                snprintf(told + n, sizeof(told) - n, "%c%s ", added ? '+' : '-', name);
        return 0;
}

static void begin(void)
{
        peer_open(&peer);
        peer_show(&peer, false);
        CHECK_OK(sd_bus_add_filter(peer.client, NULL, on_signal, NULL));
        images = peer_add_pool(&peer, "images", 3);
}

/* What was told until nothing more comes. */
static const char *news(void)
{
        for (unsigned i = 0; i < 5; i++) {
                CHECK_OK(sd_event_run(peer.event, 30 * 1000)); /* changes are gathered for 20 ms */
                peer_settle(&peer);
        }
        return told;
}

static void set_list(size_t volume, const char *list)
{
        const Observer *o = &peer.manager->observer;
        bool added, changed;
        VolumeInfo info;
        char name[16];
        Volume *v;

        snprintf(name, sizeof(name), "v%06zu", volume);
        v = volume_table_get(images->volumes, name);
        CHECK(v);
        volume_to_info(v, &info);
        info.name = name;
        info.snapshots = list;
        CHECK_OK(volume_table_put(images->volumes, &info, ++images->generation, &v, &added, &changed));
        o->volume_changed(v, peer.manager->observer_data);
        *told = '\0';
}

static char *many(unsigned n)
{
        char *list = NULL, name[16];

        for (unsigned i = 0; i < n; i++) {
                snprintf(name, sizeof(name), "s%u", i);
                CHECK_OK(snapshot_list_add(&list, SNAPSHOT_FILE, 1000 + i, 4096, name));
        }
        return list;
}

static unsigned n_managed(void)
{
        sd_bus_message *reply = peer_call(&peer, peer_new_call(&peer, ":1.5", "/org/example/Storage",
                                                               OBJECT_MANAGER, "GetManagedObjects"));
        const char *path;
        unsigned n = 0;

        CHECK_STREQ(peer_error(reply), NULL);
        CHECK_OK(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"));
        while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
                CHECK_OK(sd_bus_message_read(reply, "o", &path));
                n += startswith(path, "/org/example/Storage/snapshot/") != NULL;
                CHECK_OK(sd_bus_message_skip(reply, "a{sa{sv}}"));
                CHECK_OK(sd_bus_message_exit_container(reply));
        }
        sd_bus_message_unref(reply);
        return n;
}

static void check_text(const char *path, const char *property, const char *type, const char *wanted)
{
        sd_bus_message *reply,
                *m = peer_new_call(&peer, ":1.5", path, "org.freedesktop.DBus.Properties", "Get");
        const char *value = NULL;

        CHECK_OK(sd_bus_message_append(m, "ss", INTERFACE_SNAPSHOT, property));
        reply = peer_call(&peer, m);
        if (wanted)
                CHECK_OK(sd_bus_message_read(reply, "v", type, &value));
        else
                CHECK(peer_error(reply));
        CHECK_STREQ(value, wanted);
        sd_bus_message_unref(reply);
}

static void properties(void)
{
        begin();
        set_list(1, "internal 1700000000000000 8192 before upgrade/file 5 18446744073709551615 b");
        check_text(FOLDER "before_20upgrade", "Name", "s", "before upgrade");
        check_text(FOLDER "before_20upgrade", "Kind", "s", "internal");
        check_text(FOLDER "before_20upgrade", "Volume", "o", "/org/example/Storage/volume/images/v000001");
        check_text(FOLDER "b", "Kind", "s", "file");
        check_text(FOLDER "c", "Name", "s", NULL);
        check_text("/org/example/Storage/snapshot/images/v000002/b", "Name", "s", NULL);
        check_text("/org/example/Storage/snapshot/none/v000001/b", "Name", "s", NULL);
        CHECK_EQ(n_managed(), 2);
        peer_close(&peer);
}

static void come_and_go(void)
{
        begin();
        set_list(1, "file 5 1 a");
        CHECK_STREQ(news(), "+a ");
        set_list(1, "file 5 1 a/file 6 1 b");
        CHECK_STREQ(news(), "+b ");
        set_list(1, "file 5 1 a/file 6 1 b");
        CHECK_STREQ(news(), "");
        set_list(1, "file 7 1 a/file 6 1 b"); /* another one of that name */
        CHECK_STREQ(news(), "-a +a ");
        set_list(1, NULL);
        CHECK_STREQ(news(), "-a -b ");
        CHECK_EQ(peer.bus->n_snapshots, 0);
        set_list(1, "file 5 1 a");
        CHECK_STREQ(news(), "+a ");
        *told = '\0';
        CHECK(volume_table_remove(images->volumes, "v000001"));
        peer.manager->observer.volume_removed(images, "v000001", peer.manager->observer_data);
        CHECK_STREQ(news(), "-a ");
        peer_close(&peer);
}

/* As with volumes, what is too much to tell one by one becomes a reset. */
static void too_many_to_tell(void)
{
        _cleanup_free_ char *list = many(VOLUME_SIGNALS_MAX + 1);

        begin();
        set_list(1, list);
        CHECK_STREQ(news(), "! ");
        CHECK_EQ(n_managed(), VOLUME_SIGNALS_MAX + 1);
        peer_close(&peer);
}

/* The whole tree has to fit one message, whatever a guest writes into its image. */
static void too_many_to_list(void)
{
        _cleanup_free_ char *list = many(SNAPSHOTS_MAX);

        begin();
        for (size_t i = 3; i < SNAPSHOTS_LISTED_MAX / SNAPSHOTS_MAX + 1; i++)
                peer_add_volume(images, i);
        for (size_t i = 0; i < SNAPSHOTS_LISTED_MAX / SNAPSHOTS_MAX; i++)
                set_list(i, list);
        (void)news();
        CHECK_EQ(n_managed(), SNAPSHOTS_LISTED_MAX);
        set_list(SNAPSHOTS_LISTED_MAX / SNAPSHOTS_MAX, "file 5 1 a");
        CHECK_STREQ(news(), "! ");
        CHECK_EQ(n_managed(), 0);
        check_text(FOLDER "s7", "Name", "s", "s7");
        set_list(1, NULL);
        CHECK_STREQ(news(), "! ");
        CHECK_EQ(n_managed(), SNAPSHOTS_LISTED_MAX - SNAPSHOTS_MAX + 1);
        peer_close(&peer);
}

static void listed_with_volumes(void)
{
        const Observer *o;

        begin();
        o = &peer.manager->observer;
        set_list(1, "file 5 1 a");
        CHECK_EQ(n_managed(), 1);
        manager_count_volumes(peer.manager, VOLUMES_LISTED_MAX);
        CHECK(!peer.manager->volumes_listed);
        CHECK_EQ(n_managed(), 0);
        set_list(1, "file 5 1 a/file 6 1 b");
        CHECK_STREQ(news(), "! ");
        manager_count_volumes(peer.manager, -(ssize_t)VOLUMES_LISTED_MAX);
        CHECK_EQ(n_managed(), 2);
        o->pool_removed(images, peer.manager->observer_data);
        CHECK_EQ(peer.bus->n_snapshots, 0);
        peer_close(&peer);
}

int main(void)
{
        RUN(properties);
        RUN(come_and_go);
        RUN(too_many_to_tell);
        RUN(too_many_to_list);
        RUN(listed_with_volumes);
        return 0;
}
