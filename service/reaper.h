/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frees a large table in slices, so that stopping a pool of 100,000 volumes holds nobody up. */
#pragma once

#include <systemd/sd-event.h>

#include "volume-table.h"

void volumes_reap(sd_event *event, VolumeTable *t /* taken */);
