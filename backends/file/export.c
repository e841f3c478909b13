/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>

#include "data/filter.h"
#include "data/stream.h"
#include "file/copy.h"
#include "file/create.h"
#include "file/exchange.h"
#include "file/lend.h"

typedef struct Export {
        FileRoot root;
        const char *name;
        VolumeSource source;
        DataCompression compression;
        uint64_t bandwidth;
        DataStream stream;
        Digest *digest;
        Pace pace;
        Bag *words;  /* of the image that is made; NULL: it goes out as it is */
        FileNew new; /* that image; never gets a name */
        ImageFormat format;
} Export;

static void export_done(Export *s)
{
        file_new_done(&s->new);
        if (s->digest)
                digest_free(s->digest);
        bag_free(s->words);
        volume_source_done(&s->source);
        file_root_done(&s->root);
}

static int read_words(Export *s, int fd, const Bag *options)
{
        Ctx *c = s->root.ctx;

        s->compression = data_compression_from_string(bag_get_string(options, "compression"));
        if (s->compression == _COMPRESSION_INVALID || s->compression == COMPRESSION_XZ)
                return error_set(ctx_error(c), ERROR_INVALID_ARGS,
                                 "The compression can be none, gzip or zstd");
        s->bandwidth = bag_get_u64(options, "bandwidth", 0);
        pace_init(&s->pace, s->bandwidth);
        if (bag_get_bool(options, "checksum", false) && digest_new(&s->digest) < 0)
                return error_set(ctx_error(c), ERROR_FAILED, "Cannot compute checksums here");
        return data_stream_check(c, fd, DATA_WRITE, &s->stream);
}

/* What is written would be read again, without an end where it is compressed. */
static int check_target(const Export *s)
{
        struct stat st;

        for (size_t i = 0; i < s->source.n && s->stream.kind == DATA_REGULAR; i++)
                if (fstat(s->source.nodes[i].fd, &st) >= 0 && st.st_ino == s->stream.inode &&
                    st.st_dev == s->stream.device)
                        return error_set(ctx_error(s->root.ctx), ERROR_INVALID_ARGS,
                                         "The descriptor is volume %s itself, or what it stands on; pass "
                                         "another file",
                                         s->name);
        return 0;
}

static int choose_format(Export *s, const char *word)
{
        ImageFormat is = s->source.nodes[0].format;
        Ctx *c = s->root.ctx;
        int k;

        if (!word && s->source.n > 1)
                word = "qcow2";
        if (s->source.n == 1 && (!word || image_format_is_same(image_format_from_string(word), is)))
                return 0;
        s->words = bag_new();
        if (!s->words || bag_set_string(s->words, "format", word) < 0)
                return error_set(ctx_error(c), ERROR_NO_MEMORY, "Out of memory");
        k = file_create_format(&s->root, s->name, s->words, &s->format);
        if (k >= 0 && s->format == FORMAT_DIR)
                k = error_set(ctx_error(c), ERROR_INVALID_ARGS,
                              "A volume cannot be exported as a directory");
        if (k >= 0 && s->source.undeclared)
                k = error_set(
                        ctx_error(c), ERROR_INVALID_ARGS,
                        "Volume %s looks like an image, but was not made by this service, so it counts as "
                        "raw and cannot be converted; declare its format first",
                        s->name);
        return k < 0 ? k : file_chain_check(c, s->name, s->source.nodes, s->source.n);
}

static int make_image(Export *s)
{
        int k;

        k = file_root_reserve(&s->root, s->source.allocation);
        if (k >= 0)
                k = file_new_open(&s->root, s->name, false, s->words, UINT32_MAX, &s->new);
        if (k < 0)
                return k;
        return file_convert_into(&s->root, &(FileConvert){ .name = s->name,
                                                           .nodes = s->source.nodes,
                                                           .n = s->source.n,
                                                           .fd = s->new.fd,
                                                           .format = s->format,
                                                           .capacity = s->source.capacity,
                                                           .options = s->words });
}

static int send_image(Export *s, int from)
{
        const off_t size = lseek(from, 0, SEEK_END);
        const DataCopy job = {
                .from = from,
                .to = s->stream.fd,
                .from_name = s->name,
                .to_name = "the export",
                .to_offset = s->stream.offset,
                .length = (uint64_t)MAX(size, 0),
                .sparse = true,
                .pace = s->bandwidth > 0 ? &s->pace : NULL,
                .digest = s->digest,
        };
        char text[DIGEST_TEXT_MAX];
        Ctx *c = s->root.ctx;
        DataCopied copied;
        int k;

        if (size < 0)
                return error_set_errno(ctx_error(c), errno, "Cannot tell the size of volume %s", s->name);
        k = s->compression == COMPRESSION_NONE ? data_copy(c, &job, &copied)
                                               : data_compress(c, s->compression, &job, &copied);
        if (k >= 0 && data_kind_seeks(s->stream.kind))
                k = ctx_sync_later(c, s->stream.fd);
        if (k >= 0)
                k = ctx_result_u64(c, "bytes", copied.bytes);
        if (k < 0 || !s->digest)
                return k;
        digest_finish(s->digest, text);
        return ctx_result(c, "sha256", text);
}

int file_export(Ctx *c, const char *name, int fd, const Bag *options)
{
        _cleanup_(export_done) Export s = { .root = FILE_ROOT_NULL, .name = name, .new = FILE_NEW_NULL };
        int k;

        k = file_root_open(c, &s.root);
        if (k >= 0)
                k = read_words(&s, fd, options);
        if (k >= 0)
                k = file_lend_volume(&s.root, name, bag_get_bool(options, "force-share", false), &s.source);
        if (k >= 0)
                k = check_target(&s);
        if (k >= 0)
                k = choose_format(&s, bag_get_string(options, "format"));
        if (k >= 0)
                k = ctx_need_job(c);
        if (k < 0)
                return k;
        ctx_ready(c);
        if (s.words)
                k = make_image(&s);
        return k < 0 ? k : send_image(&s, s.words ? s.new.fd : s.source.nodes[0].fd);
}
