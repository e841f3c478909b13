/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/volume-info.h"

#include "test.h"

static void words(void)
{
        for (VolumeType t = 0; t < _VOLUME_TYPE_MAX; t++)
                CHECK_EQ(volume_type_from_string(volume_type_to_string(t)), t);
        for (ImageFormat f = 0; f < _FORMAT_MAX; f++)
                CHECK_EQ(image_format_from_string(image_format_to_string(f)), f);
        CHECK_STREQ(image_format_to_string(FORMAT_NONE), "none");
        CHECK_STREQ(volume_type_to_string(VOLUME_NETWORK), "network");
        CHECK(!volume_type_to_string(_VOLUME_TYPE_MAX));
        CHECK(!volume_type_to_string(_VOLUME_TYPE_INVALID));
        CHECK(!image_format_to_string(_FORMAT_MAX));
        CHECK(!image_format_to_string(_FORMAT_INVALID));
        CHECK_EQ(image_format_from_string("QCOW2"), _FORMAT_INVALID);
        CHECK_EQ(image_format_from_string(NULL), _FORMAT_INVALID);
        CHECK_EQ(volume_type_from_string("netdir"), _VOLUME_TYPE_INVALID);
        CHECK_EQ(volume_type_from_string(NULL), _VOLUME_TYPE_INVALID);
}

static const VolumeInfo good = {
        .name = "web1",
        .format = FORMAT_QCOW2,
        .detected = FORMAT_QCOW2,
        .flags = VOLUME_ENCRYPTED | VOLUME_FOREIGN_LINKS,
        .capacity = UINT64_MAX,
        .mode = 0600,
        .backing = "/srv/base",
        .backing_format = FORMAT_RAW,
        .error = "broken",
};

static char long_text[4200];

static void plausible(void)
{
        VolumeInfo v = good;

        CHECK_OK(volume_info_check(&v, NULL));
        v.backing = v.error = NULL;
        CHECK_OK(volume_info_check(&v, NULL));
        v.name = "a\\x0ab";
        CHECK_OK(volume_info_check(&v, NULL));
}

#define REFUSED(field, value)                                             \
        do {                                                              \
                VolumeInfo v = good;                                      \
                Error e = ERROR_NULL;                                     \
                v.field = (value);                                        \
                CHECK_ERROR(volume_info_check(&v, &e), &e, ERROR_FAILED); \
        } while (0)

static void drivers(void)
{
        CHECK_STREQ(image_format_to_driver(FORMAT_QCOW2), "qcow2");
        CHECK_STREQ(image_format_to_driver(FORMAT_ISO), "raw");
        CHECK_STREQ(image_format_to_driver(FORMAT_PLOOP), "parallels");
        CHECK(!image_format_to_driver(FORMAT_COW));
        CHECK(!image_format_to_driver(_FORMAT_INVALID));
        CHECK(image_format_is_writable(FORMAT_PLOOP));
        CHECK(!image_format_is_writable(FORMAT_DMG));
        CHECK(!image_format_is_writable(FORMAT_COW));
        CHECK(image_format_is_same(FORMAT_ISO, FORMAT_RAW));
        CHECK(!image_format_is_same(FORMAT_COW, FORMAT_FAT));
}

static void impossible(void)
{
        memset(long_text, 'x', sizeof(long_text) - 1);
        REFUSED(name, NULL);
        REFUSED(name, "");
        REFUSED(name, "a/b");
        REFUSED(name, "a\nb");
        REFUSED(name, "\xff");
        REFUSED(name, long_text);
        REFUSED(type, _VOLUME_TYPE_MAX);
        REFUSED(format, _FORMAT_MAX);
        REFUSED(detected, (ImageFormat)200);
        REFUSED(backing_format, _FORMAT_MAX);
        REFUSED(flags, 1u << 5);
        REFUSED(mode, 010000);
        REFUSED(backing, "a\x1b");
        REFUSED(backing, long_text);
        REFUSED(error, "\x80");
        REFUSED(error, long_text);
}

int main(void)
{
        RUN(words);
        RUN(plausible);
        RUN(drivers);
        RUN(impossible);
        return 0;
}
