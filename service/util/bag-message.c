/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bag-message.h"

#include "names.h"

#include <fcntl.h>

#define ENTRIES_MAX 256u
#define DEPTH_MAX 4u
#define STRING_MAX (64u * 1024)
#define XML_MAX (1024u * 1024)
#define LIST_MAX 65536u /* strings of one list */
#define BAGS_MAX 4096u

static int append_strv(sd_bus_message *m, char **l)
{
        int r;

        r = sd_bus_message_open_container(m, 'v', "as");
        if (r < 0)
                return r;
        r = sd_bus_message_append_strv(m, l);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_bags(sd_bus_message *m, const Value *v)
{
        int r;

        r = sd_bus_message_open_container(m, 'v', "aa{sv}");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "a{sv}");
        for (size_t i = 0; r >= 0 && i < v->n_bags; i++)
                r = bag_append_to_message(v->bags[i], m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_bag(sd_bus_message *m, const Bag *b)
{
        int r;

        r = sd_bus_message_open_container(m, 'v', "a{sv}");
        if (r < 0)
                return r;
        r = bag_append_to_message(b, m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_variant(sd_bus_message *m, const Value *v)
{
        const char *type = value_type_to_string(v->type);

        switch (v->type) {
        case VALUE_STRING:
        case VALUE_PATH:
                return sd_bus_message_append(m, "v", type, v->string);
        case VALUE_BOOL:
                return sd_bus_message_append(m, "v", type, (int)v->boolean);
        case VALUE_U32:
                return sd_bus_message_append(m, "v", type, v->u32);
        case VALUE_U64:
                return sd_bus_message_append(m, "v", type, v->u64);
        case VALUE_DOUBLE:
                return sd_bus_message_append(m, "v", type, v->number);
        case VALUE_FD:
                return sd_bus_message_append(m, "v", type, v->fd);
        case VALUE_STRV:
                return append_strv(m, v->strv);
        case VALUE_BAG:
                return append_bag(m, v->bag);
        case VALUE_BAGS:
                return append_bags(m, v);
        case _VALUE_TYPE_MAX:
                break;
        }
        return -EINVAL;
}

int bag_append_to_message(const Bag *b, sd_bus_message *m)
{
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        for (size_t i = 0; r >= 0 && i < bag_size(b); i++) {
                r = sd_bus_message_open_container(m, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append_basic(m, 's', bag_key(b, i));
                if (r >= 0)
                        r = append_variant(m, bag_value(b, i));
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int read_bag(sd_bus_message *m, unsigned depth, Bag **ret, Error *e);

static int malformed(int r, const char *key, Error *e)
{
        return error_set_errno(e, r, "cannot read the value of '%s'", key);
}

static int out_of_memory(Error *e)
{
        return error_set(e, ERROR_NO_MEMORY, "out of memory");
}

/* Result of a setter: out of memory or nothing. */
static int stored(int r, Error *e)
{
        return r < 0 ? out_of_memory(e) : 0;
}

static int read_text(sd_bus_message *m, char type, const char *key, Bag *b, Error *e)
{
        size_t limit = streq(key, "xml") ? XML_MAX : STRING_MAX;
        const char *s;
        int r;

        r = sd_bus_message_read_basic(m, type, &s);
        if (r < 0)
                return malformed(r, key, e);
        if (strlen(s) > limit)
                return error_set(e, ERROR_INVALID_ARGS, "the value of '%s' is longer than %zu bytes", key,
                                 limit);
        return stored(type == 'o' ? bag_set_path(b, key, s) : bag_set_string(b, key, s), e);
}

/* Every integer type, widened to 64 bits; 32 bits and less become u, more become t. */
static int read_integer(sd_bus_message *m, char type, const char *key, Bag *b, Error *e)
{
        union {
                uint8_t y;
                uint16_t q;
                int16_t n;
                uint32_t u;
                int32_t i;
                uint64_t t;
                int64_t x;
        } v;
        uint64_t number;
        bool negative;
        int r;

        r = sd_bus_message_read_basic(m, type, &v);
        if (r < 0)
                return malformed(r, key, e);
        number = type == 'y' ? v.y : type == 'q' ? v.q : type == 'u' ? v.u : v.t;
        if (type == 'n')
                number = (uint64_t)v.n;
        else if (type == 'i')
                number = (uint64_t)v.i;
        negative = strchr("nix", type) && (int64_t)number < 0;
        if (negative)
                return error_set(e, ERROR_INVALID_ARGS, "the value of '%s' must not be negative", key);
        return stored(
                strchr("tx", type) ? bag_set_u64(b, key, number) : bag_set_u32(b, key, (uint32_t)number), e);
}

static int read_bool(sd_bus_message *m, const char *key, Bag *b, Error *e)
{
        int value, r;

        r = sd_bus_message_read_basic(m, 'b', &value);
        return r < 0 ? malformed(r, key, e) : stored(bag_set_bool(b, key, value), e);
}

static int read_double(sd_bus_message *m, const char *key, Bag *b, Error *e)
{
        double value;
        int r;

        r = sd_bus_message_read_basic(m, 'd', &value);
        return r < 0 ? malformed(r, key, e) : stored(bag_set_double(b, key, value), e);
}

static int read_descriptor(sd_bus_message *m, const char *key, Bag *b, Error *e)
{
        int fd, r;

        r = sd_bus_message_read_basic(m, 'h', &fd);
        if (r < 0)
                return malformed(r, key, e);
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return error_set_errno(e, errno, "cannot duplicate the descriptor of '%s'", key);
        return stored(bag_set_fd(b, key, fd), e);
}

/* Collects the strings first, each with its place, so that a long list costs linear time. */
static int read_strings(sd_bus_message *m, const char *key, char **strings, size_t *n, Error *e)
{
        const char *s;
        int r;

        while ((r = sd_bus_message_read_basic(m, 's', &s)) > 0) {
                if (*n == LIST_MAX)
                        return error_set(e, ERROR_INVALID_ARGS, "the list '%s' has more than %u items", key,
                                         LIST_MAX);
                if (strlen(s) > STRING_MAX)
                        return error_set(e, ERROR_INVALID_ARGS, "an item of '%s' is longer than %u bytes",
                                         key, STRING_MAX);
                strings[(*n)++] = (char *)s; /* borrowed from the message, copied by bag_set_strv() */
        }
        return r < 0 ? malformed(r, key, e) : 0;
}

static int read_strv(sd_bus_message *m, const char *key, Bag *b, Error *e)
{
        _cleanup_free_ char **strings =
                calloc(LIST_MAX + 1, sizeof(char *)); /* pages that are not touched cost nothing */
        size_t n = 0;
        int r;

        if (!strings)
                return out_of_memory(e);
        r = sd_bus_message_enter_container(m, 'a', "s");
        if (r < 0)
                return malformed(r, key, e);
        r = read_strings(m, key, strings, &n, e);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        return r < 0 ? malformed(r, key, e) : stored(bag_set_strv(b, key, strings), e);
}

static int read_nested(sd_bus_message *m, unsigned depth, const char *key, Bag *b, Error *e)
{
        Bag *nested;
        int r;

        r = read_bag(m, depth + 1, &nested, e);
        return r < 0 ? r : stored(bag_set_bag(b, key, nested), e);
}

static int read_bags(sd_bus_message *m, unsigned depth, const char *key, Bag *b, Error *e)
{
        Value none = { .type = VALUE_BAGS };
        size_t n = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        if (r < 0)
                return malformed(r, key, e);
        if (bag_set_value(b, key, &none) < 0)
                return out_of_memory(e);
        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                Bag *item;

                if (n++ == BAGS_MAX)
                        return error_set(e, ERROR_INVALID_ARGS, "the list '%s' has more than %u items", key,
                                         BAGS_MAX);
                r = read_bag(m, depth + 1, &item, e);
                if (r < 0)
                        return r;
                if (bag_add_bag(b, key, item) < 0)
                        return out_of_memory(e);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? malformed(r, key, e) : 0;
}

static int read_variant(sd_bus_message *m, unsigned depth, const char *key, const char *type, Bag *b,
                        Error *e)
{
        if (streq(type, "s") || streq(type, "o"))
                return read_text(m, *type, key, b, e);
        if (streq(type, "b"))
                return read_bool(m, key, b, e);
        if (type[1] == '\0' && strchr("yqnuitx", *type))
                return read_integer(m, *type, key, b, e);
        if (streq(type, "d"))
                return read_double(m, key, b, e);
        if (streq(type, "h"))
                return read_descriptor(m, key, b, e);
        if (streq(type, "as"))
                return read_strv(m, key, b, e);
        if (streq(type, "a{sv}"))
                return read_nested(m, depth, key, b, e);
        if (streq(type, "aa{sv}"))
                return read_bags(m, depth, key, b, e);
        return error_set(e, ERROR_INVALID_ARGS, "the value of '%s' has type %s, which no option has", key,
                         type);
}

static int read_entry(sd_bus_message *m, unsigned depth, Bag *b, Error *e)
{
        const char *key, *type;
        int r;

        r = sd_bus_message_read_basic(m, 's', &key);
        if (r < 0)
                return malformed(r, "?", e);
        if (isempty(key) || strlen(key) > NAME_BYTES_MAX || !text_is_printable(key))
                return error_set(e, ERROR_INVALID_ARGS, "a key is empty, too long or not printable");
        if (bag_has(b, key))
                return error_set(e, ERROR_INVALID_ARGS, "key '%s' is there twice", key);
        if (bag_size(b) == ENTRIES_MAX)
                return error_set(e, ERROR_INVALID_ARGS, "more than %u keys, beginning with '%s'",
                                 ENTRIES_MAX, key);
        r = sd_bus_message_peek_type(m, NULL, &type);
        if (r < 0)
                return malformed(r, key, e);
        r = sd_bus_message_enter_container(m, 'v', type);
        if (r < 0)
                return malformed(r, key, e);
        r = read_variant(m, depth, key, type, b, e);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        return r < 0 ? malformed(r, key, e) : 0;
}

static int read_bag(sd_bus_message *m, unsigned depth, Bag **ret, Error *e)
{
        _cleanup_bag_ Bag *b = bag_new();
        int r;

        if (!b)
                return out_of_memory(e);
        if (depth > DEPTH_MAX)
                return error_set(e, ERROR_INVALID_ARGS, "values are nested deeper than %u", DEPTH_MAX);
        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return malformed(r, "a{sv}", e);
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_entry(m, depth, b, e);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return malformed(r, "a{sv}", e);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return malformed(r, "a{sv}", e);
        *ret = TAKE_PTR(b);
        return 0;
}

int bag_read_from_message(sd_bus_message *m, Bag **ret, Error *e)
{
        return read_bag(m, 1, ret, e);
}
