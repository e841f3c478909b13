/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests that make a volume: new, of another one, of an image that is sent, or by moving one here. */
#include <inttypes.h>

#include "action.h"
#include "request-internal.h"
#include "util/names.h"

static const char *const compressions[] = { "none", "gzip", "xz", "zstd", NULL };

/* What qemu-img reads out of one file, without a key. */
static const char *const source_formats[] = { "raw", "qcow2", "qcow",  "qed",   "vmdk", "vdi",
                                              "vpc", "vhdx",  "bochs", "cloop", "dmg",  NULL };

static const OptionSpec clone_options[] = {
        { .name = "linked", .type = OPTION_BOOL },
        { .name = "force-share", .type = OPTION_BOOL },
        { .name = "bandwidth", .type = OPTION_SIZE },
        { .name = "sync", .type = OPTION_BOOL },
};
static const OptionSpec move_options[] = {
        { .name = "bandwidth", .type = OPTION_SIZE },
        { .name = "sync", .type = OPTION_BOOL },
};
static const OptionSpec import_options[] = {
        { .name = "source-format", .type = OPTION_ENUM, .choices = source_formats },
        { .name = "probe", .type = OPTION_BOOL },
        { .name = "compression", .type = OPTION_ENUM, .choices = compressions },
        { .name = "checksum", .type = OPTION_BOOL },
        { .name = "sha256", .type = OPTION_STRING },
        { .name = "bandwidth", .type = OPTION_SIZE },
        { .name = "sync", .type = OPTION_BOOL },
};

/* What an administrator alone may say, whoever may create (owner, mode, paths ...). */
static bool has_admin_words(const OptionTable *t, const Bag *options)
{
        for (size_t i = 0; i < bag_size(options); i++) {
                const OptionSpec *spec = option_find(t, bag_key(options, i));

                if (spec && (spec->flags & OPTION_ADMIN) &&
                    !(streq(spec->name, "owner") && streq_ptr(bag_get_string(options, "owner"), "caller")))
                        return true;
        }
        return false;
}

/* A backing volume must be one of ours that the caller may read. */
static int need_backing(Pool *pool, const Bag *options, Prepared *p, Error *e)
{
        const char *path = bag_get_string(options, "backing.path");
        _cleanup_free_ char *name = NULL;
        Volume *v;
        int x;

        if (!path)
                return 0;
        name = pool_resolve_path(pool, path);
        v = name ? volume_table_get(pool->volumes, name) : NULL;
        if (!v)
                return error_set(
                        e, ERROR_NO_SUCH_VOLUME,
                        "The backing file %s is not a volume of pool %s; only such can back another", path,
                        pool_name(pool));
        x = volume_check_read(v, e);
        return x < 0 ? x : request_need(p, pool, v, "volume-read", NULL, e);
}

int request_need_new(const NewVolume *n, Prepared *p, Error *e)
{
        ActionCheck *check = NULL;
        int x;

        x = request_need(p, n->pool, NULL, "volume-create", &check, e);
        if (x < 0)
                return x;
        if (action_check_add(check, "volume", n->name) < 0 ||
            action_check_add(check, "volume.format", n->format) < 0 ||
            action_check_add_number(check, "capacity", n->capacity) < 0 ||
            action_check_add_number(check, "caller.capacity", pool_owned(n->pool, n->caller)) < 0 ||
            action_check_add(check, "handover",
                             yes_no(streq_ptr(bag_get_string(n->options, "owner"), "caller"))) < 0)
                return request_no_memory(e);
        x = need_backing(n->pool, n->options, p, e);
        if (x >= 0 && has_admin_words(&n->pool->backend->volume_options, n->options))
                x = request_need(p, n->pool, NULL, "pool-define", NULL, e);
        return x;
}

int request_new_name(const Pool *p, const char *name, Error *e)
{
        int x = name_check("volume", name, e);

        if (x >= 0)
                x = pool_check_usable(p, e);
        return x < 0 ? x : request_check_free_name(p, name, e);
}

static int check_capacity(uint64_t capacity, const char *name, Error *e)
{
        if (capacity == UINT64_MAX || capacity <= INT64_MAX)
                return 0;
        return error_set(e, ERROR_INVALID_ARGS, "The capacity %" PRIu64 " of volume %s is over 8 EiB",
                         capacity, name);
}

/* The format that a new volume gets: the one asked for, else the wanted one (may be NULL) where the pool can make it, else
 * the pool's own. */
static int choose_format(const Pool *p, const char *wanted, Bag *options, Error *e)
{
        const char *format = bag_get_string(options, "format");

        if (!format && wanted && strv_contains(p->backend->create_formats, wanted))
                format = wanted;
        if (!format)
                format = bag_get_string(p->definition->options, "volume.format") ?: "raw";
        if (!strv_contains(p->backend->create_formats, format))
                return error_set(e, ERROR_NOT_SUPPORTED,
                                 "A volume of format %s cannot be made in a pool of type %s", format,
                                 pool_type(p));
        return bag_has(options, "format") || bag_set_string(options, "format", format) >= 0
                       ? 0
                       : request_no_memory(e);
}

/* What every operation that makes a volume is told. */
static int set_new_args(Prepared *p, uint64_t capacity, uid_t creator, const Bag *options, Error *e)
{
        if (bag_set_u64(p->args, "capacity", capacity) < 0 || bag_set_u32(p->args, "creator", creator) < 0 ||
            bag_set_bag(p->args, "options", bag_copy(options)) < 0)
                return request_no_memory(e);
        return 0;
}

static uint64_t backing_capacity(const Request *r, const Bag *options)
{
        _cleanup_free_ char *name = pool_resolve_path(r->pool, bag_get_string(options, "backing.path"));
        const Volume *v = name ? volume_table_get(r->pool->volumes, name) : NULL;

        return v && v->capacity != UINT64_MAX ? v->capacity : 0;
}

int prepare_volume_create(const Request *r, Prepared *p, Error *e)
{
        _cleanup_bag_ Bag *options = NULL;
        int x;

        x = request_new_name(r->pool, r->volume, e);
        if (x >= 0)
                x = request_feature(r->pool, "create", "make volumes", e);
        if (x >= 0)
                x = request_split_options(r, r->pool, &request_sync_option, 1, p, &options, e);
        if (x >= 0)
                x = choose_format(r->pool, NULL, options, e);
        if (x >= 0 && r->capacity == UINT64_MAX && !bag_has(options, "backing.path"))
                x = error_set(e, ERROR_INVALID_ARGS,
                              "Volume %s needs a capacity; only one with a backing volume can do without",
                              r->volume);
        if (x >= 0)
                x = check_capacity(r->capacity, r->volume, e);
        if (x < 0)
                return x;
        p->charge = r->capacity == UINT64_MAX ? backing_capacity(r, options) : r->capacity;
        x = request_need_new(&(NewVolume){ .pool = r->pool,
                                           .name = r->volume,
                                           .format = bag_get_string(options, "format"),
                                           .capacity = p->charge,
                                           .caller = r->caller,
                                           .options = options },
                             p, e);
        return x < 0 ? x : set_new_args(p, r->capacity, r->caller, options, e);
}

/* ---- of another volume ---- */

/* The source of a clone, which may be in another pool. */
static int find_source(const Request *r, Volume **ret, Error *e)
{
        Pool *from = r->source_pool ?: r->pool;
        int x = pool_find_volume(from, r->source, ret, e);

        if (x >= 0)
                x = pool_check_usable(from, e);
        return x < 0 ? x : volume_check_read(*ret, e);
}

/* Between pools the one lends and the other copies. */
static int check_copy(const Pool *from, const Pool *to, Error *e)
{
        int x = request_feature(from, "copy", "lend volumes to other pools", e);

        return x < 0 ? x : request_feature(to, "copy", "take copies of volumes of other pools", e);
}

static int check_clone_capacity(const Request *r, const Volume *source, Error *e)
{
        if (r->capacity != UINT64_MAX && source->capacity != UINT64_MAX && r->capacity < source->capacity)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "A clone of %s cannot be smaller than its %" PRIu64 " bytes", r->source,
                                 source->capacity);
        return check_capacity(r->capacity, r->volume, e);
}

/* A linked clone stands on its source, so it is in the same pool, and an image that can have a backing file. */
static int check_linked(const Request *r, Bag *options, Error *e)
{
        if (r->source_pool && r->source_pool != r->pool)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "A linked clone is made in the pool of its source, which is %s",
                                 pool_name(r->source_pool));
        if (bag_has(options, "backing.path"))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "A linked clone stands on its source; leave backing.path out");
        if (!streq(bag_get_string(options, "format") ?: "qcow2", "qcow2"))
                return error_set(e, ERROR_INVALID_ARGS, "A linked clone is of format qcow2, not %s",
                                 bag_get_string(options, "format"));
        return choose_format(r->pool, "qcow2", options, e);
}

/* Whatever the words say, a copy of what another pool lends is a volume of its own. */
static int check_whole(const Bag *options, Error *e)
{
        if (!bag_has(options, "backing.path"))
                return 0;
        return error_set(e, ERROR_INVALID_ARGS,
                         "A volume that comes from another pool stands on nothing; leave backing.path out");
}

static int clone_format(const Request *r, const Volume *source, const Bag *args, Bag *options, Error *e)
{
        bool across = r->source_pool && r->source_pool != r->pool;
        int x;

        if (bag_get_bool(args, "linked", false)) {
                x = check_linked(r, options, e);
                if (x >= 0 && !streq(bag_get_string(options, "format"), "qcow2"))
                        x = error_set(e, ERROR_NOT_SUPPORTED, "Pools of type %s cannot make linked clones",
                                      pool_type(r->pool));
                return x;
        }
        if (!across)
                return request_feature(r->pool, "clone", "clone volumes", e);
        x = check_copy(r->source_pool, r->pool, e);
        if (x >= 0)
                x = check_whole(options, e);
        return x < 0 ? x : choose_format(r->pool, image_format_to_string(source->format), options, e);
}

int prepare_volume_clone(const Request *r, Prepared *p, Error *e)
{
        _cleanup_bag_ Bag *options = NULL;
        uint64_t capacity;
        Volume *source;
        int x;

        x = request_new_name(r->pool, r->volume, e);
        if (x >= 0)
                x = find_source(r, &source, e);
        if (x >= 0)
                x = request_split_options(r, r->pool, clone_options, ELEMENTSOF(clone_options), p, &options,
                                          e);
        if (x >= 0)
                x = clone_format(r, source, p->args, options, e);
        if (x >= 0)
                x = check_clone_capacity(r, source, e);
        if (x < 0)
                return x;
        capacity = r->capacity == UINT64_MAX ? source->capacity : r->capacity;
        p->charge = capacity == UINT64_MAX ? 0 : capacity;
        x = request_need(p, source->pool, source, "volume-read", NULL, e);
        if (x >= 0)
                x = request_need_new(
                        &(NewVolume){ .pool = r->pool,
                                      .name = r->volume,
                                      .format = bag_get_string(options, "format")
                                                        ?: image_format_to_string(source->format),
                                      .capacity = p->charge,
                                      .caller = r->caller,
                                      .options = options },
                        p, e);
        if (x >= 0)
                x = set_new_args(p, r->capacity, r->caller, options, e);
        /* From another pool it is what that pool lends. */
        if (x >= 0 && source->pool == r->pool && bag_set_string(p->args, "source", r->source) < 0)
                x = request_no_memory(e);
        return x;
}

/* ---- by moving one here ---- */

/* In its own pool a volume moves by getting another name. */
static int prepare_move_within(const Request *r, Prepared *p, Error *e)
{
        const OptionTable own = { .specs = move_options, .n_specs = ELEMENTSOF(move_options) };
        _cleanup_bag_ Bag *words = NULL;
        Request rename = *r;
        int x = options_check(&own, r->options, &words, e);

        if (x >= 0 && (!r->new_name || streq(r->new_name, r->volume)))
                x = error_set(e, ERROR_INVALID_ARGS, "Volume %s is in pool %s already; give another name",
                              r->volume, pool_name(r->pool));
        if (x < 0)
                return x;
        bag_remove(words, "bandwidth"); /* no bytes move */
        rename.options = words;
        p->operation = OPERATION_VOLUME_RENAME;
        return prepare_volume_rename(&rename, p, e);
}

static int check_movable(const Request *r, const Volume *v, Error *e)
{
        int x = volume_check_read(v, e);

        if (x >= 0)
                x = request_check_alone(r->pool, r->volume, OPERATION_VOLUME_MOVE, e);
        if (x >= 0)
                x = request_check_snapshots(v, OPERATION_VOLUME_MOVE, e);
        if (x >= 0)
                x = check_copy(r->pool, r->target, e);
        return x < 0 ? x : request_feature(r->pool, "volume-delete", "delete volumes", e);
}

int prepare_volume_move(const Request *r, Prepared *p, Error *e)
{
        const char *name = r->new_name ?: r->volume;
        _cleanup_bag_ Bag *options = NULL;
        Volume *v;
        int x;

        if (r->target == r->pool)
                return prepare_move_within(r, p, e);
        x = request_find_volume(r, &v, e);
        if (x >= 0)
                x = request_new_name(r->target, name, e);
        if (x >= 0)
                x = check_movable(r, v, e);
        if (x >= 0)
                x = request_split_options(r, r->target, move_options, ELEMENTSOF(move_options), p, &options,
                                          e);
        if (x >= 0)
                x = check_whole(options, e);
        if (x >= 0)
                x = choose_format(r->target, image_format_to_string(v->format), options, e);
        if (x < 0)
                return x;
        p->charge = v->capacity == UINT64_MAX ? volume_charge(v) : v->capacity;
        x = request_need(p, r->pool, v, "volume-read", NULL, e);
        if (x >= 0)
                x = request_need(p, r->pool, v, "volume-delete", NULL, e);
        if (x >= 0)
                x = request_need_new(&(NewVolume){ .pool = r->target,
                                                   .name = name,
                                                   .format = bag_get_string(options, "format"),
                                                   .capacity = p->charge,
                                                   .caller = r->caller,
                                                   .options = options },
                                     p, e);
        /* It stays the volume of whoever made it. */
        return x < 0 ? x : set_new_args(p, UINT64_MAX, v->creator, options, e);
}

/* ---- of an image that is sent ---- */

/* What is said of the bytes, apart from what is said of the volume. */
static int make_transfer(Prepared *p, uint64_t limit, Error *e)
{
        _cleanup_bag_ Bag *transfer = TAKE_PTR(p->args);
        bool sync = bag_get_bool(transfer, "sync", true);

        p->args = bag_new();
        bag_remove(transfer, "sync");
        bag_remove(transfer, "probe"); /* absent source-format says it */
        if (bag_set_u64(transfer, "limit", limit) < 0 || bag_set_bool(p->args, "sync", sync) < 0 ||
            bag_set_bag(p->args, "transfer", TAKE_PTR(transfer)) < 0)
                return request_no_memory(e);
        return 0;
}

static int check_import_words(const Request *r, const Bag *args, const Bag *options, Error *e)
{
        bool probe = bag_get_bool(args, "probe", false), stated = bag_has(args, "source-format");

        if (!probe && !stated)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "Say the format of the image for volume %s as source-format, or let it be "
                                 "guessed with probe",
                                 r->volume);
        if (probe && stated)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "source-format says what the image is; leave probe out");
        if (bag_has(options, "backing.path"))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "An imported volume stands on nothing; leave backing.path out");
        return request_sha256(args, e);
}

int prepare_volume_import(const Request *r, Prepared *p, Error *e)
{
        _cleanup_bag_ Bag *options = NULL;
        uint64_t limit = r->capacity;
        PoolNumbers numbers;
        int x;

        x = request_new_name(r->pool, r->volume, e);
        if (x >= 0)
                x = request_feature(r->pool, "import", "import images", e);
        if (x >= 0)
                x = request_split_options(r, r->pool, import_options, ELEMENTSOF(import_options), p,
                                          &options, e);
        if (x >= 0)
                x = check_import_words(r, p->args, options, e);
        if (x >= 0)
                x = check_capacity(limit, r->volume, e);
        if (x >= 0)
                x = choose_format(r->pool, bag_get_string(p->args, "source-format"), options, e);
        if (x < 0)
                return x;
        pool_numbers(r->pool, &numbers);
        if (limit == UINT64_MAX)
                limit = numbers.available;
        if (limit == 0)
                return error_set(e, ERROR_NO_SPACE, "There is no space for volume %s in pool %s", r->volume,
                                 pool_name(r->pool));
        p->charge = limit;
        x = request_need_new(&(NewVolume){ .pool = r->pool,
                                           .name = r->volume,
                                           .format = bag_get_string(options, "format"),
                                           .capacity = limit,
                                           .caller = r->caller,
                                           .options = options },
                             p, e);
        if (x >= 0)
                x = make_transfer(p, limit, e);
        if (x >= 0)
                x = set_new_args(p, limit, r->caller, options, e);
        return x < 0 ? x : request_take_fd(r, p, e);
}
