/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "names.h"

#include <ctype.h>
#include <sys/random.h>

/* Length of the character at `s` when it is valid UTF-8 that D-Bus lets pass (no surrogates, no
 * noncharacters) and not a control character of C0, DEL or C1; else 0. RFC 3629, Unicode 15 section 23.7. */
static size_t printable_length(const char *s)
{
        const unsigned char *p = (const unsigned char *)s;
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        size_t n;
        uint32_t c;

        if (p[0] < 0x80)
                return p[0] >= 0x20 && p[0] != 0x7f;
        if (p[0] >= 0xf8 || p[0] < 0xc0)
                return 0;
        n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
        c = p[0] & (0x7fu >> n);
        for (size_t i = 1; i < n; i++) {
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (p[i] & 0x3f);
        }
        if (c < smallest[n] || c < 0xa0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ||
            (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe)
                return 0;
        return n;
}

bool text_is_printable(const char *s)
{
        for (size_t n; *s; s += n) {
                n = printable_length(s);
                if (n == 0)
                        return false;
        }
        return true;
}

int name_check(const char *what, const char *name, Error *e)
{
        const char *rule = NULL;

        if (isempty(name))
                return error_set(e, ERROR_INVALID_NAME, "a %s name must not be empty", what);
        if (!text_is_printable(name))
                return error_set(e, ERROR_INVALID_NAME,
                                 "a %s name must be UTF-8 text without control characters", what);
        if (strlen(name) > NAME_BYTES_MAX)
                return error_set(e, ERROR_INVALID_NAME,
                                 "a %s name may have at most %u bytes, this one has %zu", what,
                                 NAME_BYTES_MAX, strlen(name));
        if (streq(name, ".") || streq(name, ".."))
                rule = "a directory, not a name";
        else if (strchr(name, '/'))
                rule = "not allowed: it contains '/'";
        else if (strchr(name, '\\'))
                rule = "not allowed: '\\' is kept for names that cannot be shown as they are";
        else if (startswith(name, TEMPORARY_PREFIX))
                rule = "not allowed: names that start with " TEMPORARY_PREFIX " are temporary files";
        if (rule)
                return error_set(e, ERROR_INVALID_NAME, "%s name '%s' is %s", what, name, rule);
        return 0;
}

bool name_needs_escape(const char *raw)
{
        return strchr(raw, '\\') || !text_is_printable(raw);
}

static const char hex_digits[] = "0123456789abcdef";

char *name_escape(const char *raw)
{
        char *shown = malloc(strlen(raw) * 4 + 1), *out = shown;

        if (!shown)
                return NULL;
        for (const char *p = raw; *p;) {
                size_t n = *p == '\\' ? 0 : printable_length(p);

                if (n == 0) {
                        *out++ = '\\';
                        *out++ = 'x';
                        *out++ = hex_digits[(unsigned char)*p >> 4];
                        *out++ = hex_digits[(unsigned char)*p++ & 15];
                        continue;
                }
                out = mempcpy(out, p, n);
                p += n;
        }
        *out = '\0';
        return shown;
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -EINVAL;
}

/* The byte behind "\xHH", or -EINVAL. */
static int read_escape(const char *s)
{
        int high, low;

        if (s[0] != '\\' || s[1] != 'x' || (high = hex_digit(s[2])) < 0 || (low = hex_digit(s[3])) < 0)
                return -EINVAL;
        return high << 4 | low;
}

int name_unescape(const char *shown, char **ret_raw, Error *e)
{
        _cleanup_free_ char *raw = malloc(strlen(shown) + 1), *again = NULL;
        char *out = raw;

        if (!raw)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        for (const char *p = shown; *p;) {
                int byte;

                if (*p != '\\') {
                        *out++ = *p++;
                        continue;
                }
                byte = read_escape(p);
                if (byte < 0 || byte == '/' || byte == '\0')
                        return error_set(e, ERROR_INVALID_NAME,
                                         "name '%s' has a malformed escape: '\\' begins \\xHH", shown);
                *out++ = (char)byte;
                p += 4;
        }
        *out = '\0';
        again = name_escape(raw);
        if (!again)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        if (!streq(again, shown)) /* one file, one name */
                return error_set(e, ERROR_INVALID_NAME, "name '%s' is shown as '%s'", shown, again);
        *ret_raw = TAKE_PTR(raw);
        return 0;
}

static bool is_hyphen_place(size_t i)
{
        return i == 8 || i == 13 || i == 18 || i == 23;
}

int uuid_normalise(const char *text, char ret[37])
{
        bool hyphens = strlen(text) == 36;
        char uuid[37];

        if (!hyphens && strlen(text) != 32)
                return -EINVAL;
        for (size_t i = 0; i < 36; i++) {
                if (is_hyphen_place(i)) {
                        if (hyphens && *text++ != '-')
                                return -EINVAL;
                        uuid[i] = '-';
                        continue;
                }
                if (!isxdigit((unsigned char)*text))
                        return -EINVAL;
                uuid[i] = (char)tolower((unsigned char)*text++);
        }
        uuid[36] = '\0';
        memcpy(ret, uuid, sizeof(uuid));
        return 0;
}

void uuid_generate_text(char ret[37])
{
        unsigned char id[16];
        size_t n = 0;

        while (getrandom(id, sizeof(id), 0) != sizeof(id))
                ;
        id[6] = (id[6] & 0x0f) | 0x40;
        id[8] = (id[8] & 0x3f) | 0x80;
        for (size_t i = 0; i < sizeof(id); i++) {
                if (is_hyphen_place(n))
                        ret[n++] = '-';
                ret[n++] = hex_digits[id[i] >> 4];
                ret[n++] = hex_digits[id[i] & 15];
        }
        ret[n] = '\0';
}

char *path_clean(const char *path)
{
        char *clean = malloc(strlen(path) + 1), *out = clean;
        size_t leading = strspn(path, "/");

        if (!clean)
                return NULL;
        /* POSIX leaves the meaning of exactly two leading slashes to the system, so they are kept. */
        if (leading > 0)
                out = mempcpy(out, "//", leading == 2 ? 2 : 1);
        for (const char *p = path + leading; *p;) {
                size_t n = strcspn(p, "/");

                out = mempcpy(out, p, n);
                p += n;
                p += strspn(p, "/");
                if (*p)
                        *out++ = '/';
        }
        *out = '\0';
        return clean;
}

char *path_absolute(const char *directory, const char *path)
{
        const char *const parts[] = { *path == '/' ? "" : directory, path };
        char *absolute = malloc(strlen(directory) + strlen(path) + 3), *out = absolute;

        if (!absolute)
                return NULL;
        FOREACH_ELEMENT (part, parts)
                for (const char *p = *part + strspn(*part, "/"); *p; p += strspn(p, "/")) {
                        size_t n = strcspn(p, "/");

                        if (n == 2 && memcmp(p, "..", 2) == 0)
                                while (out > absolute && *--out != '/')
                                        ;
                        else if (n != 1 || *p != '.') {
                                *out++ = '/';
                                out = mempcpy(out, p, n);
                        }
                        p += n;
                }
        if (out == absolute)
                *out++ = '/';
        *out = '\0';
        return absolute;
}

bool path_is_below(const char *path, const char *root)
{
        if ((*path == '/') != (*root == '/'))
                return false;
        for (;;) {
                size_t n;

                path += strspn(path, "/");
                root += strspn(root, "/");
                if (*root == '\0')
                        return true;
                n = strcspn(root, "/");
                if (strncmp(path, root, n) != 0 || (path[n] != '/' && path[n] != '\0'))
                        return false;
                path += n;
                root += n;
        }
}
