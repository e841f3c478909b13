/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "definition.h"
#include "test.h"
#include "xml-tables.h"

typedef struct Read {
        char *name;
        uint64_t capacity;
        Bag *options;
} Read;

static void read_done(Read *r)
{
        free(r->name);
        bag_free(r->options);
}

static int read_xml(const char *xml, DefinitionFlags flags, Read *ret, Error *e)
{
        return volume_definition_from_xml(xml, strlen(xml), flags, test_volume_table(), &ret->name,
                                          &ret->capacity, &ret->options, e);
}

static Read must_read(const char *xml, DefinitionFlags flags)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Read r = {};

        if (read_xml(xml, flags, &r, &e) < 0)
                TEST_FAIL("%s: %s", xml, e.message);
        return r;
}

static void check_refused(const char *xml, ErrorKind kind, const char *part, bool also_lax)
{
        _cleanup_(read_done) Read strict = {}, lax = {};
        Error e = ERROR_NULL;
        int r = read_xml(xml, 0, &strict, &e);

        if (r >= 0)
                TEST_FAIL("accepted: %s", xml);
        if (e.kind != kind || !strstr(e.message, part))
                TEST_FAIL("%s: %s: %s", xml, error_kind_to_name(e.kind), e.message);
        CHECK(!strict.name && !strict.options);
        error_done(&e);
        r = read_xml(xml, DEFINITION_LAX, &lax, &e);
        if ((r < 0) != also_lax)
                TEST_FAIL("lax %s: %s: %s", r < 0 ? "refused" : "accepted", xml, e.message ?: "-");
        error_done(&e);
}

#define VOLUME(text) "<volume><name>a</name><capacity>10</capacity>" text "</volume>"
#define refused(xml, part) check_refused(xml, ERROR_INVALID_DEFINITION, part, true)
#define refused_unless_lax(xml, part) check_refused(xml, ERROR_INVALID_DEFINITION, part, false)

/* As `virsh vol-dumpxml` prints it. */
static const char dumped[] = "<volume type='file'>\n"
                             "  <name>a.qcow2</name>\n"
                             "  <key>/p/a.qcow2</key>\n"
                             "  <capacity unit='bytes'>5368709120</capacity>\n"
                             "  <allocation unit='bytes'>294912</allocation>\n"
                             "  <physical unit='bytes'>196624</physical>\n"
                             "  <target>\n"
                             "    <path>/p/a.qcow2</path>\n"
                             "    <format type='qcow2'/>\n"
                             "    <permissions>\n"
                             "      <mode>0644</mode>\n"
                             "      <owner>0</owner>\n"
                             "      <group>107</group>\n"
                             "      <label>unconfined_u:object_r:virt_image_t:s0</label>\n"
                             "    </permissions>\n"
                             "    <timestamps>\n"
                             "      <atime>1341933637.273190990</atime>\n"
                             "      <mtime>1341930622</mtime>\n"
                             "      <ctime>1341930622.047245868</ctime>\n"
                             "      <btime>1341930620.000000001</btime>\n"
                             "    </timestamps>\n"
                             "    <encryption format='luks'>\n"
                             "      <cipher name='aes' size='256'/>\n"
                             "      <ivgen name='plain64'/>\n"
                             "    </encryption>\n"
                             "    <compat>1.1</compat>\n"
                             "    <clusterSize unit='B'>65536</clusterSize>\n"
                             "    <features>\n"
                             "      <lazy_refcounts/>\n"
                             "      <extended_l2/>\n"
                             "    </features>\n"
                             "  </target>\n"
                             "  <backingStore>\n"
                             "    <path>/p/base.raw</path>\n"
                             "    <format type='raw'/>\n"
                             "    <permissions>\n"
                             "      <mode>0600</mode>\n"
                             "      <owner>0</owner>\n"
                             "      <group>0</group>\n"
                             "      <label>l</label>\n"
                             "    </permissions>\n"
                             "    <timestamps>\n"
                             "      <atime>1</atime>\n"
                             "      <mtime>2</mtime>\n"
                             "      <ctime>3.000000004</ctime>\n"
                             "    </timestamps>\n"
                             "  </backingStore>\n"
                             "</volume>\n";

static const VolumeInfo record = {
        .name = "a.qcow2",
        .type = VOLUME_FILE,
        .format = FORMAT_QCOW2,
        .capacity = 5368709120,
        .allocation = 294912,
        .physical = 196624,
        .creator = UINT32_MAX,
        .uid = 0,
        .gid = 107,
        .mode = 0644,
        .backing = "/p/base.raw",
        .backing_format = FORMAT_RAW,
};

static Bag *full_detail(void)
{
        Bag *b = bag_new();

        CHECK_OK(bag_set_string(b, "format", "qcow2"));
        CHECK_OK(bag_set_string(b, "label", "unconfined_u:object_r:virt_image_t:s0"));
        CHECK_OK(bag_set_string(b, "encryption.format", "luks"));
        CHECK_OK(bag_set_string(b, "encryption.cipher.name", "aes"));
        CHECK_OK(bag_set_u32(b, "encryption.cipher.size", 256));
        CHECK_OK(bag_set_string(b, "encryption.ivgen.name", "plain64"));
        CHECK_OK(bag_set_string(b, "compat", "1.1"));
        CHECK_OK(bag_set_u64(b, "cluster_size", 65536));
        CHECK_OK(bag_set_bool(b, "extended_l2", true));
        CHECK_OK(bag_set_bool(b, "lazy_refcounts", true));
        CHECK_OK(bag_set_string(b, "backing.path", "/p/base.raw"));
        CHECK_OK(bag_set_string(b, "timestamps.btime", "1341930620.000000001"));
        CHECK_OK(bag_set_string(b, "timestamps.ctime", "1341930622.047245868"));
        CHECK_OK(bag_set_string(b, "timestamps.mtime", "1341930622.000000000"));
        CHECK_OK(bag_set_string(b, "timestamps.atime", "1341933637.273190990"));
        CHECK_OK(bag_set_u32(b, "backing.mode", 0600));
        CHECK_OK(bag_set_u32(b, "backing.owner", 0));
        CHECK_OK(bag_set_u32(b, "backing.group", 0));
        CHECK_OK(bag_set_string(b, "backing.label", "l"));
        CHECK_OK(bag_set_string(b, "backing.timestamps.atime", "1.0"));
        CHECK_OK(bag_set_string(b, "backing.timestamps.mtime", "2"));
        CHECK_OK(bag_set_string(b, "backing.timestamps.ctime", "3.000000004"));
        return b;
}

static void as_libvirt_prints(void)
{
        _cleanup_bag_ Bag *detail = full_detail();
        _cleanup_free_ char *xml = NULL;

        CHECK_OK(volume_to_xml(&record, "/p/a.qcow2", "/p/a.qcow2", detail, test_volume_table(), &xml));
        CHECK_STREQ(xml, dumped);
}

/* What we print can be given back, strictly; sizes and times of the old volume are not options. */
static void round_trip(void)
{
        _cleanup_bag_ Bag *detail = full_detail();
        _cleanup_(read_done) Read r = must_read(dumped, 0);
        _cleanup_free_ char *xml = NULL;
        static const char *const kept[] = { "format",
                                            "label",
                                            "encryption.format",
                                            "encryption.cipher.name",
                                            "encryption.cipher.size",
                                            "encryption.ivgen.name",
                                            "compat",
                                            "cluster_size",
                                            "extended_l2",
                                            "lazy_refcounts",
                                            "backing.path" };

        CHECK_STREQ(r.name, "a.qcow2");
        CHECK_EQ(r.capacity, 5368709120);
        CHECK_EQ(bag_get_u64(r.options, "allocation", 0), 294912);
        CHECK_EQ(bag_get_u32(r.options, "mode", 0), 0644);
        CHECK_EQ(bag_get_u32(r.options, "group", 0), 107);
        CHECK_STREQ(bag_get_string(r.options, "backing.format"), "raw");
        FOREACH_ELEMENT (key, kept) {
                _cleanup_bag_ Bag *a = bag_new(), *b = bag_new();

                CHECK(bag_has(r.options, *key));
                CHECK_OK(bag_set_value(a, "v", bag_get(r.options, *key)));
                CHECK_OK(bag_set_value(b, "v", bag_get(detail, *key)));
                CHECK(bag_equal(a, b));
        }
        CHECK_EQ(bag_size(r.options), ELEMENTSOF(kept) + 5);
        CHECK_OK(volume_to_xml(&record, "/p/a.qcow2", "/p/a.qcow2", r.options, test_volume_table(), &xml));
        {
                _cleanup_(read_done) Read again = must_read(xml, 0);

                CHECK(bag_equal(r.options, again.options));
        }
}

/* Every volume option, also what libvirt has no word for and a flag that says no. */
static void every_option_round_trips(void)
{
        static const struct {
                const char *name, *texts[2];
        } samples[] = {
                { "format", { "raw", "luks" } },
                { "allocation", { "0", "4096" } },
                { "mode", { "0640" } },
                { "owner", { "caller", "7" } },
                { "group", { "0" } },
                { "label", { "l&<" } },
                { "backing.path", { "base", "/a b" } },
                { "backing.format", { "qcow2" } },
                { "compat", { "0.10" } },
                { "cluster_size", { "512" } },
                { "lazy_refcounts", { "yes", "no" } },
                { "extended_l2", { "yes", "no" } },
                { "preallocation", { "falloc" } },
                { "nocow", { "yes", "no" } },
                { "encryption.format", { "luks" } },
                { "encryption.cipher.name", { "twofish" } },
                { "encryption.cipher.size", { "512" } },
                { "encryption.ivgen.name", { "plain64" } },
        };
        const VolumeInfo bare = { .name = "a",
                                  .type = VOLUME_FILE,
                                  .capacity = 1,
                                  .allocation = UINT64_MAX,
                                  .physical = UINT64_MAX,
                                  .uid = UINT32_MAX,
                                  .gid = UINT32_MAX };
        const OptionTable *table = test_volume_table();

        CHECK_EQ(ELEMENTSOF(samples), table->n_specs - 1); /* a descriptor has no text */
        FOREACH_ELEMENT (s, samples)
                for (size_t i = 0; i < 2 && s->texts[i]; i++) {
                        _cleanup_bag_ Bag *b = bag_new();
                        _cleanup_(read_done) Read r = {};
                        _cleanup_free_ char *xml = NULL;

                        CHECK_OK(option_set_text(option_find(table, s->name), s->texts[i], b, NULL));
                        CHECK_OK(volume_to_xml(&bare, "/p/a", "/p/a", b, table, &xml));
                        r = must_read(xml, 0);
                        if (!streq(s->name, "allocation")) { /* always printed */
                                CHECK_EQ(bag_get_u64(r.options, "allocation", 1), 0);
                                bag_remove(r.options, "allocation");
                        }
                        if (!bag_equal(b, r.options))
                                TEST_FAIL("does not round-trip: %s", xml);
                }
}

static void little_known(void)
{
        const VolumeInfo network = { .name = "disk",
                                     .type = VOLUME_NETWORK,
                                     .capacity = UINT64_MAX,
                                     .allocation = UINT64_MAX,
                                     .physical = 0,
                                     .uid = UINT32_MAX,
                                     .gid = UINT32_MAX,
                                     .mode = 0 };
        _cleanup_free_ char *xml = NULL;

        CHECK_OK(volume_to_xml(&network, "pool/disk", "pool/disk", NULL, test_volume_table(), &xml));
        CHECK_STREQ(xml, "<volume type='network'>\n"
                         "  <name>disk</name>\n"
                         "  <key>pool/disk</key>\n"
                         "  <capacity unit='bytes'>0</capacity>\n"
                         "  <allocation unit='bytes'>0</allocation>\n"
                         "  <target>\n"
                         "    <path>pool/disk</path>\n"
                         "  </target>\n"
                         "</volume>\n");
}

/* The header of an image is hostile: whatever it names as backing file, the document stays well-formed. */
static void hostile_backing(void)
{
        VolumeInfo v = record;
        _cleanup_free_ char *xml = NULL;

        v.backing = "/x\001</path></backingStore>\xff'";
        CHECK_OK(volume_to_xml(&v, "/p/a.qcow2", "/p/a.qcow2", NULL, test_volume_table(), &xml));
        {
                _cleanup_(read_done) Read r = must_read(xml, 0);

                CHECK_STREQ(bag_get_string(r.options, "backing.path"),
                            "/x\\x01</path></backingStore>\\xff'");
        }
}

static void units(void)
{
        static const struct {
                const char *xml;
                uint64_t capacity;
        } good[] = {
                { "<capacity>10</capacity>", 10 },
                { "<capacity unit=''>10</capacity>", 10 },
                { "<capacity unit='KB'>1</capacity>", 1000 },
                { "<capacity unit='K'>1</capacity>", 1024 },
                { "<capacity unit='kib'>1</capacity>", 1024 },
                { "<capacity unit='G'>+5</capacity>", 5368709120 },
                { "<capacity unit='EiB'>7</capacity>", 7ull << 60 },
        };
        static const char *const bad[] = { "<capacity unit='X'>1</capacity>",
                                           "<capacity unit='E'>8</capacity>",
                                           "<capacity>1.5</capacity>",
                                           "<capacity>-1</capacity>",
                                           "<capacity>0x10</capacity>",
                                           "<capacity>1e3</capacity>",
                                           "<capacity/>",
                                           "" };

        FOREACH_ELEMENT (g, good) {
                _cleanup_free_ char *xml = NULL;
                _cleanup_(read_done) Read r = {};

                CHECK(asprintf(&xml, "<volume><name>a</name>%s</volume>", g->xml) > 0);
                r = must_read(xml, 0);
                CHECK_EQ(r.capacity, g->capacity);
                CHECK(!bag_has(r.options, "allocation"));
        }
        FOREACH_ELEMENT (b, bad) {
                _cleanup_free_ char *xml = NULL;

                CHECK(asprintf(&xml, "<volume><name>a</name>%s</volume>", *b) > 0);
                refused(xml, "line 1: ");
        }
}

static void capacity_of_backing(void)
{
        _cleanup_(read_done) Read r =
                must_read("<volume><name>a</name><backingStore><path>/b</path></backingStore></volume>", 0);

        CHECK(r.capacity == UINT64_MAX);
        refused("<volume><name>a</name><backingStore><path/></backingStore></volume>",
                "line 1: volume 'a' needs a <capacity> or a <backingStore>");
}

/* libvirt: no <allocation> means all of it, for raw volumes. */
static void lax_allocation(void)
{
        _cleanup_(read_done)
                Read none = must_read(VOLUME(""), DEFINITION_LAX),
                     given = must_read(VOLUME("<allocation>4</allocation>"), DEFINITION_LAX),
                     qcow2 = must_read(VOLUME("<target><format type='qcow2'/></target>"), DEFINITION_LAX),
                     strict = must_read(VOLUME(""), 0);

        CHECK_EQ(bag_get_u64(none.options, "allocation", 0), 10);
        CHECK_EQ(bag_get_u64(given.options, "allocation", 0), 4);
        CHECK(!bag_has(qcow2.options, "allocation"));
        CHECK(!bag_has(strict.options, "allocation"));
}

static void strict_refuses(void)
{
        refused_unless_lax(VOLUME("\n<foo/>"), "line 2: unknown element <foo> in <volume>");
        refused_unless_lax(
                VOLUME("<target><encryption format='luks'>\n<secret type='passphrase' "
                       "usage='x'/></encryption></target>"),
                "line 2: element <secret> in <encryption> is not taken by volumes of this type of pool");
        refused_unless_lax(VOLUME("<target><features><raw/></features></target>"),
                           "unknown element <raw> in <features>");
        refused_unless_lax(VOLUME("<capacity>5</capacity>"), "given twice");
        refused_unless_lax("<volume shape='round'><name>a</name><capacity>1</capacity></volume>",
                           "unknown attribute 'shape'");
        refused_unless_lax("<volume><name>a</name><capacity base='2'>1</capacity></volume>",
                           "unknown attribute 'base'");
}

static void always_refused(void)
{
        refused("<pool/>", "not a <volume>");
        refused("<volume><capacity>1</capacity></volume>", "the volume has no <name>");
        refused(VOLUME("<target>\n<format type='none'/></target>"),
                "line 2: option 'format' cannot be 'none'");
        refused(VOLUME("<target><permissions><mode>01777</mode></permissions></target>"), "mode");
        refused(VOLUME("<target><encryption><cipher name='rot13'/></encryption></target>"),
                "encryption.cipher.name");
        check_refused("<volume><name>a\nb</name><capacity>1</capacity></volume>", ERROR_INVALID_NAME,
                      "line 1: ", true);
        check_refused("<volume><name>..</name><capacity>1</capacity></volume>", ERROR_INVALID_NAME,
                      "line 1: ", true);
        check_refused("<volume><name/><capacity>1</capacity></volume>", ERROR_INVALID_NAME,
                      "line 1: ", true);
}

int main(void)
{
        RUN(as_libvirt_prints);
        RUN(round_trip);
        RUN(every_option_round_trips);
        RUN(little_known);
        RUN(hostile_backing);
        RUN(units);
        RUN(capacity_of_backing);
        RUN(lax_allocation);
        RUN(strict_refuses);
        RUN(always_refused);
        return 0;
}
