/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/copy.h"

#include <fcntl.h>

#include "data/copy.h"
#include "file/create.h"
#include "file/volume.h"

#define SECTOR 512u

/* ---- through qemu-img ---- */

int file_convert_into(const FileRoot *r, const FileConvert *what)
{
        _cleanup_close_ int passphrase = -EBADF;
        QemuImage image = {
                .fd = what->fd,
                .format = what->format,
                .capacity = (what->capacity + SECTOR - 1) / SECTOR * SECTOR,
                .options = what->options,
        };
        int k;

        if (what->format == FORMAT_RAW || what->format == FORMAT_ISO)
                k = file_create_raw(r, what->name, what->fd, image.capacity, what->options);
        else {
                k = file_root_reserve(r, file_image_takes(what->format, what->capacity, what->options));
                if (k >= 0)
                        k = file_create_image(r, what->name, what->fd, what->format, what->capacity,
                                              what->options, &passphrase);
        }
        if (k < 0)
                return k;
        image.passphrase = passphrase;
        return qemu_img_convert(r->ctx, what->nodes, what->n, &image, what->bandwidth);
}

/* ---- the copy ---- */

typedef struct Copy {
        const FileRoot *root;
        const VolumeSource *source;
        FileCopy what;
        Bag *words;      /* options with the format in them, NULL: as they came */
        uint64_t growth; /* bytes that the source does not have */
        ImageFormat format;
        bool convert;
        FileNew new;
} Copy;

static void copy_end(Copy *s)
{
        file_new_done(&s->new);
        bag_free(s->words);
}

static bool is_plain(ImageFormat f)
{
        return f == FORMAT_RAW || f == FORMAT_ISO || f == FORMAT_LUKS;
}

/* Without a word, a copy is of the format that its source has. */
static int choose_format(Copy *s)
{
        const char *word = bag_get_string(s->what.options, "format");
        ImageFormat is = s->source->nodes[0].format;

        s->format = word ? image_format_from_string(word) : is;
        if ((int)s->format < 0)
                s->format = FORMAT_NONE;
        s->convert = s->source->n > 1 || !image_format_is_same(s->format, is) ||
                     file_options_are_of_image(s->what.options);
        if (!s->convert)
                return 0;
        if (!word) {
                s->words = s->what.options ? bag_copy(s->what.options) : bag_new();
                if (!s->words || bag_set_string(s->words, "format", image_format_to_string(is)) < 0)
                        return error_set(ctx_error(s->root->ctx), ERROR_NO_MEMORY, "Out of memory");
                s->what.options = s->words;
        }
        return file_create_format(s->root, s->what.name, s->what.options, &s->format);
}

static int check_capacity(Copy *s)
{
        Error *e = ctx_error(s->root->ctx);
        uint64_t has = s->source->capacity;

        if (s->what.capacity == UINT64_MAX || s->what.capacity == 0)
                s->what.capacity = has;
        if (s->what.capacity < has)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "Volume %s has %llu bytes; its clone %s cannot be smaller", s->source->name,
                                 (unsigned long long)has, s->what.name);
        if (s->what.capacity > INT64_MAX - (1 << 30))
                return error_set(e, ERROR_INVALID_ARGS, "Volume %s: capacity %llu is too large",
                                 s->what.name, (unsigned long long)s->what.capacity);
        s->growth = s->what.capacity - has;
        if (s->growth > 0 && !s->convert && !is_plain(s->format) && s->format != FORMAT_QCOW2 &&
            s->format != FORMAT_QED)
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "Volume %s: format %s cannot grow; clone with the capacity of %s, or to "
                                 "format qcow2",
                                 s->what.name, image_format_to_string(s->format), s->source->name);
        return 0;
}

static int check_allocation(const Copy *s)
{
        uint64_t allocation = bag_get_u64(s->what.options, "allocation", 0);
        Error *e = ctx_error(s->root->ctx);

        if (allocation > s->what.capacity)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "Volume %s: allocation %llu is more than the capacity %llu", s->what.name,
                                 (unsigned long long)allocation, (unsigned long long)s->what.capacity);
        if (allocation > 0 && s->format != FORMAT_RAW && s->format != FORMAT_ISO)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "Volume %s: a clone of format %s does not take an allocation", s->what.name,
                                 image_format_to_string(s->format));
        return 0;
}

static int copy_check(Copy *s)
{
        Error *e = ctx_error(s->root->ctx);
        int k;

        if (bag_has(s->what.options, "backing.path"))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "A clone has its own data; to make an overlay of %s, say linked",
                                 s->source->name);
        k = choose_format(s);
        if (k >= 0 && s->format == FORMAT_DIR)
                k = error_set(e, ERROR_INVALID_ARGS, "Volume %s: a file cannot be cloned to a directory",
                              s->what.name);
        if (k >= 0 && s->convert && s->source->undeclared)
                k = error_set(
                        e, ERROR_INVALID_ARGS,
                        "Volume %s looks like an image, but was not made by this service, so it counts as "
                        "raw and cannot be converted; declare its format first",
                        s->source->name);
        if (k >= 0)
                k = check_capacity(s);
        if (k >= 0)
                k = check_allocation(s);
        if (k >= 0 && s->convert)
                k = file_chain_check(s->root->ctx, s->source->name, s->source->nodes, s->source->n);
        return k;
}

/* Of a file or a block device. */
static int copy_bytes(Copy *s, uint64_t *ret_size)
{
        int from = s->source->nodes[0].fd, k;
        Ctx *c = s->root->ctx;
        off_t size = lseek(from, 0, SEEK_END);
        DataCopied copied;
        Pace pace;

        pace_init(&pace, s->what.bandwidth);
        if (size < 0)
                return error_set_errno(ctx_error(c), errno, "Cannot tell the size of volume %s",
                                       s->source->name);
        *ret_size = (uint64_t)size;
        k = data_reflink(from, s->new.fd);
        if (k >= 0)
                return ctx_result(c, "method", data_method_to_string(DATA_REFLINK));
        if (k != -EOPNOTSUPP)
                return error_set_errno(ctx_error(c), k, "Cannot clone volume %s", s->source->name);
        k = ctx_need_job(c);
        if (k >= 0)
                k = file_root_reserve(s->root, s->source->allocation);
        if (k < 0)
                return k;
        ctx_ready(c);
        k = data_copy(c,
                      &(DataCopy){ .from = from,
                                   .to = s->new.fd,
                                   .from_name = s->source->name,
                                   .to_name = s->what.name,
                                   .length = *ret_size,
                                   .pace = s->what.bandwidth > 0 ? &pace : NULL },
                      &copied);
        return k < 0 ? k : ctx_result(c, "method", data_method_to_string(copied.method));
}

/* The copy has its bytes; now what is beyond the source's end. */
static int grow(Copy *s, uint64_t size)
{
        uint64_t allocation = bag_get_u64(s->what.options, "allocation", 0);
        const ImageNode node = { .fd = s->new.fd, .format = s->format };
        Ctx *c = s->root->ctx;

        if (is_plain(s->format)) {
                if (s->growth > 0 && ftruncate(s->new.fd, (off_t)(size + s->growth)) < 0)
                        return error_set_errno(ctx_error(c), errno, "Cannot make volume %s larger",
                                               s->what.name);
                if (allocation > 0 && fallocate(s->new.fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)allocation) < 0)
                        return error_set_errno(ctx_error(c), errno, "Cannot allocate volume %s",
                                               s->what.name);
                return 0;
        }
        if (s->growth == 0)
                return 0;
        return qemu_img_resize(c, &node, 1, (s->what.capacity + SECTOR - 1) / SECTOR * SECTOR, false, false);
}

static int copy_as_is(Copy *s)
{
        Ctx *c = s->root->ctx;
        uint64_t size = 0;
        int k = 0;

        if (s->growth > 0 && !is_plain(s->format)) {
                k = ctx_need_job(c);
                if (k >= 0)
                        k = file_chain_check(c, s->source->name, s->source->nodes, s->source->n);
        }
        if (k >= 0)
                k = file_root_reserve(s->root, bag_get_u64(s->what.options, "allocation", 0));
        if (k >= 0)
                k = file_new_open(s->root, s->what.name, false, s->what.options, s->what.creator, &s->new);
        if (k >= 0)
                k = copy_bytes(s, &size);
        if (k >= 0)
                k = grow(s, size);
        return k < 0 ? k : file_new_finish(&s->new, s->source->undeclared ? FORMAT_NONE : s->format);
}

static int copy_convert(Copy *s)
{
        Ctx *c = s->root->ctx;
        int k;

        k = ctx_need_job(c);
        if (k >= 0)
                k = file_root_reserve(s->root, s->source->allocation);
        if (k < 0)
                return k;
        ctx_ready(c);
        k = file_new_open(s->root, s->what.name, false, s->what.options, s->what.creator, &s->new);
        if (k >= 0)
                k = file_convert_into(s->root, &(FileConvert){ .name = s->what.name,
                                                               .nodes = s->source->nodes,
                                                               .n = s->source->n,
                                                               .fd = s->new.fd,
                                                               .format = s->format,
                                                               .capacity = s->what.capacity,
                                                               .bandwidth = s->what.bandwidth,
                                                               .options = s->what.options });
        if (k >= 0)
                k = ctx_result(c, "method", "convert");
        return k < 0 ? k : file_new_finish(&s->new, s->format);
}

int file_copy_source(const FileRoot *r, const FileCopy *what, const VolumeSource *source)
{
        _cleanup_(copy_end) Copy s = { .root = r, .source = source, .what = *what, .new = FILE_NEW_NULL };
        int k = copy_check(&s);

        if (k < 0)
                return k;
        return s.convert ? copy_convert(&s) : copy_as_is(&s);
}

int file_copy(Ctx *c, const char *name, const VolumeSource *source, uint64_t capacity, const Bag *transfer,
              const Bag *options, uid_t creator)
{
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        const FileCopy what = {
                .name = name,
                .capacity = capacity,
                .bandwidth = bag_get_u64(transfer, "bandwidth", 0),
                .options = options,
                .creator = creator,
        };
        int k;

        k = file_root_open(c, &r);
        if (k >= 0)
                k = file_new_check(&r, name);
        return k < 0 ? k : file_copy_source(&r, &what, source);
}
