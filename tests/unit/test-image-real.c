/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Headers that other programs wrote: every field is compared with what qemu-img says of the same file. */
#include <fcntl.h>
#include <json-c/json.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "image/image.h"
#include "test.h"

static char directory[] = "/tmp/test-image-XXXXXX";

/* Runs a tool in `directory`; its standard output (at most 64 KiB) in *ret_output unless NULL. True when it
 * could be run and ended with 0. */
static bool run_tool(char *const *argv, char **ret_output)
{
        static char *const environment[] = { (char *)"LC_ALL=C.UTF-8",
                                             (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
        posix_spawn_file_actions_t actions;
        size_t n = 0;
        int pipe_fds[2], status = -1;
        pid_t pid;
        int k;

        if (pipe2(pipe_fds, O_CLOEXEC) < 0 || posix_spawn_file_actions_init(&actions) != 0)
                return false;
        (void)posix_spawn_file_actions_addchdir_np(&actions, directory);
        (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        (void)posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
        if (!getenv("TEST_VERBOSE"))
                (void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        k = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environment);
        (void)posix_spawn_file_actions_destroy(&actions);
        (void)close(pipe_fds[1]);
        if (k == 0) {
                char *output = calloc(1, 65537);

                for (ssize_t m; output && n < 65536 && (m = read(pipe_fds[0], output + n, 65536 - n)) > 0;)
                        n += (size_t)m;
                if (waitpid(pid, &status, 0) != pid)
                        status = -1;
                if (ret_output)
                        *ret_output = output;
                else
                        free(output);
        }
        (void)close(pipe_fds[0]);
        return k == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#define TOOL(...) run_tool((char *const[]){ __VA_ARGS__, NULL }, NULL)
#define CREATE(name, format, size, ...)                                                                \
        CHECK(TOOL((char *)"qemu-img", (char *)"create", (char *)"-q", (char *)"-f", (char *)(format), \
                   ##__VA_ARGS__, (char *)(name), (char *)(size)))
/* The same with LUKS. QEMU measures the CPU first, and gives up on machines with a coarse clock; then it
 * must try again. */
#define CREATE_ENCRYPTED(name, format, options)                                                       \
        do {                                                                                          \
                bool made = false;                                                                    \
                for (unsigned try = 0; try < 50 && !made; try++)                                      \
                        made = TOOL((char *)"qemu-img", (char *)"create", (char *)"-q", (char *)"-f", \
                                    (char *)(format), (char *)"--object",                             \
                                    (char *)"secret,id=s,data=secret", O(options), (char *)(name),    \
                                    (char *)"10M");                                                   \
                CHECK(made);                                                                          \
        } while (0)
#define O(options) (char *)"-o", (char *)(options)

static void probe_file(const char *name, ImageProbeFlags flags, ImageInfo *ret)
{
        _cleanup_close_ int fd = -EBADF;
        char path[256];
        struct stat st;

        (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        CHECK(fd >= 0 && fstat(fd, &st) == 0);
        CHECK_EQ(image_probe(fd, (uint64_t)st.st_size, flags, ret), 0);
}

static json_object *member(json_object *o, const char *name)
{
        json_object *v = NULL;

        return json_object_object_get_ex(o, name, &v) ? v : NULL;
}

static const char *text(json_object *o, const char *name)
{
        json_object *v = member(o, name);

        return v ? json_object_get_string(v) : NULL;
}

static bool boolean(json_object *o, const char *name)
{
        json_object *v = member(o, name);

        return v && json_object_get_boolean(v);
}

/* format NULL: as qemu-img finds it. */
static json_object *qemu_info(const char *name, const char *format)
{
        _cleanup_free_ char *output = NULL;
        json_object *o;

        CHECK(run_tool((char *const[]){ (char *)"qemu-img", (char *)"info", (char *)"-U",
                                        (char *)"--output=json", (char *)name, format ? (char *)"-f" : NULL,
                                        (char *)format, NULL },
                       &output));
        o = json_tokener_parse(output);
        CHECK(o);
        return o;
}

static void compare_qcow2(json_object *data, const ImageInfo *i)
{
        const char *cipher = text(member(data, "encrypt"), "format");

        CHECK_STREQ(text(data, "compat"), i->version == 3 ? "1.1" : "0.10");
        CHECK_EQ(boolean(data, "lazy-refcounts"), i->lazy_refcounts);
        CHECK_EQ(boolean(data, "extended-l2"), i->extended_l2);
        CHECK_STREQ(text(data, "data-file"), i->data_file);
        CHECK_STREQ(cipher, i->encryption);
        if (boolean(data, "corrupt"))
                CHECK(i->dirty);
}

/* qemu-img's view of the file must be ours. */
static void compare_as(const char *name, const char *known)
{
        _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL;
        json_object *o = qemu_info(name, known), *data, *snapshots;
        const char *format = text(o, "format");

        probe_file(name, 0, &i);
        CHECK_STREQ(i.error, NULL);
        CHECK_STREQ(image_format_to_string(i.format), streq(format, "parallels") ? "ploop" : format);
        CHECK_EQ(i.capacity, (uint64_t)json_object_get_int64(member(o, "virtual-size")));
        if (member(o, "cluster-size") && i.cluster_size > 0) /* that of a split vmdk is in another file */
                CHECK_EQ((int64_t)i.cluster_size, json_object_get_int64(member(o, "cluster-size")));
        CHECK_STREQ(i.backing, text(o, "backing-filename"));
        if (text(o, "backing-filename-format"))
                CHECK_STREQ(image_format_to_string(i.backing_format), text(o, "backing-filename-format"));
        CHECK_EQ(i.encrypted, boolean(o, "encrypted"));
        if (boolean(o, "dirty-flag"))
                CHECK(i.dirty);
        snapshots = member(o, "snapshots");
        CHECK_EQ((size_t)i.n_snapshots, snapshots ? json_object_array_length(snapshots) : 0);

        data = member(member(o, "format-specific"), "data");
        if (i.format == FORMAT_QCOW2)
                compare_qcow2(data, &i);
        if (i.format == FORMAT_VMDK)
                CHECK_STREQ(i.variant, text(data, "create-type"));
        json_object_put(o);
}

static void compare(const char *name)
{
        compare_as(name, NULL);
}

/* Writes bytes into a file of ours. */
static void patch(const char *name, off_t at, const void *bytes, size_t n)
{
        _cleanup_close_ int fd = -EBADF;
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        CHECK(fd >= 0 && pwrite(fd, bytes, n, at) == (ssize_t)n);
}

static void resize_file(const char *name, off_t size)
{
        char path[256];

        patch(name, 0, "", 0);
        (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
        CHECK(truncate(path, size) == 0);
}

static void qcow2(void)
{
        static const char *const options[] = {
                "compat=0.10",
                "compat=1.1",
                "compat=1.1,lazy_refcounts=on",
                "compat=1.1,extended_l2=on,cluster_size=128k",
                "compat=1.1,cluster_size=512",
                "compat=1.1,cluster_size=2M",
                "compat=1.1,compression_type=zstd,refcount_bits=64",
                "preallocation=metadata",
        };

        FOREACH_ELEMENT (o, options) {
                CREATE("a.qcow2", "qcow2", "130M", O(*o));
                compare("a.qcow2");
        }
        CREATE("a.qcow2", "qcow2", "0");
        compare("a.qcow2");
        CREATE("a.qcow2", "qcow2", "64T");
        compare("a.qcow2");
}

static void qcow2_chain(void)
{
        CREATE("base.raw", "raw", "10M");
        CREATE("mid.qcow2", "qcow2", "20M", (char *)"-b", (char *)"base.raw", (char *)"-F", (char *)"raw");
        compare("mid.qcow2");
        CREATE("top.qcow2", "qcow2", "30M", (char *)"-b", (char *)"mid.qcow2", (char *)"-F", (char *)"qcow2",
               O("compat=0.10"));
        compare("top.qcow2");
        /* an absolute name that does not fit into the first block beside the feature table */
        CREATE("top.qcow2", "qcow2", "30M", (char *)"-u", (char *)"-b",
               (char *)"/a/rather/long/path/to/an/image/that/is/not/there.vmdk", (char *)"-F",
               (char *)"vmdk");
        compare("top.qcow2");
}

static void qcow2_data_file(void)
{
        CREATE("d.qcow2", "qcow2", "10M", O("data_file=d.data,data_file_raw=on"));
        compare("d.qcow2");
}

static void qcow2_snapshots(void)
{
        CREATE("s.qcow2", "qcow2", "10M");
        CHECK(TOOL((char *)"qemu-img", (char *)"snapshot", (char *)"-c", (char *)"one", (char *)"s.qcow2"));
        CHECK(TOOL((char *)"qemu-img", (char *)"snapshot", (char *)"-c", (char *)"two", (char *)"s.qcow2"));
        compare("s.qcow2");
}

static void qcow2_encrypted(void)
{
        static const char *const formats[] = { "luks", "aes" };

        FOREACH_ELEMENT (f, formats) {
                char options[128];

                (void)snprintf(options, sizeof(options), "encrypt.format=%s,encrypt.key-secret=s%s", *f,
                               streq(*f, "luks") ? ",encrypt.iter-time=10" : "");
                CREATE_ENCRYPTED("e.qcow2", "qcow2", options);
                compare("e.qcow2");
        }
        CREATE_ENCRYPTED("e.qcow", "qcow", "encrypt.format=aes,encrypt.key-secret=s");
        compare("e.qcow");
}

static void qcow2_dirty(void)
{
        _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL, j = IMAGE_INFO_NULL;

        CREATE("y.qcow2", "qcow2", "10M", O("compat=1.1,lazy_refcounts=on"));
        patch("y.qcow2", 79, "\1", 1);
        compare("y.qcow2");
        probe_file("y.qcow2", 0, &i);
        CHECK(i.dirty);
        patch("y.qcow2", 79, "\2", 1); /* corrupt */
        compare("y.qcow2");
        probe_file("y.qcow2", 0, &j);
        CHECK(j.dirty);
}

/* libvirt lists a capacity of 2^64-1 for these. */
static void qcow2_truncated(void)
{
        static const off_t sizes[] = { 4, 8, 50, 72, 100, 512, 4096, 65536, 196608 };

        FOREACH_ELEMENT (size, sizes) {
                _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL;

                CREATE("t.qcow2", "qcow2", "10M");
                resize_file("t.qcow2", *size);
                probe_file("t.qcow2", 0, &i);
                CHECK_EQ(i.format, FORMAT_QCOW2);
                CHECK_EQ(i.capacity, (uint64_t)*size);
                CHECK(i.error && strstr(i.error, "cut short"));
        }
}

static void other_formats(void)
{
        static const char *const formats[] = { "qcow", "qed",  "vmdk",      "vdi",
                                               "vpc",  "vhdx", "parallels", "raw" };
        static const char *const sizes[] = { "1M", "100M", "10G" };

        FOREACH_ELEMENT (f, formats)
                FOREACH_ELEMENT (size, sizes) {
                        (void)unlink("a.img");
                        CREATE("a.img", *f, *size);
                        compare("a.img");
                }
}

static void other_options(void)
{
        static const char *const made[][2] = {
                { "vmdk", "subformat=streamOptimized" },
                { "vmdk", "subformat=monolithicFlat" },
                { "vmdk", "subformat=twoGbMaxExtentFlat" },
                { "vmdk", "subformat=twoGbMaxExtentSparse" },
                { "vpc", "subformat=fixed" },
                { "vpc", "subformat=fixed,force_size=on" },
                { "vpc", "subformat=dynamic,force_size=on" },
                { "vdi", "static=on" },
                { "vhdx", "subformat=fixed,block_size=1M" },
                { "qed", "cluster_size=128k" },
                { "raw", "preallocation=off" },
        };

        FOREACH_ELEMENT (m, made) {
                CREATE("b.img", (*m)[0], streq((*m)[0], "vmdk") ? "5G" : "100M", O((*m)[1]));
                compare_as("b.img", (*m)[0]); /* of a fixed vpc qemu-img sees the first sector only: raw */
        }
}

static void other_chains(void)
{
        CREATE("base.vmdk", "vmdk", "10M");
        CREATE("top.vmdk", "vmdk", "10M", (char *)"-b", (char *)"base.vmdk", (char *)"-F", (char *)"vmdk");
        compare("top.vmdk");
        CREATE("base.raw", "raw", "10M");
        CREATE("top.qcow", "qcow", "10M", (char *)"-b", (char *)"base.raw", (char *)"-F", (char *)"raw");
        compare("top.qcow");
        CREATE("top.qed", "qed", "10M", (char *)"-b", (char *)"base.raw", (char *)"-F", (char *)"raw");
        compare("top.qed");
        CREATE("top.qed", "qed", "10M", (char *)"-b", (char *)"mid.qcow2", (char *)"-F", (char *)"qcow2");
        compare("top.qed");
}

static void luks_by_qemu(void)
{
        CREATE_ENCRYPTED("q.luks", "luks", "key-secret=s,iter-time=10");
        compare("q.luks");
}

static void luks_by_cryptsetup(void)
{
        static const struct {
                const char *type, *offset; /* sectors */
                unsigned version;
        } made[] = {
                { "luks1", "4096", 1 },
                { "luks2", "32768", 2 },
                { "luks2", "65536", 2 },
        };

        if (!TOOL((char *)"cryptsetup", (char *)"--version"))
                SKIP("no cryptsetup");
        patch("key", 0, "secret", 6);
        FOREACH_ELEMENT (m, made) {
                _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL;

                resize_file("c.luks", 0);
                resize_file("c.luks", 64 << 20);
                CHECK(TOOL((char *)"cryptsetup", (char *)"-q", (char *)"luksFormat", (char *)"--type",
                           (char *)m->type, (char *)"--pbkdf=pbkdf2",
                           (char *)"--pbkdf-force-iterations=1000", (char *)"--offset", (char *)m->offset,
                           (char *)"c.luks", (char *)"key"));
                probe_file("c.luks", 0, &i);
                CHECK_STREQ(i.error, NULL);
                CHECK_EQ(i.format, FORMAT_LUKS);
                CHECK_EQ(i.version, m->version);
                CHECK(i.encrypted);
                CHECK_EQ(i.capacity, (UINT64_C(64) << 20) - strtoull(m->offset, NULL, 10) * 512);
        }
}

static void iso(void)
{
        _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL;

        if (!TOOL((char *)"genisoimage", (char *)"-quiet", (char *)"-V", (char *)"My disc", (char *)"-o",
                  (char *)"a.iso", (char *)"key"))
                SKIP("no genisoimage");
        probe_file("a.iso", IMAGE_PROBE_CONTENT, &i);
        CHECK_EQ(i.format, FORMAT_ISO);
        CHECK_STREQ(i.variant, "My disc");
        CHECK_STREQ(i.error, NULL);
        CHECK(i.capacity > 32768);
}

/* Partition tables and file systems; asked only with the flag. */
static void content(void)
{
        static const struct {
                const char *argv[6], *type;
        } made[] = {
                { { "mkfs.ext4", "-q", "-F", "c.raw" }, "ext4" },
                { { "mkfs.ext2", "-q", "-F", "c.raw" }, "ext2" },
                { { "mkfs.xfs", "-q", "-f", "c.raw" }, "xfs" },
                { { "mkfs.btrfs", "-q", "-f", "c.raw" }, "btrfs" },
                { { "mkfs.vfat", "-F", "32", "c.raw" }, "vfat" },
                { { "mkfs.vfat", "-F", "16", "c.raw" }, "vfat" },
                { { "mkfs.ntfs", "-q", "-F", "-f", "c.raw" }, "ntfs" },
                { { "mkswap", "-q", "c.raw" }, "swap" },
                { { "parted", "-s", "c.raw", "mklabel", "gpt" }, "gpt" },
                { { "parted", "-s", "c.raw", "mklabel", "msdos" }, "dos" },
        };
        unsigned n = 0;

        FOREACH_ELEMENT (m, made) {
                _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL, j = IMAGE_INFO_NULL;

                resize_file("c.raw", 0);
                resize_file("c.raw", 400 << 20);
                if (!run_tool((char *const *)m->argv, NULL))
                        continue; /* not installed */
                n++;
                probe_file("c.raw", IMAGE_PROBE_CONTENT, &i);
                CHECK_EQ(i.format, FORMAT_RAW);
                CHECK_STREQ(i.variant, m->type);
                CHECK_EQ(i.capacity, UINT64_C(400) << 20);
                probe_file("c.raw", 0, &j);
                CHECK_STREQ(j.variant, NULL);
        }
        if (n == 0)
                SKIP("none of the tools that make file systems is there");
}

static void remove_directory(void)
{
        (void)TOOL((char *)"rm", (char *)"-rf", directory);
}

int main(void)
{
        if (!mkdtemp(directory))
                return 1;
        if (!TOOL((char *)"qemu-img", (char *)"--version")) {
                printf("skip image-real: no qemu-img\n");
                (void)rmdir(directory);
                return 0;
        }
        (void)atexit(remove_directory);
        RUN(qcow2);
        RUN(qcow2_chain);
        RUN(qcow2_data_file);
        RUN(qcow2_snapshots);
        RUN(qcow2_encrypted);
        RUN(qcow2_dirty);
        RUN(qcow2_truncated);
        RUN(other_formats);
        RUN(other_options);
        RUN(other_chains);
        RUN(luks_by_qemu);
        RUN(luks_by_cryptsetup);
        RUN(iso);
        RUN(content);
        return 0;
}
