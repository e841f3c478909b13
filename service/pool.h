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
        POOL_UNAVAILABLE,  /* the source or the mount is gone; what was known stays listed, retried with back-off */
        POOL_UNRESPONSIVE, /* a deadline passed; the same */
        _POOL_STATE_MAX,
        _POOL_STATE_INVALID = -EINVAL,
} PoolState;

struct Pool {
        Manager *manager;
        Definition *definition; /* live */
        Definition *update;     /* defined while active, becomes live at stop */
        const BackendInfo *backend;
        PoolState state;
        Error error; /* of the last failed start, refresh or watch; kind ERROR_NONE: all is well */
        bool persistent, autostart, refreshing;
        VolumeTable *volumes;
        uint64_t capacity, allocation, available; /* bytes, as the source tells; 0 while never seen */
        uint64_t generation;                      /* grows with every change of a volume */
        uint64_t last_refresh_usec;               /* realtime; 0: never */
        struct Session *session;  /* session.c: short operations, in order */
        struct Watcher *watcher;  /* watcher.c: news from outside */
        struct Recovery *recovery; /* recovery.c: back-off */
        int snapshot; /* what the last refresh saw, for the next one; -EBADF: none */
        struct ScanGuard *guard;   /* refresh.c: changes made while a refresh runs */
        struct Reservations *reservations; /* what creates under way take from quotas */
};

const char *pool_state_to_string(PoolState s);
PoolState pool_state_from_string(const char *s);
const char *pool_name(const Pool *p);
const char *pool_type(const Pool *p);
const char *pool_target(const Pool *p); /* cleaned path, NULL when the type has none */
bool pool_is_up(const Pool *p); /* active, unavailable or unresponsive: it was started and not stopped */
uint64_t pool_reserved(const Pool *p); /* bytes kept for the host */
int pool_find_volume(Pool *p, const char *name, Volume **ret, Error *e); /* NoSuchVolume */
/* Path of a volume with this (shown) name: a new string, NULL: out of memory. */
char *pool_volume_path(const Pool *p, const char *name);

/* Numbers are public, the reserve is already taken off `available`. */
void pool_numbers(const Pool *p, PoolNumbers *ret);

/* What user `uid` owns in this pool together with what its creates under way will take. */
uint64_t pool_owned(const Pool *p, uid_t uid);
