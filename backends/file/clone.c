/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/clone.h"

#include <fcntl.h>

#include "data/copy.h"
#include "file/create.h"
#include "file/new.h"
#include "file/volume.h"

#define SECTOR 512u

typedef struct Clone {
        FileRoot root;
        const char *name, *source;
        const Bag *options;
        FileEntry entry; /* of the source */
        FileNew new;
        ImageFormat format;
        uint64_t capacity;
        bool convert;
} Clone;

static void clone_done(Clone *s)
{
        file_new_done(&s->new);
        file_entry_done(&s->entry);
        file_root_done(&s->root);
}

/* Options that say something of the file, not of what is in it. */
static bool is_file_option(const char *key)
{
        static const char *const keys[] = { "format", "mode",  "owner",     "group",
                                            "label",  "nocow", "allocation" };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (streq(keys[i], key))
                        return true;
        return false;
}

static int choose_format(Clone *s)
{
        const char *word = bag_get_string(s->options, "format");
        ImageFormat is = s->entry.info.format;

        s->format = is;
        s->convert = word && image_format_from_string(word) != is;
        for (size_t i = 0; i < bag_size(s->options); i++)
                if (!is_file_option(bag_key(s->options, i)))
                        s->convert = true;
        if (!s->convert)
                return 0;
        return file_create_format(&s->root, s->name, s->options, &s->format);
}

static bool is_plain(ImageFormat f)
{
        return f == FORMAT_RAW || f == FORMAT_ISO || f == FORMAT_LUKS;
}

static int check_capacity(Clone *s)
{
        Error *e = ctx_error(s->root.ctx);
        uint64_t has = s->entry.info.capacity;

        if (s->capacity == UINT64_MAX || s->capacity == 0)
                s->capacity = has;
        if (s->capacity < has)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "Volume %s has %llu bytes; its clone %s cannot be smaller", s->source,
                                 (unsigned long long)has, s->name);
        if (s->capacity > INT64_MAX - (1 << 30))
                return error_set(e, ERROR_INVALID_ARGS, "Volume %s: capacity %llu is too large", s->name,
                                 (unsigned long long)s->capacity);
        if (s->capacity > has && !s->convert && !is_plain(s->format) && s->format != FORMAT_QCOW2 &&
            s->format != FORMAT_QED)
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "Volume %s: format %s cannot grow; clone with the capacity of %s, or to "
                                 "format qcow2",
                                 s->name, image_format_to_string(s->format), s->source);
        return 0;
}

static int clone_check(Clone *s)
{
        Error *e = ctx_error(s->root.ctx);
        uint64_t allocation = bag_get_u64(s->options, "allocation", 0);
        int k;

        if (s->entry.info.type != VOLUME_FILE)
                return error_set(e, ERROR_NOT_SUPPORTED, "Volume %s is a directory; only files are cloned",
                                 s->source);
        if (s->entry.info.error)
                return error_set(e, ERROR_CORRUPT, "Volume %s: %s", s->source, s->entry.info.error);
        if (bag_has(s->options, "backing.path"))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "A clone has its own data; to make an overlay of %s, create a volume with "
                                 "backing.path",
                                 s->source);
        k = choose_format(s);
        if (k >= 0 && s->format == FORMAT_DIR)
                k = error_set(e, ERROR_INVALID_ARGS, "Volume %s: a file cannot be cloned to a directory",
                              s->name);
        if (k >= 0)
                k = check_capacity(s);
        if (k >= 0 && s->convert)
                k = file_refuse_undeclared(&s->root, s->source, &s->entry, "converted");
        if (k >= 0 && allocation > s->capacity)
                k = error_set(e, ERROR_INVALID_ARGS,
                              "Volume %s: allocation %llu is more than the capacity %llu", s->name,
                              (unsigned long long)allocation, (unsigned long long)s->capacity);
        if (k >= 0 && allocation > 0 && s->format != FORMAT_RAW && s->format != FORMAT_ISO)
                k = error_set(e, ERROR_INVALID_ARGS,
                              "Volume %s: a clone of format %s does not take an allocation", s->name,
                              image_format_to_string(s->format));
        return k;
}

static int copy_bytes(Clone *s)
{
        DataCopy job = {
                .from = s->entry.fd,
                .to = s->new.fd,
                .from_name = s->source,
                .to_name = s->name,
                .length = s->entry.st.stx_size,
        };
        DataCopied copied;
        Ctx *c = s->root.ctx;
        int k;

        k = data_reflink(job.from, job.to);
        if (k >= 0)
                return ctx_result(c, "method", data_method_to_string(DATA_REFLINK));
        if (k != -EOPNOTSUPP)
                return error_set_errno(ctx_error(c), k, "Cannot clone volume %s", s->source);
        k = ctx_need_job(c);
        if (k >= 0)
                k = file_root_reserve(&s->root, s->entry.info.allocation);
        if (k < 0)
                return k;
        ctx_ready(c);
        k = data_copy(c, &job, &copied);
        return k < 0 ? k : ctx_result(c, "method", data_method_to_string(DATA_COPY));
}

/* The clone has its bytes; now what is beyond the source's end. */
static int grow(Clone *s)
{
        uint64_t more = s->capacity - s->entry.info.capacity,
                 allocation = bag_get_u64(s->options, "allocation", 0);
        _cleanup_chain_ FileChain chain = {};
        Ctx *c = s->root.ctx;
        int k;

        if (is_plain(s->format)) {
                if (more > 0 && ftruncate(s->new.fd, (off_t)(s->entry.st.stx_size + more)) < 0)
                        return error_set_errno(ctx_error(c), errno, "Cannot make volume %s larger", s->name);
                if (allocation > 0 && fallocate(s->new.fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)allocation) < 0)
                        return error_set_errno(ctx_error(c), errno, "Cannot allocate volume %s", s->name);
                return 0;
        }
        if (more == 0)
                return 0;
        k = file_chain_open(&s->root, s->name, &s->entry, s->new.fd, &chain);
        if (k < 0)
                return k;
        return qemu_img_resize(c, chain.nodes, chain.n, (s->capacity + SECTOR - 1) / SECTOR * SECTOR, false,
                               false);
}

static int clone_copy(Clone *s)
{
        Ctx *c = s->root.ctx;
        int k = 0;

        if (s->capacity > s->entry.info.capacity && !is_plain(s->format))
                k = ctx_need_job(c);
        if (k >= 0)
                k = file_root_reserve(&s->root, bag_get_u64(s->options, "allocation", 0));
        if (k >= 0)
                k = file_new_open(&s->root, s->name, false, s->options, s->new.creator, &s->new);
        if (k >= 0)
                k = copy_bytes(s);
        if (k >= 0)
                k = grow(s);
        return k < 0 ? k : file_new_finish(&s->new, s->entry.mark.format);
}

static int convert_into(Clone *s, const FileChain *chain)
{
        _cleanup_close_ int passphrase = -EBADF;
        uint64_t rounded = (s->capacity + SECTOR - 1) / SECTOR * SECTOR;
        QemuImage image = {
                .fd = s->new.fd, .format = s->format, .capacity = rounded, .options = s->options
        };
        uint64_t allocation = bag_get_u64(s->options, "allocation", 0);
        Ctx *c = s->root.ctx;
        int k;

        if (s->format == FORMAT_RAW || s->format == FORMAT_ISO) {
                if (ftruncate(s->new.fd, (off_t)rounded) < 0)
                        return error_set_errno(ctx_error(c), errno, "Cannot make volume %s", s->name);
                k = file_allocate(&s->root, s->new.fd, 0, allocation, false);
        } else
                k = file_create_image(&s->root, s->name, s->new.fd, s->format, s->capacity, s->options,
                                      &passphrase);
        if (k < 0)
                return k;
        image.passphrase = passphrase;
        k = qemu_img_convert(c, chain->nodes, chain->n, &image, 0);
        return k < 0 ? k : ctx_result(c, "method", "convert");
}

static int clone_convert(Clone *s)
{
        _cleanup_chain_ FileChain chain = {};
        Ctx *c = s->root.ctx;
        int k;

        k = ctx_need_job(c);
        if (k >= 0)
                k = file_chain_open(&s->root, s->source, &s->entry, s->entry.fd, &chain);
        if (k >= 0)
                k = file_root_reserve(&s->root, s->entry.info.allocation);
        if (k < 0)
                return k;
        ctx_ready(c);
        k = file_new_open(&s->root, s->name, false, s->options, s->new.creator, &s->new);
        if (k >= 0)
                k = convert_into(s, &chain);
        return k < 0 ? k : file_new_finish(&s->new, s->format);
}

int file_clone(Ctx *c, const char *name, const char *source, uint64_t capacity, const Bag *transfer,
               const Bag *options, uid_t creator)
{
        _cleanup_(clone_done) Clone s = {
                .root = FILE_ROOT_NULL,
                .name = name,
                .source = source,
                .options = options,
                .entry = FILE_ENTRY_NULL,
                .new = { .fd = -EBADF, .creator = creator },
                .capacity = capacity,
        };
        _cleanup_free_ char *raw = NULL;
        int k;

        k = file_root_open(c, &s.root);
        if (k >= 0)
                k = file_new_check(&s.root, name);
        if (k >= 0)
                k = file_name(&s.root, source, &raw);
        if (k >= 0)
                k = file_entry_find(&s.root, source, raw, 0, &s.entry);
        if (k >= 0)
                k = clone_check(&s);
        if (k < 0)
                return k;
        return s.convert ? clone_convert(&s) : clone_copy(&s);
}
