/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Aligned tables that fit the terminal. */
#pragma once

#include "text.h"

typedef enum ColumnFlags {
        COLUMN_RIGHT = 1 << 0,   /* numbers */
        COLUMN_ELASTIC = 1 << 1, /* may be cut when the terminal is too narrow */
        COLUMN_STATE = 1 << 2,   /* coloured by text_state_colour() */
} ColumnFlags;

typedef struct Column {
        const char *header;
        unsigned flags;
} Column;

typedef struct Table Table;

Table *table_new(const Column *columns, size_t n_columns); /* columns are borrowed */
void table_free(Table *t);
DEFINE_CLEANUP(Table *, table_free)
#define _cleanup_table_ _cleanup_(table_freep)

/* Cells are filled from left to right, row by row. What must not reach a terminal is escaped; NULL and ""
 * show as "-". 0 or -ENOMEM; after a failure the table is incomplete and table_print() says so. */
int table_add(Table *t, const char *text);
int table_add_size(Table *t, uint64_t bytes); /* UINT64_MAX: "-" */
int table_add_number(Table *t, uint64_t n);   /* UINT64_MAX: "-" */
int table_add_time(Table *t,
                   uint64_t usec); /* µs since the epoch, shown in local time; 0 and UINT64_MAX: "-" */
size_t table_rows(const Table *t);

/* Cut to `width` columns (SIZE_MAX: never cut). Without rows nothing but the header appears. 0 or negative
 * errno. */
int table_print(const Table *t, FILE *f, size_t width, bool legend, bool colours);

/* "NAME: value" lines, right-aligned at the colon: for one object. Two columns, the first is the name. */
int table_print_vertical(const Table *t, FILE *f);
