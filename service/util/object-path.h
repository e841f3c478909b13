/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of objects on the bus; encoded by sd_bus_path_encode(3). */
#pragma once

#include "macro.h"

#define OBJECT_ROOT "/org/example/Storage"
#define OBJECT_POOLS OBJECT_ROOT "/pool"
#define OBJECT_VOLUMES OBJECT_ROOT "/volume"
#define OBJECT_SNAPSHOTS OBJECT_ROOT "/snapshot"
#define OBJECT_JOBS OBJECT_ROOT "/job"

/* New strings; NULL: out of memory. */
char *object_path_pool(const char *pool);
char *object_path_volumes(const char *pool); /* the prefix of all volumes of a pool */
char *object_path_volume(const char *pool, const char *volume);
char *object_path_snapshots(const char *pool, const char *volume); /* the prefix of all of a volume */
char *object_path_snapshot(const char *pool, const char *volume, const char *snapshot);
char *object_path_job(uint64_t id);

/* The names behind a path: 1, or 0 when it is not of that kind. -ENOMEM. */
int object_path_to_pool(const char *path, char **ret_pool);
int object_path_to_volume(const char *path, char **ret_pool, char **ret_volume);
int object_path_to_snapshot(const char *path, char **ret_pool, char **ret_volume, char **ret_snapshot);
int object_path_to_job(const char *path, uint64_t *ret_id);
