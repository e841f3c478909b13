/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/lend.h"

static int lend_check(const FileRoot *r, const char *name, const FileEntry *e)
{
        Error *error = ctx_error(r->ctx);

        if (e->info.type != VOLUME_FILE)
                return error_set(error, ERROR_NOT_SUPPORTED,
                                 "Volume %s is a directory; only what is in a file can be copied", name);
        if (e->info.error)
                return error_set(error, ERROR_CORRUPT, "Volume %s: %s", name, e->info.error);
        if (e->fd < 0) /* nothing of it was read so far, and this fails for a reason of its own */
                return error_set(error, ERROR_FAILED, "Volume %s cannot be read", name);
        return 0;
}

int file_chain_lock(const FileRoot *r, const char *name, const FileChain *chain, FileUseMode mode)
{
        for (size_t i = 0; i < chain->n; i++) {
                FileUseMode m = i == 0 || mode == FILE_USE_SHARE ? mode : FILE_USE_READ;
                FileUse use; /* never ended: the locks go with the descriptor, to whomever it is passed on */
                int k;

                k = file_use_begin(r, name, chain->nodes[i].fd, m, &use);
                if (k < 0)
                        return k;
        }
        return 0;
}

/* Bytes that the images take together. */
static uint64_t chain_allocation(const FileChain *chain)
{
        uint64_t n = 0;

        for (size_t i = 0; i < chain->n; i++) {
                struct stat st;

                if (fstat(chain->nodes[i].fd, &st) >= 0)
                        n += (uint64_t)st.st_blocks * 512;
        }
        return n;
}

static bool is_undeclared(const FileEntry *e)
{
        return e->mark.format == FORMAT_NONE && e->image.format != FORMAT_RAW &&
               e->image.format != FORMAT_NONE && e->image.format != FORMAT_ISO;
}

int file_lend_entry(const FileRoot *r, const char *name, FileEntry *e, bool share, VolumeSource *ret)
{
        _cleanup_chain_ FileChain chain = {};
        VolumeSource s = { .capacity = e->info.capacity, .undeclared = is_undeclared(e) };
        int k;

        k = lend_check(r, name, e);
        if (k >= 0)
                k = file_chain_find(r, name, e, e->fd, &chain);
        if (k >= 0)
                k = file_chain_lock(r, name, &chain, share ? FILE_USE_SHARE : FILE_USE_READ);
        if (k < 0)
                return k;
        s.name = strdup(name);
        if (!s.name)
                return error_set(ctx_error(r->ctx), ERROR_NO_MEMORY, "Out of memory");
        s.allocation = chain_allocation(&chain);
        if (chain.n > 1) /* it ends up as one */
                s.allocation = MIN(s.allocation, s.capacity);
        memcpy(s.nodes, chain.nodes, chain.n * sizeof(ImageNode));
        s.n = chain.n;
        chain.n = 0;
        e->fd = -EBADF;
        *ret = s;
        return 0;
}

int file_lend_volume(const FileRoot *r, const char *name, bool share, VolumeSource *ret)
{
        _cleanup_entry_ FileEntry e = FILE_ENTRY_NULL;
        _cleanup_free_ char *raw = NULL;
        int k;

        k = file_name(r, name, &raw);
        if (k >= 0)
                k = file_entry_find(r, name, raw, 0, &e);
        return k < 0 ? k : file_lend_entry(r, name, &e, share, ret);
}

int file_lend(Ctx *c, const char *name, const Bag *options, VolumeSource *ret)
{
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        int k = file_root_open(c, &r);

        return k < 0 ? k : file_lend_volume(&r, name, bag_get_bool(options, "force-share", false), ret);
}
