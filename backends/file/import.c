/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>

#include "data/filter.h"
#include "data/stream.h"
#include "file/copy.h"
#include "file/create.h"
#include "file/exchange.h"
#include "file/volume.h"

typedef struct Import {
        FileRoot root;
        const char *name;
        Bag *options;     /* of the volume */
        ImageFormat said; /* FORMAT_NONE: probed */
        DataCompression compression;
        uint64_t limit, bandwidth, bytes;
        const char *expected;
        DataStream stream;
        Digest *digest;
        Pace pace;
        FileNew staged, new;
        ImageNode image; /* what is imported, uncompressed: the caller's file, or a copy; borrowed */
        uint64_t size, capacity;
        ImageFormat format; /* of the volume */
        bool as_is;
} Import;

static void import_done(Import *s)
{
        file_new_done(&s->staged);
        file_new_done(&s->new);
        if (s->digest)
                digest_free(s->digest);
        bag_free(s->options);
        file_root_done(&s->root);
}

/* ---- what was asked for ---- */

static int read_words(Import *s, int fd, const Bag *transfer, const Bag *options)
{
        const char *format = bag_get_string(transfer, "source-format");
        Ctx *c = s->root.ctx;
        Error *e = ctx_error(c);

        s->said = format ? image_format_from_string(format) : FORMAT_NONE;
        if ((int)s->said < 0 || s->said == FORMAT_DIR)
                return error_set(e, ERROR_INVALID_ARGS, "%s is no format of images", format);
        s->compression = data_compression_from_string(bag_get_string(transfer, "compression"));
        if (s->compression == _COMPRESSION_INVALID)
                return error_set(e, ERROR_INVALID_ARGS, "The compression can be none, gzip, xz or zstd");
        s->limit = MIN(bag_get_u64(transfer, "limit", INT64_MAX), (uint64_t)INT64_MAX - (1 << 30));
        s->bandwidth = bag_get_u64(transfer, "bandwidth", 0);
        pace_init(&s->pace, s->bandwidth);
        s->expected = bag_get_string(transfer, "sha256");
        if (s->expected && !digest_is_valid(s->expected))
                return error_set(e, ERROR_INVALID_ARGS, "sha256 is not 64 hexadecimal digits");
        if (bag_has(options, "backing.path"))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "An imported volume has all its data; leave backing.path out");
        s->options = options ? bag_copy(options) : bag_new();
        if (!s->options)
                return error_set(e, ERROR_NO_MEMORY, "Out of memory");
        if ((s->expected || bag_get_bool(transfer, "checksum", false)) && digest_new(&s->digest) < 0)
                return error_set(e, ERROR_FAILED, "Cannot compute checksums here");
        return data_stream_check(c, fd, DATA_READ, &s->stream);
}

static bool can_make(ImageFormat f)
{
        for (const ImageFormat *i = file_create_formats; *i != FORMAT_NONE; i++)
                if (*i == f)
                        return true;
        return false;
}

/* `is`: of the image. An encrypted one has no other way in than as it is. */
static int choose_format(Import *s, ImageFormat is, bool encrypted)
{
        bool makes = is == FORMAT_RAW || is == FORMAT_ISO || encrypted;
        int k;

        if (!bag_has(s->options, "format") && can_make(is) &&
            bag_set_string(s->options, "format", image_format_to_string(is)) < 0)
                return error_set(ctx_error(s->root.ctx), ERROR_NO_MEMORY, "Out of memory");
        if (encrypted && streq_ptr(bag_get_string(s->options, "format"), image_format_to_string(is)) &&
            !file_options_are_of_image(s->options)) {
                s->format = is;
                s->as_is = true;
                return 0;
        }
        k = file_create_format(&s->root, s->name, s->options, &s->format);
        if (k < 0)
                return k;
        if (s->format == FORMAT_DIR)
                return error_set(ctx_error(s->root.ctx), ERROR_INVALID_ARGS,
                                 "Volume %s: an image cannot become a directory", s->name);
        s->as_is = makes && !file_options_are_of_image(s->options) && image_format_is_same(s->format, is);
        return 0;
}

/* ---- what came ---- */

static int too_large(const Import *s)
{
        return error_set(
                ctx_error(s->root.ctx), ERROR_LIMITS_EXCEEDED,
                "The image has more than the %llu bytes that volume %s may have; say a larger capacity",
                (unsigned long long)s->limit, s->name);
}

/* The header decides, read once; what qemu-img opens besides is pinned whatever it says later. */
static int check_image(Import *s, int fd, uint64_t size)
{
        _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL;
        Ctx *c = s->root.ctx;
        Error *e = ctx_error(c);
        bool raw, encrypted;
        int k;

        k = image_probe(fd, size, 0, &i);
        if (k < 0)
                return error_set_errno(e, k, "Cannot read the image for volume %s", s->name);
        raw = s->said == FORMAT_RAW || s->said == FORMAT_ISO;
        if (!raw && s->said != FORMAT_NONE && i.format != s->said)
                return error_set(e, ERROR_INVALID_ARGS, "The image for volume %s looks like %s, not like %s",
                                 s->name, image_format_to_string(i.format), image_format_to_string(s->said));
        if (!raw && i.error)
                return error_set(e, ERROR_CORRUPT, "The image for volume %s: %s", s->name, i.error);
        s->image = (ImageNode){ .fd = fd, .format = raw ? s->said : i.format };
        s->size = size;
        s->capacity = raw ? size : i.capacity;
        raw = s->image.format == FORMAT_RAW || s->image.format == FORMAT_ISO;
        encrypted = !raw && (i.encrypted || i.format == FORMAT_LUKS);
        if (!raw && i.backing)
                return error_set(
                        e, ERROR_NOT_SUPPORTED,
                        "The image for volume %s stands on a backing file, which is not followed; export "
                        "it with its data (qemu-img convert) first",
                        s->name);
        if (s->capacity > s->limit)
                return too_large(s);
        k = choose_format(s, s->image.format, encrypted);
        if (k < 0 || s->as_is)
                return k < 0 ? k : file_check_pinned(c, s->name, s->image.format, &i);
        return file_check_readable(c, s->name, s->image.format, &i);
}

/* Nobody is asked for what is there already: the caller's own file, unless its bytes have to be counted. */
static bool reads_in_place(const Import *s)
{
        return data_kind_seeks(s->stream.kind) && s->stream.offset == 0 &&
               s->compression == COMPRESSION_NONE && !s->digest;
}

static int stage(Import *s, int to)
{
        bool raw = s->said == FORMAT_RAW || s->said == FORMAT_ISO;
        const DataCopy job = {
                .from = s->stream.fd,
                .to = to,
                .from_name = "the image",
                .to_name = s->name,
                .from_offset = s->stream.offset,
                .length = UINT64_MAX,
                .limit = raw ? s->limit : qemu_file_max(s->limit),
                .sparse = true,
                .pace = s->bandwidth > 0 ? &s->pace : NULL,
                .digest = s->digest,
        };
        Ctx *c = s->root.ctx;
        DataCopied copied;
        int k;

        k = s->compression == COMPRESSION_NONE ? data_copy(c, &job, &copied)
                                               : data_decompress(c, s->compression, &job, &copied);
        if (k == -EFBIG)
                return too_large(s);
        if (k < 0)
                return error_set_errno(ctx_error(c), k, "Cannot copy the image for volume %s", s->name);
        s->bytes = copied.bytes;
        return 0;
}

static int check_digest(Import *s)
{
        char text[DIGEST_TEXT_MAX];
        Ctx *c = s->root.ctx;

        if (!s->digest)
                return 0;
        digest_finish(s->digest, text);
        if (s->expected && !digest_equal(text, s->expected))
                return error_set(
                        ctx_error(c), ERROR_CORRUPT,
                        "What came for volume %s has the checksum %s, not the expected one; send it again",
                        s->name, text);
        return ctx_result(c, "sha256", text);
}

/* ---- the volume ---- */

static int copy_as_is(Import *s)
{
        Ctx *c = s->root.ctx;
        DataCopied copied;
        int k;

        k = data_reflink(s->image.fd, s->new.fd);
        if (k != -EOPNOTSUPP)
                return k < 0 ? error_set_errno(ctx_error(c), k, "Cannot make volume %s", s->name) : 0;
        return data_copy(c,
                         &(DataCopy){ .from = s->image.fd,
                                      .to = s->new.fd,
                                      .from_name = "the image",
                                      .to_name = s->name,
                                      .length = s->size,
                                      .sparse = true,
                                      .pace = s->bandwidth > 0 ? &s->pace : NULL },
                         &copied);
}

/* What was found in the caller's own file need not be in it any more when that is copied. */
static int take_as_is(Import *s)
{
        ImageFormat format = s->format;
        off_t size;
        int k;

        if (s->image.fd == s->new.fd) /* it came to its place at once */
                return 0;
        k = copy_as_is(s);
        if (k < 0)
                return k;
        size = lseek(s->new.fd, 0, SEEK_END);
        k = check_image(s, s->new.fd, (uint64_t)MAX(size, 0));
        if (k >= 0 && (!s->as_is || s->format != format))
                k = error_set(ctx_error(s->root.ctx), ERROR_CHANGED,
                              "The image for volume %s became another one while it was read; send it again",
                              s->name);
        return k;
}

static int make_volume(Import *s)
{
        int k = 0;

        if (s->new.fd < 0)
                k = file_new_open(&s->root, s->name, false, s->options, s->new.creator, &s->new);
        if (k < 0)
                return k;
        if (s->as_is)
                k = take_as_is(s);
        else
                k = file_convert_into(&s->root, &(FileConvert){ .name = s->name,
                                                                .nodes = &s->image,
                                                                .n = 1,
                                                                .fd = s->new.fd,
                                                                .format = s->format,
                                                                .capacity = s->capacity,
                                                                .bandwidth = s->bandwidth,
                                                                .options = s->options });
        return k < 0 ? k : file_new_finish(&s->new, s->format);
}

/* Raw bytes for a raw volume go where they stay, everything else into a file that goes away again. */
static int import_staged(Import *s)
{
        uid_t creator = s->new.creator;
        off_t size;
        int k;

        k = s->said == FORMAT_RAW || s->said == FORMAT_ISO ? choose_format(s, s->said, false) : 0;
        if (k < 0)
                return k;
        k = file_new_open(&s->root, s->name, false, s->options, creator, s->as_is ? &s->new : &s->staged);
        if (k >= 0)
                k = stage(s, s->as_is ? s->new.fd : s->staged.fd);
        if (k >= 0)
                k = file_root_reserve(&s->root, 0); /* nobody knew how much would come */
        if (k >= 0)
                k = check_digest(s);
        if (k < 0)
                return k;
        size = lseek(s->as_is ? s->new.fd : s->staged.fd, 0, SEEK_END);
        k = check_image(s, s->as_is ? s->new.fd : s->staged.fd, (uint64_t)MAX(size, 0));
        return k < 0 ? k : make_volume(s);
}

static int import_run(Import *s)
{
        Ctx *c = s->root.ctx;
        int k = ctx_need_job(c);

        /* What can be seen before anything is copied. */
        if (k >= 0 && data_kind_seeks(s->stream.kind) && s->stream.offset == 0 &&
            s->compression == COMPRESSION_NONE)
                k = check_image(s, s->stream.fd, s->stream.size);
        if (k >= 0 && s->stream.kind == DATA_REGULAR && s->compression == COMPRESSION_NONE)
                k = file_root_reserve(&s->root, MIN(s->stream.size, s->limit));
        if (k < 0)
                return k;
        ctx_ready(c);
        if (reads_in_place(s)) {
                s->bytes = s->stream.size;
                k = make_volume(s);
        } else
                k = import_staged(s);
        return k < 0 ? k : ctx_result_u64(c, "bytes", s->bytes);
}

int file_import(Ctx *c, const char *name, int fd, const Bag *transfer, const Bag *options, uid_t creator)
{
        _cleanup_(import_done) Import s = {
                .root = FILE_ROOT_NULL,
                .name = name,
                .staged = FILE_NEW_NULL,
                .new = { .fd = -EBADF, .creator = creator },
        };
        int k;

        k = file_root_open(c, &s.root);
        if (k >= 0)
                k = file_new_check(&s.root, name);
        if (k >= 0)
                k = read_words(&s, fd, transfer, options);
        return k < 0 ? k : import_run(&s);
}
