/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A worker's context without a worker: operations of a backend run in the test itself, tools without a
 * sandbox. */
#pragma once

#include "backend.h"

struct Ctx {
        Bag *options;
        Bag *result;
        char state_directory[64];
        bool user_mode, session; /* session: ctx_need_job() answers -EREMOTE */
        Error error;
        unsigned n_needs_job, n_ready, n_progress, n_commands, n_synced, n_volumes;
        unsigned cancel_at;                    /* the progress call that is cancelled, 0: none */
        bool keep_intents;                     /* as if the worker died: nothing is taken back */
        char **vanished, **volumes, **intents; /* intents: "STEP ARGUMENT" */
        VolumeInfo last;                       /* of ctx_volume(); name, backing and error are copies */
        void (*on_ready)(void *userdata);      /* what somebody else does meanwhile */
        void (*on_progress)(uint64_t done, void *userdata);
        void (*on_volume)(const VolumeInfo *v, void *userdata);
        void *userdata;
};

Ctx *fake_ctx_new(const char *state_directory, const char *target);
void fake_ctx_free(Ctx *c);
DEFINE_CLEANUP(Ctx *, fake_ctx_free)
void fake_ctx_reset(Ctx *c); /* forgets what the last operation told */
