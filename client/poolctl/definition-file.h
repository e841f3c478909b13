/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML definitions from files. */
#pragma once

#include "util/error.h"

/* The whole file, "-" being standard input; at most 1 MiB, text without NUL. A new string. */
int definition_file_read(const char *path, char **ret, Error *e);
