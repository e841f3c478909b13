/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bag: named, typed values in insertion order; the program's form of a D-Bus a{sv}.
 * Definitions, method options, requests to workers, their answers and job results are all bags. */
#pragma once

#include "error.h"

typedef struct Bag Bag;

typedef enum ValueType {
        VALUE_STRING, /* s */
        VALUE_PATH,   /* o: a D-Bus object path */
        VALUE_BOOL,   /* b */
        VALUE_U32,    /* u */
        VALUE_U64,    /* t */
        VALUE_DOUBLE, /* d */
        VALUE_STRV,   /* as */
        VALUE_FD,     /* h: owned by the bag */
        VALUE_BAG,    /* a{sv} */
        VALUE_BAGS,   /* aa{sv} */
        _VALUE_TYPE_MAX,
} ValueType;

typedef struct Value {
        ValueType type;
        union {
                char *string; /* VALUE_STRING, VALUE_PATH */
                bool boolean;
                uint32_t u32;
                uint64_t u64;
                double number;
                char **strv; /* NULL-terminated */
                int fd;
                Bag *bag;
                struct {
                        Bag **bags;
                        size_t n_bags;
                };
        };
} Value;

Bag *bag_new(void); /* NULL: out of memory */
void bag_free(Bag *b);
Bag *bag_copy(const Bag *b);                /* descriptors are duplicated (F_DUPFD_CLOEXEC) */
bool bag_equal(const Bag *a, const Bag *b); /* same keys and values in any order; descriptors never equal */
DEFINE_CLEANUP(Bag *, bag_free)
#define _cleanup_bag_ _cleanup_(bag_freep)

/* Setters copy the value and replace an earlier one of that key. NULL strings remove the key.
 * They return 0 or -ENOMEM; b may be NULL, which is -ENOMEM, so that a failed bag_new() is found at the end
 * of a chain. */
int bag_set_string(Bag *b, const char *key, const char *value);
int bag_set_stringf(Bag *b, const char *key, const char *format, ...) _printf_(3, 4);
int bag_set_path(Bag *b, const char *key, const char *value);
int bag_set_bool(Bag *b, const char *key, bool value);
int bag_set_u32(Bag *b, const char *key, uint32_t value);
int bag_set_u64(Bag *b, const char *key, uint64_t value);
int bag_set_double(Bag *b, const char *key, double value);
int bag_set_strv(Bag *b, const char *key, char *const *value);
int bag_add_strv(Bag *b, const char *key, const char *item); /* appends to the list of that key */
int bag_set_fd(Bag *b, const char *key, int fd);             /* takes ownership of fd, also on failure */
int bag_set_bag(Bag *b, const char *key, Bag *value);        /* takes ownership of value, also on failure */
int bag_add_bag(Bag *b, const char *key,
                Bag *item); /* appends to VALUE_BAGS; takes ownership, also on failure */
int bag_set_value(Bag *b, const char *key, const Value *value);
void bag_remove(Bag *b, const char *key);

/* Getters: borrowed values; NULL, false, or the fallback, when the key is absent or of another type. b may
 * be NULL. */
const Value *bag_get(const Bag *b, const char *key);
bool bag_has(const Bag *b, const char *key);
const char *bag_get_string(const Bag *b, const char *key); /* also VALUE_PATH */
bool bag_get_bool(const Bag *b, const char *key, bool fallback);
uint64_t bag_get_u64(const Bag *b, const char *key, uint64_t fallback); /* also VALUE_U32 */
uint32_t bag_get_u32(const Bag *b, const char *key, uint32_t fallback);
char *const *bag_get_strv(const Bag *b, const char *key);
int bag_get_fd(const Bag *b, const char *key); /* -EBADF when absent */
int bag_take_fd(Bag *b, const char *key);      /* hands the descriptor over, -EBADF when absent */
const Bag *bag_get_bag(const Bag *b, const char *key);
const Value *bag_get_bags(const Bag *b, const char *key);

size_t bag_size(const Bag *b);
const char *bag_key(const Bag *b, size_t i);
const Value *bag_value(const Bag *b, size_t i);

const char *value_type_to_string(ValueType t); /* the D-Bus signature */
void strv_free(char **l);
size_t strv_length(char *const *l);
bool strv_contains(char *const *l, const char *s);
char **strv_copy(char *const *l);
int strv_append(char ***l, const char *s);
DEFINE_CLEANUP(char **, strv_free)
#define _cleanup_strv_ _cleanup_(strv_freep)
