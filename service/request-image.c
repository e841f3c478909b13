/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests that change an image in place: convert, rebase, flatten and wipe, and those on its snapshots. */
#include "request-internal.h"
#include "util/names.h"
#include "util/snapshot-list.h"

/* zero and trim are ours, the others those of scrub(1). */
static const char *const algorithms[] = { "zero",    "trim",     "random",    "nnsa",       "dod", "bsi",
                                          "gutmann", "schneier", "pfitzner7", "pfitzner33", NULL };

static const OptionSpec copy_options[] = {
        { .name = "bandwidth", .type = OPTION_SIZE },
        { .name = "sync", .type = OPTION_BOOL },
};
static const OptionSpec wipe_options[] = {
        { .name = "write", .type = OPTION_BOOL },
        { .name = "sync", .type = OPTION_BOOL },
};

/* ---- written anew from what is in it ---- */

/* A volume whose image is written anew from what is in it. */
static int check_rewritable(const Request *r, const Volume *v, Error *e)
{
        int x = volume_check_write(v, e);

        if (x >= 0)
                x = volume_check_read(v, e);
        return x < 0 ? x : request_check_snapshots(v, r->operation, e);
}

/* Where it is, whose it is and what it stands on do not change with its format. */
static int check_convert_words(const Bag *options, Error *e)
{
        for (size_t i = 0; i < bag_size(options); i++) {
                const char *key = bag_key(options, i);
                bool common = startswith(key, "backing.");

                for (size_t k = 0; k < n_common_volume_options && !common; k++)
                        common = streq(common_volume_options[k].name, key);
                if (common)
                        return error_set(e, ERROR_INVALID_ARGS,
                                         "A conversion does not change '%s'; leave it out", key);
        }
        return 0;
}

/* Volumes are made as iso, which libvirt has for raw ones that hold a CD, but what is in one is no other. */
static int check_same_bytes(const Request *r, const Volume *v, Error *e)
{
        bool to_iso = streq(r->format, "iso");

        if (!to_iso && !(v->format == FORMAT_ISO && streq(r->format, "raw")))
                return 0;
        return error_set(e, ERROR_INVALID_ARGS,
                         "Formats raw and iso are the same bytes under two names; %sdeclare volume %s %s by "
                         "SetFormat",
                         to_iso && v->format != FORMAT_RAW ? "convert to raw, then " : "", r->volume,
                         r->format);
}

static int check_new_format(const Request *r, const Volume *v, Error *e)
{
        int x;

        if (streq(image_format_to_string(v->format), r->format))
                return error_set(e, ERROR_INVALID_ARGS, "Volume %s is of format %s already", r->volume,
                                 r->format);
        x = check_same_bytes(r, v, e);
        if (x < 0)
                return x;
        if (!strv_contains(r->pool->backend->create_formats, r->format))
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "A volume of format %s cannot be made in a pool of type %s", r->format,
                                 pool_type(r->pool));
        return 0;
}

int prepare_volume_convert(const Request *r, Prepared *p, Error *e)
{
        _cleanup_bag_ Bag *options = NULL;
        Volume *v;
        int x;

        x = request_find_volume(r, &v, e);
        if (x >= 0)
                x = request_split_options(r, r->pool, copy_options, ELEMENTSOF(copy_options), p, &options,
                                          e);
        if (x >= 0)
                x = request_feature(r->pool, "convert", "convert volumes in place", e);
        if (x >= 0)
                x = check_convert_words(options, e);
        if (x >= 0)
                x = check_new_format(r, v, e);
        if (x >= 0)
                x = check_rewritable(r, v, e);
        if (x >= 0)
                x = request_check_alone(r->pool, r->volume, r->operation, e);
        if (x >= 0)
                x = request_need(p, r->pool, v, "volume-write", NULL, e);
        if (x >= 0 && (bag_set_string(p->args, "format", r->format) < 0 ||
                       bag_set_bag(p->args, "options", TAKE_PTR(options)) < 0))
                x = request_no_memory(e);
        return x;
}

/* A chain of backing files that led back to the volume would have no end. */
static int check_circle(const Request *r, const Volume *backing, Error *e)
{
        _cleanup_strv_ char **above = NULL;
        int x = request_collect_dependents(r->pool, r->volume, &above, e);

        if (x >= 0 && (streq(backing->name, r->volume) || strv_contains(above, backing->name)))
                x = error_set(e, ERROR_INVALID_ARGS, "Volume %s stands on %s itself; choose another one",
                              backing->name, r->volume);
        return x;
}

static bool can_stand_on_another(const Volume *v)
{
        return v->format == FORMAT_QCOW2 || v->format == FORMAT_QCOW || v->format == FORMAT_QED;
}

/* What a rebase and a flatten share; *ret is the volume. */
static int prepare_overlay(const Request *r, Prepared *p, Volume **ret, Error *e)
{
        Volume *v;
        int x;

        x = request_find_volume(r, &v, e);
        if (x >= 0)
                x = request_options(r, copy_options, ELEMENTSOF(copy_options), p, e);
        if (x >= 0)
                x = request_feature(r->pool, "rebase", "change backing volumes", e);
        if (x >= 0)
                x = check_rewritable(r, v, e);
        if (x >= 0 && !can_stand_on_another(v))
                x = error_set(e, ERROR_NOT_SUPPORTED,
                              "Volume %s is of format %s, which cannot have a backing volume", r->volume,
                              image_format_to_string(v->format));
        if (x >= 0)
                x = request_need(p, r->pool, v, "volume-write", NULL, e);
        if (x >= 0)
                *ret = v;
        return x;
}

int prepare_volume_rebase(const Request *r, Prepared *p, Error *e)
{
        Volume *v, *backing;
        int x;

        x = prepare_overlay(r, p, &v, e);
        if (x >= 0)
                x = pool_find_volume(r->pool, r->backing, &backing, e);
        if (x >= 0)
                x = volume_check_read(backing, e);
        if (x >= 0)
                x = check_circle(r, backing, e);
        if (x >= 0)
                x = request_need(p, r->pool, backing, "volume-read", NULL, e);
        if (x >= 0 && bag_set_string(p->args, "backing", r->backing) < 0)
                x = request_no_memory(e);
        return x;
}

int prepare_volume_flatten(const Request *r, Prepared *p, Error *e)
{
        _cleanup_free_ char *name = NULL;
        Volume *v, *backing;
        int x;

        x = prepare_overlay(r, p, &v, e);
        if (x < 0)
                return x;
        if (!volume_backing(v))
                return error_set(e, ERROR_INVALID_ARGS, "Volume %s stands on nothing already", r->volume);
        name = pool_resolve_record(r->pool, volume_backing(v));
        if (!name)
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "Volume %s stands on %s, which is no volume of pool %s", r->volume,
                                 volume_backing(v), pool_name(r->pool));
        x = pool_find_volume(r->pool, name, &backing, e);
        if (x >= 0)
                x = volume_check_read(backing, e);
        if (x >= 0)
                x = request_need(p, r->pool, backing, "volume-read", NULL, e);
        if (x >= 0 && bag_set_string(p->args, "backing", "") < 0)
                x = request_no_memory(e);
        return x;
}

/* ---- the end of all content ---- */

static int check_algorithm(const Request *r, const Bag *args, Error *e)
{
        if (!strv_contains((char *const *)algorithms, r->algorithm))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "There is no wipe '%s'; zero, trim, random, nnsa, dod, bsi, gutmann, "
                                 "schneier, pfitzner7 and pfitzner33 are known",
                                 r->algorithm);
        if (bag_has(args, "write") && !streq(r->algorithm, "zero"))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "write goes with the wipe 'zero' only, not with '%s'", r->algorithm);
        return 0;
}

int prepare_volume_wipe(const Request *r, Prepared *p, Error *e)
{
        Volume *v;
        int x;

        x = request_find_volume(r, &v, e);
        if (x >= 0)
                x = request_options(r, wipe_options, ELEMENTSOF(wipe_options), p, e);
        if (x >= 0)
                x = request_feature(r->pool, "wipe", "wipe volumes", e);
        if (x >= 0)
                x = check_algorithm(r, p->args, e);
        if (x >= 0)
                x = volume_check_write(v, e);
        if (x >= 0)
                x = request_check_alone(r->pool, r->volume, r->operation, e);
        if (x >= 0)
                x = request_check_snapshots(v, r->operation, e);
        if (x >= 0)
                x = request_need(p, r->pool, v, "volume-wipe", NULL, e);
        if (x >= 0 && bag_set_string(p->args, "algorithm", r->algorithm) < 0)
                x = request_no_memory(e);
        return x;
}

/* ---- snapshots ---- */

static unsigned count_snapshots(const char *list)
{
        SnapshotInfo info;
        unsigned n = 0;

        while (list && snapshot_list_next(&list, &info) > 0)
                n++;
        return n;
}

static int check_new_snapshot(const Request *r, const Volume *v, Error *e)
{
        SnapshotInfo info;
        int x = name_check("snapshot", r->snapshot, e);

        if (x >= 0)
                x = volume_check_read(v, e);
        if (x >= 0 && snapshot_list_find(volume_snapshots(v), r->snapshot, &info))
                x = error_set(e, ERROR_VOLUME_EXISTS, "Volume %s has a snapshot %s already", r->volume,
                              r->snapshot);
        if (x >= 0 && count_snapshots(volume_snapshots(v)) >= SNAPSHOTS_MAX)
                x = error_set(e, ERROR_LIMITS_EXCEEDED, "Volume %s has %u snapshots; delete some first",
                              r->volume, SNAPSHOTS_MAX);
        return x;
}

static int check_old_snapshot(const Request *r, const Volume *v, Error *e)
{
        SnapshotInfo info;

        if (snapshot_list_find(volume_snapshots(v), r->snapshot, &info))
                return 0;
        return error_set(e, ERROR_UNKNOWN_OBJECT, "Volume %s has no snapshot %s", r->volume, r->snapshot);
}

static const char *snapshot_action(Operation o)
{
        return o == OPERATION_SNAPSHOT_CREATE   ? "create"
               : o == OPERATION_SNAPSHOT_REVERT ? "revert"
                                                : "delete";
}

int prepare_snapshot(const Request *r, Prepared *p, Error *e)
{
        bool create = r->operation == OPERATION_SNAPSHOT_CREATE;
        Volume *v;
        int x;

        x = request_find_volume(r, &v, e);
        if (x >= 0)
                x = request_options(r, &request_sync_option, 1, p, e);
        if (x >= 0)
                x = request_feature(r->pool, "snapshot", "keep snapshots", e);
        if (x >= 0)
                x = volume_check_write(v, e);
        if (x >= 0)
                x = create ? check_new_snapshot(r, v, e) : check_old_snapshot(r, v, e);
        if (x >= 0)
                x = request_check_alone(r->pool, r->volume, r->operation, e);
        if (x >= 0)
                x = request_need(p, r->pool, v, "snapshot-manage", NULL, e);
        if (x >= 0 && r->operation == OPERATION_SNAPSHOT_REVERT)
                x = request_need(p, r->pool, v, "volume-write", NULL, e);
        if (x >= 0 && (bag_set_string(p->args, "action", snapshot_action(r->operation)) < 0 ||
                       bag_set_string(p->args, "snapshot", r->snapshot) < 0))
                x = request_no_memory(e);
        return x;
}
