/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/volume-message.h"

#include "message.h"

static sd_bus *bus;

static const VolumeInfo full = {
        .name = "gr\u00fcn.qcow2",
        .type = VOLUME_BLOCK,
        .format = FORMAT_QCOW2,
        .detected = FORMAT_LUKS,
        .flags = VOLUME_READ_ONLY | VOLUME_INCOMPLETE,
        .capacity = UINT64_MAX,
        .allocation = 1,
        .physical = 2,
        .mtime_usec = 3,
        .creator = UINT32_MAX,
        .uid = 4,
        .gid = 5,
        .mode = 0640,
        .backing = "base",
        .backing_format = FORMAT_VHDX,
        .error = "odd",
};

static const VolumeInfo plain = { .name = "plain", .format = FORMAT_RAW, .detected = FORMAT_RAW };

static void check_same(const VolumeInfo *a, const VolumeInfo *b)
{
        CHECK_STREQ(a->name, b->name);
        CHECK_EQ(a->type, b->type);
        CHECK_EQ(a->format, b->format);
        CHECK_EQ(a->detected, b->detected);
        CHECK_EQ(a->flags, b->flags);
        CHECK_EQ(a->capacity, b->capacity);
        CHECK_EQ(a->allocation, b->allocation);
        CHECK_EQ(a->physical, b->physical);
        CHECK_EQ(a->mtime_usec, b->mtime_usec);
        CHECK_EQ(a->creator, b->creator);
        CHECK_EQ(a->uid, b->uid);
        CHECK_EQ(a->gid, b->gid);
        CHECK_EQ(a->mode, b->mode);
        CHECK_STREQ(a->backing, b->backing);
        CHECK_EQ(a->backing_format, b->backing_format);
        CHECK_STREQ(a->error, b->error);
}

/* An array of these, sealed and entered. */
static sd_bus_message *array(const VolumeInfo *volumes, size_t n)
{
        sd_bus_message *m = test_message(bus);

        CHECK_OK(sd_bus_message_open_container(m, 'a', "(" VOLUME_SIGNATURE ")"));
        for (size_t i = 0; i < n; i++)
                CHECK_OK(volume_append_to_message(&volumes[i], m));
        CHECK_OK(sd_bus_message_close_container(m));
        test_seal(m);
        CHECK(sd_bus_message_enter_container(m, 'a', "(" VOLUME_SIGNATURE ")") > 0);
        return m;
}

static void records_return(void)
{
        const VolumeInfo volumes[] = { full, plain };
        sd_bus_message *m = array(volumes, ELEMENTSOF(volumes));
        VolumeInfo v;

        FOREACH_ELEMENT (volume, volumes) {
                CHECK_EQ(volume_read_from_message(m, &v, NULL), 1);
                check_same(&v, volume);
        }
        CHECK_EQ(volume_read_from_message(m, &v, NULL), 0);
        CHECK(sd_bus_message_exit_container(m) > 0);
        sd_bus_message_unref(m);
}

static void an_empty_array(void)
{
        sd_bus_message *m = array(NULL, 0);
        VolumeInfo v = full;

        CHECK_EQ(volume_read_from_message(m, &v, NULL), 0);
        check_same(&v, &full);
        sd_bus_message_unref(m);
}

static void lies_are_refused(void)
{
        VolumeInfo bad = full, v = plain;
        Error e = ERROR_NULL;
        sd_bus_message *m;

        bad.detected = (ImageFormat)77;
        m = array(&bad, 1);
        CHECK_ERROR(volume_read_from_message(m, &v, &e), &e, ERROR_FAILED);
        check_same(&v, &plain);
        sd_bus_message_unref(m);
}

static void another_type_is_refused(void)
{
        sd_bus_message *m = test_message(bus);
        VolumeInfo v;
        Error e = ERROR_NULL;

        CHECK_OK(sd_bus_message_append(m, "a(ss)", 1, "a", "b"));
        test_seal(m);
        CHECK(sd_bus_message_enter_container(m, 'a', "(ss)") > 0);
        CHECK_ERROR(volume_read_from_message(m, &v, &e), &e, ERROR_FAILED);
        sd_bus_message_unref(m);
}

int main(void)
{
        bus = test_bus();
        RUN(records_return);
        RUN(an_empty_array);
        RUN(lies_are_refused);
        RUN(another_type_is_refused);
        sd_bus_unref(bus);
        return 0;
}
