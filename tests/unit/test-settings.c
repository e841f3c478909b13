/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of poolkeeperd. */
#include "settings.h"

#include <getopt.h>

#include "test.h"

static int parse(Settings *ret, const char *const *words)
{
        char *argv[8] = { (char *)"poolkeeperd" };
        int argc = 1;

        for (; *words; words++)
                argv[argc++] = (char *)*words;
        optind = 0; /* from the front again */
        opterr = 0;
        return settings_parse(argc, argv, ret);
}

#define PARSE(ret, ...) parse(ret, (const char *const[]){ __VA_ARGS__, NULL })

static void defaults(void)
{
        Settings s;

        CHECK_EQ(parse(&s, (const char *const[]){ NULL }), 1);
        CHECK(!s.manager.user_mode && !s.address && !s.log_level && !s.log_target);
        CHECK_EQ(s.manager.idle_usec, 60000000);
        CHECK_EQ(s.manager.deadline_usec, 30000000);
        CHECK(strstr(s.manager.pool_directory, "poolkeeper/pools"));
        CHECK_STREQ(s.manager.runtime_directory, "/run/poolkeeper");
        CHECK(strstr(s.manager.worker, "poolkeeper-worker"));
        settings_done(&s);
}

static void user_directories(void)
{
        Settings s;

        CHECK_OK(setenv("HOME", "/home/somebody", 1));
        CHECK_OK(unsetenv("XDG_CONFIG_HOME"));
        CHECK_OK(setenv("XDG_STATE_HOME", "relative, so ignored", 1));
        CHECK_OK(setenv("XDG_RUNTIME_DIR", "/run/user/7", 1));
        CHECK_EQ(PARSE(&s, "--user"), 1);
        CHECK(s.manager.user_mode);
        CHECK_STREQ(s.manager.pool_directory, "/home/somebody/.config/poolkeeper/pools");
        CHECK_STREQ(s.manager.state_directory, "/home/somebody/.local/state/poolkeeper");
        CHECK_STREQ(s.manager.runtime_directory, "/run/user/7/poolkeeper");
        settings_done(&s);
        CHECK_OK(setenv("XDG_CONFIG_HOME", "/cfg", 1));
        CHECK_OK(unsetenv("XDG_RUNTIME_DIR"));
        CHECK_EQ(PARSE(&s, "--user"), 1);
        CHECK_STREQ(s.manager.pool_directory, "/cfg/poolkeeper/pools");
        CHECK(startswith(s.manager.runtime_directory, "/run/user/"));
        settings_done(&s);
}

static void given(void)
{
        Settings s;

        CHECK_EQ(PARSE(&s, "--config=/c", "--state=/s", "--runtime=/r", "--worker=/w", "--backends=/b",
                       "--address=unix:path=/x"),
                 1);
        CHECK_STREQ(s.manager.pool_directory, "/c/pools");
        CHECK_STREQ(s.manager.state_directory, "/s");
        CHECK_STREQ(s.manager.runtime_directory, "/r");
        CHECK_STREQ(s.manager.worker, "/w");
        CHECK_STREQ(s.manager.backend_directory, "/b");
        CHECK_STREQ(s.address, "unix:path=/x");
        settings_done(&s);
        CHECK_EQ(
                PARSE(&s, "--idle-timeout=0", "--deadline=0.5", "--log-level=debug", "--log-target=console"),
                1);
        CHECK_EQ(s.manager.idle_usec, 0);
        CHECK_EQ(s.manager.deadline_usec, 500000);
        CHECK_STREQ(s.log_level, "debug");
        CHECK_STREQ(s.log_target, "console");
        settings_done(&s);
}

static void refused(void)
{
        static const char *const words[] = { "--deadline=0",      "--deadline=-1",    "--deadline=nan",
                                             "--deadline=1e-9",   "--deadline=86401", "--deadline=5s",
                                             "--deadline=",       "--deadline=inf",   "--idle-timeout=nan",
                                             "--idle-timeout=-1", "--idle-timeout=x", "--no-such-option",
                                             "a stray word",      "--config" };
        Settings s = { .address = "untouched" };

        FOREACH_ELEMENT (word, words) {
                CHECK_EQ(PARSE(&s, *word), -EINVAL);
                CHECK_STREQ(s.address, "untouched");
        }
}

int main(void)
{
        RUN(defaults);
        RUN(user_directories);
        RUN(given);
        RUN(refused);
        return 0;
}
