/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hash table from strings to pointers (open addressing; keys are copied). Iteration order is not defined,
 * and entries must not be added or removed while iterating, except that removing the current one is allowed.
 */
#pragma once

#include "macro.h"

typedef struct Hashmap Hashmap;

Hashmap *hashmap_new(void);
void hashmap_free(Hashmap *h);                             /* the values are the caller's */
int hashmap_put(Hashmap *h, const char *key, void *value); /* -EEXIST when the key is there, -ENOMEM */
void *hashmap_get(const Hashmap *h, const char *key);      /* h may be NULL */
void *hashmap_remove(Hashmap *h, const char *key);         /* the value it had, or NULL */
size_t hashmap_size(const Hashmap *h);
bool hashmap_next(const Hashmap *h, size_t *cursor, const char **ret_key, void **ret_value);
DEFINE_CLEANUP(Hashmap *, hashmap_free)

#define HASHMAP_FOREACH(key, value, h) \
        for (size_t _cursor = 0; hashmap_next((h), &_cursor, &(key), (void **)&(value));)
