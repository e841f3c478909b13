/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <locale.h>

#include "table.h"
#include "test.h"

static const Column columns[] = {
        { "NAME", COLUMN_ELASTIC },
        { "STATE", COLUMN_STATE },
        { "SIZE", COLUMN_RIGHT },
};

/* What table_print() writes; a new string. */
static char *printed(const Table *t, size_t width, bool legend, bool colours)
{
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        CHECK(f);
        CHECK_OK(table_print(t, f, width, legend, colours));
        fclose(f);
        return text;
}

static void columns_are_aligned(void)
{
        _cleanup_table_ Table *t = table_new(columns, ELEMENTSOF(columns));
        _cleanup_free_ char *text = NULL, *bare = NULL;

        CHECK_OK(table_add(t, "images"));
        CHECK_OK(table_add(t, "active"));
        CHECK_OK(table_add_size(t, 20ULL << 30));
        CHECK_OK(table_add(t, "b"));
        CHECK_OK(table_add(t, NULL));
        CHECK_OK(table_add_size(t, UINT64_MAX));
        CHECK_EQ(table_rows(t), 2);
        text = printed(t, SIZE_MAX, true, false);
        CHECK_STREQ(text, "NAME   STATE      SIZE\n"
                          "images active 20.0 GiB\n"
                          "b      -             -\n");
        bare = printed(t, SIZE_MAX, false, false);
        CHECK_STREQ(bare, "images active 20.0 GiB\n"
                          "b      -             -\n");
}

static void narrow_terminals_cut(void)
{
        _cleanup_table_ Table *t = table_new(columns, ELEMENTSOF(columns));
        _cleanup_free_ char *text = NULL, *least = NULL;

        CHECK_OK(table_add(t, "a-very-long-volume-name"));
        CHECK_OK(table_add(t, "active"));
        CHECK_OK(table_add_number(t, 7));
        text = printed(t, 22, false, false);
        CHECK_STREQ(text, "a-very-long-… active 7\n");
        CHECK_EQ(text_width(text), 22);
        least = printed(t, 1, false, false); /* the other columns stay whole */
        CHECK_STREQ(least, "a-ver… active 7\n");
}

static void wide_characters_count(void)
{
        _cleanup_table_ Table *t = table_new(columns, ELEMENTSOF(columns));
        _cleanup_free_ char *text = NULL;

        CHECK_OK(table_add(t, "日本"));
        CHECK_OK(table_add(t, "x"));
        CHECK_OK(table_add(t, "1"));
        CHECK_OK(table_add(t, "abcde"));
        CHECK_OK(table_add(t, "é"));
        CHECK_OK(table_add(t, "22"));
        text = printed(t, SIZE_MAX, false, false);
        CHECK_STREQ(text, "日本  x  1\n"
                          "abcde é 22\n");
}

static void control_characters_never_pass(void)
{
        _cleanup_free_ char *escape = text_printable("a\033[31m\nb"), *broken = text_printable("x\xff\xc3"),
                            *c1 = text_printable("\xc2\x9b"), *turned = text_printable("a\xe2\x80\xae"),
                            *plain = text_printable("naïve\\x0A 日本");

        CHECK_STREQ(escape, "a\\x1B[31m\\x0Ab");
        CHECK_STREQ(broken, "x\\xFF\\xC3");
        CHECK_STREQ(c1, "\\xC2\\x9B");
        CHECK_STREQ(turned, "a\\xE2\\x80\\xAE");
        CHECK_STREQ(plain, "naïve\\x0A 日本");
}

static void colours_only_when_asked(void)
{
        _cleanup_table_ Table *t = table_new(columns, ELEMENTSOF(columns));
        _cleanup_free_ char *text = NULL;

        CHECK_OK(table_add(t, "p"));
        CHECK_OK(table_add(t, "active"));
        CHECK_OK(table_add(t, "1"));
        text = printed(t, SIZE_MAX, false, true);
        CHECK_STREQ(text, "p \033[0;32mactive\033[0m 1\n");
}

static void ellipsis(void)
{
        static const struct {
                const char *text;
                size_t width;
                const char *shown;
        } cases[] = {
                { "abc", 3, "abc" }, { "abcd", 3, "ab…" }, { "日本語", 4, "日…" },
                { "abc", 1, "…" },   { "abc", 0, "" },
        };

        FOREACH_ELEMENT (c, cases) {
                _cleanup_free_ char *shown = text_ellipsize(c->text, c->width);

                CHECK_STREQ(shown, c->shown);
        }
}

static void vertical(void)
{
        static const Column pair[] = { { "NAME", COLUMN_RIGHT }, { "VALUE", 0 } };
        _cleanup_table_ Table *t = table_new(pair, ELEMENTSOF(pair));
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        CHECK_OK(table_add(t, "Name"));
        CHECK_OK(table_add(t, "images"));
        CHECK_OK(table_add(t, "Autostart"));
        CHECK_OK(table_add(t, "yes"));
        CHECK_OK(table_print_vertical(t, f));
        fclose(f);
        CHECK_STREQ(text, "     Name: images\n"
                          "Autostart: yes\n");
}

int main(void)
{
        CHECK(setlocale(LC_CTYPE, "C.UTF-8"));
        RUN(columns_are_aligned);
        RUN(narrow_terminals_cut);
        RUN(wide_characters_count);
        RUN(control_characters_never_pass);
        RUN(colours_only_when_asked);
        RUN(ellipsis);
        RUN(vertical);
        return 0;
}
