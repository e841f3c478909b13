/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stands for service/backends.c where no worker runs: one pool type, "dir". */
#include "backends.h"

static const OptionSpec pool_specs[] = {
        { "target.path", OPTION_PATH, OPTION_REQUIRED | OPTION_FIXED, "target/path", NULL, NULL,
          "The directory." },
};
static const OptionSpec volume_specs[] = {
        { "backing.path", OPTION_STRING, 0, "backingStore/path", NULL, NULL, "The backing volume." },
        { "passphrase", OPTION_FD, OPTION_SECRET, NULL, NULL, NULL, "The passphrase." },
};

static const char *const features[] = { "build",   "delete",        "create", "resize",    "shrink",
                                        "clone",   "volume-delete", "watch",  "user-mode", "open",
                                        "nbd",     "transfer",      "import", "copy",      "rename",
                                        "convert", "rebase",        "wipe",   "snapshot",  "attachment",
                                        NULL };
static const char *const formats[] = { "raw", "qcow2", NULL };

struct Backends {
        BackendInfo info;
};

int backends_load(const char *worker, const char *directory, Backends **ret, Error *e)
{
        Backends *b = calloc(1, sizeof(*b));

        if (!b)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        b->info = (BackendInfo){
                .name = (char *)"dir",
                .summary = (char *)"A directory",
                .features = (char **)features,
                .formats = (char **)formats,
                .create_formats = (char **)formats,
        };
        if (option_table_with_common(common_pool_options, n_common_pool_options, pool_specs,
                                     ELEMENTSOF(pool_specs), &b->info.pool_options) < 0 ||
            option_table_with_common(common_volume_options, n_common_volume_options, volume_specs,
                                     ELEMENTSOF(volume_specs), &b->info.volume_options) < 0) {
                backends_free(b);
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        }
        *ret = b;
        return 0;
}

void backends_free(Backends *b)
{
        if (!b)
                return;
        option_table_done(&b->info.pool_options);
        option_table_done(&b->info.volume_options);
        free(b);
}

size_t backends_size(const Backends *b)
{
        return 1;
}

const BackendInfo *backends_at(const Backends *b, size_t i)
{
        return &b->info;
}

const BackendInfo *backends_find(const Backends *b, const char *name)
{
        return streq(name, "dir") ? &b->info : NULL;
}

bool backend_has_feature(const BackendInfo *b, const char *feature)
{
        return strv_contains(b->features, feature);
}
