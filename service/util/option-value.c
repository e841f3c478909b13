/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "option-value.h"

#include "names.h"
#include "units.h"

#include <arpa/inet.h>
#include <ctype.h>

#define MODE_MAX 0777u
#define ID_UNSET UINT32_MAX

static int wrong_value(const OptionSpec *spec, const char *text, const char *wanted, Error *e)
{
        if (spec->flags & OPTION_SECRET)
                return error_set(e, ERROR_INVALID_ARGS, "the value of option '%s' is wrong: it must be %s",
                                 spec->name, wanted);
        return error_set(e, ERROR_INVALID_ARGS, "option '%s' cannot be '%s': it must be %s", spec->name,
                         text, wanted);
}

static int stored(int r, Error *e)
{
        return r < 0 ? error_set(e, ERROR_NO_MEMORY, "out of memory") : 0;
}

/* Text of one or more lines, as a description is. */
static bool is_text(const char *s)
{
        _cleanup_free_ char *flat = strdup(s);

        if (!flat)
                return false;
        for (char *p = flat; *p; p++)
                if (*p == '\n' || *p == '\t')
                        *p = ' ';
        return text_is_printable(flat);
}

/* Digits of the given base behind blanks, nothing else. */
static int read_number(const char *text, unsigned base, uint64_t *ret)
{
        const char *s = text + strspn(text, " \t\r\n");
        uint64_t n = 0;

        if (*s == '\0')
                return -EINVAL;
        for (; *s >= '0' && *s < (char)('0' + base); s++) {
                n = n * base + (uint64_t)(*s - '0');
                if (n > UINT32_MAX)
                        return -ERANGE;
        }
        if (s[strspn(s, " \t\r\n")] != '\0')
                return -EINVAL;
        *ret = n;
        return 0;
}

static bool is_choice(const OptionSpec *spec, const char *text)
{
        for (size_t i = 0; spec->choices && spec->choices[i]; i++)
                if (streq(spec->choices[i], text))
                        return true;
        return false;
}

/* "a, b or c" */
static int wrong_choice(const OptionSpec *spec, const char *text, Error *e)
{
        char wanted[512] = "one of";
        size_t n = strlen(wanted);

        for (size_t i = 0; spec->choices && spec->choices[i] && n < sizeof(wanted); i++)
                n += (size_t)snprintf(wanted + n, sizeof(wanted) - n, "%s %s", i > 0 ? "," : "",
                                      spec->choices[i]);
        return wrong_value(spec, text, wanted, e);
}

static int set_id(const OptionSpec *spec, const char *text, Bag *b, Error *e)
{
        uint64_t n;

        if (is_choice(spec, text))
                return stored(bag_set_string(b, spec->name, text), e);
        if (streq(text + strspn(text, " \t\r\n"), "-1")) {
                bag_remove(b, spec->name);
                return 0;
        }
        if (read_number(text, 10, &n) < 0)
                return wrong_value(spec, text, spec->choices ? "a number or a known word" : "a number", e);
        if (n == ID_UNSET) {
                bag_remove(b, spec->name);
                return 0;
        }
        return stored(bag_set_u32(b, spec->name, (uint32_t)n), e);
}

static int set_path(const OptionSpec *spec, const char *text, Bag *b, Error *e)
{
        _cleanup_free_ char *clean = NULL;

        if (*text != '/' || !text_is_printable(text))
                return wrong_value(spec, text, "an absolute path", e);
        clean = path_clean(text);
        return stored(clean ? bag_set_string(b, spec->name, clean) : -ENOMEM, e);
}

/* A name of letters, digits, '-', '.' and '_', or an IPv4 or IPv6 address. */
static bool is_host(const char *s, size_t n)
{
        char host[256];
        struct in6_addr address;

        if (n == 0 || n >= sizeof(host))
                return false;
        memcpy(host, s, n);
        host[n] = '\0';
        if (strchr(host, ':'))
                return inet_pton(AF_INET6, host, &address) == 1;
        return host[0] != '-' &&
               host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")] ==
                       '\0';
}

static bool is_port(const char *s)
{
        uint64_t n;

        return isdigit((unsigned char)*s) && read_number(s, 10, &n) >= 0 && n > 0 && n <= 65535;
}

/* HOST, HOST:PORT, [V6], [V6]:PORT, or a bare IPv6 address. */
static bool is_host_port(const char *s)
{
        const char *end = strchr(s, ':');

        if (*s == '[') {
                end = strchr(s, ']');
                return end && memchr(s, ':', (size_t)(end - s)) && is_host(s + 1, (size_t)(end - s - 1)) &&
                       (end[1] == '\0' || (end[1] == ':' && is_port(end + 2)));
        }
        if (!end || strchr(end + 1, ':'))
                return is_host(s, strlen(s));
        return is_host(s, (size_t)(end - s)) && is_port(end + 1);
}

static int set_item(const OptionSpec *spec, const char *text, Bag *b, Error *e)
{
        if (spec->type == OPTION_HOSTS && !is_host_port(text))
                return wrong_value(spec, text, "HOST, HOST:PORT or [IPV6]:PORT", e);
        if (isempty(text) || !is_text(text))
                return wrong_value(spec, text, "text that is not empty", e);
        return stored(bag_add_strv(b, spec->name, text), e);
}

static int set_number(const OptionSpec *spec, const char *text, unsigned base, uint32_t max,
                      const char *wanted, Bag *b, Error *e)
{
        uint64_t n;

        if (read_number(text, base, &n) < 0 || n > max)
                return wrong_value(spec, text, wanted, e);
        return stored(bag_set_u32(b, spec->name, (uint32_t)n), e);
}

static int set_size(const OptionSpec *spec, const char *text, Bag *b, Error *e)
{
        uint64_t size;

        if (size_parse(text, &size, NULL) < 0)
                return wrong_value(spec, text, "a size such as 1048576, 512M or 20GiB", e);
        return stored(bag_set_u64(b, spec->name, size), e);
}

int option_set_text(const OptionSpec *spec, const char *text, Bag *b, Error *e)
{
        uint64_t reserve;

        switch (spec->type) {
        case OPTION_STRING:
                if (!is_text(text))
                        return wrong_value(spec, "?", "text without control characters", e);
                return stored(bag_set_string(b, spec->name, text), e);
        case OPTION_BOOL:
                if (!streq(text, "yes") && !streq(text, "no"))
                        return wrong_value(spec, text, "yes or no", e);
                return stored(bag_set_bool(b, spec->name, streq(text, "yes")), e);
        case OPTION_SIZE:
                return set_size(spec, text, b, e);
        case OPTION_UINT:
                return set_number(spec, text, 10, UINT32_MAX, "a number from 0 to 4294967295", b, e);
        case OPTION_MODE:
                return set_number(spec, text, 8, MODE_MAX, "octal permission bits from 0 to 0777", b, e);
        case OPTION_ID:
                return set_id(spec, text, b, e);
        case OPTION_PATH:
                return set_path(spec, text, b, e);
        case OPTION_ENUM:
                if (!is_choice(spec, text))
                        return wrong_choice(spec, text, e);
                return stored(bag_set_string(b, spec->name, text), e);
        case OPTION_STRV:
        case OPTION_HOSTS:
                return set_item(spec, text, b, e);
        case OPTION_RESERVE:
                if (reserve_parse(text, 0, &reserve, NULL) < 0)
                        return wrong_value(spec, text, "a size such as 10GiB or a share such as 10%", e);
                return stored(bag_set_string(b, spec->name, text), e);
        case OPTION_FD:
                return error_set(e, ERROR_INVALID_ARGS,
                                 "option '%s' is a file descriptor, which text cannot be", spec->name);
        case _OPTION_TYPE_MAX:
                break;
        }
        return error_set(e, ERROR_INVALID_ARGS, "option '%s' has no type", spec->name);
}

int option_get_text(const OptionSpec *spec, const Value *v, size_t index, char **ret)
{
        char number[24];
        const char *text = number;

        if (v->type == VALUE_STRV)
                text = index < strv_length(v->strv) ? v->strv[index] : NULL;
        else if (index > 0)
                text = NULL;
        else if (v->type == VALUE_STRING)
                text = v->string;
        else if (v->type == VALUE_BOOL)
                text = yes_no(v->boolean);
        else if (v->type == VALUE_U32)
                snprintf(number, sizeof(number), spec->type == OPTION_MODE ? "0%o" : "%u", v->u32);
        else if (v->type == VALUE_U64)
                snprintf(number, sizeof(number), "%llu", (unsigned long long)v->u64);
        else
                return -ENODATA;
        if (!text)
                return -ENOENT;
        text = strdup(text);
        if (!text)
                return -ENOMEM;
        *ret = (char *)text;
        return 0;
}

static const char *type_in_words(ValueType t)
{
        static const char *const words[_VALUE_TYPE_MAX] = {
                [VALUE_STRING] = "text",      [VALUE_PATH] = "an object path",
                [VALUE_BOOL] = "a boolean",   [VALUE_U32] = "a number",
                [VALUE_U64] = "a number",     [VALUE_DOUBLE] = "a fraction",
                [VALUE_STRV] = "a list",      [VALUE_FD] = "a descriptor",
                [VALUE_BAG] = "a dictionary", [VALUE_BAGS] = "a list of dictionaries",
        };

        return words[t];
}

static int wrong_type(const OptionSpec *spec, const Value *v, Error *e)
{
        return error_set(e, ERROR_INVALID_ARGS, "option '%s' cannot be %s: it is of type '%s'", spec->name,
                         type_in_words(v->type), option_type_to_string(spec->type));
}

/* Numbers pass through their text form, so that every bound stands in one place. */
static int set_from_number(const OptionSpec *spec, const Value *v, Bag *b, Error *e)
{
        char text[32];
        uint64_t n = v->type == VALUE_U32 ? v->u32 : v->u64;

        switch (spec->type) {
        case OPTION_SIZE:
        case OPTION_UINT:
        case OPTION_ID:
        case OPTION_RESERVE:
                snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
                return option_set_text(spec, text, b, e);
        case OPTION_MODE:
                snprintf(text, sizeof(text), "0%llo", (unsigned long long)n);
                return option_set_text(spec, text, b, e);
        default:
                return wrong_type(spec, v, e);
        }
}

static int set_from_list(const OptionSpec *spec, const Value *v, Bag *b, Error *e)
{
        if (spec->type != OPTION_STRV && spec->type != OPTION_HOSTS)
                return wrong_type(spec, v, e);
        for (size_t i = 0; v->strv[i]; i++) {
                int r = option_set_text(spec, v->strv[i], b, e);

                if (r < 0)
                        return r;
        }
        return 0;
}

int option_set_value(const OptionSpec *spec, const Value *v, Bag *b, Error *e)
{
        switch (v->type) {
        case VALUE_STRING:
                return option_set_text(spec, v->string, b, e);
        case VALUE_BOOL:
                return spec->type == OPTION_BOOL ? stored(bag_set_bool(b, spec->name, v->boolean), e)
                                                 : wrong_type(spec, v, e);
        case VALUE_U32:
        case VALUE_U64:
                return set_from_number(spec, v, b, e);
        case VALUE_STRV:
                return set_from_list(spec, v, b, e);
        case VALUE_FD:
                return spec->type == OPTION_FD ? stored(bag_set_value(b, spec->name, v), e)
                                               : wrong_type(spec, v, e);
        case VALUE_PATH:
        case VALUE_DOUBLE:
        case VALUE_BAG:
        case VALUE_BAGS:
        case _VALUE_TYPE_MAX:
                break;
        }
        return wrong_type(spec, v, e);
}
