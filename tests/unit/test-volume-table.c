/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume-table.h"

#include "pool.h"
#include "test.h"

static VolumeInfo info(const char *name, uint64_t capacity)
{
        return (VolumeInfo){
                .name = name, .format = FORMAT_RAW, .capacity = capacity, .creator = UINT32_MAX
        };
}

static Volume *put(VolumeTable *t, const VolumeInfo *i, bool added, bool changed)
{
        bool was_added, was_changed;
        Volume *v;

        CHECK_OK(volume_table_put(t, i, 7, &v, &was_added, &was_changed));
        CHECK_EQ(was_added, added);
        CHECK_EQ(was_changed, changed);
        return v;
}

/* Names in an order that is neither sorted nor random from run to run: i * 7919 mod n walks through all. */
static void fill(VolumeTable *t, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                char name[16];

                snprintf(name, sizeof(name), "v%06u", (unsigned)((uint64_t)i * 7919 % n));
                VolumeInfo v = info(name, i);
                put(t, &v, true, false);
        }
}

static void case_put_tells_what_happened(void)
{
        _cleanup_(volume_table_freep) VolumeTable *t = volume_table_new(NULL);
        VolumeInfo a = info("a", 1);

        put(t, &a, true, false);
        put(t, &a, false, false);
        a.capacity = 2;
        put(t, &a, false, true);
        a.backing = "base";
        put(t, &a, false, true);
        CHECK_STREQ(volume_backing(volume_table_get(t, "a")), "base");
        CHECK_STREQ(volume_error(volume_table_get(t, "a")), NULL);
        a.backing = NULL;
        a.error = "broken";
        put(t, &a, false, true);
        CHECK_STREQ(volume_backing(volume_table_get(t, "a")), NULL);
        CHECK_STREQ(volume_error(volume_table_get(t, "a")), "broken");
        CHECK_EQ(volume_table_size(t), 1);
}

static void case_order_holds_both_ways(void)
{
        _cleanup_(volume_table_freep) VolumeTable *t = volume_table_new(NULL);
        const unsigned n = 5000;
        VolumeCursor c;
        char name[16];
        unsigned i = 0;

        fill(t, n);
        CHECK_EQ(volume_table_size(t), n);
        for (Volume *v = volume_table_first(t, NULL, &c); v; v = volume_table_next(t, &c)) {
                snprintf(name, sizeof(name), "v%06u", i++);
                CHECK_STREQ(v->name, name);
        }
        CHECK_EQ(i, n);
        for (Volume *v = volume_table_last(t, NULL, &c); v; v = volume_table_previous(t, &c)) {
                snprintf(name, sizeof(name), "v%06u", --i);
                CHECK_STREQ(v->name, name);
        }
        CHECK_EQ(i, 0);
}

static void case_walk_begins_at_any_name(void)
{
        _cleanup_(volume_table_freep) VolumeTable *t = volume_table_new(NULL);
        VolumeCursor c;

        CHECK(!volume_table_first(t, "x", &c));
        CHECK(!volume_table_last(t, "x", &c));
        fill(t, 3000);
        CHECK_STREQ(volume_table_first(t, "v000511", &c)->name, "v000512");
        CHECK_STREQ(volume_table_first(t, "v000511a", &c)->name, "v000512");
        CHECK_STREQ(volume_table_first(t, "", &c)->name, "v000000");
        CHECK(!volume_table_first(t, "v002999", &c));
        CHECK_STREQ(volume_table_last(t, "v000512", &c)->name, "v000511");
        CHECK_STREQ(volume_table_last(t, "z", &c)->name, "v002999");
        CHECK(!volume_table_last(t, "v000000", &c));
}

static void case_removal_keeps_the_rest(void)
{
        _cleanup_(volume_table_freep) VolumeTable *t = volume_table_new(NULL);
        char name[16];

        fill(t, 2000);
        for (unsigned i = 0; i < 2000; i += 2) {
                snprintf(name, sizeof(name), "v%06u", i);
                CHECK(volume_table_remove(t, name));
                CHECK(!volume_table_remove(t, name));
        }
        CHECK_EQ(volume_table_size(t), 1000);
        for (unsigned i = 0; i < 2000; i++) {
                snprintf(name, sizeof(name), "v%06u", i);
                CHECK_EQ(volume_table_get(t, name) != NULL, i % 2 == 1);
        }
}

static void case_quota_follows_records(void)
{
        _cleanup_(volume_table_freep) VolumeTable *t = volume_table_new(NULL);
        VolumeInfo a = info("a", 100), b = info("b", UINT64_MAX);

        a.creator = b.creator = 1000;
        b.physical = 50;
        b.allocation = 70;
        put(t, &a, true, false);
        put(t, &b, true, false);
        CHECK_EQ(volume_table_owned(t, 1000), 170);
        CHECK_EQ(volume_table_owned(t, 1001), 0);
        a.capacity = 300;
        put(t, &a, false, true);
        CHECK_EQ(volume_table_owned(t, 1000), 370);
        b.creator = 1001;
        put(t, &b, false, true);
        CHECK_EQ(volume_table_owned(t, 1000), 300);
        CHECK_EQ(volume_table_owned(t, 1001), 70);
        volume_table_remove(t, "a");
        CHECK_EQ(volume_table_owned(t, 1000), 0);
}

static void case_a_record_is_small(void)
{
        CHECK(sizeof(Volume) + sizeof("web-server-0001.qcow2") <= 128);
}

static void case_shed_frees_in_slices(void)
{
        _cleanup_(volume_table_freep) VolumeTable *t = volume_table_new(NULL);

        fill(t, 3000);
        size_t left = volume_table_shed(t, 1000);
        CHECK(left <= 2000 && left > 1000);
        CHECK(volume_table_get(t, "v000000"));
        CHECK(!volume_table_get(t, "v002999"));
        CHECK_EQ(volume_table_shed(t, 10000), 0);
}

/* How many volumes stand on the base, and that `one` (NULL: none) is among them. */
static unsigned dependents(const VolumeTable *t, const char *base, const char *one)
{
        unsigned n = 0;
        bool found = !one;

        for (Volume *v = volume_table_dependents(t, base); v; v = volume_next_dependent(v)) {
                n++;
                found = found || streq(v->name, one);
        }
        CHECK(found);
        return n;
}

/* Backing file, error and snapshots are kept beside the record, each for itself. */
static void case_texts_of_a_record(void)
{
        static const char *const texts[] = { NULL, "text" };
        VolumeTable *t = volume_table_new(NULL);
        bool added, changed;
        VolumeInfo info;
        Volume *v;

        for (unsigned i = 0; i < 8; i++) {
                VolumeInfo a = { .name = "v",
                                 .creator = UINT32_MAX,
                                 .backing = texts[i & 1],
                                 .error = texts[i >> 1 & 1],
                                 .snapshots = texts[i >> 2 & 1] };

                CHECK_OK(volume_table_put(t, &a, i + 1, &v, &added, &changed));
                CHECK(added || changed);
                CHECK_OK(volume_table_put(t, &a, i + 1, &v, &added, &changed));
                CHECK(!added && !changed);
                volume_to_info(v, &info);
                CHECK_STREQ(info.backing, a.backing);
                CHECK_STREQ(info.error, a.error);
                CHECK_STREQ(info.snapshots, a.snapshots);
        }
        volume_table_free(t);
}

static void put_backed(VolumeTable *t, const char *name, const char *backing)
{
        VolumeInfo i = info(name, 1);
        bool added, changed;
        Volume *v;

        i.backing = backing;
        CHECK_OK(volume_table_put(t, &i, 7, &v, &added, &changed));
}

static void case_dependents(void)
{
        _cleanup_bag_ Bag *options = bag_new();
        Definition definition = { .options = options };
        Pool pool = { .definition = &definition };
        VolumeTable *t = volume_table_new(&pool);
        char name[16];

        CHECK_OK(bag_set_string(options, "target.path", "/pool"));
        put_backed(t, "a", "/pool/base");
        put_backed(t, "b", "base");
        put_backed(t, "c", "/pool//./base");
        put_backed(t, "d", "/elsewhere/base");
        put_backed(t, "e", "sub/base");
        put_backed(t, "f", NULL);
        CHECK_EQ(dependents(t, "base", "b"), 3);
        CHECK_EQ(dependents(t, "none", NULL), 0);
        put_backed(t, "b", "/pool/base"); /* other words for the same */
        CHECK_EQ(dependents(t, "base", "b"), 3);
        put_backed(t, "b", "a");
        CHECK_EQ(dependents(t, "base", "c"), 2);
        CHECK_EQ(dependents(t, "a", "b"), 1);
        put_backed(t, "b", NULL);
        CHECK_EQ(dependents(t, "a", NULL), 0);
        CHECK(volume_table_remove(t, "c")); /* the middle, the first and the last of a list */
        put_backed(t, "g", "base");
        put_backed(t, "h", "base");
        CHECK_EQ(dependents(t, "base", "g"), 3);
        CHECK(volume_table_remove(t, "g"));
        CHECK_EQ(dependents(t, "base", "a"), 2);
        CHECK(volume_table_remove(t, "h"));
        CHECK(volume_table_remove(t, "a"));
        CHECK_EQ(dependents(t, "base", NULL), 0);
        for (unsigned i = 0; i < 1000; i++) {
                snprintf(name, sizeof(name), "v%u", i);
                put_backed(t, name, i % 2 ? "one" : "two");
        }
        CHECK_EQ(dependents(t, "one", "v999"), 500);
        volume_table_free(t);
}

int main(void)
{
        RUN(case_texts_of_a_record);
        RUN(case_dependents);
        RUN(case_put_tells_what_happened);
        RUN(case_order_holds_both_ways);
        RUN(case_walk_begins_at_any_name);
        RUN(case_removal_keeps_the_rest);
        RUN(case_quota_follows_records);
        RUN(case_a_record_is_small);
        RUN(case_shed_frees_in_slices);
        return 0;
}
