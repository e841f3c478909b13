/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bag.h"

#include <fcntl.h>
#include <stdarg.h>

typedef struct Entry {
        char *key;
        Value value;
} Entry;

struct Bag {
        Entry *entries;
        size_t n_entries, n_allocated;
};

static void value_done(Value *v)
{
        switch (v->type) {
        case VALUE_STRING:
        case VALUE_PATH:
                free(v->string);
                break;
        case VALUE_STRV:
                strv_free(v->strv);
                break;
        case VALUE_FD:
                safe_close(v->fd);
                break;
        case VALUE_BAG:
                bag_free(v->bag);
                break;
        case VALUE_BAGS:
                for (size_t i = 0; i < v->n_bags; i++)
                        bag_free(v->bags[i]);
                free(v->bags);
                break;
        case VALUE_BOOL:
        case VALUE_U32:
        case VALUE_U64:
        case VALUE_DOUBLE:
        case _VALUE_TYPE_MAX:
                break;
        }
}

static int bags_copy(const Value *v, Value *ret)
{
        Value copy = { .type = VALUE_BAGS };

        copy.bags = calloc(MAX(v->n_bags, (size_t)1), sizeof(Bag *));
        if (!copy.bags)
                return -ENOMEM;
        for (; copy.n_bags < v->n_bags; copy.n_bags++) {
                copy.bags[copy.n_bags] = bag_copy(v->bags[copy.n_bags]);
                if (!copy.bags[copy.n_bags]) {
                        value_done(&copy);
                        return -ENOMEM;
                }
        }
        *ret = copy;
        return 0;
}

/* A deep copy; -ENOMEM, or the errno of the duplication of a descriptor. */
static int value_copy(const Value *v, Value *ret)
{
        Value copy = *v;

        switch (v->type) {
        case VALUE_STRING:
        case VALUE_PATH:
                copy.string = strdup(v->string);
                if (!copy.string)
                        return -ENOMEM;
                break;
        case VALUE_STRV:
                copy.strv = strv_copy(v->strv);
                if (!copy.strv)
                        return -ENOMEM;
                break;
        case VALUE_FD:
                copy.fd = fcntl(v->fd, F_DUPFD_CLOEXEC, 3);
                if (copy.fd < 0)
                        return -errno;
                break;
        case VALUE_BAG:
                copy.bag = bag_copy(v->bag);
                if (!copy.bag)
                        return -ENOMEM;
                break;
        case VALUE_BAGS:
                return bags_copy(v, ret);
        case VALUE_BOOL:
        case VALUE_U32:
        case VALUE_U64:
        case VALUE_DOUBLE:
        case _VALUE_TYPE_MAX:
                break;
        }
        *ret = copy;
        return 0;
}

static bool value_equal(const Value *a, const Value *b)
{
        if (a->type != b->type)
                return false;
        switch (a->type) {
        case VALUE_STRING:
        case VALUE_PATH:
                return streq(a->string, b->string);
        case VALUE_BOOL:
                return a->boolean == b->boolean;
        case VALUE_U32:
                return a->u32 == b->u32;
        case VALUE_U64:
                return a->u64 == b->u64;
        case VALUE_DOUBLE:
                return a->number == b->number;
        case VALUE_STRV:
                if (strv_length(a->strv) != strv_length(b->strv))
                        return false;
                for (size_t i = 0; a->strv[i]; i++)
                        if (!streq(a->strv[i], b->strv[i]))
                                return false;
                return true;
        case VALUE_BAG:
                return bag_equal(a->bag, b->bag);
        case VALUE_BAGS:
                if (a->n_bags != b->n_bags)
                        return false;
                for (size_t i = 0; i < a->n_bags; i++)
                        if (!bag_equal(a->bags[i], b->bags[i]))
                                return false;
                return true;
        case VALUE_FD:
        case _VALUE_TYPE_MAX:
                break;
        }
        return false;
}

Bag *bag_new(void)
{
        return calloc(1, sizeof(Bag));
}

void bag_free(Bag *b)
{
        if (!b)
                return;
        for (size_t i = 0; i < b->n_entries; i++) {
                free(b->entries[i].key);
                value_done(&b->entries[i].value);
        }
        free(b->entries);
        free(b);
}

Bag *bag_copy(const Bag *b)
{
        _cleanup_bag_ Bag *copy = bag_new();

        if (!copy)
                return NULL;
        for (size_t i = 0; i < bag_size(b); i++)
                if (bag_set_value(copy, bag_key(b, i), bag_value(b, i)) < 0)
                        return NULL;
        return TAKE_PTR(copy);
}

bool bag_equal(const Bag *a, const Bag *b)
{
        if (bag_size(a) != bag_size(b))
                return false;
        for (size_t i = 0; i < bag_size(a); i++) {
                const Value *v = bag_get(b, bag_key(a, i));

                if (!v || !value_equal(bag_value(a, i), v))
                        return false;
        }
        return true;
}

static Entry *bag_find(const Bag *b, const char *key)
{
        for (size_t i = 0; b && i < b->n_entries; i++)
                if (streq(b->entries[i].key, key))
                        return &b->entries[i];
        return NULL;
}

/* Room for one more entry. */
static int bag_grow(Bag *b)
{
        size_t n = b->n_allocated ? b->n_allocated * 2 : 8;
        Entry *entries;

        if (b->n_entries < b->n_allocated)
                return 0;
        entries = reallocarray(b->entries, n, sizeof(Entry));
        if (!entries)
                return -ENOMEM;
        b->entries = entries;
        b->n_allocated = n;
        return 0;
}

/* Stores `value` under `key`; takes it over, also on failure. */
static int bag_take_value(Bag *b, const char *key, Value value)
{
        Entry *entry = bag_find(b, key);
        char *copy = NULL;

        if (entry) {
                value_done(&entry->value);
                entry->value = value;
                return 0;
        }
        if (!b || bag_grow(b) < 0 || !(copy = strdup(key))) {
                value_done(&value);
                return -ENOMEM;
        }
        b->entries[b->n_entries++] = (Entry){ .key = copy, .value = value };
        return 0;
}

static int bag_set_text(Bag *b, const char *key, ValueType type, const char *text)
{
        Value v = { .type = type };

        if (!b)
                return -ENOMEM;
        if (!text) {
                bag_remove(b, key);
                return 0;
        }
        v.string = strdup(text);
        return v.string ? bag_take_value(b, key, v) : -ENOMEM;
}

int bag_set_string(Bag *b, const char *key, const char *value)
{
        return bag_set_text(b, key, VALUE_STRING, value);
}

int bag_set_stringf(Bag *b, const char *key, const char *format, ...)
{
        Value v = { .type = VALUE_STRING };
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&v.string, format, ap);
        va_end(ap);
        return n < 0 ? -ENOMEM : bag_take_value(b, key, v);
}

int bag_set_path(Bag *b, const char *key, const char *value)
{
        return bag_set_text(b, key, VALUE_PATH, value);
}

int bag_set_bool(Bag *b, const char *key, bool value)
{
        return bag_take_value(b, key, (Value){ .type = VALUE_BOOL, .boolean = value });
}

int bag_set_u32(Bag *b, const char *key, uint32_t value)
{
        return bag_take_value(b, key, (Value){ .type = VALUE_U32, .u32 = value });
}

int bag_set_u64(Bag *b, const char *key, uint64_t value)
{
        return bag_take_value(b, key, (Value){ .type = VALUE_U64, .u64 = value });
}

int bag_set_double(Bag *b, const char *key, double value)
{
        return bag_take_value(b, key, (Value){ .type = VALUE_DOUBLE, .number = value });
}

int bag_set_strv(Bag *b, const char *key, char *const *value)
{
        Value v = { .type = VALUE_STRV, .strv = strv_copy(value) };

        return v.strv ? bag_take_value(b, key, v) : -ENOMEM;
}

int bag_add_strv(Bag *b, const char *key, const char *item)
{
        Entry *entry = bag_find(b, key);
        Value v = { .type = VALUE_STRV };
        int r;

        if (entry && entry->value.type == VALUE_STRV)
                return strv_append(&entry->value.strv, item);
        r = strv_append(&v.strv, item);
        return r < 0 ? r : bag_take_value(b, key, v);
}

int bag_set_fd(Bag *b, const char *key, int fd)
{
        return bag_take_value(b, key, (Value){ .type = VALUE_FD, .fd = fd });
}

int bag_set_bag(Bag *b, const char *key, Bag *value)
{
        return value ? bag_take_value(b, key, (Value){ .type = VALUE_BAG, .bag = value }) : -ENOMEM;
}

int bag_add_bag(Bag *b, const char *key, Bag *item)
{
        Entry *entry = bag_find(b, key);
        Value *v = entry && entry->value.type == VALUE_BAGS ? &entry->value : NULL;
        size_t n = v ? v->n_bags : 0;
        Bag **bags;

        if (!item)
                return -ENOMEM;
        bags = reallocarray(v ? v->bags : NULL, n + 1, sizeof(Bag *));
        if (!bags) {
                bag_free(item);
                return -ENOMEM;
        }
        bags[n] = item;
        if (!v)
                return bag_take_value(b, key, (Value){ .type = VALUE_BAGS, .bags = bags, .n_bags = 1 });
        v->bags = bags;
        v->n_bags = n + 1;
        return 0;
}

int bag_set_value(Bag *b, const char *key, const Value *value)
{
        Value copy;
        int r;

        r = value_copy(value, &copy);
        return r < 0 ? r : bag_take_value(b, key, copy);
}

void bag_remove(Bag *b, const char *key)
{
        Entry *entry = bag_find(b, key);

        if (!entry)
                return;
        free(entry->key);
        value_done(&entry->value);
        b->n_entries--;
        memmove(entry, entry + 1, (size_t)(b->entries + b->n_entries - entry) * sizeof(Entry));
}

const Value *bag_get(const Bag *b, const char *key)
{
        Entry *entry = bag_find(b, key);

        return entry ? &entry->value : NULL;
}

bool bag_has(const Bag *b, const char *key)
{
        return bag_find(b, key);
}

/* The value of that key, when it is of that type. */
static Value *bag_get_type(const Bag *b, const char *key, ValueType type)
{
        Entry *entry = bag_find(b, key);

        return entry && entry->value.type == type ? &entry->value : NULL;
}

const char *bag_get_string(const Bag *b, const char *key)
{
        const Value *v = bag_get(b, key);

        return v && (v->type == VALUE_STRING || v->type == VALUE_PATH) ? v->string : NULL;
}

bool bag_get_bool(const Bag *b, const char *key, bool fallback)
{
        const Value *v = bag_get_type(b, key, VALUE_BOOL);

        return v ? v->boolean : fallback;
}

uint64_t bag_get_u64(const Bag *b, const char *key, uint64_t fallback)
{
        const Value *v = bag_get(b, key);

        if (v && v->type == VALUE_U64)
                return v->u64;
        return v && v->type == VALUE_U32 ? v->u32 : fallback;
}

uint32_t bag_get_u32(const Bag *b, const char *key, uint32_t fallback)
{
        const Value *v = bag_get_type(b, key, VALUE_U32);

        return v ? v->u32 : fallback;
}

char *const *bag_get_strv(const Bag *b, const char *key)
{
        const Value *v = bag_get_type(b, key, VALUE_STRV);

        return v ? v->strv : NULL;
}

int bag_get_fd(const Bag *b, const char *key)
{
        const Value *v = bag_get_type(b, key, VALUE_FD);

        return v ? v->fd : -EBADF;
}

int bag_take_fd(Bag *b, const char *key)
{
        Value *v = bag_get_type(b, key, VALUE_FD);
        int fd;

        if (!v)
                return -EBADF;
        fd = TAKE_FD(v->fd);
        bag_remove(b, key);
        return fd;
}

const Bag *bag_get_bag(const Bag *b, const char *key)
{
        const Value *v = bag_get_type(b, key, VALUE_BAG);

        return v ? v->bag : NULL;
}

const Value *bag_get_bags(const Bag *b, const char *key)
{
        return bag_get_type(b, key, VALUE_BAGS);
}

size_t bag_size(const Bag *b)
{
        return b ? b->n_entries : 0;
}

const char *bag_key(const Bag *b, size_t i)
{
        return b->entries[i].key;
}

const Value *bag_value(const Bag *b, size_t i)
{
        return &b->entries[i].value;
}

const char *value_type_to_string(ValueType t)
{
        static const char *const table[_VALUE_TYPE_MAX] = {
                [VALUE_STRING] = "s",  [VALUE_PATH] = "o",      [VALUE_BOOL] = "b",  [VALUE_U32] = "u",
                [VALUE_U64] = "t",     [VALUE_DOUBLE] = "d",    [VALUE_STRV] = "as", [VALUE_FD] = "h",
                [VALUE_BAG] = "a{sv}", [VALUE_BAGS] = "aa{sv}",
        };

        return t < _VALUE_TYPE_MAX ? table[t] : NULL;
}
