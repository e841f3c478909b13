/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "table.h"

#include <time.h>

#include "util/units.h"

#define GAP 1u       /* blanks between columns */
#define WIDTH_MIN 6u /* an elastic column is not cut below this */

struct Table {
        const Column *columns;
        size_t n_columns;
        char **cells;
        size_t n_cells, n_allocated;
        int error; /* of an earlier table_add() */
};

Table *table_new(const Column *columns, size_t n_columns)
{
        Table *t = calloc(1, sizeof(Table));

        if (t)
                *t = (Table){ .columns = columns, .n_columns = n_columns };
        return t;
}

void table_free(Table *t)
{
        if (!t)
                return;
        for (size_t i = 0; i < t->n_cells; i++)
                free(t->cells[i]);
        free(t->cells);
        free(t);
}

int table_add(Table *t, const char *text)
{
        char *cell = text_printable(isempty(text) ? "-" : text);

        if (!cell)
                return t->error = -ENOMEM;
        if (t->n_cells == t->n_allocated) {
                size_t n = t->n_allocated ? t->n_allocated * 2 : 64;
                char **cells = reallocarray(t->cells, n, sizeof(char *));

                if (!cells) {
                        free(cell);
                        return t->error = -ENOMEM;
                }
                t->cells = cells;
                t->n_allocated = n;
        }
        t->cells[t->n_cells++] = cell;
        return 0;
}

int table_add_size(Table *t, uint64_t bytes)
{
        char buffer[SIZE_TEXT_MAX];

        return table_add(t, bytes == UINT64_MAX ? NULL : size_format(bytes, buffer));
}

int table_add_number(Table *t, uint64_t n)
{
        char buffer[24];

        snprintf(buffer, sizeof(buffer), "%llu", (unsigned long long)n);
        return table_add(t, n == UINT64_MAX ? NULL : buffer);
}

int table_add_time(Table *t, uint64_t usec)
{
        time_t seconds = (time_t)(usec / 1000000);
        struct tm tm;
        char buffer[32];

        if (usec == 0 || usec == UINT64_MAX || !localtime_r(&seconds, &tm))
                return table_add(t, NULL);
        strftime(buffer, sizeof(buffer), "%Y-%m-%d %H:%M:%S", &tm);
        return table_add(t, buffer);
}

size_t table_rows(const Table *t)
{
        return t->n_cells / t->n_columns;
}

/* Natural widths, then columns off the widest elastic one until the sum fits or nothing more can give. */
static void fit_columns(const Table *t, size_t width, bool legend, size_t *columns)
{
        size_t sum = (t->n_columns - 1) * GAP;

        for (size_t c = 0; c < t->n_columns; c++) {
                columns[c] = legend ? text_width(t->columns[c].header) : 0;
                for (size_t i = c; i < t->n_cells; i += t->n_columns)
                        columns[c] = MAX(columns[c], text_width(t->cells[i]));
                sum += columns[c];
        }
        while (sum > width) {
                size_t widest = SIZE_MAX;

                for (size_t c = 0; c < t->n_columns; c++)
                        if ((t->columns[c].flags & COLUMN_ELASTIC) && columns[c] > WIDTH_MIN &&
                            (widest == SIZE_MAX || columns[c] > columns[widest]))
                                widest = c;
                if (widest == SIZE_MAX)
                        return;
                columns[widest]--;
                sum--;
        }
}

static int print_cell(FILE *f, const char *text, size_t width, bool right, bool last, Colour colour,
                      bool colours)
{
        _cleanup_free_ char *shown = text_ellipsize(text, width);
        size_t blanks;

        if (!shown)
                return -ENOMEM;
        blanks = width - MIN(width, text_width(shown));
        if (colour == COLOUR_NONE)
                colours = false;
        /* The header's line runs on under the blanks. */
        fprintf(f, "%*s%s%s", right ? (int)blanks : 0, "", text_colour(colour, colours), shown);
        if (colour != COLOUR_HEADER)
                fputs(text_colour(COLOUR_NONE, colours), f);
        if (!last)
                fprintf(f, "%*s", (int)((right ? 0 : blanks) + GAP), "");
        else if (colour == COLOUR_HEADER)
                fputs(text_colour(COLOUR_NONE, colours), f);
        return 0;
}

int table_print(const Table *t, FILE *f, size_t width, bool legend, bool colours)
{
        _cleanup_free_ size_t *columns = calloc(t->n_columns, sizeof(size_t));
        int r;

        if (!columns || t->error < 0)
                return -ENOMEM;
        fit_columns(t, width, legend, columns);
        for (size_t c = 0; c < t->n_columns && legend; c++) {
                r = print_cell(f, t->columns[c].header, columns[c], t->columns[c].flags & COLUMN_RIGHT,
                               c + 1 == t->n_columns, COLOUR_HEADER, colours);
                if (r < 0)
                        return r;
        }
        if (legend)
                fputc('\n', f);
        for (size_t i = 0; i < t->n_cells; i++) {
                size_t c = i % t->n_columns;
                unsigned flags = t->columns[c].flags;
                bool last = c + 1 == t->n_columns;

                r = print_cell(f, t->cells[i], columns[c], flags & COLUMN_RIGHT, last,
                               flags & COLUMN_STATE ? text_state_colour(t->cells[i]) : COLOUR_NONE, colours);
                if (r < 0)
                        return r;
                if (last)
                        fputc('\n', f);
        }
        return 0;
}

int table_print_vertical(const Table *t, FILE *f)
{
        size_t width = 0;

        if (t->error < 0)
                return t->error;
        for (size_t i = 0; i + 1 < t->n_cells; i += 2)
                width = MAX(width, text_width(t->cells[i]));
        for (size_t i = 0; i + 1 < t->n_cells; i += 2)
                fprintf(f, "%*s%s: %s\n", (int)(width - text_width(t->cells[i])), "", t->cells[i],
                        t->cells[i + 1]);
        return 0;
}
