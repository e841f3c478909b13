/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings.h"

#include <getopt.h>

#include "config.h"

#define SECOND 1000000ULL
#define IDLE_DEFAULT_USEC (60 * SECOND)
#define DEADLINE_DEFAULT_USEC (30 * SECOND)

static void print_help(void)
{
        puts("poolkeeperd [OPTIONS...]\n\n"
             "Keeps the storage pools and volumes of virtual machines, as org.example.Storage on D-Bus.\n\n"
             "  -h --help                Show this help\n"
             "     --version             Show the version\n"
             "     --user                Serve the calling user on the session bus, without polkit\n"
             "     --address=ADDRESS     Serve this bus instead\n"
             "     --config=DIRECTORY    Keep pool definitions here\n"
             "     --state=DIRECTORY     Keep what must survive a boot here\n"
             "     --runtime=DIRECTORY   Keep what ends with a boot here\n"
             "     --worker=PATH         Use this poolkeeper-worker\n"
             "     --backends=DIRECTORY  Find backend modules here\n"
             "     --idle-timeout=SEC    Leave after so long without work (default 60, 0: never)\n"
             "     --deadline=SEC        A pool that does not answer for so long is unresponsive (default "
             "30)\n"
             "     --log-level=LEVEL     emerg, alert, crit, err, warning, notice, info or debug (default "
             "info)\n"
             "     --log-target=TARGET   journal, console, null or auto (default)\n\n"
             "See poolkeeperd(8).");
}

static int parse_seconds(const char *option, const char *text, bool zero_allowed, uint64_t *ret)
{
        char *end;
        double seconds = strtod(text, &end);

        if (end == text || *end || !(seconds >= 0 && seconds <= 86400) ||
            (seconds * SECOND < 1 && !(seconds == 0 && zero_allowed))) {
                fprintf(stderr, "poolkeeperd: --%s takes seconds, up to a day, not \"%s\"\n", option, text);
                return -EINVAL;
        }
        *ret = (uint64_t)(seconds * SECOND);
        return 0;
}

/* $VARIABLE/poolkeeper, or $HOME/fallback/poolkeeper as the XDG base directory specification says. */
static char *xdg_directory(const char *variable, const char *fallback)
{
        const char *base = getenv(variable), *home = getenv("HOME");
        char *path;
        int n;

        if (base && *base == '/')
                n = asprintf(&path, "%s/poolkeeper", base);
        else
                n = asprintf(&path, "%s/%s/poolkeeper", home && *home == '/' ? home : "/", fallback);
        return n < 0 ? NULL : path;
}

static char *user_runtime_directory(void)
{
        char *path;

        if (getenv("XDG_RUNTIME_DIR"))
                return xdg_directory("XDG_RUNTIME_DIR", "");
        return asprintf(&path, "/run/user/%u/poolkeeper", geteuid()) < 0 ? NULL : path;
}

static int default_directories(Settings *s)
{
        ManagerConfig *c = &s->manager;
        char **d = s->directories;

        if (!d[0])
                d[0] = c->user_mode ? xdg_directory("XDG_CONFIG_HOME", ".config") : strdup(CONFIG_DIR);
        if (!d[1])
                d[1] = c->user_mode ? xdg_directory("XDG_STATE_HOME", ".local/state") : strdup(STATE_DIR);
        if (!d[2])
                d[2] = c->user_mode ? user_runtime_directory() : strdup(RUNTIME_DIR);
        if (!d[0] || !d[1] || !d[2])
                return -ENOMEM;
        c->state_directory = d[1];
        c->runtime_directory = d[2];
        return 0;
}

/* Definitions live in the folder "pools" of the configuration directory. */
static int finish(Settings *s)
{
        char *pools;

        if (default_directories(s) < 0 || asprintf(&pools, "%s/pools", s->directories[0]) < 0)
                return -ENOMEM;
        free(s->directories[0]);
        s->directories[0] = pools;
        s->manager.pool_directory = pools;
        return 1;
}

int settings_parse(int argc, char **argv, Settings *ret)
{
        enum {
                VERSION = 256,
                USER,
                ADDRESS,
                CONFIG,
                STATE,
                RUNTIME,
                WORKER,
                BACKENDS,
                IDLE,
                DEADLINE,
                LEVEL,
                TARGET
        };
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, VERSION },
                { "user", no_argument, NULL, USER },
                { "address", required_argument, NULL, ADDRESS },
                { "config", required_argument, NULL, CONFIG },
                { "state", required_argument, NULL, STATE },
                { "runtime", required_argument, NULL, RUNTIME },
                { "worker", required_argument, NULL, WORKER },
                { "backends", required_argument, NULL, BACKENDS },
                { "idle-timeout", required_argument, NULL, IDLE },
                { "deadline", required_argument, NULL, DEADLINE },
                { "log-level", required_argument, NULL, LEVEL },
                { "log-target", required_argument, NULL, TARGET },
                { 0 },
        };
        Settings s = { .manager = { .worker = WORKER_PATH,
                                    .idle_usec = IDLE_DEFAULT_USEC,
                                    .deadline_usec = DEADLINE_DEFAULT_USEC } };
        int c, r = 0;

        while (r >= 0 && (c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        print_help();
                        settings_done(&s);
                        return 0;
                case VERSION:
                        puts("poolkeeperd " PROJECT_VERSION);
                        settings_done(&s);
                        return 0;
                case USER:
                        s.manager.user_mode = true;
                        break;
                case ADDRESS:
                        s.address = optarg;
                        break;
                case CONFIG:
                        r = free_and_strdup(&s.directories[0], optarg);
                        break;
                case STATE:
                        r = free_and_strdup(&s.directories[1], optarg);
                        break;
                case RUNTIME:
                        r = free_and_strdup(&s.directories[2], optarg);
                        break;
                case WORKER:
                        s.manager.worker = optarg;
                        break;
                case BACKENDS:
                        s.manager.backend_directory = optarg;
                        break;
                case IDLE:
                        r = parse_seconds("idle-timeout", optarg, true, &s.manager.idle_usec);
                        break;
                case DEADLINE:
                        r = parse_seconds("deadline", optarg, false, &s.manager.deadline_usec);
                        break;
                case LEVEL:
                        s.log_level = optarg;
                        break;
                case TARGET:
                        s.log_target = optarg;
                        break;
                default:
                        r = -EINVAL;
                }
        if (r >= 0 && optind < argc) {
                fprintf(stderr, "poolkeeperd: unexpected argument \"%s\"; see --help\n", argv[optind]);
                r = -EINVAL;
        }
        if (r >= 0)
                r = finish(&s);
        if (r < 0) {
                settings_done(&s);
                return r;
        }
        *ret = s;
        return 1;
}

void settings_done(Settings *s)
{
        for (size_t i = 0; i < ELEMENTSOF(s->directories); i++)
                free(s->directories[i]);
        *s = (Settings){ 0 };
}
