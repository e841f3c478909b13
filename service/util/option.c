/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "option.h"

#include "names.h"
#include "option-value.h"

const OptionSpec *option_find(const OptionTable *t, const char *name)
{
        for (size_t i = 0; i < t->n_specs; i++)
                if (streq(t->specs[i].name, name))
                        return &t->specs[i];
        return NULL;
}

/* Edit distance (Levenshtein) of two names, both shorter than 64 bytes; more counts as far. */
static size_t edit_distance(const char *a, const char *b)
{
        size_t row[64], n = strlen(b);

        if (n >= ELEMENTSOF(row) || strlen(a) >= ELEMENTSOF(row))
                return SIZE_MAX;
        for (size_t j = 0; j <= n; j++)
                row[j] = j;
        for (size_t i = 1; a[i - 1]; i++) {
                size_t diagonal = row[0];

                row[0] = i;
                for (size_t j = 1; j <= n; j++) {
                        size_t replaced = diagonal + (a[i - 1] != b[j - 1]);

                        diagonal = row[j];
                        row[j] = MIN(replaced, MIN(row[j], row[j - 1]) + 1);
                }
        }
        return row[n];
}

/* The known name that the writer most likely meant, or NULL: at most a third of its letters differ, or it
 * ends in what was written ("path" for "target.path"). */
static const char *nearest_name(const OptionTable *t, const char *name)
{
        const char *nearest = NULL;
        size_t best = SIZE_MAX;

        for (size_t i = 0; i < t->n_specs; i++) {
                const char *known = t->specs[i].name, *dot = strrchr(known, '.');
                size_t distance = dot && streq(dot + 1, name) ? 1 : edit_distance(name, known);

                if (distance < best && distance <= MAX(strlen(known) / 3, (size_t)1)) {
                        best = distance;
                        nearest = known;
                }
        }
        return nearest;
}

static int unknown_option(const OptionTable *t, const char *name, Error *e)
{
        const char *nearest = nearest_name(t, name);

        if (nearest)
                return error_set(e, ERROR_INVALID_ARGS, "unknown option '%s': did you mean '%s'?", name,
                                 nearest);
        return error_set(e, ERROR_INVALID_ARGS, "unknown option '%s'", name);
}

int options_check(const OptionTable *t, const Bag *in, Bag **ret, Error *e)
{
        _cleanup_bag_ Bag *out = bag_new();

        if (!out)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        for (size_t i = 0; i < bag_size(in); i++) {
                const OptionSpec *spec = option_find(t, bag_key(in, i));
                int r;

                if (!spec)
                        return unknown_option(t, bag_key(in, i), e);
                r = option_set_value(spec, bag_value(in, i), out, e);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < t->n_specs; i++)
                if (t->specs[i].flags & OPTION_REQUIRED && !bag_has(out, t->specs[i].name))
                        return error_set(e, ERROR_INVALID_ARGS, "option '%s' is missing: %s",
                                         t->specs[i].name, t->specs[i].help ?: "it is required");
        *ret = TAKE_PTR(out);
        return 0;
}
