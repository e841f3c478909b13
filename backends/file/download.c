/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/transfer.h"

static int download_check(FileTransfer *t)
{
        const VolumeInfo *v = &t->volume.entry.info;
        uint64_t size = t->volume.entry.st.stx_size;
        Error *e = ctx_error(t->ctx);

        if (v->flags & VOLUME_CORRUPT)
                return error_set(e, ERROR_CORRUPT, "Volume %s: %s", v->name, v->error);
        if (t->offset > size || (t->length != UINT64_MAX && t->length > size - t->offset))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "Volume %s has %llu bytes; offset and length go beyond its end", v->name,
                                 (unsigned long long)size);
        if (t->length == UINT64_MAX)
                t->length = size - t->offset;
        if (t->peer.kind == DATA_BLOCK && t->length > t->peer.size - MIN(t->peer.size, t->peer.offset))
                return error_set(e, ERROR_NO_SPACE,
                                 "The block device has %llu bytes, too few for %llu of volume %s",
                                 (unsigned long long)t->peer.size, (unsigned long long)t->length, v->name);
        return 0;
}

static int download_copy(FileTransfer *t)
{
        DataCopy job = {
                .from = t->volume.entry.fd,
                .to = t->peer.fd,
                .from_name = t->volume.name,
                .to_name = "the download",
                .from_offset = t->offset,
                .to_offset = t->peer.offset,
                .length = t->length,
                .sparse = t->sparse,
                .pace = &t->pace,
                .digest = t->digest,
        };
        int k;

        k = data_copy(t->ctx, &job, &t->copied);
        if (k >= 0 && data_kind_seeks(t->peer.kind) && ctx_sync(t->ctx) && fsync(t->peer.fd) < 0)
                k = error_set_errno(ctx_error(t->ctx), errno, "Cannot write the download to disk");
        return k;
}

int file_download(Ctx *c, const char *name, int fd, const Bag *options)
{
        FileUseMode mode = bag_get_bool(options, "force-share", false) ? FILE_USE_SHARE : FILE_USE_READ;
        _cleanup_transfer_ FileTransfer t = FILE_TRANSFER_NULL;
        int k;

        k = file_transfer_begin(c, name, fd, DATA_WRITE, options, &t);
        if (k >= 0)
                k = download_check(&t);
        if (k >= 0)
                k = file_use_begin(&t.volume.root, name, t.volume.entry.fd, mode, &t.use);
        if (k < 0)
                return k;
        ctx_ready(c);
        k = download_copy(&t);
        return k < 0 ? k : file_transfer_result(&t);
}
