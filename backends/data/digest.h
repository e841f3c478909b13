/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 of bytes that pass by (FIPS 180-4), by libgcrypt: as fast as any, and libsystemd has it loaded already. */
#pragma once

#include "util/macro.h"

#define DIGEST_TEXT_MAX 65 /* hexadecimal, lower case, NUL */

typedef struct Digest Digest;

int digest_new(Digest **ret);
void digest_update(Digest *d, const void *data, size_t size);
/* Of everything so far; to be called once. */
void digest_finish(Digest *d, char ret[static DIGEST_TEXT_MAX]);
void digest_free(Digest *d);
DEFINE_CLEANUP(Digest *, digest_free)

/* What a caller may give as an expected digest: 64 hexadecimal digits of either case. */
bool digest_is_valid(const char *text);
bool digest_equal(const char *a, const char *b);
