/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/volume.h"

#include <fcntl.h>

void file_chain_done(FileChain *ch)
{
        for (size_t i = 1; i < ch->n; i++)
                safe_close(ch->nodes[i].fd);
        ch->n = 0;
}

int file_refuse_undeclared(const FileRoot *r, const char *name, const FileEntry *e, const char *what)
{
        if (e->mark.format != FORMAT_NONE || e->image.format == FORMAT_RAW ||
            e->image.format == FORMAT_NONE || e->image.format == FORMAT_ISO)
                return 0;
        return error_set(ctx_error(r->ctx), ERROR_INVALID_ARGS,
                         "Volume %s looks like %s, but was not made by this service, so it counts as raw "
                         "and cannot be %s",
                         name, image_format_to_string(e->image.format), what);
}

int file_check_pinned(Ctx *c, const char *name, ImageFormat f, const ImageInfo *i)
{
        Error *e = ctx_error(c);

        if (f == FORMAT_RAW || f == FORMAT_ISO || f == FORMAT_LUKS)
                return 0;
        if (i->data_file)
                return error_set(e, ERROR_NOT_SUPPORTED, "Image %s keeps its data in another file", name);
        if (f == FORMAT_VMDK && !streq_ptr(i->variant, "monolithicSparse") &&
            !streq_ptr(i->variant, "streamOptimized"))
                return error_set(e, ERROR_NOT_SUPPORTED, "Image %s is a vmdk of several files", name);
        return 0;
}

int file_check_readable(Ctx *c, const char *name, ImageFormat f, const ImageInfo *i)
{
        if (f == FORMAT_LUKS || (f != FORMAT_RAW && f != FORMAT_ISO && i->encrypted))
                return error_set(
                        ctx_error(c), ERROR_NOT_SUPPORTED,
                        "Image %s is encrypted, and what needs its passphrase is not done here; it can "
                        "only be copied as it is",
                        name);
        if (!image_format_to_driver(f))
                return error_set(ctx_error(c), ERROR_NOT_SUPPORTED,
                                 "Image %s is of format %s, which QEMU has no driver for; declare it raw to "
                                 "use its bytes as they are",
                                 name, image_format_to_string(f));
        return file_check_pinned(c, name, f, i);
}

int file_check_writable(Ctx *c, const char *name, ImageFormat f, const ImageInfo *i)
{
        bool compressed = f == FORMAT_VMDK && streq_ptr(i->variant, "streamOptimized");

        if (!compressed && (!image_format_to_driver(f) || image_format_is_writable(f)))
                return 0;
        return error_set(
                ctx_error(c), ERROR_NOT_SUPPORTED,
                "Image %s is %s %s, which QEMU can only read; open it read-only, or make a clone of it in "
                "another format",
                name, compressed ? "a compressed" : "of format", image_format_to_string(f));
}

/* `above`: of the image that stands on it. *ret gives its descriptor away. */
static int next_node(const FileRoot *r, const char *name, const FileMark *above, const char *backing,
                     ImageFormat format, FileEntry *ret, int *ret_fd, ImageFormat *ret_format)
{
        _cleanup_free_ char *raw = file_backing_name(r, backing);

        if (!raw || file_entry_read(r, raw, DT_REG, 0, ret) <= 0)
                return error_set(ctx_error(r->ctx), ERROR_NOT_SUPPORTED,
                                 "The backing file %s of image %s is not a volume of pool %s", backing, name,
                                 ctx_pool_name(r->ctx));
        if (!streq(raw, above->backing))
                return error_set(
                        ctx_error(r->ctx), ERROR_ACCESS_DENIED,
                        "Image %s, or one that it stands on, was not made to stand on %s, which its "
                        "header names; where that is right, declare its format again",
                        name, backing);
        if (ret->fd < 0)
                return error_set(ctx_error(r->ctx), ERROR_FAILED, "Cannot open backing file %s", backing);
        *ret_fd = TAKE_FD(ret->fd);
        *ret_format = format == FORMAT_NONE ? ret->info.format : format;
        return file_check_pinned(r->ctx, backing, *ret_format, &ret->image);
}

int file_chain_find(const FileRoot *r, const char *name, const FileEntry *e, int fd, FileChain *ret)
{
        _cleanup_chain_ FileChain ch = { .nodes[0] = { .fd = fd, .format = e->info.format }, .n = 1 };
        _cleanup_free_ char *backing = NULL;
        ImageFormat format = e->image.backing_format;
        FileMark above = e->mark;
        int k;

        k = file_check_pinned(r->ctx, name, e->info.format, &e->image);
        if (k < 0)
                return k;
        if (e->image.format == e->info.format && e->image.backing && !(backing = strdup(e->image.backing)))
                return -ENOMEM;
        while (backing) {
                _cleanup_entry_ FileEntry below = FILE_ENTRY_NULL;
                ImageNode *node = &ch.nodes[ch.n];

                if (ch.n == IMAGE_CHAIN_MAX)
                        return error_set(ctx_error(r->ctx), ERROR_NOT_SUPPORTED,
                                         "Image %s stands on more than %u others; flatten one of them", name,
                                         IMAGE_CHAIN_MAX - 1);
                node->fd = -EBADF;
                k = next_node(r, name, &above, backing, format, &below, &node->fd, &node->format);
                ch.n++;
                if (k < 0)
                        return k;
                free(backing);
                backing = NULL;
                format = below.image.backing_format;
                above = below.mark;
                if (node->format == below.image.format && below.image.backing &&
                    !(backing = strdup(below.image.backing)))
                        return -ENOMEM;
        }
        *ret = ch;
        ch.n = 0;
        return 0;
}

int file_chain_check_top(Ctx *c, const char *name, size_t n)
{
        if (n < IMAGE_CHAIN_MAX)
                return 0;
        return error_set(ctx_error(c), ERROR_NOT_SUPPORTED,
                         "Volume %s stands on %u others, so none can stand on it; flatten it first", name,
                         IMAGE_CHAIN_MAX - 1);
}

/* Headers are read once more, where they are used: what lies between may be another pool's worker. */
int file_chain_check(Ctx *c, const char *name, const ImageNode *nodes, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                _cleanup_image_ ImageInfo info = IMAGE_INFO_NULL;
                ImageFormat f = nodes[i].format;
                off_t size = lseek(nodes[i].fd, 0, SEEK_END);
                int k;

                if (f == FORMAT_RAW || f == FORMAT_ISO)
                        continue;
                k = size < 0 ? -errno : image_probe(nodes[i].fd, (uint64_t)size, 0, &info);
                if (k < 0)
                        return error_set_errno(ctx_error(c), k, "Cannot read image %s", name);
                if (info.format != f || info.error)
                        return error_set(ctx_error(c), ERROR_CORRUPT, "Image %s: %s", name,
                                         info.error ?: "its header is not of its format");
                k = file_check_readable(c, name, f, &info);
                if (k < 0)
                        return k;
                if (info.backing && i + 1 == n)
                        return error_set(ctx_error(c), ERROR_NOT_SUPPORTED,
                                         "Image %s stands on a backing file, which is not followed here",
                                         name);
        }
        return 0;
}

int file_chain_open(const FileRoot *r, const char *name, const FileEntry *e, int fd, FileChain *ret)
{
        _cleanup_chain_ FileChain ch = {};
        int k;

        k = file_chain_find(r, name, e, fd, &ch);
        if (k >= 0)
                k = file_chain_check(r->ctx, name, ch.nodes, ch.n);
        if (k < 0)
                return k;
        *ret = ch;
        ch.n = 0;
        return 0;
}
