/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests that move the bytes of a volume in and out: upload, download and export. */
#include <ctype.h>
#include <inttypes.h>

#include "action.h"
#include "request-internal.h"

/* What qemu-img writes into one file, without a key. */
static const char *const export_formats[] = { "raw", "qcow2", "qcow", "qed", "vmdk",
                                              "vdi", "vpc",   "vhdx", NULL };
static const char *const export_compressions[] = { "none", "gzip", "zstd", NULL };

static const OptionSpec upload_options[] = {
        { .name = "offset", .type = OPTION_SIZE },   { .name = "length", .type = OPTION_SIZE },
        { .name = "sparse", .type = OPTION_BOOL },   { .name = "grow", .type = OPTION_BOOL },
        { .name = "atomic", .type = OPTION_BOOL },   { .name = "checksum", .type = OPTION_BOOL },
        { .name = "sha256", .type = OPTION_STRING }, { .name = "bandwidth", .type = OPTION_SIZE },
        { .name = "sync", .type = OPTION_BOOL },
};
static const OptionSpec download_options[] = {
        { .name = "offset", .type = OPTION_SIZE },      { .name = "length", .type = OPTION_SIZE },
        { .name = "sparse", .type = OPTION_BOOL },      { .name = "checksum", .type = OPTION_BOOL },
        { .name = "force-share", .type = OPTION_BOOL }, { .name = "bandwidth", .type = OPTION_SIZE },
};
static const OptionSpec export_options[] = {
        { .name = "compression", .type = OPTION_ENUM, .choices = export_compressions },
        { .name = "checksum", .type = OPTION_BOOL },
        { .name = "force-share", .type = OPTION_BOOL },
        { .name = "bandwidth", .type = OPTION_SIZE },
};

int request_sha256(const Bag *args, Error *e)
{
        const char *sum = bag_get_string(args, "sha256");
        size_t n = 0;

        while (sum && isxdigit((unsigned char)sum[n]))
                n++;
        if (!sum || (n == 64 && sum[n] == '\0'))
                return 0;
        return error_set(e, ERROR_INVALID_ARGS, "sha256 is 64 hexadecimal digits, not '%s'", sum);
}

static uint64_t end_of(const Bag *args, uint64_t otherwise)
{
        uint64_t offset = bag_get_u64(args, "offset", 0), length = bag_get_u64(args, "length", otherwise);

        return length > UINT64_MAX - offset ? UINT64_MAX : offset + length;
}

static int check_range(const Volume *v, const Bag *args, bool grow, Error *e)
{
        uint64_t offset = bag_get_u64(args, "offset", 0);

        /* A formatted image's bytes are not its capacity's; its worker knows them. */
        if (v->capacity == UINT64_MAX || (v->format != FORMAT_RAW && v->format != FORMAT_ISO))
                return 0;
        if (grow)
                return end_of(args, 0) <= INT64_MAX
                               ? 0
                               : error_set(e, ERROR_INVALID_ARGS, "Volume %s would be over 8 EiB", v->name);
        if (offset <= v->capacity && end_of(args, 0) <= v->capacity)
                return 0;
        return error_set(e, ERROR_INVALID_ARGS, "Volume %s ends at byte %" PRIu64 "; that is beyond it",
                         v->name, v->capacity);
}

/* How large it may be afterwards. Without a length that is not known: it can take what the pool has. */
static uint64_t grown_size(const Volume *v, const Bag *args)
{
        uint64_t end = end_of(args, 0);
        PoolNumbers numbers;

        if (!bag_has(args, "length")) {
                pool_numbers(v->pool, &numbers);
                end = v->capacity + numbers.available;
        }
        return MAX(end, v->capacity);
}

static int need_growth(const Request *r, const Volume *v, Prepared *p, Error *e)
{
        uint64_t size = grown_size(v, p->args);
        ActionCheck *check = NULL;
        int x;

        if (v->capacity == UINT64_MAX || size == v->capacity)
                return 0;
        p->charge = size - v->capacity;
        x = request_need(p, r->pool, v, "volume-resize", &check, e);
        if (x >= 0 &&
            (action_check_add_number(check, "capacity", size) < 0 ||
             action_check_add_number(check, "caller.capacity", pool_owned(r->pool, r->caller)) < 0))
                x = request_no_memory(e);
        return x;
}

/* An upload of less than all leaves what is broken as broken as it was. */
static int check_upload_mends(const Volume *v, const Bag *args, Error *e)
{
        if (bag_get_u64(args, "offset", 0) == 0 && end_of(args, UINT64_MAX) >= v->capacity)
                return 0;
        return volume_check_read(v, e);
}

int prepare_volume_upload(const Request *r, Prepared *p, Error *e)
{
        bool grow;
        Volume *v;
        int x;

        x = request_find_volume(r, &v, e);
        if (x >= 0)
                x = request_options(r, upload_options, ELEMENTSOF(upload_options), p, e);
        if (x >= 0)
                x = request_feature(r->pool, "transfer", "take uploads", e);
        if (x >= 0)
                x = volume_check_write(v, e);
        if (x >= 0)
                x = request_check_alone(r->pool, r->volume, r->operation, e);
        if (x >= 0)
                x = request_sha256(p->args, e);
        if (x < 0)
                return x;
        grow = bag_get_bool(p->args, "grow", false);
        x = check_range(v, p->args, grow, e);
        if (x >= 0)
                x = check_upload_mends(v, p->args, e);
        if (x >= 0)
                x = request_need(p, r->pool, v, "volume-write", NULL, e);
        if (x >= 0 && grow)
                x = need_growth(r, v, p, e);
        return x < 0 ? x : request_take_fd(r, p, e);
}

int prepare_volume_download(const Request *r, Prepared *p, Error *e)
{
        Volume *v;
        int x;

        x = request_find_volume(r, &v, e);
        if (x >= 0)
                x = request_options(r, download_options, ELEMENTSOF(download_options), p, e);
        if (x >= 0)
                x = request_feature(r->pool, "transfer", "be downloaded from", e);
        if (x >= 0)
                x = volume_check_read(v, e);
        if (x >= 0)
                x = check_range(v, p->args, false, e);
        if (x >= 0)
                x = request_need(p, r->pool, v, "volume-read", NULL, e);
        return x < 0 ? x : request_take_fd(r, p, e);
}

static int check_export_format(const Request *r, Error *e)
{
        if (!r->format || strv_contains((char *const *)export_formats, r->format))
                return 0;
        return error_set(e, ERROR_INVALID_ARGS, "Volumes are not exported in format '%s'", r->format);
}

int prepare_volume_export(const Request *r, Prepared *p, Error *e)
{
        Volume *v;
        int x;

        x = request_find_volume(r, &v, e);
        if (x >= 0)
                x = request_options(r, export_options, ELEMENTSOF(export_options), p, e);
        if (x >= 0)
                x = request_feature(r->pool, "import", "export images", e);
        if (x >= 0)
                x = check_export_format(r, e);
        if (x >= 0)
                x = volume_check_read(v, e);
        if (x >= 0)
                x = request_need(p, r->pool, v, "volume-read", NULL, e);
        if (x >= 0 && bag_set_string(p->args, "format", r->format) < 0)
                x = request_no_memory(e);
        return x < 0 ? x : request_take_fd(r, p, e);
}
