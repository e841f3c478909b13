/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/option.h"

#include "test.h"

static const char *const choices[] = { "one", "two", NULL };

static const OptionSpec specs[] = {
        { "a", OPTION_ENUM, OPTION_REQUIRED | OPTION_FIXED, "source/a", choices, "one", "Help." },
        { "b", OPTION_FD, OPTION_SECRET | OPTION_ADMIN, NULL, NULL, NULL, NULL },
};

static void check_same(const OptionSpec *a, const OptionSpec *b)
{
        CHECK_STREQ(a->name, b->name);
        CHECK_EQ(a->type, b->type);
        CHECK_EQ(a->flags, b->flags);
        CHECK_STREQ(a->xml, b->xml);
        CHECK_STREQ(a->fallback, b->fallback);
        CHECK_STREQ(a->help, b->help);
        CHECK_EQ(!a->choices, !b->choices);
        for (size_t i = 0; a->choices && i < 3; i++)
                CHECK_STREQ(a->choices[i], b->choices[i]);
}

static void across_the_wire(void)
{
        const OptionTable table = { specs, ELEMENTSOF(specs), NULL };
        OptionTable back;
        Bag *b = bag_new();

        CHECK_OK(option_table_to_bag(&table, "options", b));
        CHECK_OK(option_table_from_bag(b, "options", &back, NULL));
        bag_free(b); /* the table owns its strings */
        CHECK_EQ(back.n_specs, 2);
        check_same(&back.specs[0], &specs[0]);
        check_same(&back.specs[1], &specs[1]);
        option_table_done(&back);
        CHECK_EQ(back.n_specs, 0);
}

static void every_type_has_a_word(void)
{
        for (OptionType t = 0; t < _OPTION_TYPE_MAX; t++) {
                const OptionSpec spec = { "x", t, .choices = choices };
                const OptionTable table = { &spec, 1, NULL };
                _cleanup_bag_ Bag *b = bag_new();
                OptionTable back;

                CHECK_OK(option_table_to_bag(&table, "options", b));
                CHECK_OK(option_table_from_bag(b, "options", &back, NULL));
                CHECK_EQ(back.specs[0].type, t);
                option_table_done(&back);
        }
        CHECK(!option_type_to_string(_OPTION_TYPE_MAX));
}

static void empty_table(void)
{
        const OptionTable table = {};
        _cleanup_bag_ Bag *b = bag_new();
        OptionTable back;

        CHECK_OK(option_table_to_bag(&table, "options", b));
        CHECK_OK(option_table_from_bag(b, "options", &back, NULL));
        CHECK_EQ(back.n_specs, 0);
        option_table_done(&back);
        CHECK_EQ(option_table_to_bag(&table, "options", NULL), -ENOMEM);
}

static void malformed(void)
{
        static const struct {
                const char *name, *type;
        } cases[] = {
                { NULL, "string" }, { "", "string" }, { "x", "strong" }, { "x", NULL }, { "x", "enum" }
        };
        OptionTable back = { .n_specs = 42 };
        _cleanup_bag_ Bag *nothing = bag_new();
        Error e = ERROR_NULL;

        FOREACH_ELEMENT (c, cases) {
                _cleanup_bag_ Bag *b = bag_new();
                Bag *item = bag_new();

                CHECK_OK(bag_set_string(item, "name", c->name));
                CHECK_OK(bag_set_string(item, "type", c->type));
                CHECK_OK(bag_add_bag(b, "options", item));
                CHECK_ERROR(option_table_from_bag(b, "options", &back, &e), &e, ERROR_FAILED);
        }
        CHECK_ERROR(option_table_from_bag(nothing, "options", &back, &e), &e, ERROR_FAILED);
        CHECK_EQ(back.n_specs, 42);
}

static void joined(void)
{
        OptionTable table;

        CHECK_OK(option_table_with_common(common_pool_options, n_common_pool_options, specs,
                                          ELEMENTSOF(specs), &table));
        CHECK_EQ(table.n_specs, n_common_pool_options + 2);
        CHECK(option_find(&table, "purpose"));
        CHECK_STREQ(option_find(&table, "a")->help, "Help.");
        option_table_done(&table);
        CHECK_OK(option_table_with_common(NULL, 0, NULL, 0, &table));
        CHECK_EQ(table.n_specs, 0);
        option_table_done(&table);
}

int main(void)
{
        RUN(across_the_wire);
        RUN(every_type_has_a_word);
        RUN(empty_table);
        RUN(malformed);
        RUN(joined);
        return 0;
}
