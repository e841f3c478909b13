/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jobs that move data, as a client sees them; all but cancel with wait.
 *
 *   call-data upload POOL VOLUME FILE      call-data download POOL VOLUME FILE
 *   call-data clone POOL NAME VOLUME       call-data convert POOL NAME VOLUME FORMAT (a clone in that format)
 *   call-data delete POOL VOLUME
 *   call-data cancel POOL VOLUME FILE      an atomic upload that is cancelled after a tenth of a second: from there to its end
 */
#include <fcntl.h>

#include "bus.h"
#include "samples.h"

#define NAME "org.example.Storage"
#define ROOT "/org/example/Storage"
#define BEFORE_CANCEL_USEC 100000
#define POLL_USEC 500

static char *volume_path(const char *pool, const char *volume)
{
        char *path = NULL;

        bus_check(sd_bus_path_encode_many(&path, ROOT "/volume/%/%", pool, volume), volume);
        return path;
}

static int open_file(const char *file, int flags)
{
        int fd = open(file, flags | O_CLOEXEC, 0600);

        bus_check(fd < 0 ? -errno : 0, file);
        return fd;
}

static void transfer(sd_bus *bus, const char *method, const char *volume, const char *file, int flags)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_close_ int fd = open_file(file, flags);

        call = bus_message(bus, NAME, volume, NAME ".Volume", method, "ha{sv}", fd, 1, "wait", "b", true);
        reply = bus_call(bus, call);
}

static void copy(sd_bus *bus, const char *pool, const char *name, const char *source, const char *format)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        char *path = NULL;

        bus_check(sd_bus_path_encode(ROOT "/pool", pool, &path), pool);
        call = format ? bus_message(bus, NAME, path, NAME ".Pool", "CloneVolume", "soa{sv}", name, source, 2,
                                    "wait", "b", true, "format", "s", format)
                      : bus_message(bus, NAME, path, NAME ".Pool", "CloneVolume", "soa{sv}", name, source, 1,
                                    "wait", "b", true);
        reply = bus_call(bus, call);
        free(path);
}

static void delete_volume(sd_bus *bus, const char *volume)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;

        call = bus_message(bus, NAME, volume, NAME ".Volume", "Delete", "a{sv}", 1, "wait", "b", true);
        reply = bus_call(bus, call);
}

static bool has_ended(sd_bus *bus, const char *job)
{
        _cleanup_free_ char *state = NULL;

        bus_check(sd_bus_get_property_string(bus, NAME, job, NAME ".Job", "State", NULL, &state), "State");
        return streq(state, "cancelled") || streq(state, "failed") || streq(state, "done");
}

static void cancel(sd_bus *bus, const char *volume, const char *file, Samples *samples)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL, *end = NULL,
                                                        *ended = NULL;
        _cleanup_close_ int fd = open_file(file, O_RDONLY);
        const char *job;
        uint64_t begin;

        call = bus_message(bus, NAME, volume, NAME ".Volume", "Upload", "ha{sv}", fd, 1, "atomic", "b",
                           true);
        reply = bus_call(bus, call);
        bus_check(sd_bus_message_read(reply, "o", &job), "Upload");
        (void)usleep(BEFORE_CANCEL_USEC);
        end = bus_message(bus, NAME, job, NAME ".Job", "Cancel", "a{sv}", 0);
        begin = samples_now();
        ended = bus_call(bus, end);
        while (!has_ended(bus, job))
                (void)usleep(POLL_USEC);
        samples_add(samples, begin);
}

int main(int argc, char **argv)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *volume = NULL;
        const char *verb = argc > 1 ? argv[1] : "";
        Samples samples = {};
        uint64_t begin;

        if (argc < 4 + !streq(verb, "delete") + streq(verb, "convert"))
                samples_fail("call-data", "usage: see its head");
        volume = volume_path(argv[2], argv[streq(verb, "clone") || streq(verb, "convert") ? 4 : 3]);
        bus = bus_open();
        samples_gate();
        begin = samples_now();
        if (streq(verb, "cancel"))
                cancel(bus, volume, argv[4], &samples);
        else if (streq(verb, "upload"))
                transfer(bus, "Upload", volume, argv[4], O_RDONLY);
        else if (streq(verb, "download"))
                transfer(bus, "Download", volume, argv[4], O_WRONLY | O_CREAT | O_TRUNC);
        else if (streq(verb, "delete"))
                delete_volume(bus, volume);
        else
                copy(bus, argv[2], argv[3], volume, streq(verb, "convert") ? argv[5] : NULL);
        if (samples.n == 0)
                samples_add(&samples, begin);
        samples_print(&samples, 0);
        return 0;
}
