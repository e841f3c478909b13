/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that ask what somebody may do. */
#include "object.h"
#include "output.h"

/* Actions that a caller may be asked about, by what they concern: org.example.Storage(5), AUTHORISATION. */
static const char *const manager_actions[] = { "pool-define", "discover", NULL };
static const char *const pool_actions[] = {
        "pool-define", "pool-manage", "pool-build", "pool-delete", "volume-list", "volume-create", NULL,
};
static const char *const volume_actions[] = {
        "volume-list", "volume-resize", "volume-shrink", "volume-delete", "volume-read", "job-manage", NULL,
};

ExitStatus verb_access(Poolctl *p, char **words, size_t n)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
        _cleanup_json_ json_object *o = NULL;
        _cleanup_free_ char *shown = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        const char *reason;
        uint32_t uid;
        int allowed, r;

        if (object_word_parse(words[0], OBJECT_VOLUME, &name, &e) < 0 ||
            user_word_parse(words[1], given(p, SWITCH_HOST), &uid, &e) < 0)
                return usage("%s", e.message);
        r = object_call(p, &name, (Method){ .member = "CheckAccess" }, &reply, &e, "u", uid);
        if (r >= 0) {
                r = sd_bus_message_read(reply, "bs", &allowed, &reason);
                if (r < 0)
                        (void)error_bad_reply(&e, r);
        }
        if (r < 0)
                return fail(&e, "cannot check the access to %s", words[0]);
        if (p->json != JSON_OFF) {
                o = json_object_new_object();
                json_object_object_add(o, "Allowed", json_object_new_boolean(allowed));
                json_add_string(o, "Reason", isempty(reason) ? NULL : reason);
                (void)print_json(p, o);
        } else {
                shown = text_printable(reason);
                if (!shown)
                        return out_of_memory();
                printf("%s%s%s\n", yes_no(allowed), *shown ? ": " : "", shown);
        }
        return allowed ? STATUS_DONE : STATUS_FAILED;
}

/* The words name actions, or else all that concern the object are asked. */
static int read_verdicts(Poolctl *p, const ObjectName *n, char **actions, size_t n_actions,
                         json_object **ret, Error *e)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_strv_ char **list = NULL;
        _cleanup_free_ char *path = NULL;
        const char *const *all = n->volume ? volume_actions : n->pool ? pool_actions : manager_actions;
        int r = 0;

        for (size_t i = 0; i < n_actions && r >= 0; i++)
                r = strv_append(&list, actions[i]);
        for (; n_actions == 0 && *all && r >= 0; all++)
                r = strv_append(&list, *all);
        if (r < 0 || (n->pool && object_name_to_path(n, &path) < 0))
                return error_no_memory(e);
        r = call(p, MANAGER_METHOD(.member = "CheckAuthorized", .strings = list), &reply, e, "o",
                 path ?: MANAGER_PATH);
        if (r < 0)
                return r;
        r = json_from_message(reply, ret);
        return r < 0 ? error_bad_reply(e, r) : 0;
}

static ExitStatus print_verdicts(Poolctl *p, json_object *verdicts)
{
        static const Column columns[] = { { "ACTION", 0 }, { "ALLOWED", COLUMN_STATE } };
        _cleanup_table_ Table *t = table_new(columns, ELEMENTSOF(columns));

        if (!t)
                return out_of_memory();
        json_object_object_foreach(verdicts, action, verdict)
        {
                (void)table_add(t, action);
                (void)table_add(t, json_object_get_string(verdict));
        }
        return print_table(p, t);
}

ExitStatus verb_auth(Poolctl *p, char **words, size_t n)
{
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
        _cleanup_json_ json_object *verdicts = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        if (n > 0 && object_word_parse(words[0], OBJECT_ANY, &name, &e) < 0)
                return usage("%s", e.message);
        if (read_verdicts(p, &name, words + MIN(n, 1u), n - MIN(n, 1u), &verdicts, &e) < 0)
                return fail(&e, "cannot ask for authorisations");
        return p->json == JSON_OFF ? print_verdicts(p, verdicts) : print_json(p, verdicts);
}
