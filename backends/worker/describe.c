/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the installed backends are and can do. The daemon asks at its start, so that it needs to load none of
 * them. */
#include <dirent.h>
#include <json-c/json.h>
#include <sys/capability.h>

#include "util/bag-json.h"
#include "worker/ctx-internal.h"

static const struct {
        uint32_t feature;
        const char *name;
} features[] = {
        { FEATURE_BUILD, "build" },
        { FEATURE_DELETE, "delete" },
        { FEATURE_CREATE, "create" },
        { FEATURE_RESIZE, "resize" },
        { FEATURE_SHRINK, "shrink" },
        { FEATURE_CLONE, "clone" },
        { FEATURE_DECLARE, "declare" },
        { FEATURE_VOLUME_DELETE, "volume-delete" },
        { FEATURE_WATCH, "watch" },
        { FEATURE_DISCOVER, "discover" },
        { FEATURE_USER_MODE, "user-mode" },
        { FEATURE_OPEN, "open" },
        { FEATURE_NBD, "nbd" },
        { FEATURE_TRANSFER, "transfer" },
        { FEATURE_IMPORT, "import" },
        { FEATURE_COPY, "copy" },
        { FEATURE_RENAME, "rename" },
        { FEATURE_CONVERT, "convert" },
        { FEATURE_REBASE, "rebase" },
        { FEATURE_WIPE, "wipe" },
        { FEATURE_SNAPSHOT, "snapshot" },
        { FEATURE_ATTACHMENT, "attachment" },
        { FEATURE_BLOCK, "block" },
};

static int add_features(const Backend *b, Bag *bag)
{
        int r;

        r = bag_set_strv(bag, "features", (char *const[]){ NULL });
        FOREACH_ELEMENT (f, features)
                if (r >= 0 && b->features & f->feature)
                        r = bag_add_strv(bag, "features", f->name);
        return r;
}

static int add_formats(const ImageFormat *f, const char *key, Bag *bag)
{
        int r;

        r = bag_set_strv(bag, key, (char *const[]){ NULL });
        for (; r >= 0 && f && *f != FORMAT_NONE; f++)
                r = bag_add_strv(bag, key, image_format_to_string(*f));
        return r;
}

static int add_capabilities(const int *capability, Bag *bag)
{
        int r;

        r = bag_set_strv(bag, "capabilities", (char *const[]){ NULL });
        for (; r >= 0 && capability && *capability >= 0; capability++) {
                char *name = cap_to_name(*capability);

                r = name ? bag_add_strv(bag, "capabilities", name) : -ENOMEM;
                cap_free(name);
        }
        return r;
}

static int add_options(const OptionSpec *common, size_t n_common, const OptionSpec *specs, size_t n,
                       const char *key, Bag *bag)
{
        OptionTable t = {};
        int r;

        r = option_table_with_common(common, n_common, specs, n, &t);
        if (r < 0)
                return r;
        r = option_table_to_bag(&t, key, bag);
        option_table_done(&t);
        return r;
}

static int add_backend(const Backend *b, Bag *bag)
{
        int r;

        r = bag_set_string(bag, "summary", b->summary);
        if (r >= 0)
                r = add_features(b, bag);
        if (r >= 0)
                r = add_formats(b->formats, "formats", bag);
        if (r >= 0)
                r = add_formats(b->create_formats, "create-formats", bag);
        if (r >= 0)
                r = add_capabilities(b->capabilities, bag);
        if (r >= 0)
                r = add_options(common_pool_options, n_common_pool_options, b->pool_options,
                                b->n_pool_options, "pool-options", bag);
        if (r >= 0)
                r = add_options(common_volume_options, n_common_volume_options, b->volume_options,
                                b->n_volume_options, "volume-options", bag);
        return r;
}

/* A module that does not load is there too, with the reason. */
static int describe_backend(const char *directory, const char *name, Bag *bag)
{
        Ctx c = { .backend_directory = directory,
                  .volume = "",
                  .lock_fd = -EBADF,
                  .kept_fd = -EBADF,
                  .intent_fd = -EBADF,
                  .job = true };
        int r;

        r = bag_set_string(bag, "name", name);
        if (r < 0)
                return r;
        if (module_load(directory, name, &c.backend, &c.error) >= 0) {
                r = add_backend(c.backend, bag);
                if (r >= 0 && c.backend->available && c.backend->available(&c) < 0 &&
                    c.error.kind == ERROR_NONE)
                        (void)error_set(&c.error, ERROR_BACKEND_UNAVAILABLE, "it does not say why");
        }
        if (r >= 0)
                r = bag_set_bool(bag, "available", c.error.kind == ERROR_NONE);
        if (r >= 0 && c.error.kind != ERROR_NONE)
                r = bag_set_string(bag, "reason", c.error.message);
        ctx_done(&c);
        return r;
}

static int is_module(const struct dirent *entry)
{
        size_t n = strlen(entry->d_name);

        return n > 3 && streq(entry->d_name + n - 3, ".so");
}

int describe_backends(const char *directory, Bag *ret, Error *e)
{
        struct dirent **entries;
        int n, r = 0;

        n = scandir(directory, &entries, is_module, alphasort);
        if (n < 0)
                return error_set_errno(e, errno, "Cannot read the backend directory %s", directory);
        for (int i = 0; i < n; i++) {
                Bag *bag = bag_new();

                entries[i]->d_name[strlen(entries[i]->d_name) - 3] = '\0';
                if (r >= 0)
                        r = bag ? describe_backend(directory, entries[i]->d_name, bag) : -ENOMEM;
                if (r >= 0)
                        r = bag_add_bag(ret, "backends", TAKE_PTR(bag));
                bag_free(bag);
                free(entries[i]);
        }
        free(entries);
        return r < 0 ? error_set_errno(e, r, "Cannot describe the backends") : 0;
}

int describe_print(const char *directory, FILE *f, Error *e)
{
        _cleanup_bag_ Bag *bag = bag_new();
        json_object *o;
        int r;

        if (!bag)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        r = describe_backends(directory, bag, e);
        if (r < 0)
                return r;
        o = bag_to_json(bag);
        fprintf(f, "%s\n",
                json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(o);
        return 0;
}
