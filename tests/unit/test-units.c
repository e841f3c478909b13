/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/units.h"

#include "test.h"

static void units_of_libvirt(void)
{
        static const struct {
                const char *number, *unit, *fallback;
                uint64_t size;
        } cases[] = {
                { "5", NULL, NULL, 5 },
                { "5", "", "KiB", 5120 },
                { "5", "B", "KiB", 5 },
                { "5", "byte", NULL, 5 },
                { "5", "BYTES", NULL, 5 },
                { "1", "k", NULL, 1024 },
                { "1", "K", NULL, 1024 },
                { "1", "kib", NULL, 1024 },
                { "1", "KB", NULL, 1000 },
                { "1", "M", NULL, 1 << 20 },
                { "1", "mb", NULL, 1000000 },
                { "1", "GiB", NULL, 1 << 30 },
                { "1", "GB", NULL, 1000000000 },
                { "2", "T", NULL, 2ULL << 40 },
                { "2", "P", NULL, 2ULL << 50 },
                { "7", "E", NULL, 7ULL << 60 },
                { "9", "EB", NULL, 9000000000000000000ULL },
                { "+5", NULL, NULL, 5 },
                { " 5\n", NULL, NULL, 5 },
                { "0", "E", NULL, 0 },
                { "9223372036854775807", NULL, NULL, INT64_MAX },
        };

        FOREACH_ELEMENT (c, cases) {
                uint64_t size;

                CHECK_OK(size_scale(c->number, c->unit, c->fallback, &size, NULL));
                CHECK_EQ(size, c->size);
        }
}

static void refused_by_scale(void)
{
        static const struct {
                const char *number, *unit;
        } cases[] = {
                { "", NULL },
                { " ", NULL },
                { "x", NULL },
                { "-5", NULL },
                { "1.5", "G" },
                { "1e3", NULL },
                { "0x10", NULL },
                { "5 5", NULL },
                { "++5", NULL },
                { "5", "kk" },
                { "5", "X" },
                { "5", "KiBB" },
                { "5", "Ki" },
                { "8", "E" },
                { "9223372036854775808", NULL },
                { "18446744073709551617", NULL },
                { "10", "EB" },
        };
        uint64_t size = 42;
        Error e = ERROR_NULL;

        FOREACH_ELEMENT (c, cases) {
                CHECK_ERROR(size_scale(c->number, c->unit, NULL, &size, &e), &e, ERROR_INVALID_ARGS);
                CHECK_EQ(size, 42);
        }
}

static void written_sizes(void)
{
        static const struct {
                const char *text;
                uint64_t size;
        } cases[] = {
                { "20G", 20ULL << 30 },
                { "512 MiB", 512ULL << 20 },
                { "1.5T", 3ULL << 39 },
                { "1048576", 1048576 },
                { "0.5K", 512 },
                { "0.001KB", 1 },
                { " 1G ", 1 << 30 },
                { "+1k", 1024 },
                { "2.50 GiB", 5ULL << 29 },
                { "0", 0 },
                { "9223372036854775807", INT64_MAX },
                { "7.5E", 15ULL << 59 },
        };

        FOREACH_ELEMENT (c, cases) {
                uint64_t size;

                CHECK_OK(size_parse(c->text, &size, NULL));
                CHECK_EQ(size, c->size);
        }
}

static void refused_sizes(void)
{
        static const char *const bad[] = {
                "",         "G",     "-1G",        "1.",     ".5G",   "1.5",
                "0.0001KB", "1..5G", "1.5.5G",     "20 G B", "8E",    "7.9999999999999999999E",
                "nan",      "1,5G",  "20Gigabyte", "0x5",    "1 000", "18446744073709551616",
        };
        uint64_t size = 42;
        Error e = ERROR_NULL;

        FOREACH_ELEMENT (text, bad) {
                CHECK_ERROR(size_parse(*text, &size, &e), &e, ERROR_INVALID_ARGS);
                CHECK_EQ(size, 42);
        }
}

static void shown_sizes(void)
{
        static const struct {
                uint64_t size;
                const char *text;
        } cases[] = {
                { 0, "0 B" },
                { 1023, "1023 B" },
                { 1024, "1.0 KiB" },
                { 1536, "1.5 KiB" },
                { 20ULL << 30, "20.0 GiB" },
                { (1ULL << 20) - 1, "1.0 MiB" },
                { (1ULL << 30) - 1, "1.0 GiB" },
                { 1023ULL << 10, "1023.0 KiB" },
                { INT64_MAX, "8.0 EiB" },
                { UINT64_MAX, "16.0 EiB" },
        };

        FOREACH_ELEMENT (c, cases) {
                char buffer[SIZE_TEXT_MAX];

                CHECK_STREQ(size_format(c->size, buffer), c->text);
        }
}

static void reserves(void)
{
        static const char *const bad[] = { "101%", "-1%", "%", "5%%", "5.5%", "x%", "5% of it", "", "5X" };
        uint64_t size;
        Error e = ERROR_NULL;

        CHECK_OK(reserve_parse("10%", 1000, &size, NULL));
        CHECK_EQ(size, 100);
        CHECK_OK(reserve_parse("10%", 1001, &size, NULL)); /* never less than was asked for */
        CHECK_EQ(size, 101);
        CHECK_OK(reserve_parse("100%", UINT64_MAX, &size, NULL));
        CHECK(size == UINT64_MAX);
        CHECK_OK(reserve_parse("0%", 1000, &size, NULL));
        CHECK_EQ(size, 0);
        CHECK_OK(reserve_parse("10GiB", 1000, &size, NULL));
        CHECK_EQ(size, 10ULL << 30);
        FOREACH_ELEMENT (text, bad)
                CHECK_ERROR(reserve_parse(*text, 1000, &size, &e), &e, ERROR_INVALID_ARGS);
}

int main(void)
{
        RUN(units_of_libvirt);
        RUN(refused_by_scale);
        RUN(written_sizes);
        RUN(refused_sizes);
        RUN(shown_sizes);
        RUN(reserves);
        return 0;
}
