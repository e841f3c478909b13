/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "switch-options.h"
#include "test.h"

static void words_and_switches_mix(void)
{
        _cleanup_command_line_ CommandLine c = { 0 };
        char *argv[] = { (char *)"volumes",
                         (char *)"--sort",
                         (char *)"name",
                         (char *)"images",
                         (char *)"--json=short",
                         (char *)"-r",
                         NULL };

        CHECK_OK(command_line_parse(argv, &c, NULL));
        CHECK_EQ(c.n_words, 2);
        CHECK_STREQ(c.words[0], "volumes");
        CHECK_STREQ(c.words[1], "images");
        CHECK_STREQ(c.words[2], NULL);
        CHECK_STREQ(c.value[SWITCH_SORT], "name");
        CHECK_STREQ(c.value[SWITCH_JSON], "short");
        CHECK_STREQ(c.value[SWITCH_REVERSE], "");
        CHECK_STREQ(c.value[SWITCH_FORCE], NULL);
}

static void letters_join(void)
{
        _cleanup_command_line_ CommandLine c = { 0 }, d = { 0 };
        char *joined[] = { (char *)"-raHhost", NULL }, *apart[] = { (char *)"-H", (char *)"host", NULL };

        CHECK_OK(command_line_parse(joined, &c, NULL));
        CHECK(c.value[SWITCH_REVERSE] && c.value[SWITCH_ALL]);
        CHECK_STREQ(c.value[SWITCH_HOST], "host");
        CHECK_OK(command_line_parse(apart, &d, NULL));
        CHECK_STREQ(d.value[SWITCH_HOST], "host");
        CHECK_EQ(d.n_words, 0);
}

static void negative_sizes_are_words(void)
{
        _cleanup_command_line_ CommandLine c = { 0 };
        char *argv[] = { (char *)"resize", (char *)"a/b", (char *)"-5G", (char *)"-", NULL };

        CHECK_OK(command_line_parse(argv, &c, NULL));
        CHECK_EQ(c.n_words, 4);
        CHECK_STREQ(c.words[2], "-5G");
        CHECK_STREQ(c.words[3], "-");
}

static void two_dashes_end_switches(void)
{
        _cleanup_command_line_ CommandLine c = { 0 };
        char *argv[] = { (char *)"show", (char *)"--", (char *)"--force", (char *)"--", NULL };

        CHECK_OK(command_line_parse(argv, &c, NULL));
        CHECK_EQ(c.n_words, 3);
        CHECK_STREQ(c.words[1], "--force");
        CHECK_STREQ(c.words[2], "--");
        CHECK_STREQ(c.value[SWITCH_FORCE], NULL);
}

static void mistakes_are_told(void)
{
        static const char *const wrong[] = { "--nothing", "--force=yes", "--host", "-H", "-x", "--forc" };
        _cleanup_error_ Error e = ERROR_NULL;
        CommandLine c = { .n_words = 77 };

        FOREACH_ELEMENT (w, wrong) {
                char *argv[] = { (char *)*w, NULL };

                CHECK_ERROR(command_line_parse(argv, &c, &e), &e, ERROR_INVALID_ARGS);
                CHECK_EQ(c.n_words, 77); /* untouched */
        }
}

static void excess_is_found(void)
{
        _cleanup_command_line_ CommandLine c = { 0 };
        char *argv[] = { (char *)"--force", (char *)"--lax", NULL };

        CHECK_OK(command_line_parse(argv, &c, NULL));
        CHECK_EQ(command_line_excess(&c, SWITCH_BIT(FORCE)), SWITCH_LAX);
        CHECK_EQ(command_line_excess(&c, SWITCH_BIT(FORCE) | SWITCH_BIT(LAX)), _SWITCH_MAX);
}

static void names_and_letters_are_unique(void)
{
        for (Switch a = 0; a < _SWITCH_MAX; a++)
                for (Switch b = a + 1; b < _SWITCH_MAX; b++) {
                        CHECK(!streq(switch_table[a].name, switch_table[b].name));
                        CHECK(!switch_table[a].letter || switch_table[a].letter != switch_table[b].letter);
                }
}

/* What another host's poolctl is told, it takes for the same. */
static void lines_are_written(void)
{
        _cleanup_command_line_ CommandLine c = { 0 }, again = { 0 };
        char *line[] = { (char *)"upload", (char *)"-U", (char *)"--sha256=a b", (char *)"--length",
                         (char *)"0",      (char *)"--", (char *)"--odd/v",      NULL };
        _cleanup_strv_ char **argv = NULL;

        CHECK_OK(command_line_parse(line, &c, NULL));
        CHECK_OK(command_line_to_argv(&c, "poolctl", &argv));
        CHECK_STREQ(argv[0], "poolctl");
        CHECK_OK(command_line_parse(argv + 1, &again, NULL));
        for (Switch s = 0; s < _SWITCH_MAX; s++)
                CHECK_STREQ(again.value[s], c.value[s]);
        CHECK_EQ(again.n_words, 2);
        CHECK_STREQ(again.words[0], "upload");
        CHECK_STREQ(again.words[1], "--odd/v");
}

static void switches_become_options(void)
{
        _cleanup_command_line_ CommandLine c = { 0 }, bad = { 0 };
        char *line[] = { (char *)"--sparse", (char *)"--offset=1M", (char *)"--sha256=12",
                         (char *)"--json=short", NULL },
             *wrong[] = { (char *)"--bandwidth=fast", NULL };
        _cleanup_bag_ Bag *b = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;

        CHECK_OK(command_line_parse(line, &c, NULL));
        CHECK_OK(switches_to_options(&c, b, NULL));
        CHECK_EQ(bag_size(b), 3);
        CHECK(bag_get_bool(b, "sparse", false));
        CHECK_EQ(bag_get_u64(b, "offset", 0), 1024 * 1024);
        CHECK_STREQ(bag_get_string(b, "sha256"), "12");
        CHECK_OK(command_line_parse(wrong, &bad, NULL));
        CHECK_ERROR(switches_to_options(&bad, b, &e), &e, ERROR_INVALID_ARGS);
}

static void switches_are_shown(void)
{
        _cleanup_free_ char *host = switch_to_string(SWITCH_HOST), *start = switch_to_string(SWITCH_START);

        CHECK_STREQ(host, "-H, --host=HOST");
        CHECK_STREQ(start, "--start");
}

int main(void)
{
        RUN(words_and_switches_mix);
        RUN(letters_join);
        RUN(negative_sizes_are_words);
        RUN(two_dashes_end_switches);
        RUN(mistakes_are_told);
        RUN(excess_is_found);
        RUN(names_and_letters_are_unique);
        RUN(lines_are_written);
        RUN(switches_become_options);
        RUN(switches_are_shown);
        return 0;
}
