/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images in and out of a pool, with the real qemu-img and compressors; hostile ones above all. */
#include "file-pool.h"

#include <signal.h>
#include <sys/wait.h>

#define MIB (1024ull * 1024)

static Error *error(void)
{
        return &pool->error;
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

static int import_fd(const char *name, int fd, Bag *transfer, Bag *options /* both taken */)
{
        int r;

        fake_ctx_reset(pool);
        r = poolkeeper_backend.volume_import(pool, name, fd, transfer, options, 1000);
        bag_free(transfer);
        bag_free(options);
        (void)close(fd);
        return r;
}

static int import(const char *name, const char *path, Bag *transfer, Bag *options)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        CHECK_OK(fd);
        return import_fd(name, fd, transfer, options);
}

/* What a command writes, through a pipe. */
static int import_pipe(const char *name, const char *command, Bag *transfer, Bag *options)
{
        FILE *f = popen(command, "r");
        int fd, r;

        CHECK(f);
        fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, 3);
        CHECK_OK(fd);
        r = import_fd(name, fd, transfer, options);
        (void)pclose(f);
        return r;
}

static int export_to(const char *name, const char *path, Bag *options /* taken */)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), r;

        CHECK_OK(fd);
        fake_ctx_reset(pool);
        r = poolkeeper_backend.volume_export(pool, name, fd, options);
        bag_free(options);
        CHECK_OK(close(fd));
        return r;
}

static Bag *with(Bag *b, const char *key, uint64_t value)
{
        CHECK_OK(bag_set_u64(b, key, value));
        return b;
}

static void check_digest(const char *path)
{
        const char *sha = bag_get_string(pool->result, "sha256");

        CHECK(sha);
        CHECK_EQ(shell("echo '%s  %s' | sha256sum -c --quiet --status", sha, path), 0);
}

static void same(const char *name, const char *format)
{
        if (shell("qemu-img compare -q -f %s -F raw pool/%s source", format, name) != 0)
                TEST_FAIL("%s is not what was imported", name);
}

static void make_source(void)
{
        static const char *const formats[] = { "qcow2", "qcow", "qed", "vmdk", "vdi", "vpc", "vhdx" };

        CHECK_EQ(shell("truncate -s 8M source && printf data | dd of=source bs=1M seek=3 conv=notrunc "
                       "status=none && "
                       "head -c 100000 /dev/urandom | dd of=source bs=1M seek=5 conv=notrunc status=none"),
                 0);
        for (size_t i = 0; i < ELEMENTSOF(formats); i++)
                CHECK_EQ(shell("qemu-img convert -f raw -O %s %s source source.%s", formats[i],
                               streq(formats[i], "vpc") ? "-o force_size=on" : "", formats[i]),
                         0);
        CHECK_EQ(shell("qemu-img convert -f raw -O vmdk -o subformat=streamOptimized source source.stream"),
                 0);
}

static void import_every_format(void)
{
        static const struct {
                const char *file, *format, *becomes;
        } images[] = {
                { "source", "raw", "raw" },        { "source.qcow2", "qcow2", "qcow2" },
                { "source.qcow", "qcow", "qcow" }, { "source.qed", "qed", "qed" },
                { "source.vmdk", "vmdk", "vmdk" }, { "source.stream", "vmdk", "vmdk" },
                { "source.vdi", "vdi", "vdi" },    { "source.vpc", "vpc", "vpc" },
                { "source.vhdx", "vhdx", "vhdx" },
        };
        char command[64];

        for (size_t i = 0; i < ELEMENTSOF(images); i++) {
                (void)snprintf(command, sizeof(command), "cat %s", images[i].file);
                CHECK_OK(import("stated", images[i].file, words("source-format", images[i].format, NULL),
                                NULL));
                CHECK_STREQ(image_format_to_string(pool->last.format), images[i].becomes);
                CHECK_EQ(pool->last.capacity, 8 * MIB);
                CHECK_EQ(pool->last.creator, 1000);
                same("stated", images[i].becomes);
                CHECK_OK(import("probed", images[i].file, words("checksum", "yes", NULL),
                                words("format", "qcow2", NULL)));
                check_digest(images[i].file);
                same("probed", "qcow2");
                CHECK_OK(import_pipe("piped", command, words("source-format", images[i].format, NULL),
                                     words("format", "raw", NULL)));
                same("piped", "raw");
                CHECK_EQ(entries(), 3);
                CHECK_EQ(shell("rm pool/*"), 0);
        }
}

static void import_compressed(void)
{
        static const struct {
                const char *name, *pack;
        } tools[] = { { "gzip", "gzip -1c" }, { "xz", "xz -0c" }, { "zstd", "zstd -qc" } };
        struct stat st;

        for (size_t i = 0; i < ELEMENTSOF(tools); i++) {
                CHECK_EQ(shell("%s <source >packed.raw && %s <source.qcow2 >packed.qcow2", tools[i].pack,
                               tools[i].pack),
                         0);
                CHECK_OK(stat("packed.raw", &st));
                CHECK_OK(import(
                        "raw", "packed.raw",
                        words("source-format", "raw", "compression", tools[i].name, "checksum", "yes", NULL),
                        NULL));
                CHECK_EQ(bag_get_u64(pool->result, "bytes", 0), st.st_size);
                check_digest("packed.raw");
                same("raw", "raw");
                if (import_pipe("qcow2", "cat packed.qcow2", words("compression", tools[i].name, NULL),
                                NULL) < 0)
                        TEST_FAIL("%s", error()->message);
                CHECK_EQ(pool->last.format, FORMAT_QCOW2);
                same("qcow2", "qcow2");
                CHECK_EQ(shell("rm pool/*"), 0);
                CHECK_ERROR(import("x", "source.vdi", words("compression", tools[i].name, NULL), NULL),
                            error(), ERROR_FAILED);
                CHECK_ERROR(import_pipe("x", "head -c 1000 packed.raw",
                                        words("source-format", "raw", "compression", tools[i].name, NULL),
                                        NULL),
                            error(), ERROR_FAILED);
                CHECK_EQ(entries(), 0);
        }
}

static void checksum(void)
{
        _cleanup_free_ char *sum = NULL;
        size_t n = 0;
        FILE *f = popen("sha256sum <source", "r");

        CHECK(f && getdelim(&sum, &n, ' ', f) > 64);
        (void)pclose(f);
        sum[64] = '\0';
        CHECK_OK(import("good", "source", words("source-format", "raw", "sha256", sum, NULL), NULL));
        CHECK_OK(unlink("pool/good"));
        sum[0] = sum[0] == '0' ? '1' : '0';
        CHECK_ERROR(import("bad", "source", words("source-format", "raw", "sha256", sum, NULL), NULL),
                    error(), ERROR_CORRUPT);
        CHECK_ERROR(import("bad", "source", words("source-format", "raw", "sha256", "x", NULL), NULL),
                    error(), ERROR_INVALID_ARGS);
        CHECK_EQ(entries(), 0);
}

/* Each is refused by name, and no tool saw it. */
static void refuse(const char *path, const char *format, ErrorKind kind, const char *word)
{
        char command[64];

        for (unsigned how = 0; how < 4; how++) {
                Bag *transfer = how & 1 ? words(NULL) : words("source-format", format, NULL);
                int r;

                (void)snprintf(command, sizeof(command), "cat %s", path);
                r = how & 2 ? import_pipe("x", command, with(transfer, "limit", 1024 * MIB), NULL)
                            : import("x", path, with(transfer, "limit", 1024 * MIB), NULL);
                if (r >= 0 || error()->kind != kind || !strstr(error()->message, word))
                        TEST_FAIL("%s: %s", path, error()->message ?: "was taken");
                CHECK_EQ(pool->n_commands, 0);
                CHECK_EQ(entries(), 0);
        }
}

static void hostile(void)
{
        CHECK_EQ(shell("qemu-img create -q -u -f qcow2 -b /etc/shadow -F raw shadow 8M"), 0);
        refuse("shadow", "qcow2", ERROR_NOT_SUPPORTED, "backing file");
        CHECK_EQ(shell("qemu-img create -q -u -f qcow2 -b "
                       "'json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}' -F raw json 8M"),
                 0);
        refuse("json", "qcow2", ERROR_NOT_SUPPORTED, "backing file");
        CHECK_EQ(shell("qemu-img create -q -f qcow2 -o data_file=outside,data_file_raw=on data 8M"), 0);
        refuse("data", "qcow2", ERROR_NOT_SUPPORTED, "another file");
        CHECK_EQ(shell("printf '# Disk DescriptorFile\\nversion=1\\nCID=fffffffe\\nparentCID=ffffffff\\n"
                       "createType=\"monolithicFlat\"\\nRW 20480 FLAT \"/dev/vda\" 0\\n' >device"),
                 0);
        refuse("device", "vmdk", ERROR_NOT_SUPPORTED, "several files");
        CHECK_EQ(shell("qemu-img create -q -f qcow2 huge 8M && "
                       "printf '\\200\\0\\0\\0\\0\\0\\0\\0' | dd of=huge bs=1 seek=24 conv=notrunc "
                       "status=none"),
                 0);
        refuse("huge", "qcow2", ERROR_CORRUPT, "capacity");
        CHECK_EQ(shell("qemu-img create -q -f qcow2 large 2G"), 0);
        refuse("large", "qcow2", ERROR_LIMITS_EXCEEDED, "1073741824");
        CHECK_EQ(shell("head -c 70000 /dev/urandom >noise"), 0);
        CHECK_ERROR(import("x", "noise", words("source-format", "qcow2", NULL), NULL), error(),
                    ERROR_INVALID_ARGS);
        /* As raw it is data, whatever it looks like. */
        CHECK_OK(import("x", "shadow", words("source-format", "raw", NULL), NULL));
        CHECK_EQ(pool->last.format, FORMAT_RAW);
        CHECK_STREQ(pool->last.backing, NULL);
        CHECK_OK(import("y", "shadow", words("source-format", "raw", NULL), words("format", "qcow2", NULL)));
        CHECK_EQ(pool->last.capacity, 197120); /* the file's sectors, as those of the disk */
        CHECK_EQ(shell("rm pool/*"), 0);
}

/* Few bytes that become many. */
static void bomb(void)
{
        static const char *const tools[] = { "gzip", "xz", "zstd" };
        struct stat st;

        CHECK_EQ(shell("truncate -s 400M zeros"), 0);
        for (size_t i = 0; i < ELEMENTSOF(tools); i++) {
                CHECK_EQ(shell("%s -qc <zeros >bomb", tools[i]), 0);
                CHECK_OK(stat("bomb", &st));
                CHECK(st.st_size < (off_t)MIB);
                CHECK_ERROR(import("x", "bomb",
                                   with(words("source-format", "raw", "compression", tools[i], NULL),
                                        "limit", 64 * MIB),
                                   NULL),
                            error(), ERROR_LIMITS_EXCEEDED);
                CHECK_ERROR(import("x", "bomb",
                                   with(words("compression", tools[i], NULL), "limit", 64 * MIB), NULL),
                            error(), ERROR_LIMITS_EXCEEDED);
                CHECK_EQ(entries(), 0);
        }
        CHECK_ERROR(import_pipe("x", "cat zeros 2>/dev/null",
                                with(words("source-format", "raw", NULL), "limit", 64 * MIB), NULL),
                    error(), ERROR_LIMITS_EXCEEDED);
        CHECK_EQ(entries(), 0);
}

static void encrypted(void)
{
        CHECK_EQ(shell("for i in 1 2 3 4 5 6 7 8; do qemu-img create -q -f qcow2 --object "
                       "secret,id=s,data=x -o "
                       "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 secret 4M 2>out && "
                       "exit 0; done; exit 1"),
                 0);
        CHECK_OK(import("e", "secret", words("source-format", "qcow2", NULL), NULL));
        CHECK(pool->last.flags & VOLUME_ENCRYPTED);
        CHECK_EQ(shell("cmp -s secret pool/e"), 0);
        CHECK_ERROR(
                import("x", "secret", words("source-format", "qcow2", NULL), words("format", "raw", NULL)),
                error(), ERROR_NOT_SUPPORTED);
        CHECK_OK(export_to("e", "out", words(NULL)));
        CHECK_EQ(shell("cmp -s secret out"), 0);
        CHECK_ERROR(export_to("e", "out", words("format", "raw", NULL)), error(), ERROR_NOT_SUPPORTED);
        CHECK_OK(unlink("pool/e"));
}

static void replace_image(void *userdata)
{
        CHECK_EQ(shell("qemu-img create -q -f qcow2 -u -b victim -F raw other 4M && "
                       "dd if=other of=secret conv=notrunc status=none"),
                 0);
}

/* Its sender still has it open: what was good when it was looked at is not what is copied. */
static void image_changes(void)
{
        CHECK_OK(create("victim", MIB, words("format", "raw", NULL)));
        pool->on_ready = replace_image;
        CHECK_ERROR(import("x", "secret", words("source-format", "qcow2", NULL), NULL), error(),
                    ERROR_NOT_SUPPORTED);
        pool->on_ready = NULL;
        CHECK_EQ(entries(), 1);
        CHECK_OK(unlink("pool/victim"));
}

/* Zeros take no room, wherever they come from. */
static void holes(void)
{
        CHECK_EQ(shell("head -c 8M /dev/zero >zeros && printf x >>zeros"), 0);
        CHECK_OK(import("h", "zeros", words("source-format", "raw", NULL), NULL));
        CHECK_EQ(pool->last.capacity, 8 * MIB + 1);
        CHECK(pool->last.allocation < MIB);
        CHECK_OK(unlink("pool/h"));
        CHECK_OK(import_pipe("h", "cat zeros", words("source-format", "raw", NULL), NULL));
        CHECK(pool->last.allocation < MIB);
        CHECK_OK(unlink("pool/h"));
}

static void other_words(void)
{
        CHECK_ERROR(import("x", "source", words("source-format", "dir", NULL), NULL), error(),
                    ERROR_INVALID_ARGS);
        CHECK_ERROR(import("x", "source", words("compression", "rar", NULL), NULL), error(),
                    ERROR_INVALID_ARGS);
        CHECK_ERROR(import("x", "source", words(NULL), words("backing.path", "y", NULL)), error(),
                    ERROR_INVALID_ARGS);
        CHECK_ERROR(import("a/b", "source", words(NULL), NULL), error(), ERROR_INVALID_NAME);
        CHECK_ERROR(import("x", "/proc/self/status", words(NULL), NULL), error(), ERROR_INVALID_ARGS);
        pool->session = true;
        CHECK_EQ(import("x", "source", words("source-format", "raw", NULL), NULL), -EREMOTE);
        pool->session = false;
        CHECK_EQ(entries(), 0);
}

static void export_formats(void)
{
        static const char *const formats[] = { "raw", "qcow2", "vmdk", "vdi" };

        CHECK_OK(import("v", "source", words("source-format", "raw", NULL), NULL));
        CHECK_OK(import("q", "source", words("source-format", "raw", NULL), words("format", "qcow2", NULL)));
        for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
                CHECK_OK(export_to("v", "out", words("format", formats[i], "checksum", "yes", NULL)));
                check_digest("out");
                CHECK_EQ(shell("qemu-img compare -q -f %s -F raw out source", formats[i]), 0);
                CHECK_OK(export_to("q", "out", words("format", formats[i], NULL)));
                CHECK_EQ(shell("qemu-img compare -q -f %s -F raw out source", formats[i]), 0);
        }
        CHECK_OK(export_to("q", "out", words(NULL)));
        CHECK_EQ(shell("cmp -s out pool/q"), 0);
        CHECK_OK(export_to("v", "out", words("compression", "gzip", "checksum", "yes", NULL)));
        check_digest("out");
        CHECK_EQ(shell("gzip -dc <out | cmp -s - source"), 0);
        CHECK_OK(export_to("q", "out", words("format", "raw", "compression", "zstd", NULL)));
        CHECK_EQ(shell("zstd -dqc <out | cmp -s - source"), 0);
        CHECK_ERROR(export_to("v", "out", words("compression", "xz", NULL)), error(), ERROR_INVALID_ARGS);
        CHECK_ERROR(export_to("v", "out", words("format", "dmg", NULL)), error(), ERROR_NOT_SUPPORTED);
        CHECK_ERROR(export_to("v", "out", words("format", "dir", NULL)), error(), ERROR_INVALID_ARGS);
        CHECK_ERROR(export_to("nothing", "out", words(NULL)), error(), ERROR_NO_SUCH_VOLUME);
        CHECK_EQ(entries(), 2);
}

static void export_overlay(void)
{
        _cleanup_bag_ Bag *transfer = words("linked", "yes", NULL);

        fake_ctx_reset(pool);
        CHECK_OK(poolkeeper_backend.volume_clone(pool, "over", "v", UINT64_MAX, transfer, NULL, 1000));
        CHECK_OK(export_to("over", "out", words(NULL)));
        CHECK_EQ(shell("qemu-img info -f qcow2 out | grep -q backing"), 256);
        CHECK_EQ(shell("qemu-img compare -q -f qcow2 -F raw out source"), 0);
}

static void export_onto_itself(void)
{
        static const char *const names[] = { "v", "over" }; /* which stands on it */
        _cleanup_close_ int fd = open("pool/v", O_RDWR | O_CLOEXEC);
        _cleanup_bag_ Bag *options = words("compression", "gzip", NULL);

        CHECK_OK(fd);
        FOREACH_ELEMENT (name, names) {
                fake_ctx_reset(pool);
                CHECK_ERROR(poolkeeper_backend.volume_export(pool, *name, fd, options), error(),
                            ERROR_INVALID_ARGS);
        }
}

static void export_in_use(void)
{
        struct flock have = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 101, .l_len = 1 };
        int fd = open("pool/v", O_RDWR | O_CLOEXEC);

        CHECK_OK(fcntl(fd, F_OFD_SETLK, &have));
        CHECK_ERROR(export_to("over", "out", words(NULL)), error(), ERROR_IN_USE);
        CHECK_OK(export_to("over", "out", words("force-share", "yes", NULL)));
        CHECK_OK(close(fd));
}

int main(void)
{
        if (access("/usr/bin/qemu-img", X_OK) < 0) {
                printf("skip all: qemu-img is not installed\n");
                return 0;
        }
        (void)signal(SIGPIPE, SIG_IGN);
        test_directory();
        pool_start();
        make_source();
        RUN(import_every_format);
        RUN(import_compressed);
        RUN(checksum);
        RUN(hostile);
        RUN(bomb);
        RUN(encrypted);
        RUN(image_changes);
        RUN(holes);
        RUN(other_words);
        RUN(export_formats);
        RUN(export_overlay);
        RUN(export_onto_itself);
        RUN(export_in_use);
        pool_end();
        return 0;
}
