/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies, conversions, chains and names of volumes, with the real qemu-img. */
#include "file-pool.h"

#include <sys/mount.h>
#include <sys/xattr.h>

#include "file/new.h"

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

static int _printf_(1, 2) shell(const char *format, ...)
{
        char command[1024];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(command, sizeof(command), format, ap);
        va_end(ap);
        return system(command);
}

/* What a guest sees of the two is the same, zeros to the end of the longer one. */
static void same_content(const char *a, const char *format_a, const char *b, const char *format_b)
{
        if (shell("qemu-img compare -q -f %s -F %s pool/%s pool/%s", format_a, format_b, a, b) != 0)
                TEST_FAIL("%s and %s differ", a, b);
}

static int linked(const char *name, const char *source, uint64_t capacity, Bag *options /* taken */)
{
        _cleanup_bag_ Bag *transfer = words("linked", "yes", NULL);
        int r;

        fake_ctx_reset(pool);
        r = poolkeeper_backend.volume_clone(pool, name, source, capacity, transfer, options, 1000);
        bag_free(options);
        return r;
}

static int convert(const char *name, ImageFormat format, Bag *options /* taken, NULL: none */)
{
        _cleanup_bag_ Bag *args = bag_new();

        fake_ctx_reset(pool);
        if (options)
                CHECK_OK(bag_set_bag(args, "options", options));
        return poolkeeper_backend.volume_convert(pool, name, format, args);
}

static int import(const char *name, const char *path, Bag *options /* taken */)
{
        _cleanup_bag_ Bag *transfer = words("source-format", "qcow2", NULL);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        int k;

        fake_ctx_reset(pool);
        k = poolkeeper_backend.volume_import(pool, name, fd, transfer, options, 1000);
        bag_free(options);
        return k;
}

static int rebase(const char *name, const char *backing)
{
        fake_ctx_reset(pool);
        return poolkeeper_backend.volume_rebase(pool, name, backing, NULL);
}

static int rename_to(const char *name, const char *new_name)
{
        fake_ctx_reset(pool);
        return poolkeeper_backend.volume_rename(pool, name, new_name);
}

/* As a guest's QEMU holds an image that it may write to. */
static int guest(const char *path)
{
        struct flock have = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 4 };
        struct flock unshared = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 201, .l_len = 1 };
        int fd = open(path, O_RDWR | O_CLOEXEC);

        CHECK_OK(fcntl(fd, F_OFD_SETLK, &have));
        CHECK_OK(fcntl(fd, F_OFD_SETLK, &unshared));
        return fd;
}

static void make_source(void)
{
        CHECK_OK(create("raw", 16 * MIB, words(NULL)));
        write_at("pool/raw", 3 * MIB, "middle", 6);
        write_at("pool/raw", 16 * MIB - 3, "end", 3);
        CHECK_OK(clone_volume("qcow2", "raw", UINT64_MAX, words("format", "qcow2", NULL)));
        CHECK_OK(linked("over", "raw", UINT64_MAX, words(NULL)));
        CHECK_EQ(shell("qemu-io -f qcow2 -c 'write -P 7 5M 64k' pool/over >out"), 0);
}

/* The reference drops what is asked for beyond the source's size whenever an image is on either side. */
static void capacity_of_every_combination(void)
{
        static const char *const from[] = { "raw", "qcow2", "over" };
        static const char *const to[] = { "raw", "qcow2", "qed", "qcow", "vdi", "vmdk", "vhdx", "vpc" };

        for (size_t i = 0; i < ELEMENTSOF(from); i++)
                for (size_t k = 0; k < ELEMENTSOF(to); k++) {
                        CHECK_OK(clone_volume("same", from[i], UINT64_MAX, words("format", to[k], NULL)));
                        CHECK_EQ(pool->last.capacity, 16 * MIB);
                        CHECK_OK(clone_volume("large", from[i], 40 * MIB, words("format", to[k], NULL)));
                        CHECK_EQ(pool->last.capacity, 40 * MIB);
                        same_content("large", to[k], from[i], streq(from[i], "over") ? "qcow2" : from[i]);
                        same_content("same", to[k], from[i], streq(from[i], "over") ? "qcow2" : from[i]);
                        CHECK_ERROR(clone_volume("x", from[i], MIB, words("format", to[k], NULL)), error(),
                                    ERROR_INVALID_ARGS);
                        CHECK_OK(unlink("pool/same"));
                        CHECK_OK(unlink("pool/large"));
                }
}

static void clone_linked(void)
{
        CHECK_STREQ(bag_get_string(pool->result, "method"), "convert");
        CHECK_OK(linked("link", "raw", UINT64_MAX, words(NULL)));
        CHECK_STREQ(bag_get_string(pool->result, "method"), "linked");
        CHECK_EQ(pool->last.format, FORMAT_QCOW2);
        CHECK_STREQ(pool->last.backing, "raw");
        CHECK_EQ(pool->last.backing_format, FORMAT_RAW);
        CHECK_EQ(pool->last.capacity, 16 * MIB);
        same_content("link", "qcow2", "raw", "raw");
        CHECK_OK(linked("link2", "link", 20 * MIB, words(NULL)));
        CHECK_EQ(pool->last.capacity, 20 * MIB);
        CHECK_ERROR(linked("x", "raw", MIB, words(NULL)), error(), ERROR_INVALID_ARGS);
        CHECK_ERROR(linked("x", "raw", UINT64_MAX, words("format", "raw", NULL)), error(),
                    ERROR_INVALID_ARGS);
        CHECK_ERROR(linked("x", "raw", UINT64_MAX, words("backing.path", "qcow2", NULL)), error(),
                    ERROR_INVALID_ARGS);
        CHECK_OK(unlink("pool/link2"));
        CHECK_OK(unlink("pool/link"));
}

/* An encrypted image is copied by everybody, and read by nobody. */
static void clone_encrypted(void)
{
        CHECK_EQ(shell("for i in 1 2 3 4 5 6 7 8; do qemu-img create -q -f qcow2 --object "
                       "secret,id=s,data=x -o "
                       "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 pool/secret 4M 2>out "
                       "&& exit 0; done; exit 1"),
                 0);
        fake_ctx_reset(pool);
        CHECK_OK(poolkeeper_backend.volume_declare(pool, "secret", FORMAT_QCOW2));
        CHECK_OK(clone_volume("secret2", "secret", UINT64_MAX, words(NULL)));
        CHECK_EQ(shell("cmp -s pool/secret pool/secret2"), 0);
        CHECK_ERROR(clone_volume("x", "secret", UINT64_MAX, words("format", "raw", NULL)), error(),
                    ERROR_NOT_SUPPORTED);
        CHECK_ERROR(convert("secret", FORMAT_RAW, NULL), error(), ERROR_NOT_SUPPORTED);
        CHECK_OK(unlink("pool/secret"));
        CHECK_OK(unlink("pool/secret2"));
}

/* The tool measures the time that a key takes, and fails where the machine is so busy that it measures none. */
static int clone_encrypting(const char *name, const char *source)
{
        int r = -EIO;

        for (unsigned n = 0; n < 20; n++) {
                Bag *options = words("encryption.format", "luks", NULL);

                CHECK_OK(bag_set_fd(options, "passphrase", open("key", O_RDONLY | O_CLOEXEC)));
                r = clone_volume(name, source, UINT64_MAX, options);
                if (r >= 0 || !strstr(error()->message, "accurate CPU usage"))
                        break;
        }
        return r;
}

/* Zeros of the source are zeros of an encrypted copy too, though nothing of it was ever written. */
static void encrypted_zeros(void)
{
        FILE *f = fopen("key", "w");

        CHECK(f && fputs("secret", f) >= 0 && fclose(f) == 0);
        if (clone_encrypting("luks", "raw") < 0)
                TEST_FAIL("%s", error()->message);
        CHECK_EQ(pool->last.format, FORMAT_LUKS);
        CHECK_EQ(shell("qemu-img compare -q --object secret,id=s,file=key --image-opts "
                       "driver=luks,key-secret=s,file.filename=pool/luks driver=raw,file.filename=pool/raw"),
                 0);
        CHECK_OK(unlink("pool/luks"));
}

static void lend(void)
{
        _cleanup_source_ VolumeSource s = {};
        _cleanup_bag_ Bag *share = words("force-share", "yes", NULL);
        int fd;

        fake_ctx_reset(pool);
        CHECK_OK(poolkeeper_backend.volume_lend(pool, "over", NULL, &s));
        CHECK_EQ(pool->n_needs_job, 0);
        CHECK_STREQ(s.name, "over");
        CHECK_EQ(s.n, 2);
        CHECK_EQ(s.nodes[0].format, FORMAT_QCOW2);
        CHECK_EQ(s.nodes[1].format, FORMAT_RAW);
        CHECK_EQ(s.capacity, 16 * MIB);
        CHECK_EQ(fcntl(s.nodes[1].fd, F_GETFL) & O_ACCMODE, O_RDONLY);
        /* A guest would not start on it now. */
        CHECK(shell("qemu-io -r -f qcow2 -c 'read 0 512' pool/over >out 2>&1") == 0);
        CHECK(shell("qemu-io -f raw -c 'write 0 512' pool/raw >out 2>&1") != 0);
        CHECK_OK(poolkeeper_backend.volume_copy(pool, "copied", &s, 20 * MIB, NULL, NULL, 7));
        CHECK_EQ(pool->last.capacity, 20 * MIB);
        CHECK_EQ(pool->last.creator, 7);
        CHECK_STREQ(pool->last.backing, NULL);
        same_content("copied", "qcow2", "over", "qcow2");
        volume_source_done(&s);
        fd = guest("pool/raw"); /* below it */
        CHECK_ERROR(poolkeeper_backend.volume_lend(pool, "over", NULL, &s), error(), ERROR_IN_USE);
        CHECK_ERROR(clone_volume("x", "raw", UINT64_MAX, words(NULL)), error(), ERROR_IN_USE);
        CHECK_OK(poolkeeper_backend.volume_lend(pool, "over", share, &s));
        CHECK_OK(close(fd));
        CHECK_OK(unlink("pool/copied"));
}

/* A guest wrote a header into its raw disk: that stays data, wherever it goes. */
static void raw_stays_raw(void)
{
        CHECK_OK(create("disk", 4 * MIB, words(NULL)));
        CHECK_EQ(shell("qemu-img create -q -u -f qcow2 -b /etc/shadow -F raw evil 64M && "
                       "dd if=evil of=pool/disk conv=notrunc status=none"),
                 0);
        CHECK_OK(clone_volume("d.qcow2", "disk", UINT64_MAX, words("format", "qcow2", NULL)));
        CHECK_EQ(pool->last.capacity, 4 * MIB);
        CHECK_STREQ(pool->last.backing, NULL);
        same_content("d.qcow2", "qcow2", "disk", "raw");
        CHECK_OK(clone_volume("d.raw", "d.qcow2", UINT64_MAX, words("format", "raw", NULL)));
        CHECK_EQ(pool->last.capacity, 4 * MIB);
        CHECK_EQ(pool->last.format, FORMAT_RAW);
        CHECK_OK(convert("disk", FORMAT_QCOW2, NULL));
        CHECK_EQ(pool->last.capacity, 4 * MIB);
        CHECK_OK(convert("disk", FORMAT_RAW, NULL));
        CHECK_EQ(shell("cmp -s pool/disk pool/d.raw"), 0);
        /* One that came from outside is not even converted. */
        CHECK_EQ(shell("cp evil pool/came"), 0);
        CHECK_ERROR(clone_volume("x", "came", UINT64_MAX, words("format", "qcow2", NULL)), error(),
                    ERROR_INVALID_ARGS);
        CHECK_ERROR(convert("came", FORMAT_QCOW2, NULL), error(), ERROR_INVALID_ARGS);
        CHECK_EQ(shell("rm pool/came pool/disk pool/d.*"), 0);
}

static void foreign_backing(void)
{
        static const char *const names[] = { "/etc/shadow",
                                             "json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}",
                                             "nbd://localhost/x", "../state/x" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                CHECK_EQ(shell("qemu-img create -q -u -f qcow2 -b '%s' -F raw pool/evil 64M", names[i]), 0);
                fake_ctx_reset(pool);
                CHECK_OK(poolkeeper_backend.volume_declare(pool, "evil", FORMAT_QCOW2));
                CHECK_ERROR(clone_volume("x", "evil", UINT64_MAX, words("format", "raw", NULL)), error(),
                            ERROR_NOT_SUPPORTED);
                CHECK_ERROR(clone_volume("x", "evil", UINT64_MAX, words(NULL)), error(),
                            ERROR_NOT_SUPPORTED);
                CHECK_ERROR(convert("evil", FORMAT_RAW, NULL), error(), ERROR_NOT_SUPPORTED);
                CHECK_ERROR(rebase("evil", NULL), error(), ERROR_NOT_SUPPORTED);
                CHECK_EQ(pool->n_commands, 0);
                CHECK_OK(unlink("pool/evil"));
        }
}

/* Whoever may write to a volume may write into its header that it stands on another, which he may not read. */
static void stolen_backing(void)
{
        CHECK_OK(create("victim", MIB, words("format", "raw", NULL)));
        CHECK_OK(create("mine", MIB, words("format", "qcow2", NULL)));
        CHECK_OK(linked("above", "mine", UINT64_MAX, words(NULL)));
        CHECK_EQ(shell("qemu-img rebase -q -u -f qcow2 -b victim -F raw pool/mine"), 0);
        CHECK_ERROR(clone_volume("x", "mine", UINT64_MAX, words("format", "raw", NULL)), error(),
                    ERROR_ACCESS_DENIED);
        CHECK_ERROR(clone_volume("x", "above", UINT64_MAX, words("format", "raw", NULL)), error(),
                    ERROR_ACCESS_DENIED);
        CHECK_ERROR(rebase("mine", NULL), error(), ERROR_ACCESS_DENIED);
        fake_ctx_reset(pool);
        CHECK_OK(
                poolkeeper_backend.volume_declare(pool, "mine", FORMAT_QCOW2)); /* an administrator's word */
        CHECK_OK(clone_volume("x", "above", UINT64_MAX, words("format", "raw", NULL)));
        CHECK_EQ(shell("rm pool/x pool/above pool/mine pool/victim"), 0);
        CHECK_OK(create("a base", MIB, words("format", "raw", NULL))); /* its mark has a name in it */
        CHECK_OK(linked("above", "a base", UINT64_MAX, words(NULL)));
        CHECK_OK(clone_volume("x", "above", UINT64_MAX, words("format", "raw", NULL)));
        CHECK_EQ(shell("rm pool/x pool/above 'pool/a base'"), 0);
}

static void convert_in_place(void)
{
        struct stat before, after;
        char text[16];

        CHECK_OK(create("v", 8 * MIB, words("mode", "0640", NULL)));
        write_at("pool/v", 5 * MIB, "data", 4);
        CHECK_EQ(setxattr("pool/v", "user.note", "kept", 4, 0), 0);
        if (geteuid() == 0)
                CHECK_OK(chown("pool/v", 1234, 1235));
        CHECK_EQ(shell("cp -p pool/v before"), 0);
        before = stat_of("pool/v");
        pool->session = true;
        CHECK_EQ(convert("v", FORMAT_QCOW2, NULL), -EREMOTE);
        pool->session = false;
        CHECK_OK(convert("v", FORMAT_QCOW2, words("cluster_size", "131072", NULL)));
        after = stat_of("pool/v");
        CHECK_EQ(pool->last.format, FORMAT_QCOW2);
        CHECK_EQ(pool->last.capacity, 8 * MIB);
        CHECK_EQ(pool->last.creator, 1000);
        CHECK_EQ(after.st_mode, before.st_mode);
        CHECK_EQ(after.st_uid, before.st_uid);
        CHECK_EQ(after.st_gid, before.st_gid);
        CHECK_EQ(getxattr("pool/v", "user.note", text, sizeof(text)), 4);
        CHECK_EQ(shell("qemu-img compare -q -f qcow2 -F raw pool/v before"), 0);
        CHECK_EQ(shell("qemu-img info -f qcow2 pool/v | grep -q 'cluster_size: 131072'"), 0);
        CHECK_OK(convert("v", FORMAT_QCOW2, NULL)); /* is so already */
        CHECK_EQ(pool->n_commands, 0);
        CHECK_STREQ(bag_get_string(pool->result, "method"), "none");
        CHECK_OK(convert("v", FORMAT_RAW, NULL));
        CHECK_EQ(pool->last.format, FORMAT_RAW);
        CHECK_EQ(shell("cmp -s pool/v before"), 0);
        CHECK_ERROR(convert("v", FORMAT_QCOW2, words("mode", "0600", NULL)), error(), ERROR_INVALID_ARGS);
        CHECK_ERROR(convert("v", FORMAT_BOCHS, NULL), error(), ERROR_NOT_SUPPORTED);
        CHECK_ERROR(convert("v", FORMAT_DIR, NULL), error(), ERROR_INVALID_ARGS);
        CHECK_ERROR(convert("nothing", FORMAT_RAW, NULL), error(), ERROR_NO_SUCH_VOLUME);
        CHECK_EQ(strv_length(pool->intents), 0);
}

static void convert_refused(void)
{
        struct stat before = stat_of("pool/raw");
        int fd;

        CHECK_ERROR(convert("raw", FORMAT_QCOW2, NULL), error(), ERROR_IN_USE); /* over stands on it */
        fd = guest("pool/v");
        CHECK_ERROR(convert("v", FORMAT_QCOW2, NULL), error(), ERROR_IN_USE);
        CHECK_OK(close(fd));
        CHECK_EQ(shell("qemu-img snapshot -c one pool/qcow2"), 0);
        CHECK_ERROR(convert("qcow2", FORMAT_RAW, NULL), error(), ERROR_NOT_SUPPORTED);
        CHECK_EQ(shell("qemu-img snapshot -d one pool/qcow2"), 0);
        CHECK_OK(link("pool/v", "elsewhere"));
        CHECK_ERROR(convert("v", FORMAT_QCOW2, NULL), error(), ERROR_NOT_SUPPORTED);
        CHECK_OK(unlink("elsewhere"));
        CHECK_EQ(stat_of("pool/raw").st_ino, before.st_ino);
}

/* The worker died before the rename, or just after it. */
static void swap_undo(void)
{
        int n = entries();

        CHECK_EQ(shell("cp pool/v pool/.poolkeeper-left"), 0);
        CHECK_OK(poolkeeper_backend.undo(pool, "swap", ".poolkeeper-left v"));
        CHECK_EQ(entries(), n);
        CHECK_OK(poolkeeper_backend.undo(pool, "swap", ".poolkeeper-left v"));
        CHECK_OK(access("pool/v", F_OK));
        CHECK(poolkeeper_backend.undo(pool, "swap", "v") < 0);
        write_at("pool/other", 0, "x", 1);
        CHECK(poolkeeper_backend.undo(pool, "swap", "other v") < 0); /* none of ours */
        CHECK_OK(access("pool/other", F_OK));
        CHECK_OK(unlink("pool/other"));
}

static void flatten(void)
{
        CHECK_EQ(shell("qemu-img convert -f qcow2 -O raw pool/over before"), 0);
        CHECK_OK(linked("top", "over", 20 * MIB, words("cluster_size", "131072", NULL)));
        CHECK_EQ(shell("qemu-io -f qcow2 -c 'write -P 9 18M 64k' pool/top >out"), 0);
        CHECK_EQ(shell("qemu-img convert -f qcow2 -O raw pool/top before.top"), 0);
        CHECK_OK(rebase("over", NULL)); /* in the middle: what stands on it sees no difference */
        CHECK_STREQ(pool->last.backing, NULL);
        CHECK_EQ(shell("qemu-img compare -q -f qcow2 -F raw pool/over before"), 0);
        CHECK_EQ(shell("qemu-img compare -q -f qcow2 -F raw pool/top before.top"), 0);
        CHECK_OK(rebase("top", NULL));
        CHECK_EQ(pool->last.capacity, 20 * MIB);
        CHECK_EQ(shell("qemu-img info -f qcow2 pool/top | grep -q 'cluster_size: 131072'"), 0);
        CHECK_EQ(shell("qemu-img compare -q -f qcow2 -F raw pool/top before.top"), 0);
        CHECK_OK(rebase("top", NULL));
        CHECK_EQ(pool->n_commands, 0);
}

static void rebase_onto(void)
{
        CHECK_OK(clone_volume("base2", "raw", UINT64_MAX, words("format", "qcow2", NULL)));
        CHECK_EQ(shell("qemu-io -f qcow2 -c 'write -P 3 9M 64k' pool/base2 >out"), 0);
        CHECK_OK(linked("moving", "raw", UINT64_MAX, words(NULL)));
        CHECK_EQ(shell("qemu-io -f qcow2 -c 'write -P 8 1M 64k' pool/moving >out && "
                       "qemu-img convert -f qcow2 -O raw pool/moving before"),
                 0);
        CHECK_OK(rebase("moving", "base2"));
        CHECK_STREQ(pool->last.backing, "base2");
        CHECK_EQ(pool->last.backing_format, FORMAT_QCOW2);
        CHECK_EQ(shell("qemu-img compare -q -f qcow2 -F raw pool/moving before"), 0);
        CHECK(stat_of("pool/moving").st_size < 2 * (off_t)MIB); /* what both bases have is not copied */
        fake_ctx_reset(pool);
        CHECK_ERROR(poolkeeper_backend.volume_delete(pool, "base2", NULL), error(), ERROR_IN_USE);
        CHECK_OK(rebase("moving", "base2"));
        CHECK_EQ(pool->n_commands, 0);
        CHECK_ERROR(rebase("base2", "moving"), error(), ERROR_INVALID_ARGS); /* a circle */
        CHECK_ERROR(rebase("moving", "moving"), error(), ERROR_INVALID_ARGS);
        CHECK_ERROR(rebase("raw", "base2"), error(), ERROR_NOT_SUPPORTED);
        CHECK_ERROR(rebase("moving", "nothing"), error(), ERROR_NO_SUCH_VOLUME);
        /* One that stood on nothing. */
        CHECK_OK(rebase("qcow2", "base2"));
        CHECK_STREQ(pool->last.backing, "base2");
        same_content("qcow2", "qcow2", "raw", "raw");
}

static void rename_volume(void)
{
        int fd;

        CHECK_OK(rename_to("v", "w"));
        CHECK_STREQ(pool->vanished[0], "v");
        CHECK_STREQ(pool->last.name, "w");
        CHECK_EQ(pool->last.creator, 1000);
        CHECK_EQ(pool->n_needs_job, 0);
        CHECK(access("pool/v", F_OK) < 0);
        CHECK_ERROR(rename_to("w", "raw"), error(), ERROR_VOLUME_EXISTS);
        CHECK_ERROR(rename_to("w", "a/b"), error(), ERROR_INVALID_NAME);
        CHECK_ERROR(rename_to("w", ".poolkeeper-x"), error(), ERROR_INVALID_NAME);
        CHECK_ERROR(rename_to("v", "z"), error(), ERROR_NO_SUCH_VOLUME);
        CHECK_ERROR(rename_to("base2", "z"), error(), ERROR_IN_USE);
        fd = guest("pool/w");
        CHECK_ERROR(rename_to("w", "z"), error(), ERROR_IN_USE);
        CHECK_OK(close(fd));
        /* It died with both names. */
        CHECK_OK(link("pool/w", "pool/z"));
        CHECK_OK(poolkeeper_backend.undo(pool, "rename", "w/z"));
        CHECK(access("pool/z", F_OK) < 0 && access("pool/w", F_OK) == 0);
        CHECK_OK(poolkeeper_backend.undo(pool, "rename", "w/z"));
        CHECK_OK(poolkeeper_backend.undo(pool, "rename", "w/raw")); /* another file */
        CHECK_OK(access("pool/raw", F_OK));
}

/* What is allocated at once does not come out of the pool's reserve, whoever has the image made. */
static void preallocated(void)
{
        static const char *const words_of[] = { "falloc", "full" };

        if (geteuid() != 0 || mount("tmpfs", "pool", "tmpfs", 0, "size=64m") < 0)
                SKIP("needs to mount a tmpfs");
        CHECK_OK(poolkeeper_backend.stop(pool));
        CHECK_OK(poolkeeper_backend.start(pool));
        CHECK_OK(create("thin", 32 * MIB, words(NULL)));
        CHECK_EQ(shell("qemu-img create -q -f qcow2 small.qcow2 32M"), 0);
        CHECK_OK(bag_set_string(pool->options, "reserved", "48MiB"));
        FOREACH_ELEMENT (word, words_of) {
                CHECK_ERROR(convert("thin", FORMAT_QCOW2, words("preallocation", *word, NULL)), error(),
                            ERROR_NO_SPACE);
                CHECK_ERROR(clone_volume("x", "thin", UINT64_MAX,
                                         words("format", "qcow2", "preallocation", *word, NULL)),
                            error(), ERROR_NO_SPACE);
                CHECK_ERROR(import("x", "small.qcow2", words("preallocation", *word, NULL)), error(),
                            ERROR_NO_SPACE);
        }
        CHECK_EQ(entries(), 1);
        CHECK_OK(convert("thin", FORMAT_QCOW2, words("preallocation", "metadata", NULL)));
        bag_remove(pool->options, "reserved");
        CHECK_OK(clone_volume("x", "thin", UINT64_MAX, words("preallocation", "falloc", NULL)));
        CHECK_OK(umount("pool"));
        CHECK_OK(poolkeeper_backend.stop(pool));
        CHECK_OK(poolkeeper_backend.start(pool));
}

/* As on NFS: nothing is replaced, and nobody has the file open any more by the name that goes. */
static void rename_by_link(void)
{
        _cleanup_(file_root_done) FileRoot r = FILE_ROOT_NULL;
        char path[64], target[256] = "";
        int fd;

        CHECK_OK(file_root_open(pool, &r));
        fd = file_open(&r, "w", O_RDWR);
        CHECK_OK(fd);
        CHECK_EQ(file_rename_by_link(&r, "w", "raw", fd), -EEXIST);
        CHECK_OK(file_rename_by_link(&r, "w", "z", fd));
        CHECK_EQ(stat_of("pool/z").st_nlink, 1);
        CHECK(access("pool/w", F_OK) < 0);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        CHECK(readlink(path, target, sizeof(target) - 1) > 0);
        CHECK_STREQ(strrchr(target, '/'), "/z");
        CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
        CHECK_OK(file_rename_by_link(&r, "z", "w", fd));
        CHECK_OK(close(fd));
}

/* Cancelled at any step, nothing is left and the old one stands. */
static void cancel(void)
{
        int n = entries();

        pool->cancel_at = 1;
        write_at("pool/raw", 0, "x", 1);
        if (clone_volume("x", "raw", UINT64_MAX, words(NULL)) >= 0)
                CHECK_OK(unlink("pool/x")); /* it shares blocks */
        pool->cancel_at = 0;
        CHECK_EQ(entries(), n);
}

int main(void)
{
        if (access("/usr/bin/qemu-img", X_OK) < 0 || access("/usr/bin/qemu-io", X_OK) < 0) {
                printf("skip all: qemu-img and qemu-io are not installed\n");
                return 0;
        }
        test_directory();
        pool_start();
        make_source();
        RUN(capacity_of_every_combination);
        RUN(clone_linked);
        RUN(clone_encrypted);
        RUN(encrypted_zeros);
        RUN(lend);
        RUN(raw_stays_raw);
        RUN(foreign_backing);
        RUN(stolen_backing);
        RUN(convert_in_place);
        RUN(convert_refused);
        RUN(swap_undo);
        RUN(flatten);
        RUN(rebase_onto);
        RUN(rename_volume);
        RUN(rename_by_link);
        RUN(preallocated);
        RUN(cancel);
        pool_end();
        return 0;
}
