/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Switches that are options of a method, under the same name. */
#pragma once

#include "switches.h"
#include "util/bag.h"

#define SWITCHES_OPTIONS                                                                                \
        (SWITCH_BIT(ALLOCATE) | SWITCH_BIT(ATOMIC) | SWITCH_BIT(BANDWIDTH) | SWITCH_BIT(CAPACITY) |     \
         SWITCH_BIT(CHECKSUM) | SWITCH_BIT(COMPRESSION) | SWITCH_BIT(DEPENDENTS) | SWITCH_BIT(DEVICE) | \
         SWITCH_BIT(FORCE_SHARE) | SWITCH_BIT(FORMAT) | SWITCH_BIT(GROW) | SWITCH_BIT(LENGTH) |         \
         SWITCH_BIT(LINKED) | SWITCH_BIT(OFFSET) | SWITCH_BIT(PROBE) | SWITCH_BIT(READ_ONLY) |          \
         SWITCH_BIT(SECRET) | SWITCH_BIT(SHA256) | SWITCH_BIT(SHRINK) | SWITCH_BIT(SOURCE_FORMAT) |     \
         SWITCH_BIT(SPARSE) | SWITCH_BIT(WRITE))

/* Those that are given, into the bag: one without value as b, one with a SIZE or RATE as t, another as s.
 * InvalidArgs names the switch. */
int switches_to_options(const CommandLine *line, Bag *options, Error *e);
