/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/endpoint.h"

#include <fcntl.h>

#include "file/use.h"
#include "file/volume.h"

#define LOCK_FD (COMMAND_FD_NUMBERS - 1) /* behind those of the images */

typedef struct Served {
        FileRoot root;
        const char *name;
        char *raw, *node;
        FileEntry entry;
        FileChain chain;
        int fd; /* of the image, for writing */
        bool read_only;
        CommandFd fds[IMAGE_CHAIN_MAX + 1];
        size_t n_fds;
} Served;

static void served_done(Served *s)
{
        file_chain_done(&s->chain);
        s->fd = safe_close(s->fd);
        file_entry_done(&s->entry);
        file_root_done(&s->root);
        free(s->raw);
        free(s->node);
}

static int served_check(const Served *s)
{
        Error *e = ctx_error(s->root.ctx);
        const VolumeInfo *v = &s->entry.info;
        int k;

        if (v->type != VOLUME_FILE)
                return error_set(e, ERROR_NOT_SUPPORTED, "Volume %s is a directory; only files are served",
                                 s->name);
        if (v->error)
                return error_set(e, ERROR_CORRUPT, "Volume %s: %s", s->name, v->error);
        if (s->entry.linked)
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "Volume %s is a symbolic link; open what it leads to", s->name);
        if (v->flags & VOLUME_FOREIGN_LINKS && !s->read_only)
                return error_set(
                        e, ERROR_NOT_SUPPORTED,
                        "Volume %s has another name (hard link), perhaps outside the pool; serve it "
                        "read-only",
                        s->name);
        k = file_refuse_undeclared(&s->root, s->name, &s->entry, "served");
        if (k >= 0 && !s->read_only)
                k = file_check_writable(s->root.ctx, s->name, v->format, &s->entry.image);
        return k;
}

/* The locks are never given back here: they are to last as long as the server has the descriptors. */
static int lock_chain(Served *s)
{
        FileUse use;
        int k = 0;

        for (size_t i = 1; i < s->chain.n && k >= 0; i++)
                k = file_use_begin(&s->root, s->name, s->chain.nodes[i].fd, FILE_USE_READ, &use);
        return k;
}

static int open_for_writing(Served *s)
{
        s->fd = file_open_same(&s->root, s->name, s->raw, &s->entry);
        if (s->fd < 0)
                return s->fd;
        /* The server has no use for it, but the locks are its. */
        s->fds[s->n_fds++] = (CommandFd){ .fd = s->entry.fd, .number = LOCK_FD };
        return 0;
}

static int served_open(Served *s)
{
        FileUse use;
        int k;

        k = file_use_begin(&s->root, s->name, s->entry.fd, s->read_only ? FILE_USE_READ : FILE_USE_GUEST,
                           &use);
        if (k >= 0 && !s->read_only)
                k = open_for_writing(s);
        if (k >= 0)
                k = file_chain_open(&s->root, s->name, &s->entry, s->read_only ? s->entry.fd : s->fd,
                                    &s->chain);
        if (k >= 0)
                k = lock_chain(s);
        if (k >= 0)
                k = qemu_node(s->chain.nodes, s->chain.n, true, s->fds, &s->n_fds, &s->node);
        return k;
}

static int serve(Served *s, Bag *result)
{
        const Endpoint endpoint = {
                .node = s->node,
                .fds = s->fds,
                .n_fds = s->n_fds,
                .read_only = s->read_only,
                /* Snapshots may hold all that is there: then every cluster is written anew once. */
                .size_max = s->read_only ? 0 : qemu_file_max(s->entry.st.stx_size + s->entry.info.capacity),
        };
        _cleanup_close_ int fd = -EBADF;
        int k;

        k = endpoint_open(s->root.ctx, &endpoint, &fd);
        if (k < 0)
                return k;
        k = bag_set_fd(result, "fd", TAKE_FD(fd));
        if (k >= 0)
                k = bag_set_string(result, "export", ENDPOINT_EXPORT);
        return k < 0 ? error_set_errno(ctx_error(s->root.ctx), k, "Cannot tell of an endpoint") : 0;
}

int file_endpoint(Ctx *c, const char *name, bool read_only, Bag *result)
{
        _cleanup_(served_done) Served s = { .root = FILE_ROOT_NULL,
                                            .name = name,
                                            .entry = FILE_ENTRY_NULL,
                                            .fd = -EBADF,
                                            .read_only = read_only };
        int k;

        k = file_root_open(c, &s.root);
        if (k >= 0)
                k = file_name(&s.root, name, &s.raw);
        if (k >= 0)
                k = file_entry_find(&s.root, name, s.raw, 0, &s.entry);
        if (k >= 0)
                k = served_check(&s);
        if (k >= 0)
                k = ctx_need_job(c);
        if (k >= 0)
                k = served_open(&s);
        return k < 0 ? k : serve(&s, result);
}
