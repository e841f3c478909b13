/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods of org.example.Storage.Volume that have a file of their own. */
#pragma once

#include "bus-call.h"

/* call_begin(), with the volume as what is asked for. */
int volume_begin(sd_bus_message *m, Volume *v, Request *ret_request, Call *ret, sd_bus_error *ret_error);
/* Reads the options, which request_prepare() checks, and submits. */
int volume_submit(Call *c, Request *request, sd_bus_error *ret_error);

/* Where it is on the host; a path that is no UTF-8 is escaped as names are. New string, NULL: out of memory. */
char *volume_shown_path(const Pool *p, const char *name);

/* bus-data.c */
int volume_method_upload(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int volume_method_download(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int volume_method_export(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int volume_method_rename(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int volume_method_move(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int volume_method_convert(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int volume_method_flatten(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int volume_method_rebase(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int volume_method_wipe(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int volume_method_create_snapshot(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
