/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The peer by libvirt-dbus.
 *
 *   call-peer create POOL N PREFIX     N volumes, raw, 1 GiB, sparse
 *   call-peer info POOL N              GetInfo of one volume, N times
 *   call-peer list POOL                name (in the path), type, capacity, allocation of all volumes, 64
 * calls in flight, which is the best it does (the format would need GetXMLDesc too)
 */
#include <systemd/sd-bus.h>

#include "bus.h"
#include "samples.h"

#define NAME "org.libvirt"
#define CONNECT "/org/libvirt/QEMU"
#define IN_FLIGHT 64u

static char *path_of(sd_bus_message *reply)
{
        const char *path;
        char *copy;

        bus_check(sd_bus_message_read(reply, "o", &path), "path");
        copy = strdup(path);
        if (!copy)
                samples_fail("path", strerror(ENOMEM));
        return copy;
}

static char *find_pool(sd_bus *bus, const char *name)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;

        call = bus_message(bus, NAME, CONNECT, NAME ".Connect", "StoragePoolLookupByName", "s", name);
        reply = bus_call(bus, call);
        return path_of(reply);
}

static sd_bus_message *list_paths(sd_bus *bus, const char *pool)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;

        call = bus_message(bus, NAME, pool, NAME ".StoragePool", "ListStorageVolumes", "u", 0);
        return bus_call(bus, call);
}

static void create(sd_bus *bus, const char *pool, unsigned n, const char *prefix, Samples *samples)
{
        for (unsigned i = 0; i < n; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
                uint64_t begin = samples_now();
                char xml[512];

                (void)snprintf(
                        xml, sizeof(xml),
                        "<volume><name>%s-%u</name><capacity>1073741824</capacity><allocation>0</allocation>"
                        "<target><format type='raw'/></target></volume>",
                        prefix, i);
                call = bus_message(bus, NAME, pool, NAME ".StoragePool", "StorageVolCreateXML", "su", xml,
                                   0);
                reply = bus_call(bus, call);
                samples_add(samples, begin);
        }
}

static void info(sd_bus *bus, const char *pool, unsigned n, Samples *samples)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *paths = list_paths(bus, pool);
        const char *volume;

        bus_check(sd_bus_message_enter_container(paths, 'a', "o"), "list");
        if (sd_bus_message_read(paths, "o", &volume) <= 0)
                samples_fail("info", "the pool has no volume");
        for (unsigned i = 0; i < n; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
                uint64_t begin = samples_now();

                call = bus_message(bus, NAME, volume, NAME ".StorageVol", "GetInfo", "u", 0);
                reply = bus_call(bus, call);
                samples_add(samples, begin);
        }
}

static int one_came(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error)
{
        unsigned *in_flight = userdata;

        if (sd_bus_message_is_method_error(reply, NULL))
                samples_fail("GetInfo", sd_bus_message_get_error(reply)->message);
        (*in_flight)--;
        return 0;
}

static void wait_until_below(sd_bus *bus, const unsigned *in_flight, unsigned most)
{
        while (*in_flight >= most) {
                int r = sd_bus_process(bus, NULL);

                bus_check(r, "process");
                if (r == 0)
                        bus_check(sd_bus_wait(bus, UINT64_MAX), "wait");
        }
}

static size_t list(sd_bus *bus, const char *pool)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *paths = list_paths(bus, pool);
        unsigned in_flight = 0;
        const char *volume;
        size_t count = 0;

        bus_check(sd_bus_message_enter_container(paths, 'a', "o"), "list");
        for (; sd_bus_message_read(paths, "o", &volume) > 0; count++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;

                call = bus_message(bus, NAME, volume, NAME ".StorageVol", "GetInfo", "u", 0);
                bus_check(sd_bus_call_async(bus, NULL, call, one_came, &in_flight, 0), "GetInfo");
                in_flight++;
                wait_until_below(bus, &in_flight, IN_FLIGHT);
        }
        wait_until_below(bus, &in_flight, 1);
        return count;
}

int main(int argc, char **argv)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *pool = NULL;
        Samples samples = {};
        size_t count = 0;

        if (argc < 3)
                samples_fail("call-peer", "usage: call-peer VERB POOL ...");
        bus = bus_open();
        pool = find_pool(bus, argv[2]);
        samples_gate();
        if (streq(argv[1], "create") && argc == 5)
                create(bus, pool, (unsigned)strtoul(argv[3], NULL, 10), argv[4], &samples);
        else if (streq(argv[1], "info") && argc == 4)
                info(bus, pool, (unsigned)strtoul(argv[3], NULL, 10), &samples);
        else if (streq(argv[1], "list") && argc == 3) {
                uint64_t begin = samples_now();

                count = list(bus, pool);
                samples_add(&samples, begin);
        } else
                samples_fail(argv[1], "no such verb");
        samples_print(&samples, count);
        return 0;
}
