/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods of org.example.Storage.Manager about pool types. */
#pragma once

#include <systemd/sd-bus.h>

int manager_method_list_backends(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int manager_method_describe_backend(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int manager_method_discover_sources(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
