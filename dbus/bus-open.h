/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods that lend a volume's data: by descriptor, by connection, or by words for a virtual machine. */
#pragma once

#include <systemd/sd-bus.h>

int volume_method_open(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int pool_method_open_volume(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);

/* bus-endpoint.c */
int volume_method_open_nbd(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);

/* bus-attachment.c */
int volume_method_get_attachment(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
