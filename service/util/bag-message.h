/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bags to and from a D-Bus a{sv}. */
#pragma once

#include <systemd/sd-bus.h>

#include "bag.h"

int bag_append_to_message(const Bag *b, sd_bus_message *m); /* appends one a{sv}; b may be NULL: empty */

/* Reads one a{sv}. Keys twice, types that no bag has, more than 256 entries, a string over 64 KiB (1 MiB for
 * the key "xml"), nesting over 4: InvalidArgs, naming the key. Signed integers that fit are taken as
 * unsigned ones (busctl users write i). Descriptors are duplicated. */
int bag_read_from_message(sd_bus_message *m, Bag **ret, Error *e);
