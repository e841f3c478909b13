/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The peer by its own C API.
 *
 *   call-libvirt define POOL DIRECTORY
 *   call-libvirt undefine POOL
 *   call-libvirt start|stop|refresh POOL
 *   call-libvirt list POOL          all volumes with name, type, capacity and allocation (the format would
 * need one more call for each, and an XML parser)
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "samples.h"

#define URI "storage:///system"

static const char *last_error(void)
{
        const char *message = virGetLastErrorMessage();

        return message ?: "unknown error";
}

static size_t list(virStoragePoolPtr pool)
{
        virStorageVolPtr *volumes;
        int n = virStoragePoolListAllVolumes(pool, &volumes, 0);

        if (n < 0)
                samples_fail("list", last_error());
        for (int i = 0; i < n; i++) {
                virStorageVolInfo info;

                if (!virStorageVolGetName(volumes[i]) || virStorageVolGetInfo(volumes[i], &info) < 0)
                        samples_fail("info", last_error());
        }
        for (int i = 0; i < n; i++)
                virStorageVolFree(volumes[i]);
        free(volumes);
        return (size_t)n;
}

static void probe(virStorageVolPtr volume, Samples *samples)
{
        do {
                uint64_t begin = samples_now();
                virStorageVolInfo info;

                if (virStorageVolGetInfo(volume, &info) < 0)
                        samples_fail("info", last_error());
                samples_add(samples, begin);
                (void)usleep(500);
        } while (!samples_stopped());
}

static virStoragePoolPtr define(virConnectPtr connection, const char *name, const char *path)
{
        _cleanup_free_ char *xml = NULL;

        if (asprintf(&xml, "<pool type='dir'><name>%s</name><target><path>%s</path></target></pool>", name,
                     path) < 0)
                return NULL;
        return virStoragePoolDefineXML(connection, xml, 0);
}

static int run(const char *verb, virStoragePoolPtr pool, size_t *ret_count)
{
        if (streq(verb, "define"))
                return 0;
        if (streq(verb, "undefine"))
                return virStoragePoolUndefine(pool);
        if (streq(verb, "start"))
                return virStoragePoolCreate(pool, 0);
        if (streq(verb, "stop"))
                return virStoragePoolDestroy(pool);
        if (streq(verb, "refresh"))
                return virStoragePoolRefresh(pool, 0);
        if (!streq(verb, "list"))
                samples_fail(verb, "no such verb");
        *ret_count = list(pool);
        return 0;
}

int main(int argc, char **argv)
{
        Samples samples = {};
        virConnectPtr connection;
        virStoragePoolPtr pool;
        virStorageVolPtr volume = NULL;
        uint64_t begin;
        size_t count = 0;

        if (argc < 3 || argc > 4 || streq(argv[1], "define") != (argc == 4))
                samples_fail("call-libvirt", "usage: call-libvirt VERB POOL [DIRECTORY]");
        connection = virConnectOpen(URI);
        if (!connection)
                samples_fail(URI, last_error());
        pool = argc == 4 ? define(connection, argv[2], argv[3])
                         : virStoragePoolLookupByName(connection, argv[2]);
        if (!pool)
                samples_fail(argv[2], last_error());
        if (streq(argv[1], "probe")) {
                volume = virStorageVolLookupByName(pool, "volume-000000.img");
                if (!volume)
                        samples_fail(argv[1], last_error());
        }
        samples_gate();
        begin = samples_now();
        if (volume)
                probe(volume, &samples);
        else if (run(argv[1], pool, &count) < 0)
                samples_fail(argv[1], last_error());
        else
                samples_add(&samples, begin);
        samples_print(&samples, count);
        virStoragePoolFree(pool);
        virConnectClose(connection);
        return 0;
}
