/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume-message.h"

int volume_append_to_message(const VolumeInfo *v, sd_bus_message *m)
{
        return sd_bus_message_append(m, "(" VOLUME_SIGNATURE ")", v->name, (uint8_t)v->type,
                                     (uint8_t)v->format, (uint8_t)v->detected, v->flags, v->capacity,
                                     v->allocation, v->physical, v->creator, v->uid, v->gid, v->mode,
                                     v->mtime_usec, v->backing ?: "", (uint8_t)v->backing_format,
                                     v->error ?: "", v->snapshots ?: "");
}

int volume_read_from_message(sd_bus_message *m, VolumeInfo *ret, Error *e)
{
        VolumeInfo v = {};
        uint8_t type, format, detected, backing_format;
        int r;

        r = sd_bus_message_read(m, "(" VOLUME_SIGNATURE ")", &v.name, &type, &format, &detected, &v.flags,
                                &v.capacity, &v.allocation, &v.physical, &v.creator, &v.uid, &v.gid, &v.mode,
                                &v.mtime_usec, &v.backing, &backing_format, &v.error, &v.snapshots);
        if (r < 0)
                return error_set_errno(e, r, "cannot read a volume record of the worker");
        if (r == 0)
                return 0;
        v.type = type;
        v.format = format;
        v.detected = detected;
        v.backing_format = backing_format;
        v.backing = isempty(v.backing) ? NULL : v.backing;
        v.error = isempty(v.error) ? NULL : v.error;
        v.snapshots = isempty(v.snapshots) ? NULL : v.snapshots;
        r = volume_info_check(&v, e);
        if (r < 0)
                return r;
        *ret = v;
        return 1;
}
