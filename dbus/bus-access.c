/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-access.h"

#include "bus-call.h"

/* Every action of ours, see polkit/org.example.Storage.policy.in. */
static const char *const actions_known[] = {
        "pool-define", "pool-manage",     "pool-build",    "pool-delete",     "discover",
        "volume-list", "volume-create",   "volume-resize", "volume-shrink",   "volume-delete",
        "volume-wipe", "volume-write",    "volume-read",   "snapshot-manage", "secret-manage",
        "job-manage",  "template-manage",
};

static const char *find_action(const char *name)
{
        FOREACH_ELEMENT (i, actions_known)
                if (streq(*i, name))
                        return *i;
        return NULL;
}

/* The pool and volume that a path names; both NULL for the root. */
static int find_object(Bus *b, const char *path, Pool **ret_pool, Volume **ret_volume,
                       sd_bus_error *ret_error)
{
        _cleanup_free_ char *pool = NULL, *volume = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        Volume *v = NULL;
        Pool *p = NULL;
        int r;

        if (!streq(path, OBJECT_ROOT)) {
                r = object_path_to_pool(path, &pool);
                if (r == 0)
                        r = object_path_to_volume(path, &pool, &volume);
                if (r < 0)
                        return r;
                if (r == 0)
                        error_set(&e, ERROR_UNKNOWN_OBJECT, "%s is neither a pool nor a volume", path);
                else if (manager_find_pool(b->manager, pool, &p, &e) >= 0 && volume)
                        (void)pool_find_volume(p, volume, &v, &e);
                if (e.kind != ERROR_NONE)
                        return call_fail(&e, 0, ret_error);
        }
        *ret_pool = p;
        *ret_volume = v;
        return 0;
}

static bool said_before(char **first, char **i)
{
        for (; first < i; first++)
                if (streq(*first, *i))
                        return true;
        return false;
}

/* 1: known; 0: polkit is being asked, and the handler runs again. */
static int ask(Call *c, Pool *p, Volume *v, const char *action, PolkitVerdict *ret, sd_bus_error *ret_error)
{
        ActionCheck check = {};
        int r;

        r = pool_action_check(p, v, action, &check);
        if (r < 0)
                return r;
        r = call_ask(c, action, check.details, ret, ret_error);
        action_check_done(&check);
        return r;
}

static const char *verdict_word(PolkitVerdict verdict)
{
        switch (verdict) {
        case POLKIT_YES:
                return "yes";
        case POLKIT_CHALLENGE:
                return "challenge";
        case POLKIT_NO:
                return "no";
        }
        return "no";
}

static int append_answers(Call *c, char **actions, Pool *p, Volume *v, sd_bus_message *reply,
                          sd_bus_error *ret_error)
{
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{ss}");
        for (char **i = actions; i && *i && r >= 0; i++) {
                const char *action = find_action(*i);
                PolkitVerdict verdict;

                if (!action)
                        return call_invalid(ret_error,
                                            "There is no action %s; names are without org.example.Storage.",
                                            *i);
                if (said_before(actions, i))
                        continue;
                r = ask(c, p, v, action, &verdict, ret_error);
                if (r <= 0)
                        return r;
                r = sd_bus_message_append(reply, "{ss}", action, verdict_word(verdict));
        }
        return r < 0 ? r : sd_bus_message_close_container(reply) < 0 ? -ENOMEM : 1;
}

int manager_method_check_authorized(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Bus *b = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_strv_ char **actions = NULL;
        _cleanup_call_ Call c = {};
        const char *path;
        Volume *v = NULL;
        Pool *p = NULL;
        int r;

        r = call_begin(b->manager, m, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = sd_bus_message_read(m, "o", &path);
        if (r >= 0)
                r = sd_bus_message_read_strv(m, &actions);
        if (r < 0)
                return r;
        if (strv_length(actions) > ELEMENTSOF(actions_known))
                return call_invalid(ret_error, "There are only %zu actions", ELEMENTSOF(actions_known));
        r = call_read_options(&c, (const char *[]){ NULL }, ret_error);
        if (r >= 0)
                r = find_object(b, path, &p, &v, ret_error);
        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &reply);
        if (r < 0)
                return r;
        r = append_answers(&c, actions, p, v, reply, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        return sd_bus_send(NULL, reply, NULL);
}
