/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The refresh of a file-based pool. */
#pragma once

#include "file/root.h"

/* As Backend.refresh. Unchanged entries (name, inode, size, blocks, ctime as seen before) are not even
 * opened. */
int file_scan(Ctx *c, int snapshot, int *ret_snapshot);

/* Calls `visit` with the name on disk and the DT_* type of each entry, in the order of the directory, until
 * it returns non-zero, which is returned. Negative errno of the directory itself. */
typedef int (*file_visit_t)(const char *raw, unsigned char type, void *userdata);
int file_each_entry(int dirfd, file_visit_t visit, void *userdata);
