/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of volumes within one file-based pool. */
#pragma once

#include "backend.h"

/* As Backend.volume_clone: a copy (file/copy.h) of what the pool lends itself (file/lend.h), so a clone of an overlay has all
 * its data. transfer: force-share, bandwidth, and linked: instead, an overlay of the source (qcow2 unless the options say
 * otherwise), which from then on must not change. Tells "method": linked, or as a copy. */
int file_clone(Ctx *c, const char *name, const char *source, uint64_t capacity, const Bag *transfer,
               const Bag *options, uid_t creator);
