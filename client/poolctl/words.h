/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the words of the command line mean. All errors are InvalidArgs and say what was expected. */
#pragma once

#include "util/bag.h"

/* POOL or POOL/VOLUME, split at the first slash. */
typedef struct ObjectName {
        char *pool;
        char *volume; /* NULL: the pool itself */
} ObjectName;

int object_name_parse(const char *word, ObjectName *ret, Error *e);
void object_name_done(ObjectName *n);
#define _cleanup_object_name_ _cleanup_(object_name_done)
#define OBJECT_NAME_NULL ((ObjectName){ 0 })

/* The object path of a pool or volume, and the way back: -EBADMSG when the path is neither. New strings. */
int object_name_to_path(const ObjectName *n, char **ret);
int object_name_from_path(const char *path, ObjectName *ret);
char *object_name_to_string(const ObjectName *n); /* POOL or POOL/VOLUME */

/* What the copy of `source`, or `source` itself, shall be called: "web2" in the same pool, "backup/web2" in
 * another, "backup/" there under the same name. */
int target_name_parse(const char *word, const ObjectName *source, ObjectName *ret, Error *e);

/* NAME=VALUE words into a bag of strings, which the service converts; a name given again makes a list. */
int assignments_parse(char *const *words, size_t n, Bag *b, Error *e);

/* "20G"; "+5G" and "-5G" relative to `current`. */
bool size_word_is_relative(const char *word);
int size_word_parse(const char *word, uint64_t current, uint64_t *ret, Error *e);

/* A number or the name of a local user. */
int user_word_parse(const char *word, bool numbers_only, uint32_t *ret, Error *e);

/* "12" or the object path of a job, to the path; a new string. */
int job_word_parse(const char *word, char **ret_path, Error *e);

int switch_word_parse(const char *word, bool *ret, Error *e); /* on, off, yes, no, true, false, 1, 0 */

/* How a file of this name is compressed: gzip (.gz), xz (.xz), zstd (.zst), else none. */
const char *compression_of_file(const char *name);

/* A copy of the words in which every "{}" is `with`. -ENOMEM. */
int braces_replace(char *const *words, size_t n, const char *with, char ***ret);
