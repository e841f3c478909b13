/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GetAttachment: the words of the call reach the text, and only known ones. What the text says: test-attachment.c. */
#include "fake-worker.h"
#include "peer.h"
#include "test.h"

#include "bus-internal.h"

#define VOLUME "/org/example/Storage/volume/images/v000000"

static Peer peer;
static char action[64];

static void allow(Peer *p, sd_bus_message *question)
{
        const char *asked;

        CHECK_OK(sd_bus_message_rewind(question, true));
        CHECK_OK(sd_bus_message_skip(question, "(sa{sv})"));
        CHECK_OK(sd_bus_message_read(question, "s", &asked));
        snprintf(action, sizeof(action), "%s", asked);
        peer_answer(question, true, false);
}

static void begin(void)
{
        peer_open(&peer);
        peer.worker = FAKE_WORKER;
        peer.on_question = allow;
        peer_show(&peer, false);
        peer_add_pool(&peer, "images", 1);
        *action = '\0';
}

static sd_bus_message *ask(const char *kind, const char *option, const char *value)
{
        sd_bus_message *m = peer_new_call(&peer, ":1.5", VOLUME, INTERFACE_VOLUME, "GetAttachment");

        CHECK_OK(sd_bus_message_append(m, "sa{sv}", kind, 1, option, "s", value));
        return peer_call(&peer, m);
}

static void check_text(sd_bus_message *reply, const char *part)
{
        const char *text;

        CHECK_STREQ(peer_error(reply), NULL);
        CHECK_OK(sd_bus_message_read(reply, "s", &text));
        if (!strstr(text, part))
                TEST_FAIL("no %s in %s", part, text);
        CHECK(strstr(text, "/srv/images/disk"));
        sd_bus_message_unref(reply);
}

static void check_error(sd_bus_message *reply, const char *name)
{
        CHECK_STREQ(peer_error(reply), name);
        sd_bus_message_unref(reply);
}

static void kinds(void)
{
        begin();
        check_text(ask("qemu-blockdev", "node-name", "my-node"), "my-node");
        check_text(ask("qemu-drive", "id", "my-drive"), "id=my-drive");
        check_text(ask("libvirt-disk", "device", "sdc"), "sdc");
        CHECK_STREQ(action, "org.example.Storage.volume-list");
        peer_close(&peer);
}

static void bad_words(void)
{
        begin();
        check_error(ask("qemu-blockdev", "colour", "red"), SD_BUS_ERROR_INVALID_ARGS);
        CHECK_EQ(peer.n_questions, 0);
        check_error(ask("vhs", "id", "x"), SD_BUS_ERROR_INVALID_ARGS);
        peer_close(&peer);
}

int main(int argc, char **argv)
{
        fake_worker_main(argc, argv);
        RUN(kinds);
        RUN(bad_words);
        return 0;
}
