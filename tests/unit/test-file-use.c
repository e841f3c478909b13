/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes in use: by processes that write, by QEMU's locks, and by ourselves. */
#include "file-pool.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "file/entry.h"
#include "file/holder.h"
#include "file/use.h"

#define MIB (1024ull * 1024)

static Error *error(void)
{
        return &pool->error;
}

static int use(const char *name, FileUseMode mode, FileUse *ret)
{
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        int fd;

        fake_ctx_reset(pool);
        CHECK_OK(file_root_open(pool, &r));
        fd = file_open(&r, name, O_RDONLY);
        CHECK(fd >= 0);
        if (file_use_begin(&r, name, fd, mode, ret) >= 0)
                return fd;
        CHECK_OK(close(fd));
        return error_errno(error());
}

static int try_use(const char *name, FileUseMode mode)
{
        FileUse u = FILE_USE_NULL;
        int fd = use(name, mode, &u);

        if (fd < 0)
                return fd;
        file_use_end(&u);
        CHECK_OK(close(fd));
        return 0;
}

/* A second process that has the file open, with locks of the bytes given, until other_end(). */
typedef struct Other {
        pid_t pid;
        int stop;
} Other;

static void lock_byte(int fd, off_t at)
{
        struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

        if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
                _exit(1);
}

static Other other_begin(const char *path, int flags, off_t first, off_t second)
{
        int ready[2], stop[2];
        Other o;
        char c;

        CHECK_OK(pipe2(ready, O_CLOEXEC));
        CHECK_OK(pipe2(stop, O_CLOEXEC));
        o.pid = fork();
        if (o.pid == 0) {
                int fd = open(path, flags | O_CLOEXEC);

                if (fd < 0)
                        _exit(1);
                if (first)
                        lock_byte(fd, first);
                if (second)
                        lock_byte(fd, second);
                (void)!write(ready[1], "", 1);
                (void)close(stop[1]);
                _exit(read(stop[0], &c, 1) != 0);
        }
        CHECK_OK(close(ready[1]));
        CHECK_OK(close(stop[0]));
        CHECK_EQ(read(ready[0], &c, 1), 1);
        CHECK_OK(close(ready[0]));
        o.stop = stop[1];
        return o;
}

static void other_end(Other o)
{
        int status;

        CHECK_OK(close(o.stop));
        CHECK_EQ(waitpid(o.pid, &status, 0), o.pid);
        CHECK_EQ(status, 0);
}

static void check_names(const char *name, FileUseMode mode, pid_t pid)
{
        char text[128];

        CHECK(try_use(name, mode) < 0);
        (void)snprintf(text, sizeof(text), "Volume %s is in use by process %d (test-file-use);", name,
                       (int)pid);
        if (!startswith(error()->message, text))
                TEST_FAIL("%s", error()->message);
        CHECK_EQ(error()->kind, ERROR_IN_USE);
}

static void a_writer(void)
{
        Other o = other_begin("pool/v", O_WRONLY, 0, 0);

        check_names("v", FILE_USE_WRITE, o.pid);
        CHECK_OK(try_use("v", FILE_USE_READ));
        CHECK_OK(try_use("v", FILE_USE_SHARE));
        other_end(o);
        CHECK_OK(try_use("v", FILE_USE_WRITE));
}

/* A mapping that outlives its descriptor writes as well, and no descriptor shows who it is. */
static void a_mapping(void)
{
        int fd = open("pool/v", O_RDWR | O_CLOEXEC);
        void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        CHECK(map != MAP_FAILED);
        CHECK_OK(close(fd));
        CHECK_ERROR(try_use("v", FILE_USE_WRITE), error(), ERROR_IN_USE);
        CHECK_OK(try_use("v", FILE_USE_READ));
        CHECK_OK(munmap(map, 4096));
        CHECK_OK(try_use("v", FILE_USE_WRITE));
}

static void a_reader(void)
{
        Other o = other_begin("pool/v", O_RDONLY, 0, 0);

        CHECK_OK(try_use("v", FILE_USE_WRITE));
        other_end(o);
}

/* The permission that each byte stands for, and whom it keeps out. */
static void locks(void)
{
        static const struct {
                off_t byte;
                bool write, read;
        } cases[] = {
                { 100, false, true },  { 101, false, false }, { 102, false, true }, { 103, false, false },
                { 200, false, false }, { 201, false, true },  { 203, false, true }, { 300, true, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Other o = other_begin("pool/v", O_RDONLY, cases[i].byte, 0);

                if (cases[i].write)
                        CHECK_OK(try_use("v", FILE_USE_WRITE));
                else
                        check_names("v", FILE_USE_WRITE, o.pid);
                if (cases[i].read)
                        CHECK_OK(try_use("v", FILE_USE_READ));
                else
                        check_names("v", FILE_USE_READ, o.pid);
                CHECK_OK(try_use("v", FILE_USE_SHARE));
                other_end(o);
        }
}

static void says_force_share(void)
{
        Other o = other_begin("pool/v", O_RDONLY, 101, 0);

        CHECK(try_use("v", FILE_USE_READ) < 0);
        CHECK(strstr(error()->message, "force-share"));
        CHECK(try_use("v", FILE_USE_WRITE) < 0);
        CHECK(!strstr(error()->message, "force-share"));
        other_end(o);
}

/* What we hold stays with the description, and goes with it. */
static void ours(void)
{
        FileUse u, again;
        int fd, copy;

        fd = use("v", FILE_USE_READ, &u);
        CHECK(fd >= 0);
        CHECK_OK(try_use("v", FILE_USE_READ));
        CHECK_ERROR(try_use("v", FILE_USE_WRITE), error(), ERROR_IN_USE);
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        CHECK_OK(close(fd));
        CHECK_ERROR(try_use("v", FILE_USE_WRITE), error(), ERROR_IN_USE);
        CHECK_OK(close(copy));
        fd = use("v", FILE_USE_WRITE, &again);
        CHECK(fd >= 0);
        CHECK_ERROR(try_use("v", FILE_USE_READ), error(), ERROR_IN_USE);
        file_use_end(&again);
        file_use_end(&again);
        CHECK_OK(try_use("v", FILE_USE_WRITE));
        CHECK_OK(close(fd));
}

/* With a description that writes itself the kernel's count says nothing, but /proc does. */
static void ours_writes(void)
{
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        FileUse u = FILE_USE_NULL;
        Other o;
        int fd;

        fake_ctx_reset(pool);
        CHECK_OK(file_root_open(pool, &r));
        fd = file_open(&r, "v", O_RDWR);
        CHECK(fd >= 0);
        CHECK_OK(file_use_begin(&r, "v", fd, FILE_USE_WRITE, &u));
        file_use_end(&u);
        o = other_begin("pool/v", O_WRONLY, 0, 0);
        CHECK_ERROR(file_use_begin(&r, "v", fd, FILE_USE_WRITE, &u), error(), ERROR_IN_USE);
        other_end(o);
        CHECK_OK(close(fd));
}

/* Somebody who opens it for writing while we look must not end us: the lease is broken with a signal. */
static void is_not_signalled(void)
{
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;) {
                        int fd = open("pool/v", O_WRONLY | O_CLOEXEC);

                        if (fd >= 0)
                                (void)close(fd);
                }
        }
        for (unsigned i = 0; i < 5000; i++)
                (void)try_use("v", FILE_USE_WRITE);
        CHECK_OK(kill(pid, SIGKILL));
        CHECK_EQ(waitpid(pid, &status, 0), pid);
}

static void holder(void)
{
        int fd = open("pool/v", O_RDONLY | O_CLOEXEC);
        Holder h;
        Other o;

        o = other_begin("pool/v", O_WRONLY, 0, 0);
        holder_find(fd, HOLDER_WRITES, &h);
        CHECK_EQ(h.pid, o.pid);
        CHECK_STREQ(h.command, "test-file-use");
        holder_find(fd, HOLDER_LOCKS, &h);
        CHECK_EQ(h.pid, 0);
        other_end(o);
        CHECK_OK(close(fd));
}

static void deleted_or_shrunk(void)
{
        Other o;

        CHECK_OK(create("d", MIB, words(NULL)));
        o = other_begin("pool/d", O_WRONLY, 0, 0);
        fake_ctx_reset(pool);
        CHECK_ERROR(poolkeeper_backend.volume_delete(pool, "d", NULL), error(), ERROR_IN_USE);
        CHECK_ERROR(poolkeeper_backend.volume_resize(pool, "d", 4096, true, false), error(), ERROR_IN_USE);
        CHECK_OK(poolkeeper_backend.volume_resize(pool, "d", 2 * MIB, false, false));
        other_end(o);
        CHECK_OK(poolkeeper_backend.volume_resize(pool, "d", 4096, true, false));
        CHECK_OK(poolkeeper_backend.volume_delete(pool, "d", NULL));
        CHECK(access("pool/d", F_OK) < 0);
}

/* ---- against QEMU itself ---- */

typedef struct Guest {
        pid_t pid;
        int in, out;
} Guest;

static Guest guest_begin(const char *path, bool read_only)
{
        int in[2], out[2];
        char c = 0;
        Guest g;

        CHECK_OK(pipe2(in, O_CLOEXEC));
        CHECK_OK(pipe2(out, O_CLOEXEC));
        g.pid = fork();
        if (g.pid == 0) {
                (void)dup2(in[0], STDIN_FILENO);
                (void)dup2(out[1], STDOUT_FILENO);
                (void)execlp("qemu-io", "qemu-io", "-f", "qcow2", read_only ? "-r" : path,
                             read_only ? path : NULL, NULL);
                _exit(127);
        }
        CHECK_OK(close(in[0]));
        CHECK_OK(close(out[1]));
        g = (Guest){ .pid = g.pid, .in = in[1], .out = out[0] };
        CHECK_EQ(write(g.in, "length\n", 7), 7);
        while (c != 'M') /* "1 MiB", behind the prompt: it has the image */
                CHECK_EQ(read(g.out, &c, 1), 1);
        return g;
}

static void guest_end(Guest g)
{
        int status;

        CHECK_OK(close(g.in));
        CHECK_EQ(waitpid(g.pid, &status, 0), g.pid);
        CHECK_OK(close(g.out));
}

static void qemu_writes(void)
{
        Guest g;

        if (!command_exists("qemu-io"))
                SKIP("qemu-io is not installed");
        CHECK_OK(create("guest", MIB, words("format", "qcow2", NULL)));
        g = guest_begin("pool/guest", false);
        CHECK_ERROR(try_use("guest", FILE_USE_WRITE), error(), ERROR_IN_USE);
        CHECK_ERROR(try_use("guest", FILE_USE_READ), error(), ERROR_IN_USE);
        CHECK_OK(try_use("guest", FILE_USE_SHARE));
        fake_ctx_reset(pool);
        CHECK_ERROR(poolkeeper_backend.volume_delete(pool, "guest", NULL), error(), ERROR_IN_USE);
        CHECK_ERROR(poolkeeper_backend.volume_resize(pool, "guest", 2 * MIB, false, false), error(),
                    ERROR_IN_USE);
        guest_end(g);
        CHECK_OK(poolkeeper_backend.volume_resize(pool, "guest", 2 * MIB, false, false));
        CHECK_OK(poolkeeper_backend.volume_resize(pool, "guest", MIB, true, false));
        g = guest_begin("pool/guest", true);
        CHECK_ERROR(try_use("guest", FILE_USE_WRITE), error(), ERROR_IN_USE);
        CHECK_OK(try_use("guest", FILE_USE_READ));
        guest_end(g);
        CHECK_OK(try_use("guest", FILE_USE_WRITE));
}

static int qemu_opens(const char *switches)
{
        char command[256];

        (void)snprintf(command, sizeof(command), "qemu-io -f qcow2 %s -c quit pool/guest >log 2>&1",
                       switches);
        return system(command);
}

static void qemu_is_kept_out(void)
{
        FileUse u = FILE_USE_NULL;
        int fd;

        if (!command_exists("qemu-io"))
                SKIP("qemu-io is not installed");
        fd = use("guest", FILE_USE_READ, &u);
        CHECK(fd >= 0);
        CHECK_EQ(qemu_opens("-r"), 0);
        CHECK(qemu_opens("") != 0);
        file_use_end(&u);
        CHECK_EQ(qemu_opens(""), 0);
        CHECK_OK(close(fd));
        fd = use("guest", FILE_USE_WRITE, &u);
        CHECK(fd >= 0);
        CHECK(qemu_opens("-r") != 0);
        CHECK(qemu_opens("-r -U") != 0);
        CHECK_OK(close(fd));
        CHECK_EQ(qemu_opens(""), 0);
}

int main(void)
{
        test_directory();
        pool_start();
        CHECK_OK(create("v", MIB, words(NULL)));
        RUN(a_writer);
        RUN(a_mapping);
        RUN(a_reader);
        RUN(locks);
        RUN(says_force_share);
        RUN(ours);
        RUN(ours_writes);
        RUN(is_not_signalled);
        RUN(holder);
        RUN(deleted_or_shrunk);
        RUN(qemu_writes);
        RUN(qemu_is_kept_out);
        pool_end();
        return 0;
}
