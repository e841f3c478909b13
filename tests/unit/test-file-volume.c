/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resize, clone, delete and access of volumes that are there. */
#include "file-pool.h"

#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "file/clone.h"

#define MIB (1024ull * 1024)

static Error *error(void)
{
        return &pool->error;
}

static int resize(const char *name, uint64_t capacity, bool shrink, bool allocate)
{
        fake_ctx_reset(pool);
        return poolkeeper_backend.volume_resize(pool, name, capacity, shrink, allocate);
}

static int delete (const char *name)
{
        fake_ctx_reset(pool);
        return poolkeeper_backend.volume_delete(pool, name, NULL);
}

static bool same_bytes(const char *a, const char *b)
{
        char command[256];

        (void)snprintf(command, sizeof(command), "cmp -s pool/%s pool/%s", a, b);
        return system(command) == 0;
}

static int shell(const char *command)
{
        return system(command);
}

/* Snapshots make the file larger than the disk. */
static void resize_with_snapshots(void)
{
        if (!command_exists("qemu-img") || !command_exists("qemu-io"))
                SKIP("needs qemu-img and qemu-io");
        CHECK_OK(create("kept", 32 * MIB, words("format", "qcow2", "cluster_size", "512", NULL)));
        CHECK_EQ(shell("for i in 1 2 3 4; do qemu-io -f qcow2 -c 'write -P '$i' 0 32M' pool/kept >/dev/null "
                       "&& "
                       "qemu-img snapshot -c s$i pool/kept || exit 1; done"),
                 0);
        CHECK_OK(resize("kept", 40 * MIB, false, false));
        CHECK_EQ(pool->last.capacity, 40 * MIB);
        CHECK_OK(unlink("pool/kept"));
}

static void resize_raw(void)
{
        CHECK_OK(create("raw", MIB, words(NULL)));
        pool->session = true;
        CHECK_OK(resize("raw", 3 * MIB + 7, false, false));
        CHECK_EQ(pool->last.capacity, 3 * MIB + 7);
        CHECK_EQ(pool->n_synced, 1);
        CHECK_ERROR(resize("raw", 2 * MIB, false, false), error(), ERROR_INVALID_ARGS);
        CHECK_OK(resize("raw", 2 * MIB, true, false));
        CHECK_EQ(pool->last.capacity, 2 * MIB);
        CHECK_OK(resize("raw", 4 * MIB, false, true));
        CHECK(pool->last.allocation >= 4 * MIB);
        pool->session = false;
        CHECK_EQ(pool->last.creator, 1000);
        CHECK_ERROR(resize("none", MIB, false, false), error(), ERROR_NO_SUCH_VOLUME);
        CHECK_OK(link("pool/raw", "pool/raw2"));
        CHECK_ERROR(resize("raw", 8 * MIB, false, false), error(), ERROR_NOT_SUPPORTED);
        CHECK_OK(unlink("pool/raw2"));
        CHECK_OK(symlink("raw", "pool/link"));
        CHECK_ERROR(resize("link", 8 * MIB, false, false), error(), ERROR_NO_SUCH_VOLUME);
        CHECK_OK(unlink("pool/link"));
        CHECK_OK(create("folder", 0, words("format", "dir", NULL)));
        CHECK_ERROR(resize("folder", 8 * MIB, false, false), error(), ERROR_NOT_SUPPORTED);
}

/* As a guest's QEMU would hold it. */
static void resize_in_use(void)
{
        struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 201, .l_len = 1 };
        int fd = open("pool/raw", O_RDWR | O_CLOEXEC);

        CHECK_OK(fcntl(fd, F_OFD_SETLK, &lock));
        CHECK_ERROR(resize("raw", MIB, true, false), error(), ERROR_IN_USE);
        CHECK_OK(resize("raw", 5 * MIB, false, false));
        CHECK_OK(close(fd));
        CHECK_OK(resize("raw", MIB, true, false));
}

static void resize_undo(void)
{
        CHECK_OK(poolkeeper_backend.undo(pool, "truncate", "4096 raw"));
        CHECK_OK(look("raw"));
        CHECK_EQ(pool->last.capacity, 4096);
        CHECK(poolkeeper_backend.undo(pool, "truncate", "4096 ../state") < 0);
        CHECK_OK(poolkeeper_backend.undo(pool, "truncate", "4096 nothing"));
}

static void resize_images(void)
{
        static const char *const fixed[] = { "qcow", "vmdk", "vdi", "vpc", "vhdx" };

        CHECK_OK(create("q", 10 * MIB, words("format", "qcow2", NULL)));
        pool->session = true;
        CHECK_EQ(resize("q", 20 * MIB, false, false), -EREMOTE);
        pool->session = false;
        CHECK_OK(resize("q", 20 * MIB + 1, false, false));
        CHECK_EQ(pool->last.capacity, 20 * MIB + 512);
        CHECK_ERROR(resize("q", 5 * MIB, false, false), error(), ERROR_INVALID_ARGS);
        CHECK_OK(resize("q", 5 * MIB, true, false));
        CHECK_EQ(pool->last.capacity, 5 * MIB);
        CHECK_OK(resize("q", 9 * MIB, false, true));
        CHECK(pool->last.allocation >= 4 * MIB);
        CHECK_OK(create("over", UINT64_MAX, words("format", "qcow2", "backing.path", "q", NULL)));
        CHECK_OK(resize("over", 12 * MIB, false, false));
        CHECK_STREQ(pool->last.backing, "q");
        CHECK_ERROR(resize("q", MIB, true, false), error(), ERROR_IN_USE);
        CHECK_OK(create("e", 10 * MIB, words("format", "qed", NULL)));
        CHECK_OK(resize("e", 12 * MIB, false, false));
        CHECK_ERROR(resize("e", 5 * MIB, true, false), error(), ERROR_NOT_SUPPORTED);
        for (size_t i = 0; i < ELEMENTSOF(fixed); i++) {
                CHECK_OK(create(fixed[i], 10 * MIB, words("format", fixed[i], NULL)));
                CHECK_ERROR(resize(fixed[i], 12 * MIB, false, false), error(), ERROR_NOT_SUPPORTED);
        }
        /* Nobody declared it: growing it as raw would damage it. */
        CHECK_EQ(system("qemu-img create -q -f qcow2 pool/foreign 1M"), 0);
        CHECK_ERROR(resize("foreign", 64 * MIB, false, false), error(), ERROR_INVALID_ARGS);
}

static void clone_raw(void)
{
        struct stat st;

        CHECK_OK(create("source", 64 * MIB, words(NULL)));
        write_at("pool/source", 20 * MIB, "middle", 6);
        write_at("pool/source", 64 * MIB - 3, "end", 3);
        CHECK_OK(clone_volume("copy", "source", UINT64_MAX, words(NULL)));
        CHECK(same_bytes("source", "copy"));
        CHECK(pool->last.allocation < MIB);
        CHECK_EQ(pool->last.format, FORMAT_RAW);
        CHECK_EQ(pool->last.creator, 1000);
        CHECK(bag_has(pool->result, "method"));
        CHECK_OK(clone_volume("larger", "source", 80 * MIB,
                              words("mode", "0640", "allocation", "83886080", NULL)));
        CHECK_OK(stat("pool/larger", &st));
        CHECK_EQ(st.st_size, 80 * MIB);
        CHECK_EQ(st.st_mode & 07777, 0640);
        CHECK(pool->last.allocation >= 80 * MIB);
        CHECK_ERROR(clone_volume("x", "source", MIB, words(NULL)), error(), ERROR_INVALID_ARGS);
        CHECK_ERROR(clone_volume("copy", "source", UINT64_MAX, words(NULL)), error(), ERROR_VOLUME_EXISTS);
        CHECK_ERROR(clone_volume("x", "none", UINT64_MAX, words(NULL)), error(), ERROR_NO_SUCH_VOLUME);
        CHECK_ERROR(clone_volume("x", "folder", UINT64_MAX, words(NULL)), error(), ERROR_NOT_SUPPORTED);
        pool->cancel_at = 1;
        CHECK_ERROR(clone_volume("x", "source", UINT64_MAX, words(NULL)), error(), ERROR_CANCELLED);
        pool->cancel_at = 0;
        CHECK(access("pool/x", F_OK) < 0);
}

static void clone_images(void)
{
        CHECK_OK(clone_volume("c.qcow2", "q", 20 * MIB, words(NULL)));
        CHECK_EQ(pool->last.capacity, 20 * MIB);
        CHECK_EQ(pool->last.format, FORMAT_QCOW2);
        CHECK_OK(clone_volume("c.raw", "over", UINT64_MAX, words("format", "raw", NULL)));
        CHECK_EQ(pool->last.capacity, 12 * MIB);
        CHECK_STREQ(bag_get_string(pool->result, "method"), "convert");
        CHECK_OK(clone_volume("s.qcow2", "source", 100 * MIB,
                              words("format", "qcow2", "cluster_size", "131072", NULL)));
        CHECK_EQ(pool->last.capacity, 100 * MIB); /* libvirt would drop the wish */
        CHECK_OK(clone_volume("back.raw", "s.qcow2", UINT64_MAX, words("format", "raw", NULL)));
        CHECK_EQ(system("cmp -s -n 67108864 pool/source pool/back.raw"), 0);
        CHECK_OK(clone_volume("c.over", "over", UINT64_MAX, words(NULL)));
        CHECK_STREQ(pool->last.backing, NULL); /* it has all its data */
        CHECK_EQ(pool->last.format, FORMAT_QCOW2);
        CHECK_STREQ(bag_get_string(pool->result, "method"), "convert");
        CHECK_ERROR(clone_volume("x", "vdi", 20 * MIB, words(NULL)), error(), ERROR_NOT_SUPPORTED);
        CHECK_OK(clone_volume("c.vdi", "vdi", 20 * MIB, words("format", "qcow2", NULL)));
        CHECK_ERROR(clone_volume("x", "source", UINT64_MAX, words("compat", "1.1", NULL)), error(),
                    ERROR_INVALID_ARGS);
        CHECK_ERROR(clone_volume("x", "foreign", UINT64_MAX,
                                 words("format", "raw", "preallocation", "full", NULL)),
                    error(), ERROR_INVALID_ARGS);
        CHECK_ERROR(
                clone_volume("x", "source", UINT64_MAX, words("format", "qcow2", "backing.path", "q", NULL)),
                error(), ERROR_INVALID_ARGS);
}

static void delete_volumes(void)
{
        CHECK_OK(delete ("copy"));
        CHECK_STREQ(pool->vanished[0], "copy");
        CHECK_EQ(pool->n_needs_job, 0);
        CHECK_ERROR(delete ("copy"), error(), ERROR_NO_SUCH_VOLUME);
        CHECK_STREQ(pool->vanished[0], "copy");
        write_at("pool/folder/inside", 0, "x", 1);
        CHECK_ERROR(delete ("folder"), error(), ERROR_IN_USE);
        CHECK_OK(unlink("pool/folder/inside"));
        CHECK_OK(delete ("folder"));
        CHECK_OK(mkfifo("pool/fifo", 0600));
        CHECK_ERROR(delete ("fifo"), error(), ERROR_NO_SUCH_VOLUME);
        CHECK_ERROR(delete (".poolkeeper-x"), error(), ERROR_INVALID_NAME);
}

static void delete_chain(void)
{
        char *all[] = { (char *)"over1", (char *)"over2", NULL }, *part[] = { (char *)"over1", NULL };

        CHECK_OK(create("base", MIB, words(NULL)));
        CHECK_OK(create("over1", UINT64_MAX, words("format", "qcow2", "backing.path", "base", NULL)));
        CHECK_OK(create("over2", UINT64_MAX, words("format", "qcow2", "backing.path", "over1", NULL)));
        pool->session = true;
        CHECK_EQ(delete ("base"), -EREMOTE);
        pool->session = false;
        CHECK_ERROR(delete ("base"), error(), ERROR_IN_USE);
        CHECK_ERROR(delete ("over1"), error(), ERROR_IN_USE);
        CHECK_OK(access("pool/over1", F_OK));
        CHECK_ERROR(poolkeeper_backend.volume_delete(pool, "base", part), error(), ERROR_IN_USE);
        CHECK_OK(access("pool/over2", F_OK));
        fake_ctx_reset(pool);
        CHECK_OK(poolkeeper_backend.volume_delete(pool, "base", all));
        CHECK_EQ(strv_length(pool->vanished), 3);
        CHECK_STREQ(pool->vanished[0], "over2");
        CHECK_STREQ(pool->vanished[2], "base");
}

static void access_rights(void)
{
        _cleanup_free_ char *reason = NULL;
        bool allowed = false;

        if (geteuid() != 0)
                SKIP("needs to act as other users");
        CHECK_OK(create("mine", MIB, words("owner", "1234", "mode", "0600", NULL)));
        CHECK_OK(chmod(test_directory_path, 0700));
        CHECK_OK(poolkeeper_backend.volume_access(pool, "mine", 1234, &allowed, &reason));
        CHECK(!allowed && strstr(reason, test_directory_path));
        free(reason);
        reason = NULL;
        CHECK_OK(chmod(test_directory_path, 0711));
        CHECK_OK(poolkeeper_backend.volume_access(pool, "mine", 1234, &allowed, &reason));
        CHECK(allowed);
        CHECK_OK(poolkeeper_backend.volume_access(pool, "mine", 1235, &allowed, &reason));
        CHECK(!allowed && strstr(reason, "/mine"));
        CHECK_EQ(geteuid(), 0);
        CHECK_OK(create("still-root", MIB, words(NULL)));
}

static void news(void)
{
        char buffer[4096];
        int fd;

        CHECK_OK(poolkeeper_backend.watch(pool, &fd));
        CHECK(read(fd, buffer, sizeof(buffer)) < 0 && errno == EAGAIN);
        write_at("pool/dropped", 0, "x", 1);
        CHECK(read(fd, buffer, sizeof(buffer)) > 0);
        CHECK_STREQ(((struct inotify_event *)buffer)->name, "dropped");
        CHECK_OK(close(fd));
}

static void space(void)
{
        uint64_t capacity = 0, allocation = 0, available = 0;

        CHECK_OK(poolkeeper_backend.space(pool, &capacity, &allocation, &available));
        CHECK(capacity > 0 && allocation <= capacity && available <= capacity);
}

/* btrfs can share blocks and switch copy-on-write. */
static void reflink(void)
{
        if (geteuid() != 0 || system("truncate -s 200M disk && mkfs.btrfs -q disk >out 2>&1 && "
                                     "mount -o loop disk pool 2>>out") != 0)
                SKIP("needs root, mkfs.btrfs and a loop device");
        CHECK_OK(poolkeeper_backend.stop(pool));
        CHECK_OK(poolkeeper_backend.start(pool));
        CHECK_OK(create("source", 32 * MIB, words("preallocation", "full", NULL)));
        pool->session = true;
        CHECK_OK(clone_volume("shared", "source", UINT64_MAX, words(NULL)));
        pool->session = false;
        CHECK_STREQ(bag_get_string(pool->result, "method"), "reflink");
        CHECK(same_bytes("source", "shared"));
        CHECK_OK(create("nocow", MIB, words("nocow", "yes", NULL)));
        CHECK_EQ(system("lsattr pool/nocow | grep -q '^[^ ]*C'"), 0);
        CHECK_OK(poolkeeper_backend.build(pool, false));
        CHECK_OK(umount("pool"));
        CHECK_OK(poolkeeper_backend.stop(pool));
        CHECK_OK(poolkeeper_backend.start(pool));
        CHECK_ERROR(create("x", MIB, words("nocow", "yes", NULL)), error(), ERROR_NOT_SUPPORTED);
}

int main(void)
{
        test_directory();
        pool_start();
        RUN(resize_raw);
        RUN(resize_with_snapshots);
        RUN(resize_in_use);
        RUN(resize_undo);
        if (command_exists("qemu-img"))
                RUN(resize_images);
        RUN(clone_raw);
        if (command_exists("qemu-img"))
                RUN(clone_images);
        RUN(delete_volumes);
        if (command_exists("qemu-img"))
                RUN(delete_chain);
        RUN(access_rights);
        RUN(news);
        RUN(space);
        RUN(reflink);
        pool_end();
        return 0;
}
