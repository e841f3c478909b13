/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text.h"

#include <sys/ioctl.h>
#include <wchar.h>

#define ELLIPSIS "…"

/* Marks that change the direction in which later text is shown: Unicode 15, section 23.2 and UAX 9. */
static bool turns_direction(wchar_t c)
{
        return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
               (c >= 0x2066 && c <= 0x2069);
}

/* Bytes of the next character and its columns; -1 columns when it must not be shown. The locale is C.UTF-8
 * (main.c). */
static size_t next_character(const char *s, size_t left, int *ret_columns)
{
        mbstate_t state = { 0 };
        wchar_t c;
        size_t n;

        if (*s >= 0x20 && *s < 0x7f) { /* ASCII, which most text is */
                *ret_columns = 1;
                return 1;
        }
        n = mbrtowc(&c, s, left, &state);
        if (n == 0 || n == (size_t)-1 || n == (size_t)-2) {
                *ret_columns = -1;
                return 1;
        }
        *ret_columns = turns_direction(c) ? -1 : wcwidth(c);
        return n;
}

char *text_printable(const char *s)
{
        size_t left = strlen(s);
        char *out = malloc(left * 4 + 1), *p = out;

        if (!out)
                return NULL;
        while (left > 0) {
                int columns;
                size_t n = next_character(s, left, &columns);

                for (size_t i = 0; i < n; i++)
                        if (columns < 0)
                                p += snprintf(p, sizeof("\\xFF"), "\\x%02X", (unsigned char)s[i]);
                        else
                                *p++ = s[i];
                s += n;
                left -= n;
        }
        *p = 0;
        return out;
}

size_t text_width(const char *s)
{
        size_t width = 0, left = strlen(s);

        while (left > 0) {
                int columns;
                size_t n = next_character(s, left, &columns);

                width += columns > 0 ? (size_t)columns : 0;
                s += n;
                left -= n;
        }
        return width;
}

char *text_ellipsize(const char *s, size_t width)
{
        const char *p = s;
        size_t used = 0, left = strlen(s);
        char *out;

        if (text_width(s) <= width)
                return strdup(s);
        if (width == 0)
                return strdup("");
        while (left > 0) {
                int columns;
                size_t n = next_character(p, left, &columns);

                if (columns > 0 && used + (size_t)columns > width - 1)
                        break;
                used += columns > 0 ? (size_t)columns : 0;
                p += n;
                left -= n;
        }
        if (asprintf(&out, "%.*s" ELLIPSIS, (int)(p - s), s) < 0)
                return NULL;
        return out;
}

const char *text_colour(Colour c, bool on)
{
        static const char *const sequence[_COLOUR_MAX] = {
                [COLOUR_NONE] = "\033[0m",  [COLOUR_GOOD] = "\033[0;32m",  [COLOUR_BAD] = "\033[0;1;31m",
                [COLOUR_DIM] = "\033[0;2m", [COLOUR_HEADER] = "\033[0;4m",
        };

        return on ? sequence[c] : "";
}

bool text_has_colours(FILE *f)
{
        const char *term = getenv("TERM");

        return isatty(fileno(f)) && isempty(getenv("NO_COLOR")) && !streq_ptr(term, "dumb");
}

size_t text_columns(FILE *f)
{
        const char *text = getenv("COLUMNS");
        struct winsize size;
        char *end;
        unsigned long n;

        if (!isatty(fileno(f)))
                return SIZE_MAX;
        if (!isempty(text)) {
                n = strtoul(text, &end, 10);
                if (*end == 0 && n > 0)
                        return n;
        }
        if (ioctl(fileno(f), TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
                return 80;
        return size.ws_col;
}

Colour text_state_colour(const char *state)
{
        if (streq(state, "active") || streq(state, "done") || streq(state, "yes"))
                return COLOUR_GOOD;
        if (streq(state, "unavailable") || streq(state, "unresponsive") || streq(state, "failed"))
                return COLOUR_BAD;
        if (streq(state, "inactive") || streq(state, "cancelled") || streq(state, "no"))
                return COLOUR_DIM;
        return COLOUR_NONE;
}
