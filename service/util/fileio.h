/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole files and descriptors: read, written so that they survive a power cut, sealed in memory. */
#pragma once

#include <time.h>

#include "macro.h"

/* Reads a regular file of at most `limit` bytes below dirfd (O_NOFOLLOW). *ret is NUL-terminated. -EFBIG
 * over the limit. */
int read_file_at(int dirfd, const char *name, size_t limit, char **ret, size_t *ret_size);
int read_fd(int fd, size_t limit, char **ret, size_t *ret_size);

/* Temporary file, write, fsync, rename over `name`, fsync of the directory. On failure the old file stands
 * untouched. */
int write_file_atomic_at(int dirfd, const char *name, const void *data, size_t size, mode_t mode);
int unlink_durable_at(int dirfd, const char *name); /* unlink, then fsync of the directory */

int loop_write(int fd, const void *data, size_t size);
int mkdir_parents(const char *path, mode_t mode);                  /* an existing directory is fine */
int memfd_sealed(const char *name, const void *data, size_t size); /* a sealed memfd, or negative errno */
int fd_reopen(int fd, int flags);                                  /* through /proc/self/fd */
uint64_t now_usec(clockid_t clock);
