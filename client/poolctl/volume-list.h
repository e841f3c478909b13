/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The volumes of a pool as JSON objects with the names of the Volume properties. */
#pragma once

#include "object.h"

/* Appends all volumes of the pool: by DumpVolumes, or where descriptors cannot cross the connection by
 * ListVolumes. */
int volume_list_read(Poolctl *p, const ObjectName *pool, json_object *ret, Error *e);

/* Appends those that match the filters ("pattern", "format", "type"), page by page with ListVolumes; these
 * have the members Name, Capacity, Allocation, MTimeUSec, Format, Type and Creator only. */
int volume_list_read_filtered(Poolctl *p, const ObjectName *pool, Bag *filters, json_object *ret, Error *e);
