/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods of org.example.Storage.Pool that have a file of their own. */
#pragma once

#include "bus-call.h"

int pool_begin(sd_bus_message *m, Pool *p, Call *ret, sd_bus_error *ret_error);

int pool_method_update(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int pool_method_update_xml(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int pool_method_get_xml(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int pool_method_get_definition(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int pool_method_list_volumes(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int pool_method_dump_volumes(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int pool_method_create_volume(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int pool_method_create_volume_xml(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int pool_method_clone_volume(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int pool_method_import_volume(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int pool_method_convert_volumes(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
