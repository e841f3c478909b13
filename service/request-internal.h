/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of requests share: one prepare function for each kind of operation, and what these are made of. */
#pragma once

#include "request.h"
#include "util/option.h"

/* Each checks one kind of request and fills args, checks and charge; see request_prepare(). */
typedef int (*prepare_t)(const Request *r, Prepared *p, Error *e);
int prepare_pool_start(const Request *r, Prepared *p, Error *e);
int prepare_pool_stop(const Request *r, Prepared *p, Error *e);
int prepare_pool_build(const Request *r, Prepared *p, Error *e);
int prepare_pool_delete(const Request *r, Prepared *p, Error *e);
int prepare_pool_refresh(const Request *r, Prepared *p, Error *e);
int prepare_pool_convert(const Request *r, Prepared *p, Error *e);
int prepare_volume_create(const Request *r, Prepared *p, Error *e);
int prepare_volume_clone(const Request *r, Prepared *p, Error *e);
int prepare_volume_import(const Request *r, Prepared *p, Error *e);
int prepare_volume_move(const Request *r, Prepared *p, Error *e);
int prepare_volume_rename(const Request *r, Prepared *p, Error *e);
int prepare_volume_resize(const Request *r, Prepared *p, Error *e);
int prepare_volume_delete(const Request *r, Prepared *p, Error *e);
int prepare_volume_set_format(const Request *r, Prepared *p, Error *e);
int prepare_volume_refresh(const Request *r, Prepared *p, Error *e);
int prepare_volume_upload(const Request *r, Prepared *p, Error *e);
int prepare_volume_download(const Request *r, Prepared *p, Error *e);
int prepare_volume_export(const Request *r, Prepared *p, Error *e);
int prepare_volume_convert(const Request *r, Prepared *p, Error *e);
int prepare_volume_rebase(const Request *r, Prepared *p, Error *e);
int prepare_volume_flatten(const Request *r, Prepared *p, Error *e);
int prepare_volume_wipe(const Request *r, Prepared *p, Error *e);
int prepare_snapshot(const Request *r, Prepared *p, Error *e);

extern const OptionSpec request_sync_option;

int request_no_memory(Error *e);
/* Adds one thing that polkit has to allow; *ret (may be NULL) is for more details, until the next one is added. */
int request_need(Prepared *p, const Pool *pool, const Volume *v, const char *action, ActionCheck **ret,
                 Error *e);
/* Checks the options against the table; they become the args. */
int request_options(const Request *r, const OptionSpec *specs, size_t n, Prepared *p, Error *e);
/* The same, where the options that are not in the table are those of a volume in `pool`: *ret_options. */
int request_split_options(const Request *r, const Pool *pool, const OptionSpec *specs, size_t n, Prepared *p,
                          Bag **ret_options, Error *e);
/* Puts a duplicate of the caller's descriptor into the args. */
int request_take_fd(const Request *r, Prepared *p, Error *e);
int request_feature(const Pool *p, const char *feature, const char *what, Error *e);
/* The volume of the request, in a pool that is usable. */
int request_find_volume(const Request *r, Volume **ret, Error *e);
int request_sha256(const Bag *args, Error *e); /* "sha256" looks like one, where it is given */

/* request-new.c: who may make a volume in this pool, as polkit is asked. */
typedef struct NewVolume {
        Pool *pool;
        const char *name, *format;
        uint64_t capacity;
        uid_t caller;
        const Bag *options; /* may be NULL */
} NewVolume;
int request_new_name(const Pool *p, const char *name, Error *e); /* a good one, free, in a usable pool */
int request_need_new(const NewVolume *n, Prepared *p, Error *e);

/* For one of the volumes of a pool that is converted: who asked for that was asked about. */
int request_submit_child(Job *parent, const Request *r, Prepared *p, Job **ret, Error *e);

/* request-check.c */
/* InUse where other volumes stand on this one, and the operation would harm them. */
int request_check_alone(const Pool *p, const char *volume, Operation o, Error *e);
/* InUse where the volume has snapshots, and the operation does not go with them. */
int request_check_snapshots(const Volume *v, Operation o, Error *e);
int request_check_free_name(const Pool *p, const char *name, Error *e); /* VolumeExists */
/* Everything that would go with it, each behind the one that it stands on; *ret stays NULL when there is nothing. */
int request_collect_dependents(const Pool *p, const char *volume, char ***ret, Error *e);
