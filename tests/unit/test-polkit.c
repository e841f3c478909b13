/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The asynchronous check against an authority that the test plays. A tiny service stands in for the daemon:
 * one object with a method that reads its argument, finds its object, asks, and only then counts as having
 * acted. */
#include "polkit.h"

#include "bus-caller.h"
#include "peer.h"
#include "test.h"

#define PATH "/test"
#define INTERFACE "org.example.Test"

static Peer peer;
static Polkit *polkit;
static Callers *callers;

static struct {
        bool exists;
        const char *detail; /* of the first check; NULL: a new one each time */
        const char *second; /* a second action, NULL: none */
        bool verdict_only;  /* polkit_ask() instead of polkit_check() */
        unsigned n_runs, n_acted;
        PolkitVerdict verdict;
} service;

static sd_bus_message *questions[2048];
static size_t n_questions;

static void keep_question(Peer *p, sd_bus_message *question)
{
        CHECK(n_questions < ELEMENTSOF(questions));
        questions[n_questions++] = sd_bus_message_ref(question);
}

static void say_yes(Peer *p, sd_bus_message *question)
{
        peer_answer(question, true, false);
}

static void say_no(Peer *p, sd_bus_message *question)
{
        peer_answer(question, false, false);
}

static void say_challenge(Peer *p, sd_bus_message *question)
{
        peer_answer(question, false, true);
}

static void say_malformed(Peer *p, sd_bus_message *question)
{
        CHECK_OK(sd_bus_reply_method_return(question, "b", true));
}

static void answer_kept(size_t i, bool yes)
{
        CHECK(i < n_questions && questions[i]);
        peer_answer(questions[i], yes, false);
        questions[i] = sd_bus_message_unref(questions[i]);
        peer_settle(&peer);
}

static void drop_questions(void)
{
        for (size_t i = 0; i < n_questions; i++)
                sd_bus_message_unref(questions[i]);
        n_questions = 0;
}

static int fail(Error *e, sd_bus_error *ret)
{
        int r = sd_bus_error_set(ret, error_kind_to_name(e->kind), e->message);

        error_done(e);
        return r;
}

static int check(sd_bus_message *m, uid_t caller, const char *action, const char *value, Error *e)
{
        char *details[] = { (char *)"pool", (char *)"lab", (char *)"capacity", (char *)value, NULL };

        if (!service.verdict_only)
                return polkit_check(polkit, m, caller, action, details, e);
        return polkit_ask(polkit, m, caller, action, details, false, &service.verdict, e);
}

static int method_act(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Error e = ERROR_NULL;
        const char *word;
        char fresh[16];
        uid_t caller;
        int r;

        r = callers_resolve(callers, m, &caller, &e);
        if (r <= 0)
                return r < 0 ? fail(&e, ret_error) : 1;
        service.n_runs++;
        CHECK_OK(sd_bus_message_read(m, "s", &word));
        CHECK_STREQ(word, "word");
        if (!service.exists)
                return sd_bus_error_set_const(ret_error, SD_BUS_ERROR_UNKNOWN_OBJECT, "gone");
        snprintf(fresh, sizeof(fresh), "%u", service.n_runs);
        r = check(m, caller, "volume-create", service.detail ?: fresh, &e);
        if (r > 0 && service.second)
                r = check(m, caller, service.second, "0", &e);
        if (r <= 0)
                return r < 0 ? fail(&e, ret_error) : 1;
        service.n_acted++;
        return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Act", "s", NULL, method_act, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static void on_gone(const char *name, void *userdata)
{
        polkit_caller_gone(polkit, name);
}

static void start(void (*on_question)(Peer *p, sd_bus_message *question))
{
        peer_open(&peer);
        peer.on_question = on_question;
        memset(&service, 0, sizeof(service));
        service.exists = true;
        service.detail = "1024";
        CHECK_OK(polkit_new(peer.server, &polkit));
        CHECK_OK(callers_new(peer.server, on_gone, NULL, &callers));
        CHECK_OK(sd_bus_add_object_vtable(peer.server, NULL, PATH, INTERFACE, vtable, NULL));
        peer_settle(&peer);
}

static void stop(void)
{
        drop_questions();
        callers_free(callers);
        polkit_free(polkit);
        peer_close(&peer);
}

static sd_bus_message *act_message(const char *sender, bool interactive)
{
        sd_bus_message *m = peer_new_call(&peer, sender, PATH, INTERFACE, "Act");

        CHECK_OK(sd_bus_message_append(m, "s", "word"));
        CHECK_OK(sd_bus_message_set_allow_interactive_authorization(m, interactive));
        return m;
}

static void check_act(const char *error)
{
        sd_bus_message *reply = peer_call(&peer, act_message(":1.5", false));

        CHECK_STREQ(peer_error(reply), error);
        sd_bus_message_unref(reply);
}

static void allowed(void)
{
        start(say_yes);
        check_act(NULL);
        CHECK_EQ(service.n_runs, 2);
        CHECK_EQ(service.n_acted, 1);
        CHECK_EQ(peer.n_questions, 1);
        check_act(NULL); /* a verdict holds for one message only */
        CHECK_EQ(peer.n_questions, 2);
        CHECK_EQ(peer.n_lookups, 1); /* the uid for all of this name */
        stop();
}

static void refused(void)
{
        static void (*const answers[])(Peer *, sd_bus_message *) = { say_no, say_malformed, NULL };

        FOREACH_ELEMENT (i, answers) { /* NULL: polkit is absent */
                start(*i);
                check_act(SD_BUS_ERROR_ACCESS_DENIED);
                CHECK_EQ(service.n_acted, 0);
                stop();
        }
        start(say_challenge);
        check_act(SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED);
        CHECK_EQ(service.n_acted, 0);
        stop();
}

static void privileged(void)
{
        const uid_t uids[] = { 0, geteuid() };

        FOREACH_ELEMENT (uid, uids) {
                start(NULL);
                peer.uid = *uid;
                check_act(NULL);
                CHECK_EQ(peer.n_questions, 0);
                CHECK_EQ(service.n_runs, 1);
                stop();
        }
}

static void question_is_complete(void)
{
        const char *kind, *key, *name, *action;
        sd_bus_message *reply;
        uint32_t flags;

        start(keep_question);
        peer_send(&peer, act_message(":1.5", true), &reply);
        peer_settle(&peer);
        CHECK_EQ(n_questions, 1);
        CHECK_STREQ(peer_detail(questions[0], "pool"), "lab");
        CHECK_STREQ(peer_detail(questions[0], "capacity"), "1024");
        CHECK_STREQ(peer_detail(questions[0], "caller.uid"), "1000");
        CHECK_OK(sd_bus_message_rewind(questions[0], true));
        CHECK_OK(sd_bus_message_read(questions[0], "(sa{sv})s", &kind, 1, &key, "s", &name, &action));
        CHECK_STREQ(kind, "system-bus-name");
        CHECK_STREQ(key, "name");
        CHECK_STREQ(name, ":1.5");
        CHECK_STREQ(action, "org.example.Storage.volume-create");
        CHECK_OK(sd_bus_message_skip(questions[0], "a{ss}"));
        CHECK_OK(sd_bus_message_read(questions[0], "u", &flags));
        CHECK_EQ(flags, 1);
        answer_kept(0, true);
        CHECK(reply && !peer_error(reply));
        sd_bus_message_unref(reply);
        stop();
}

static void late_answer_object_gone(void)
{
        sd_bus_message *reply;

        start(keep_question);
        peer_send(&peer, act_message(":1.5", false), &reply);
        peer_settle(&peer);
        CHECK_EQ(n_questions, 1);
        CHECK(!reply);
        service.exists = false;
        answer_kept(0, true);
        CHECK_STREQ(peer_error(reply), SD_BUS_ERROR_UNKNOWN_OBJECT);
        CHECK_EQ(service.n_acted, 0);
        sd_bus_message_unref(reply);
        stop();
}

/* New details need a new verdict, and the old one does not do. */
static void details_change(void)
{
        sd_bus_message *reply;

        start(keep_question);
        peer_send(&peer, act_message(":1.5", false), &reply);
        peer_settle(&peer);
        service.detail = "2048";
        answer_kept(0, true);
        CHECK(!reply);
        CHECK_EQ(n_questions, 2);
        CHECK_STREQ(peer_detail(questions[1], "capacity"), "2048");
        answer_kept(1, false);
        CHECK_STREQ(peer_error(reply), SD_BUS_ERROR_ACCESS_DENIED);
        CHECK_EQ(service.n_acted, 0);
        sd_bus_message_unref(reply);
        stop();
}

static void details_change_for_ever(void)
{
        start(say_yes);
        service.detail = NULL;
        check_act("org.example.Storage.Error.Changed");
        CHECK_EQ(peer.n_questions, 1 + POLKIT_REPEATS_MAX);
        CHECK_EQ(service.n_acted, 0);
        stop();
}

static void two_actions(void)
{
        sd_bus_message *reply;

        start(keep_question);
        service.second = "volume-read";
        peer_send(&peer, act_message(":1.5", false), &reply);
        peer_settle(&peer);
        answer_kept(0, true);
        CHECK_EQ(n_questions, 2);
        CHECK_EQ(service.n_acted, 0);
        answer_kept(1, true);
        CHECK(reply && !peer_error(reply));
        CHECK_EQ(service.n_acted, 1);
        CHECK_EQ(n_questions, 2);
        sd_bus_message_unref(reply);

        peer_send(&peer, act_message(":1.5", false), &reply);
        peer_settle(&peer);
        answer_kept(2, true);
        answer_kept(3, false);
        CHECK_STREQ(peer_error(reply), SD_BUS_ERROR_ACCESS_DENIED);
        CHECK_EQ(service.n_acted, 1);
        sd_bus_message_unref(reply);
        stop();
}

static void caller_gone(void)
{
        sd_bus_message *reply;

        start(keep_question);
        peer_send(&peer, act_message(":1.5", false), &reply);
        peer_settle(&peer);
        CHECK_EQ(service.n_runs, 1);
        peer_leave(&peer, ":1.5");
        answer_kept(0, true);
        CHECK_EQ(service.n_runs, 1);
        CHECK_EQ(service.n_acted, 0);
        sd_bus_message_unref(reply);
        stop();
}

/* It has the verdict, but leaves before the message comes to its turn again: the bus does not know it any
 * more. */
static void caller_gone_with_verdict(void)
{
        sd_bus_message *reply;

        start(keep_question);
        peer_send(&peer, act_message(":1.5", false), &reply);
        peer_settle(&peer);
        peer.uid = (uid_t)-1;
        CHECK_OK(sd_bus_emit_signal(peer.client, "/x", INTERFACE, "Nothing", NULL));
        peer_answer(questions[0], true, false);
        peer_leave(&peer, ":1.5");
        CHECK_EQ(service.n_acted, 1); /* the verdict came first */
        sd_bus_message_unref(reply);
        peer_send(&peer, act_message(":1.5", false), &reply);
        peer_settle(&peer);
        CHECK_STREQ(peer_error(reply), SD_BUS_ERROR_ACCESS_DENIED);
        CHECK_EQ(service.n_acted, 1);
        sd_bus_message_unref(reply);
        stop();
}

static void send_many(size_t n, bool interactive, sd_bus_message **replies)
{
        for (size_t i = 0; i < n; i++)
                peer_send(&peer, act_message(":1.5", interactive), replies + i);
        peer_settle(&peer);
}

static unsigned count_errors(sd_bus_message **replies, size_t n, const char *error)
{
        unsigned found = 0;

        for (size_t i = 0; i < n; i++) {
                found += replies[i] && streq_ptr(peer_error(replies[i]), error);
                sd_bus_message_unref(replies[i]);
        }
        return found;
}

static void noninteractive_limit(void)
{
        sd_bus_message *replies[POLKIT_OPEN_MAX + 3];

        start(keep_question);
        send_many(ELEMENTSOF(replies), false, replies);
        CHECK_EQ(n_questions, POLKIT_OPEN_MAX);
        for (size_t i = 0; i < ELEMENTSOF(replies); i++)
                answer_kept(i, true); /* each makes place for one that queues */
        CHECK_EQ(n_questions, ELEMENTSOF(replies));
        CHECK_EQ(service.n_acted, ELEMENTSOF(replies));
        CHECK_EQ(count_errors(replies, ELEMENTSOF(replies), NULL), ELEMENTSOF(replies));
        stop();
}

/* All users together stay below what the bus lets us wait for, and a place that becomes free is for all. */
static void limit_for_all(void)
{
        enum { USERS = POLKIT_OPEN_TOTAL / POLKIT_OPEN_MAX + 1 };
        static sd_bus_message *replies[USERS][POLKIT_OPEN_MAX];

        start(keep_question);
        for (size_t u = 0; u < USERS; u++) {
                char sender[16];

                snprintf(sender, sizeof(sender), ":1.%zu", 10 + u);
                peer.uid = (uid_t)(2000 + u);
                for (size_t i = 0; i < POLKIT_OPEN_MAX; i++)
                        peer_send(&peer, act_message(sender, false), &replies[u][i]);
                peer_settle(&peer);
        }
        CHECK_EQ(n_questions, POLKIT_OPEN_TOTAL);
        answer_kept(0, true);
        CHECK_EQ(n_questions, POLKIT_OPEN_TOTAL + 1);
        CHECK_STREQ(peer_detail(questions[POLKIT_OPEN_TOTAL], "caller.uid"), "2003");
        peer_leave(&peer, ":1.11");
        CHECK_EQ(n_questions, USERS * POLKIT_OPEN_MAX);
        for (size_t u = 0; u < USERS; u++)
                (void)count_errors(replies[u], POLKIT_OPEN_MAX, NULL);
        stop();
}

static void interactive_limit(void)
{
        sd_bus_message *dialogues[POLKIT_INTERACTIVE_MAX + 1], *plain;

        start(keep_question);
        send_many(ELEMENTSOF(dialogues), true, dialogues);
        CHECK_EQ(n_questions, POLKIT_INTERACTIVE_MAX);
        send_many(1, false, &plain); /* is not held up by dialogues */
        CHECK_EQ(n_questions, POLKIT_INTERACTIVE_MAX + 1);
        answer_kept(POLKIT_INTERACTIVE_MAX, true);
        CHECK_EQ(n_questions, POLKIT_INTERACTIVE_MAX + 1);
        answer_kept(0, true);
        CHECK_EQ(n_questions, POLKIT_INTERACTIVE_MAX + 2);
        CHECK_EQ(count_errors(&plain, 1, NULL), 1);
        CHECK_EQ(count_errors(dialogues, ELEMENTSOF(dialogues), NULL), 1);
        stop();
}

static void queue_limit(void)
{
        static sd_bus_message *replies[POLKIT_OPEN_MAX + POLKIT_QUEUED_MAX + 2];

        start(keep_question);
        /* In portions, since messages of a caller whose uid is on the way are limited, too. */
        send_many(1, false, replies);
        send_many(ELEMENTSOF(replies) - 1, false, replies + 1);
        CHECK_EQ(n_questions, POLKIT_OPEN_MAX);
        CHECK_EQ(count_errors(replies, ELEMENTSOF(replies), SD_BUS_ERROR_LIMITS_EXCEEDED), 2);
        peer_leave(&peer, ":1.5"); /* takes all of them along */
        drop_questions();
        peer.on_question = say_yes;
        check_act(NULL);
        stop();
}

static void verdict_without_error(void)
{
        static const struct {
                void (*answer)(Peer *, sd_bus_message *);
                PolkitVerdict verdict;
        } cases[] = { { say_yes, POLKIT_YES },
                      { say_no, POLKIT_NO },
                      { say_challenge, POLKIT_CHALLENGE },
                      { NULL, POLKIT_NO } };

        FOREACH_ELEMENT (c, cases) {
                start(c->answer);
                service.verdict_only = true;
                check_act(NULL);
                CHECK_EQ(service.verdict, c->verdict);
                stop();
        }
}

int main(void)
{
        RUN(allowed);
        RUN(refused);
        RUN(privileged);
        RUN(question_is_complete);
        RUN(late_answer_object_gone);
        RUN(details_change);
        RUN(details_change_for_ever);
        RUN(two_actions);
        RUN(caller_gone);
        RUN(caller_gone_with_verdict);
        RUN(noninteractive_limit);
        RUN(limit_for_all);
        RUN(interactive_limit);
        RUN(queue_limit);
        RUN(verdict_without_error);
        return 0;
}
