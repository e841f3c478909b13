/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New volumes, on the disk that the test runs on, with the real qemu-img. */
#include "file-pool.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "util/fileio.h"

#define MIB (1024ull * 1024)

static Error *error(void)
{
        return &pool->error;
}

static struct stat stat_of(const char *path)
{
        struct stat st;

        CHECK_OK(stat(path, &st));
        return st;
}

/* What `qemu-img info` says of a volume under the format that it should have. */
static void check_info(const char *name, const char *format, uint64_t capacity)
{
        char command[256], wanted[64], text[16384];
        FILE *f;
        size_t n;

        (void)snprintf(command, sizeof(command), "qemu-img info --output=json -f %s pool/%s", format, name);
        f = popen(command, "r");
        CHECK(f);
        n = fread(text, 1, sizeof(text) - 1, f);
        text[n] = '\0';
        CHECK_EQ(pclose(f), 0);
        (void)snprintf(wanted, sizeof(wanted), "\"virtual-size\": %llu,", (unsigned long long)capacity);
        if (!strstr(text, wanted))
                TEST_FAIL("%s is not %llu bytes large: %s", name, (unsigned long long)capacity, text);
}

static void raw_sparse(void)
{
        pool->session = true;
        CHECK_OK(create("sparse", 1024 * MIB, words(NULL)));
        pool->session = false;
        CHECK_EQ(stat_of("pool/sparse").st_size, 1024 * MIB);
        CHECK_EQ(stat_of("pool/sparse").st_mode & 07777, 0600);
        CHECK_EQ(pool->last.format, FORMAT_RAW);
        CHECK_EQ(pool->last.capacity, 1024 * MIB);
        CHECK(pool->last.allocation < 64 * 1024);
        CHECK_EQ(pool->last.creator, 1000);
        CHECK_EQ(pool->n_synced, 2);
        CHECK_OK(look("sparse"));
        CHECK_EQ(pool->last.creator, 1000);
        CHECK_EQ(pool->last.format, FORMAT_RAW);
}

static void raw_allocated(void)
{
        CHECK_OK(create("part", 8 * MIB, words("allocation", "3145728", NULL)));
        CHECK_EQ(stat_of("pool/part").st_size, 8 * MIB);
        CHECK(pool->last.allocation >= 3 * MIB && pool->last.allocation < 4 * MIB);
        CHECK_OK(create("full", 8 * MIB, words("allocation", "8388608", NULL)));
        CHECK(pool->last.allocation >= 8 * MIB);
        CHECK_OK(create("zeros", 8 * MIB, words("preallocation", "full", NULL)));
        CHECK(pool->last.allocation >= 8 * MIB);
        CHECK(pool->n_progress >= 8);
        CHECK_ERROR(create("more", 8 * MIB, words("allocation", "8388609", NULL)), error(),
                    ERROR_INVALID_ARGS);
        CHECK_OK(create("empty", 0, words(NULL)));
        CHECK_EQ(stat_of("pool/empty").st_size, 0);
        CHECK_OK(create("odd", 1000, words(NULL)));
        CHECK_EQ(pool->last.capacity, 1000);
}

static void names(void)
{
        static const char *const bad[] = { "",     ".",   "..", "a/b", "a\nb", "a\\b", ".poolkeeper-x",
                                           "../x", "\xff" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                CHECK_ERROR(create(bad[i], MIB, words(NULL)), error(), ERROR_INVALID_NAME);
        CHECK_OK(create("twice", MIB, words(NULL)));
        CHECK_ERROR(create("twice", MIB, words(NULL)), error(), ERROR_VOLUME_EXISTS);
        CHECK_ERROR(create("twice", MIB, words("format", "qcow2", NULL)), error(), ERROR_VOLUME_EXISTS);
        CHECK_OK(symlink("nowhere", "pool/dangling"));
        CHECK_ERROR(create("dangling", MIB, words(NULL)), error(), ERROR_VOLUME_EXISTS);
        CHECK_ERROR(create("none", UINT64_MAX, words(NULL)), error(), ERROR_INVALID_ARGS);
}

static void permissions(void)
{
        CHECK_OK(bag_set_u32(pool->options, "volume.mode", 0640));
        CHECK_OK(create("default-mode", MIB, words(NULL)));
        CHECK_EQ(stat_of("pool/default-mode").st_mode & 07777, 0640);
        CHECK_OK(create("own-mode", MIB, words("mode", "0604", NULL)));
        CHECK_EQ(stat_of("pool/own-mode").st_mode & 07777, 0604);
        CHECK_OK(create("directory", 0, words("format", "dir", NULL)));
        CHECK_EQ(stat_of("pool/directory").st_mode & 07777, 0750);
        bag_remove(pool->options, "volume.mode");
        if (geteuid() != 0)
                SKIP("owners need root");
        CHECK_OK(create("handed", MIB, words("owner", "caller", NULL)));
        CHECK_EQ(stat_of("pool/handed").st_uid, 1000);
        CHECK_OK(bag_set_u32(pool->options, "volume.owner", 1001));
        CHECK_OK(bag_set_u32(pool->options, "volume.group", 1002));
        CHECK_OK(create("inherited", MIB, words("format", "qcow2", NULL)));
        CHECK_EQ(stat_of("pool/inherited").st_uid, 1001);
        CHECK_EQ(stat_of("pool/inherited").st_gid, 1002);
        bag_remove(pool->options, "volume.owner");
        bag_remove(pool->options, "volume.group");
}

static void directory(void)
{
        CHECK_OK(create("folder", UINT64_MAX, words("format", "dir", NULL)));
        CHECK(S_ISDIR(stat_of("pool/folder").st_mode));
        CHECK_EQ(pool->last.type, VOLUME_DIR);
        CHECK_EQ(pool->last.creator, 1000);
        CHECK_ERROR(create("folder2", MIB, words("format", "dir", NULL)), error(), ERROR_INVALID_ARGS);
        CHECK_ERROR(create("folder", 0, words("format", "dir", NULL)), error(), ERROR_VOLUME_EXISTS);
}

static void images(void)
{
        static const char *const formats[] = { "qcow2", "qcow", "qed", "vmdk", "vdi", "vpc", "vhdx" };

        for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
                pool->session = true;
                CHECK_EQ(create(formats[i], 10 * MIB, words("format", formats[i], NULL)), -EREMOTE);
                pool->session = false;
                CHECK_OK(create(formats[i], 10 * MIB, words("format", formats[i], NULL)));
                CHECK_STREQ(pool->last.error, NULL);
                CHECK_EQ(pool->last.format, image_format_from_string(formats[i]));
                CHECK_EQ(pool->last.detected, pool->last.format);
                CHECK_EQ(pool->last.capacity, 10 * MIB);
                check_info(formats[i], formats[i], 10 * MIB);
        }
        CHECK_OK(create("cd.iso", 3000, words("format", "iso", NULL)));
        CHECK_EQ(pool->last.format, FORMAT_ISO);
        CHECK_EQ(pool->last.capacity, 3000);
        CHECK_ERROR(create("x", MIB, words("format", "bochs", NULL)), error(), ERROR_NOT_SUPPORTED);
}

static void image_options(void)
{
        CHECK_OK(create("old", 10 * MIB + 1,
                        words("format", "qcow2", "compat", "0.10", "cluster_size", "131072", NULL)));
        check_info("old", "qcow2", 10 * MIB + 512);
        CHECK_OK(create("l2", 10 * MIB,
                        words("format", "qcow2", "extended_l2", "yes", "lazy_refcounts", "yes",
                              "preallocation", "metadata", NULL)));
        {
                _cleanup_bag_ Bag *details = bag_new();

                CHECK_OK(poolkeeper_backend.volume_info(pool, "l2", details));
                CHECK(bag_get_bool(details, "extended_l2", false));
                CHECK(bag_get_bool(details, "lazy_refcounts", false));
                CHECK_STREQ(bag_get_string(details, "compat"), "1.1");
                CHECK_EQ(bag_get_u32(details, "mode", 0), 0600);
                CHECK(bag_get_string(details, "timestamps.mtime"));
        }
        CHECK_OK(create("falloc", 4 * MIB, words("format", "qcow2", "allocation", "4194304", NULL)));
        CHECK(pool->last.allocation >= 4 * MIB);
        CHECK_ERROR(create("x", MIB, words("compat", "1.1", NULL)), error(), ERROR_INVALID_ARGS);
        CHECK_ERROR(create("x", MIB, words("format", "vmdk", "cluster_size", "65536", NULL)), error(),
                    ERROR_INVALID_ARGS);
        CHECK_OK(create("grows", MIB, words("format", "qcow2", "allocation", "65536", NULL)));
        CHECK_ERROR(create("x", MIB, words("format", "qed", "allocation", "1048576", NULL)), error(),
                    ERROR_INVALID_ARGS);
        CHECK_ERROR(create("x", MIB, words("format", "qcow2", "compat", "0.10", "extended_l2", "yes", NULL)),
                    error(), ERROR_INVALID_ARGS);
        CHECK_ERROR(create("x", MIB, words("format", "qcow2", "cluster_size", "77", NULL)), error(),
                    ERROR_FAILED);
        CHECK(access("pool/x", F_OK) < 0);
}

static void backing(void)
{
        char absolute[256];

        CHECK_OK(create("base", 5 * MIB, words(NULL)));
        CHECK_OK(create("over", UINT64_MAX, words("format", "qcow2", "backing.path", "base", NULL)));
        CHECK_EQ(pool->last.capacity, 5 * MIB);
        CHECK_STREQ(pool->last.backing, "base");
        CHECK_EQ(pool->last.backing_format, FORMAT_RAW);
        (void)snprintf(absolute, sizeof(absolute), "%s/pool/over", test_directory_path);
        CHECK_OK(create("over2", 9 * MIB, words("format", "qcow2", "backing.path", absolute, NULL)));
        CHECK_STREQ(pool->last.backing, absolute);
        CHECK_EQ(pool->last.backing_format, FORMAT_QCOW2);
        check_info("over2", "qcow2", 9 * MIB);
        CHECK_ERROR(create("x", MIB, words("format", "qcow2", "backing.path", "/etc/passwd", NULL)), error(),
                    ERROR_NO_SUCH_VOLUME);
        CHECK_ERROR(create("x", MIB, words("format", "qcow2", "backing.path", "../state", NULL)), error(),
                    ERROR_NO_SUCH_VOLUME);
        CHECK_ERROR(
                create("x", MIB,
                       words("format", "qcow2", "backing.path", "base", "backing.format", "qcow2", NULL)),
                error(), ERROR_INVALID_ARGS);
        CHECK_ERROR(create("x", MIB, words("backing.path", "base", NULL)), error(), ERROR_INVALID_ARGS);
        /* A base with a colon must not be read as a protocol. */
        CHECK_OK(create("nbd:base", MIB, words(NULL)));
        CHECK_OK(create("colon", UINT64_MAX, words("format", "qcow2", "backing.path", "nbd:base", NULL)));
        CHECK_STREQ(pool->last.backing, "./nbd:base");
        check_info("colon", "qcow2", MIB);
}

static int passphrase(void)
{
        return memfd_sealed("test", "open sesame", 11);
}

static void encryption(void)
{
        Bag *b = words("format", "qcow2", "encryption.format", "luks", "encryption.cipher.name", "aes",
                       "encryption.cipher.size", "256", "encryption.cipher.mode", "xts",
                       "encryption.ivgen.name", "plain64", NULL);

        CHECK_ERROR(create("x", MIB, words("format", "luks", NULL)), error(), ERROR_INVALID_ARGS);
        CHECK_OK(bag_set_fd(b, "passphrase", passphrase()));
        CHECK_OK(create("crypt.qcow2", 4 * MIB, b));
        CHECK(pool->last.flags & VOLUME_ENCRYPTED);
        CHECK_EQ(pool->last.capacity, 4 * MIB);
        b = words("encryption.format", "luks", NULL);
        CHECK_OK(bag_set_fd(b, "passphrase", passphrase()));
        if (create("crypt.luks", 4 * MIB, b) < 0)
                TEST_FAIL("%s", pool->error.message);
        CHECK_EQ(pool->last.format, FORMAT_LUKS);
        CHECK_EQ(pool->last.capacity, 4 * MIB);
        CHECK(pool->last.flags & VOLUME_ENCRYPTED);
        CHECK_EQ(WEXITSTATUS(system("printf 'open sesame' >key; qemu-img info --object secret,id=k,file=key "
                                    "--image-opts "
                                    "driver=luks,key-secret=k,file.filename=pool/crypt.luks >out 2>&1")),
                 0);
        b = words("format", "vdi", NULL);
        CHECK_OK(bag_set_fd(b, "passphrase", passphrase()));
        CHECK_ERROR(create("x", MIB, b), error(), ERROR_INVALID_ARGS);
}

static void reserve(void)
{
        CHECK_OK(bag_set_string(pool->options, "reserved", "100%"));
        CHECK_ERROR(create("x", MIB, words("allocation", "1048576", NULL)), error(), ERROR_NO_SPACE);
        CHECK_ERROR(create("thin", MIB, words(NULL)), error(),
                    ERROR_NO_SPACE); /* the reserve is touched already */
        CHECK_OK(bag_set_string(pool->options, "reserved", "1MiB"));
        CHECK_OK(create("thin", 1ull << 40, words(NULL)));
        bag_remove(pool->options, "reserved");
}

/* A small file system of its own, full soon. */
static void disk_full(void)
{
        if (geteuid() != 0 || mount("tmpfs", "pool", "tmpfs", 0, "size=4m") < 0)
                SKIP("needs to mount a tmpfs");
        CHECK_ERROR(create("x", MIB, words(NULL)), error(),
                    ERROR_SOURCE_UNREACHABLE); /* not the one that was started */
        CHECK_OK(poolkeeper_backend.stop(pool));
        CHECK_OK(poolkeeper_backend.start(pool));
        CHECK_ERROR(create("x", 64 * MIB, words("allocation", "67108864", NULL)), error(), ERROR_NO_SPACE);
        CHECK_ERROR(create("x", 64 * MIB, words("preallocation", "full", NULL)), error(), ERROR_NO_SPACE);
        CHECK_ERROR(create("x", 64 * MIB, words("format", "qcow2", "preallocation", "full", NULL)), error(),
                    ERROR_FAILED);
        CHECK_EQ(entries(), 0);
        CHECK_OK(umount("pool"));
        CHECK_OK(poolkeeper_backend.stop(pool));
        CHECK_OK(poolkeeper_backend.start(pool));
}

static void cancelled(void)
{
        int before = entries();

        pool->cancel_at = 3;
        CHECK_ERROR(create("x", 64 * MIB, words("preallocation", "full", NULL)), error(), ERROR_CANCELLED);
        pool->cancel_at = 0;
        CHECK_EQ(entries(), before);
}

/* From now on this process has no O_TMPFILE, as on NFS. */
static void forbid_tmpfile(void)
{
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
                BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_TMPFILE & ~O_DIRECTORY, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { .len = ELEMENTSOF(filter), .filter = filter };

        CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        CHECK_OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
        CHECK(open("pool", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) < 0);
}

static void create_simple(void)
{
        int before = entries();

        forbid_tmpfile();
        CHECK_OK(create("simple", MIB, words(NULL)));
        CHECK(!pool->intents);
        CHECK_ERROR(create("simple", MIB, words(NULL)), error(), ERROR_VOLUME_EXISTS);
        CHECK_OK(create("simple.qcow2", MIB, words("format", "qcow2", NULL)));
        CHECK_EQ(pool->last.format, FORMAT_QCOW2);
        pool->cancel_at = 3;
        CHECK_ERROR(create("x", 64 * MIB, words("preallocation", "full", NULL)), error(), ERROR_CANCELLED);
        pool->cancel_at = 0;
        CHECK_EQ(entries(), before + 2);
        /* Killed before it has its name. */
        pool->keep_intents = true;
        CHECK_OK(create("kept", MIB, words(NULL)));
        CHECK(pool->intents && startswith(pool->intents[0], "remove-temporary .poolkeeper-"));
}

static void without_tmpfile(void)
{
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                create_simple();
                fflush(stdout);
                _exit(0);
        }
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ramfs has no attributes and no fallocate(): the mark is in the state directory, zeros are written. */
static void without_attributes(void)
{
        if (geteuid() != 0 || mount("ramfs", "pool", "ramfs", 0, NULL) < 0)
                SKIP("needs to mount a ramfs");
        CHECK_OK(poolkeeper_backend.stop(pool));
        CHECK_OK(poolkeeper_backend.start(pool));
        CHECK_OK(create("image", MIB, words("format", "qcow2", NULL)));
        CHECK_EQ(pool->last.format, FORMAT_QCOW2);
        CHECK_EQ(pool->last.creator, 1000);
        CHECK_OK(look("image"));
        CHECK_EQ(pool->last.creator, 1000);
        pool->session = true;
        CHECK_EQ(create("full", MIB, words("allocation", "1048576", NULL)), -EREMOTE);
        pool->session = false;
        CHECK_OK(create("full", MIB, words("allocation", "1048576", NULL)));
        CHECK(pool->n_progress > 0);
        /* Another file under the name is another volume. */
        CHECK_OK(rename("pool/full", "pool/image"));
        CHECK_OK(look("image"));
        CHECK_EQ(pool->last.creator, UINT32_MAX);
        CHECK_EQ(pool->last.format, FORMAT_RAW);
        CHECK_OK(umount("pool"));
        CHECK_OK(poolkeeper_backend.stop(pool));
        CHECK_OK(poolkeeper_backend.start(pool));
}

/* Killed at any moment: nothing with a name, and what has a temporary one is taken back by its intent. */
static void killed(void)
{
        int before = entries();

        for (int i = 0; i < 40; i++) {
                pid_t pid = fork();

                if (pid == 0) {
                        for (;;)
                                (void)create("x", 64 * MIB, words("preallocation", "full", NULL));
                }
                (void)usleep(300 * i);
                CHECK_OK(kill(pid, SIGKILL));
                CHECK_EQ(waitpid(pid, NULL, 0), pid);
                if (access("pool/x", F_OK) == 0) { /* old or new state */
                        CHECK_OK(look("x"));
                        CHECK_EQ(pool->last.allocation / MIB, 64);
                        CHECK_OK(unlink("pool/x"));
                }
                CHECK_EQ(entries(), before);
        }
        CHECK_OK(mkdir("pool/.poolkeeper-left", 0700));
        CHECK_OK(poolkeeper_backend.undo(pool, "remove-temporary", ".poolkeeper-left"));
        CHECK_OK(poolkeeper_backend.undo(pool, "remove-temporary", ".poolkeeper-left"));
        CHECK(poolkeeper_backend.undo(pool, "remove-temporary", "twice") < 0);
        CHECK_EQ(entries(), before);
}

int main(void)
{
        test_directory();
        pool_start();
        RUN(raw_sparse);
        RUN(raw_allocated);
        RUN(names);
        RUN(permissions);
        RUN(directory);
        RUN(reserve);
        RUN(disk_full);
        RUN(cancelled);
        RUN(killed);
        if (command_exists("qemu-img")) {
                RUN(images);
                RUN(image_options);
                RUN(backing);
                RUN(encryption);
                RUN(without_tmpfile);
                RUN(without_attributes);
        }
        pool_end();
        return 0;
}
