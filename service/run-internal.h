/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files that run jobs share. */
#pragma once

#include "job-run.h"

/* The pool where it works just now, NULL: it is gone; and the volume there. */
Pool *run_pool(const Job *j);
const char *run_volume(const Job *j);

/* The end of a job that began. result (may be NULL) is taken. */
void run_finish(Job *j, Bag *result, const Error *e);
void run_fail(Job *j, ErrorKind kind, const char *text);

/* run-worker.c */
int run_start_worker(Job *j, Pool *p, const WorkerEvents *events, Error *e);
/* A worker that cannot be told anything is dead, or soon will be: its end goes on from there. */
void run_call_worker(Job *j, const char *operation, const char *volume, const Bag *args,
                     worker_reply_t reply);
void run_begin_steps(Job *j); /* in a new worker of its pool */
void run_undo(Job *j, const Error *crash);
void run_keep_alive(Job *j); /* a word came: it is not stalled before the next deadline */
void run_end_sweep(Job *j);
/* What a worker tells of volumes, for WorkerEvents. */
void run_volume_seen(const VolumeInfo *v, void *job);
void run_volume_gone(const char *name, void *job);

/* run-copy.c */
void copy_lend(Job *j); /* asks the pool of the source for it, then goes on with the steps */
void move_end(Job *j, const Bag *result); /* the copy is made; the source goes */
