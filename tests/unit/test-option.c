/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/option.h"

#include "test.h"

static const OptionSpec specs[] = {
        { "target.path", OPTION_PATH, OPTION_REQUIRED, .help = "Where it is." },
        { .name = "size", .type = OPTION_SIZE },
        { .name = "allocation", .type = OPTION_SIZE },
        { .name = "allocations", .type = OPTION_SIZE },
        { .name = "symlinks", .type = OPTION_BOOL },
};

static const OptionTable table = { specs, ELEMENTSOF(specs), NULL };

static void normal_form(void)
{
        _cleanup_bag_ Bag *in = bag_new(), *out = NULL;

        CHECK_OK(bag_set_string(in, "target.path", "/srv//images/"));
        CHECK_OK(bag_set_string(in, "size", "1K"));
        CHECK_OK(options_check(&table, in, &out, NULL));
        CHECK_EQ(bag_size(out), 2);
        CHECK_STREQ(bag_get_string(out, "target.path"), "/srv/images");
        CHECK_EQ(bag_get_u64(out, "size", 0), 1024);
        CHECK_STREQ(bag_get_string(in, "size"), "1K");
}

static void check_message(const char *key, const char *wanted)
{
        _cleanup_bag_ Bag *in = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;
        Bag *out = NULL;

        CHECK_OK(bag_set_string(in, key, "x"));
        CHECK_EQ(options_check(&table, in, &out, &e), -EINVAL);
        CHECK(!out);
        CHECK_EQ(e.kind, ERROR_INVALID_ARGS);
        CHECK_STREQ(e.message, wanted);
}

static void unknown_names(void)
{
        check_message("target.paht", "unknown option 'target.paht': did you mean 'target.path'?");
        check_message("path", "unknown option 'path': did you mean 'target.path'?");
        check_message("symlink", "unknown option 'symlink': did you mean 'symlinks'?");
        check_message("alocation", "unknown option 'alocation': did you mean 'allocation'?");
        check_message("colour", "unknown option 'colour'");
        check_message(
                "target.path-that-is-far-longer-than-any-name-that-is-known-to-anybody",
                "unknown option 'target.path-that-is-far-longer-than-any-name-that-is-known-to-anybody'");
}

static void required_ones(void)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Bag *out = NULL;

        CHECK_EQ(options_check(&table, NULL, &out, &e), -EINVAL);
        CHECK_STREQ(e.message, "option 'target.path' is missing: Where it is.");
}

static void find(void)
{
        CHECK(option_find(&table, "size") == &specs[1]);
        CHECK(!option_find(&table, "siz"));
}

int main(void)
{
        RUN(normal_form);
        RUN(unknown_names);
        RUN(required_ones);
        RUN(find);
        return 0;
}
