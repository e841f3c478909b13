/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that change what a volume is made of, in place. */
#include "object.h"

/* The formats of a whole pool, or of one volume. */
ExitStatus verb_convert(Poolctl *p, char **words, size_t n)
{
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;

        if (object_word_parse(words[0], OBJECT_ANY, &name, &e) < 0 ||
            options_parse(p, words + 2, n - 2, options, &e) < 0)
                return usage("%s", e.message);
        if (object_run_job(
                    p, &name,
                    (Method){ .member = name.volume ? "Convert" : "ConvertVolumes", .options = options },
                    NULL, &e, "s", words[1]) < 0)
                return fail(&e, "cannot convert %s", words[0]);
        return STATUS_DONE;
}

static int flatten(Poolctl *p, const ObjectName *n, Error *e)
{
        _cleanup_bag_ Bag *options = bag_new();
        int r;

        r = options_parse(p, NULL, 0, options, e);
        return r < 0 ? r
                     : object_run_job(p, n, (Method){ .member = "Flatten", .options = options }, NULL, e,
                                      NULL);
}

ExitStatus verb_flatten(Poolctl *p, char **words, size_t n)
{
        return for_each_object(p, words, n, OBJECT_VOLUME, "flatten", flatten);
}

ExitStatus verb_rebase(Poolctl *p, char **words, size_t n)
{
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL, base = OBJECT_NAME_NULL;
        _cleanup_free_ char *path = NULL;
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;

        if (object_word_parse(words[0], OBJECT_VOLUME, &name, &e) < 0 ||
            target_name_parse(words[1], &name, &base, &e) < 0 || options_parse(p, NULL, 0, options, &e) < 0)
                return usage("%s", e.message);
        if (object_name_to_path(&base, &path) < 0)
                return out_of_memory();
        if (object_run_job(p, &name, (Method){ .member = "Rebase", .options = options }, NULL, &e, "o",
                           path) < 0)
                return fail(&e, "cannot rebase %s", words[0]);
        return STATUS_DONE;
}

static int wipe(Poolctl *p, const ObjectName *n, Error *e)
{
        _cleanup_bag_ Bag *options = bag_new();
        int r;

        r = options_parse(p, NULL, 0, options, e);
        return r < 0 ? r
                     : object_run_job(p, n, (Method){ .member = "Wipe", .options = options }, NULL, e, "s",
                                      p->line.value[SWITCH_ALGORITHM] ?: "zero");
}

ExitStatus verb_wipe(Poolctl *p, char **words, size_t n)
{
        return for_each_object(p, words, n, OBJECT_VOLUME, "wipe", wipe);
}
