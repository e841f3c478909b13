/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolkeeper-worker --endpoint: runs one tool that serves one client, and ends with it. */
#include <fcntl.h>
#include <sys/socket.h>

#include "worker/ctx-internal.h"
#include "worker/endpoint.h"
#include "worker/privileges.h"
#include "worker/sandbox.h"

#define WORDS_MAX 64u

static void on_terminate(int signal)
{
        ctx_cancelled = true;
}

/* The descriptors are taken before anything is checked; the process ends with whatever is wrong. */
static int receive_start(EndpointStart *m, int fds[static ENDPOINT_FDS_MAX])
{
        union {
                struct cmsghdr header;
                uint8_t bytes[CMSG_SPACE(sizeof(int) * ENDPOINT_FDS_MAX)];
        } control = {};
        struct iovec data = { .iov_base = m, .iov_len = sizeof(*m) };
        struct msghdr message = {
                .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        ssize_t n = recvmsg(STDIN_FILENO, &message, MSG_CMSG_CLOEXEC);
        struct cmsghdr *h = n < 0 ? NULL : CMSG_FIRSTHDR(&message);

        if (n < 0)
                return -errno;
        if (n != sizeof(*m) || m->n_fds > COMMAND_FDS_MAX || m->words_size == 0 ||
            m->words_size > sizeof(m->words) || m->words[m->words_size - 1] != '\0')
                return -EBADMSG;
        if (!h || h->cmsg_type != SCM_RIGHTS ||
            h->cmsg_len != CMSG_LEN(sizeof(int) * (m->n_fds + ENDPOINT_FDS_OWN)))
                return -EBADMSG;
        memcpy(fds, CMSG_DATA(h), sizeof(int) * (m->n_fds + ENDPOINT_FDS_OWN));
        return 0;
}

static int split_words(const EndpointStart *m, const char *argv[static WORDS_MAX + 1])
{
        const char *end = m->words + m->words_size;
        size_t n = 0;

        for (const char *p = m->words; p < end; p += strlen(p) + 1) {
                if (n == WORDS_MAX)
                        return -E2BIG;
                argv[n++] = p;
        }
        argv[n] = NULL;
        return 0;
}

static int serve(Ctx *c)
{
        static EndpointStart start;
        const char *argv[WORDS_MAX + 1];
        CommandFd numbered[COMMAND_FDS_MAX];
        int fds[ENDPOINT_FDS_MAX], r;

        r = receive_start(&start, fds);
        if (r >= 0)
                r = split_words(&start, argv);
        if (r < 0)
                return error_set_errno(&c->error, r, "No worker has said what to serve");
        for (size_t i = 0; i < start.n_fds; i++)
                numbered[i] = (CommandFd){ fds[i + ENDPOINT_FDS_OWN], start.numbers[i] };
        const CommandServer server = { .listener = fds[ENDPOINT_LISTENER],
                                       .reserve = fds[ENDPOINT_RESERVE] };
        const Command command = { .argv = argv,
                                  .fds = numbered,
                                  .n_fds = start.n_fds,
                                  .sandbox = true,
                                  .output_size_max = start.output_size_max,
                                  .server = &server };
        return command_run(c, &command, NULL);
}

/* The worker reads it as long as nobody is served. */
static void tell_failure(const Error *e)
{
        EndpointFailure f = { .kind = (int32_t)e->kind };

        (void)snprintf(f.message, sizeof(f.message), "%s", e->message ?: "");
        (void)send(STDIN_FILENO, &f, sizeof(f), MSG_NOSIGNAL | MSG_DONTWAIT);
        fprintf(stderr, "poolkeeper-worker: %s\n", f.message);
}

int endpoint_main(void)
{
        const struct sigaction terminate = { .sa_handler = on_terminate };
        const int nothing[] = { -1 };
        Ctx c = { .volume = "", .lock_fd = -EBADF, .intent_fd = -EBADF, .kept_fd = -EBADF, .job = true };
        int r;

        (void)sigaction(SIGTERM, &terminate, NULL);
        (void)signal(SIGPIPE, SIG_IGN);
        r = capabilities_narrow(nothing, SANDBOX_CAPABILITIES);
        r = r < 0 ? error_set_errno(&c.error, r, "Cannot give up privileges") : serve(&c);
        if (r < 0 && c.error.kind != ERROR_CANCELLED)
                tell_failure(&c.error);
        else
                r = 0;
        ctx_done(&c);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
