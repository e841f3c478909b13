/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-caller.h"

#include "util/hashmap.h"

#define HELD_MAX 256u /* messages of one peer while its uid is on the way */

#define DRIVER "org.freedesktop.DBus"
#define DRIVER_PATH "/org/freedesktop/DBus"

typedef struct Caller {
        Callers *callers;
        char *name;
        bool known;
        uid_t uid;
        sd_bus_slot *question;
        sd_bus_message **held;
        size_t n_held;
} Caller;

struct Callers {
        sd_bus *bus;
        Hashmap *names; /* unique name -> Caller */
        sd_bus_slot *vanished;
        caller_gone_t gone;
        void *userdata;
};

static void caller_free(Caller *c)
{
        if (!c)
                return;
        sd_bus_slot_unref(c->question);
        for (size_t i = 0; i < c->n_held; i++)
                sd_bus_message_unref(c->held[i]);
        free(c->held);
        free(c->name);
        free(c);
}
DEFINE_CLEANUP(Caller *, caller_free)

/* The bus tells which names have no owner any more; of these only unique names we know matter. */
static int on_vanished(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Callers *callers = userdata;
        const char *name, *old_owner, *new_owner;

        if (sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner) < 0 || *new_owner)
                return 0;
        Caller *c = hashmap_remove(callers->names, name);
        if (!c)
                return 0;
        caller_free(c);
        callers->gone(name, callers->userdata);
        return 0;
}

static void refuse_held(Caller *c, const char *reason)
{
        for (size_t i = 0; i < c->n_held; i++)
                (void)sd_bus_reply_method_errorf(c->held[i], SD_BUS_ERROR_ACCESS_DENIED,
                                                 "The bus does not tell who %s is: %s", c->name, reason);
}

static void dispatch_held(Caller *c)
{
        for (size_t i = 0; i < c->n_held; i++) {
                sd_bus_message *m = c->held[i];

                if (sd_bus_message_rewind(m, true) < 0 || sd_bus_enqueue_for_read(c->callers->bus, m) < 0)
                        (void)sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NO_MEMORY, "out of memory");
                sd_bus_message_unref(m);
        }
        c->n_held = 0;
        free(TAKE_PTR(c->held));
}

static int on_uid(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        Caller *c = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        uint32_t uid;

        if (error || sd_bus_message_read(reply, "u", &uid) < 0) {
                refuse_held(c, error ? error->message ?: error->name : "malformed answer");
                hashmap_remove(c->callers->names, c->name);
                caller_free(c);
                return 1;
        }
        c->uid = uid;
        c->known = true;
        c->question = sd_bus_slot_unref(c->question);
        dispatch_held(c);
        return 1;
}

static int caller_new(Callers *callers, const char *name, Caller **ret)
{
        _cleanup_(caller_freep) Caller *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        c->callers = callers;
        c->name = strdup(name);
        if (!c->name)
                return -ENOMEM;
        r = sd_bus_call_method_async(callers->bus, &c->question, DRIVER, DRIVER_PATH, DRIVER,
                                     "GetConnectionUnixUser", on_uid, c, "s", name);
        if (r < 0)
                return r;
        r = hashmap_put(callers->names, name, c);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

int callers_resolve(Callers *callers, sd_bus_message *m, uid_t *ret, Error *e)
{
        const char *sender = sd_bus_message_get_sender(m);
        Caller *c;
        int r;

        if (!sender)
                return error_set(e, ERROR_ACCESS_DENIED, "A message without a sender cannot be authorised");
        c = hashmap_get(callers->names, sender);
        if (c && c->known) {
                *ret = c->uid;
                return 1;
        }
        if (!c) {
                r = caller_new(callers, sender, &c);
                if (r < 0)
                        return error_set_errno(e, r, "Cannot ask the bus who %s is", sender);
        }
        if (c->n_held >= HELD_MAX)
                return error_set(e, ERROR_LIMITS_EXCEEDED, "More than %u calls of %s wait already", HELD_MAX,
                                 sender);
        sd_bus_message **held = reallocarray(c->held, c->n_held + 1, sizeof(*held));
        if (!held)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        c->held = held;
        c->held[c->n_held++] = sd_bus_message_ref(m);
        return 0;
}

int callers_new(sd_bus *bus, caller_gone_t gone, void *userdata, Callers **ret)
{
        _cleanup_(callers_freep) Callers *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        c->bus = sd_bus_ref(bus);
        c->gone = gone;
        c->userdata = userdata;
        c->names = hashmap_new();
        if (!c->names)
                return -ENOMEM;
        r = sd_bus_add_match_async(bus, &c->vanished,
                                   "type='signal',sender='" DRIVER "',path='" DRIVER_PATH
                                   "',interface='" DRIVER "',member='NameOwnerChanged',arg2=''",
                                   on_vanished, NULL, c);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

void callers_free(Callers *callers)
{
        const char *name;
        Caller *c;

        if (!callers)
                return;
        sd_bus_slot_unref(callers->vanished);
        if (callers->names)
                HASHMAP_FOREACH (name, c, callers->names)
                        caller_free(c);
        hashmap_free(callers->names);
        sd_bus_unref(callers->bus);
        free(callers);
}
