/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods of org.example.Storage.Manager that make pools. */
#pragma once

#include <systemd/sd-bus.h>

int manager_method_define_pool(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int manager_method_define_pool_xml(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int manager_method_create_pool(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int manager_method_create_pool_xml(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
