/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See polkit.h. The interface of the authority is described in the polkit reference manual,
 * org.freedesktop.PolicyKit1.Authority. */
#include "polkit.h"

#include <systemd/sd-event.h>

#include "util/bag.h"
#include "util/hashmap.h"

#define AUTHORITY_NAME "org.freedesktop.PolicyKit1"
#define AUTHORITY_PATH "/org/freedesktop/PolicyKit1/Authority"
#define AUTHORITY_INTERFACE "org.freedesktop.PolicyKit1.Authority"

/* A dialogue takes as long as its user does; polkit itself ends it when the caller leaves. */
#define ASK_USEC (60ULL * 1000 * 1000)
#define ASK_INTERACTIVE_USEC UINT64_MAX

typedef struct Asked Asked;
typedef struct User User;

typedef enum QuestionState {
        QUESTION_QUEUED,
        QUESTION_OPEN,
        QUESTION_ANSWERED,
} QuestionState;

typedef struct Question {
        Asked *asked;
        char *action;
        char **details;
        bool interactive;
        QuestionState state;
        sd_bus_slot *slot;
        PolkitVerdict verdict;
        char *failure;                /* why polkit could not be asked */
        struct Question *next;        /* of the same message */
        struct Question *next_queued; /* of the same user */
} Question;

/* A message about which something has been asked. */
struct Asked {
        Polkit *polkit;
        sd_bus_message *message; /* the reference keeps the pointer, our key, from being used again */
        User *user;
        Question *questions;
        sd_event_source *reap;
        Asked *next, *previous;
};

struct User {
        char key[16];
        unsigned n_open, n_interactive, n_queued, n_asked;
        Question *first_queued, **last_queued;
};

struct Polkit {
        sd_bus *bus;
        Asked *asked;
        Hashmap *users; /* uid -> User */
        unsigned n_open, n_interactive;
};

/* ---- users ---- */

static User *user_get(Polkit *p, uid_t uid)
{
        char key[16];
        User *u;

        snprintf(key, sizeof(key), "%u", (unsigned)uid);
        u = hashmap_get(p->users, key);
        if (u)
                return u;
        u = calloc(1, sizeof(*u));
        if (!u)
                return NULL;
        memcpy(u->key, key, sizeof(key));
        u->last_queued = &u->first_queued;
        if (hashmap_put(p->users, key, u) < 0) {
                free(u);
                return NULL;
        }
        return u;
}

static void user_release(Polkit *p, User *u)
{
        if (u->n_asked > 0)
                return;
        hashmap_remove(p->users, u->key);
        free(u);
}

static bool user_may_open(const Polkit *p, const User *u, bool interactive)
{
        if (p->n_open >= POLKIT_OPEN_TOTAL || u->n_open >= POLKIT_OPEN_MAX)
                return false;
        return !interactive ||
               (p->n_interactive < POLKIT_INTERACTIVE_TOTAL && u->n_interactive < POLKIT_INTERACTIVE_MAX);
}

static void count_open(Polkit *p, User *u, bool interactive, int delta)
{
        p->n_open += delta;
        u->n_open += delta;
        if (interactive) {
                p->n_interactive += delta;
                u->n_interactive += delta;
        }
}

static void user_queue(User *u, Question *q)
{
        q->state = QUESTION_QUEUED;
        *u->last_queued = q;
        u->last_queued = &q->next_queued;
        u->n_queued++;
}

static void user_unqueue(User *u, Question *q)
{
        for (Question **i = &u->first_queued; *i; i = &(*i)->next_queued)
                if (*i == q) {
                        *i = q->next_queued;
                        if (u->last_queued == &q->next_queued)
                                u->last_queued = i;
                        q->next_queued = NULL;
                        u->n_queued--;
                        return;
                }
}

/* ---- questions ---- */

static void question_close(Question *q)
{
        User *u = q->asked->user;

        if (q->state == QUESTION_OPEN) {
                q->slot = sd_bus_slot_unref(q->slot);
                count_open(q->asked->polkit, u, q->interactive, -1);
        } else if (q->state == QUESTION_QUEUED)
                user_unqueue(u, q);
        q->state = QUESTION_ANSWERED;
}

static void question_free(Question *q)
{
        free(q->action);
        strv_free(q->details);
        free(q->failure);
        free(q);
}

static void asked_free(Asked *a)
{
        Polkit *p = a->polkit;

        while (a->questions) {
                Question *q = a->questions;

                a->questions = q->next;
                question_close(q);
                question_free(q);
        }
        if (a->next)
                a->next->previous = a->previous;
        if (a->previous)
                a->previous->next = a->next;
        else
                p->asked = a->next;
        sd_event_source_disable_unref(a->reap);
        sd_bus_message_unref(a->message);
        a->user->n_asked--;
        user_release(p, a->user);
        free(a);
}

static int on_reap(sd_event_source *s, void *userdata)
{
        asked_free(userdata);
        return 0;
}

/* The message goes to its handler again; when that has happened, what was asked for it is forgotten. The
 * message stands in the bus' queue by then, whose source has a higher priority than this one. */
static void dispatch_again(Asked *a)
{
        int r;

        if (!a->reap) {
                r = sd_event_add_defer(sd_bus_get_event(a->polkit->bus), &a->reap, on_reap, a);
                if (r >= 0)
                        (void)sd_event_source_set_priority(a->reap, SD_EVENT_PRIORITY_IDLE);
        } else
                r = sd_event_source_set_enabled(a->reap, SD_EVENT_ONESHOT);
        if (r >= 0)
                r = sd_bus_message_rewind(a->message, true);
        if (r >= 0)
                r = sd_bus_enqueue_for_read(a->polkit->bus, a->message);
        if (r < 0) {
                (void)sd_bus_reply_method_errorf(a->message, SD_BUS_ERROR_NO_MEMORY, "out of memory");
                asked_free(a);
        }
}

static Asked *asked_find(Polkit *p, sd_bus_message *m)
{
        for (Asked *a = p->asked; a; a = a->next)
                if (a->message == m)
                        return a;
        return NULL;
}

static Asked *asked_get(Polkit *p, sd_bus_message *m, uid_t caller)
{
        Asked *a = asked_find(p, m);

        if (a)
                return a;
        a = calloc(1, sizeof(*a));
        if (!a)
                return NULL;
        a->user = user_get(p, caller);
        if (!a->user) {
                free(a);
                return NULL;
        }
        a->user->n_asked++;
        a->polkit = p;
        a->message = sd_bus_message_ref(m);
        a->next = p->asked;
        if (a->next)
                a->next->previous = a;
        p->asked = a;
        return a;
}

static bool same_details(char *const *a, char *const *b)
{
        for (; a && b && *a && *b; a++, b++)
                if (!streq(*a, *b))
                        return false;
        return (!a || !*a) && (!b || !*b);
}

/* ---- the authority ---- */

static void start_queued(Polkit *p);

/* Whatever is not a clear yes or challenge is a no: errors, missing fields, a polkit that is not there. */
static void read_verdict(Question *q, sd_bus_message *reply)
{
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        int authorised = false, challenge = false;

        q->verdict = POLKIT_NO;
        if (error) {
                q->failure = strdup(error->message ?: error->name);
                return;
        }
        if (sd_bus_message_enter_container(reply, 'r', "bba{ss}") <= 0 ||
            sd_bus_message_read(reply, "bb", &authorised, &challenge) <= 0) {
                q->failure = strdup("malformed answer");
                return;
        }
        q->verdict = authorised ? POLKIT_YES : challenge ? POLKIT_CHALLENGE : POLKIT_NO;
}

static int on_verdict(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        Question *q = userdata;
        Polkit *p = q->asked->polkit;

        read_verdict(q, reply);
        question_close(q);
        dispatch_again(q->asked);
        start_queued(p);
        return 1;
}

/* A rule has the caller's name only; "caller.uid" lets it compare with "volume.owner". */
static int append_details(sd_bus_message *call, char *const *details, const User *u)
{
        int r;

        r = sd_bus_message_open_container(call, 'a', "{ss}");
        for (char *const *i = details; i && i[0] && r >= 0; i += 2)
                r = sd_bus_message_append(call, "{ss}", i[0], i[1]);
        if (r >= 0)
                r = sd_bus_message_append(call, "{ss}", "caller.uid", u->key);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

/* The subject is the name on the bus, never a pid, which may be another's by now. */
static int question_open(Question *q)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        Polkit *p = q->asked->polkit;
        User *u = q->asked->user;
        int r;

        r = sd_bus_message_new_method_call(p->bus, &call, AUTHORITY_NAME, AUTHORITY_PATH,
                                           AUTHORITY_INTERFACE, "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(call, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                                          sd_bus_message_get_sender(q->asked->message), q->action);
        if (r >= 0)
                r = append_details(call, q->details, u);
        if (r >= 0)
                r = sd_bus_message_append(call, "us", (uint32_t)q->interactive, "");
        if (r >= 0)
                r = sd_bus_call_async(p->bus, &q->slot, call, on_verdict, q,
                                      q->interactive ? ASK_INTERACTIVE_USEC : ASK_USEC);
        if (r < 0)
                return r;
        q->state = QUESTION_OPEN;
        count_open(p, u, q->interactive, 1);
        return 0;
}

static void user_start_queued(Polkit *p, User *u)
{
        for (Question *q = u->first_queued, *next; q; q = next) {
                next = q->next_queued;
                if (!user_may_open(p, u, q->interactive))
                        continue;
                user_unqueue(u, q);
                if (question_open(q) >= 0)
                        continue;
                q->state = QUESTION_ANSWERED;
                q->failure = strdup("out of memory");
                dispatch_again(q->asked);
        }
}

/* A place became free. Whose question takes it is a matter of the table's order; each user's share is limited. */
static void start_queued(Polkit *p)
{
        const char *uid;
        User *u;

        HASHMAP_FOREACH (uid, u, p->users) {
                u->n_asked++; /* outlives its messages */
                user_start_queued(p, u);
                u->n_asked--;
                user_release(p, u);
        }
}

static Question *question_new(Asked *a, const char *action, char *const *details, bool interactive)
{
        Question *q = calloc(1, sizeof(*q));

        if (!q)
                return NULL;
        *q = (Question){ .asked = a, .interactive = interactive, .state = QUESTION_ANSWERED };
        q->details = details ? strv_copy(details) : NULL;
        if (asprintf(&q->action, POLKIT_ACTION_PREFIX "%s", action) < 0)
                q->action = NULL;
        if (!q->action || (details && !q->details)) {
                question_free(q);
                return NULL;
        }
        q->next = a->questions;
        a->questions = q;
        return q;
}

static int question_start(Asked *a, const char *action, char *const *details, bool interactive, Error *e)
{
        User *u = a->user;
        Question *q;
        int r;

        if (!user_may_open(a->polkit, u, interactive) && u->n_queued >= POLKIT_QUEUED_MAX)
                return error_set(e, ERROR_LIMITS_EXCEEDED,
                                 "More than %u calls of this user wait for polkit already",
                                 POLKIT_QUEUED_MAX);
        q = question_new(a, action, details, interactive);
        if (!q)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        if (!user_may_open(a->polkit, u, interactive)) {
                user_queue(u, q);
                return 0;
        }
        r = question_open(q);
        return r < 0 ? error_set(e, ERROR_ACCESS_DENIED, "polkit cannot be asked: %s", strerror(-r)) : 0;
}

/* ---- what handlers call ---- */

/* The verdict for exactly these details. *ret_others counts those about the same action for other details.
 */
static Question *find_verdict(Asked *a, const char *action, char *const *details, unsigned *ret_others)
{
        *ret_others = 0;
        for (Question *q = a ? a->questions : NULL; q; q = q->next) {
                const char *name = startswith(q->action, POLKIT_ACTION_PREFIX);

                if (q->state != QUESTION_ANSWERED || !name || !streq(name, action))
                        continue;
                if (same_details(q->details, details))
                        return q;
                (*ret_others)++;
        }
        return NULL;
}

/* 1: *ret is the verdict; 0: asked; negative errno. */
static int ask(Polkit *p, sd_bus_message *m, uid_t caller, const char *action, char *const *details,
               bool interactive, Question **ret, Error *e)
{
        Asked *a = asked_find(p, m);
        unsigned others;
        int r;

        *ret = find_verdict(a, action, details, &others);
        if (*ret)
                return 1;
        if (others > POLKIT_REPEATS_MAX)
                return error_set(e, ERROR_CHANGED,
                                 "What %s was to be allowed for changed again and again; try later", action);
        a = asked_get(p, m, caller);
        if (!a)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        if (a->reap)
                (void)sd_event_source_set_enabled(a->reap, SD_EVENT_OFF);
        r = question_start(a, action, details, interactive, e);
        if (r < 0)
                asked_free(a);
        return r;
}

int polkit_ask(Polkit *p, sd_bus_message *m, uid_t caller, const char *action, char *const *details,
               bool interactive, PolkitVerdict *ret, Error *e)
{
        Question *q;
        int r;

        if (caller == 0 || caller == geteuid()) {
                *ret = POLKIT_YES;
                return 1;
        }
        r = ask(p, m, caller, action, details, interactive, &q, e);
        if (r > 0)
                *ret = q->verdict;
        return r;
}

int polkit_check(Polkit *p, sd_bus_message *m, uid_t caller, const char *action, char *const *details,
                 Error *e)
{
        bool interactive = sd_bus_message_get_allow_interactive_authorization(m) > 0;
        Question *q;
        int r;

        if (caller == 0 || caller == geteuid())
                return 1;
        r = ask(p, m, caller, action, details, interactive, &q, e);
        if (r <= 0)
                return r;
        if (q->failure)
                return error_set(e, ERROR_ACCESS_DENIED,
                                 "Not authorised for %s, since polkit cannot be asked: %s", q->action,
                                 q->failure);
        switch (q->verdict) {
        case POLKIT_YES:
                return 1;
        case POLKIT_CHALLENGE:
                return error_set(e, ERROR_INTERACTIVE,
                                 "%s needs authentication, and the call does not allow to ask for it",
                                 q->action);
        case POLKIT_NO:
                break;
        }
        return error_set(e, ERROR_ACCESS_DENIED, "polkit does not allow %s to this caller", q->action);
}

static Asked *find_by_sender(Polkit *p, const char *name)
{
        for (Asked *a = p->asked; a; a = a->next)
                if (streq_ptr(sd_bus_message_get_sender(a->message), name))
                        return a;
        return NULL;
}

void polkit_caller_gone(Polkit *p, const char *name)
{
        Asked *a;

        while ((a = find_by_sender(p, name)))
                asked_free(a);
        start_queued(p);
}

int polkit_new(sd_bus *bus, Polkit **ret)
{
        Polkit *p = calloc(1, sizeof(*p));

        if (!p)
                return -ENOMEM;
        p->users = hashmap_new();
        if (!p->users) {
                free(p);
                return -ENOMEM;
        }
        p->bus = sd_bus_ref(bus);
        *ret = p;
        return 0;
}

void polkit_free(Polkit *p)
{
        if (!p)
                return;
        while (p->asked)
                asked_free(p->asked);
        hashmap_free(p->users);
        sd_bus_unref(p->bus);
        free(p);
}
