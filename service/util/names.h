/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one place that says which names pools and volumes may have, and how odd file names are shown. */
#pragma once

#include "error.h"

#define NAME_BYTES_MAX \
        200u /* a new pool's or volume's name; libvirt allows 255 and then fails to store it */

/* 0, or InvalidName with a message that says which rule was broken: not empty, not "." or "..", no '/', no
 * '\\' (it begins an escape in shown names), no control characters, valid UTF-8, at most NAME_BYTES_MAX
 * bytes; `what` is "pool" or "volume". Temporary names of ours (prefix TEMPORARY_PREFIX) are refused too. */
int name_check(const char *what, const char *name, Error *e);

/* A file in a pool directory that is still being made; never listed. */
#define TEMPORARY_PREFIX ".poolkeeper-"

/* File names found on disk may be any bytes. Valid, printable UTF-8 without control bytes and backslashes is
 * shown as it is; else each offending byte and each backslash becomes \xHH. Returns a new string, or NULL:
 * out of memory. */
char *name_escape(const char *raw);

/* The reverse: the bytes behind an escaped name. InvalidName for a malformed escape, an escaped '/' or NUL,
 * and for anything that name_escape() would have written otherwise: each file has one shown name. */
int name_unescape(const char *shown, char **ret_raw, Error *e);
bool name_needs_escape(const char *raw);

/* Valid UTF-8 as D-Bus wants it, without control characters (C0, DEL, C1). */
bool text_is_printable(const char *s);

/* Lower-case 36 character form of a UUID (36 characters or 32 hex digits, any case); -EINVAL else. */
int uuid_normalise(const char *text, char ret[37]);
void uuid_generate_text(char ret[37]); /* random, RFC 4122 version 4 */

/* Path clean-up as libvirt does it: repeated '/' collapsed, one trailing '/' dropped, a leading exact "//"
 * kept, "." and ".." left alone. NULL: out of memory. */
char *path_clean(const char *path);

/* The absolute path that `path` means in `directory`, which is absolute: by its words only, so "." and ".." are
 * taken out as if there were no symbolic links. NULL: out of memory. */
char *path_absolute(const char *directory, const char *path);

/* True when `path` equals `root` or lies below it, compared by whole components of the cleaned paths. */
bool path_is_below(const char *path, const char *root);
