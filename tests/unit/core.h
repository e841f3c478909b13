/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The service's core without a bus: a Manager in a directory of its own, with real workers and the pool type
 * that fails as it is told (tests/fake/fake-backend.c). Programs take the path of poolkeeper-worker. */
#pragma once

#include "test.h"

#include "job-run.h"
#include "manager.h"
#include "pool.h"
#include "request.h"
#include "util/fileio.h"

/* What an observer heard so far. */
typedef struct Heard {
        unsigned pool_added, pool_removed, pool_changed, volume_added, volume_changed, volume_removed, reset,
                listing, job_added, job_changed, job_finished, job_removed;
        char last_removed[64];
} Heard;

typedef struct Core {
        sd_event *event;
        Manager *manager;
        Heard heard;
        unsigned n_exits;
        char *pools, *state, *runtime, *faults; /* paths */
        unsigned n_fds;                         /* descriptors before it was made */
} Core;

/* Once, from main(): the worker's path out of argv, a directory, silence. */
void core_main(int argc, char **argv);
extern const char *core_worker;

/* `config` has only what differs: worker and directories are filled in. The directories of an earlier core
 * are taken up again, as after a crash of the daemon. */
void core_new(Core *c, ManagerConfig config);
/* Ends it; checks that no descriptor was left open. */
void core_end(Core *c);
/* Ends it as kill -9 would: workers die, the directories stay. */
#define core_crash(c) core_end(c)
/* Removes all directories, for the next case. */
void core_wipe(void);

/* Runs the loop until the condition holds; at most 20 s. */
#define UNTIL(c, condition)                                            \
        do {                                                           \
                uint64_t _end = now_usec(CLOCK_MONOTONIC) + 20000000u; \
                while (!(condition)) {                                 \
                        if (now_usec(CLOCK_MONOTONIC) > _end)          \
                                TEST_FAIL("never: %s", #condition);    \
                        CHECK(sd_event_run((c)->event, 20000) >= 0);   \
                }                                                      \
        } while (0)
/* Runs the loop for so long. */
void core_pause(Core *c, uint64_t usec);

/* Sets the fault of all pools, NULL: none. */
void core_fault(Core *c, const char *fault);
/* Words of a fake pool whose target is NAME below the test's directory; the directory is made. */
Definition *core_definition(Core *c, const char *name);
Pool *core_define(Core *c, const char *name);
/* Defined and started. */
Pool *core_pool(Core *c, const char *name);
char *core_target(const char *pool, const char *volume); /* path; volume NULL: of the pool */
bool core_has_file(const char *pool, const char *volume);

/* Prepared and submitted; must be accepted. */
Job *core_submit(const Request *r);
Job *core_start(Pool *p);
Job *core_stop(Pool *p, bool force);
Job *core_refresh(Pool *p);
Job *core_create_as(Pool *p, const char *name, uint64_t capacity, uid_t uid);
#define core_create(p, name) core_create_as(p, name, 4096, 0)
Job *core_delete(Pool *p, const char *name);
Job *core_resize(Pool *p, const char *name, uint64_t capacity);
/* Runs the loop until it has ended; returns its state. */
JobState core_wait(Core *c, const Job *j);
/* It has ended as failed with this error. */
#define CHECK_JOB_FAILED(j, wanted)                                                                       \
        do {                                                                                              \
                if ((j)->state != JOB_FAILED || (j)->error.kind != (wanted))                              \
                        TEST_FAIL("job is %s with %s: %s", job_state_to_string((j)->state),               \
                                  error_kind_to_name((j)->error.kind) ?: "-", (j)->error.message ?: "-"); \
        } while (0)
#define CHECK_JOB_DONE(j)                                                                                 \
        do {                                                                                              \
                if ((j)->state != JOB_DONE)                                                               \
                        TEST_FAIL("job is %s: %s: %s", job_state_to_string((j)->state),                   \
                                  error_kind_to_name((j)->error.kind) ?: "-", (j)->error.message ?: "-"); \
        } while (0)
/* How many jobs are with a worker or session now. */
unsigned core_n_running(Core *c);
unsigned core_n_workers(Core *c); /* living processes, without the spare one */
