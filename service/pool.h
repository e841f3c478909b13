/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pool: its definition, its state, its volumes, and the session worker that serves it. */
#pragma once

#include "backends.h"
#include "manager.h"
#include "volume-table.h"

typedef enum PoolState {
        POOL_INACTIVE,
        POOL_STARTING,
        POOL_ACTIVE,
        POOL_STOPPING,
        POOL_UNAVAILABLE,  /* the source or the mount is gone; what was known stays listed, retried with
                              back-off */
        POOL_UNRESPONSIVE, /* a deadline passed; the same */
        _POOL_STATE_MAX,
        _POOL_STATE_INVALID = -EINVAL,
} PoolState;

#define VOLUMES_PER_POOL_MAX 1000000u

struct Pool {
        Manager *manager;
        Definition *definition; /* live */
        Definition *update;     /* defined while active, becomes live at stop */
        const BackendInfo *backend;
        PoolState state;
        Error error; /* of the last failed start, refresh or watch; kind ERROR_NONE: all is well */
        bool persistent, autostart, refreshing;
        bool adopt; /* was up when the daemon ended */
        VolumeTable *volumes;
        uint64_t capacity, allocation, available; /* bytes, as the source tells; 0 while never seen */
        uint64_t generation;                      /* grows with every change of a volume */
        uint64_t last_refresh_usec;               /* realtime; 0: never */
        struct Session *session;                  /* session.c: short operations, in order */
        struct Watcher *watcher;                  /* watcher.c: news from outside */
        struct Recovery *recovery;                /* recovery.c: back-off */
        int snapshot; /* what the last refresh saw, for the next one; -EBADF: none */
        uint8_t scan; /* number of the last scan */
        char *identity; /* what its source really is, as the worker that started it found; NULL: not up, or not known */
        Hashmap *unscanned; /* names that came since the last scan began: its snapshot does not know them */
        struct ScanGuard *guard; /* refresh.c: changes made while a refresh runs */
};

const char *pool_state_to_string(PoolState s);
PoolState pool_state_from_string(const char *s);
const char *pool_name(const Pool *p);
const char *pool_type(const Pool *p);
const char *pool_target(const Pool *p); /* cleaned path, NULL when the type has none */
bool pool_is_full(const Pool *p);       /* it has as many volumes as we take */
bool pool_is_up(const Pool *p); /* active, unavailable or unresponsive: it was started and not stopped */
uint64_t pool_reserved(const Pool *p);                                   /* bytes kept for the host */
int pool_find_volume(Pool *p, const char *name, Volume **ret, Error *e); /* NoSuchVolume */
/* Path of a volume with this (shown) name: a new string, NULL: out of memory. */
char *pool_volume_path(const Pool *p, const char *name);

/* Numbers are public, the reserve is already taken off `available`. */
void pool_numbers(const Pool *p, PoolNumbers *ret);

/* What user `uid` owns in this pool together with what its creates under way will take. */
uint64_t pool_owned(const Pool *p, uid_t uid);

/* ---- used by the rooms of the daemon's core only ---- */

Pool *pool_new(Manager *m, Definition *definition /* taken */, const BackendInfo *backend);
void pool_free(Pool *p);
DEFINE_CLEANUP(Pool *, pool_free)

/* Active; else PoolInactive, or SourceUnreachable while it is unavailable. */
int pool_check_usable(const Pool *p, Error *e);

/* Sets state and error (NULL: none) and tells of it. */
void pool_set_state(Pool *p, PoolState state, const Error *e);
void pool_tell_changed(Pool *p);

/* Arguments of the first call on every worker of this pool; `job` marks what it makes. */
int pool_worker_configuration(const Pool *p, const char *job, Bag **ret);

/* The (shown) name of the volume in this pool that a path as a caller writes it means, absolute or relative to the
 * target; NULL: it is not below the target. New string. */
char *pool_resolve_path(const Pool *p, const char *path);
/* The same for the backing file of a volume's record, which is escaped already. */
char *pool_resolve_record(const Pool *p, const char *backing);
