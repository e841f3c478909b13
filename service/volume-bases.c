/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume-bases.h"

#include "volume-table.h"

int volume_base_hold(Hashmap *bases, const char *name, VolumeBase **ret)
{
        VolumeBase *b = hashmap_get(bases, name);
        size_t n = strlen(name) + 1;

        if (!b) {
                b = calloc(1, sizeof(*b) + n);
                if (!b)
                        return -ENOMEM;
                memcpy(b->name, name, n);
                if (hashmap_put(bases, name, b) < 0) {
                        free(b);
                        return -ENOMEM;
                }
        }
        b->n_users++;
        *ret = b;
        return 0;
}

void volume_base_release(Hashmap *bases, VolumeBase *b)
{
        if (!b || --b->n_users > 0)
                return;
        (void)hashmap_remove(bases, b->name);
        free(b);
}

void volume_base_add(Volume *v)
{
        VolumeLink *link = volume_link(v);

        if (!link || !link->base)
                return;
        link->previous = NULL;
        link->next = link->base->first;
        if (link->next)
                volume_link(link->next)->previous = v;
        link->base->first = v;
}

void volume_base_remove(Volume *v)
{
        VolumeLink *link = volume_link(v);

        if (!link || !link->base)
                return;
        if (link->previous)
                volume_link(link->previous)->next = link->next;
        else
                link->base->first = link->next;
        if (link->next)
                volume_link(link->next)->previous = link->previous;
        link->next = link->previous = NULL;
}
