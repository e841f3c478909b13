/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole images between a caller's descriptor and a pool, in any format that qemu-img knows. */
#pragma once

#include "backend.h"

/* As Backend.volume_import; `transfer` as in protocol.h. What cannot be read in place (a pipe, what is compressed, what is to
 * be hashed) is copied into the pool first, into a file without a name. Refused, and nothing of it read: an image that names
 * other files (NotSupported); an image with more bytes than the limit (LimitsExceeded), before any is written. An encrypted
 * one is taken as it is, but not converted. InvalidArgs: not of the format that was said, another checksum than expected. */
int file_import(Ctx *c, const char *name, int fd, const Bag *transfer, const Bag *options, uid_t creator);

/* As Backend.volume_export. An overlay is flattened, to qcow2 unless said otherwise. */
int file_export(Ctx *c, const char *name, int fd, const Bag *options);
