/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.example.Storage.Manager.CheckAuthorized: what the caller could do now without being asked for a
 * password. */
#pragma once

#include <systemd/sd-bus.h>

int manager_method_check_authorized(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
