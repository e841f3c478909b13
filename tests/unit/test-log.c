/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/log.h"

#include "test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int capture, real_stderr;

/* Standard error goes to memory until captured() gives it back. */
static void begin_capture(void)
{
        capture = memfd_create("stderr", MFD_CLOEXEC);
        real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        CHECK_OK(dup2(capture, STDERR_FILENO));
}

static const char *captured(void)
{
        static char text[1000];
        ssize_t n = pread(capture, text, sizeof(text) - 1, 0);

        CHECK_OK(dup2(real_stderr, STDERR_FILENO));
        close(real_stderr);
        close(capture);
        CHECK(n >= 0);
        text[n] = '\0';
        return text;
}

static void console_lines(void)
{
        CHECK_OK(log_set_target("console"));
        begin_capture();
        errno = EXDEV;
        log_info("pool %s", "a");
        log_debug("unseen");
        log_line(LOG_ERR, (LogFields){ .pool = "a", .caller = 5 }, "100%%");
        CHECK_EQ(errno, EXDEV);
        CHECK_STREQ(captured(), "tester: pool a\ntester: 100%\n");
}

static void levels(void)
{
        CHECK_STREQ(log_level(), "info");
        CHECK_EQ(log_set_level("loud"), -EINVAL);
        CHECK_STREQ(log_level(), "info");
        CHECK_OK(log_set_level("err"));
        CHECK_STREQ(log_level(), "err");
        begin_capture();
        log_warning("unseen");
        log_error("seen");
        CHECK_STREQ(captured(), "tester: seen\n");
        CHECK_OK(log_set_level("debug"));
        begin_capture();
        log_debug("seen");
        CHECK_STREQ(captured(), "tester: seen\n");
}

static void targets(void)
{
        CHECK_EQ(log_set_target("syslog"), -EINVAL);
        CHECK_OK(log_set_target("null"));
        CHECK_STREQ(log_target(), "null");
        begin_capture();
        log_error("unseen");
        CHECK_STREQ(captured(), "");
        CHECK_OK(log_set_target("auto")); /* standard error is no journal stream here */
        begin_capture();
        log_error("seen");
        CHECK_STREQ(captured(), "tester: seen\n");
        CHECK_STREQ(log_identifier(), "tester");
}

/* A journal's socket in a /run of our own, or negative errno where no mount namespace can be made (needs
 * root). */
static int fake_journal(void)
{
        const struct sockaddr_un address = { AF_UNIX, "/run/systemd/journal/socket" };
        int fd;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0)
                return -errno;
        CHECK_OK(mkdir("/run/systemd", 0755));
        CHECK_OK(mkdir("/run/systemd/journal", 0755));
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        CHECK_OK(fd);
        CHECK_OK(bind(fd, (const struct sockaddr *)&address, sizeof(address)));
        return fd;
}

/* The next entry, as the journal's native protocol has it: FIELD=value lines. */
static const char *journal_entry(int fd)
{
        static char entry[2000];
        ssize_t n = recv(fd, entry, sizeof(entry) - 1, 0);

        CHECK(n > 0);
        entry[n] = '\0';
        return entry;
}

static void journal_fields(void)
{
        int fd = fake_journal();

        if (fd < 0)
                SKIP("a mount namespace needs root");
        CHECK_OK(log_set_target("journal"));
        begin_capture();
        log_line(LOG_WARNING,
                 (LogFields){ .message_id = MESSAGE_POOL_STARTED,
                              .pool = "p",
                              .volume = "v",
                              .job = "7",
                              .error = "e",
                              .caller = 5 },
                 "pool %s started", "p");
        CHECK_STREQ(journal_entry(fd),
                    "MESSAGE=pool p started\nPRIORITY=4\nSYSLOG_IDENTIFIER=tester\n"
                    "MESSAGE_ID=" MESSAGE_POOL_STARTED "\nSTORAGE_POOL=p\nSTORAGE_VOLUME=v\n"
                    "STORAGE_JOB=7\nSTORAGE_ERROR=e\nCALLER_UID=5\n");
        log_info("plain");
        CHECK_STREQ(journal_entry(fd), "MESSAGE=plain\nPRIORITY=6\nSYSLOG_IDENTIFIER=tester\n");
        CHECK_STREQ(captured(), "");
        close(fd);
}

int main(void)
{
        unsetenv("JOURNAL_STREAM");
        log_open("tester");
        RUN(console_lines);
        RUN(levels);
        RUN(targets);
        RUN(journal_fields);
        return 0;
}
