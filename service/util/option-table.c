/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables that are made at run time: joined from two, or read from a worker's description. */
#include "option.h"

static const char *const type_names[_OPTION_TYPE_MAX] = {
        [OPTION_STRING] = "string", [OPTION_BOOL] = "bool",       [OPTION_SIZE] = "size",
        [OPTION_UINT] = "uint",     [OPTION_MODE] = "mode",       [OPTION_ID] = "id",
        [OPTION_PATH] = "path",     [OPTION_ENUM] = "enum",       [OPTION_STRV] = "list",
        [OPTION_HOSTS] = "hosts",   [OPTION_RESERVE] = "reserve", [OPTION_FD] = "fd",
};

const char *option_type_to_string(OptionType t)
{
        return t < _OPTION_TYPE_MAX ? type_names[t] : NULL;
}

static OptionType type_from_string(const char *s)
{
        OptionType t = 0;

        while (t < _OPTION_TYPE_MAX && !streq_ptr(type_names[t], s))
                t++;
        return t;
}

typedef struct Storage {
        Bag *description; /* owns the strings of specs; NULL: they are constants */
        OptionSpec specs[];
} Storage;

static Storage *storage_new(size_t n_specs)
{
        return calloc(1, sizeof(Storage) + n_specs * sizeof(OptionSpec));
}

static void storage_free(Storage *s)
{
        bag_free(s->description);
        free(s);
}

DEFINE_CLEANUP(Storage *, storage_free)

void option_table_done(OptionTable *t)
{
        if (t->storage)
                storage_free(t->storage);
        *t = (OptionTable){};
}

int option_table_with_common(const OptionSpec *common, size_t n_common, const OptionSpec *specs, size_t n,
                             OptionTable *ret)
{
        Storage *storage = storage_new(n_common + n);

        if (!storage)
                return -ENOMEM;
        if (n_common > 0)
                memcpy(storage->specs, common, n_common * sizeof(OptionSpec));
        if (n > 0)
                memcpy(storage->specs + n_common, specs, n * sizeof(OptionSpec));
        *ret = (OptionTable){ .specs = storage->specs, .n_specs = n_common + n, .storage = storage };
        return 0;
}

static const struct {
        const char *key;
        uint32_t flag;
} flag_keys[] = {
        { "required", OPTION_REQUIRED },
        { "secret", OPTION_SECRET },
        { "admin", OPTION_ADMIN },
        { "fixed", OPTION_FIXED },
};

static int spec_to_bag(const OptionSpec *spec, Bag *b)
{
        int r;

        r = bag_set_string(b, "name", spec->name);
        if (r >= 0)
                r = bag_set_string(b, "type", option_type_to_string(spec->type));
        FOREACH_ELEMENT (f, flag_keys)
                if (r >= 0)
                        r = bag_set_bool(b, f->key, spec->flags & f->flag);
        if (r >= 0)
                r = bag_set_string(b, "xml", spec->xml);
        if (r >= 0 && spec->choices)
                r = bag_set_strv(b, "choices", (char *const *)spec->choices);
        if (r >= 0)
                r = bag_set_string(b, "default", spec->fallback);
        return r < 0 ? r : bag_set_string(b, "help", spec->help);
}

int option_table_to_bag(const OptionTable *t, const char *key, Bag *b)
{
        Value none = { .type = VALUE_BAGS };
        int r;

        r = b ? bag_set_value(b, key, &none) : -ENOMEM;
        for (size_t i = 0; r >= 0 && i < t->n_specs; i++) {
                _cleanup_bag_ Bag *item = bag_new();

                r = item ? spec_to_bag(&t->specs[i], item) : -ENOMEM;
                if (r >= 0)
                        r = bag_add_bag(b, key, TAKE_PTR(item));
        }
        return r;
}

/* Strings are borrowed from b. */
static int spec_from_bag(const Bag *b, OptionSpec *ret, Error *e)
{
        OptionSpec spec = {
                .name = bag_get_string(b, "name"),
                .type = type_from_string(bag_get_string(b, "type")),
                .xml = bag_get_string(b, "xml"),
                .choices = (const char *const *)bag_get_strv(b, "choices"),
                .fallback = bag_get_string(b, "default"),
                .help = bag_get_string(b, "help"),
        };

        if (isempty(spec.name) || spec.type == _OPTION_TYPE_MAX ||
            (spec.type == OPTION_ENUM && !spec.choices))
                return error_set(e, ERROR_FAILED, "the description of option '%s' is malformed",
                                 spec.name ?: "?");
        FOREACH_ELEMENT (f, flag_keys)
                if (bag_get_bool(b, f->key, false))
                        spec.flags |= f->flag;
        *ret = spec;
        return 0;
}

int option_table_from_bag(const Bag *b, const char *key, OptionTable *ret, Error *e)
{
        const Value *list = bag_get_bags(b, key);
        _cleanup_(storage_freep) Storage *storage = NULL;
        size_t n = list ? list->n_bags : 0;

        if (!list)
                return error_set(e, ERROR_FAILED, "a description has no list '%s'", key);
        storage = storage_new(n);
        if (!storage)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        storage->description = bag_new();
        if (bag_set_value(storage->description, key, list) < 0)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        list = bag_get_bags(storage->description, key);
        for (size_t i = 0; i < n; i++) {
                int r = spec_from_bag(list->bags[i], &storage->specs[i], e);

                if (r < 0)
                        return r;
        }
        *ret = (OptionTable){ .specs = storage->specs, .n_specs = n, .storage = storage };
        TAKE_PTR(storage);
        return 0;
}
