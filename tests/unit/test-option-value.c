/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/option-value.h"

#include "test.h"

#include <fcntl.h>

static const char *const choices[] = { "one", "two", NULL };

static const OptionSpec specs[] = {
        [OPTION_STRING] = { .name = "string", .type = OPTION_STRING },
        [OPTION_BOOL] = { .name = "bool", .type = OPTION_BOOL },
        [OPTION_SIZE] = { .name = "size", .type = OPTION_SIZE },
        [OPTION_UINT] = { .name = "uint", .type = OPTION_UINT },
        [OPTION_MODE] = { .name = "mode", .type = OPTION_MODE },
        [OPTION_ID] = { .name = "id", .type = OPTION_ID },
        [OPTION_PATH] = { .name = "path", .type = OPTION_PATH },
        [OPTION_ENUM] = { .name = "enum", .type = OPTION_ENUM, .choices = choices },
        [OPTION_STRV] = { .name = "list", .type = OPTION_STRV },
        [OPTION_HOSTS] = { .name = "hosts", .type = OPTION_HOSTS },
        [OPTION_RESERVE] = { .name = "reserve", .type = OPTION_RESERVE },
        [OPTION_FD] = { .name = "fd", .type = OPTION_FD },
};

static const OptionSpec owner = { .name = "owner", .type = OPTION_ID, .choices = choices };

/* The text of a value that was set from text; NULL: nothing was set. */
static void check_text(const OptionSpec *spec, const char *text, const char *wanted)
{
        _cleanup_bag_ Bag *b = bag_new();
        _cleanup_free_ char *back = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        if (option_set_text(spec, text, b, &e) < 0)
                TEST_FAIL("'%s' for %s: %s", text, spec->name, e.message);
        CHECK_EQ(bag_has(b, spec->name), wanted != NULL);
        if (!wanted)
                return;
        CHECK_OK(option_get_text(spec, bag_get(b, spec->name), 0, &back));
        CHECK_STREQ(back, wanted);
        CHECK_EQ(option_get_text(spec, bag_get(b, spec->name), 1, &back), -ENOENT);
}

static void good_text(void)
{
        static const struct {
                OptionType type;
                const char *text, *wanted;
        } cases[] = {
                { OPTION_STRING, "two\nlines\tof text", "two\nlines\tof text" },
                { OPTION_STRING, "", "" },
                { OPTION_BOOL, "yes", "yes" },
                { OPTION_BOOL, "no", "no" },
                { OPTION_SIZE, "1.5KiB", "1536" },
                { OPTION_UINT, "4294967295", "4294967295" },
                { OPTION_UINT, " 7 ", "7" },
                { OPTION_MODE, "0711", "0711" },
                { OPTION_MODE, " 600", "0600" },
                { OPTION_MODE, "0", "00" },
                { OPTION_ID, "107", "107" },
                { OPTION_ID, "4294967294", "4294967294" },
                { OPTION_ID, "-1", NULL },
                { OPTION_ID, "4294967295", NULL },
                { OPTION_PATH, "/srv//images/", "/srv/images" },
                { OPTION_ENUM, "two", "two" },
                { OPTION_STRV, "x", "x" },
                { OPTION_HOSTS, "a.example", "a.example" },
                { OPTION_HOSTS, "a.example:6789", "a.example:6789" },
                { OPTION_HOSTS, "192.0.2.1:1", "192.0.2.1:1" },
                { OPTION_HOSTS, "[2001:db8::1]:6789", "[2001:db8::1]:6789" },
                { OPTION_HOSTS, "[2001:db8::1]", "[2001:db8::1]" },
                { OPTION_HOSTS, "2001:db8::1", "2001:db8::1" },
                { OPTION_RESERVE, "10%", "10%" },
                { OPTION_RESERVE, "10GiB", "10GiB" },
        };

        FOREACH_ELEMENT (c, cases)
                check_text(&specs[c->type], c->text, c->wanted);
}

static void bad_text(void)
{
        static const struct {
                OptionType type;
                const char *text;
        } cases[] = {
                { OPTION_STRING, "a\x1b" },  { OPTION_STRING, "\xff" }, { OPTION_BOOL, "true" },
                { OPTION_BOOL, "" },         { OPTION_SIZE, "" },       { OPTION_SIZE, "-1" },
                { OPTION_SIZE, "5X" },       { OPTION_UINT, "" },       { OPTION_UINT, "4294967296" },
                { OPTION_UINT, "0x5" },      { OPTION_UINT, "-1" },     { OPTION_UINT, "1 2" },
                { OPTION_MODE, "01777" },    { OPTION_MODE, "0888" },   { OPTION_MODE, "0x1" },
                { OPTION_MODE, "" },         { OPTION_MODE, "-1" },     { OPTION_ID, "-2" },
                { OPTION_ID, "root" },       { OPTION_ID, "" },         { OPTION_ID, "4294967296" },
                { OPTION_ID, "one" },        { OPTION_PATH, "srv" },    { OPTION_PATH, "" },
                { OPTION_PATH, "/a\nb" },    { OPTION_ENUM, "three" },  { OPTION_ENUM, "" },
                { OPTION_ENUM, "One" },      { OPTION_STRV, "" },       { OPTION_STRV, "\x01" },
                { OPTION_HOSTS, "" },        { OPTION_HOSTS, "a:0" },   { OPTION_HOSTS, "a:65536" },
                { OPTION_HOSTS, "a:b" },     { OPTION_HOSTS, "a:" },    { OPTION_HOSTS, ":1" },
                { OPTION_HOSTS, "[::1" },    { OPTION_HOSTS, "[a]:1" }, { OPTION_HOSTS, "[::1]x" },
                { OPTION_HOSTS, "a b" },     { OPTION_HOSTS, "-o" },    { OPTION_HOSTS, "a,b" },
                { OPTION_HOSTS, "1::2::3" }, { OPTION_HOSTS, "a:+5" },  { OPTION_RESERVE, "101%" },
                { OPTION_RESERVE, "x" },     { OPTION_RESERVE, "" },    { OPTION_FD, "3" },
        };
        Error e = ERROR_NULL;

        FOREACH_ELEMENT (c, cases) {
                _cleanup_bag_ Bag *b = bag_new();

                if (option_set_text(&specs[c->type], c->text, b, NULL) >= 0)
                        TEST_FAIL("'%s' for %s was taken", c->text, specs[c->type].name);
                CHECK_ERROR(option_set_text(&specs[c->type], c->text, b, &e), &e, ERROR_INVALID_ARGS);
                CHECK_EQ(bag_size(b), 0);
        }
}

static void types_in_the_bag(void)
{
        static const struct {
                OptionType type;
                const char *text;
                ValueType value;
        } cases[] = {
                { OPTION_STRING, "x", VALUE_STRING },  { OPTION_BOOL, "yes", VALUE_BOOL },
                { OPTION_SIZE, "5", VALUE_U64 },       { OPTION_UINT, "5", VALUE_U32 },
                { OPTION_MODE, "5", VALUE_U32 },       { OPTION_ID, "5", VALUE_U32 },
                { OPTION_PATH, "/x", VALUE_STRING },   { OPTION_ENUM, "one", VALUE_STRING },
                { OPTION_STRV, "x", VALUE_STRV },      { OPTION_HOSTS, "x", VALUE_STRV },
                { OPTION_RESERVE, "5", VALUE_STRING },
        };

        FOREACH_ELEMENT (c, cases) {
                _cleanup_bag_ Bag *b = bag_new();

                CHECK_OK(option_set_text(&specs[c->type], c->text, b, NULL));
                CHECK_EQ(bag_get(b, specs[c->type].name)->type, c->value);
        }
}

static void ids_with_words(void)
{
        _cleanup_bag_ Bag *b = bag_new();

        check_text(&owner, "one", "one");
        check_text(&owner, "5", "5");
        check_text(&owner, "-1", NULL);
        CHECK(option_set_text(&owner, "three", b, NULL) < 0);
        /* Unset takes an earlier one away. */
        CHECK_OK(option_set_text(&owner, "5", b, NULL));
        CHECK_OK(option_set_text(&owner, "-1", b, NULL));
        CHECK(!bag_has(b, "owner"));
}

static void lists_grow(void)
{
        _cleanup_bag_ Bag *b = bag_new();
        _cleanup_free_ char *text = NULL;

        CHECK_OK(option_set_text(&specs[OPTION_HOSTS], "a", b, NULL));
        CHECK_OK(option_set_text(&specs[OPTION_HOSTS], "b:1", b, NULL));
        CHECK_OK(option_get_text(&specs[OPTION_HOSTS], bag_get(b, "hosts"), 1, &text));
        CHECK_STREQ(text, "b:1");
        CHECK_EQ(option_get_text(&specs[OPTION_HOSTS], bag_get(b, "hosts"), 2, &text), -ENOENT);
}

#define SET(type, ...)                                        \
        ({                                                    \
                Value _v = { __VA_ARGS__ };                   \
                option_set_value(&specs[type], &_v, b, NULL); \
        })

static void typed_values(void)
{
        _cleanup_bag_ Bag *b = bag_new();
        char *list[] = { (char *)"h:1", (char *)"i", NULL };

        CHECK_OK(SET(OPTION_SIZE, VALUE_U32, .u32 = 5));
        CHECK_EQ(bag_get(b, "size")->type, VALUE_U64);
        CHECK_OK(SET(OPTION_UINT, VALUE_U64, .u64 = 5));
        CHECK_EQ(bag_get_u32(b, "uint", 0), 5);
        CHECK_OK(SET(OPTION_MODE, VALUE_U32, .u32 = 0640));
        CHECK_EQ(bag_get_u32(b, "mode", 0), 0640);
        CHECK_OK(SET(OPTION_ID, VALUE_U32, .u32 = UINT32_MAX));
        CHECK(!bag_has(b, "id"));
        CHECK_OK(SET(OPTION_BOOL, VALUE_BOOL, .boolean = true));
        CHECK(bag_get_bool(b, "bool", false));
        CHECK_OK(SET(OPTION_HOSTS, VALUE_STRV, .strv = list));
        CHECK_EQ(strv_length(bag_get_strv(b, "hosts")), 2);
        CHECK_OK(SET(OPTION_RESERVE, VALUE_U64, .u64 = 4096));
        CHECK_STREQ(bag_get_string(b, "reserve"), "4096");
        CHECK_OK(SET(OPTION_MODE, VALUE_STRING, .string = (char *)"0600"));
        CHECK_EQ(bag_get_u32(b, "mode", 0), 0600);

        CHECK_EQ(SET(OPTION_SIZE, VALUE_U64, .u64 = (uint64_t)INT64_MAX + 1), -EINVAL);
        CHECK_EQ(SET(OPTION_UINT, VALUE_U64, .u64 = 1ULL << 32), -EINVAL);
        CHECK_EQ(SET(OPTION_MODE, VALUE_U32, .u32 = 01000), -EINVAL);
        CHECK_EQ(SET(OPTION_STRING, VALUE_U32, .u32 = 5), -EINVAL);
        CHECK_EQ(SET(OPTION_STRING, VALUE_BOOL, .boolean = true), -EINVAL);
        CHECK_EQ(SET(OPTION_BOOL, VALUE_U32, .u32 = 1), -EINVAL);
        CHECK_EQ(SET(OPTION_PATH, VALUE_PATH, .string = (char *)"/a"), -EINVAL);
        CHECK_EQ(SET(OPTION_SIZE, VALUE_DOUBLE, .number = 1), -EINVAL);
        CHECK_EQ(SET(OPTION_STRING, VALUE_STRV, .strv = list), -EINVAL);
        CHECK_EQ(SET(OPTION_STRING, VALUE_FD, .fd = 0), -EINVAL);
        list[1] = (char *)"not a host";
        CHECK_EQ(SET(OPTION_HOSTS, VALUE_STRV, .strv = list), -EINVAL);
}

static void descriptors(void)
{
        _cleanup_bag_ Bag *b = bag_new();
        char *text = NULL;

        CHECK_OK(SET(OPTION_FD, VALUE_FD, .fd = STDIN_FILENO));
        CHECK(bag_get_fd(b, "fd") > STDERR_FILENO);
        CHECK_EQ(option_get_text(&specs[OPTION_FD], bag_get(b, "fd"), 0, &text), -ENODATA);
        CHECK_EQ(SET(OPTION_FD, VALUE_U32, .u32 = 0), -EINVAL);
}

static void secrets_stay_out_of_messages(void)
{
        static const OptionSpec secret = { "passphrase", OPTION_ENUM, OPTION_SECRET, .choices = choices };
        _cleanup_bag_ Bag *b = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;

        CHECK(option_set_text(&secret, "hush", b, &e) < 0);
        CHECK(strstr(e.message, "passphrase"));
        CHECK(!strstr(e.message, "hush"));
}

int main(void)
{
        RUN(good_text);
        RUN(bad_text);
        RUN(types_in_the_bag);
        RUN(ids_with_words);
        RUN(lists_grow);
        RUN(typed_values);
        RUN(descriptors);
        RUN(secrets_stay_out_of_messages);
        return 0;
}
