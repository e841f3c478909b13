/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of requests share: one prepare function for each operation, and what these are made of. */
#pragma once

#include "request.h"
#include "util/option.h"

/* Each checks one kind of request and fills args, checks and charge; see request_prepare(). */
int prepare_pool_start(const Request *r, Prepared *p, Error *e);
int prepare_pool_stop(const Request *r, Prepared *p, Error *e);
int prepare_pool_build(const Request *r, Prepared *p, Error *e);
int prepare_pool_delete(const Request *r, Prepared *p, Error *e);
int prepare_pool_refresh(const Request *r, Prepared *p, Error *e);
int prepare_volume_create(const Request *r, Prepared *p, Error *e);
int prepare_volume_clone(const Request *r, Prepared *p, Error *e);
int prepare_volume_resize(const Request *r, Prepared *p, Error *e);
int prepare_volume_delete(const Request *r, Prepared *p, Error *e);
int prepare_volume_set_format(const Request *r, Prepared *p, Error *e);
int prepare_volume_refresh(const Request *r, Prepared *p, Error *e);

extern const OptionSpec request_sync_option;

int request_no_memory(Error *e);
/* Adds one thing that polkit has to allow; *ret (may be NULL) is for more details, until the next one is added. */
int request_need(Prepared *p, const Pool *pool, const Volume *v, const char *action, ActionCheck **ret,
                 Error *e);
/* Checks the options against the table; they become the args. */
int request_options(const Request *r, const OptionSpec *specs, size_t n, Prepared *p, Error *e);
int request_feature(const Request *r, const char *feature, const char *what, Error *e);
