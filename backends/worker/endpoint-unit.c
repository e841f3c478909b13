/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the process of an endpoint is started, so that neither the worker nor the service takes it along. The properties of a
 * transient unit: org.freedesktop.systemd1(5), systemd.exec(5), systemd.kill(5). */
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>

#include "worker/ctx-internal.h"
#include "worker/endpoint.h"
#include "worker/privileges.h"
#include "worker/sandbox.h"

#define MANAGER "org.freedesktop.systemd1"
#define PROGRAM_SELF "/proc/self/exe"

/* ---- as a unit ---- */

/* The program's path; that of its successor where an update has replaced it. */
static int own_path(char *buffer, size_t size)
{
        ssize_t n = readlink(PROGRAM_SELF, buffer, size - 1);
        char *deleted;

        if (n < 0)
                return -errno;
        buffer[n] = '\0';
        deleted = strstr(buffer, " (deleted)");
        if (deleted)
                *deleted = '\0';
        return 0;
}

static int append_service(sd_bus_message *m, const Ctx *c, int input)
{
        _cleanup_free_ char *description = NULL;
        char path[4096];
        int r;

        r = own_path(path, sizeof(path));
        if (r < 0)
                return r;
        if (asprintf(&description, "NBD endpoint of volume %s of pool %s", c->volume, ctx_pool_name(c)) <
            0) {
                description = NULL;
                return -ENOMEM;
        }
        return sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "Description", "s", description,
                                     "Slice", "s", "poolkeeper-nbd.slice", "CollectMode", "s",
                                     "inactive-or-failed", "KillMode", "s", "mixed", "TimeoutStopUSec", "t",
                                     UINT64_C(10000000), "ExecStart", "a(sasb)", 1, path, 2, path,
                                     ENDPOINT_OPTION, false, "StandardInputFileDescriptor", "h", input);
}

/* As poolkeeper.service, and less. A user's manager cannot take capabilities away, as there are none. */
static int append_hardening(sd_bus_message *m, const Ctx *c)
{
        int r;

        r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)(sv)", "NoNewPrivileges", "b", true,
                                  "RestrictRealtime", "b", true, "LockPersonality", "b", true,
                                  "MemoryDenyWriteExecute", "b", true, "SystemCallArchitectures", "as", 1,
                                  "native", "RestrictAddressFamilies", "(bas)", true, 1, "AF_UNIX");
        if (r >= 0 && !c->user_mode)
                r = sd_bus_message_append(m, "(sv)", "CapabilityBoundingSet", "t", SANDBOX_CAPABILITIES);
        return r;
}

static int start_unit(const Ctx *c, sd_bus *bus, int input, sd_bus_error *e)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char name[64];
        uint64_t id;
        sd_id128_t random;
        int r;

        r = sd_id128_randomize(&random);
        if (r < 0)
                return r;
        memcpy(&id, &random, sizeof(id));
        (void)snprintf(name, sizeof(name), "poolkeeper-nbd-%016llx.service", (unsigned long long)id);
        if ((r = sd_bus_message_new_method_call(bus, &m, MANAGER, "/org/freedesktop/systemd1",
                                                MANAGER ".Manager", "StartTransientUnit")) < 0 ||
            (r = sd_bus_message_append(m, "ss", name, "fail")) < 0 ||
            (r = sd_bus_message_open_container(m, 'a', "(sv)")) < 0 ||
            (r = append_service(m, c, input)) < 0 || (r = append_hardening(m, c)) < 0 ||
            (r = sd_bus_message_close_container(m)) < 0 ||
            (r = sd_bus_message_append(m, "a(sa(sv))", 0)) < 0)
                return r;
        return sd_bus_call(bus, m, 0, e, NULL);
}

/* ---- as a session ---- */

static _Noreturn void become_endpoint(int input)
{
        const char *const argv[] = { "poolkeeper-worker", ENDPOINT_OPTION, NULL };
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (null >= 0 && dup2(input, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
            dup2(null, STDERR_FILENO) >= 0 && close_range(STDERR_FILENO + 1, ~0U, 0) >= 0 && chdir("/") >= 0)
                (void)execv(PROGRAM_SELF, (char **)argv);
        _exit(127);
}

/* The second fork() makes it init's child, which is there to reap it. */
static int start_session(int input)
{
        int status;
        pid_t pid;

        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0) {
                (void)setsid();
                pid = fork();
                if (pid == 0)
                        become_endpoint(input);
                _exit(pid < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
        }
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return status == 0 ? 0 : -EAGAIN;
}

/* A user's manager may not be there where PID 1 is systemd: the service runs on a bus of its own, say. */
int endpoint_spawn(Ctx *c, int input)
{
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        int r;

        if (sd_booted() > 0) {
                r = c->user_mode ? sd_bus_open_user(&bus) : sd_bus_open_system(&bus);
                if (r >= 0)
                        r = start_unit(c, bus, input, &e);
                if (r >= 0)
                        return 0;
                if (!c->user_mode || (bus && !sd_bus_error_has_name(&e, SD_BUS_ERROR_SERVICE_UNKNOWN)))
                        return error_set_errno(&c->error, r, "Cannot start an endpoint by systemd%s%s",
                                               e.message ? ": " : "", e.message ?: "");
        }
        r = start_session(input);
        return r < 0 ? error_set_errno(&c->error, r, "Cannot start an endpoint") : 0;
}
