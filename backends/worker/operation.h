/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of operations share. */
#pragma once

#include "worker/ctx-internal.h"

int not_supported(Ctx *c, const char *what);

/* operation-data.c */
int run_open(Ctx *c, const char *volume, Bag *args, Bag *result);
int run_lend(Ctx *c, const char *volume, Bag *args, Bag *result);
int run_copy(Ctx *c, const char *volume, Bag *args, Bag *result);
int run_upload(Ctx *c, const char *volume, Bag *args, Bag *result);
int run_download(Ctx *c, const char *volume, Bag *args, Bag *result);
int run_import(Ctx *c, const char *volume, Bag *args, Bag *result);
int run_export(Ctx *c, const char *volume, Bag *args, Bag *result);
int run_rename(Ctx *c, const char *volume, Bag *args, Bag *result);
int run_convert(Ctx *c, const char *volume, Bag *args, Bag *result);
int run_rebase(Ctx *c, const char *volume, Bag *args, Bag *result);
int run_wipe(Ctx *c, const char *volume, Bag *args, Bag *result);
int run_snapshot(Ctx *c, const char *volume, Bag *args, Bag *result);
int run_endpoint(Ctx *c, const char *volume, Bag *args, Bag *result);
int run_attachment(Ctx *c, const char *volume, Bag *args, Bag *result);

/* source.c: a lent volume on its way between workers. */
int volume_source_to_bag(VolumeSource *s, Bag **ret); /* takes the descriptors */
int volume_source_from_bag(const Bag *b,
                           VolumeSource *ret); /* -EBADMSG: malformed; descriptors are duplicated */
