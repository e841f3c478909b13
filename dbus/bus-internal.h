/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the face on the bus share: the state, the paths, and how properties are written. */
#pragma once

#include "bus-caller.h"
#include "bus-changes.h"
#include "bus.h"
#include "job.h"
#include "polkit.h"
#include "pool.h"
#include "util/object-path.h"
#include "util/snapshot-list.h"

#define INTERFACE_MANAGER "org.example.Storage.Manager"
#define INTERFACE_POOL "org.example.Storage.Pool"
#define INTERFACE_VOLUME "org.example.Storage.Volume"
#define INTERFACE_JOB "org.example.Storage.Job"
#define INTERFACE_SNAPSHOT "org.example.Storage.Snapshot"

typedef struct Dump Dump;
typedef struct Held Held;
typedef struct Inhibit Inhibit;
typedef struct Query Query;
typedef struct LogControl LogControl;

/* A pool as the bus shows it: where its volumes are registered, and the list that was built last. */
typedef struct PoolFace {
        Bus *bus;
        Pool *pool;
        sd_bus_slot *volumes, *volume_names;
        Hashmap *snapshots; /* volume -> list of its snapshots as told last; only while volumes are listed */
        Dump *dump;
} PoolFace;

/* The snapshot that was looked up last. */
typedef struct SnapshotFace {
        Volume *volume;
        char *name;
        SnapshotKind kind;
        uint64_t created_usec, size;
} SnapshotFace;

struct Bus {
        Manager *manager;
        sd_bus *connection;
        bool user_mode;
        Callers *callers;
        Polkit *polkit;
        Changes *changes;
        Inhibit *inhibit;          /* NULL in user mode */
        Hashmap *pools;            /* name -> PoolFace */
        Hashmap *dump_builds;      /* uid -> when it last had a list built */
        Held *held;                /* replies that wait for a job */
        sd_event_source *announce; /* of jobs that are waited for */
        Query *queries;            /* replies that wait for a pool's worker */
        uint64_t n_query_workers;  /* that were ever started */
        SnapshotFace snapshot;
        size_t n_snapshots; /* in the lists of all pools */
        sd_bus_slot *filter, *object_manager, *root, *log_control;
        sd_bus_slot *pool_objects, *pool_names, *job_objects, *job_names;
        sd_bus_slot *snapshot_objects, *snapshot_names;
        sd_bus_slot *leaving;
        void (*left)(void *userdata);
        void *left_data;
};

static inline Bus *bus_of(Manager *m)
{
        return m->observer_data;
}

/* Each kind of object registers itself. */
int manager_face_register(Bus *b);
int pool_faces_register(Bus *b);
int job_faces_register(Bus *b);
int log_control_register(Bus *b);
int volume_faces_register(PoolFace *f);
int pool_face_new(Bus *b, Pool *p);
void pool_face_free(PoolFace *f);
int job_emit_finished(Bus *b, const Job *j);

extern const sd_bus_vtable manager_vtable[], pool_vtable[], volume_vtable[], snapshot_vtable[], job_vtable[];

/* Getters of properties: `o` is the object; nothing here blocks. */
#define DEFINE_GETTER(function, Object, Type, code, value)                                              \
        static int function(sd_bus *bus, const char *path, const char *interface, const char *property, \
                            sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)             \
        {                                                                                               \
                Object *o = userdata;                                                                   \
                Type v = (value);                                                                       \
                                                                                                        \
                (void)o;                                                                                \
                return sd_bus_message_append_basic(reply, code, &v);                                    \
        }
#define DEFINE_GETTER_U64(function, Object, value) DEFINE_GETTER(function, Object, uint64_t, 't', value)
#define DEFINE_GETTER_U32(function, Object, value) DEFINE_GETTER(function, Object, uint32_t, 'u', value)
#define DEFINE_GETTER_BOOL(function, Object, value) DEFINE_GETTER(function, Object, int, 'b', value)
#define DEFINE_GETTER_DOUBLE(function, Object, value) DEFINE_GETTER(function, Object, double, 'd', value)
#define DEFINE_GETTER_STRING(function, Object, value)                                                   \
        static int function(sd_bus *bus, const char *path, const char *interface, const char *property, \
                            sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)             \
        {                                                                                               \
                Object *o = userdata;                                                                   \
                const char *v = (value);                                                                \
                                                                                                        \
                (void)o;                                                                                \
                return sd_bus_message_append_basic(reply, 's', v ?: "");                                \
        }

/* An error as (name, message), two empty strings when there is none. */
int error_append_to_message(const Error *e, sd_bus_message *m);
