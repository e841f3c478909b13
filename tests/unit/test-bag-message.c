/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/bag-message.h"

#include "message.h"

#include <fcntl.h>

static sd_bus *bus;

/* A message with one a{sv} of one entry, from a signature and values. */
#define ENTRY(...)                                                         \
        ({                                                                 \
                sd_bus_message *_m = test_message(bus);                    \
                CHECK_OK(sd_bus_message_append(_m, "a{sv}", __VA_ARGS__)); \
                test_seal(_m);                                             \
                _m;                                                        \
        })

static Bag *read_back(const Bag *b)
{
        sd_bus_message *m = test_message(bus);
        Bag *ret = NULL;

        CHECK_OK(bag_append_to_message(b, m));
        test_seal(m);
        CHECK_OK(bag_read_from_message(m, &ret, NULL));
        CHECK(sd_bus_message_at_end(m, true) > 0);
        sd_bus_message_unref(m);
        return ret;
}

/* Reads, expects InvalidArgs with `word` in the message. */
static void refused(sd_bus_message *m, const char *word)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Bag *b = NULL;

        CHECK(bag_read_from_message(m, &b, &e) < 0);
        CHECK(!b);
        CHECK_EQ(e.kind, ERROR_INVALID_ARGS);
        if (!strstr(e.message, word))
                TEST_FAIL("'%s' does not say '%s'", e.message, word);
        sd_bus_message_unref(m);
}

static void every_type_returns(void)
{
        _cleanup_bag_ Bag *b = bag_new(), *copy = NULL;
        Bag *inner = bag_new(), *item = bag_new(), *none = NULL;

        CHECK_OK(bag_set_string(b, "string", "t\u00e9xt"));
        CHECK_OK(bag_set_path(b, "path", "/a/b"));
        CHECK_OK(bag_set_bool(b, "bool", true));
        CHECK_OK(bag_set_u32(b, "u32", UINT32_MAX));
        CHECK_OK(bag_set_u64(b, "u64", UINT64_MAX));
        CHECK_OK(bag_set_double(b, "double", -0.5));
        CHECK_OK(bag_add_strv(b, "strv", "x"));
        CHECK_OK(bag_add_strv(b, "strv", ""));
        CHECK_OK(bag_set_strv(b, "empty", NULL));
        CHECK_OK(bag_set_bool(inner, "deep", true));
        CHECK_OK(bag_set_bag(b, "bag", inner));
        CHECK_OK(bag_set_u32(item, "n", 1));
        CHECK_OK(bag_add_bag(b, "bags", item));
        CHECK_OK(bag_add_bag(b, "bags", bag_new()));
        CHECK_OK(bag_set_value(b, "no-bags", &(Value){ .type = VALUE_BAGS }));
        copy = read_back(b);
        CHECK(bag_equal(b, copy));
        CHECK_STREQ(bag_key(copy, 0), "string");

        none = read_back(NULL);
        CHECK_EQ(bag_size(none), 0);
        bag_free(none);
}

static void descriptors_are_duplicated(void)
{
        _cleanup_bag_ Bag *b = bag_new(), *copy = NULL;
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        CHECK_OK(bag_set_fd(b, "fd", fd));
        copy = read_back(b);
        CHECK(bag_get_fd(copy, "fd") >= 3);
        CHECK(bag_get_fd(copy, "fd") != fd);
        CHECK(fcntl(bag_get_fd(copy, "fd"), F_GETFD) & FD_CLOEXEC);
}

static void integers_are_widened(void)
{
        sd_bus_message *m =
                ENTRY(5, "y", "y", 200, "n", "n", 300, "q", "q", 400, "i", "i", 500, "x", "x", (int64_t)600);
        _cleanup_bag_ Bag *b = NULL;

        CHECK_OK(bag_read_from_message(m, &b, NULL));
        CHECK_EQ(bag_get_u32(b, "y", 0), 200);
        CHECK_EQ(bag_get_u32(b, "n", 0), 300);
        CHECK_EQ(bag_get_u32(b, "q", 0), 400);
        CHECK_EQ(bag_get_u32(b, "i", 0), 500);
        CHECK_EQ(bag_get(b, "x")->type, VALUE_U64);
        CHECK_EQ(bag_get_u64(b, "x", 0), 600);
        sd_bus_message_unref(m);
        refused(ENTRY(1, "size", "x", (int64_t)-1), "'size'");
        refused(ENTRY(1, "mode", "i", -1), "'mode'");
        refused(ENTRY(1, "mode", "n", -1), "'mode'");
}

static void types_no_option_has(void)
{
        refused(ENTRY(1, "sig", "g", "as"), "'sig'");
        refused(ENTRY(1, "bytes", "ay", 1, 5), "'bytes'");
        refused(ENTRY(1, "pair", "(ss)", "a", "b"), "'pair'");
        refused(ENTRY(1, "nested", "v", "s", "a"), "'nested'");
}

static void keys(void)
{
        refused(ENTRY(2, "twin", "s", "a", "twin", "s", "b"), "'twin'");
        refused(ENTRY(1, "", "s", "a"), "key");
        refused(ENTRY(1, "a\nb", "s", "a"), "key");
}

static void many_keys(unsigned n, sd_bus_message **ret)
{
        _cleanup_bag_ Bag *b = bag_new();

        for (unsigned i = 0; i < n; i++) {
                char key[12];

                snprintf(key, sizeof(key), "k%u", i);
                CHECK_OK(bag_set_u32(b, key, i));
        }
        *ret = test_message(bus);
        CHECK_OK(bag_append_to_message(b, *ret));
        test_seal(*ret);
}

static void number_of_keys(void)
{
        _cleanup_bag_ Bag *b = NULL;
        sd_bus_message *m;

        many_keys(256, &m);
        CHECK_OK(bag_read_from_message(m, &b, NULL));
        CHECK_EQ(bag_size(b), 256);
        sd_bus_message_unref(m);
        many_keys(257, &m);
        refused(m, "'k256'");
}

static void text_length(const char *key, size_t limit)
{
        _cleanup_free_ char *text = malloc(limit + 2);
        _cleanup_bag_ Bag *b = NULL;
        sd_bus_message *m;

        memset(text, 'x', limit + 1);
        text[limit + 1] = '\0';
        refused(ENTRY(1, key, "s", text), key);
        text[limit] = '\0';
        m = ENTRY(1, key, "s", text);
        CHECK_OK(bag_read_from_message(m, &b, NULL));
        CHECK_EQ(strlen(bag_get_string(b, key)), limit);
        sd_bus_message_unref(m);
}

static void lengths(void)
{
        text_length("label", 64 * 1024);
        text_length("xml", 1024 * 1024);
}

static sd_bus_message *nested(unsigned depth)
{
        Bag *b = bag_new();
        sd_bus_message *m = test_message(bus);

        for (unsigned i = 1; i < depth; i++) {
                Bag *outer = bag_new();

                CHECK_OK(bag_set_bag(outer, "in", b));
                b = outer;
        }
        CHECK_OK(bag_append_to_message(b, m));
        bag_free(b);
        test_seal(m);
        return m;
}

static void depth(void)
{
        sd_bus_message *m = nested(4);
        Bag *b = NULL;

        CHECK_OK(bag_read_from_message(m, &b, NULL));
        CHECK(bag_get_bag(b, "in"));
        bag_free(b);
        sd_bus_message_unref(m);
        refused(nested(5), "nested");
}

int main(void)
{
        bus = test_bus();
        RUN(every_type_returns);
        RUN(descriptors_are_duplicated);
        RUN(integers_are_widened);
        RUN(types_no_option_has);
        RUN(keys);
        RUN(number_of_keys);
        RUN(lengths);
        RUN(depth);
        sd_bus_unref(bus);
        return 0;
}
