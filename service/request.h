/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a caller asks for, from words to a job: checked, with the authorisations it needs, then submitted.
 * The faces on the bus only parse words and ask polkit; every rule of an operation stands here. */
#pragma once

#include "job.h"
#include "pool.h"

#define DEPENDENTS_MAX 1024u        /* volumes that go with one that is deleted */
#define CONVERSIONS_ASKED_MAX 1024u /* volumes of a pool that polkit is asked about one by one */

typedef struct Request {
        Operation operation;
        Pool *pool;
        const char *volume;    /* name, NULL for pool operations */
        uint64_t capacity;     /* create, clone, import, resize; UINT64_MAX: not given */
        const Bag *options;    /* method options as they came; without "wait" */
        const char *source;    /* clone: name of the source volume */
        Pool *source_pool;     /* clone: where it is; NULL: in the same pool */
        Pool *target;          /* move: where to */
        const char *new_name;  /* rename; move: NULL: the old one */
        const char *format;    /* set-format, convert, export (NULL: as stored) */
        const char *backing;   /* rebase: name of a volume in the same pool */
        const char *algorithm; /* wipe */
        const char *snapshot;  /* snapshots: its name */
        int fd; /* upload, download, import, export: the caller's, borrowed; never read or asked here */
        uid_t caller;
} Request;

/* One thing polkit has to allow. Details are NULL-terminated pairs key, value, owned by the check. */
typedef struct ActionCheck {
        const char *action; /* without the prefix org.example.Storage. */
        char **details;
} ActionCheck;

typedef struct Prepared {
        Operation operation; /* a move inside one pool is a rename */
        Bag *args;           /* for the worker */
        ActionCheck *checks;
        size_t n_checks;
        uint64_t charge; /* bytes that count against the caller's quota while under way */
} Prepared;

void prepared_done(Prepared *p);
#define _cleanup_prepared_ _cleanup_(prepared_done)

/* Checks names, states, options and sizes against what is known now. No side effect. Errors as documented at
 * each method. */
int request_prepare(const Request *r, Prepared *ret, Error *e);

/* After polkit said yes in this same dispatch: makes the job and queues it. LimitsExceeded. The job is owned
 * by the manager. */
int request_submit(const Request *r, Prepared *p, Job **ret, Error *e);

/* Once more when the turn of a job has come: the pools are usable; the volumes are still there and those that were asked
 * about (else Changed); nothing came that stands in the way (InUse, VolumeExists). */
int request_check_again(const Job *j, const Pool *p, Error *e);

/* May what is in the volume be read (NotSupported: it is half made; Corrupt: it is broken), or be changed (NotSupported:
 * half made, read-only, several hard links)? What changes a part of it, or looks at it as an image, asks both. */
int volume_check_read(const Volume *v, Error *e);
int volume_check_write(const Volume *v, Error *e);
/* InUse, with one of them, while others stand on it. what: what cannot happen to it then, "be written to" for one. */
int volume_check_alone(const Pool *p, const char *volume, const char *what, Error *e);

/* Authorisation for what is no job: action and details of a pool (may be NULL) and volume (may be NULL).
 * Ended by action_check_done(). */
int pool_action_check(const Pool *p, const Volume *v, const char *action, ActionCheck *ret);
void action_check_done(ActionCheck *c);
