/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text for a terminal: how wide it is, what must not reach it, and colours. */
#pragma once

#include "util/macro.h"

/* A copy in which every byte that is no printable UTF-8 (control characters, broken sequences, marks that
 * turn the writing direction) stands as \xHH. NULL: out of memory. */
char *text_printable(const char *s);

/* Columns that printable text takes. */
size_t text_width(const char *s);

/* The text cut to `width` columns, with an ellipsis at the end where something is missing. A new string. */
char *text_ellipsize(const char *s, size_t width);

typedef enum Colour {
        COLOUR_NONE,
        COLOUR_GOOD,
        COLOUR_BAD,
        COLOUR_DIM,
        COLOUR_HEADER,
        _COLOUR_MAX,
} Colour;

/* Escape sequence that begins the colour; COLOUR_NONE ends it. "" when `on` is false. */
const char *text_colour(Colour c, bool on);

/* Is f a terminal that may get colours: NO_COLOR unset, TERM not dumb. */
bool text_has_colours(FILE *f);

/* Columns of the terminal behind f: $COLUMNS or what the kernel says; SIZE_MAX when it is no terminal. */
size_t text_columns(FILE *f);

/* What to show for the state of a pool or job. */
Colour text_state_colour(const char *state);
