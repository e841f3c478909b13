/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake-worker.h"

#include "test.h"
#include "util/bag-message.h"
#include "util/protocol.h"
#include "util/volume-message.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_job;

static int open_data(const char *read_only, Bag *result)
{
        int fd = memfd_create("volume", MFD_CLOEXEC);

        CHECK_EQ(write(fd, "data", 4), 4);
        CHECK_OK(bag_set_fd(result, "fd", fd));
        CHECK_OK(bag_set_string(result, "type", "regular"));
        return bag_set_bool(result, "read-only", streq(read_only, "yes"));
}

static int connect_endpoint(Bag *result)
{
        int fds[2];

        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
        CHECK_OK(bag_set_fd(result, "fd", fds[0]));
        close(fds[1]);
        return bag_set_string(result, "export", "disk");
}

static int describe_image(Bag *result)
{
        Bag *node = bag_new(), *protocol = bag_new(), *libvirt = bag_new();

        CHECK_OK(bag_set_string(protocol, "driver", "file"));
        CHECK_OK(bag_set_string(protocol, "filename", "/srv/images/disk"));
        CHECK_OK(bag_set_string(libvirt, "type", "file"));
        CHECK_OK(bag_set_string(libvirt, "file", "/srv/images/disk"));
        CHECK_OK(bag_set_string(node, "format", "raw"));
        CHECK_OK(bag_set_bag(node, "protocol", protocol));
        CHECK_OK(bag_set_bag(node, "libvirt", libvirt));
        return bag_add_bag(result, "nodes", node);
}

static bool is_echoed(const char *operation)
{
        static const char *const operations[] = { "upload",  "download", "import", "export",  "rename",
                                                  "convert", "rebase",   "wipe",   "snapshot" };

        FOREACH_ELEMENT (i, operations)
                if (streq(*i, operation))
                        return true;
        return false;
}

/* The words of the call, each as "said.WORD", and the size of the descriptor. */
static int echo(const Bag *args, Bag *result)
{
        struct stat st;

        for (size_t i = 0; i < bag_size(args); i++) {
                char key[64];

                snprintf(key, sizeof(key), "said.%s", bag_key(args, i));
                if (bag_value(args, i)->type == VALUE_STRING)
                        CHECK_OK(bag_set_value(result, key, bag_value(args, i)));
        }
        if (bag_get_fd(args, "fd") < 0)
                return 0;
        CHECK_OK(fstat(bag_get_fd(args, "fd"), &st));
        return bag_set_u64(result, "said.size", (uint64_t)st.st_size);
}

static void append_volume(sd_bus_message *reply, const char *operation, const char *name, const Bag *args)
{
        VolumeInfo v = {
                .name = name,
                .format = FORMAT_RAW,
                .detected = FORMAT_RAW,
                .capacity = bag_get_u64(args, "capacity", 0),
                .creator = bag_get_u32(args, "creator", UINT32_MAX),
        };

        CHECK_OK(sd_bus_message_open_container(reply, 'a', "(" VOLUME_SIGNATURE ")"));
        if (streq(operation, "create"))
                CHECK_OK(volume_append_to_message(&v, reply));
        CHECK_OK(sd_bus_message_close_container(reply));
        CHECK_OK(sd_bus_message_append(reply, "as", 0));
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
        sd_bus_message *reply;
        Bag *args, *result = bag_new();
        const char *operation, *volume;

        if (!sd_bus_message_is_method_call(m, WORKER_INTERFACE, "Call"))
                return 0;
        CHECK_OK(sd_bus_message_read(m, "ss", &operation, &volume));
        CHECK_OK(bag_read_from_message(m, &args, NULL));
        if (!is_job &&
            (streq(operation, "endpoint") || (streq(operation, "create") && streq(volume, "mute"))))
                return sd_bus_reply_method_errorf(m, WORKER_ERROR_NEEDS_JOB, "not here");
        if (streq(volume, "mute") && !streq(operation, "undo"))
                return 1;
        if (streq(volume, "dead"))
                _exit(1);
        if (streq(operation, "open") && !streq(volume, "empty"))
                CHECK_OK(open_data(bag_get_string(args, "read-only"), result));
        if (streq(operation, "endpoint") && !streq(volume, "empty"))
                CHECK_OK(connect_endpoint(result));
        if (is_echoed(operation))
                CHECK_OK(echo(args, result));
        if (streq(operation, "attachment"))
                CHECK_OK(describe_image(result));
        CHECK_OK(sd_bus_message_new_method_return(m, &reply));
        CHECK_OK(bag_append_to_message(result, reply));
        append_volume(reply, operation, volume, args);
        if (sd_bus_send(NULL, reply, NULL) < 0)
                _exit(0); /* nobody waits for it any more */
        sd_bus_message_unref(reply);
        bag_free(args);
        bag_free(result);
        return 1;
}

void fake_worker_main(int argc, char **argv)
{
        sd_id128_t id = {};
        sd_bus *bus;

        if (argc < 2 || !(streq(argv[1], "--job") || streq(argv[1], "--session")))
                return;
        is_job = streq(argv[1], "--job");
        CHECK_OK(sd_bus_new(&bus));
        CHECK_OK(sd_bus_set_fd(bus, WORKER_FD, WORKER_FD));
        CHECK_OK(sd_bus_set_server(bus, true, id));
        CHECK_OK(sd_bus_set_anonymous(bus, true));
        CHECK_OK(sd_bus_negotiate_fds(bus, true));
        CHECK_OK(sd_bus_add_filter(bus, NULL, on_call, NULL));
        CHECK_OK(sd_bus_start(bus));
        for (;;) {
                int r = sd_bus_process(bus, NULL);

                if (r < 0 || (r == 0 && sd_bus_wait(bus, UINT64_MAX) < 0))
                        _exit(0);
        }
}
