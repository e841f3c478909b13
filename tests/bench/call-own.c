/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The service itself, as a client sees it.
 *
 *   call-own answer                      one property, the first word of the service
 *   call-own define POOL DIRECTORY
 *   call-own undefine POOL
 *   call-own do METHOD POOL N            Start, Stop or Refresh, with wait, N times
 *   call-own create POOL FORMAT N PREFIX N volumes of 1 GiB, with wait
 *   call-own info POOL VOLUME N          GetAll of one volume, N times
 *   call-own list POOL                   all volumes by ListVolumes, page by page
 *   call-own dump POOL N                 all volumes by DumpVolumes, N times, each time a list made anew
 *   call-own probe CALL POOL VOLUME      info, fresh (GetInfo), list (one page) or create, until stdin ends
 *   call-own outside POOL DIRECTORY N    files made in the directory, until InterfacesAdded tells of them
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "bus.h"
#include "samples.h"

#define NAME "org.example.Storage"
#define ROOT "/org/example/Storage"
#define CAPACITY (UINT64_C(1) << 30)
#define PAGE 1000u

static char *pool_path(const char *pool)
{
        char *path = NULL;

        bus_check(sd_bus_path_encode(ROOT "/pool", pool, &path), pool);
        return path;
}

static char *volume_path(const char *pool, const char *volume)
{
        char *path = NULL;

        bus_check(sd_bus_path_encode_many(&path, ROOT "/volume/%/%", pool, volume), volume);
        return path;
}

static void finish(sd_bus *bus, sd_bus_message *call)
{
        sd_bus_message_unref(bus_call(bus, call));
}

static void answer(sd_bus *bus)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;

        call = bus_message(bus, NAME, ROOT, "org.freedesktop.DBus.Properties", "Get", "ss", NAME ".Manager",
                           "Version");
        finish(bus, call);
}

static void define(sd_bus *bus, const char *pool, const char *directory)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;

        call = bus_message(bus, NAME, ROOT, NAME ".Manager", "DefinePool", "ssa{sv}a{sv}", pool, "dir", 1,
                           "target.path", "s", directory, 0);
        finish(bus, call);
}

static void undefine(sd_bus *bus, const char *pool)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        _cleanup_free_ char *path = pool_path(pool);

        call = bus_message(bus, NAME, path, NAME ".Pool", "Undefine", "a{sv}", 0);
        finish(bus, call);
}

static void do_with_wait(sd_bus *bus, const char *path, const char *method)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;

        call = bus_message(bus, NAME, path, NAME ".Pool", method, "a{sv}", 1, "wait", "b", true);
        finish(bus, call);
}

static void create(sd_bus *bus, const char *path, const char *volume, const char *format)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;

        call = bus_message(bus, NAME, path, NAME ".Pool", "CreateVolume", "sta{sv}", volume, CAPACITY, 2,
                           "wait", "b", true, "format", "s", format);
        finish(bus, call);
}

static void info(sd_bus *bus, const char *volume)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;

        call = bus_message(bus, NAME, volume, "org.freedesktop.DBus.Properties", "GetAll", "s",
                           NAME ".Volume");
        finish(bus, call);
}

static void fresh(sd_bus *bus, const char *volume)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;

        call = bus_message(bus, NAME, volume, NAME ".Volume", "GetInfo", "a{sv}", 0);
        finish(bus, call);
}

/* One page behind the volume named *after, which becomes the last one of the page. */
static size_t page(sd_bus *bus, const char *path, char **after)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        const char *name, *format, *type, *next;
        uint64_t capacity, allocation, mtime;
        uint32_t creator;
        size_t count = 0;
        int r;

        call = bus_message(bus, NAME, path, NAME ".Pool", "ListVolumes", "a{sv}", 2, "after", "s", *after,
                           "limit", "u", PAGE);
        reply = bus_call(bus, call);
        bus_check(sd_bus_message_enter_container(reply, 'a', "(stttssu)"), "page");
        while ((r = sd_bus_message_read(reply, "(stttssu)", &name, &capacity, &allocation, &mtime, &format,
                                        &type, &creator)) > 0)
                count++;
        bus_check(r, "page");
        bus_check(sd_bus_message_exit_container(reply), "page");
        bus_check(sd_bus_message_read(reply, "s", &next), "page");
        free(*after);
        *after = strdup(next);
        if (!*after)
                samples_fail("page", strerror(ENOMEM));
        return count;
}

static size_t list(sd_bus *bus, const char *path)
{
        _cleanup_free_ char *after = strdup("");
        size_t count = 0;

        if (!after)
                samples_fail("list", strerror(ENOMEM));
        do
                count += page(bus, path, &after);
        while (*after);
        return count;
}

/* Where the value of a member begins in its line, NULL when the line has none. */
static const char *member(const char *line, const char *key)
{
        const char *found = strstr(line, key);

        return found ? found + strlen(key) : NULL;
}

/* Reads name, capacity, allocation and format out of each line. */
static size_t read_lines(char *text)
{
        size_t count = 0;

        for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
                const char *capacity, *allocation;

                *end = 0;
                capacity = member(line, "\"Capacity\":");
                allocation = member(line, "\"Allocation\":");
                if (!member(line, "\"Name\":\"") || !member(line, "\"Format\":\"") || !capacity ||
                    !allocation || strtoull(capacity, NULL, 10) == 0 ||
                    strtoull(allocation, NULL, 10) == UINT64_MAX)
                        samples_fail("DumpVolumes", line);
                count++;
        }
        return count;
}

static size_t dump(sd_bus *bus, const char *path)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        struct stat st;
        size_t count;
        char *text;
        int fd;

        call = bus_message(bus, NAME, path, NAME ".Pool", "DumpVolumes", "a{sv}", 0);
        reply = bus_call(bus, call);
        bus_check(sd_bus_message_read(reply, "h", &fd), "list");
        if (fstat(fd, &st) < 0)
                samples_fail("list", strerror(errno));
        /* One byte more, of zeros, ends the text: the rest of the last page, or a page of its own. */
        text = calloc(1, (size_t)st.st_size + 1);
        if (!text || pread(fd, text, (size_t)st.st_size, 0) != st.st_size)
                samples_fail("list", "it cannot be read");
        count = read_lines(text);
        free(text);
        return count;
}

/* A list is kept for as long as nothing changes; a new volume makes the service write it again. */
static size_t dump_anew(sd_bus *bus, const char *path, unsigned n, Samples *samples)
{
        size_t count = 0;

        for (unsigned i = 0; i < n; i++) {
                uint64_t begin;
                char name[64];

                (void)snprintf(name, sizeof(name), "dump-%llu", (unsigned long long)samples_now());
                create(bus, path, name, "raw");
                begin = samples_now();
                count = dump(bus, path);
                samples_add(samples, begin);
        }
        return count;
}

static void probe(sd_bus *bus, const char *call, const char *path, const char *volume, Samples *samples)
{
        do {
                _cleanup_free_ char *after = strdup("");
                uint64_t begin = samples_now();
                char name[64];

                (void)snprintf(name, sizeof(name), "probe-%llu", (unsigned long long)begin);
                if (streq(call, "info"))
                        info(bus, volume);
                else if (streq(call, "fresh"))
                        fresh(bus, volume);
                else if (streq(call, "list"))
                        (void)page(bus, path, &after);
                else
                        create(bus, path, name, "raw");
                samples_add(samples, begin);
                (void)usleep(500);
        } while (!samples_stopped());
}

static int object_came(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error)
{
        const char **expected = userdata, *path;

        bus_check(sd_bus_message_read(m, "o", &path), "signal");
        if (*expected && streq(path, *expected))
                *expected = NULL;
        return 0;
}

static void wait_for_object(sd_bus *bus, const char **expected)
{
        while (*expected) {
                int r = sd_bus_process(bus, NULL);

                bus_check(r, "process");
                if (r == 0 && sd_bus_wait(bus, 10 * UINT64_C(1000000)) == 0)
                        samples_fail(*expected, "no signal within 10 s");
        }
}

static void outside(sd_bus *bus, const char *pool, const char *directory, unsigned n, Samples *samples)
{
        _cleanup_close_ int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const char *expected = NULL;

        bus_check(dir < 0 ? -errno : 0, directory);
        bus_check(sd_bus_match_signal(bus, NULL, NAME, ROOT, "org.freedesktop.DBus.ObjectManager",
                                      "InterfacesAdded", object_came, &expected),
                  "match");
        for (unsigned i = 0; i < n; i++) {
                _cleanup_close_ int fd = -EBADF;
                _cleanup_free_ char *path = NULL;
                uint64_t begin;
                char name[64];

                (void)snprintf(name, sizeof(name), "outside-%llu", (unsigned long long)samples_now());
                path = volume_path(pool, name);
                expected = path;
                begin = samples_now();
                fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
                if (fd < 0 || ftruncate(fd, (off_t)CAPACITY) < 0)
                        samples_fail(name, strerror(errno));
                fd = safe_close(fd);
                wait_for_object(bus, &expected);
                samples_add(samples, begin);
        }
}

static unsigned number(const char *text)
{
        return (unsigned)strtoul(text, NULL, 10);
}

/* The verbs that repeat one call N times. */
static void repeat(sd_bus *bus, char **words, unsigned n, Samples *samples)
{
        _cleanup_free_ char *path = NULL, *volume = NULL;

        path = pool_path(streq(words[0], "do") ? words[2] : words[1]);
        volume = volume_path(words[1], words[2]);
        for (unsigned i = 0; i < n; i++) {
                uint64_t begin = samples_now();
                char name[128];

                if (streq(words[0], "create")) {
                        (void)snprintf(name, sizeof(name), "%s-%u", words[4], i);
                        create(bus, path, name, words[2]);
                } else if (streq(words[0], "info"))
                        info(bus, volume);
                else
                        do_with_wait(bus, path, words[1]);
                samples_add(samples, begin);
        }
}

/* The verbs that are one call, or one list. Returns how many volumes were listed. */
static size_t once(sd_bus *bus, char **words, Samples *samples)
{
        _cleanup_free_ char *path = words[1] ? pool_path(words[1]) : NULL;
        uint64_t begin = samples_now();
        size_t count = 0;

        if (streq(words[0], "answer"))
                answer(bus);
        else if (streq(words[0], "define"))
                define(bus, words[1], words[2]);
        else if (streq(words[0], "undefine"))
                undefine(bus, words[1]);
        else
                count = list(bus, path);
        samples_add(samples, begin);
        return count;
}

static bool words_are(char **words, int n, const char *verb, int expected)
{
        return n == expected && streq(words[0], verb);
}

static size_t run(sd_bus *bus, char **words, int n, Samples *samples)
{
        _cleanup_free_ char *path = n > 1 ? pool_path(words[1]) : NULL;

        if (words_are(words, n, "answer", 1) || words_are(words, n, "define", 3) ||
            words_are(words, n, "undefine", 2) || words_are(words, n, "list", 2))
                return once(bus, words, samples);
        if (words_are(words, n, "dump", 3))
                return dump_anew(bus, path, number(words[2]), samples);
        if (words_are(words, n, "do", 4) || words_are(words, n, "info", 4) ||
            words_are(words, n, "create", 5))
                repeat(bus, words, number(words[3]), samples);
        else if (words_are(words, n, "outside", 4))
                outside(bus, words[1], words[2], number(words[3]), samples);
        else if (words_are(words, n, "probe", 4)) {
                _cleanup_free_ char *pool = pool_path(words[2]), *volume = volume_path(words[2], words[3]);

                probe(bus, words[1], pool, volume, samples);
        } else
                samples_fail(words[0], "no such verb, see the head of call-own.c");
        return 0;
}

int main(int argc, char **argv)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        Samples samples = {};
        size_t count;

        if (argc < 2)
                samples_fail("call-own", "usage: call-own VERB ...");
        bus = bus_open();
        samples_gate();
        count = run(bus, argv + 1, argc - 1, &samples);
        samples_print(&samples, count);
        return 0;
}
