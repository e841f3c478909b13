/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/option.h"
#include "util/volume-info.h"

#include "test.h"

static void check_table(const OptionSpec *specs, size_t n)
{
        const OptionTable table = { specs, n, NULL };

        for (size_t i = 0; i < n; i++) {
                _cleanup_bag_ Bag *b = bag_new();

                CHECK(option_find(&table, specs[i].name) == &specs[i]); /* no name twice */
                CHECK(!isempty(specs[i].help) && specs[i].help[strlen(specs[i].help) - 1] == '.');
                if (specs[i].fallback)
                        CHECK_OK(option_set_text(&specs[i], specs[i].fallback, b, NULL));
                CHECK(specs[i].type != OPTION_ENUM || specs[i].choices);
        }
}

static void tables_are_sound(void)
{
        check_table(common_pool_options, n_common_pool_options);
        check_table(common_volume_options, n_common_volume_options);
}

static void formats_are_known(void)
{
        const OptionTable table = { common_volume_options, n_common_volume_options, NULL };
        const char *const *choices = option_find(&table, "format")->choices;
        size_t n = 0;

        for (; choices[n]; n++)
                CHECK(image_format_from_string(choices[n]) > FORMAT_NONE);
        CHECK_EQ(n, _FORMAT_MAX - 1); /* all but "none" */
}

static void narrow_words(void)
{
        static const char *const admin[] = { "mode", "owner", "group", "label" };
        const OptionTable table = { common_volume_options, n_common_volume_options, NULL };

        FOREACH_ELEMENT (name, admin)
                CHECK(option_find(&table, *name)->flags & OPTION_ADMIN);
        CHECK(!(option_find(&table, "format")->flags & OPTION_ADMIN));
        CHECK(!(option_find(&table, "allocation")->flags & OPTION_ADMIN));
}

static void owner_is_a_number_or_the_caller(void)
{
        const OptionTable table = { common_volume_options, n_common_volume_options, NULL };
        _cleanup_bag_ Bag *in = bag_new(), *out = NULL, *other = NULL;

        CHECK_OK(bag_set_string(in, "owner", "caller"));
        CHECK_OK(options_check(&table, in, &out, NULL));
        CHECK_STREQ(bag_get_string(out, "owner"), "caller");
        CHECK_OK(bag_set_u32(in, "owner", 107));
        CHECK_OK(options_check(&table, in, &other, NULL));
        CHECK_EQ(bag_get_u32(other, "owner", 0), 107);
}

static void root_is_no_target(void)
{
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_bag_ Bag *b = bag_new();

        CHECK_OK(bag_set_string(b, "target.path", "/srv"));
        CHECK_OK(options_check_pool_policy(b, NULL));
        CHECK_OK(bag_set_string(b, "target.path", "/"));
        CHECK_ERROR(options_check_pool_policy(b, &e), &e, ERROR_INVALID_DEFINITION);
}

static int policy(const char *cache, const char *aio, Error *e)
{
        _cleanup_bag_ Bag *b = bag_new();

        CHECK_OK(bag_set_string(b, "cache", cache));
        CHECK_OK(bag_set_string(b, "aio", aio));
        return options_check_pool_policy(b, e);
}

static void native_aio_needs_direct_io(void)
{
        static const char *const buffered[] = { NULL, "default", "writethrough", "writeback", "unsafe" };
        static const char *const other[] = { NULL, "default", "threads", "io_uring" };
        Error e = ERROR_NULL;

        CHECK_OK(policy("none", "native", NULL));
        CHECK_OK(policy("directsync", "native", NULL));
        FOREACH_ELEMENT (cache, buffered) {
                CHECK_ERROR(policy(*cache, "native", &e), &e, ERROR_INVALID_DEFINITION);
                FOREACH_ELEMENT (aio, other)
                        CHECK_OK(policy(*cache, *aio, NULL));
        }
}

int main(void)
{
        RUN(tables_are_sound);
        RUN(formats_are_known);
        RUN(narrow_words);
        RUN(owner_is_a_number_or_the_caller);
        RUN(native_aio_needs_direct_io);
        RUN(root_is_no_target);
        return 0;
}
