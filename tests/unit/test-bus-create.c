/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The methods of a pool that make volumes: where the source is, and how large the new one may be. */
#include "fake-worker.h"
#include "peer.h"
#include "test.h"

#include <sys/mman.h>
#include <unistd.h>

#include "bus-internal.h"

#define POOL "/org/example/Storage/pool/images"

static Peer peer;
static char capacity[32], source_pool[32]; /* details of what polkit was asked last for each */

static void on_question(Peer *p, sd_bus_message *m)
{
        const char *action;

        CHECK_OK(sd_bus_message_skip(m, "(sa{sv})"));
        CHECK_OK(sd_bus_message_read(m, "s", &action));
        if (streq(action, "org.example.Storage.volume-create"))
                snprintf(capacity, sizeof(capacity), "%s", peer_detail(m, "capacity"));
        else
                snprintf(source_pool, sizeof(source_pool), "%s", peer_detail(m, "pool"));
        /* Enough is seen after both questions, and no job is to be made. */
        peer_answer(m, streq(action, "org.example.Storage.volume-read"), false);
}

static void begin(void)
{
        peer_open(&peer);
        peer.worker = FAKE_WORKER;
        peer.on_question = on_question;
        peer_show(&peer, false);
        peer_add_pool(&peer, "images", 3);
        peer_add_pool(&peer, "other", 3);
        *capacity = *source_pool = '\0';
}

static sd_bus_message *new_call(const char *method)
{
        return peer_new_call(&peer, ":1.5", POOL, INTERFACE_POOL, method);
}

static void check_error(sd_bus_message *m, const char *name)
{
        sd_bus_message *reply = peer_call(&peer, m);

        CHECK_STREQ(peer_error(reply), name);
        sd_bus_message_unref(reply);
}

static void clone(const char *source, uint64_t size, const char *error)
{
        sd_bus_message *m = new_call("CloneVolume");

        *capacity = *source_pool = '\0';
        CHECK_OK(sd_bus_message_append(m, "so", "new", source));
        CHECK_OK(size == 0 ? sd_bus_message_append(m, "a{sv}", 0)
                           : sd_bus_message_append(m, "a{sv}", 1, "capacity", "t", size));
        check_error(m, error);
}

static void clones(void)
{
        begin();
        clone("/org/example/Storage/volume/images/v000002", 0, SD_BUS_ERROR_ACCESS_DENIED);
        CHECK_STREQ(source_pool, "images");
        CHECK_STREQ(capacity, "2097152");
        clone("/org/example/Storage/volume/other/v000002", 4194304, SD_BUS_ERROR_ACCESS_DENIED);
        CHECK_STREQ(source_pool, "other");
        CHECK_STREQ(capacity, "4194304");
        clone("/org/example/Storage/volume/other/v000002", 4096, SD_BUS_ERROR_INVALID_ARGS);
        clone("/org/example/Storage/volume/other/none", 0, "org.example.Storage.Error.NoSuchVolume");
        clone("/org/example/Storage/volume/none/v000002", 0, "org.example.Storage.Error.NoSuchPool");
        clone("/org/example/Storage/pool/other", 0, SD_BUS_ERROR_INVALID_ARGS);
        CHECK_EQ(hashmap_size(peer.manager->jobs), 0);
        peer_close(&peer);
}

static sd_bus_message *new_import(void)
{
        sd_bus_message *m = new_call("ImportVolume");
        int fd = memfd_create("data", MFD_CLOEXEC);

        CHECK_OK(sd_bus_message_append(m, "sh", "new", fd));
        close(fd);
        return m;
}

static void imports(void)
{
        sd_bus_message *m;

        begin();
        m = new_import();
        CHECK_OK(sd_bus_message_append(m, "a{sv}", 0)); /* neither a format nor consent to guess */
        check_error(m, SD_BUS_ERROR_INVALID_ARGS);
        m = new_import();
        CHECK_OK(sd_bus_message_append(m, "a{sv}", 2, "source-format", "s", "raw", "capacity", "t",
                                       UINT64_C(8192)));
        check_error(m, SD_BUS_ERROR_ACCESS_DENIED);
        CHECK_STREQ(capacity, "8192");
        m = new_import();
        CHECK_OK(sd_bus_message_append(m, "a{sv}", 2, "source-format", "s", "raw", "capacity", "s", "8192"));
        check_error(m, SD_BUS_ERROR_INVALID_ARGS);
        peer_close(&peer);
}

static void whole_pool(void)
{
        sd_bus_message *m;

        begin();
        m = new_call("ConvertVolumes");
        CHECK_OK(sd_bus_message_append(m, "sa{sv}", "bochs", 0));
        check_error(m, SD_BUS_ERROR_INVALID_ARGS);
        m = new_call("ConvertVolumes");
        CHECK_OK(sd_bus_message_append(m, "sa{sv}", "qcow2", 0));
        check_error(m, SD_BUS_ERROR_ACCESS_DENIED);
        peer_close(&peer);
}

int main(int argc, char **argv)
{
        fake_worker_main(argc, argv);
        RUN(clones);
        RUN(imports);
        RUN(whole_pool);
        return 0;
}
