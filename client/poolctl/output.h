/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables and JSON to standard output, as the switches say. */
#pragma once

#include "poolctl.h"
#include "table.h"

ExitStatus print_table(Poolctl *p, const Table *t);
ExitStatus print_json(Poolctl *p, json_object *o); /* with --json=off: pretty */

/* One object's members as "name: value" lines, lists joined by blanks. Members named ...USec are shown as
 * times; those in `sizes` (NULL-terminated) as sizes. Null, "" and empty lists are left out. */
ExitStatus print_members(json_object *o, const char *const *sizes);
