/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Overwriting a file with patterns, by scrub(1) in the sandbox. */
#pragma once

#include "backend.h"

/* "nnsa", "dod", "bsi", "gutmann", "schneier", "pfitzner7", "pfitzner33", "random". */
bool scrub_knows(const char *pattern);

/* BackendUnavailable when the tool is missing. */
int scrub_available(Ctx *c);

/* Overwrites a regular file of `size` bytes, which is open for writing, from its beginning to its end, holes too, and makes
 * each pass durable. The size stays. Progress counts all passes. A job's work. */
int scrub_file(Ctx *c, int fd, uint64_t size, const char *pattern);
