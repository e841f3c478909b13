/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ListVolumes and DumpVolumes on a large and a small pool. */
#include "peer.h"
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "util/fileio.h"

#define POOL "org.example.Storage.Pool"
#define BIG 20000u
#define SMALL 50u

static Peer peer;
static Pool *big, *small;

static sd_bus_message *new_list(const char *path)
{
        return peer_new_call(&peer, ":1.5", path, POOL, "ListVolumes");
}

/* Reads a page: the names' order is checked by `compare`, the rows are counted. */
static unsigned read_page(sd_bus_message *reply, char next[static 64], char last[static 64], int direction)
{
        const char *name, *format, *type, *after;
        uint64_t capacity, allocation, mtime;
        uint32_t creator;
        unsigned n = 0;

        CHECK_STREQ(peer_error(reply), NULL);
        CHECK_OK(sd_bus_message_enter_container(reply, 'a', "(stttssu)"));
        while (sd_bus_message_read(reply, "(stttssu)", &name, &capacity, &allocation, &mtime, &format, &type,
                                   &creator) > 0) {
                CHECK(!*last || strcmp(name, last) * direction > 0);
                snprintf(last, 64, "%s", name);
                n++;
        }
        CHECK_OK(sd_bus_message_exit_container(reply));
        CHECK_OK(sd_bus_message_read(reply, "s", &after));
        snprintf(next, 64, "%s", after);
        sd_bus_message_unref(reply);
        return n;
}

static unsigned list_all(const char *path, bool reverse, const char *pattern, unsigned *ret_pages)
{
        char next[64] = "", last[64] = "";
        unsigned n = 0;

        *ret_pages = 0;
        do {
                sd_bus_message *m = new_list(path);

                CHECK_OK(sd_bus_message_append(m, "a{sv}", 3, "after", "s", next, "reverse", "b", reverse,
                                               "pattern", "s", pattern));
                n += read_page(peer_call(&peer, m), next, last, reverse ? -1 : 1);
                CHECK(++*ret_pages < 1000);
        } while (*next);
        return n;
}

static void pages_by_name(void)
{
        unsigned pages;

        CHECK_EQ(list_all("/org/example/Storage/pool/big", false, "", &pages), BIG);
        CHECK(pages >= BIG / 1000);
        CHECK_EQ(list_all("/org/example/Storage/pool/big", true, "", &pages), BIG);
        CHECK_EQ(list_all("/org/example/Storage/pool/small", false, "", &pages), SMALL);
        CHECK_EQ(pages, 1);
}

/* No page looks at more than 2,000 volumes, found or not. */
static void scan_is_bounded(void)
{
        unsigned pages;

        CHECK_EQ(list_all("/org/example/Storage/pool/big", false, "v019999", &pages), 1);
        CHECK(pages >= BIG / 2000);
}

static unsigned count_reply(sd_bus_message *m)
{
        char next[64] = "", last[64] = "";

        return read_page(peer_call(&peer, m), next, last, 1);
}

static void filters(void)
{
        sd_bus_message *m = new_list("/org/example/Storage/pool/small");

        CHECK_OK(sd_bus_message_append(m, "a{sv}", 1, "format", "s", "qcow2"));
        CHECK_EQ(count_reply(m), SMALL / 2);
        m = new_list("/org/example/Storage/pool/small");
        CHECK_OK(sd_bus_message_append(m, "a{sv}", 1, "type", "s", "dir"));
        CHECK_EQ(count_reply(m), 0);
        m = new_list("/org/example/Storage/pool/small");
        CHECK_OK(sd_bus_message_append(m, "a{sv}", 2, "pattern", "s", "v00001?", "limit", "u", 7u));
        CHECK_EQ(count_reply(m), 7);
}

/* Capacities repeat, so the name decides among equals, and the pages fit together. */
static void sorted_pages(void)
{
        bool seen[SMALL] = {};
        char after[64] = "";
        uint64_t before = UINT64_MAX;
        unsigned n = 0;

        do {
                sd_bus_message *m = new_list("/org/example/Storage/pool/small"), *reply;
                const char *name, *next;
                uint64_t capacity;

                CHECK_OK(sd_bus_message_append(m, "a{sv}", 4, "sort", "s", "capacity", "reverse", "b", true,
                                               "limit", "u", 9u, "after", "s", after));
                reply = peer_call(&peer, m);
                CHECK_STREQ(peer_error(reply), NULL);
                CHECK_OK(sd_bus_message_enter_container(reply, 'a', "(stttssu)"));
                while (sd_bus_message_enter_container(reply, 'r', "stttssu") > 0) {
                        CHECK_OK(sd_bus_message_read(reply, "st", &name, &capacity));
                        CHECK(capacity <= before);
                        before = capacity;
                        CHECK(!seen[atoi(name + 1)]);
                        seen[atoi(name + 1)] = true;
                        n++;
                        CHECK_OK(sd_bus_message_skip(reply, "ttssu"));
                        CHECK_OK(sd_bus_message_exit_container(reply));
                }
                CHECK_OK(sd_bus_message_exit_container(reply));
                CHECK_OK(sd_bus_message_read(reply, "s", &next));
                snprintf(after, sizeof(after), "%s", next);
                sd_bus_message_unref(reply);
        } while (*after);
        CHECK_EQ(n, SMALL);
}

static void refused(void)
{
        static const struct {
                const char *path, *key, *type, *value, *error;
        } cases[] = {
                { "big", "sort", "s", "mtime", "org.example.Storage.Error.NotSupported" },
                { "small", "sort", "s", "colour", SD_BUS_ERROR_INVALID_ARGS },
                { "small", "pattern", "s", "[", SD_BUS_ERROR_INVALID_ARGS },
                { "small", "format", "s", "none-such", SD_BUS_ERROR_INVALID_ARGS },
                { "small", "limit", "s", "5", SD_BUS_ERROR_INVALID_ARGS },
                { "small", "wait", "s", "x", SD_BUS_ERROR_INVALID_ARGS },
                { "small", "colour", "s", "x", SD_BUS_ERROR_INVALID_ARGS },
        };

        FOREACH_ELEMENT (c, cases) {
                char path[64];
                sd_bus_message *m, *reply;

                snprintf(path, sizeof(path), "/org/example/Storage/pool/%s", c->path);
                m = new_list(path);
                CHECK_OK(sd_bus_message_append(m, "a{sv}", 1, c->key, c->type, c->value));
                reply = peer_call(&peer, m);
                CHECK_STREQ(peer_error(reply), c->error);
                sd_bus_message_unref(reply);
        }
}

static int dump(const char *sender, const char *path, uint64_t *ret_generation)
{
        sd_bus_message *m = peer_new_call(&peer, sender, path, POOL, "DumpVolumes"), *reply;
        int fd;

        CHECK_OK(sd_bus_message_append(m, "a{sv}", 0));
        reply = peer_call(&peer, m);
        CHECK_STREQ(peer_error(reply), NULL);
        CHECK_OK(sd_bus_message_read(reply, "ht", &fd, ret_generation));
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        sd_bus_message_unref(reply);
        return fd;
}

static void dump_has_all(void)
{
        const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
        uint64_t generation;
        size_t size, lines = 0;
        char *text;
        int fd = dump(":1.5", "/org/example/Storage/pool/big", &generation);

        CHECK_EQ(generation, big->generation);
        CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
        CHECK_EQ(fcntl(fd, F_GET_SEALS), seals);
        CHECK_EQ(write(fd, "x", 1), -1);
        CHECK_OK(read_fd(fd, 64 << 20, &text, &size));
        for (size_t i = 0; i < size; i++)
                lines += text[i] == '\n';
        CHECK_EQ(lines, BIG);
        CHECK(startswith(text, "{\"Name\":\"v000000\","));
        free(text);
        close(fd);
}

static ino_t inode_of(int fd)
{
        struct stat st;

        CHECK_OK(fstat(fd, &st));
        close(fd);
        return st.st_ino;
}

/* The same list while nothing changes, a new one afterwards, and for one user not twice a second. */
static void dump_is_kept(void)
{
        static const char path[] = "/org/example/Storage/pool/small";
        uint64_t generation, start;
        ino_t first = inode_of(dump(":1.6", path, &generation));

        CHECK_EQ(inode_of(dump(":1.6", path, &generation)), first);
        small->generation++;
        start = now_usec(CLOCK_MONOTONIC);
        CHECK(inode_of(dump(":1.6", path, &generation)) != first);
        CHECK_EQ(generation, small->generation);
        CHECK(now_usec(CLOCK_MONOTONIC) - start > 500 * 1000);
}

static void say_yes(Peer *p, sd_bus_message *question)
{
        peer_answer(question, true, false);
}

int main(void)
{
        peer_open(&peer);
        peer_show(&peer, false);
        peer.uid = 0;
        big = peer_add_pool(&peer, "big", BIG);
        small = peer_add_pool(&peer, "small", SMALL);
        RUN(pages_by_name);
        RUN(scan_is_bounded);
        RUN(filters);
        RUN(sorted_pages);
        RUN(refused);
        RUN(dump_has_all);
        peer.uid = 1000;
        peer.on_question = say_yes;
        RUN(dump_is_kept);
        peer_close(&peer);
        return 0;
}
