/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The root of the daemon's state: pools, jobs, backends, and who is to be told of changes. */
#pragma once

#include <systemd/sd-event.h>

#include "definition.h"
#include "util/hashmap.h"

typedef struct Manager Manager;
typedef struct Pool Pool;
typedef struct Volume Volume;
typedef struct Job Job;
typedef struct Backends Backends;

/* One who is told of changes: the object tree on the bus. All calls come from the event loop, never nested
 * in another change of the same object; the objects are valid during the call only. */
typedef struct Observer {
        void (*pool_added)(Pool *p, void *userdata);
        void (*pool_removed)(Pool *p, void *userdata);
        void (*pool_changed)(Pool *p, void *userdata); /* any property */
        void (*volume_added)(Volume *v, void *userdata);
        void (*volume_changed)(Volume *v, void *userdata);
        void (*volume_removed)(Pool *p, const char *name, void *userdata);
        void (*volumes_reset)(Pool *p, void *userdata);      /* too many differences to tell one by one */
        void (*listing_changed)(Manager *m, void *userdata); /* volumes enter or leave ObjectManager */
        void (*job_added)(Job *j, void *userdata);
        void (*job_changed)(Job *j, void *userdata);
        void (*job_finished)(Job *j, void *userdata);
        void (*job_removed)(Job *j, void *userdata); /* 60 s after it finished */
} Observer;

typedef struct ManagerConfig {
        bool user_mode;
        const char *worker, *backend_directory; /* path of poolkeeper-worker */
        const char *pool_directory;             /* definitions */
        const char *state_directory;            /* /var/lib/poolkeeper */
        const char *runtime_directory;          /* /run/poolkeeper */
        uint64_t idle_usec;     /* session workers, and the daemon itself, leave after this; 0: never */
        uint64_t deadline_usec; /* a session operation that takes longer makes the pool unresponsive */
        uint64_t kill_usec;     /* from SIGTERM to SIGKILL of a worker; 0: 5 s */
        uint64_t keep_usec;     /* a finished job stays readable; 0: JOB_KEEP_USEC */
} ManagerConfig;

#define VOLUMES_LISTED_MAX 4096u    /* beyond, volumes leave ObjectManager and introspection ... */
#define VOLUMES_LISTED_RESUME 3500u /* ... and come back below this */
#define VOLUME_SIGNALS_MAX 64u      /* differences of one refresh that are told one by one */

struct Manager {
        sd_event *event;
        ManagerConfig config;
        Hashmap *pools; /* name -> Pool* */
        Hashmap *jobs;  /* id as text -> Job* */
        Backends *backends;
        Observer observer;
        void *observer_data;
        size_t n_volumes;    /* in all pools */
        bool volumes_listed; /* the 4,096 rule */
        bool stopping;       /* SIGTERM came: no new work */
        bool closing;        /* the host is about to go down: no new work for now */
        uint64_t last_activity_usec, stop_usec;
        uint64_t next_job_id;
        char instance[17]; /* random: marks what this run of the daemon makes */
        struct Spare *spare;
        struct Worker *workers; /* every living worker, also abandoned ones */
        struct JobQueue *queue;
        sd_event_source *idle_source, *stop_source;
        void (*on_exit)(Manager *m, void *userdata);
        void *on_exit_data;
};

int manager_new(sd_event *event, const ManagerConfig *config, Manager **ret);
void manager_free(Manager *m);
DEFINE_CLEANUP(Manager *, manager_free)

/* Reads the backends' descriptions and the stored pools; no storage is touched. */
int manager_load(Manager *m, Error *e);
/* Starts the pools that are marked so, each retried with back-off until it runs. */
void manager_autostart(Manager *m);
void manager_set_observer(Manager *m, const Observer *observer, void *userdata);

/* Refuses new work, gives session operations 5 s, cancels the jobs, then calls on_exit; within 20 s. */
void manager_stop(Manager *m);
/* The host is about to shut down: new work is refused, and what waits in the queue is cancelled; what runs goes on until
 * SIGTERM comes. false: it stays up after all. */
void manager_set_closing(Manager *m, bool closing);
/* Calls on_exit when nothing has been active for idle_usec: no pool up, no job, no autostart pending. */
void manager_touch(Manager *m);

/* Bytes of a volume are on the move. Changes whenever the observer hears of a job that changed or ended. */
bool manager_has_running_jobs(const Manager *m);

Pool *manager_pool(Manager *m, const char *name);
Pool *manager_pool_by_uuid(Manager *m, const char *uuid);
Pool *manager_pool_by_path(Manager *m, const char *path);
Volume *manager_volume_by_path(Manager *m, const char *path);
int manager_find_pool(Manager *m, const char *name, Pool **ret, Error *e); /* NoSuchPool */

/* Checks identity rules (name, UUID, overlapping targets) against the pools there are: PoolExists,
 * DuplicateSource. On an existing persistent pool of the same name and UUID it is an update, that waits
 * while the pool is active. */
int manager_define(Manager *m, Definition *d /* taken */, bool transient, Pool **ret, Error *e);
int manager_undefine(Manager *m, Pool *p,
                     Error *e); /* PoolActive unless inactive; a transient pool: NotSupported */
int manager_set_autostart(Manager *m, Pool *p, bool on, Error *e);
const OptionTable *manager_pool_options(const char *type, void *manager); /* a table_lookup_t */

/* Counts volumes towards the 4,096 rule. */
void manager_count_volumes(Manager *m, ssize_t delta);

/* ---- used by the rooms of the daemon's core only ---- */

/* What was up when the daemon died comes up again: a copy of the live definition below the runtime
 * directory. */
void manager_remember_active(Manager *m, Pool *p);
/* The pool is down: its waiting definition becomes live; a transient pool is removed (p is void then). */
void manager_pool_went_down(Manager *m, Pool *p);
/* Remembers what the pool's source really is (identity NULL: nothing any more). DuplicateSource while another pool that is
 * up has the same by another name. */
int manager_set_identity(Manager *m, Pool *p, const char *identity, Error *e);
/* Checks a new job may be taken at all. */
int manager_check_accepting(const Manager *m, Error *e);
