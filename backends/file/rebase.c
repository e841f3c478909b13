/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/copy.h"
#include "file/change.h"
#include "file/copy.h"
#include "file/create.h"
#include "file/lend.h"
#include "file/swap.h"

/* ---- onto none ---- */

static int flatten(FileSwap *s, uint64_t bandwidth)
{
        _cleanup_bag_ Bag *making = NULL;
        Ctx *c = s->root.ctx;
        int k;

        k = file_swap_making(s, &making);
        if (k < 0)
                return k;
        ctx_ready(c);
        k = file_swap_open(s);
        if (k >= 0)
                k = file_convert_into(&s->root, &(FileConvert){ .name = s->name,
                                                                .nodes = s->chain.nodes,
                                                                .n = s->chain.n,
                                                                .fd = s->new.fd,
                                                                .format = s->entry.info.format,
                                                                .capacity = s->entry.info.capacity,
                                                                .bandwidth = bandwidth,
                                                                .options = making });
        s->entry.mark.backing[0] = '\0';
        return k < 0 ? k : file_swap_finish(s, s->entry.info.format);
}

/* ---- onto another ---- */

typedef struct Base {
        char *raw, *path;
        FileEntry entry;
        FileChain chain;
} Base;

static void base_done(Base *b)
{
        file_chain_done(&b->chain);
        file_entry_done(&b->entry);
        free(b->raw);
        free(b->path);
}

static bool same_file(const ImageNode *node, const struct statx *st)
{
        struct stat now;

        return fstat(node->fd, &now) >= 0 && now.st_ino == st->stx_ino;
}

static int base_check(const FileSwap *s, const char *name, const Base *b)
{
        Error *e = ctx_error(s->root.ctx);

        if (b->entry.info.type != VOLUME_FILE || b->entry.linked)
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "Volume %s is no file of its own; it cannot back another", name);
        if (b->entry.info.error)
                return error_set(e, ERROR_CORRUPT, "Volume %s: %s", name, b->entry.info.error);
        return file_refuse_undeclared(&s->root, name, &b->entry, "a backing volume");
}

static int base_open(const FileSwap *s, const char *name, Base *b)
{
        const FileRoot *r = &s->root;
        int k;

        k = file_name(r, name, &b->raw);
        if (k >= 0)
                k = file_entry_find(r, name, b->raw, 0, &b->entry);
        if (k >= 0)
                k = base_check(s, name, b);
        if (k >= 0)
                k = file_chain_open(r, name, &b->entry, b->entry.fd, &b->chain);
        if (k >= 0)
                k = file_chain_check_top(r->ctx, name, b->chain.n);
        for (size_t i = 0; i < b->chain.n && k >= 0; i++)
                if (same_file(b->chain.nodes + i, &s->entry.st))
                        k = error_set(ctx_error(r->ctx), ERROR_INVALID_ARGS,
                                      "Volume %s stands on volume %s itself; choose another", name, s->name);
        if (k >= 0)
                k = file_chain_lock(r, name, &b->chain, FILE_USE_READ);
        if (k >= 0 && file_backing_path(b->raw, &b->path) < 0)
                k = error_set(ctx_error(r->ctx), ERROR_NO_MEMORY, "Out of memory");
        return k;
}

static int copy_image(FileSwap *s)
{
        Ctx *c = s->root.ctx;
        DataCopied copied;
        int k = data_reflink(s->entry.fd, s->new.fd);

        if (k >= 0)
                return 0;
        if (k != -EOPNOTSUPP)
                return error_set_errno(ctx_error(c), k, "Cannot copy volume %s", s->name);
        return data_copy(c,
                         &(DataCopy){ .from = s->entry.fd,
                                      .to = s->new.fd,
                                      .from_name = s->name,
                                      .to_name = s->name,
                                      .length = s->entry.st.stx_size },
                         &copied);
}

static int rebase_onto(FileSwap *s, const Base *b)
{
        ImageFormat format = s->entry.info.format;
        ImageNode nodes[IMAGE_CHAIN_MAX];
        Ctx *c = s->root.ctx;
        int k;

        ctx_ready(c);
        k = file_swap_open(s);
        if (k >= 0)
                k = copy_image(s);
        if (k < 0)
                return k;
        memcpy(nodes, s->chain.nodes, sizeof(nodes));
        nodes[0] = (ImageNode){ .fd = s->new.fd, .format = format };
        k = qemu_img_rebase(c, nodes, s->chain.n, b->chain.nodes, b->chain.n, b->path,
                            s->entry.info.capacity);
        if (k >= 0)
                k = file_mark_base(&s->root, b->raw, &b->entry);
        (void)snprintf(s->entry.mark.backing, sizeof(s->entry.mark.backing), "%s", b->raw);
        return k < 0 ? k : file_swap_finish(s, format);
}

static int rebase(FileSwap *s, const char *backing, const Bag *options)
{
        _cleanup_(base_done) Base b = { .entry = FILE_ENTRY_NULL };
        Error *e = ctx_error(s->root.ctx);
        int k;

        if (s->entry.info.format != FORMAT_QCOW2 && s->entry.info.format != FORMAT_QED)
                return error_set(
                        e, ERROR_NOT_SUPPORTED,
                        "Volume %s is of format %s, which cannot change its backing volume; qcow2 can",
                        s->name, image_format_to_string(s->entry.info.format));
        if (bag_get_u64(options, "bandwidth", 0) > 0)
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "The bandwidth of a rebase cannot be limited, only that of flattening");
        k = base_open(s, backing, &b);
        if (k < 0)
                return k;
        if (s->chain.n > 1 && same_file(s->chain.nodes + 1, &b.entry.st))
                return ctx_volume(s->root.ctx, &s->entry.info); /* there already */
        return rebase_onto(s, &b);
}

int file_rebase(Ctx *c, const char *name, const char *backing, const Bag *options)
{
        _cleanup_swap_ FileSwap s = FILE_SWAP_NULL;
        int k;

        k = file_swap_begin(c, name, "rebased", &s);
        if (k < 0)
                return k;
        if (!backing && !s.entry.info.backing)
                return ctx_volume(c, &s.entry.info); /* flat already */
        k = ctx_need_job(c);
        if (k >= 0)
                k = file_swap_lock(&s);
        if (k < 0)
                return k;
        return backing ? rebase(&s, backing, options) : flatten(&s, bag_get_u64(options, "bandwidth", 0));
}
