/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volume records on the private bus between worker and daemon. */
#pragma once

#include <systemd/sd-bus.h>

#include "volume-info.h"

#define VOLUME_SIGNATURE "syyyutttuuuutsyss"
/* name type format detected flags capacity allocation physical creator uid gid mode mtime backing
 * backing_format error snapshots */

int volume_append_to_message(const VolumeInfo *v,
                             sd_bus_message *m); /* one struct; the array is open already */

/* Reads the next struct of the array and checks it; strings are borrowed from m. 1: read, 0: end of array.
 */
int volume_read_from_message(sd_bus_message *m, VolumeInfo *ret, Error *e);
