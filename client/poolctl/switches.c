/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "switches.h"

#include "util/bag.h"

const SwitchSpec switch_table[_SWITCH_MAX] = {
#define X(id, name_, letter_, value_, help_) \
        [SWITCH_##id] = { .name = name_, .letter = letter_, .value = value_, .help = help_ },
        SWITCHES(X)
#undef X
};

static Switch find_name(const char *name, size_t length)
{
        for (Switch s = 0; s < _SWITCH_MAX; s++)
                if (strlen(switch_table[s].name) == length &&
                    memcmp(switch_table[s].name, name, length) == 0)
                        return s;
        return _SWITCH_MAX;
}

static Switch find_letter(char letter)
{
        for (Switch s = 0; s < _SWITCH_MAX; s++)
                if (switch_table[s].letter && switch_table[s].letter == letter)
                        return s;
        return _SWITCH_MAX;
}

/* --name, --name=VALUE, --name VALUE. *argv stands on the word and is moved on over a value that is a word
 * of its own. */
static int parse_long(CommandLine *c, char *const **argv, Error *e)
{
        const char *name = **argv + 2, *equal = strchr(name, '=');
        size_t length = equal ? (size_t)(equal - name) : strlen(name);
        Switch s = find_name(name, length);

        if (s == _SWITCH_MAX)
                return error_set(e, ERROR_INVALID_ARGS, "unknown switch --%.*s", (int)length, name);
        if (!switch_table[s].value) {
                if (equal)
                        return error_set(e, ERROR_INVALID_ARGS, "switch --%s takes no value",
                                         switch_table[s].name);
                c->value[s] = "";
                return 0;
        }
        if (equal)
                c->value[s] = equal + 1;
        else if ((*argv)[1])
                c->value[s] = *++*argv;
        else
                return error_set(e, ERROR_INVALID_ARGS, "switch --%s needs a value: %s",
                                 switch_table[s].name, switch_table[s].value);
        return 0;
}

/* -x, -xy, -xVALUE, -x VALUE. */
static int parse_letters(CommandLine *c, char *const **argv, Error *e)
{
        for (const char *p = **argv + 1; *p; p++) {
                Switch s = find_letter(*p);

                if (s == _SWITCH_MAX)
                        return error_set(e, ERROR_INVALID_ARGS, "unknown switch -%c", *p);
                if (!switch_table[s].value) {
                        c->value[s] = "";
                        continue;
                }
                if (p[1])
                        c->value[s] = p + 1;
                else if ((*argv)[1])
                        c->value[s] = *++*argv;
                else
                        return error_set(e, ERROR_INVALID_ARGS, "switch -%c needs a value: %s", *p,
                                         switch_table[s].value);
                return 0;
        }
        return 0;
}

int command_line_parse(char *const *argv, CommandLine *ret, Error *e)
{
        _cleanup_command_line_ CommandLine c = { 0 };
        size_t n = 0;
        bool only_words = false;
        int r = 0;

        while (argv[n])
                n++;
        c.words = calloc(n + 1, sizeof(char *));
        if (!c.words)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        for (; *argv; argv++) {
                const char *word = *argv;

                if (only_words || word[0] != '-' || !word[1] || (word[1] >= '0' && word[1] <= '9'))
                        c.words[c.n_words++] = *argv;
                else if (streq(word, "--"))
                        only_words = true;
                else
                        r = word[1] == '-' ? parse_long(&c, &argv, e) : parse_letters(&c, &argv, e);
                if (r < 0)
                        return r;
        }
        *ret = c;
        c.words = NULL;
        return 0;
}

void command_line_done(CommandLine *c)
{
        free(c->words);
        *c = (CommandLine){ 0 };
}

Switch command_line_excess(const CommandLine *c, uint64_t allowed)
{
        for (Switch s = 0; s < _SWITCH_MAX; s++)
                if (c->value[s] && !(allowed & (UINT64_C(1) << s)))
                        return s;
        return _SWITCH_MAX;
}

static int add_switch(const CommandLine *c, Switch s, char ***argv)
{
        _cleanup_free_ char *word = NULL;

        if (!c->value[s])
                return 0;
        if (asprintf(&word, "--%s%s%s", switch_table[s].name, switch_table[s].value ? "=" : "",
                     c->value[s]) < 0) {
                word = NULL;
                return -ENOMEM;
        }
        return strv_append(argv, word);
}

int command_line_to_argv(const CommandLine *c, const char *program, char ***ret)
{
        _cleanup_strv_ char **argv = NULL;
        int r;

        r = strv_append(&argv, program);
        for (Switch s = 0; r >= 0 && s < _SWITCH_MAX; s++)
                r = add_switch(c, s, &argv);
        if (r >= 0)
                r = strv_append(&argv, "--");
        for (size_t i = 0; r >= 0 && i < c->n_words; i++)
                r = strv_append(&argv, c->words[i]);
        if (r >= 0)
                *ret = TAKE_PTR(argv);
        return r;
}

char *switch_to_string(Switch s)
{
        const SwitchSpec *spec = &switch_table[s];
        char letter[] = { '-', spec->letter, ',', ' ', 0 };
        char *text;

        if (asprintf(&text, "%s--%s%s%s", spec->letter ? letter : "", spec->name, spec->value ? "=" : "",
                     spec->value ?: "") < 0)
                return NULL;
        return text;
}
