/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "directory.h"
#include "util/log.h"

const char *core_worker;

void core_main(int argc, char **argv)
{
        sigset_t children;

        CHECK(argc == 2);
        core_worker = realpath(argv[1], NULL);
        CHECK(core_worker);
        CHECK_OK(log_set_target("null"));
        (void)signal(SIGPIPE, SIG_IGN);
        sigemptyset(&children);
        sigaddset(&children, SIGCHLD); /* as sd-event asks for */
        CHECK_OK(sigprocmask(SIG_BLOCK, &children, NULL));
        test_directory();
}

static unsigned count_fds(void)
{
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;

        CHECK(d);
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

#define COUNT(function, argument, member)              \
        static void function(argument, void *userdata) \
        {                                              \
                ((Core *)userdata)->heard.member++;    \
        }
COUNT(on_pool_added, Pool *p, pool_added)
COUNT(on_pool_removed, Pool *p, pool_removed)
COUNT(on_pool_changed, Pool *p, pool_changed)
COUNT(on_volume_added, Volume *v, volume_added)
COUNT(on_volume_changed, Volume *v, volume_changed)
COUNT(on_reset, Pool *p, reset)
COUNT(on_listing, Manager *m, listing)
COUNT(on_job_added, Job *j, job_added)
COUNT(on_job_changed, Job *j, job_changed)
COUNT(on_job_finished, Job *j, job_finished)
COUNT(on_job_removed, Job *j, job_removed)

static void on_volume_removed(Pool *p, const char *name, void *userdata)
{
        Core *c = userdata;

        c->heard.volume_removed++;
        (void)snprintf(c->heard.last_removed, sizeof(c->heard.last_removed), "%s", name);
}

static const Observer observer = {
        .pool_added = on_pool_added,
        .pool_removed = on_pool_removed,
        .pool_changed = on_pool_changed,
        .volume_added = on_volume_added,
        .volume_changed = on_volume_changed,
        .volume_removed = on_volume_removed,
        .volumes_reset = on_reset,
        .listing_changed = on_listing,
        .job_added = on_job_added,
        .job_changed = on_job_changed,
        .job_finished = on_job_finished,
        .job_removed = on_job_removed,
};

static void on_exit_wanted(Manager *m, void *userdata)
{
        ((Core *)userdata)->n_exits++;
}

static char *below(const char *name)
{
        char *path;

        CHECK(asprintf(&path, "%s/%s", test_directory_path, name) >= 0);
        return path;
}

void core_new(Core *c, ManagerConfig config)
{
        _cleanup_error_ Error e = ERROR_NULL;

        *c = (Core){ .n_fds = count_fds() };
        c->pools = below("etc");
        c->state = below("state");
        c->runtime = below("run");
        c->faults = below("fault");
        CHECK_OK(mkdir_parents(c->state, 0755));
        CHECK_OK(mkdir_parents(c->runtime, 0755));
        config.worker = config.worker ?: core_worker;
        config.pool_directory = c->pools;
        config.state_directory = c->state;
        config.runtime_directory = c->runtime;
        config.deadline_usec = config.deadline_usec ?: 15000000;
        CHECK_OK(sd_event_new(&c->event));
        CHECK_OK(manager_new(c->event, &config, &c->manager));
        c->manager->on_exit = on_exit_wanted;
        c->manager->on_exit_data = c;
        if (manager_load(c->manager, &e) < 0)
                TEST_FAIL("%s", e.message);
        manager_set_observer(c->manager, &observer, c);
}

void core_end(Core *c)
{
        manager_free(c->manager);
        sd_event_unref(c->event);
        while (waitpid(-1, NULL, 0) > 0)
                ;
        free(c->pools);
        free(c->state);
        free(c->runtime);
        free(c->faults);
        CHECK_EQ(count_fds(), c->n_fds);
        *c = (Core){};
}

static int wipe_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        return ftw->level > 0 ? remove(path) : 0;
}

void core_wipe(void)
{
        (void)nftw(test_directory_path, wipe_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void core_pause(Core *c, uint64_t usec)
{
        uint64_t end = now_usec(CLOCK_MONOTONIC) + usec, now;

        while ((now = now_usec(CLOCK_MONOTONIC)) < end)
                CHECK(sd_event_run(c->event, end - now) >= 0);
}

void core_fault(Core *c, const char *fault)
{
        _cleanup_fclose_ FILE *f = NULL;

        if (!fault) {
                (void)unlink(c->faults);
                return;
        }
        f = fopen(c->faults, "we");
        CHECK(f && fputs(fault, f) >= 0);
}

char *core_target(const char *pool, const char *volume)
{
        char *path;

        CHECK(asprintf(&path, "%s/%s%s%s", test_directory_path, pool, volume ? "/" : "", volume ?: "") >= 0);
        return path;
}

bool core_has_file(const char *pool, const char *volume)
{
        _cleanup_free_ char *path = core_target(pool, volume);

        return access(path, F_OK) == 0;
}

Definition *core_definition(Core *c, const char *name)
{
        _cleanup_free_ char *target = core_target(name, NULL);
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;
        Definition *d;

        CHECK_OK(mkdir_parents(target, 0755));
        CHECK_OK(bag_set_string(options, "target.path", target));
        CHECK_OK(bag_set_string(options, "fault-file", c->faults));
        if (definition_from_bag(name, "fake", options, manager_pool_options("fake", c->manager), &d, &e) < 0)
                TEST_FAIL("%s", e.message);
        return d;
}

Pool *core_define(Core *c, const char *name)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Pool *p;

        if (manager_define(c->manager, core_definition(c, name), false, &p, &e) < 0)
                TEST_FAIL("%s", e.message);
        return p;
}

Pool *core_pool(Core *c, const char *name)
{
        Pool *p = core_define(c, name);
        Job *j = core_start(p);

        (void)core_wait(c, j);
        CHECK_JOB_DONE(j);
        CHECK_EQ(p->state, POOL_ACTIVE);
        return p;
}

Job *core_submit(const Request *r)
{
        _cleanup_prepared_ Prepared p = {};
        _cleanup_error_ Error e = ERROR_NULL;
        Job *j;

        if (request_prepare(r, &p, &e) < 0 || request_submit(r, &p, &j, &e) < 0)
                TEST_FAIL("%s: %s", operation_to_string(r->operation), e.message);
        return j;
}

Job *core_start(Pool *p)
{
        return core_submit(&(Request){ .operation = OPERATION_POOL_START, .pool = p });
}

Job *core_stop(Pool *p, bool force)
{
        _cleanup_bag_ Bag *options = bag_new();

        CHECK_OK(bag_set_bool(options, "force", force));
        return core_submit(&(Request){ .operation = OPERATION_POOL_STOP, .pool = p, .options = options });
}

Job *core_refresh(Pool *p)
{
        return core_submit(&(Request){ .operation = OPERATION_POOL_REFRESH, .pool = p });
}

Job *core_create_as(Pool *p, const char *name, uint64_t capacity, uid_t uid)
{
        return core_submit(&(Request){ .operation = OPERATION_VOLUME_CREATE,
                                       .pool = p,
                                       .volume = name,
                                       .capacity = capacity,
                                       .caller = uid });
}

Job *core_delete(Pool *p, const char *name)
{
        return core_submit(&(Request){ .operation = OPERATION_VOLUME_DELETE, .pool = p, .volume = name });
}

Job *core_resize(Pool *p, const char *name, uint64_t capacity)
{
        return core_submit(&(Request){
                .operation = OPERATION_VOLUME_RESIZE, .pool = p, .volume = name, .capacity = capacity });
}

JobState core_wait(Core *c, const Job *j)
{
        UNTIL(c, job_is_finished(j));
        return j->state;
}

unsigned core_n_running(Core *c)
{
        unsigned n = 0;

        for (Job *j = queue_first(c->manager->queue); j; j = j->run->next)
                n += j->run->worker || j->run->call;
        return n;
}

unsigned core_n_workers(Core *c)
{
        char path[64];
        FILE *f;
        unsigned n = 0;
        int pid;

        (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
        f = fopen(path, "re");
        CHECK(f);
        while (fscanf(f, "%d", &pid) == 1)
                n++;
        fclose(f);
        return n - !!c->manager->spare;
}
