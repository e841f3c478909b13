/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that give a volume a second place or another one. */
#include "object.h"
#include "output.h"
#include "util/units.h"

/* On a terminal, how it was done: by reflink, copy, conversion. */
static ExitStatus print_method(Poolctl *p, json_object *result, const ObjectName *target)
{
        const char *method = json_get_string(result, "method");
        _cleanup_free_ char *name = object_name_to_string(target),
                            *shown = name ? text_printable(name) : NULL;

        if (!shown)
                return out_of_memory();
        if (p->json != JSON_OFF && result)
                return print_json(p, result);
        if (p->terminal && method)
                fprintf(stderr, "%s: %s\n", shown, method);
        return STATUS_DONE;
}

ExitStatus verb_clone(Poolctl *p, char **words, size_t n)
{
        _cleanup_object_name_ ObjectName source = OBJECT_NAME_NULL, target = OBJECT_NAME_NULL;
        _cleanup_json_ json_object *result = NULL;
        _cleanup_free_ char *path = NULL;
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;
        bool sized = n > 2 && !strchr(words[2], '='), wanted = p->terminal || p->json != JSON_OFF;
        uint64_t capacity;

        if (object_word_parse(words[0], OBJECT_VOLUME, &source, &e) < 0 ||
            target_name_parse(words[1], &source, &target, &e) < 0 ||
            (sized && size_parse(words[2], &capacity, &e) < 0) ||
            options_parse(p, words + 2 + sized, n - 2 - sized, options, &e) < 0)
                return usage("%s", e.message);
        if (object_name_to_path(&source, &path) < 0 ||
            (sized && bag_set_u64(options, "capacity", capacity) < 0))
                return out_of_memory();
        if (object_run_job(p, &(const ObjectName){ .pool = target.pool },
                           (Method){ .member = "CloneVolume", .options = options }, wanted ? &result : NULL,
                           &e, "so", target.volume, path) < 0)
                return fail(&e, "cannot clone %s to %s", words[0], words[1]);
        return print_method(p, result, &target);
}

static int move(Poolctl *p, const ObjectName *source, const ObjectName *target, Bag *options,
                json_object **ret_result, Error *e)
{
        _cleanup_free_ char *pool = NULL;

        if (object_name_to_path(&(const ObjectName){ .pool = target->pool }, &pool) < 0 ||
            bag_set_string(options, "name", target->volume) < 0)
                return error_no_memory(e);
        return object_run_job(p, source, (Method){ .member = "Move", .options = options }, ret_result, e,
                              "o", pool);
}

ExitStatus verb_mv(Poolctl *p, char **words, size_t n)
{
        _cleanup_object_name_ ObjectName source = OBJECT_NAME_NULL, target = OBJECT_NAME_NULL;
        _cleanup_json_ json_object *result = NULL;
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;
        bool wanted = p->terminal || p->json != JSON_OFF;
        int r;

        if (object_word_parse(words[0], OBJECT_VOLUME, &source, &e) < 0 ||
            target_name_parse(words[1], &source, &target, &e) < 0 ||
            options_parse(p, words + 2, n - 2, options, &e) < 0)
                return usage("%s", e.message);
        if (!streq(source.pool, target.pool))
                r = move(p, &source, &target, options, wanted ? &result : NULL, &e);
        else if (bag_size(options) > 0)
                return usage("within its pool a volume is only renamed; \"poolctl convert\" changes it");
        else
                r = object_run_job(p, &source, (Method){ .member = "Rename", .options = options },
                                   wanted ? &result : NULL, &e, "s", target.volume);
        if (r < 0)
                return fail(&e, "cannot move %s to %s", words[0], words[1]);
        return print_method(p, result, &target);
}
