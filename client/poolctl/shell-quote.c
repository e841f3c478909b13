/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell-quote.h"

#include "util/macro.h"

char *shell_quote(char *const *words)
{
        size_t size = 1;
        char *line, *out;

        for (char *const *w = words; *w; w++)
                size += strlen(*w) * 4 + 3; /* every character may be a quote: '\'' */
        out = line = malloc(size);
        if (!line)
                return NULL;
        for (char *const *w = words; *w; w++) {
                if (w != words)
                        *out++ = ' ';
                *out++ = '\'';
                for (const char *c = *w; *c; c++)
                        if (*c == '\'')
                                out = stpcpy(out, "'\\''");
                        else
                                *out++ = *c;
                *out++ = '\'';
        }
        *out = 0;
        return line;
}
