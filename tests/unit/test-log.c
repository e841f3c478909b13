/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/log.h"

#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>

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

int main(void)
{
        unsetenv("JOURNAL_STREAM");
        log_open("tester");
        RUN(console_lines);
        RUN(levels);
        RUN(targets);
        return 0;
}
