/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "worker/operation.h"

void volume_source_done(VolumeSource *s)
{
        for (size_t i = 0; i < s->n; i++)
                s->nodes[i].fd = safe_close(s->nodes[i].fd);
        s->n = 0;
        free(s->name);
        s->name = NULL;
}

static int add_node(Bag *b, ImageNode *node)
{
        Bag *item = bag_new();
        int r;

        r = bag_set_fd(item, "fd", TAKE_FD(node->fd));
        if (r >= 0)
                r = bag_set_string(item, "format", image_format_to_string(node->format));
        if (r < 0) {
                bag_free(item);
                return r;
        }
        return bag_add_bag(b, "nodes", item);
}

int volume_source_to_bag(VolumeSource *s, Bag **ret)
{
        _cleanup_bag_ Bag *b = bag_new();
        int r;

        r = bag_set_string(b, "name", s->name);
        if (r >= 0)
                r = bag_set_u64(b, "capacity", s->capacity);
        if (r >= 0)
                r = bag_set_u64(b, "allocation", s->allocation);
        if (r >= 0)
                r = bag_set_bool(b, "undeclared", s->undeclared);
        for (size_t i = 0; i < s->n && r >= 0; i++)
                r = add_node(b, s->nodes + i);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b);
        return 0;
}

static int read_node(const Bag *item, ImageNode *ret)
{
        ImageFormat format = image_format_from_string(bag_get_string(item, "format") ?: "");
        int fd = bag_get_fd(item, "fd");

        if (format <= FORMAT_NONE || fd < 0)
                return -EBADMSG;
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return -errno;
        *ret = (ImageNode){ .fd = fd, .format = format };
        return 0;
}

int volume_source_from_bag(const Bag *b, VolumeSource *ret)
{
        _cleanup_source_ VolumeSource s = {};
        const Value *nodes = bag_get_bags(b, "nodes");
        const char *name = bag_get_string(b, "name");
        int r;

        if (isempty(name) || !nodes || nodes->n_bags == 0 || nodes->n_bags > IMAGE_CHAIN_MAX)
                return -EBADMSG;
        s.capacity = bag_get_u64(b, "capacity", UINT64_MAX);
        s.allocation = bag_get_u64(b, "allocation", UINT64_MAX);
        s.undeclared = bag_get_bool(b, "undeclared", false);
        s.name = strdup(name);
        if (!s.name)
                return -ENOMEM;
        for (; s.n < nodes->n_bags; s.n++) {
                r = read_node(nodes->bags[s.n], s.nodes + s.n);
                if (r < 0)
                        return r;
        }
        *ret = s;
        s = (VolumeSource){};
        return 0;
}
