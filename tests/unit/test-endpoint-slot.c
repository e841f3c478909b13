/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/ctx-internal.h"
#include "worker/endpoint.h"

#include <signal.h>
#include <sys/wait.h>

#include "directory.h"

#define USER 64001u

static Ctx ctx = { .volume = "v", .lock_fd = -EBADF, .intent_fd = -EBADF, .kept_fd = -EBADF };
static int slots[ENDPOINTS_MAX];

static void take(uid_t uid, size_t first, size_t n)
{
        ctx.caller = uid;
        for (size_t i = first; i < first + n; i++)
                if (endpoint_take_slot(&ctx, slots + i) < 0)
                        TEST_FAIL("%zu of uid %u: %s", i, uid, ctx.error.message);
}

static void give_back(size_t first, size_t n)
{
        for (size_t i = first; i < first + n; i++)
                CHECK_OK(close(slots[i]));
}

static void refused(uid_t uid)
{
        int fd = -EBADF;

        ctx.caller = uid;
        CHECK_ERROR(endpoint_take_slot(&ctx, &fd), &ctx.error, ERROR_LIMITS_EXCEEDED);
        CHECK_EQ(fd, -EBADF);
}

static void so_many_for_a_uid(void)
{
        take(USER, 0, ENDPOINTS_PER_UID_MAX);
        refused(USER);
        take(USER + 1, ENDPOINTS_PER_UID_MAX, ENDPOINTS_PER_UID_MAX);
        refused(USER + 1);
        give_back(7, 1);
        take(USER, 7, 1);
        refused(USER);
        give_back(0, 2 * ENDPOINTS_PER_UID_MAX);
        take(USER, 0, ENDPOINTS_PER_UID_MAX);
        give_back(0, ENDPOINTS_PER_UID_MAX);
}

static void so_many_for_all(void)
{
        take(0, 0, ENDPOINTS_MAX - 1);
        take(UINT32_MAX, ENDPOINTS_MAX - 1, 1);
        refused(0);
        refused(USER);
        give_back(0, 1);
        take(USER, 0, 1);
        give_back(0, ENDPOINTS_MAX);
}

/* Whoever took it has gone; who holds it dies as it likes. */
static void ends_with_the_last_holder(void)
{
        int status;
        pid_t pid;

        take(USER, 0, ENDPOINTS_PER_UID_MAX);
        pid = fork();
        if (pid == 0) {
                (void)pause();
                _exit(1);
        }
        give_back(0, ENDPOINTS_PER_UID_MAX);
        refused(USER);
        CHECK_OK(kill(pid, SIGKILL));
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        take(USER, 0, ENDPOINTS_PER_UID_MAX);
        give_back(0, ENDPOINTS_PER_UID_MAX);
}

int main(void)
{
        test_directory();
        ctx.runtime_directory = strdup(test_directory_path);
        RUN(so_many_for_a_uid);
        RUN(so_many_for_all);
        RUN(ends_with_the_last_holder);
        ctx_done(&ctx);
        return 0;
}
