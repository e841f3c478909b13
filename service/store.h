/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions on disk: DIR/NAME.xml per pool, 0600, versioned, replaced atomically. Only what was defined is
 * kept here; what the kernel knows is asked of it. */
#pragma once

#include "definition.h"

typedef struct StoredPool {
        Definition *definition;
        bool autostart;
} StoredPool;

/* Called for each stored pool; takes ownership of the definition. Files that cannot be read are reported
 * through `bad` with a message and left in place. Version newer than ours: reported, not read. */
typedef int (*store_pool_t)(StoredPool pool, void *userdata);
typedef void (*store_bad_t)(const char *file, const Error *e, void *userdata);

/* The pool's name is stored through name_check(), so it is a file name. The root element carries
 * pk:version="1" and pk:autostart="yes|no". A missing directory is an empty store. */
int store_load(const char *directory, table_lookup_t lookup, store_pool_t pool, store_bad_t bad,
               void *userdata);
int store_save(const char *directory, const StoredPool *pool, const OptionTable *table,
               Error *e);                                            /* makes the directory, 0700 */
int store_remove(const char *directory, const char *name, Error *e); /* an absent file is fine */
