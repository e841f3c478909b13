/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file-pool.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "file/transfer.h"
#include "file/volume.h"
#include "util/fileio.h"

#define MIB (1024u * 1024u)

/* ---- helpers ---- */

static int run(int (*f)(Ctx *, const char *, int, const Bag *), const char *name, int fd,
               Bag *options /* taken */)
{
        unsigned cancel_at = pool->cancel_at;
        int k;

        fake_ctx_reset(pool);
        pool->cancel_at = cancel_at;
        k = f(pool, name, fd, options);
        bag_free(options);
        return k;
}

static int upload(const char *name, int fd, Bag *options)
{
        return run(poolkeeper_backend.volume_upload, name, fd, options);
}

static int download(const char *name, int fd, Bag *options)
{
        return run(poolkeeper_backend.volume_download, name, fd, options);
}

/* Options: offset, length (UINT64_MAX: not given) and a word that is set to true. */
static Bag *options(uint64_t offset, uint64_t length, const char *flag)
{
        Bag *b = bag_new();

        CHECK_OK(bag_set_u64(b, "offset", offset));
        if (length != UINT64_MAX)
                CHECK_OK(bag_set_u64(b, "length", length));
        if (flag)
                CHECK_OK(bag_set_bool(b, flag, true));
        return b;
}

/* A file of `size` bytes that are all `byte`, at its start. */
static int filled(const char *path, size_t size, int byte)
{
        _cleanup_free_ void *p = malloc(size + 1);
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        memset(p, byte, size);
        CHECK(fd >= 0);
        CHECK_EQ(pwrite(fd, p, size, 0), (ssize_t)size);
        return fd;
}

static bool holds(const char *path, uint64_t at, size_t n, int byte)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        _cleanup_free_ uint8_t *p = malloc(n + 1);

        CHECK(fd >= 0);
        if (pread(fd, p, n, (off_t)at) != (ssize_t)n)
                return false;
        for (size_t i = 0; i < n; i++)
                if (p[i] != byte)
                        return false;
        return true;
}

static uint64_t size_of(const char *path)
{
        struct stat st;

        CHECK_OK(stat(path, &st));
        return st.st_size;
}

static ino_t inode_of(const char *path)
{
        struct stat st;

        CHECK_OK(stat(path, &st));
        return st.st_ino;
}

static bool is_corrupt(const char *name)
{
        CHECK_OK(look(name));
        CHECK_EQ(!!(pool->last.flags & VOLUME_CORRUPT), !!pool->last.error);
        return pool->last.flags & VOLUME_CORRUPT;
}

/* A volume "v" of 4 MiB of 'o'. */
static void volume(void)
{
        pool_start();
        (void)unlink("pool/v");
        CHECK_OK(create("v", 4 * MIB, words(NULL, NULL)));
        CHECK_OK(close(filled("pool/v", 4 * MIB, 'o')));
}

/* ---- uploads ---- */

static void test_in_place(void)
{
        _cleanup_close_ int fd = filled("source", MIB, 'n');

        volume();
        CHECK_OK(upload("v", fd, options(MIB, UINT64_MAX, "checksum")));
        CHECK(holds("pool/v", 0, MIB, 'o') && holds("pool/v", MIB, MIB, 'n') &&
              holds("pool/v", 2 * MIB, 2 * MIB, 'o'));
        CHECK_EQ(size_of("pool/v"), 4 * MIB);
        CHECK_EQ(bag_get_u64(pool->result, "bytes", 0), (uint64_t)MIB);
        CHECK(bag_get_string(pool->result, "sha256"));
        CHECK_EQ(pool->n_volumes, 1u);
        CHECK_EQ(pool->n_ready, 1u);
        CHECK(!is_corrupt("v"));
        pool_end();
}

static void test_position_of_the_source(void)
{
        _cleanup_close_ int fd = filled("source", MIB, 'x');

        volume();
        CHECK_EQ(pwrite(fd, "nnnn", 4, MIB - 4), 4);
        CHECK_EQ(lseek(fd, MIB - 4, SEEK_SET), MIB - 4);
        CHECK_OK(upload("v", fd, options(0, UINT64_MAX, NULL)));
        CHECK(holds("pool/v", 0, 4, 'n') && holds("pool/v", 4, MIB, 'o'));
        CHECK_EQ(lseek(fd, 0, SEEK_CUR), (off_t)MIB);
        pool_end();
}

static void test_beyond_the_end(void)
{
        _cleanup_close_ int fd = filled("source", 2 * MIB, 'n');
        int p[2];

        volume();
        CHECK_ERROR(upload("v", fd, options(3 * MIB, UINT64_MAX, NULL)), &pool->error, ERROR_INVALID_ARGS);
        CHECK_ERROR(upload("v", fd, options(5 * MIB, UINT64_MAX, NULL)), &pool->error, ERROR_INVALID_ARGS);
        CHECK_ERROR(upload("v", fd, options(UINT64_MAX - 1, UINT64_MAX, "grow")), &pool->error,
                    ERROR_INVALID_ARGS);
        CHECK_ERROR(upload("v", fd, options(INT64_MAX, UINT64_MAX, "grow")), &pool->error,
                    ERROR_INVALID_ARGS);
        CHECK(!is_corrupt("v") && holds("pool/v", 0, 4 * MIB, 'o'));
        CHECK_OK(upload("v", fd, options(3 * MIB, MIB, NULL)));
        CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
        CHECK_OK(upload("v", fd, options(5 * MIB, UINT64_MAX, "grow")));
        CHECK_EQ(size_of("pool/v"), 7 * MIB);
        CHECK(holds("pool/v", 4 * MIB, MIB, 0) && holds("pool/v", 5 * MIB, 2 * MIB, 'n'));
        CHECK_EQ(pool->last.capacity, 7 * MIB);

        CHECK_OK(pipe2(p, O_CLOEXEC)); /* its length is not known before */
        CHECK_EQ(write(p[1], "0123456789", 10), 10);
        (void)close(p[1]);
        CHECK_ERROR(upload("v", p[0], options(7 * MIB - 5, UINT64_MAX, NULL)), &pool->error,
                    ERROR_INVALID_ARGS);
        CHECK(is_corrupt("v"));
        (void)close(p[0]);
        pool_end();
}

static void test_short_source(void)
{
        _cleanup_close_ int fd = filled("source", MIB, 'n'), whole = filled("whole", 4 * MIB, 'o');
        int p[2];

        volume();
        CHECK_ERROR(upload("v", fd, options(0, 2 * MIB, NULL)), &pool->error, ERROR_FAILED);
        CHECK(!is_corrupt("v"));
        for (int atomic = 0; atomic < 2; atomic++) {
                CHECK_OK(pipe2(p, O_CLOEXEC));
                CHECK_EQ(write(p[1], "0123456789", 10), 10);
                (void)close(p[1]);
                CHECK_ERROR(upload("v", p[0], options(0, 11, atomic ? "atomic" : NULL)), &pool->error,
                            ERROR_FAILED);
                (void)close(p[0]);
                CHECK_EQ(is_corrupt("v"), !atomic);
                CHECK_OK(upload("v", fd, options(0, 0, NULL)));
                CHECK_EQ(is_corrupt("v"), !atomic); /* a part does not mend the rest */
                CHECK_OK(lseek(whole, 0, SEEK_SET));
                CHECK_OK(upload("v", whole, options(0, UINT64_MAX, NULL)));
                CHECK(!is_corrupt("v"));
        }
        pool_end();
}

static void test_expected_sum(void)
{
        _cleanup_close_ int fd = filled("source", 3, 'n');
        const char *bad = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        Bag *b;

        volume();
        for (int atomic = 1; atomic >= 0; atomic--) {
                b = options(0, UINT64_MAX, atomic ? "atomic" : NULL);
                CHECK_OK(bag_set_string(b, "sha256", bad));
                CHECK_OK(lseek(fd, 0, SEEK_SET));
                CHECK_ERROR(upload("v", fd, b), &pool->error, ERROR_CORRUPT);
                CHECK_EQ(is_corrupt("v"), !atomic);
                CHECK_EQ(holds("pool/v", 0, 3, 'o'), atomic);
        }
        pool_end();
        volume();
        CHECK_EQ(pwrite(fd, "abc", 3, 0), 3);
        CHECK_OK(lseek(fd, 0, SEEK_SET));
        b = options(0, UINT64_MAX, NULL);
        CHECK_OK(bag_set_string(b, "sha256", bad));
        CHECK_OK(upload("v", fd, b));
        CHECK_STREQ(bag_get_string(pool->result, "sha256"), bad);
        CHECK(!is_corrupt("v"));
        b = options(0, UINT64_MAX, NULL);
        CHECK_OK(bag_set_string(b, "sha256", "abc"));
        CHECK_ERROR(upload("v", fd, b), &pool->error, ERROR_INVALID_ARGS);
        pool_end();
}

static void test_atomic(void)
{
        _cleanup_close_ int fd = filled("source", MIB, 'n');
        struct stat before, after;

        volume();
        CHECK_OK(chmod("pool/v", 0640));
        CHECK_OK(stat("pool/v", &before));
        CHECK_OK(upload("v", fd, options(MIB, UINT64_MAX, "atomic")));
        CHECK_OK(stat("pool/v", &after));
        CHECK(before.st_ino != after.st_ino);
        CHECK_EQ(before.st_mode, after.st_mode);
        CHECK(holds("pool/v", 0, MIB, 'o') && holds("pool/v", MIB, MIB, 'n') &&
              holds("pool/v", 2 * MIB, 2 * MIB, 'o'));
        CHECK_EQ(size_of("pool/v"), 4 * MIB);
        CHECK_EQ(entries(), 1);
        CHECK_OK(look("v"));
        CHECK_EQ(pool->last.creator, 1000u);
        pool_end();
}

static void test_cancel_at_any_step(void)
{
        _cleanup_close_ int fd = filled("source", 3 * MIB, 'n');

        for (int atomic = 0; atomic < 2; atomic++)
                for (unsigned n = 1;; n++) {
                        int k;

                        volume();
                        CHECK_OK(lseek(fd, 0, SEEK_SET));
                        pool->cancel_at = n;
                        k = upload("v", fd, options(MIB, UINT64_MAX, atomic ? "atomic" : NULL));
                        pool->cancel_at = 0;
                        CHECK_EQ(entries(), 1);
                        if (k >= 0) {
                                CHECK(n > 1 && holds("pool/v", MIB, 3 * MIB, 'n') && !is_corrupt("v"));
                                pool_end();
                                break;
                        }
                        CHECK_ERROR(k, &pool->error, ERROR_CANCELLED);
                        CHECK_EQ(is_corrupt("v"), !atomic);
                        CHECK(!atomic || holds("pool/v", 0, 4 * MIB, 'o'));
                        pool_end();
                }
}

/* A child uploads and is killed after `usec`; what it had begun is undone from its intents, as a worker's would be. */
static bool killed(int fd, bool atomic, unsigned usec)
{
        pid_t pid = fork();
        int status;

        if (pid == 0)
                _exit(upload("v", fd, options(MIB, UINT64_MAX, atomic ? "atomic" : NULL)) < 0);
        (void)usleep(usec);
        CHECK_OK(kill(pid, SIGKILL));
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        return WIFSIGNALED(status);
}

static void test_kill_at_any_moment(void)
{
        _cleanup_close_ int fd = filled("source", 3 * MIB, 'n');
        unsigned n_corrupt = 0;

        for (int atomic = 0; atomic < 2; atomic++)
                for (unsigned usec = 0, step = 100;; usec += step, step += step / 4) {
                        bool died, is_new;

                        volume();
                        CHECK_OK(lseek(fd, 0, SEEK_SET));
                        died = killed(fd, atomic, usec);
                        is_new = holds("pool/v", MIB, 3 * MIB, 'n');
                        CHECK(holds("pool/v", 0, MIB, 'o'));
                        if (atomic)
                                CHECK(!is_corrupt("v") && (is_new || holds("pool/v", MIB, 3 * MIB, 'o')));
                        else if (is_corrupt("v"))
                                n_corrupt++;
                        else
                                CHECK(is_new || holds("pool/v", MIB, 3 * MIB, 'o'));
                        if (system("rm -f pool/.poolkeeper*") != 0) /* the undo, which has its test */
                                CHECK(false);
                        pool_end();
                        if (!died)
                                break;
                }
        CHECK(n_corrupt > 0);
}

static void test_no_space(void)
{
        _cleanup_close_ int fd = filled("source", 4 * MIB, 'n');

        pool_start();
        if (mount("none", "pool", "tmpfs", 0, "size=3m") < 0) {
                pool_end();
                SKIP("needs to mount");
        }
        CHECK_OK(poolkeeper_backend.stop(pool));
        pool_start();
        CHECK_OK(create("w", 4 * MIB, words(NULL, NULL)));
        CHECK_ERROR(upload("w", fd, options(0, UINT64_MAX, "atomic")), &pool->error, ERROR_NO_SPACE);
        CHECK(!is_corrupt("w"));
        CHECK_EQ(entries(), 1);
        CHECK_ERROR(upload("w", fd, options(0, UINT64_MAX, NULL)), &pool->error, ERROR_NO_SPACE);
        CHECK(is_corrupt("w"));
        CHECK_OK(umount2("pool", MNT_DETACH));
        CHECK_OK(poolkeeper_backend.stop(pool));
        pool_end();
}

static void test_reserve(void)
{
        _cleanup_close_ int fd = filled("source", MIB, 'n');
        int p[2];

        volume();
        CHECK_OK(bag_set_string(pool->options, "reserved", "100%"));
        CHECK_ERROR(upload("v", fd, options(0, UINT64_MAX, "atomic")), &pool->error, ERROR_NO_SPACE);
        CHECK(!is_corrupt("v"));

        CHECK_OK(truncate("pool/v", 0)); /* no bytes are left of it either, and nobody knows how many come */
        CHECK_OK(pipe2(p, O_CLOEXEC));
        CHECK_EQ(write(p[1], "0123456789", 10), 10);
        (void)close(p[1]);
        CHECK_ERROR(upload("v", p[0], options(0, UINT64_MAX, "grow")), &pool->error, ERROR_NO_SPACE);
        (void)close(p[0]);
        CHECK(!is_corrupt("v"));
        pool_end();
}

static void test_refused(void)
{
        _cleanup_close_ int fd = filled("source", MIB, 'n'), own = -EBADF;

        volume();
        own = open("pool/v", O_RDONLY | O_CLOEXEC);
        CHECK_ERROR(upload("v", own, options(0, UINT64_MAX, NULL)), &pool->error, ERROR_INVALID_ARGS);
        CHECK_ERROR(upload("none", fd, options(0, UINT64_MAX, NULL)), &pool->error, ERROR_NO_SUCH_VOLUME);
        CHECK_OK(mkdir("pool/d", 0700));
        CHECK_ERROR(upload("d", fd, options(0, UINT64_MAX, NULL)), &pool->error, ERROR_NOT_SUPPORTED);
        CHECK_OK(rmdir("pool/d"));
        CHECK_OK(link("pool/v", "pool/w"));
        CHECK_ERROR(upload("v", fd, options(0, UINT64_MAX, NULL)), &pool->error, ERROR_NOT_SUPPORTED);
        CHECK_OK(unlink("pool/w"));
        pool->session = true;
        CHECK_EQ(upload("v", fd, options(0, UINT64_MAX, NULL)), -EREMOTE);
        pool_end();
}

/* ---- formatted volumes ---- */

static void make_image(const char *command)
{
        char text[256];

        (void)snprintf(text, sizeof(text), "qemu-img create -q -f %s >/dev/null", command);
        if (system(text) != 0)
                TEST_FAIL("%s", text);
}

static int upload_file(const char *path, Bag *b)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

        CHECK(fd >= 0);
        return upload("q", fd, b);
}

static void test_formatted(void)
{
        ino_t before;

        pool_start();
        if (!command_exists("qemu-img")) {
                pool_end();
                SKIP("needs qemu-img");
        }
        (void)unlink("pool/v");
        CHECK_OK(create("q", 8 * MIB, words("format", "qcow2", NULL)));
        before = inode_of("pool/q");
        make_image("qcow2 a.qcow2 4M");
        make_image("qcow2 big.qcow2 64M");
        make_image("qcow2 huge.qcow2 900T");
        CHECK(system("cp a.qcow2 junk.qcow2 && truncate -s 100M junk.qcow2") == 0);
        make_image("qcow2 -b /etc/shadow -F raw -u overlay.qcow2 4M");
        make_image("qcow2 -o data_file=x.raw x.qcow2 4M");
        make_image("vmdk -o subformat=twoGbMaxExtentSparse v.vmdk 4M");
        make_image("raw r.raw 4M");
        CHECK_ERROR(upload_file("r.raw", options(0, UINT64_MAX, NULL)), &pool->error, ERROR_INVALID_ARGS);
        CHECK_ERROR(upload_file("v.vmdk", options(0, UINT64_MAX, NULL)), &pool->error, ERROR_INVALID_ARGS);
        CHECK_ERROR(upload_file("overlay.qcow2", options(0, UINT64_MAX, NULL)), &pool->error,
                    ERROR_INVALID_ARGS);
        CHECK_ERROR(upload_file("x.qcow2", options(0, UINT64_MAX, NULL)), &pool->error, ERROR_INVALID_ARGS);
        CHECK_ERROR(upload_file("big.qcow2", options(0, UINT64_MAX, NULL)), &pool->error,
                    ERROR_INVALID_ARGS);
        CHECK_ERROR(upload_file("huge.qcow2", options(0, UINT64_MAX, "grow")), &pool->error, ERROR_NO_SPACE);
        CHECK_ERROR(upload_file("junk.qcow2", options(0, UINT64_MAX, NULL)), &pool->error,
                    ERROR_INVALID_ARGS);
        CHECK_ERROR(upload_file("a.qcow2", options(512, UINT64_MAX, NULL)), &pool->error,
                    ERROR_INVALID_ARGS);
        CHECK_ERROR(upload_file("a.qcow2", options(0, 512, NULL)), &pool->error, ERROR_INVALID_ARGS);
        CHECK_EQ(inode_of("pool/q"), before);
        CHECK_EQ(entries(), 1);
        CHECK_OK(upload_file("a.qcow2", options(0, UINT64_MAX, NULL)));
        CHECK(inode_of("pool/q") != before);
        CHECK_EQ(pool->last.capacity, 4 * MIB);
        CHECK_EQ(pool->last.format, FORMAT_QCOW2);
        CHECK_OK(upload_file("big.qcow2", options(0, UINT64_MAX, "grow")));
        CHECK_EQ(pool->last.capacity, 64 * MIB);
        CHECK_EQ(entries(), 1);
        CHECK_OK(unlink("pool/q"));
        pool_end();
}

/* More than there is room for, of a length that nobody knows: another capacity would not help. */
static void test_formatted_no_room(void)
{
        static const char image[16384] = "QFI\xfb";
        char reserved[32];
        struct statvfs st;
        int p[2];

        pool_start();
        if (!command_exists("qemu-img") || mount("none", "pool", "tmpfs", 0, "size=8m") < 0) {
                pool_end();
                SKIP("needs qemu-img, and to mount");
        }
        CHECK_OK(poolkeeper_backend.stop(pool));
        pool_start();
        CHECK_OK(create("q", 8 * MIB, words("format", "qcow2", NULL)));
        CHECK_OK(statvfs("pool", &st));
        (void)snprintf(reserved, sizeof(reserved), "%llu",
                       (unsigned long long)st.f_bavail * st.f_frsize - 4096);
        CHECK_OK(bag_set_string(pool->options, "reserved", reserved));
        CHECK_OK(pipe2(p, O_CLOEXEC)); /* holds 64 KiB */
        CHECK_EQ(write(p[1], image, sizeof(image)), (ssize_t)sizeof(image));
        (void)close(p[1]);
        CHECK_ERROR(upload("q", p[0], options(0, UINT64_MAX, NULL)), &pool->error, ERROR_NO_SPACE);
        (void)close(p[0]);
        CHECK_EQ(entries(), 1);
        CHECK_OK(umount2("pool", MNT_DETACH));
        CHECK_OK(poolkeeper_backend.stop(pool));
        pool_end();
}

/* An image with all its data stands on nothing any more, whatever is written into its header later. */
static void test_formatted_without_backing(void)
{
        pool_start();
        if (!command_exists("qemu-img")) {
                pool_end();
                SKIP("needs qemu-img");
        }
        CHECK_OK(create("b", MIB, words("format", "raw", NULL)));
        CHECK_OK(create("q", UINT64_MAX, words("format", "qcow2", "backing.path", "b", NULL)));
        CHECK(system("cp pool/q over.qcow2") == 0);
        CHECK_OK(upload_file("over.qcow2", options(0, UINT64_MAX, NULL)));
        CHECK_STREQ(pool->last.backing, "b");
        CHECK_OK(clone_volume("copy", "q", UINT64_MAX, words("format", "raw", NULL)));
        make_image("qcow2 alone.qcow2 1M");
        CHECK_OK(upload_file("alone.qcow2", options(0, UINT64_MAX, NULL)));
        CHECK_STREQ(pool->last.backing, NULL);
        CHECK(system("qemu-img rebase -q -u -f qcow2 -b b -F raw pool/q") == 0);
        CHECK_ERROR(clone_volume("x", "q", UINT64_MAX, words("format", "raw", NULL)), &pool->error,
                    ERROR_ACCESS_DENIED);
        CHECK(system("rm pool/b pool/q pool/copy") == 0);
        pool_end();
}

/* ---- downloads ---- */

static void test_download(void)
{
        _cleanup_close_ int fd = filled("target", MIB, 't'), other = open("target", O_RDWR | O_CLOEXEC);

        volume();
        CHECK_OK(download("v", fd, options(0, UINT64_MAX, "checksum")));
        CHECK(holds("target", 0, 4 * MIB, 'o'));
        CHECK_EQ(size_of("target"), 4 * MIB);
        CHECK_EQ(bag_get_u64(pool->result, "bytes", 0), 4ull * MIB);
        CHECK(bag_get_string(pool->result, "sha256"));
        CHECK_EQ(lseek(other, 100, SEEK_SET), 100);
        CHECK_OK(download("v", other, options(4 * MIB - 10, 10, NULL)));
        CHECK_EQ(lseek(other, 0, SEEK_CUR), 110);
        CHECK_ERROR(download("v", fd, options(0, 4 * MIB + 1, NULL)), &pool->error, ERROR_INVALID_ARGS);
        CHECK_ERROR(download("v", fd, options(4 * MIB + 1, UINT64_MAX, NULL)), &pool->error,
                    ERROR_INVALID_ARGS);
        pool_end();
}

static void test_download_sparse(void)
{
        _cleanup_close_ int fd = filled("target", 8 * MIB, 't');
        struct stat st;

        pool_start();
        CHECK_OK(create("s", 8 * MIB, words(NULL, NULL)));
        CHECK_OK(download("s", fd, options(0, UINT64_MAX, NULL)));
        CHECK(holds("target", 0, 8 * MIB, 0));
        CHECK_OK(fstat(fd, &st));
        CHECK(st.st_blocks <= 8);
        CHECK_OK(unlink("pool/s"));
        pool_end();
}

static void test_download_of_corrupt(void)
{
        _cleanup_close_ int fd = filled("target", 0, 0);
        int p[2];

        volume();
        CHECK_OK(pipe2(p, O_CLOEXEC));
        (void)close(p[1]);
        CHECK_ERROR(upload("v", p[0], options(0, 1, NULL)), &pool->error, ERROR_FAILED);
        (void)close(p[0]);
        CHECK_ERROR(download("v", fd, options(0, UINT64_MAX, NULL)), &pool->error, ERROR_CORRUPT);
        pool_end();
}

int main(void)
{
        (void)signal(SIGPIPE, SIG_IGN);
        test_directory();
        RUN(test_in_place);
        RUN(test_position_of_the_source);
        RUN(test_beyond_the_end);
        RUN(test_short_source);
        RUN(test_expected_sum);
        RUN(test_atomic);
        RUN(test_cancel_at_any_step);
        RUN(test_kill_at_any_moment);
        RUN(test_refused);
        RUN(test_reserve);
        RUN(test_formatted);
        RUN(test_formatted_no_room);
        RUN(test_formatted_without_backing);
        RUN(test_download);
        RUN(test_download_sparse);
        RUN(test_download_of_corrupt);
        RUN(test_no_space);
        return 0;
}
