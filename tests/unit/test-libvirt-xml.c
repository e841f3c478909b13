/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking over what libvirt has in /etc/libvirt/storage: files as libvirtd 9.0 wrote them, and sloppy ones
 * that it reads. */
#include "definition.h"
#include "test.h"
#include "xml-tables.h"

#define HEADER                                                                            \
        "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE\n" \
        "OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:\n" \
        "  virsh pool-edit default\nor other application using the libvirt API.\n-->\n\n"
#define NUMBERS                                                                              \
        "  <capacity unit='bytes'>0</capacity>\n  <allocation unit='bytes'>0</allocation>\n" \
        "  <available unit='bytes'>0</available>\n"
#define UUID "  <uuid>70a7eb15-6c34-ee9c-bf57-69e8e5ff3fb2</uuid>\n"

static const char dir_xml[] =
        HEADER "<pool type='dir'>\n  <name>default</name>\n" UUID NUMBERS "  <source>\n  </source>\n"
               "  <target>\n    <path>/var/lib/libvirt/images</path>\n"
               "    <permissions>\n      <mode>0711</mode>\n      <owner>0</owner>\n"
               "      <group>0</group>\n    </permissions>\n  </target>\n</pool>\n";

/* What a directory pool has no use for, and libvirt reads and drops or echoes. */
static const char sloppy_xml[] =
        "<pool type='dir' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0' xmlns:q='urn:q' "
        "q:x='y'>\n"
        "  <name>iso</name>\n  <name>second</name>\n"
        "  <uuid>70A7EB156C34EE9CBF5769E8E5FF3FB2</uuid>\n"
        "  <capacity unit='GiB'>nonsense</capacity>\n"
        "  <features><cow state='no'/><future/></features>\n"
        "  <source>\n    <host name='h' port='99999'/>\n    <device path='/dev/sda'><freeExtent start='1' "
        "end='2'/></device>\n"
        "    <dir path='/x'/>\n    <adapter type='scsi_host' name='host3'/>\n    <name>n</name>\n"
        "    <initiator><iqn name='iqn.2013-06.com.example:i'/></initiator>\n    <format type='anything'/>\n"
        "    <auth type='chap' username='u'><secret usage='s'/></auth>\n    <protocol ver='3'/>\n"
        "    <vendor name='v'/>\n    <product name='p'/>\n  </source>\n"
        "  <target dev='x'>text<path>//srv///iso/</path><path/>\n"
        "    <permissions>\n      <mode>  0755</mode><owner>-1</owner><group>4294967295</group><label/>\n   "
        " </permissions>\n"
        "    <encryption format='luks'/>\n  </target>\n"
        "  <refresh><volume allocation='capacity'/></refresh>\n"
        "  <fs:mount_opts><fs:option name='sync'/></fs:mount_opts>\n  <q:mine/>\n</pool>\n";

static const char fs_xml[] =
        "<pool type='fs'>\n  <name>data</name>\n" UUID NUMBERS
        "  <source>\n    <device path='/dev/vdb1'/>\n    <format type='ext4'/>\n  </source>\n"
        "  <target>\n    <path>/mnt/data</path>\n  </target>\n</pool>\n";

static const char netfs_xml[] =
        "<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'>\n"
        "  <name>nfs</name>\n" UUID NUMBERS
        "  <source>\n    <host name='nfs.example.com'/>\n    <dir path='/export/images'/>\n"
        "    <format type='nfs'/>\n    <protocol ver='4.2'/>\n  </source>\n"
        "  <target>\n    <path>/mnt/nfs</path>\n  </target>\n"
        "  <fs:mount_opts>\n    <fs:option name='noatime'/>\n  </fs:mount_opts>\n</pool>\n";

static const char logical_xml[] =
        "<pool type='logical'>\n  <name>HostVG</name>\n" UUID NUMBERS
        "  <source>\n    <device path='/dev/sdb1'/>\n    <device path='/dev/sdc1'/>\n"
        "    <name>HostVG</name>\n    <format type='lvm2'/>\n  </source>\n"
        "  <target>\n    <path>/dev/HostVG</path>\n  </target>\n</pool>\n";

static const char iscsi_xml[] =
        "<pool type='iscsi'>\n  <name>san</name>\n" UUID NUMBERS
        "  <source>\n    <host name='iscsi.example.com' port='3260'/>\n"
        "    <device path='iqn.2013-06.com.example:iscsi-pool'/>\n"
        "    <initiator>\n      <iqn name='iqn.2013-06.com.example:iscsi-initiator'/>\n    </initiator>\n"
        "    <auth type='chap' username='redhat'>\n      <secret usage='libvirtiscsi'/>\n    </auth>\n"
        "    <vendor name='test-vendor'/>\n    <product name='test-product'/>\n  </source>\n"
        "  <target>\n    <path>/dev/disk/by-path</path>\n  </target>\n</pool>\n";

static const char rbd_xml[] =
        "<pool type='rbd'>\n  <name>ceph</name>\n" UUID NUMBERS
        "  <source>\n    <host name='mon1' port='6789'/>\n    <host name='2001:db8::2'/>\n"
        "    <name>rbd</name>\n    <auth type='ceph' username='admin'>\n"
        "      <secret uuid='2ec115d7-3a88-3ceb-bc12-0ac909a6fd87'/>\n    </auth>\n  </source>\n"
        "</pool>\n";

static int read_lax(const char *xml, Definition **ret, Error *e)
{
        return definition_from_xml(xml, strlen(xml), DEFINITION_LAX, test_pool_table, NULL, ret, e);
}

static Definition *must_read(const char *xml)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Definition *d = NULL;

        if (read_lax(xml, &d, &e) < 0)
                TEST_FAIL("%s", e.message);
        return d;
}

static void directory_pool(void)
{
        _cleanup_definition_ Definition *d = must_read(dir_xml), *strict = NULL;
        Error e = ERROR_NULL;

        CHECK_STREQ(d->name, "default");
        CHECK_STREQ(d->type, "dir");
        CHECK_STREQ(d->uuid, "70a7eb15-6c34-ee9c-bf57-69e8e5ff3fb2");
        CHECK_EQ(bag_size(d->options), 4);
        CHECK_STREQ(bag_get_string(d->options, "target.path"), "/var/lib/libvirt/images");
        CHECK_EQ(bag_get_u32(d->options, "target.permissions.mode", 0), 0711);
        CHECK_EQ(bag_get_u32(d->options, "target.permissions.owner", 1), 0);
        CHECK_EQ(bag_get_u32(d->options, "target.permissions.group", 1), 0);
        CHECK_OK(definition_from_xml(dir_xml, strlen(dir_xml), 0, test_pool_table, NULL, &strict, &e));
        CHECK(bag_equal(d->options, strict->options));
}

/* Printed again, nothing of what was dropped is left, and the strict reader takes it. */
static void sloppy_directory_pool(void)
{
        _cleanup_definition_ Definition *d = must_read(sloppy_xml), *strict = NULL;
        _cleanup_free_ char *xml = NULL;
        Error e = ERROR_NULL;

        CHECK_ERROR(
                definition_from_xml(sloppy_xml, strlen(sloppy_xml), 0, test_pool_table, NULL, &strict, &e),
                &e, ERROR_INVALID_DEFINITION);
        CHECK_STREQ(d->name, "iso");
        CHECK_STREQ(d->uuid, "70a7eb15-6c34-ee9c-bf57-69e8e5ff3fb2");
        CHECK_STREQ(bag_get_string(d->options, "target.path"), "//srv/iso");
        CHECK_EQ(bag_get_u32(d->options, "target.permissions.mode", 0), 0755);
        CHECK(!bag_get_bool(d->options, "features.cow", true));
        CHECK_STREQ(bag_get_string(d->options, "refresh.volume.allocation"), "capacity");
        CHECK_EQ(bag_size(d->options), 4);
        CHECK_OK(definition_to_xml(d, test_pool_table("dir", NULL), NULL, &xml));
        CHECK(!strstr(xml, "auth") && !strstr(xml, "host") && !strstr(xml, "mount_opts"));
        CHECK_OK(definition_from_xml(xml, strlen(xml), 0, test_pool_table, NULL, &strict, &e));
        CHECK(bag_equal(d->options, strict->options));
}

static void other_types(void)
{
        _cleanup_definition_ Definition *netfs = must_read(netfs_xml), *logical = must_read(logical_xml),
                                        *rbd = must_read(rbd_xml);

        CHECK_EQ(bag_size(netfs->options), 6);
        CHECK_STREQ(bag_get_strv(netfs->options, "mount-options")[0], "noatime");
        CHECK_STREQ(bag_get_string(netfs->options, "source.protocol"), "4.2");
        CHECK_EQ(bag_size(logical->options), 3); /* the target path is always /dev/NAME */
        CHECK_STREQ(bag_get_strv(logical->options, "source.devices")[1], "/dev/sdc1");
        CHECK_STREQ(bag_get_strv(rbd->options, "source.hosts")[0], "mon1:6789");
        CHECK_STREQ(bag_get_strv(rbd->options, "source.hosts")[1], "2001:db8::2");
        CHECK_STREQ(bag_get_string(rbd->options, "auth.secret"), "2ec115d7-3a88-3ceb-bc12-0ac909a6fd87");
}

/* A pool whose type no backend serves stays where it is, and the reason names the type. */
static void types_without_backend(void)
{
        static const char *const documents[] = { fs_xml, iscsi_xml };

        FOREACH_ELEMENT (xml, documents) {
                _cleanup_definition_ Definition *d = NULL;
                Error e = ERROR_NULL;

                CHECK_ERROR(read_lax(*xml, &d, &e), &e, ERROR_BACKEND_UNAVAILABLE);
                CHECK(!d);
        }
}

/* libvirt does not accept these either. */
static void still_refused(void)
{
        static const char *const documents[] = {
                "<pool type='dir'><name>a</name></pool>",
                "<pool "
                "type='dir'><name>a</name><target><path>/a</path><permissions><mode>01777</mode></"
                "permissions></target></pool>",
                "<pool "
                "type='dir'><name>a</name><target><path>/a</path><permissions><owner/></permissions></"
                "target></pool>",
                "<pool type='dir'><name>a</name><uuid>x</uuid><target><path>/a</path></target></pool>",
                "<pool type='netfs'><name>a</name><source><host/><dir "
                "path='/d'/></source><target><path>/a</path></target></pool>",
                "<pool type='dir'><name>a</name><features><cow "
                "state='x'/></features><target><path>/a</path></target></pool>",
        };

        FOREACH_ELEMENT (xml, documents) {
                _cleanup_definition_ Definition *d = NULL;
                Error e = ERROR_NULL;

                CHECK_ERROR(read_lax(*xml, &d, &e), &e, ERROR_INVALID_DEFINITION);
        }
}

int main(void)
{
        RUN(directory_pool);
        RUN(sloppy_directory_pool);
        RUN(other_types);
        RUN(types_without_backend);
        RUN(still_refused);
        return 0;
}
