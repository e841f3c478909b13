/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/clone.h"

#include "file/copy.h"
#include "file/create.h"
#include "file/lend.h"

static int linked_options(const FileRoot *r, const FileCopy *what, const char *source, Bag **ret)
{
        _cleanup_bag_ Bag *words = what->options ? bag_copy(what->options) : bag_new();
        _cleanup_free_ char *raw = NULL;
        int k;

        if (bag_has(what->options, "backing.path"))
                return error_set(ctx_error(r->ctx), ERROR_INVALID_ARGS,
                                 "A linked clone stands on its source; leave backing.path out");
        k = file_name(r, source, &raw);
        if (k < 0)
                return k;
        if (!words || bag_set_string(words, "backing.path", raw) < 0 ||
            (!bag_has(words, "format") && bag_set_string(words, "format", "qcow2") < 0))
                return error_set(ctx_error(r->ctx), ERROR_NO_MEMORY, "Out of memory");
        *ret = TAKE_PTR(words);
        return 0;
}

/* `source` stays locked until the overlay stands. */
static int clone_linked(const FileRoot *r, const FileCopy *what, const VolumeSource *source)
{
        bool same = what->capacity == 0 || what->capacity == UINT64_MAX;
        _cleanup_bag_ Bag *words = NULL;
        int k;

        if (!same && what->capacity < source->capacity)
                return error_set(ctx_error(r->ctx), ERROR_INVALID_ARGS,
                                 "Volume %s has %llu bytes; its clone %s cannot be smaller", source->name,
                                 (unsigned long long)source->capacity, what->name);
        k = linked_options(r, what, source->name, &words);
        if (k >= 0)
                k = file_create(r->ctx, what->name, same ? source->capacity : what->capacity, words,
                                what->creator);
        return k < 0 ? k : ctx_result(r->ctx, "method", "linked");
}

int file_clone(Ctx *c, const char *name, const char *source, uint64_t capacity, const Bag *transfer,
               const Bag *options, uid_t creator)
{
        _cleanup_source_ VolumeSource lent = {};
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
        if (k >= 0)
                k = file_lend_volume(&r, source, bag_get_bool(transfer, "force-share", false), &lent);
        if (k < 0)
                return k;
        if (bag_get_bool(transfer, "linked", false))
                return clone_linked(&r, &what, &lent);
        return file_copy_source(&r, &what, &lent);
}
