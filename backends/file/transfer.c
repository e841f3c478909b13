/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/transfer.h"

#include <sys/sysmacros.h>

static int check_options(FileTransfer *t, const Bag *options)
{
        Error *e = ctx_error(t->ctx);
        int k;

        t->offset = bag_get_u64(options, "offset", 0);
        t->length = bag_get_u64(options, "length", UINT64_MAX);
        t->sparse = bag_get_bool(options, "sparse", false);
        t->expected = bag_get_string(options, "sha256");
        pace_init(&t->pace, bag_get_u64(options, "bandwidth", 0));
        if (t->offset > INT64_MAX || (t->length != UINT64_MAX && t->length > INT64_MAX - t->offset))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "Offset %llu and length %llu are larger than any file",
                                 (unsigned long long)t->offset, (unsigned long long)t->length);
        if (t->expected && !digest_is_valid(t->expected))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "sha256 is not the 64 hexadecimal digits of a SHA-256 sum");
        if (!t->expected && !bag_get_bool(options, "checksum", false))
                return 0;
        k = digest_new(&t->digest);
        return k < 0 ? error_set_errno(e, k, "Cannot compute a checksum") : 0;
}

static int check_volume(const FileTransfer *t)
{
        const FileEntry *e = &t->volume.entry;

        if (e->info.type != VOLUME_FILE)
                return error_set(ctx_error(t->ctx), ERROR_NOT_SUPPORTED,
                                 "Volume %s is a directory; only files are transferred", t->volume.name);
        if (e->fd < 0)
                return error_set(ctx_error(t->ctx), ERROR_CORRUPT, "Volume %s %s", t->volume.name,
                                 e->info.error);
        if (t->peer.kind == DATA_REGULAR && t->peer.inode == e->st.stx_ino &&
            t->peer.device == makedev(e->st.stx_dev_major, e->st.stx_dev_minor))
                return error_set(ctx_error(t->ctx), ERROR_INVALID_ARGS,
                                 "The descriptor is volume %s itself; pass another file", t->volume.name);
        return 0;
}

int file_transfer_begin(Ctx *c, const char *name, int fd, DataDirection direction, const Bag *options,
                        FileTransfer *ret)
{
        _cleanup_transfer_ FileTransfer t = FILE_TRANSFER_NULL;
        FileSwap *v = &t.volume;
        int k;

        t.ctx = c;
        v->name = name;
        k = ctx_need_job(c);
        if (k >= 0)
                k = check_options(&t, options);
        if (k >= 0)
                k = data_stream_check(c, fd, direction, &t.peer);
        if (k >= 0)
                k = file_root_open(c, &v->root);
        if (k >= 0)
                k = file_name(&v->root, name, &v->raw);
        if (k >= 0)
                k = file_entry_find(&v->root, name, v->raw, 0, &v->entry);
        if (k >= 0)
                k = check_volume(&t);
        if (k < 0)
                return k;
        *ret = t;
        t = FILE_TRANSFER_NULL;
        return 0;
}

int file_transfer_result(FileTransfer *t)
{
        char sum[DIGEST_TEXT_MAX];
        int k = 0;

        if (t->digest) {
                digest_finish(t->digest, sum);
                if (t->expected && !digest_equal(sum, t->expected))
                        return error_set(ctx_error(t->ctx), ERROR_CORRUPT,
                                         "The data for volume %s has the sha256 %s, not %s as expected; "
                                         "send it again",
                                         t->volume.name, sum, t->expected);
                k = ctx_result(t->ctx, "sha256", sum);
        }
        if (k >= 0)
                k = ctx_result_u64(t->ctx, "bytes", t->copied.bytes);
        return k < 0 ? k : ctx_result(t->ctx, "method", data_method_to_string(t->copied.method));
}

void file_transfer_done(FileTransfer *t)
{
        /* Looking for holes has moved the position. */
        if (t->peer.fd >= 0 && data_kind_seeks(t->peer.kind))
                (void)lseek(t->peer.fd, (off_t)(t->peer.offset + t->copied.bytes), SEEK_SET);
        if (t->digest)
                digest_free(TAKE_PTR(t->digest));
        file_use_end(&t->use);
        file_swap_done(&t->volume);
}
