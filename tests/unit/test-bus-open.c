/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Open and OpenVolume: what polkit is asked, in which order, and what the caller gets. */
#include "fake-worker.h"
#include "peer.h"
#include "test.h"

#include <unistd.h>

#include "bus-internal.h"

#define POOL "/org/example/Storage/pool/images"
#define VOLUME "/org/example/Storage/volume/images/v000001"
#define ERROR_PREFIX "org.example.Storage.Error."

enum { NO, ASK, YES };

static Peer peer;
static Pool *images;
static int may_write, may_read, may_create;

typedef struct Asked {
        char action[32], volume[32], owner[16], read_only[8];
        bool interactive;
} Asked;
static Asked asked[8];

static void copy(char *to, size_t size, const char *from)
{
        snprintf(to, size, "%s", from ?: "");
}

static void on_question(Peer *p, sd_bus_message *m)
{
        const char *action, *name;
        Asked *a = asked + p->n_questions - 1;
        uint32_t flags;
        int may;

        CHECK(p->n_questions <= ELEMENTSOF(asked));
        copy(a->volume, sizeof(a->volume), peer_detail(m, "volume"));
        copy(a->owner, sizeof(a->owner), peer_detail(m, "volume.owner"));
        copy(a->read_only, sizeof(a->read_only), peer_detail(m, "read-only"));
        CHECK_OK(sd_bus_message_rewind(m, true));
        CHECK_OK(sd_bus_message_skip(m, "(sa{sv})"));
        CHECK_OK(sd_bus_message_read(m, "s", &action));
        CHECK_OK(sd_bus_message_skip(m, "a{ss}"));
        CHECK_OK(sd_bus_message_read(m, "u", &flags));
        name = startswith(action, POLKIT_ACTION_PREFIX);
        copy(a->action, sizeof(a->action), name);
        a->interactive = flags;
        may = streq(name, "volume-write") ? may_write : streq(name, "volume-read") ? may_read : may_create;
        /* A dialogue would be answered well. */
        peer_answer(m, may == YES || (may == ASK && flags), may == ASK && !flags);
}

static void begin(bool user_mode)
{
        peer_open(&peer);
        peer.worker = FAKE_WORKER;
        peer.on_question = on_question;
        peer_show(&peer, user_mode);
        if (user_mode)
                peer.uid = geteuid();
        images = peer_add_pool(&peer, "images", 3);
        may_write = may_read = may_create = YES;
        memset(asked, 0, sizeof(asked));
}

static void check_asked(unsigned i, const char *action, const char *read_only, const char *owner)
{
        CHECK(peer.n_questions > i);
        CHECK_STREQ(asked[i].action, action);
        CHECK_STREQ(asked[i].read_only, read_only);
        CHECK_STREQ(asked[i].owner, owner);
}

static sd_bus_message *new_open(const char *option, const char *value)
{
        sd_bus_message *m = peer_new_call(&peer, ":1.5", VOLUME, INTERFACE_VOLUME, "Open");

        CHECK_OK(option ? sd_bus_message_append(m, "a{sv}", 1, option, "s", value)
                        : sd_bus_message_append(m, "a{sv}", 0));
        return m;
}

static void check_error(sd_bus_message *reply, const char *name)
{
        CHECK_STREQ(peer_error(reply), name);
        sd_bus_message_unref(reply);
}

/* The reply has a descriptor of the volume's data. */
static void check_open(sd_bus_message *reply, bool read_only, const char *volume)
{
        const char *type, *key, *value;
        char data[8] = "";
        int fd, is_read_only;

        CHECK_STREQ(peer_error(reply), NULL);
        CHECK_OK(sd_bus_message_read(reply, "hsb", &fd, &type, &is_read_only));
        CHECK_EQ(pread(fd, data, sizeof(data) - 1, 0), 4);
        CHECK_STREQ(data, "data");
        CHECK_STREQ(type, "regular");
        CHECK_EQ(is_read_only, read_only);
        CHECK_OK(sd_bus_message_enter_container(reply, 'a', "{sv}"));
        CHECK_OK(sd_bus_message_skip(reply, "{sv}"));
        CHECK_OK(sd_bus_message_read(reply, "{sv}", &key, "s", &value));
        CHECK_STREQ(key, "volume");
        CHECK_STREQ(value, volume);
        sd_bus_message_unref(reply);
}

static void bad_words(void)
{
        static const char *const words[][2] = {
                { "read-only", "maybe" }, { "kind", "pipe" }, { "wait", "yes" }, { "colour", "red" }
        };

        begin(false);
        FOREACH_ELEMENT (w, words)
                check_error(peer_call(&peer, new_open((*w)[0], (*w)[1])), SD_BUS_ERROR_INVALID_ARGS);
        CHECK_EQ(peer.n_questions, 0);
        peer_close(&peer);
}

static void writable_where_allowed(void)
{
        begin(false);
        check_open(peer_call(&peer, new_open(NULL, NULL)), false, "v000001");
        CHECK_EQ(peer.n_questions, 1);
        check_asked(0, "volume-write", "no", "1000");
        check_open(peer_call(&peer, new_open("read-only", "yes")), true, "v000001");
        check_asked(1, "volume-read", "yes", "1000");
        check_open(peer_call(&peer, new_open("read-only", "no")), false, "v000001");
        check_asked(2, "volume-write", "no", "1000");
        peer_close(&peer);
}

/* No dialogue is shown for something that the caller did not ask for in so many words. */
static void auto_never_asks_to_write(void)
{
        static const int verdicts[] = { NO, ASK };

        FOREACH_ELEMENT (verdict, verdicts) {
                sd_bus_message *m;

                begin(false);
                may_write = *verdict;
                m = new_open("read-only", "auto");
                CHECK_OK(sd_bus_message_set_allow_interactive_authorization(m, true));
                check_open(peer_call(&peer, m), true, "v000001");
                CHECK_EQ(peer.n_questions, 2);
                check_asked(0, "volume-write", "no", "1000");
                CHECK(!asked[0].interactive);
                check_asked(1, "volume-read", "yes", "1000");
                CHECK(asked[1].interactive);
                peer_close(&peer);
        }
}

static void refused(void)
{
        begin(false);
        may_write = may_read = NO;
        check_error(peer_call(&peer, new_open(NULL, NULL)), SD_BUS_ERROR_ACCESS_DENIED);
        CHECK_EQ(peer.n_questions, 2);
        may_read = YES;
        check_error(peer_call(&peer, new_open("read-only", "no")), SD_BUS_ERROR_ACCESS_DENIED);
        CHECK_EQ(peer.n_questions, 3); /* who wants to write gets nothing else */
        may_write = ASK;
        check_error(peer_call(&peer, new_open("read-only", "no")),
                    SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED);
        peer_close(&peer);
}

static void user_mode_asks_nobody(void)
{
        begin(true);
        check_open(peer_call(&peer, new_open(NULL, NULL)), false, "v000001");
        CHECK_EQ(peer.n_questions, 0);
        peer_close(&peer);
}

/* ---- OpenVolume ---- */

static sd_bus_message *new_open_volume(const char *name, const char *create, uint64_t size)
{
        sd_bus_message *m = peer_new_call(&peer, ":1.5", POOL, INTERFACE_POOL, "OpenVolume");

        CHECK_OK(size == 0 ? sd_bus_message_append(m, "sa{sv}", name, 1, "create", "s", create)
                           : sd_bus_message_append(m, "sa{sv}", name, 2, "create", "s", create, "size", "t",
                                                   size));
        return m;
}

static void create_modes(void)
{
        begin(false);
        check_error(peer_call(&peer, new_open_volume("web", "open", 0)), ERROR_PREFIX "NoSuchVolume");
        check_error(peer_call(&peer, new_open_volume("web", "open", 4096)), SD_BUS_ERROR_INVALID_ARGS);
        check_error(peer_call(&peer, new_open_volume("web", "sometimes", 0)), SD_BUS_ERROR_INVALID_ARGS);
        check_error(peer_call(&peer, new_open_volume("web", "new", 0)), SD_BUS_ERROR_INVALID_ARGS);
        check_error(peer_call(&peer, new_open_volume("v000001", "new", 4096)), ERROR_PREFIX "VolumeExists");
        CHECK_EQ(peer.n_questions, 0);
        check_open(peer_call(&peer, new_open_volume("v000001", "any", 4096)), false, "v000001");
        CHECK_EQ(peer.n_questions, 1);
        check_asked(0, "volume-write", "no", "1000");
        peer_close(&peer);
}

/* Before anything is made, and for a volume that is there the worker tells. */
static void only_of_the_kind(void)
{
        static const char *const kinds[] = { "block", "regular" };

        FOREACH_ELEMENT (kind, kinds) {
                sd_bus_message *m, *reply;

                begin(false);
                m = peer_new_call(&peer, ":1.5", POOL, INTERFACE_POOL, "OpenVolume");
                CHECK_OK(sd_bus_message_append(m, "sa{sv}", "web", 3, "create", "s", "new", "size", "t",
                                               (uint64_t)4096, "kind", "s", *kind));
                reply = peer_call(&peer, m);
                if (streq(*kind, "regular"))
                        check_open(reply, false, "web");
                else
                        check_error(reply, ERROR_PREFIX "NotSupported");
                CHECK_EQ(!volume_table_get(images->volumes, "web"), streq(*kind, "block"));
                CHECK_EQ(peer.n_questions == 0, streq(*kind, "block"));
                peer_close(&peer);
        }
}

/* Polkit is asked about the volume as it will be, before there is one. */
static void made_and_opened(void)
{
        const Volume *v;

        begin(false);
        check_open(peer_call(&peer, new_open_volume("web", "any", 4096)), false, "web");
        CHECK_EQ(peer.n_questions, 2);
        check_asked(0, "volume-create", "", "");
        check_asked(1, "volume-write", "no", "1000");
        CHECK_STREQ(asked[1].volume, "web");
        v = volume_table_get(images->volumes, "web");
        CHECK(v);
        CHECK_EQ(v->creator, 1000);
        CHECK_EQ(v->capacity, 4096);
        peer_close(&peer);
}

static void made_for_reading(void)
{
        begin(false);
        may_write = NO;
        check_open(peer_call(&peer, new_open_volume("web", "new", 4096)), true, "web");
        CHECK_EQ(peer.n_questions, 3);
        peer_close(&peer);
}

static void nothing_made_for_who_may_not_open(void)
{
        begin(false);
        may_write = may_read = NO;
        check_error(peer_call(&peer, new_open_volume("web", "any", 4096)), SD_BUS_ERROR_ACCESS_DENIED);
        may_read = YES;
        may_create = NO;
        check_error(peer_call(&peer, new_open_volume("web", "any", 4096)), SD_BUS_ERROR_ACCESS_DENIED);
        CHECK_EQ(hashmap_size(peer.manager->jobs), 0);
        CHECK(!volume_table_get(images->volumes, "web"));
        peer_close(&peer);
}

int main(int argc, char **argv)
{
        fake_worker_main(argc, argv);
        RUN(bad_words);
        RUN(writable_where_allowed);
        RUN(auto_never_asks_to_write);
        RUN(refused);
        RUN(user_mode_asks_nobody);
        RUN(create_modes);
        RUN(only_of_the_kind);
        RUN(made_and_opened);
        RUN(made_for_reading);
        RUN(nothing_made_for_who_may_not_open);
        return 0;
}
