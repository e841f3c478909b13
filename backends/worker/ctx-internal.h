/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worker's side of a Ctx: what host.c and its helpers share, and no backend sees. */
#pragma once

#include <signal.h>
#include <systemd/sd-bus.h>

#include "backend.h"

/* Descriptors that wait for one round of fsync(); the same file is there once. */
typedef struct SyncItem {
        int fd;
        dev_t device;
        ino_t inode;
        int result; /* of the round: 0 or negative errno */
} SyncItem;

typedef struct SyncRound {
        SyncItem *items;
        size_t n_items, n_allocated;
} SyncRound;

struct Ctx {
        /* the worker */
        const Backend *backend; /* NULL: it only describes, or there is a load_error */
        Error load_error;
        const char *backend_directory;
        sd_bus *bus; /* NULL: nobody listens */
        bool job;    /* a job worker */
        SyncRound syncs;

        /* the pool, from operation "configure" */
        bool configured, user_mode;
        char *pool, *uuid, *state_directory, *runtime_directory, *job_id;
        Bag *options;

        /* the running operation */
        const char *volume; /* "" for one on the pool */
        Bag *result;        /* borrowed */
        uid_t caller;       /* of an endpoint: whose limit it counts for */
        bool sync, needs_job, ready;
        Error error;
        sd_bus_message *changed; /* body a(VOLUME)as, the array still open; NULL: nothing was found yet */
        size_t n_changed;
        char **vanished;
        size_t n_vanished;
        uint64_t progress_usec; /* when progress was told last */
        size_t *sync_items;     /* what it has in the round, indices */
        size_t n_sync_items;
        int lock_fd;   /* of the object worked on, -EBADF: none; tools inherit it */
        int intent_fd; /* -EBADF: no intent was written */
        char *intent_name;
        int kept_fd; /* ctx_keep_fd(), -EBADF: none */
};

/* Set by SIGTERM: the operation is to end. */
extern volatile sig_atomic_t ctx_cancelled;

void ctx_begin(Ctx *c, const char *volume, bool sync);
/* Appends what was found to the reply: a(VOLUME)as. */
int ctx_send_found(Ctx *c); /* what was found so far, ahead of the reply */
int ctx_append_found(Ctx *c, sd_bus_message *reply);
void ctx_end(Ctx *c); /* drops what is left of the operation */
void ctx_done(Ctx *c);
int ctx_check_cancelled(Ctx *c); /* 0, or -ECANCELED with the error set */

/* One round: fsync() of everything once, results into the items. sync_round_done() closes and empties it. */
void sync_round_run(SyncRound *s);
void sync_round_done(SyncRound *s);

/* lock.c: the fence around an object. Busy when another process, or a tool that outlived its worker, has it.
 */
int lock_take(Ctx *c, const char *volume, int *ret_fd, Error *e);
int lock_check(Ctx *c, const char *volume, Error *e); /* cheap when there is no lock file */
void lock_release(Ctx *c, const char *volume,
                  int *fd); /* closes, and removes the file unless a tool lives on */

/* intent.c: see there. */
int intents_undo(Ctx *c, const char *volume);
void intents_roll_back(Ctx *c);
void intents_forget(Ctx *c); /* keeps the file */

/* operation.c: runs one operation of protocol.h. */
int operation_run(Ctx *c, const char *operation, const char *volume, Bag *args, Bag *result);

/* module.c: loads BACKEND_DIRECTORY/NAME.so. The module is never unloaded. */
int module_load(const char *directory, const char *name, const Backend **ret, Error *e);

/* describe.c: what every installed backend is and can do (operation "describe"). */
int describe_backends(const char *directory, Bag *ret, Error *e);
int describe_print(const char *directory, FILE *f, Error *e); /* the same as JSON */
