/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/change.h"
#include "file/copy.h"
#include "file/create.h"
#include "file/swap.h"

typedef struct Convert {
        FileSwap swap;
        Bag *options; /* of the volume, with its format */
        ImageFormat format;
} Convert;

static void convert_done(Convert *s)
{
        file_swap_done(&s->swap);
        bag_free(s->options);
}

/* The file is a new one, but the volume is not. */
static int check_options(const Convert *s, const Bag *options)
{
        static const char *const kept[] = { "mode", "owner", "group", "label", "nocow", "backing.path" };

        for (size_t i = 0; i < ELEMENTSOF(kept); i++)
                if (bag_has(options, kept[i]))
                        return error_set(
                                ctx_error(s->swap.root.ctx), ERROR_INVALID_ARGS,
                                "A conversion does not take the option %s; volume %s keeps what it has",
                                kept[i], s->swap.name);
        return 0;
}

static int convert_prepare(Convert *s, ImageFormat format, const Bag *options)
{
        Ctx *c = s->swap.root.ctx;
        int k;

        k = check_options(s, options);
        if (k < 0)
                return k;
        s->options = options ? bag_copy(options) : bag_new();
        if (!s->options || bag_set_string(s->options, "format", image_format_to_string(format)) < 0)
                return error_set(ctx_error(c), ERROR_NO_MEMORY, "Out of memory");
        k = file_create_format(&s->swap.root, s->swap.name, s->options, &s->format);
        if (k >= 0 && s->format == FORMAT_DIR)
                k = error_set(ctx_error(c), ERROR_INVALID_ARGS, "Volume %s is a file, and no directory",
                              s->swap.name);
        return k;
}

static bool is_done(const Convert *s)
{
        return s->format == s->swap.entry.info.format && bag_size(s->options) == 1;
}

static int convert_run(Convert *s, uint64_t bandwidth)
{
        FileSwap *swap = &s->swap;
        Ctx *c = swap->root.ctx;
        int k;

        k = ctx_need_job(c);
        if (k >= 0)
                k = file_swap_lock(swap);
        if (k >= 0 && swap->entry.mark.base)
                k = file_refuse_overlays(&swap->root, swap->name, swap->raw, NULL);
        if (k < 0)
                return k;
        ctx_ready(c);
        k = file_swap_open(swap);
        if (k >= 0)
                k = file_convert_into(&swap->root, &(FileConvert){ .name = swap->name,
                                                                   .nodes = swap->chain.nodes,
                                                                   .n = swap->chain.n,
                                                                   .fd = swap->new.fd,
                                                                   .format = s->format,
                                                                   .capacity = swap->entry.info.capacity,
                                                                   .bandwidth = bandwidth,
                                                                   .options = s->options });
        swap->entry.mark.backing[0] = '\0'; /* it has all its data now */
        if (k >= 0)
                k = file_swap_finish(swap, s->format);
        return k < 0 ? k : ctx_result(c, "method", "convert");
}

int file_convert(Ctx *c, const char *name, ImageFormat format, const Bag *options)
{
        _cleanup_(convert_done) Convert s = { .swap = FILE_SWAP_NULL };
        int k;

        k = file_swap_begin(c, name, "converted", &s.swap);
        if (k >= 0)
                k = convert_prepare(&s, format, bag_get_bag(options, "options"));
        if (k < 0)
                return k;
        if (!is_done(&s))
                return convert_run(&s, bag_get_u64(options, "bandwidth", 0));
        k = ctx_result(c, "method", "none");
        return k < 0 ? k : ctx_volume(c, &s.swap.entry.info);
}
