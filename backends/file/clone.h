/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of volumes within one file-based pool. */
#pragma once

#include "backend.h"

/* As Backend.volume_clone. Of the same format: shared blocks (FICLONE) where the file system can, in the
 * session worker; else a copy that keeps holes; in another format, or with options of one: through qemu-img,
 * what the guest sees. Tells "method" of the result: reflink, copy or convert. */
int file_clone(Ctx *c, const char *name, const char *source, uint64_t capacity, const Bag *transfer,
               const Bag *options, uid_t creator);
