/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Refresh: what it lists, and what it tells the second time. */
#include "file-pool.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define MIB (1024ull * 1024)

static int snapshot = -EBADF;
static VolumeInfo seen; /* of the volume that is looked for */
static const char *seen_name;

static int scan(void)
{
        int next = -EBADF, r;

        fake_ctx_reset(pool);
        r = poolkeeper_backend.refresh(pool, snapshot, &next);
        if (r >= 0) {
                if (snapshot >= 0)
                        CHECK_OK(close(snapshot));
                snapshot = next;
        }
        return r;
}

/* Files must be older than a tick of the clock before a scan takes them for unchanged. */
static void settle(void)
{
        CHECK_OK(usleep(30000));
}

static void empty_pool(void)
{
        CHECK_EQ(system("find pool -mindepth 1 -delete"), 0);
        if (snapshot >= 0)
                CHECK_OK(close(snapshot));
        snapshot = -EBADF;
}

static void on_volume(const VolumeInfo *v, void *userdata)
{
        if (seen_name && streq(v->name, seen_name))
                seen = *v;
}

static void only_in_job(void)
{
        pool->session = true;
        CHECK_EQ(scan(), -EREMOTE);
        pool->session = false;
}

static void differences(void)
{
        empty_pool();
        write_at("pool/a", 0, "one", 3);
        write_at("pool/b", 0, "two", 3);
        write_at("pool/c", 0, "three", 5);
        settle();
        CHECK_OK(scan());
        CHECK_EQ(pool->n_volumes, 3);
        CHECK_OK(scan());
        CHECK_EQ(pool->n_volumes, 0);
        CHECK(!pool->vanished);
        CHECK_OK(rename("pool/a", "pool/z"));
        CHECK_OK(unlink("pool/b"));
        write_at("pool/c", 0, "THREE", 5); /* of the same size */
        CHECK_OK(scan());
        CHECK_EQ(pool->n_volumes, 2);
        CHECK(strv_contains(pool->volumes, "z") && strv_contains(pool->volumes, "c"));
        CHECK_EQ(strv_length(pool->vanished), 2);
        CHECK(strv_contains(pool->vanished, "a") && strv_contains(pool->vanished, "b"));
        settle();
        CHECK_OK(scan()); /* what was fresh then is looked at once more */
        CHECK_OK(scan());
        CHECK_EQ(pool->n_volumes, 0);
        CHECK_OK(unlink("pool/z"));
        CHECK_OK(mkfifo("pool/z", 0600));
        CHECK_OK(scan());
        CHECK_STREQ(pool->vanished ? pool->vanished[0] : NULL, "z");
        CHECK_OK(scan());
        CHECK(!pool->vanished);
        CHECK_OK(chmod("pool/c", 0644));
        CHECK_OK(scan());
        CHECK_EQ(pool->last.mode, 0644);
}

/* Written in the same tick of the clock in which it was read, without a change of size. */
static void same_tick(void)
{
        empty_pool();
        for (int i = 0; i < 20; i++) {
                write_at("pool/racy", 0, "QFI\xfb garbage", 12);
                CHECK_OK(scan());
                CHECK_EQ(pool->last.detected, FORMAT_QCOW2);
                write_at("pool/racy", 0, "qqq\xfb garbage", 12);
                CHECK_OK(scan());
                CHECK_EQ(pool->n_volumes, 1);
                CHECK_EQ(pool->last.detected, FORMAT_RAW);
        }
}

static void strange_entries(void)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "pool/socket" };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        empty_pool();
        CHECK_OK(bind(fd, (struct sockaddr *)&address, sizeof(address)));
        CHECK_OK(close(fd));
        CHECK_OK(mkfifo("pool/fifo", 0600));
        CHECK_OK(symlink("nowhere", "pool/dangling"));
        CHECK_OK(symlink("/etc/passwd", "pool/outside"));
        CHECK_OK(symlink("loop", "pool/loop"));
        CHECK_OK(mkdir("pool/directory", 0700));
        write_at("pool/.hidden", 0, "x", 1);
        write_at("pool/.poolkeeper-temporary", 0, "x", 1);
        write_at("pool/new\nline", 0, "x", 1);
        write_at("pool/latin\xe9", 0, "x", 1);
        write_at("pool/back\\slash", 0, "x", 1);
        write_at("pool/short", 0, "QFI\xfb\0\0\0\3", 8);
        CHECK_OK(link("pool/short", "pool/short2"));
        if (geteuid() == 0)
                CHECK_OK(mknod("pool/null", S_IFCHR | 0600, 0x103));
        CHECK_OK(scan());
        CHECK_EQ(pool->n_volumes, 7);
        CHECK(strv_contains(pool->volumes, "directory"));
        CHECK(strv_contains(pool->volumes, ".hidden"));
        CHECK(strv_contains(pool->volumes, "new\\x0aline"));
        CHECK(strv_contains(pool->volumes, "latin\\xe9"));
        CHECK(strv_contains(pool->volumes, "back\\x5cslash"));
        CHECK_OK(look("short"));
        CHECK(pool->last.error);
        CHECK_EQ(pool->last.capacity, 8);
        CHECK(pool->last.flags & VOLUME_FOREIGN_LINKS);
        CHECK_OK(look("fifo"));
        CHECK_STREQ(pool->vanished[0], "fifo");
        CHECK_OK(look("new\\x0aline"));
        CHECK_EQ(pool->n_volumes, 1);
        CHECK_OK(poolkeeper_backend.volume_delete(pool, "new\\x0aline", NULL));
        CHECK_OK(poolkeeper_backend.volume_delete(pool, "latin\\xe9", NULL));
        CHECK(access("pool/new\nline", F_OK) < 0);
        CHECK(access("pool/latin\xe9", F_OK) < 0);
        CHECK_ERROR(look("..\\x2fstate"), &pool->error, ERROR_INVALID_NAME);
}

static void links(void)
{
        char absolute[128];

        empty_pool();
        write_at("pool/file", 0, "x", 1);
        (void)snprintf(absolute, sizeof(absolute), "%s/pool/file", test_directory_path);
        CHECK_OK(symlink("file", "pool/relative"));
        CHECK_OK(symlink(absolute, "pool/absolute"));
        CHECK_OK(symlink("/etc/passwd", "pool/outside"));
        CHECK_OK(symlink("../pool/file", "pool/dots"));
        CHECK_OK(symlink(".", "pool/self"));
        CHECK_OK(scan());
        CHECK_EQ(pool->n_volumes, 1);
        empty_pool();
        write_at("pool/file", 0, "x", 1);
        CHECK_OK(symlink("file", "pool/relative"));
        CHECK_OK(symlink(absolute, "pool/absolute"));
        CHECK_OK(symlink("/etc/passwd", "pool/outside"));
        CHECK_OK(symlink(".", "pool/self"));
        CHECK_OK(bag_set_string(pool->options, "symlinks", "follow"));
        CHECK_OK(scan());
        CHECK_EQ(pool->n_volumes, 3);
        CHECK(!strv_contains(pool->volumes, "outside") && !strv_contains(pool->volumes, "self"));
        CHECK_OK(poolkeeper_backend.volume_delete(pool, "relative", NULL)); /* the link, not the file */
        CHECK_OK(access("pool/file", F_OK));
        bag_remove(pool->options, "symlinks");
}

static void unreadable(void)
{
        if (geteuid() == 0)
                SKIP("root reads everything");
        empty_pool();
        write_at("pool/closed", 0, "x", 1);
        CHECK_OK(chmod("pool/closed", 0));
        CHECK_OK(scan());
        CHECK_EQ(pool->n_volumes, 1);
        CHECK(pool->last.error);
}

/* A raw volume into which its guest wrote the header of another format stays raw. */
static void hostile_header(void)
{
        uint8_t header[104] = "QFI\xfb\0\0\0\2";

        empty_pool();
        header[31] = 0xff; /* a size */
        CHECK_OK(create("guest", MIB, words(NULL)));
        write_at("pool/guest", 0, header, sizeof(header));
        write_at("pool/foreign", 0, header, sizeof(header));
        CHECK_OK(look("guest"));
        CHECK_EQ(pool->last.format, FORMAT_RAW);
        CHECK_EQ(pool->last.detected, FORMAT_QCOW2);
        CHECK_EQ(pool->last.capacity, MIB);
        CHECK_STREQ(pool->last.error, NULL);
        CHECK_OK(look("foreign"));
        CHECK_EQ(pool->last.format, FORMAT_RAW);
        CHECK_EQ(pool->last.capacity, sizeof(header));
        if (!command_exists("qemu-img"))
                return;
        CHECK_OK(create("damaged", MIB, words("format", "qcow2", NULL)));
        write_at("pool/damaged", 0, "none", 4);
        CHECK_OK(look("damaged"));
        CHECK_EQ(pool->last.format, FORMAT_QCOW2);
        CHECK(pool->last.error);
}

static void gone(void)
{
        empty_pool();
        CHECK_OK(rename("pool", "away"));
        CHECK_ERROR(scan(), &pool->error, ERROR_SOURCE_UNREACHABLE);
        CHECK_OK(mkdir("pool", 0700));
        CHECK_ERROR(scan(), &pool->error, ERROR_SOURCE_UNREACHABLE);
        CHECK_OK(rmdir("pool"));
        CHECK_OK(rename("away", "pool"));
        CHECK_OK(scan());
        write_at("wrong", 0, "not a snapshot, but long enough", 31);
        {
                int fd = open("wrong", O_RDONLY | O_CLOEXEC), next;

                CHECK_ERROR(poolkeeper_backend.refresh(pool, fd, &next), &pool->error, ERROR_CHANGED);
                CHECK_OK(close(fd));
        }
}

static double now(void)
{
        struct timespec t;

        CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &t));
        return t.tv_sec + t.tv_nsec / 1e9;
}

static void many(void)
{
        double start;

        empty_pool();
        for (int i = 0; i < 20000; i++) {
                char name[32];
                int fd;

                (void)snprintf(name, sizeof(name), "pool/volume-%05d", i);
                fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
                CHECK(fd >= 0);
                CHECK_OK(ftruncate(fd, 1024 * MIB));
                CHECK_OK(close(fd));
        }
        settle();
        pool->on_volume = on_volume;
        seen_name = "volume-12345";
        start = now();
        CHECK_OK(scan());
        CHECK_EQ(pool->n_volumes, 20000);
        CHECK_EQ(seen.capacity, 1024 * MIB);
        printf("# first scan of 20,000: %.3f s\n", now() - start);
        start = now();
        CHECK_OK(scan());
        CHECK_EQ(pool->n_volumes, 0);
        CHECK_EQ(pool->n_progress, 20);
        printf("# second scan: %.3f s\n", now() - start);
        CHECK_OK(unlink("pool/volume-00777"));
        CHECK_OK(rename("pool/volume-00001", "pool/other"));
        CHECK_OK(truncate("pool/volume-12345", MIB));
        CHECK_OK(scan());
        CHECK_EQ(pool->n_volumes, 2);
        CHECK_EQ(seen.capacity, MIB);
        CHECK_EQ(strv_length(pool->vanished), 2);
        pool->cancel_at = 5;
        CHECK_ERROR(scan(), &pool->error, ERROR_CANCELLED);
        pool->cancel_at = 0;
        pool->on_volume = NULL;
        empty_pool();
}

#define WITH_DATA 5000

static uint8_t told[WITH_DATA];
static unsigned n_wrong, n_damaged;

static void on_volume_with_data(const VolumeInfo *v, void *userdata)
{
        unsigned i = (unsigned)strtoul(v->name + strlen("data-"), NULL, 10);
        bool damaged = v->error && strstr(v->error, "cluster size");

        if (i >= WITH_DATA || told[i]++ || v->physical != 512 + i || (i % 100 == 0) != damaged ||
            v->detected != (i % 100 == 0 ? FORMAT_QCOW2 : FORMAT_RAW))
                n_wrong++;
        n_damaged += damaged;
}

/* Enough of them, and with data: a second process reads its share. */
static void many_with_data(void)
{
        empty_pool();
        for (int i = 0; i < WITH_DATA; i++) {
                static char data[512 + WITH_DATA];
                char name[32];

                (void)snprintf(name, sizeof(name), "pool/data-%05d", i);
                memcpy(data, i % 100 == 0 ? "QFI\xfb\0\0\0\3" : "no image", 8);
                write_at(name, 0, data, (size_t)(512 + i));
        }
        settle();
        pool->on_volume = on_volume_with_data;
        CHECK_OK(scan());
        CHECK_EQ(pool->n_volumes, WITH_DATA);
        CHECK_EQ(n_wrong, 0);
        CHECK_EQ(n_damaged, WITH_DATA / 100);
        for (int i = 0; i < WITH_DATA; i++)
                CHECK_EQ(told[i], 1);
        CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
        pool->on_volume = NULL;
        CHECK_OK(scan());
        CHECK_EQ(pool->n_volumes, 0);
        CHECK(!pool->vanished);
        CHECK_OK(close(snapshot));
        snapshot = -EBADF;
        fake_ctx_reset(pool);
        pool->cancel_at = 2;
        CHECK_ERROR(scan(), &pool->error, ERROR_CANCELLED);
        CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
        pool->cancel_at = 0;
        empty_pool();
}

int main(void)
{
        test_directory();
        pool_start();
        RUN(only_in_job);
        RUN(differences);
        RUN(same_tick);
        RUN(strange_entries);
        RUN(links);
        RUN(unreadable);
        RUN(hostile_header);
        RUN(gone);
        RUN(many);
        RUN(many_with_data);
        pool_end();
        return 0;
}
