/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "object.h"

#include "switch-options.h"

static const char *object_interface(const ObjectName *n)
{
        return n->volume ? VOLUME_INTERFACE : POOL_INTERFACE;
}

/* The bus says only that there is no such object: finds out what is missing. */
static int object_explain(Poolctl *p, const ObjectName *n, int r, Error *e)
{
        _cleanup_error_ Error reason = ERROR_NULL;

        if (r >= 0 || e->kind != ERROR_UNKNOWN_OBJECT)
                return r;
        error_done(e);
        r = call(p, MANAGER_METHOD(.member = "GetPool", .plain = true), NULL, &reason, "s", n->pool);
        if (r < 0 && reason.kind == ERROR_NO_SUCH_POOL)
                return error_set(e, ERROR_NO_SUCH_POOL,
                                 "there is no pool \"%s\"; \"poolctl list\" shows all", n->pool);
        if (n->volume)
                return error_set(e, ERROR_NO_SUCH_VOLUME,
                                 "pool \"%s\" has no volume \"%s\", or is not active; \"poolctl volumes "
                                 "%s\" shows all",
                                 n->pool, n->volume, n->pool);
        return error_set(e, ERROR_NO_SUCH_POOL, "there is no pool \"%s\"", n->pool);
}

int object_call(Poolctl *p, const ObjectName *n, Method method, sd_bus_message **ret, Error *e,
                const char *types, ...)
{
        _cleanup_free_ char *path = NULL;
        va_list ap;
        int r;

        if (object_name_to_path(n, &path) < 0)
                return error_no_memory(e);
        method.path = path;
        method.interface = object_interface(n);
        va_start(ap, types);
        r = callv(p, &method, ret, e, types, ap);
        va_end(ap);
        return object_explain(p, n, r, e);
}

int object_run_job(Poolctl *p, const ObjectName *n, Method method, json_object **ret_result, Error *e,
                   const char *types, ...)
{
        _cleanup_free_ char *path = NULL;
        va_list ap;
        int r;

        if (!method.options || object_name_to_path(n, &path) < 0)
                return error_no_memory(e);
        method.path = path;
        method.interface = object_interface(n);
        va_start(ap, types);
        r = run_jobv(p, &method, ret_result, e, types, ap);
        va_end(ap);
        return object_explain(p, n, r, e);
}

int object_properties(Poolctl *p, const ObjectName *n, json_object **ret, Error *e)
{
        _cleanup_free_ char *path = NULL;
        int r;

        if (object_name_to_path(n, &path) < 0)
                return error_no_memory(e);
        r = get_properties(p, path, object_interface(n), ret, e);
        return object_explain(p, n, r, e);
}

int options_parse(Poolctl *p, char **words, size_t n, Bag *options, Error *e)
{
        int r;

        r = switches_to_options(&p->line, options, e);
        return r < 0 ? r : assignments_parse(words, n, options, e);
}

int object_word_parse(const char *word, ObjectKind kind, ObjectName *ret, Error *e)
{
        _cleanup_object_name_ ObjectName n = OBJECT_NAME_NULL;
        int r;

        r = object_name_parse(word, &n, e);
        if (r < 0)
                return r;
        if (kind == OBJECT_POOL && n.volume)
                return error_set(e, ERROR_INVALID_ARGS, "expected a pool, not the volume \"%s\"", word);
        if (kind == OBJECT_VOLUME && !n.volume)
                return error_set(e, ERROR_INVALID_ARGS, "expected POOL/VOLUME, not \"%s\"", word);
        *ret = n;
        n = OBJECT_NAME_NULL;
        return 0;
}

ExitStatus for_each_object(Poolctl *p, char **words, size_t n, ObjectKind kind, const char *what,
                           object_action_t action)
{
        ExitStatus status = STATUS_DONE;

        for (size_t i = 0; i < n; i++) {
                _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
                _cleanup_error_ Error e = ERROR_NULL;
                ExitStatus s;

                if (object_word_parse(words[i], kind, &name, &e) < 0)
                        s = usage("%s", e.message);
                else if (action(p, &name, &e) < 0)
                        s = fail(&e, "cannot %s %s", what, words[i]);
                else
                        continue;
                if (status == STATUS_DONE)
                        status = s;
        }
        return status;
}
