/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes served by qemu-nbd, from a worker's context to an NBD client. The program is its own worker. */
#include "data/endpoint.h"
#include "file/volume.h"
#include "util/fileio.h"
#include "worker/ctx-internal.h"
#include "worker/endpoint.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "directory.h"
#include "nbd.h"

#define MIB (1024u * 1024u)

static Ctx ctx = { .volume = "v",
                   .lock_fd = -EBADF,
                   .intent_fd = -EBADF,
                   .kept_fd = -EBADF,
                   .job = true,
                   .sync = true,
                   .ready = true };

static void start_pool(void)
{
        char path[128];
        int pair[2];

        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
        CHECK_OK(sd_bus_new(&ctx.bus));
        CHECK_OK(sd_bus_set_fd(ctx.bus, pair[0], pair[0]));
        CHECK_OK(sd_bus_start(ctx.bus)); /* nobody listens: volumes are told of into the void */
        ctx.user_mode = geteuid() != 0;
        ctx.pool = strdup("test");
        ctx.uuid = strdup("00112233-4455-6677-8899-aabbccddeeff");
        ctx.job_id = strdup("7");
        CHECK(asprintf(&ctx.runtime_directory, "%s/run", test_directory_path) > 0);
        CHECK(asprintf(&ctx.state_directory, "%s/state", test_directory_path) > 0);
        CHECK_OK(mkdir("run", 0755));
        CHECK_OK(mkdir("state", 0755));
        (void)snprintf(path, sizeof(path), "%s/pool", test_directory_path);
        ctx.options = bag_new();
        CHECK_OK(bag_set_string(ctx.options, "target.path", path));
        CHECK_OK(poolkeeper_backend.build(&ctx, false));
        CHECK_OK(poolkeeper_backend.start(&ctx));
        ctx_end(&ctx);
}

static void end_pool(void)
{
        bag_free(ctx.options);
        ctx.options = NULL;
        sd_bus_close(ctx.bus);
        ctx_done(&ctx);
}

static void make(const char *name, const char *format, const char *backing)
{
        _cleanup_bag_ Bag *options = bag_new();

        CHECK_OK(bag_set_string(options, "format", format));
        if (backing)
                CHECK_OK(bag_set_string(options, "backing.path", backing));
        if (poolkeeper_backend.volume_create(&ctx, name, 4 * MIB, options, 0) < 0)
                TEST_FAIL("%s: %s", name, ctx.error.message);
        sync_round_run(&ctx.syncs);
        sync_round_done(&ctx.syncs);
        ctx_end(&ctx);
}

static int open_endpoint(const char *name, bool read_only, int *ret)
{
        _cleanup_bag_ Bag *result = bag_new();
        int r = poolkeeper_backend.volume_endpoint(&ctx, name, read_only, result);

        if (r < 0)
                return r;
        CHECK_STREQ(bag_get_string(result, "export"), "export");
        *ret = fcntl(bag_get_fd(result, "fd"), F_DUPFD_CLOEXEC, 3);
        return 0;
}

static int serve(const char *name, bool read_only, NbdExport *export)
{
        int fd = -EBADF;

        if (open_endpoint(name, read_only, &fd) < 0)
                TEST_FAIL("%s: %s", name, ctx.error.message);
        nbd_greet(fd);
        CHECK_EQ(nbd_go(fd, "export", export), 0);
        CHECK_EQ(export->size, 4 * MIB);
        CHECK_EQ(!!(export->flags & NBD_FLAG_READ_ONLY), read_only);
        return fd;
}

/* The processes of an endpoint come to us, their subreaper: they end well, all of them, and leave nothing. */
static void all_ended(void)
{
        struct dirent *entry;
        DIR *d = opendir("run/endpoint");
        int status;

        (void)alarm(30);
        while (waitpid(-1, &status, 0) > 0)
                CHECK_EQ(status, 0);
        (void)alarm(0);
        CHECK(d);
        while ((entry = readdir(d)))
                CHECK(*entry->d_name == '.');
        (void)closedir(d);
}

static void hang_up(int fd)
{
        nbd_request(fd, NBD_DISCONNECT, 0, 0);
        CHECK_OK(close(fd));
        all_ended();
}

static void raw_and_qcow2(void)
{
        static const char *const formats[] = { "raw", "qcow2" };

        FOREACH_ELEMENT (format, formats) {
                char text[] = "written by a guest", back[sizeof(text)];
                NbdExport export = {};
                int fd;

                make(*format, *format, NULL);
                fd = serve(*format, false, &export);
                CHECK_EQ(nbd_do(fd, NBD_WRITE, 3 * MIB, text, sizeof(text)), 0);
                CHECK_EQ(nbd_do(fd, NBD_FLUSH, 0, NULL, 0), 0);
                hang_up(fd);
                fd = serve(*format, true, &export);
                CHECK_EQ(nbd_do(fd, NBD_READ, 3 * MIB, back, sizeof(back)), 0);
                CHECK_STREQ(back, text);
                hang_up(fd);
        }
}

static void read_only_refuses_writes(void)
{
        char text[512] = "x";
        NbdExport export = {};
        int fd = serve("raw", true, &export);

        CHECK(nbd_do(fd, NBD_WRITE, 0, text, sizeof(text)) != 0);
        hang_up(fd);
}

static void backing_chain(void)
{
        char text[] = "in the overlay", back[32];
        NbdExport export = {};
        int fd;

        make("overlay", "qcow2", "raw");
        fd = serve("overlay", false, &export);
        CHECK_EQ(nbd_do(fd, NBD_READ, 3 * MIB, back, sizeof(back)), 0);
        CHECK_STREQ(back, "written by a guest");
        CHECK_EQ(nbd_do(fd, NBD_WRITE, 3 * MIB, text, sizeof(text)), 0);
        CHECK_EQ(nbd_do(fd, NBD_READ, 3 * MIB, back, sizeof(back)), 0);
        CHECK_STREQ(back, text);
        hang_up(fd);
        fd = serve("raw", true, &export);
        CHECK_EQ(nbd_do(fd, NBD_READ, 3 * MIB, back, sizeof(back)), 0);
        CHECK_STREQ(back, "written by a guest");
        hang_up(fd);
}

static void one_export_only(void)
{
        NbdExport export;
        int fd = -EBADF;

        CHECK_OK(open_endpoint("raw", true, &fd));
        nbd_greet(fd);
        CHECK(nbd_go(fd, "other", &export) != 0);
        CHECK_EQ(nbd_go(fd, "export", &export), 0);
        hang_up(fd);
}

/* qemu-nbd by itself would wait for the next one. */
static void client_leaves_early(void)
{
        int fd = -EBADF;

        CHECK_OK(open_endpoint("raw", false, &fd));
        CHECK_OK(close(fd));
        all_ended();
        CHECK_OK(open_endpoint("raw", false, &fd));
        nbd_greet(fd);
        nbd_option(fd, NBD_OPTION_ABORT, NULL, 0);
        CHECK_OK(close(fd));
        all_ended();
}

static void client_just_closes(void)
{
        NbdExport export;

        CHECK_OK(close(serve("qcow2", false, &export)));
        all_ended();
}

static void run_tool(const char *const *argv)
{
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                int null = open("/dev/null", O_WRONLY);

                (void)dup2(null, STDOUT_FILENO);
                (void)execvp(argv[0], (char **)argv);
                _exit(127);
        }
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(status, 0);
}

static void in_use_meanwhile(void)
{
        NbdExport export;
        int writer = serve("raw", false, &export), reader = -EBADF, second;

        CHECK_ERROR(open_endpoint("raw", true, &reader), &ctx.error, ERROR_IN_USE);
        CHECK_ERROR(open_endpoint("raw", false, &reader), &ctx.error, ERROR_IN_USE);
        CHECK_ERROR(open_endpoint("overlay", true, &reader), &ctx.error, ERROR_IN_USE);
        run_tool((const char *const[]){ "qemu-io", "-r", "-U", "-f", "raw", "-c", "read 0 512", "pool/raw",
                                        NULL });
        hang_up(writer);
        reader = serve("raw", true, &export);
        second = serve("overlay", false, &export);
        CHECK_ERROR(open_endpoint("raw", false, &writer), &ctx.error, ERROR_IN_USE);
        CHECK_OK(close(second));
        hang_up(reader);
}

static void send_fd(int socket, int fd)
{
        union {
                struct cmsghdr header;
                uint8_t bytes[CMSG_SPACE(sizeof(int))];
        } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
        struct iovec data = { .iov_base = (char[]){ 'x' }, .iov_len = 1 };
        struct msghdr message = {
                .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };

        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        CHECK_OK(sendmsg(socket, &message, 0));
}

static int receive_fd(int socket)
{
        union {
                struct cmsghdr header;
                uint8_t bytes[CMSG_SPACE(sizeof(int))];
        } control;
        char c;
        struct iovec data = { .iov_base = &c, .iov_len = 1 };
        struct msghdr message = {
                .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        int fd;

        CHECK_EQ(recvmsg(socket, &message, MSG_CMSG_CLOEXEC), 1);
        memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
        return fd;
}

static void so_many_at_once(void)
{
        int others[ENDPOINTS_PER_UID_MAX - 1], fd = -EBADF, first;
        NbdExport export;

        ctx.caller = 64001;
        FOREACH_ELEMENT (other, others)
                CHECK_OK(endpoint_take_slot(&ctx, other));
        first = serve("raw", true, &export);
        CHECK_ERROR(open_endpoint("raw", true, &fd), &ctx.error, ERROR_LIMITS_EXCEEDED);
        hang_up(first);
        hang_up(serve("raw", true, &export));
        FOREACH_ELEMENT (other, others)
                CHECK_OK(close(*other));
        ctx.caller = 0;
}

/* As the daemon ends a worker: the process group. */
static void outlives_worker(void)
{
        char back[32];
        NbdExport export;
        int pair[2], fd, status;
        pid_t pid;

        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
        pid = fork();
        if (pid == 0) {
                CHECK_OK(setpgid(0, 0));
                CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
                CHECK_OK(open_endpoint("raw", true, &fd));
                send_fd(pair[1], fd);
                (void)kill(0, SIGKILL);
        }
        fd = receive_fd(pair[0]);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK(WIFSIGNALED(status));
        CHECK_OK(close(pair[0]));
        CHECK_OK(close(pair[1]));
        nbd_greet(fd);
        CHECK_EQ(nbd_go(fd, "export", &export), 0);
        CHECK_EQ(nbd_do(fd, NBD_READ, 3 * MIB, back, sizeof(back)), 0);
        CHECK_STREQ(back, "written by a guest");
        hang_up(fd);
}

/* A guest cannot write this, but who uploads an image can. */
static void hostile_backing(void)
{
        static const char *const backings[] = { "json:{\"driver\":\"file\",\"filename\":\"/etc/passwd\"}",
                                                "/etc/passwd", "nbd:unix:/run/x" };
        int fd;

        make("hostile", "qcow2", NULL);
        FOREACH_ELEMENT (backing, backings) {
                run_tool((const char *const[]){ "qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "raw",
                                                "-b", *backing, "pool/hostile", "4M", NULL });
                CHECK_ERROR(open_endpoint("hostile", true, &fd), &ctx.error, ERROR_NOT_SUPPORTED);
        }
        CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
}

static void not_to_be_served(void)
{
        int fd;

        CHECK_OK(mkdir("pool/folder", 0755));
        CHECK_ERROR(open_endpoint("folder", true, &fd), &ctx.error, ERROR_NOT_SUPPORTED);
        CHECK_ERROR(open_endpoint("nothing", true, &fd), &ctx.error, ERROR_NO_SUCH_VOLUME);
        CHECK_OK(link("pool/raw", "pool/other-name"));
        CHECK_ERROR(open_endpoint("raw", false, &fd), &ctx.error, ERROR_NOT_SUPPORTED);
        CHECK_OK(unlink("pool/other-name"));
        run_tool((const char *const[]){ "qemu-img", "create", "-q", "-f", "qcow2", "pool/undeclared", "4M",
                                        NULL });
        CHECK_ERROR(open_endpoint("undeclared", true, &fd), &ctx.error, ERROR_INVALID_ARGS);
        ctx.job = false;
        CHECK_EQ(open_endpoint("raw", true, &fd), -EREMOTE);
        ctx.job = true;
        CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
}

static void declare(const char *name, ImageFormat format)
{
        if (poolkeeper_backend.volume_declare(&ctx, name, format) < 0)
                TEST_FAIL("%s: %s", name, ctx.error.message);
        ctx_end(&ctx);
}

/* Where qemu's driver only reads, or would fail in the middle. */
static void not_to_be_written(void)
{
        uint8_t trailer[512] = { 'k', 'o', 'l', 'y', [10] = 2, [498] = 0x20 };
        int fd = open("pool/dmg", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        NbdExport export;

        CHECK_EQ(pwrite(fd, trailer, sizeof(trailer), 4096), sizeof(trailer));
        CHECK_OK(close(fd));
        declare("dmg", FORMAT_DMG);
        CHECK_ERROR(open_endpoint("dmg", false, &fd), &ctx.error, ERROR_NOT_SUPPORTED);
        run_tool((const char *const[]){ "qemu-img", "convert", "-O", "vmdk", "-o",
                                        "subformat=streamOptimized", "pool/raw", "pool/stream", NULL });
        declare("stream", FORMAT_VMDK);
        CHECK_ERROR(open_endpoint("stream", false, &fd), &ctx.error, ERROR_NOT_SUPPORTED);
        CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
        hang_up(serve("stream", true, &export));
}

/* What the server itself finds wrong comes back. */
static void failure_is_told(void)
{
        const Endpoint e = { .node = "json:{\"driver\":\"nonsense\"}", .read_only = true };
        int fd;
        int r = endpoint_open(&ctx, &e, &fd), status;

        CHECK_EQ(r, error_errno(&(Error){ .kind = ERROR_FAILED }));
        if (!strstr(ctx.error.message, "nonsense"))
                TEST_FAIL("%s", ctx.error.message);
        ctx_end(&ctx);
        CHECK(waitpid(-1, &status, 0) > 0);
        CHECK_EQ(WEXITSTATUS(status), EXIT_FAILURE);
}

/* The way for pools whose images need a secret: it comes in a descriptor. */
static void secret(void)
{
        _cleanup_close_ int image = -EBADF, key = memfd_sealed("key", "open sesame", 11);
        char text[] = "clear", back[sizeof(text)];
        NbdExport export = {};
        int fd = -EBADF;

        /* More than one try: qemu_img_create() says why. */
        CHECK_EQ(system("for i in 1 2 3 4 5 6 7 8; do qemu-img create -q -f luks --object "
                        "secret,id=key,data='open sesame' -o key-secret=key,iter-time=10 pool/luks 4M "
                        ">log 2>&1 && exit; done; exit 1"),
                 0);
        image = open("pool/luks", O_RDWR | O_CLOEXEC);
        const CommandFd fds[] = { { image, 10 }, { key, 11 } };
        const Endpoint e = {
                .node = "json:{\"driver\":\"luks\",\"key-secret\":\"key\",\"file\":{\"driver\":\"file\","
                        "\"filename\":\"/proc/self/fd/10\"}}",
                .object = "secret,id=key,file=/proc/self/fd/11",
                .fds = fds,
                .n_fds = ELEMENTSOF(fds)
        };
        if (endpoint_open(&ctx, &e, &fd) < 0)
                TEST_FAIL("%s", ctx.error.message);
        nbd_greet(fd);
        CHECK_EQ(nbd_go(fd, "export", &export), 0);
        CHECK_EQ(export.size, 4 * MIB);
        CHECK_EQ(nbd_do(fd, NBD_WRITE, 512, text, sizeof(text)), 0);
        CHECK_EQ(nbd_do(fd, NBD_READ, 512, back, sizeof(back)), 0);
        CHECK_STREQ(back, text);
        hang_up(fd);
}

int main(int argc, char **argv)
{
        if (argc > 1 && streq(argv[1], ENDPOINT_OPTION))
                return endpoint_main();
        if (!command_exists("qemu-nbd")) {
                printf("skip: qemu-nbd is not installed\n");
                return 77;
        }
        CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
        test_directory();
        start_pool();
        RUN(raw_and_qcow2);
        RUN(read_only_refuses_writes);
        RUN(backing_chain);
        RUN(one_export_only);
        RUN(client_leaves_early);
        RUN(client_just_closes);
        RUN(in_use_meanwhile);
        RUN(so_many_at_once);
        RUN(outlives_worker);
        RUN(hostile_backing);
        RUN(not_to_be_served);
        RUN(not_to_be_written);
        RUN(failure_is_told);
        RUN(secret);
        end_pool();
        return 0;
}
