/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolctl: what every verb gets, and how it ends. */
#pragma once

#include <systemd/sd-bus.h>

#include "json.h"
#include "switches.h"
#include "util/object-path.h"

#define SERVICE "org.example.Storage"
#define MANAGER_PATH OBJECT_ROOT
#define MANAGER_INTERFACE SERVICE ".Manager"
#define POOL_INTERFACE SERVICE ".Pool"
#define VOLUME_INTERFACE SERVICE ".Volume"
#define SNAPSHOT_INTERFACE SERVICE ".Snapshot"
#define JOB_INTERFACE SERVICE ".Job"

/* Documented in poolctl(1). */
typedef enum ExitStatus {
        STATUS_DONE = 0,
        STATUS_FAILED = 1,
        STATUS_USAGE = 2,
        STATUS_REFUSED = 3, /* by polkit, or by the bus */
        STATUS_ABSENT = 4,  /* no such pool, volume or job */
        STATUS_TIMED_OUT = 5,
        STATUS_COMMAND_FAILED = 126, /* open, nbd: the command cannot be run */
        STATUS_NO_COMMAND = 127,     /* or is not there; else the status is the command's */
} ExitStatus;

typedef struct Poolctl {
        sd_bus *bus; /* opened by the first call */
        CommandLine line;
        JsonMode json;
        bool ask;      /* the service may ask the user for a password */
        bool terminal; /* standard error is one: progress is shown */
} Poolctl;

static inline bool given(const Poolctl *p, Switch s)
{
        return p->line.value[s] != NULL;
}

/* words[0] is the verb's first argument. */
typedef ExitStatus (*verb_t)(Poolctl *p, char **words, size_t n_words);

typedef struct Verb {
        const char *name;
        const char *synopsis; /* the words that follow; the completion scripts know POOL, POOL/VOLUME, TYPE,
                                 JOB, FILE, DIR */
        unsigned min, max;    /* how many words */
        uint64_t switches;    /* SWITCH_BITs beside the common ones */
        const char *help;
        verb_t run;
} Verb;

/* pools.c */
ExitStatus verb_list(Poolctl *p, char **words, size_t n);
ExitStatus verb_show(Poolctl *p, char **words, size_t n);
ExitStatus verb_start(Poolctl *p, char **words, size_t n);
ExitStatus verb_stop(Poolctl *p, char **words, size_t n);
ExitStatus verb_refresh(Poolctl *p, char **words, size_t n);
ExitStatus verb_build(Poolctl *p, char **words, size_t n);
ExitStatus verb_delete(Poolctl *p, char **words, size_t n);
ExitStatus verb_undefine(Poolctl *p, char **words, size_t n);
ExitStatus verb_autostart(Poolctl *p, char **words, size_t n);
/* define.c */
ExitStatus verb_define(Poolctl *p, char **words, size_t n);
ExitStatus verb_update(Poolctl *p, char **words, size_t n);
ExitStatus verb_xml(Poolctl *p, char **words, size_t n);
/* list-volumes.c */
ExitStatus verb_volumes(Poolctl *p, char **words, size_t n);
/* volumes.c */
ExitStatus verb_info(Poolctl *p, char **words, size_t n);
ExitStatus verb_create(Poolctl *p, char **words, size_t n);
ExitStatus verb_declare(Poolctl *p, char **words, size_t n);
ExitStatus verb_resize(Poolctl *p, char **words, size_t n);
ExitStatus verb_rm(Poolctl *p, char **words, size_t n);
ExitStatus verb_find(Poolctl *p, char **words, size_t n);
/* copies.c */
ExitStatus verb_clone(Poolctl *p, char **words, size_t n);
ExitStatus verb_mv(Poolctl *p, char **words, size_t n);
/* images.c */
ExitStatus verb_convert(Poolctl *p, char **words, size_t n);
ExitStatus verb_flatten(Poolctl *p, char **words, size_t n);
ExitStatus verb_rebase(Poolctl *p, char **words, size_t n);
ExitStatus verb_wipe(Poolctl *p, char **words, size_t n);
/* transfer.c */
ExitStatus verb_upload(Poolctl *p, char **words, size_t n);
ExitStatus verb_download(Poolctl *p, char **words, size_t n);
ExitStatus verb_import(Poolctl *p, char **words, size_t n);
ExitStatus verb_export(Poolctl *p, char **words, size_t n);
/* snapshots.c */
ExitStatus verb_snapshot(Poolctl *p, char **words, size_t n);
/* attach.c */
ExitStatus verb_attach(Poolctl *p, char **words, size_t n);
ExitStatus verb_open(Poolctl *p, char **words, size_t n);
ExitStatus verb_nbd(Poolctl *p, char **words, size_t n);
/* access.c */
ExitStatus verb_access(Poolctl *p, char **words, size_t n);
ExitStatus verb_auth(Poolctl *p, char **words, size_t n);
/* backends.c */
ExitStatus verb_backends(Poolctl *p, char **words, size_t n);
ExitStatus verb_discover(Poolctl *p, char **words, size_t n);
/* jobs.c */
ExitStatus verb_jobs(Poolctl *p, char **words, size_t n);
ExitStatus verb_cancel(Poolctl *p, char **words, size_t n);
/* monitor.c */
ExitStatus verb_monitor(Poolctl *p, char **words, size_t n);
/* import-libvirt.c */
ExitStatus verb_import_libvirt(Poolctl *p, char **words, size_t n);

/* Prints "poolctl: WHAT: message" with what to do next, and gives the exit status of that error. */
ExitStatus fail(const Error *e, const char *what, ...) _printf_(2, 3);
/* A command line that cannot be meant; prints it with a pointer to the help. */
ExitStatus usage(const char *format, ...) _printf_(1, 2);
ExitStatus out_of_memory(void);
