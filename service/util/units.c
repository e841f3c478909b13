/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "units.h"

#include <ctype.h>
#include <strings.h>

static const char prefixes[] = "kmgtpe"; /* the n-th one stands for 1024^n or 1000^n, counted from one */

/* "", "B", "byte", "bytes": 1; "K", "KiB": 1024; "KB": 1000; and so on to E. */
static int unit_factor(const char *unit, uint64_t *ret)
{
        uint64_t base, factor = 1;
        const char *prefix;

        if (strcasecmp(unit, "b") == 0 || strcasecmp(unit, "byte") == 0 || strcasecmp(unit, "bytes") == 0) {
                *ret = 1;
                return 0;
        }
        prefix = *unit ? strchr(prefixes, tolower((unsigned char)*unit)) : NULL;
        if (!prefix)
                return -EINVAL;
        if (unit[1] == '\0' || strcasecmp(unit + 1, "ib") == 0)
                base = 1024;
        else if (strcasecmp(unit + 1, "b") == 0)
                base = 1000;
        else
                return -EINVAL;
        for (const char *p = prefixes; p <= prefix; p++)
                factor *= base;
        *ret = factor;
        return 0;
}

static int find_factor(const char *unit, const char *fallback_unit, uint64_t *ret, Error *e)
{
        if (isempty(unit))
                unit = isempty(fallback_unit) ? "B" : fallback_unit;
        if (unit_factor(unit, ret) < 0)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "unknown unit '%s': use B, KiB, MiB, GiB, TiB, PiB, EiB or KB to EB", unit);
        return 0;
}

static int too_large(const char *number, Error *e)
{
        return error_set(e, ERROR_INVALID_ARGS,
                         "size '%s' is too large: the greatest is 9223372036854775807 bytes", number);
}

static const char *skip_blanks(const char *s)
{
        return s + strspn(s, " \t\r\n");
}

/* Reads digits; -EINVAL when there are none, -ERANGE over UINT64_MAX. */
static int read_digits(const char **s, uint64_t *ret)
{
        uint64_t n = 0;
        bool overflow = false;

        if (!isdigit((unsigned char)**s))
                return -EINVAL;
        for (; isdigit((unsigned char)**s); (*s)++)
                overflow = overflow || __builtin_mul_overflow(n, 10u, &n) ||
                           __builtin_add_overflow(n, (uint64_t)(**s - '0'), &n);
        *ret = n;
        return overflow ? -ERANGE : 0;
}

int size_scale(const char *number, const char *unit, const char *fallback_unit, uint64_t *ret, Error *e)
{
        uint64_t n, factor;
        const char *s = skip_blanks(number);
        int r;

        if (*s == '+')
                s++;
        r = read_digits(&s, &n);
        if (r == -EINVAL || *skip_blanks(s) != '\0')
                return error_set(e, ERROR_INVALID_ARGS, "'%s' is not a size: a whole number is needed",
                                 number);
        if (find_factor(unit, fallback_unit, &factor, e) < 0)
                return -EINVAL;
        if (r < 0 || __builtin_mul_overflow(n, factor, &n) || n > INT64_MAX)
                return too_large(number, e);
        *ret = n;
        return 0;
}

/* Reads the digits behind a decimal point as *ret_part / *ret_scale; more than 18 of them are not a size of
 * whole bytes. */
static int read_fraction(const char **s, uint64_t *ret_part, uint64_t *ret_scale)
{
        const char *start = *s;
        uint64_t scale = 1;
        int r;

        r = read_digits(s, ret_part);
        if (r < 0 || *s - start > 18)
                return -EINVAL;
        for (; start < *s; start++)
                scale *= 10;
        *ret_scale = scale;
        return 0;
}

static int not_a_size(const char *text, Error *e)
{
        return error_set(e, ERROR_INVALID_ARGS,
                         "'%s' is not a size: use a number with a unit, such as 512M or 20GiB", text);
}

int size_parse(const char *text, uint64_t *ret, Error *e)
{
        uint64_t whole, part = 0, scale = 1, factor;
        __uint128_t bytes;
        char unit[8] = "";
        const char *s = skip_blanks(text);
        size_t n;
        int r;

        if (*s == '+')
                s++;
        r = read_digits(&s, &whole);
        if (r == -EINVAL)
                return not_a_size(text, e);
        if (*s == '.') {
                s++;
                if (read_fraction(&s, &part, &scale) < 0)
                        return not_a_size(text, e);
        }
        s = skip_blanks(s);
        n = strcspn(s, " \t\r\n");
        if (n >= sizeof(unit) || *skip_blanks(s + n) != '\0')
                return not_a_size(text, e);
        memcpy(unit, s, n);
        if (find_factor(unit, "B", &factor, e) < 0)
                return -EINVAL;
        if ((__uint128_t)part * factor % scale != 0)
                return error_set(e, ERROR_INVALID_ARGS, "'%s' is not a whole number of bytes", text);
        bytes = (__uint128_t)whole * factor + (__uint128_t)part * factor / scale;
        if (r < 0 || bytes > INT64_MAX)
                return too_large(text, e);
        *ret = (uint64_t)bytes;
        return 0;
}

int reserve_parse(const char *text, uint64_t capacity, uint64_t *ret, Error *e)
{
        const char *s = skip_blanks(text);
        uint64_t percent;

        if (!strchr(text, '%'))
                return size_parse(text, ret, e);
        if (read_digits(&s, &percent) < 0 || percent > 100 || *s != '%' || *skip_blanks(s + 1) != '\0')
                return error_set(e, ERROR_INVALID_ARGS, "'%s' is not a share: use 0%% to 100%%, or a size",
                                 text);
        *ret = (uint64_t)(((__uint128_t)capacity * percent + 99) / 100);
        return 0;
}

const char *size_format(uint64_t size, char buffer[static SIZE_TEXT_MAX])
{
        unsigned n = 0;
        uint64_t unit = 1, tenths;

        /* The next unit as soon as this one would be rounded to 1024.0. */
        while (n < strlen(prefixes) && size >= unit * 1024 - (n > 0 ? unit / 20 : 0)) {
                unit *= 1024;
                n++;
        }
        if (n == 0) {
                snprintf(buffer, SIZE_TEXT_MAX, "%u B", (unsigned)size);
                return buffer;
        }
        tenths = (uint64_t)(((__uint128_t)size * 10 + unit / 2) / unit);
        snprintf(buffer, SIZE_TEXT_MAX, "%u.%u %ciB", (unsigned)(tenths / 10), (unsigned)(tenths % 10),
                 toupper(prefixes[n - 1]));
        return buffer;
}
