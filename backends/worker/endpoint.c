/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worker's side of command_serve(). A connection is made before the tool is there, so nobody else can make one: the
 * socket's path is gone again, and its directory is ours. A second one waits behind it in the queue. The tool takes one
 * client at a time, and so turns to the second only when the first has gone without having become a client: qemu-nbd ends
 * with its last client, but one that left before the end of the handshake is none to it. */
#include "worker/endpoint.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "util/fileio.h"
#include "worker/ctx-internal.h"

#define GREETING_USEC (30ULL * 1000 * 1000)
#define DIRECTORY "endpoint"
#define SOCKET "socket"

typedef struct Sockets {
        int listener, client, reserve;
        int slot;
        int control[2]; /* ours, and the standard input of the process */
} Sockets;

static void sockets_done(Sockets *s)
{
        safe_close(s->listener);
        safe_close(s->client);
        safe_close(s->reserve);
        safe_close(s->slot);
        safe_close(s->control[0]);
        safe_close(s->control[1]);
}

/* Held while the path exists, by one worker at a time; what one left that was killed meanwhile is removed here. */
static int open_directory(const Ctx *c, int *ret)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;

        if (asprintf(&path, "%s/" DIRECTORY, c->runtime_directory) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return -errno;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || flock(fd, LOCK_EX) < 0)
                return -errno;
        if (unlinkat(fd, SOCKET, 0) < 0 && errno != ENOENT)
                return -errno;
        *ret = TAKE_FD(fd);
        return 0;
}

static int open_socket(int *ret)
{
        *ret = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        return *ret < 0 ? -errno : 0;
}

static int connect_sockets(const Ctx *c, Sockets *s)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int directory = -EBADF;
        int r;

        r = open_directory(c, &directory);
        if (r < 0)
                return r;
        /* however long the directory's own path is */
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" SOCKET, directory);
        if ((r = open_socket(&s->listener)) < 0 || (r = open_socket(&s->client)) < 0 ||
            (r = open_socket(&s->reserve)) < 0)
                return r;
        if (bind(s->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(s->listener, 2) < 0 ||
            connect(s->client, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            connect(s->reserve, (struct sockaddr *)&address, sizeof(address)) < 0)
                r = -errno;
        if (unlinkat(directory, SOCKET, 0) < 0 && r >= 0)
                r = -errno;
        if (r >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->control) < 0)
                r = -errno;
        return r;
}

static int pack_words(const char *const *argv, EndpointStart *m)
{
        for (; *argv; argv++) {
                size_t n = strlen(*argv) + 1;

                if (n > sizeof(m->words) - m->words_size)
                        return -E2BIG;
                memcpy(m->words + m->words_size, *argv, n);
                m->words_size += (uint32_t)n;
        }
        return 0;
}

/* The message waits in the socket until the process is there, and holds the descriptors meanwhile. */
static int send_start(const Sockets *s, const Command *command)
{
        _cleanup_free_ EndpointStart *m = calloc(1, sizeof(*m));
        union {
                struct cmsghdr header;
                uint8_t bytes[CMSG_SPACE(sizeof(int) * ENDPOINT_FDS_MAX)];
        } control = {};
        int fds[ENDPOINT_FDS_MAX] = { s->listener, s->reserve, s->slot };
        size_t size = sizeof(int) * (command->n_fds + ENDPOINT_FDS_OWN);
        struct iovec data = { .iov_base = m, .iov_len = sizeof(*m) };
        struct msghdr message = { .msg_iov = &data,
                                  .msg_iovlen = 1,
                                  .msg_control = &control,
                                  .msg_controllen = CMSG_SPACE(size) };
        int r;

        if (!m)
                return -ENOMEM;
        if (command->n_fds > COMMAND_FDS_MAX)
                return -E2BIG;
        m->output_size_max = command->output_size_max;
        m->n_fds = (uint32_t)command->n_fds;
        for (size_t i = 0; i < command->n_fds; i++) {
                fds[i + ENDPOINT_FDS_OWN] = command->fds[i].fd;
                m->numbers[i] = command->fds[i].number;
        }
        r = pack_words(command->argv, m);
        if (r < 0)
                return r;
        control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                                           .cmsg_type = SCM_RIGHTS,
                                           .cmsg_len = CMSG_LEN(size) };
        memcpy(CMSG_DATA(&control.header), fds, size);
        return sendmsg(s->control[0], &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int read_failure(Ctx *c, int control)
{
        EndpointFailure f;
        ssize_t n = recv(control, &f, sizeof(f), MSG_DONTWAIT);

        if (n != sizeof(f) || f.kind <= ERROR_NONE || f.kind >= _ERROR_MAX ||
            !memchr(f.message, '\0', sizeof(f.message)))
                return error_set(&c->error, ERROR_FAILED,
                                 "The endpoint of volume %s ended before it served; the journal may say why",
                                 c->volume);
        return error_set(&c->error, (ErrorKind)f.kind, "%s", f.message);
}

/* Until the tool has said its first word, which stays in the socket. */
static int wait_greeting(Ctx *c, const Sockets *s)
{
        uint64_t now, end = now_usec(CLOCK_MONOTONIC) + GREETING_USEC;
        struct pollfd fds[] = { { .fd = s->client, .events = POLLIN },
                                { .fd = s->control[0], .events = POLLIN } };

        while ((now = now_usec(CLOCK_MONOTONIC)) < end) {
                int r = ctx_check_cancelled(c);
                char byte;

                if (r < 0)
                        return r;
                if (poll(fds, ELEMENTSOF(fds), (int)((end - now) / 1000) + 1) < 0) {
                        if (errno != EINTR)
                                return error_set_errno(&c->error, errno, "Cannot wait for an endpoint");
                        continue;
                }
                if (fds[0].revents && recv(s->client, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
                        return 0;
                if (fds[1].revents)
                        return read_failure(c, s->control[0]);
                if (fds[0].revents)
                        fds[0].fd = -1; /* the process still has to say why */
        }
        return error_set(&c->error, ERROR_TIMED_OUT,
                         "The endpoint of volume %s did not begin to serve in time", c->volume);
}

int command_serve(Ctx *c, const Command *command, int *ret_socket)
{
        _cleanup_(sockets_done) Sockets s = { -EBADF, -EBADF, -EBADF, -EBADF, { -EBADF, -EBADF } };
        int r;

        r = endpoint_take_slot(c, &s.slot);
        if (r < 0)
                return r;
        r = connect_sockets(c, &s);
        if (r < 0)
                return error_set_errno(&c->error, r, "Cannot make a socket in %s/" DIRECTORY,
                                       c->runtime_directory);
        r = send_start(&s, command);
        if (r < 0)
                return error_set_errno(&c->error, r, "Cannot tell an endpoint what to serve");
        r = endpoint_spawn(c, s.control[1]);
        if (r < 0)
                return r;
        /* From now on these are the process's alone, so that its end is seen. */
        s.control[1] = safe_close(s.control[1]);
        s.listener = safe_close(s.listener);
        s.reserve = safe_close(s.reserve);
        s.slot = safe_close(s.slot);
        r = wait_greeting(c, &s);
        if (r >= 0)
                *ret_socket = TAKE_FD(s.client);
        return r;
}
