/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "definition.h"
#include "test.h"
#include "xml-tables.h"

#define UUID "70a7eb15-6c34-ee9c-bf57-69e8e5ff3fb2"

static int read_xml(const char *xml, DefinitionFlags flags, Definition **ret, Error *e)
{
        return definition_from_xml(xml, strlen(xml), flags, test_pool_table, NULL, ret, e);
}

static Definition *must_read(const char *xml, DefinitionFlags flags)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Definition *d = NULL;

        if (read_xml(xml, flags, &d, &e) < 0)
                TEST_FAIL("%s: %s", xml, e.message);
        return d;
}

static char *must_write(const Definition *d)
{
        char *xml = NULL;

        CHECK_OK(definition_to_xml(d, test_pool_table(d->type, NULL), NULL, &xml));
        return xml;
}

static bool definition_equal(const Definition *a, const Definition *b)
{
        return streq(a->name, b->name) && streq(a->type, b->type) && streq(a->uuid, b->uuid) &&
               bag_equal(a->options, b->options);
}

static void check_round_trip(const Definition *d)
{
        _cleanup_free_ char *xml = must_write(d), *again = NULL;
        _cleanup_definition_ Definition *back = must_read(xml, 0), *lax = must_read(xml, DEFINITION_LAX);

        if (!definition_equal(d, back))
                TEST_FAIL("does not round-trip: %s", xml);
        CHECK(definition_equal(d, lax));
        again = must_write(back);
        CHECK_STREQ(xml, again);
}

/* Refused with this text in the message; lax: accepted unless told otherwise. */
static void check_refused(const char *xml, ErrorKind kind, const char *part, bool also_lax)
{
        _cleanup_definition_ Definition *d = NULL, *lax = NULL;
        Error e = ERROR_NULL;
        int r;

        r = read_xml(xml, 0, &d, &e);
        if (r >= 0)
                TEST_FAIL("accepted: %s", xml);
        if (e.kind != kind || !strstr(e.message, part))
                TEST_FAIL("%s: %s: %s", xml, error_kind_to_name(e.kind), e.message);
        CHECK_EQ(r, error_errno(&e));
        CHECK(!d);
        error_done(&e);
        r = read_xml(xml, DEFINITION_LAX, &lax, &e);
        if ((r < 0) != also_lax)
                TEST_FAIL("lax %s: %s: %s", r < 0 ? "refused" : "accepted", xml, e.message ?: "-");
        error_done(&e);
}

#define TARGET "<target><path>/a</path></target>"
#define DIR(text) "<pool type='dir'><name>a</name>" text TARGET "</pool>"
#define refused(xml, part) check_refused(xml, ERROR_INVALID_DEFINITION, part, true)
#define refused_unless_lax(xml, part) check_refused(xml, ERROR_INVALID_DEFINITION, part, false)

/* Byte for byte what libvirt 9.0 prints for such a pool. */
static void as_libvirt_prints(void)
{
        static const char expected[] = "<pool type='dir'>\n"
                                       "  <name>virtimages</name>\n"
                                       "  <uuid>" UUID "</uuid>\n"
                                       "  <capacity unit='bytes'>1000</capacity>\n"
                                       "  <allocation unit='bytes'>400</allocation>\n"
                                       "  <available unit='bytes'>600</available>\n"
                                       "  <features>\n"
                                       "    <cow state='no'/>\n"
                                       "  </features>\n"
                                       "  <source>\n"
                                       "  </source>\n"
                                       "  <target>\n"
                                       "    <path>/var/lib/libvirt/images</path>\n"
                                       "    <permissions>\n"
                                       "      <mode>0700</mode>\n"
                                       "      <owner>0</owner>\n"
                                       "      <group>4294967294</group>\n"
                                       "      <label>some_label_t</label>\n"
                                       "    </permissions>\n"
                                       "  </target>\n"
                                       "</pool>\n";
        const PoolNumbers numbers = { .capacity = 1000, .allocation = 400, .available = 600 };
        _cleanup_definition_ Definition *d = must_read(expected, 0);
        _cleanup_free_ char *xml = NULL;

        CHECK_OK(definition_to_xml(d, test_pool_table("dir", NULL), &numbers, &xml));
        CHECK_STREQ(xml, expected);
        CHECK_STREQ(d->uuid, UUID);
        CHECK_STREQ(bag_get_string(d->options, "target.path"), "/var/lib/libvirt/images");
        CHECK_EQ(bag_get_u32(d->options, "target.permissions.mode", 0), 0700);
        CHECK(bag_has(d->options, "features.cow"));
        CHECK(!bag_get_bool(d->options, "features.cow", true));
        CHECK(!bag_has(d->options, "capacity"));
        check_round_trip(d);
}

static void namespaces_as_libvirt_prints(void)
{
        static const char netfs[] =
                "<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'>\n"
                "  <name>nfsimages</name>\n"
                "  <uuid>" UUID "</uuid>\n"
                "  <capacity unit='bytes'>0</capacity>\n"
                "  <allocation unit='bytes'>0</allocation>\n"
                "  <available unit='bytes'>0</available>\n"
                "  <source>\n"
                "    <host name='localhost'/>\n"
                "    <dir path='/srv/images'/>\n"
                "    <format type='nfs'/>\n"
                "    <protocol ver='3'/>\n"
                "  </source>\n"
                "  <target>\n"
                "    <path>/mnt</path>\n"
                "  </target>\n"
                "  <fs:mount_opts>\n"
                "    <fs:option name='sync'/>\n"
                "    <fs:option name='lazytime'/>\n"
                "  </fs:mount_opts>\n"
                "</pool>\n";
        static const char rbd[] =
                "<pool type='rbd' xmlns:rbd='http://libvirt.org/schemas/storagepool/rbd/1.0'>\n"
                "  <name>ceph</name>\n"
                "  <uuid>" UUID "</uuid>\n"
                "  <capacity unit='bytes'>0</capacity>\n"
                "  <allocation unit='bytes'>0</allocation>\n"
                "  <available unit='bytes'>0</available>\n"
                "  <source>\n"
                "    <host name='localhost' port='6789'/>\n"
                "    <host name='fe80::1' port='6790'/>\n"
                "    <host name='fe80::2'/>\n"
                "    <name>rbd</name>\n"
                "    <auth type='ceph' username='admin'>\n"
                "      <secret uuid='2ec115d7-3a88-3ceb-bc12-0ac909a6fd87'/>\n"
                "    </auth>\n"
                "  </source>\n"
                "  <rbd:config_opts>\n"
                "    <rbd:option name='client_mount_timeout' value='45'/>\n"
                "    <rbd:option name='rados_mon_op_timeout' value='a=b'/>\n"
                "  </rbd:config_opts>\n"
                "</pool>\n";
        static const char *const documents[] = { netfs, rbd };

        FOREACH_ELEMENT (document, documents) {
                _cleanup_definition_ Definition *d = must_read(*document, 0);
                _cleanup_free_ char *xml = must_write(d);

                CHECK_STREQ(xml, *document);
                check_round_trip(d);
                if (streq(d->type, "rbd")) {
                        char *const *hosts = bag_get_strv(d->options, "source.hosts");

                        CHECK_EQ(strv_length(hosts), 3);
                        CHECK_STREQ(hosts[1], "[fe80::1]:6790");
                        CHECK_STREQ(hosts[2], "fe80::2");
                        CHECK_STREQ(bag_get_strv(d->options, "config")[1], "rados_mon_op_timeout=a=b");
                }
        }
}

/* Names of the documents' prefixes do not matter, their namespaces do. */
static void foreign_prefixes(void)
{
        _cleanup_definition_ Definition *d =
                must_read("<pool type='netfs' xmlns:x='http://libvirt.org/schemas/storagepool/fs/1.0'>"
                          "<name>a</name><source><host name='h'/><dir path='/d'/></source>" TARGET
                          "<x:mount_opts><x:option name='sync'/></x:mount_opts></pool>",
                          0);

        CHECK_STREQ(bag_get_strv(d->options, "mount-options")[0], "sync");
        refused_unless_lax("<pool type='dir' xmlns:fs='http://example.org/other'><name>a</name>" TARGET
                           "<fs:mount_opts/></pool>",
                           "unknown element <mount_opts> in <pool>");
        refused("<pool type='dir' xmlns='http://example.org/other'><name>a</name>" TARGET "</pool>",
                "not a <pool>");
}

static const struct {
        const char *name;
        const char *texts[4];
} samples[] = {
        { "description", { "a <b> & \"c\" 'd' \t\n  ü 😀", " blanks around " } },
        { "purpose", { "media" } },
        { "reserved", { "10%", "5GiB" } },
        { "target.permissions.mode", { "0", "0777", "0007" } },
        { "target.permissions.owner", { "0", "4294967294" } },
        { "target.permissions.group", { "1000" } },
        { "target.permissions.label", { "system_u:object_r:virt_image_t:s0:c1,c2" } },
        { "volume.mode", { "0640" } },
        { "volume.owner", { "107" } },
        { "volume.group", { "0" } },
        { "volume.label", { "l" } },
        { "volume.format", { "qcow2" } },
        { "cache", { "none", "directsync" } },
        { "aio", { "native", "io_uring" } },
        { "refresh.volume.allocation", { "capacity" } },
        { "source.name", { "vg0" } },
        { "source.hosts", { "h", "h:1", "[fe80::1]:65535", "fe80::1" } },
        { "source.devices", { "/dev/sda", "/dev/disk/by-id/x'y" } },
        { "source.part-separator", { "no", "yes" } },
        { "source.dir", { "/a b" } },
        { "source.format", { "ext4" } },
        { "cow", { "yes", "no" } },
        { "quick", { "yes", "no" } },
        { "size", { "0", "9223372036854775807" } },
        { "depth", { "0", "4294967295" } },
        { "words", { "one", " two ", "<three/>" } },
        { "kept", { "3%", "1024" } },
        { "mount-options", { "vers=4.2", "soft" } },
        { "config", { "a=b", "without", "=c", "d=" } },
        { "o.string", { "a\tb\nc'd\"e", " " } },
        { "o.bool", { "yes", "no" } },
        { "o.size", { "1048577" } },
        { "o.uint", { "7" } },
        { "o.mode", { "0711" } },
        { "o.id", { "65534" } },
        { "o.path", { "//a/./b" } },
        { "o.enum", { "green" } },
        { "o.strv", { "a", "b,c", "d=e" } },
        { "o.hosts", { "h:1", "::1" } },
        { "o.reserve", { "25%" } },
};

static void set_sample(const OptionSpec *spec, const char *text, Bag *b)
{
        _cleanup_error_ Error e = ERROR_NULL;

        if (option_set_text(spec, text, b, &e) < 0)
                TEST_FAIL("%s: %s", spec->name, e.message);
}

static Definition *must_define(const Bag *b)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Definition *d = NULL;

        if (definition_from_bag("a", "every", b, test_pool_table("every", NULL), &d, &e) < 0)
                TEST_FAIL("%s", e.message);
        return d;
}

/* One spelling of a host, whichever way it came. */
static void hosts(void)
{
        _cleanup_definition_ Definition *d = NULL, *zero = NULL;
        _cleanup_bag_ Bag *b = bag_new();

        CHECK_OK(bag_set_string(b, "target.path", "/a"));
        CHECK_OK(bag_add_strv(b, "source.hosts", "[fe80::1]"));
        CHECK_OK(bag_add_strv(b, "source.hosts", "[fe80::1]:7"));
        d = must_define(b);
        CHECK_STREQ(bag_get_strv(d->options, "source.hosts")[0], "fe80::1");
        CHECK_STREQ(bag_get_strv(d->options, "source.hosts")[1], "[fe80::1]:7");
        check_round_trip(d);

        zero = must_read("<pool type='every'><name>a</name><source><host name='h' port='0'/></source>" TARGET
                         "</pool>",
                         0);
        CHECK_STREQ(bag_get_strv(zero->options, "source.hosts")[0], "h");
        refused("<pool type='every'><name>a</name><source><host name='h' port='65536'/></source>" TARGET
                "</pool>",
                "line 1: option 'source.hosts'");
}

/* Every option of the table with every sample alone, and all of them together. */
static void every_option_round_trips(void)
{
        const OptionTable *table = test_pool_table("every", NULL);
        _cleanup_bag_ Bag *all = bag_new();
        size_t covered = 0;

        FOREACH_ELEMENT (s, samples) {
                const OptionSpec *spec = option_find(table, s->name);

                CHECK(spec);
                covered++;
                for (size_t i = 0; i < ELEMENTSOF(s->texts) && s->texts[i]; i++) {
                        _cleanup_definition_ Definition *d = NULL;
                        _cleanup_bag_ Bag *b = bag_new();

                        CHECK_OK(bag_set_string(b, "target.path", "/a"));
                        if (streq(s->name, "aio"))
                                CHECK_OK(bag_set_string(b, "cache", "none"));
                        set_sample(spec, s->texts[i], b);
                        set_sample(spec, s->texts[i], all);
                        d = must_define(b);
                        CHECK(bag_has(d->options, s->name));
                        check_round_trip(d);
                }
        }
        CHECK_EQ(covered, table->n_specs - 3); /* the path, a secret, a descriptor */
        {
                _cleanup_definition_ Definition *d = NULL;

                CHECK_OK(bag_set_string(all, "target.path", "/a"));
                d = must_define(all);
                CHECK_EQ(bag_size(d->options), covered + 1);
                check_round_trip(d);
        }
}

static void secrets_stay_inside(void)
{
        const OptionTable *table = test_pool_table("every", NULL);
        _cleanup_definition_ Definition *d = NULL;
        _cleanup_bag_ Bag *b = bag_new(), *shown = NULL;
        _cleanup_free_ char *xml = NULL;

        CHECK_OK(bag_set_string(b, "target.path", "/a"));
        CHECK_OK(bag_set_string(b, "password", "hunter2"));
        CHECK_OK(bag_set_fd(b, "key", dup(0)));
        d = must_define(b);
        xml = must_write(d);
        CHECK(!strstr(xml, "hunter2") && !strstr(xml, "password") && !strstr(xml, "key"));
        CHECK_OK(definition_to_bag(d, table, &shown));
        CHECK(!bag_has(shown, "password") && !bag_has(shown, "key"));
        CHECK_STREQ(bag_get_string(shown, "name"), "a");
        CHECK_STREQ(bag_get_string(shown, "type"), "every");
        CHECK_STREQ(bag_get_string(shown, "uuid"), d->uuid);
        refused("<pool type='every'><name>a</name>" TARGET "<source><password>x</password></source></pool>",
                "option password is a secret");
        refused("<pool type='every' xmlns:pk='" POOL_XML_NAMESPACE "'><name>a</name>" TARGET
                "<pk:options><pk:option name='key' value='0'/></pk:options></pool>",
                "option key is a secret or a descriptor");
}

static void bag_form(void)
{
        const OptionTable *table = test_pool_table("dir", NULL);
        _cleanup_definition_ Definition *d = NULL, *again = NULL, *copy = NULL, *none = NULL;
        _cleanup_bag_ Bag *b = bag_new(), *shown = NULL;
        Error e = ERROR_NULL;

        CHECK_OK(bag_set_string(b, "uuid", "70A7EB156C34EE9CBF5769E8E5FF3FB2"));
        CHECK_ERROR(definition_from_bag("a", "dir", b, table, &none, &e), &e,
                    ERROR_INVALID_DEFINITION); /* no path */
        CHECK_ERROR(definition_from_bag("a", "dir", NULL, table, &none, &e), &e, ERROR_INVALID_DEFINITION);
        CHECK_OK(bag_set_string(b, "target.path", ""));
        CHECK_ERROR(definition_from_bag("a", "dir", b, table, &none, &e), &e, ERROR_INVALID_DEFINITION);
        CHECK_OK(bag_set_string(b, "target.path", "/srv//images/"));
        CHECK_OK(bag_set_string(b, "description", "")); /* not given */
        CHECK_ERROR(definition_from_bag("a/b", "dir", b, table, &none, &e), &e, ERROR_INVALID_NAME);
        CHECK_OK(definition_from_bag("a", "dir", b, table, &d, &e));
        CHECK_STREQ(d->uuid, UUID);
        CHECK_STREQ(bag_get_string(d->options, "target.path"), "/srv/images");
        CHECK(!bag_has(d->options, "description") && !bag_has(d->options, "uuid"));

        /* what GetDefinition() shows can be given back */
        CHECK_OK(definition_to_bag(d, table, &shown));
        CHECK_OK(definition_from_bag("a", "dir", shown, table, &again, &e));
        CHECK(definition_equal(d, again));
        CHECK_ERROR(definition_from_bag("b", "dir", shown, table, &none, &e), &e, ERROR_INVALID_ARGS);
        CHECK_ERROR(definition_from_bag("a", "every", shown, table, &none, &e), &e, ERROR_INVALID_ARGS);

        copy = definition_copy(d);
        CHECK(copy && definition_equal(d, copy) && copy->options != d->options);

        CHECK_OK(bag_set_string(b, "uuid", "70a7"));
        CHECK_ERROR(definition_from_bag("a", "dir", b, table, &none, &e), &e, ERROR_INVALID_DEFINITION);
        CHECK_OK(bag_set_u32(b, "uuid", 7));
        CHECK_ERROR(definition_from_bag("a", "dir", b, table, &none, &e), &e, ERROR_INVALID_ARGS);
        bag_remove(b, "uuid");
        CHECK_OK(bag_set_string(b, "nonsense", "x"));
        CHECK_ERROR(definition_from_bag("a", "dir", b, table, &none, &e), &e, ERROR_INVALID_ARGS);
        bag_remove(b, "nonsense");
        CHECK_OK(bag_set_string(b, "aio", "native"));
        CHECK_ERROR(definition_from_bag("a", "dir", b, table, &none, &e), &e, ERROR_INVALID_DEFINITION);
        CHECK(!none);
}

/* What XML cannot carry is refused before it is in a definition. */
static void unprintable_text(void)
{
        static const char *const texts[] = { "a\001b", "a\177\001", "\xff", "\xef\xbf\xbe" /* U+FFFE */ };
        const OptionTable *table = test_pool_table("every", NULL);

        FOREACH_ELEMENT (text, texts) {
                _cleanup_bag_ Bag *b = bag_new(), *list = bag_new();
                _cleanup_definition_ Definition *d = NULL;
                Error e = ERROR_NULL;

                CHECK_OK(bag_set_string(b, "target.path", "/a"));
                CHECK_OK(bag_set_string(b, "o.string", *text));
                CHECK_ERROR(definition_from_bag("a", "every", b, table, &d, &e), &e,
                            ERROR_INVALID_DEFINITION);
                CHECK_OK(bag_set_string(list, "target.path", "/a"));
                CHECK_OK(bag_add_strv(list, "o.strv", *text));
                CHECK_ERROR(definition_from_bag("a", "every", list, table, &d, &e), &e,
                            ERROR_INVALID_DEFINITION);
        }
}

static void list_limits(void)
{
        const OptionTable *table = test_pool_table("every", NULL);
        _cleanup_bag_ Bag *b = bag_new();
        _cleanup_definition_ Definition *d = NULL, *more = NULL;
        _cleanup_free_ char *xml = NULL;
        Error e = ERROR_NULL;
        size_t size;
        FILE *f;

        CHECK_OK(bag_set_string(b, "target.path", "/a"));
        for (size_t i = 0; i < 256; i++)
                CHECK_OK(bag_add_strv(b, "words", "w"));
        CHECK_OK(definition_from_bag("a", "every", b, table, &d, &e));
        check_round_trip(d);
        CHECK_OK(bag_add_strv(b, "words", "w"));
        CHECK_ERROR(definition_from_bag("a", "every", b, table, &more, &e), &e, ERROR_INVALID_DEFINITION);

        f = open_memstream(&xml, &size);
        CHECK(f);
        fputs("<pool type='every'><name>a</name><target><path>/a</path>", f);
        for (size_t i = 0; i < 257; i++)
                fputs("<word>w</word>", f);
        fputs("</target></pool>", f);
        fclose(f);
        refused(xml, "line 1: option words has more than 256 items");
}

static void strict_refuses(void)
{
        refused_unless_lax(DIR("\n<foo/>"), "line 2: unknown element <foo> in <pool>");
        refused_unless_lax(DIR("<name>b</name>"), "element <name> in <pool> is given twice");
        refused_unless_lax("<pool type='dir' x='1'><name>a</name>" TARGET "</pool>",
                           "line 1: unknown attribute 'x' of <pool>");
        refused_unless_lax(DIR("<source>\n\n<device path='/dev/sda'/></source>"),
                           "line 3: element <device> in <source> is not taken by pools of type 'dir'");
        refused_unless_lax(DIR("<source><name>x</name></source>"),
                           "element <name> in <source> is not taken");
        refused_unless_lax(DIR("<features>yes</features>"), "<features> does not take text");
        refused_unless_lax(DIR("words"), "<pool> does not take text");
        refused_unless_lax(DIR("<name x='1'/>"), "<name> in <pool> is given twice");
        refused_unless_lax(DIR("<uuid kind='1'/>"), "unknown attribute 'kind' of <uuid>");
        refused_unless_lax(DIR("<features><cow state='yes' x=''/></features>"),
                           "unknown attribute 'x' of <cow>");
        refused_unless_lax(DIR("<features><cow state='yes'><b/></cow></features>"),
                           "unknown element <b> in <cow>");
        refused_unless_lax("<pool type='every' xmlns:pk='" POOL_XML_NAMESPACE "'><name>a</name>" TARGET
                           "<pk:options><pk:option name='nonsense' value='x'/></pk:options></pool>",
                           "unknown option 'nonsense', not taken by pools of type 'every'");
        refused_unless_lax("<pool type='every' xmlns:pk='" POOL_XML_NAMESPACE "'><name>a</name>" TARGET
                           "<pk:options><pk:option name='target.path' value='/b'/></pk:options></pool>",
                           "option target.path is given twice");
        refused_unless_lax(
                "<pool type='every'><name>a</name><target><path>/a</path><path>/b</path></target></pool>",
                "element <path> in <target> is given twice");
        refused_unless_lax("<pool type='netfs'><name>a</name><source><host name='h' transport='tcp'/><dir "
                           "path='d'/></source>" TARGET "</pool>",
                           "unknown attribute 'transport' of <host>");
}

static void always_refused(void)
{
        refused("", "");
        refused("<pool", "line 1: not well-formed XML");
        refused("<pool type='dir'>\n<name>a</nam>", "line 2: not well-formed XML");
        refused("<volume/>", "not a <pool>");
        refused("<pool><name>a</name>" TARGET "</pool>", "<pool> has no type");
        refused("<pool type='dir'>" TARGET "</pool>", "the pool has no <name>");
        refused("<pool type='dir'><name/>" TARGET "</pool>", "the pool has no <name>");
        refused("<pool type='dir'><name>a</name></pool>", "target.path (target/path)");
        refused("<pool type='dir'><name>a</name><target><path></path></target></pool>", "target.path");
        refused("<pool type='netfs'><name>a</name></pool>",
                "source.hosts (source/host), source.dir (source/dir@path), target.path");
        refused(DIR("\n<uuid>70a7</uuid>"), "line 2: '70a7' is not a UUID");
        refused("<pool type='dir'><name>a</name><target><path>relative</path></target></pool>", "line 1: ");
        refused("<pool "
                "type='dir'><name>a</name><target><path>/a</path><permissions><owner/></permissions></"
                "target></pool>",
                "owner");
        refused(DIR("<features><cow state='maybe'/></features>"),
                "line 1: option 'features.cow' cannot be 'maybe'");
        refused("<pool type='netfs'><name>a</name><source><host/><dir path='d'/></source>" TARGET "</pool>",
                "<host> needs the attribute 'name'");
        refused("<pool type='every'><name>a</name><source><device/></source>" TARGET "</pool>",
                "<device> needs the attribute 'path'");
        refused("<pool type='every' "
                "xmlns:rbd='http://libvirt.org/schemas/storagepool/rbd/1.0'><name>a</name>" TARGET
                "<rbd:config_opts><rbd:option name='a'/></rbd:config_opts></pool>",
                "<option> needs the attribute 'value'");
        check_refused("<pool type='dir'><name>a/b</name>" TARGET "</pool>", ERROR_INVALID_NAME,
                      "line 1: ", true);
        check_refused("<pool type='floppy'><name>a</name></pool>", ERROR_BACKEND_UNAVAILABLE, "'floppy'",
                      true);
}

static void permissions(void)
{
        static const char *const bad[] = { "01777", "0x1", "abc", "-1", "0888" };
        _cleanup_definition_ Definition *unset =
                must_read("<pool type='dir'><name>a</name><target><path>/a</path><permissions>"
                          "<mode/><owner>-1</owner><group>4294967295</group><label/>"
                          "</permissions></target></pool>",
                          0);

        CHECK_EQ(bag_size(unset->options), 1);
        check_round_trip(unset);
        FOREACH_ELEMENT (mode, bad) {
                _cleanup_free_ char *xml = NULL;

                CHECK(asprintf(&xml,
                               "<pool "
                               "type='dir'><name>a</name><target><path>/a</path><permissions><mode>%s</mode>"
                               "</permissions></target></pool>",
                               *mode) > 0);
                refused(xml, "target.permissions.mode");
        }
        refused("<pool "
                "type='dir'><name>a</name><target><path>/a</path><permissions><owner>-2</owner></"
                "permissions></target></pool>",
                "target.permissions.owner");
}

/* Types that take a source name: the pool's name and the source's stand in for each other. */
static void source_names(void)
{
        _cleanup_definition_ Definition
                *a = must_read("<pool type='logical'><name>vg0</name></pool>", 0),
                *b = must_read("<pool type='logical'><source><name>vg1</name></source></pool>", 0),
                *c = must_read("<pool type='rbd'><source><name>rbd</name><host name='h'/></source></pool>",
                               0);

        CHECK_STREQ(bag_get_string(a->options, "source.name"), "vg0");
        CHECK_STREQ(b->name, "vg1");
        CHECK_STREQ(c->name, "rbd");
        refused("<pool type='rbd'><name>a</name><source><host name='h'/></source></pool>", "source.name");
        check_round_trip(a);
}

static void generated_uuid(void)
{
        _cleanup_definition_ Definition *a = must_read(DIR("<uuid/>"), 0), *b = must_read(DIR(""), 0);

        CHECK_EQ(strlen(a->uuid), 36);
        CHECK_EQ(strlen(b->uuid), 36);
        CHECK(!streq(a->uuid, b->uuid));
}

/* libvirt: of several, the first; of an empty one, none. */
static void lax_takes_the_first(void)
{
        _cleanup_definition_ Definition *d =
                must_read("<pool type='dir' x='y'><name>a</name><name>b</name>"
                          "<target><path>/first/</path><path>/second</path></target>"
                          "<target><path>/third</path></target></pool>",
                          DEFINITION_LAX);

        CHECK_STREQ(d->name, "a");
        CHECK_STREQ(bag_get_string(d->options, "target.path"), "/first");
}

static void sizes_with_units(void)
{
        _cleanup_definition_ Definition *d =
                must_read("<pool type='every'><name>a</name><target><path>/a</path>"
                          "<size unit='KiB'>3</size></target></pool>",
                          0);

        CHECK_EQ(bag_get_u64(d->options, "size", 0), 3072);
        refused("<pool type='every'><name>a</name><target><path>/a</path><size "
                "unit='ell'>3</size></target></pool>",
                "line 1: ");
        refused("<pool type='every'><name>a</name><target><path>/a</path><size "
                "unit='E'>9</size></target></pool>",
                "line 1: ");
        refused("<pool type='every'><name>a</name><target><path>/a</path><size>1.5</size></target></pool>",
                "line 1: ");
}

int main(void)
{
        RUN(as_libvirt_prints);
        RUN(namespaces_as_libvirt_prints);
        RUN(foreign_prefixes);
        RUN(hosts);
        RUN(every_option_round_trips);
        RUN(secrets_stay_inside);
        RUN(bag_form);
        RUN(unprintable_text);
        RUN(list_limits);
        RUN(strict_refuses);
        RUN(always_refused);
        RUN(permissions);
        RUN(source_names);
        RUN(generated_uuid);
        RUN(lax_takes_the_first);
        RUN(sizes_with_units);
        return 0;
}
