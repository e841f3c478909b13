/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots, in images and of files. */
#include "file-pool.h"

#include <sys/mount.h>

#include "util/snapshot-list.h"

#define MIB (1024ull * 1024)

static Error *error(void)
{
        return &pool->error;
}

static int snapshot(const char *name, SnapshotAction action, const char *snapshot)
{
        fake_ctx_reset(pool);
        return poolkeeper_backend.volume_snapshot(pool, name, action, snapshot, NULL);
}

static unsigned count(void)
{
        const char *list = pool->last.snapshots;
        SnapshotInfo info;
        unsigned n = 0;

        while (snapshot_list_next(&list, &info) > 0)
                n++;
        return n;
}

static bool lists(const char *name, SnapshotKind kind, uint64_t size)
{
        SnapshotInfo info;

        return snapshot_list_find(pool->last.snapshots, name, &info) && info.kind == kind &&
               info.size == size && info.created_usec > 1500000000ull * 1000000;
}

static int shell(const char *command)
{
        return system(command);
}

/* ---- qcow2 ---- */

static void internal(void)
{
        CHECK_OK(create("q", MIB, words("format", "qcow2", NULL)));
        CHECK_EQ(shell("qemu-io -f qcow2 -c 'write -P 1 0 64k' pool/q >log"), 0);
        CHECK_OK(snapshot("q", SNAPSHOT_CREATE, "one"));
        CHECK_EQ(count(), 1);
        CHECK(lists("one", SNAPSHOT_INTERNAL, MIB));
        CHECK_EQ(shell("qemu-io -f qcow2 -c 'write -P 2 0 64k' pool/q >log"), 0);
        CHECK_OK(snapshot("q", SNAPSHOT_CREATE, "-two words"));
        CHECK_ERROR(snapshot("q", SNAPSHOT_CREATE, "one"), error(), ERROR_VOLUME_EXISTS);
        CHECK_EQ(shell("qemu-io -f qcow2 -c 'write -P 3 0 64k' pool/q >log"), 0);
        CHECK_OK(snapshot("q", SNAPSHOT_REVERT, "one"));
        CHECK_EQ(shell("qemu-io -r -f qcow2 -c 'read -P 1 0 64k' pool/q | grep -q failed"), 256);
        CHECK_OK(snapshot("q", SNAPSHOT_REVERT, "-two words"));
        CHECK_EQ(shell("qemu-io -r -f qcow2 -c 'read -P 2 0 64k' pool/q | grep -q failed"), 256);
        CHECK_EQ(count(), 2);
        CHECK_OK(snapshot("q", SNAPSHOT_DELETE, "one"));
        CHECK_EQ(count(), 1);
        CHECK_ERROR(snapshot("q", SNAPSHOT_REVERT, "one"), error(), ERROR_NO_SUCH_VOLUME);
        CHECK_ERROR(snapshot("q", SNAPSHOT_DELETE, "one"), error(), ERROR_NO_SUCH_VOLUME);
        CHECK_ERROR(snapshot("q", SNAPSHOT_CREATE, "a/b"), error(), ERROR_INVALID_NAME);
        CHECK_OK(snapshot("q", SNAPSHOT_DELETE, "-two words"));
        CHECK_STREQ(pool->last.snapshots, NULL);
}

/* The name of one is the number of the other. */
static void numbers(void)
{
        CHECK_OK(create("n", MIB, words("format", "qcow2", NULL)));
        CHECK_EQ(shell("qemu-io -f qcow2 -c 'write -P 1 0 64k' pool/n >log"), 0);
        CHECK_OK(snapshot("n", SNAPSHOT_CREATE, "2")); /* 1 */
        CHECK_EQ(shell("qemu-io -f qcow2 -c 'write -P 2 0 64k' pool/n >log"), 0);
        CHECK_OK(snapshot("n", SNAPSHOT_CREATE, "1")); /* 2 */
        CHECK_OK(snapshot("n", SNAPSHOT_REVERT, "2"));
        CHECK_EQ(shell("qemu-io -r -f qcow2 -c 'read -P 1 0 64k' pool/n | grep -q failed"), 256);
        CHECK_OK(snapshot("n", SNAPSHOT_DELETE, "2"));
        CHECK_EQ(count(), 1);
        CHECK(lists("1", SNAPSHOT_INTERNAL, MIB));
        CHECK_OK(snapshot("n", SNAPSHOT_REVERT, "1"));
        CHECK_EQ(shell("qemu-io -r -f qcow2 -c 'read -P 2 0 64k' pool/n | grep -q failed"), 256);
}

static void odd_names(void)
{
        CHECK_OK(create("odd", MIB, words("format", "qcow2", NULL)));
        CHECK_EQ(shell("qemu-img snapshot -c \"$(printf 'a\\377b')\" pool/odd && qemu-img snapshot -c a/b "
                       "pool/odd && "
                       "qemu-img snapshot -c plain pool/odd"),
                 0);
        CHECK_OK(look("odd"));
        CHECK_EQ(count(), 2); /* a/b cannot be told */
        CHECK(lists("a\\xffb", SNAPSHOT_INTERNAL, MIB));
        CHECK(lists("plain", SNAPSHOT_INTERNAL, MIB));
        CHECK_OK(snapshot("odd", SNAPSHOT_DELETE, "a\\xffb"));
        CHECK_EQ(count(), 1);
}

static void image_in_use(void)
{
        int fd = open("pool/n", O_RDWR | O_CLOEXEC);

        CHECK_ERROR(snapshot("n", SNAPSHOT_CREATE, "x"), error(), ERROR_IN_USE);
        CHECK_ERROR(snapshot("n", SNAPSHOT_REVERT, "1"), error(), ERROR_IN_USE);
        CHECK_OK(close(fd));
        pool->session = true;
        CHECK_EQ(snapshot("n", SNAPSHOT_CREATE, "x"), -EREMOTE);
        pool->session = false;
}

/* What a damaged or hostile table says is not believed, and never read outside. */
static void spoilt_table(void)
{
        unsigned long long offset = 0;
        FILE *f = popen("od -An -t u8 --endian=big -j 64 -N 8 pool/n", "r");

        CHECK(f && fscanf(f, "%llu", &offset) == 1 && offset > 0);
        (void)pclose(f);
        write_at("pool/n", (off_t)offset + 36, "\377\377\377\377", 4); /* the extra data of the first */
        CHECK_OK(look("n"));
        CHECK_STREQ(pool->last.snapshots, NULL);
        CHECK_STREQ(pool->last.error, NULL);
        write_at("pool/n", 64, "\000\377\377\377\377\377\377\377", 8); /* where it is */
        CHECK_OK(look("n"));
        CHECK(pool->last.error);
}

/* ---- files ---- */

static void not_here(void)
{
        int before;

        CHECK_OK(create("r", MIB, words(NULL)));
        before = entries();
        CHECK_ERROR(snapshot("r", SNAPSHOT_CREATE, "one"), error(), ERROR_NOT_SUPPORTED);
        CHECK_ERROR(snapshot("r", SNAPSHOT_REVERT, "one"), error(), ERROR_NO_SUCH_VOLUME);
        CHECK_EQ(entries(), before);
        CHECK_OK(create("folder", 0, words("format", "dir", NULL)));
        CHECK_ERROR(snapshot("folder", SNAPSHOT_CREATE, "one"), error(), ERROR_NOT_SUPPORTED);
}

static bool holds(const char *file, const char *text)
{
        char command[256];

        (void)snprintf(command, sizeof(command), "head -c %zu '%s' | grep -q '%s'", strlen(text), file,
                       text);
        return system(command) == 0;
}

static bool is_mounted;

static bool mount_on_pool(const char *mkfs)
{
        char command[256];

        (void)snprintf(
                command, sizeof(command),
                "rm -f disk && truncate -s 400M disk && %s disk >out 2>&1 && mount -o loop disk pool 2>>out",
                mkfs);
        is_mounted = geteuid() == 0 && system(command) == 0;
        if (!is_mounted)
                return false;
        CHECK_OK(poolkeeper_backend.stop(pool));
        CHECK_OK(poolkeeper_backend.start(pool));
        return true;
}

static void unmount(void)
{
        if (is_mounted)
                (void)umount("pool");
        is_mounted = false;
}

static void file_snapshots(void)
{
        pool->session = true;
        CHECK_OK(create("r", MIB, words(NULL)));
        write_at("pool/r", 0, "first", 5);
        CHECK_OK(snapshot("r", SNAPSHOT_CREATE, "one"));
        CHECK_EQ(count(), 1);
        CHECK(lists("one", SNAPSHOT_FILE, MIB));
        CHECK_ERROR(snapshot("r", SNAPSHOT_CREATE, "one"), error(), ERROR_VOLUME_EXISTS);
        write_at("pool/r", 0, "later", 5);
        CHECK_OK(snapshot("r", SNAPSHOT_CREATE, "two"));
        CHECK_OK(snapshot("r", SNAPSHOT_REVERT, "one"));
        CHECK(holds("pool/r", "first"));
        CHECK_EQ(pool->last.creator, 1000);
        CHECK_EQ(count(), 2);
        CHECK_OK(snapshot("r", SNAPSHOT_REVERT, "two"));
        CHECK(holds("pool/r", "later"));
        CHECK_OK(snapshot("r", SNAPSHOT_DELETE, "two"));
        CHECK_EQ(count(), 1);
        CHECK_ERROR(snapshot("r", SNAPSHOT_REVERT, "two"), error(), ERROR_NO_SUCH_VOLUME);
        CHECK_ERROR(snapshot("r", SNAPSHOT_DELETE, "two"), error(), ERROR_NO_SUCH_VOLUME);
        pool->session = false;
}

static void in_use(void)
{
        int fd = open("pool/r", O_RDWR | O_CLOEXEC);

        CHECK_OK(snapshot("r", SNAPSHOT_CREATE, "live")); /* as after a crash */
        CHECK_ERROR(snapshot("r", SNAPSHOT_REVERT, "one"), error(), ERROR_IN_USE);
        CHECK_OK(close(fd));
        CHECK_OK(snapshot("r", SNAPSHOT_DELETE, "live"));
}

/* Names that look like each other's are still each one's own. */
static void names(void)
{
        char name[201];

        CHECK_OK(create("r-one", MIB, words(NULL)));
        CHECK_OK(look("r-one"));
        CHECK_STREQ(pool->last.snapshots, NULL);
        CHECK_OK(snapshot("r-one", SNAPSHOT_CREATE, "1-r-x"));
        CHECK(lists("1-r-x", SNAPSHOT_FILE, MIB));
        CHECK_OK(look("r"));
        CHECK_EQ(count(), 1);
        memset(name, 'n', 200);
        name[200] = '\0';
        CHECK_OK(create(name, MIB, words(NULL)));
        CHECK_ERROR(snapshot(name, SNAPSHOT_CREATE, "this one is longer than what is left"), error(),
                    ERROR_INVALID_NAME);
        CHECK_ERROR(snapshot("r", SNAPSHOT_CREATE, "../x"), error(), ERROR_INVALID_NAME);
        CHECK_OK(poolkeeper_backend.volume_delete(pool, name, NULL));
}

static unsigned told;

static void count_told(const VolumeInfo *v, void *userdata)
{
        SnapshotInfo info;

        CHECK(!startswith(v->name, ".poolkeeper"));
        if (streq(v->name, "r"))
                CHECK(snapshot_list_find(v->snapshots, "one", &info));
        told++;
}

static void scanned(void)
{
        int first = -EBADF, second = -EBADF;

        fake_ctx_reset(pool);
        pool->on_volume = count_told;
        (void)usleep(50000); /* so that time stamps are not fresh */
        CHECK_OK(poolkeeper_backend.refresh(pool, -EBADF, &first));
        CHECK_EQ(told, 2);
        told = 0;
        CHECK_OK(poolkeeper_backend.refresh(pool, first, &second));
        CHECK_EQ(told, 0);
        pool->on_volume = NULL;
        CHECK_OK(close(first));
        CHECK_OK(close(second));
}

static void renamed_and_deleted(void)
{
        int before = entries();

        fake_ctx_reset(pool);
        CHECK_OK(poolkeeper_backend.volume_rename(pool, "r", "renamed"));
        CHECK_EQ(count(), 1);
        CHECK(lists("one", SNAPSHOT_FILE, MIB));
        CHECK_OK(snapshot("renamed", SNAPSHOT_REVERT, "one"));
        CHECK(holds("pool/renamed", "first"));
        CHECK_EQ(entries(), before);
        fake_ctx_reset(pool);
        CHECK_OK(poolkeeper_backend.volume_delete(pool, "renamed", NULL));
        CHECK_EQ(entries(), before - 2);
        CHECK_OK(create("renamed", MIB, words(NULL)));
        CHECK_OK(snapshot("renamed", SNAPSHOT_CREATE, "new"));
        CHECK_EQ(count(), 1);
}

static void on_file_system(void)
{
        RUN(file_snapshots);
        RUN(in_use);
        RUN(names);
        RUN(scanned);
        RUN(renamed_and_deleted);
        unmount();
}

static void no_file_system(void)
{
        SKIP("needs root, mkfs and a loop device");
}

int main(void)
{
        test_directory();
        atexit(unmount);
        pool_start();
        RUN(internal);
        RUN(numbers);
        RUN(odd_names);
        RUN(image_in_use);
        RUN(spoilt_table);
        RUN(not_here);
        if (mount_on_pool("mkfs.xfs -q"))
                on_file_system();
        else
                RUN(no_file_system);
        if (mount_on_pool("mkfs.btrfs -q"))
                on_file_system();
        else
                RUN(no_file_system);
        pool_end();
        return 0;
}
