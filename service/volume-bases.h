/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which volumes of a pool stand on which: the backed ones in a list for each of their bases, so that asking
 * costs nothing where there are many others. */
#pragma once

#include "util/hashmap.h"

typedef struct Volume Volume;

typedef struct VolumeBase {
        size_t n_users; /* links that hold it */
        Volume *first;
        char name[];
} VolumeBase;

/* Part of each backed volume. */
typedef struct VolumeLink {
        VolumeBase *base; /* NULL: no volume of this pool */
        Volume *next, *previous;
} VolumeLink;

/* The base of that name, for a link. Held until volume_base_release(). */
int volume_base_hold(Hashmap *bases, const char *name, VolumeBase **ret);
void volume_base_release(Hashmap *bases, VolumeBase *b); /* b may be NULL */

/* `v` with its link, volume_link(), comes or goes. Cannot fail. */
void volume_base_add(Volume *v);
void volume_base_remove(Volume *v);
