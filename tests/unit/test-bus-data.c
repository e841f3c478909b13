/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The methods that move and change data: their words and descriptors reach the worker as they came. */
#include "fake-worker.h"
#include "peer.h"
#include "test.h"

#include <sys/mman.h>
#include <unistd.h>

#include "bus-internal.h"

#define VOLUME "/org/example/Storage/volume/images/v000001" /* a qcow2 image */
#define SIZE 12345

static Peer peer;

static void begin(void)
{
        peer_open(&peer);
        peer.worker = FAKE_WORKER;
        peer.uid = 0;
        peer_show(&peer, false);
        peer_add_pool(&peer, "images", 3);
        peer_add_pool(&peer, "other", 1);
}

static sd_bus_message *new_call(const char *method)
{
        return peer_new_call(&peer, ":1.5", VOLUME, INTERFACE_VOLUME, method);
}

static void append_data(sd_bus_message *m)
{
        int fd = memfd_create("data", MFD_CLOEXEC);

        CHECK_OK(ftruncate(fd, SIZE));
        CHECK_OK(sd_bus_message_append(m, "h", fd));
        close(fd);
}

static void check_error(sd_bus_message *m, const char *name)
{
        sd_bus_message *reply = peer_call(&peer, m);

        CHECK_STREQ(peer_error(reply), name);
        sd_bus_message_unref(reply);
}

/* The job of a call that was waited for, done. */
static Job *call_job(sd_bus_message *m, const char *option, const char *value)
{
        sd_bus_message *reply;
        const char *path;
        uint64_t id;
        Job *j;

        CHECK_OK(option ? sd_bus_message_append(m, "a{sv}", 2, "wait", "b", 1, option, "s", value)
                        : sd_bus_message_append(m, "a{sv}", 1, "wait", "b", 1));
        reply = peer_call(&peer, m);
        if (peer_error(reply))
                TEST_FAIL("%s", sd_bus_message_get_error(reply)->message);
        CHECK_OK(sd_bus_message_read(reply, "o", &path));
        CHECK(object_path_to_job(path, &id) > 0);
        CHECK_OK(manager_find_job(peer.manager, id, &j, NULL));
        CHECK_EQ(j->state, JOB_DONE);
        sd_bus_message_unref(reply);
        return j;
}

static void descriptors(void)
{
        static const char *const methods[] = { "Upload", "Download", "Export" };

        begin();
        FOREACH_ELEMENT (method, methods) {
                sd_bus_message *m = new_call(*method);

                append_data(m);
                CHECK_EQ(bag_get_u64(call_job(m, NULL, NULL)->result, "said.size", 0), SIZE);
        }
        peer_close(&peer);
}

static void check_said(const char *method, const char *argument, const char *operation, const char *word)
{
        sd_bus_message *m = new_call(method);
        char key[32];
        Job *j;

        CHECK_OK(sd_bus_message_append(m, "s", argument));
        j = call_job(m, NULL, NULL);
        snprintf(key, sizeof(key), "said.%s", word);
        CHECK_STREQ(operation_to_string(j->operation), operation);
        CHECK_STREQ(bag_get_string(j->result, key), argument);
}

static void words(void)
{
        sd_bus_message *m;
        Job *j;

        begin();
        check_said("Rename", "new-name", "volume-rename", "name");
        check_said("Convert", "raw", "volume-convert", "format");
        check_said("Wipe", "random", "volume-wipe", "algorithm");
        check_said("CreateSnapshot", "monday", "snapshot-create", "snapshot");
        m = new_call("Export");
        append_data(m);
        CHECK_STREQ(bag_get_string(call_job(m, "format", "raw")->result, "said.format"), "raw");
        m = new_call("Rebase");
        CHECK_OK(sd_bus_message_append(m, "o", "/org/example/Storage/volume/images/v000002"));
        j = call_job(m, NULL, NULL);
        CHECK_STREQ(bag_get_string(j->result, "said.backing"), "v000002");
        peer_close(&peer);
}

static void snapshot_in_the_result(void)
{
        sd_bus_message *m;

        begin();
        m = new_call("CreateSnapshot");
        CHECK_OK(sd_bus_message_append(m, "s", "monday"));
        CHECK_STREQ(bag_get_string(call_job(m, NULL, NULL)->result, "snapshot"),
                    "/org/example/Storage/snapshot/images/v000001/monday");
        peer_close(&peer);
}

/* What is no path of the right kind, or of nothing. */
static void paths(void)
{
        static const struct {
                const char *method, *path, *error;
        } calls[] = {
                { "Move", "/org/example/Storage/pool/none", "org.example.Storage.Error.NoSuchPool" },
                { "Move", VOLUME, SD_BUS_ERROR_INVALID_ARGS },
                { "Rebase", "/org/example/Storage/pool/images", SD_BUS_ERROR_INVALID_ARGS },
                { "Rebase", "/org/example/Storage/volume/other/v000000", SD_BUS_ERROR_INVALID_ARGS },
                { "Rebase", "/org/example/Storage/volume/images/none",
                  "org.example.Storage.Error.NoSuchVolume" },
                { "Rebase", VOLUME, SD_BUS_ERROR_INVALID_ARGS },
        };

        begin();
        FOREACH_ELEMENT (call, calls) {
                sd_bus_message *m = new_call(call->method);

                CHECK_OK(sd_bus_message_append(m, "oa{sv}", call->path, 0));
                check_error(m, call->error);
        }
        CHECK_EQ(hashmap_size(peer.manager->jobs), 0);
        peer_close(&peer);
}

static void options(void)
{
        sd_bus_message *m;

        begin();
        m = new_call("Move");
        CHECK_OK(sd_bus_message_append(m, "oa{sv}", "/org/example/Storage/pool/other", 1, "name", "u", 7));
        check_error(m, SD_BUS_ERROR_INVALID_ARGS);
        m = new_call("Flatten");
        CHECK_OK(sd_bus_message_append(m, "a{sv}", 1, "colour", "s", "red"));
        check_error(m, SD_BUS_ERROR_INVALID_ARGS);
        m = new_call("Upload");
        append_data(m);
        CHECK_OK(sd_bus_message_append(m, "a{sv}", 1, "sha256", "s", "abc"));
        check_error(m, SD_BUS_ERROR_INVALID_ARGS);
        CHECK_EQ(hashmap_size(peer.manager->jobs), 0);
        peer_close(&peer);
}

int main(int argc, char **argv)
{
        fake_worker_main(argc, argv);
        RUN(descriptors);
        RUN(words);
        RUN(snapshot_in_the_result);
        RUN(paths);
        RUN(options);
        return 0;
}
