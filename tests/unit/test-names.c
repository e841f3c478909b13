/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/names.h"

#include "test.h"

static char long_name[NAME_BYTES_MAX + 2];

static void good_names(void)
{
        static const char *const good[] = { "a",          "web1.qcow2", ".hidden", "...", "Gr\u00fc\u00dfe",
                                            "\U0001f4be", "a b",        "-x",      "%",   "~" };

        FOREACH_ELEMENT (name, good)
                CHECK_OK(name_check("volume", *name, NULL));
        memset(long_name, 'x', NAME_BYTES_MAX);
        long_name[NAME_BYTES_MAX] = '\0';
        CHECK_OK(name_check("volume", long_name, NULL));
}

static void bad_names(void)
{
        static const char *const bad[] = {
                "",
                ".",
                "..",
                "a/b",
                "/",
                "a\nb",
                "a\tb",
                "\x1b[31m",
                "\x7f",
                "\xc2\x85",
                "a\\b",
                "a\xff",
                "\xc3",
                "\xc0\xaf",
                "\xed\xa0\x80" /* surrogate */,
                "\xf4\x90\x80\x80" /* over U+10FFFF */,
                "\xef\xbf\xbf" /* U+FFFF */,
                "\xe0\x82\xa0" /* overlong */,
                "\xf0\x80\x82\xa0",
                "\xe0\x80\xaf",
                "\xf8\x88\x80\x80\x80",
                TEMPORARY_PREFIX "1",
        };
        Error e = ERROR_NULL;

        FOREACH_ELEMENT (name, bad)
                CHECK_ERROR(name_check("volume", *name, &e), &e, ERROR_INVALID_NAME);
        memset(long_name, 'x', NAME_BYTES_MAX + 1);
        CHECK_ERROR(name_check("pool", long_name, &e), &e, ERROR_INVALID_NAME);
}

static void message_names_the_rule(void)
{
        _cleanup_error_ Error e = ERROR_NULL;

        name_check("pool", "a/b", &e);
        CHECK_STREQ(e.message, "pool name 'a/b' is not allowed: it contains '/'");
}

static void escapes(void)
{
        static const struct {
                const char *raw, *shown;
        } cases[] = {
                { "plain", "plain" },
                { "Gr\u00fc\u00dfe", "Gr\u00fc\u00dfe" },
                { "a\nb", "a\\x0ab" },
                { "a\\b", "a\\x5cb" },
                { "\xff\xfe", "\\xff\\xfe" },
                { "\xc2\x85", "\\xc2\\x85" },
                { "\xc3\xbc\xc3", "\u00fc\\xc3" },
                { "\xe2\x82", "\\xe2\\x82" },
                { "", "" },
        };

        FOREACH_ELEMENT (c, cases) {
                _cleanup_free_ char *shown = name_escape(c->raw), *raw = NULL;

                CHECK_STREQ(shown, c->shown);
                CHECK_EQ(name_needs_escape(c->raw), !streq(c->raw, c->shown));
                CHECK(text_is_printable(shown));
                CHECK_OK(name_unescape(shown, &raw, NULL));
                CHECK_STREQ(raw, c->raw);
        }
}

static void every_byte_survives(void)
{
        for (unsigned a = 1; a < 256; a++)
                for (unsigned b = 1; b < 256; b++) {
                        char name[] = { (char)a, (char)b, 'z', '\0' };
                        _cleanup_free_ char *shown = name_escape(name), *raw = NULL;

                        CHECK(text_is_printable(shown));
                        if (a == '/' || b == '/')
                                continue;
                        CHECK_OK(name_unescape(shown, &raw, NULL));
                        CHECK_STREQ(raw, name);
                }
}

static void bad_escapes(void)
{
        static const char *const bad[] = {
                "\\",     "a\\x",  "a\\x0",
                "a\\y0a", "\\x2f", "\\x00",
                "\\x0A",  "\\x0g", "\\x41" /* an 'A' needs no escape */,
                "\xff",   "a\nb",
        };
        char *raw = NULL;
        Error e = ERROR_NULL;

        FOREACH_ELEMENT (shown, bad) {
                CHECK_ERROR(name_unescape(*shown, &raw, &e), &e, ERROR_INVALID_NAME);
                CHECK(!raw);
        }
}

static void uuids(void)
{
        static const char *const bad[] = { "",
                                           "5f3f6c0b52f34d86b7c3f5ed3f1d0a0",
                                           "5f3f6c0b52f34d86b7c3f5ed3f1d0a0g",
                                           "5f3f6c0b-52f3-4d86-b7c3-f5ed3f1d0a0",
                                           "5f3f6c0b052f3-4d86-b7c3-f5ed3f1d0a01",
                                           "5f3f6c0b-52f3-4d86-b7c3-f5ed3f1d0a01 " };
        char uuid[37] = "untouched", other[37];

        FOREACH_ELEMENT (text, bad) {
                CHECK_EQ(uuid_normalise(*text, uuid), -EINVAL);
                CHECK_STREQ(uuid, "untouched");
        }
        CHECK_OK(uuid_normalise("5F3F6C0B52F34D86B7C3F5ED3F1D0A01", uuid));
        CHECK_STREQ(uuid, "5f3f6c0b-52f3-4d86-b7c3-f5ed3f1d0a01");
        CHECK_OK(uuid_normalise("5F3F6C0B-52F3-4D86-B7C3-F5ED3F1D0A01", uuid));
        CHECK_STREQ(uuid, "5f3f6c0b-52f3-4d86-b7c3-f5ed3f1d0a01");

        uuid_generate_text(uuid);
        CHECK_EQ(strlen(uuid), 36);
        CHECK_EQ(uuid[14], '4');
        CHECK(strchr("89ab", uuid[19]));
        CHECK_OK(uuid_normalise(uuid, other));
        CHECK_STREQ(uuid, other);
        uuid_generate_text(other);
        CHECK(!streq(uuid, other));
}

static void paths(void)
{
        static const struct {
                const char *path, *clean;
        } cases[] = {
                { "/srv/images", "/srv/images" },
                { "/srv//images/", "/srv/images" },
                { "//srv/x", "//srv/x" },
                { "///srv/x", "/srv/x" },
                { "/", "/" },
                { "//", "//" },
                { "///", "/" },
                { "/a/./b/..", "/a/./b/.." },
                { "a//b/", "a/b" },
                { "", "" },
        };

        FOREACH_ELEMENT (c, cases) {
                _cleanup_free_ char *clean = path_clean(c->path);

                CHECK_STREQ(clean, c->clean);
        }
}

static void absolute_paths(void)
{
        static const struct {
                const char *directory, *path, *absolute;
        } cases[] = {
                { "/pool", "base", "/pool/base" },
                { "/pool/", "./base", "/pool/base" },
                { "/pool", "../pool/./base", "/pool/base" },
                { "//pool", "sub/../base", "/pool/base" },
                { "/pool", "/other//base/", "/other/base" },
                { "/pool", "//pool/.../base", "/pool/.../base" },
                { "/pool", "../../../etc/x", "/etc/x" },
                { "/pool", "..", "/" },
                { "/pool", "", "/pool" },
                { "/pool", ".", "/pool" },
                { "/", "a..b", "/a..b" },
                { "/", "/", "/" },
        };

        FOREACH_ELEMENT (c, cases) {
                _cleanup_free_ char *absolute = path_absolute(c->directory, c->path);

                CHECK_STREQ(absolute, c->absolute);
        }
}

static void below(void)
{
        CHECK(path_is_below("/srv/images/a", "/srv/images"));
        CHECK(path_is_below("/srv/images", "/srv/images"));
        CHECK(path_is_below("/srv//images/", "/srv/images"));
        CHECK(path_is_below("/srv/images", "/srv/images/"));
        CHECK(path_is_below("/anything", "/"));
        CHECK(path_is_below("//srv/a", "/srv"));
        CHECK(!path_is_below("/srv/images2", "/srv/images"));
        CHECK(!path_is_below("/srv", "/srv/images"));
        CHECK(!path_is_below("/", "/srv"));
        CHECK(!path_is_below("srv/images", "/srv"));
        CHECK(!path_is_below("/srv/image", "/srv/images"));
}

int main(void)
{
        RUN(good_names);
        RUN(bad_names);
        RUN(message_names_the_rule);
        RUN(escapes);
        RUN(every_byte_survives);
        RUN(bad_escapes);
        RUN(uuids);
        RUN(paths);
        RUN(absolute_paths);
        RUN(below);
        return 0;
}
