/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Headers made by hand: formats that no tool here writes, and lies that none would tell. */
#include <endian.h>
#include <sys/mman.h>

#include "image/image.h"
#include "test.h"

/* An image in memory that is written field by field. */
typedef struct File {
        int fd;
        uint64_t size;
} File;

static void file_done(File *f)
{
        safe_close(f->fd);
}

#define _cleanup_file_ _cleanup_(file_done)

static File file_new(uint64_t size)
{
        File f = { memfd_create("image", MFD_CLOEXEC), size };

        CHECK(f.fd >= 0 && ftruncate(f.fd, (off_t)size) == 0);
        return f;
}

static void put(File *f, uint64_t at, const void *bytes, size_t n)
{
        CHECK(pwrite(f->fd, bytes, n, (off_t)at) == (ssize_t)n);
}

static void put_text(File *f, uint64_t at, const char *text)
{
        put(f, at, text, strlen(text));
}

static void put_be32(File *f, uint64_t at, uint32_t v)
{
        put(f, at, &(uint32_t){ htobe32(v) }, 4);
}

static void put_be64(File *f, uint64_t at, uint64_t v)
{
        put(f, at, &(uint64_t){ htobe64(v) }, 8);
}

static void put_le32(File *f, uint64_t at, uint32_t v)
{
        put(f, at, &(uint32_t){ htole32(v) }, 4);
}

static void put_le64(File *f, uint64_t at, uint64_t v)
{
        put(f, at, &(uint64_t){ htole64(v) }, 8);
}

static void put_utf16(File *f, uint64_t at, const char *ascii, bool big_endian)
{
        for (; *ascii; ascii++, at += 2)
                put(f, at, (const char[]){ big_endian ? 0 : *ascii, big_endian ? *ascii : 0 }, 2);
}

static ImageInfo probe(const File *f)
{
        ImageInfo i = IMAGE_INFO_NULL;

        CHECK_EQ(image_probe(f->fd, f->size, IMAGE_PROBE_CONTENT, &i), 0);
        return i;
}

/* It is this format, of this capacity, and nothing is wrong. */
static void check_good(const File *f, ImageFormat format, uint64_t capacity)
{
        _cleanup_image_ ImageInfo i = probe(f);

        CHECK_STREQ(i.error, NULL);
        CHECK_EQ(i.format, format);
        CHECK_EQ(i.capacity, capacity);
}

/* It keeps its format, has the file's size for a capacity, and says `why`. */
static void check_bad(const File *f, ImageFormat format, const char *why)
{
        _cleanup_image_ ImageInfo i = probe(f);

        CHECK_EQ(i.format, format);
        CHECK_EQ(i.capacity, f->size);
        CHECK(i.error);
        if (!strstr(i.error, why))
                CHECK_STREQ(i.error, why);
}

/* A qcow2 of version 3 with 64 KiB clusters and a capacity of 1 GiB. */
static File qcow2_new(void)
{
        File f = file_new(262144);

        put_text(&f, 0, "QFI\xfb");
        put_be32(&f, 4, 3);
        put_be32(&f, 20, 16);
        put_be64(&f, 24, UINT64_C(1) << 30);
        put_be32(&f, 36, 2);
        put_be64(&f, 40, 196608);
        put_be32(&f, 96, 4);
        put_be32(&f, 100, 104);
        return f;
}

static void nothing(void)
{
        _cleanup_file_ File empty = file_new(0), tiny = file_new(3), zero = file_new(1 << 20);

        check_good(&empty, FORMAT_RAW, 0);
        put_text(&tiny, 0, "QFI");
        check_good(&tiny, FORMAT_RAW, 3);
        check_good(&zero, FORMAT_RAW, 1 << 20);
}

static void io_errors(void)
{
        ImageInfo i = { .format = FORMAT_VDI };

        CHECK_EQ(image_probe(-1, 4096, 0, &i), -EBADF);
        CHECK_EQ(i.format, FORMAT_VDI);
}

static void qcow2_lies(void)
{
        static const struct {
                unsigned at;
                uint64_t value; /* 8 bytes, big-endian */
                const char *why;
        } lies[] = {
                { 0, UINT64_C(0x514649fb00000004), "version 4" },
                { 8, UINT64_MAX, "the name of the backing file is behind" },
                { 16, UINT64_C(0x0000000000000008), "2^8" },
                { 16, UINT64_C(0x0000000000000016), "2^22" },
                { 16, UINT64_C(0x00000000ffffffff), "2^4294967295" },
                { 24, UINT64_MAX, "L1 entries" },
                { 24, UINT64_C(1) << 63, "L1 entries" },
                { 32, UINT64_C(0x0000000300000002), "encryption method 3" },
                { 32, UINT64_C(0x00000000ffffffff), "the L1 table is behind" },
                { 40, UINT64_MAX - 3, "the L1 table is behind" },
                { 56, UINT64_C(0x00000001ffffffff), "snapshots" },
                { 72, 1 << 5, "features that are not known (0x20)" },
                { 96, UINT64_C(0x0000000700000068), "2^7 bits" },
                { 96, UINT64_C(0x0000000400000067), "header of 103" },
                { 96, UINT64_C(0x00000004fffffff8), "header of 4294967288" },
                { 104, UINT64_C(0xe2792acaffffffff), "does not fit" },
                { 104, UINT64_C(0xe2792aca00000010), "backing format has 16" },
                { 104, UINT64_C(0x4441544100000400), "data file has 1024" },
        };
        _cleanup_file_ File good = qcow2_new();

        check_good(&good, FORMAT_QCOW2, UINT64_C(1) << 30);
        FOREACH_ELEMENT (l, lies) {
                _cleanup_file_ File f = qcow2_new();

                put_be64(&f, l->at, l->value);
                check_bad(&f, FORMAT_QCOW2, l->why);
        }
}

static void qcow2_more_lies(void)
{
        _cleanup_file_ File huge = qcow2_new(), name = qcow2_new(), many = qcow2_new(), small = qcow2_new();
        _cleanup_file_ File extended = qcow2_new();

        /* a capacity over 2^63 with an L1 table that would cover it */
        put_be32(&huge, 20, 21);
        put_be64(&huge, 24, (UINT64_C(1) << 63) + 512);
        put_be32(&huge, 36, 1 << 25);
        huge.size = UINT64_C(1) << 40;
        check_bad(&huge, FORMAT_QCOW2, "more than any disk");

        put_be64(&name, 8, 512);
        put_be32(&name, 16, 1024);
        check_bad(&name, FORMAT_QCOW2, "1024 bytes");

        for (unsigned at = 104; at < 104 + 40 * 8; at += 8)
                put_be32(&many, at, 0x12345678);
        check_bad(&many, FORMAT_QCOW2, "header extensions");

        put_be32(&small, 20, 12);
        put_be64(&small, 72, 1 << 4);
        check_bad(&small, FORMAT_QCOW2, "clusters of 16 KiB");

        /* an entry of an extended L2 table is twice as long, so one table maps half as much */
        put_be64(&extended, 72, 1 << 4);
        check_bad(&extended, FORMAT_QCOW2, "needs 4 L1 entries");
}

static void qcow2_names(void)
{
        _cleanup_file_ File f = qcow2_new();
        _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL;

        /* both far behind the first block; a NUL ends a name; an unknown format is none */
        put_be32(&f, 104, 0x6803f857);
        put_be32(&f, 108, 8000);
        put_be32(&f, 8112, 0xe2792aca);
        put_be32(&f, 8116, 5);
        put_text(&f, 8120, "bogus");
        put_be32(&f, 8128, 0x44415441);
        put_be32(&f, 8132, 6);
        put_text(&f, 8136,
                 "a\nb\xff"
                 "c\0");
        put_be64(&f, 8, 60000);
        put_be32(&f, 16, 9);
        put(&f, 60000, "base\0evil", 9);
        put_be64(&f, 72, 1 << 2);
        i = probe(&f);
        CHECK_STREQ(i.error, NULL);
        CHECK_STREQ(i.backing, "base");
        CHECK_EQ(i.backing_format, FORMAT_NONE);
        CHECK_STREQ(i.data_file, "a\nb\xff"
                                 "c");
}

static void qcow1_and_qed(void)
{
        _cleanup_file_ File q = file_new(4096), e = file_new(65536);

        put_text(&q, 0, "QFI\xfb");
        put_be32(&q, 4, 1);
        put_be64(&q, 24, 12345);
        put(&q, 32, "\x0c\x09", 2);
        put_be64(&q, 40, 48);
        check_good(&q, FORMAT_QCOW, 12345);
        put_be64(&q, 40, 4096);
        check_bad(&q, FORMAT_QCOW, "the L1 table");
        put(&q, 32, "\x40", 1);
        check_bad(&q, FORMAT_QCOW, "2^64");

        put(&e, 0, "QED", 4);
        put_le32(&e, 4, 4096);
        put_le64(&e, 40, 4096);
        put_le64(&e, 48, 1 << 20);
        check_good(&e, FORMAT_QED, 1 << 20);
        put_le64(&e, 16, 8);
        check_bad(&e, FORMAT_QED, "not known (0x8)");
        put_le64(&e, 16, 1);
        put_le32(&e, 56, UINT32_MAX);
        put_le32(&e, 60, 10);
        check_bad(&e, FORMAT_QED, "backing file is behind");
        put_le64(&e, 16, 0);
        put_le64(&e, 48, UINT64_MAX);
        check_bad(&e, FORMAT_QED, "more than any disk");
        put_le32(&e, 4, 4097);
        check_bad(&e, FORMAT_QED, "cluster size");
}

static File vmdk_text(const char *text)
{
        File f = file_new(strlen(text));

        put_text(&f, 0, text);
        return f;
}

static void vmdk(void)
{
        _cleanup_file_ File two =
                vmdk_text("# Disk DescriptorFile\nversion=1\r\nparentCID=12345678\n"
                          "createType = \"custom\x01type\"\nparentFileNameHint=\"../b \xc3\xa4.vmdk\"\n"
                          "RW 100 FLAT \"a\" 0\nRDONLY 28 SPARSE \"b\"\nRWX 7 FLAT \"c\"\n");
        _cleanup_file_ File root =
                vmdk_text("# Disk DescriptorFile\nparentCID=FFFFFFFF\nparentFileNameHint=\"x\"\n"
                          "RW 36028797018963968 FLAT \"a\" 0\nRW 1 FLAT \"a\" 0\n");
        _cleanup_file_ File wild =
                vmdk_text("# Disk DescriptorFile\nRW 99999999999999999999999 FLAT \"a\" 0\n");
        _cleanup_file_ File none = vmdk_text("# Disk DescriptorFile\nRW -1 FLAT \"a\" 0\n");
        _cleanup_file_ File cut = file_new(70), long_text = file_new(1 << 20), sparse = file_new(65536);
        _cleanup_file_ File esx = file_new(4096);
        _cleanup_image_ ImageInfo i = probe(&two);

        CHECK_STREQ(i.error, NULL);
        CHECK_EQ(i.capacity, UINT64_C(128) * 512);
        CHECK_STREQ(i.variant, "custom?type");
        CHECK_STREQ(i.backing, "../b \xc3\xa4.vmdk");
        check_bad(&root, FORMAT_VMDK, "more than any disk");
        check_bad(&wild, FORMAT_VMDK, "more than any disk");
        check_bad(&none, FORMAT_VMDK, "no extent");

        put_text(&cut, 0, "KDMV");
        check_bad(&cut, FORMAT_VMDK, "cut short");
        put_text(&long_text, 0, "# Disk DescriptorFile\n");
        check_bad(&long_text, FORMAT_VMDK, "longer than any real one");

        put_text(&sparse, 0, "KDMV");
        put_le32(&sparse, 4, 1);
        put_le64(&sparse, 12, 2048);
        put_le64(&sparse, 20, 128);
        check_good(&sparse, FORMAT_VMDK, 1 << 20);
        put_le64(&sparse, 28, UINT64_C(1) << 60);
        check_bad(&sparse, FORMAT_VMDK, "descriptor is behind");
        put_le64(&sparse, 28, 1);
        put_le64(&sparse, 36, UINT64_C(1) << 60);
        check_bad(&sparse, FORMAT_VMDK, "longer than any real one");
        put_le64(&sparse, 28, 0);
        put_le64(&sparse, 12, UINT64_MAX);
        check_bad(&sparse, FORMAT_VMDK, "more than any disk");
        put_le64(&sparse, 20, 127);
        check_bad(&sparse, FORMAT_VMDK, "grain");

        put_text(&esx, 0, "COWD");
        put_le32(&esx, 12, 4096);
        check_good(&esx, FORMAT_VMDK, 2 << 20);
}

static void vdi(void)
{
        _cleanup_file_ File f = file_new(4096);

        put_le32(&f, 64, 0xbeda107f);
        put_le32(&f, 68, 0x00010001);
        put_le32(&f, 340, 1024);
        put_le64(&f, 368, (1 << 20) - 5);
        put_le32(&f, 376, 1 << 20);
        put_le32(&f, 384, 1);
        check_good(&f, FORMAT_VDI, 1 << 20);
        put_le32(&f, 340, 4094);
        check_bad(&f, FORMAT_VDI, "block map");
        put_le64(&f, 368, UINT64_MAX);
        check_bad(&f, FORMAT_VDI, "blocks hold");
        put_le32(&f, 376, 0);
        check_bad(&f, FORMAT_VDI, "block of 0");
        put_le32(&f, 68, 0x00020000);
        check_bad(&f, FORMAT_VDI, "version 0x20000");
        f.size = 128;
        check_bad(&f, FORMAT_VDI, "cut short");
}

static void put_vpc_footer(File *f, uint64_t at, uint32_t type, uint64_t size)
{
        put_text(f, at, "conectix");
        put_be64(f, at + 16, 512);
        put_text(f, at + 28, "win ");
        put_be64(f, at + 48, size);
        put_be32(f, at + 60, type);
}

static void vpc(void)
{
        _cleanup_file_ File f = file_new(8192), fixed = file_new((1 << 20) + 512),
                            old = file_new((1 << 20) + 511);
        _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL;

        put_vpc_footer(&f, 0, 4, 2 << 20);
        check_bad(&f, FORMAT_VPC, "not where it should be");
        put_text(&f, 512, "cxsparse");
        put_be64(&f, 512 + 16, 2048);
        put_be32(&f, 512 + 28, 1);
        put_be32(&f, 512 + 32, 2 << 20);
        put_utf16(&f, 512 + 64, "base.vhd", true);
        i = probe(&f);
        CHECK_STREQ(i.error, NULL);
        CHECK_STREQ(i.backing, "base.vhd");
        CHECK_STREQ(i.variant, "differencing");
        CHECK_EQ(i.capacity, 2 << 20);
        CHECK_EQ(i.cluster_size, 2 << 20);
        put_be64(&f, 512 + 16, UINT64_MAX);
        check_bad(&f, FORMAT_VPC, "block table");
        put_be64(&f, 48, UINT64_MAX);
        check_bad(&f, FORMAT_VPC, "blocks hold");
        put_be64(&f, 16, UINT64_MAX);
        check_bad(&f, FORMAT_VPC, "cut short");
        put_be32(&f, 60, 9);
        check_bad(&f, FORMAT_VPC, "type 9");

        put_vpc_footer(&fixed, 1 << 20, 2, 1 << 20);
        check_good(&fixed, FORMAT_VPC, 1 << 20);
        put_vpc_footer(&fixed, 1 << 20, 2, (1 << 20) + 512);
        check_bad(&fixed, FORMAT_VPC, "the footer says");
        /* by geometry, unless that is at its end */
        put_text(&fixed, (1 << 20) + 28, "vpc ");
        put(&fixed, (1 << 20) + 56, "\0\2\4\x11", 4);
        check_good(&fixed, FORMAT_VPC, UINT64_C(2) * 4 * 17 * 512);
        put(&fixed, (1 << 20) + 56, "\xff\xff\x10\xff", 4);
        put_be64(&fixed, (1 << 20) + 48, 1 << 20);
        check_good(&fixed, FORMAT_VPC, 1 << 20);
        put_vpc_footer(&old, 1 << 20, 2, 1 << 20);
        check_good(&old, FORMAT_VPC, 1 << 20);
}

static void put_vhdx_metadata(File *f, uint64_t at, unsigned n, const char *item, uint32_t offset)
{
        put(f, at + 10, (const char[]){ (char)(n + 1), 0 }, 2);
        put(f, at + 32 + n * 32, item, 16);
        put_le32(f, at + 32 + n * 32 + 16, offset);
}

static void vhdx(void)
{
        _cleanup_file_ File f = file_new(4 << 20);
        _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL;
        const uint64_t metadata = 2 << 20, parent = metadata + 65536 + 64;

        put_text(&f, 0, "vhdxfile");
        check_bad(&f, FORMAT_VHDX, "no header");
        put_text(&f, 65536, "head");
        put_le64(&f, 65536 + 8, 5);
        put_text(&f, 65536 + 48, "a log is open");
        put_text(&f, 131072, "head");
        put_le64(&f, 131072 + 8, 4);
        check_bad(&f, FORMAT_VHDX, "region table is broken");
        /* the first copy is broken, the second counts */
        put_text(&f, 262144, "regi");
        put_le32(&f, 262144 + 8, 1);
        put(&f, 262144 + 16, "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e", 16);
        put_le64(&f, 262144 + 32, metadata);
        check_bad(&f, FORMAT_VHDX, "metadata table is broken");
        put_text(&f, metadata, "metadata");
        put_vhdx_metadata(&f, metadata, 0,
                          "\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8", 65536);
        put_vhdx_metadata(&f, metadata, 1,
                          "\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b", 65544);
        put_vhdx_metadata(&f, metadata, 2,
                          "\x2d\x5f\xd3\xa8\x0b\xb3\x4d\x45\xab\xf7\xd3\xd8\x48\x34\xab\x0c", 65600);
        put_le64(&f, metadata + 65536, UINT64_C(1) << 40);
        put_le32(&f, metadata + 65544, 1 << 25);
        put_le32(&f, metadata + 65548, 2);
        put(&f, parent + 18, "\2", 1);
        put_le32(&f, parent + 20 + 12, 100);
        put_le32(&f, parent + 20 + 16, 200);
        put(&f, parent + 20 + 20, "\x1a\0\x14\0", 4);
        put_utf16(&f, parent + 100, "relative_path", false);
        put_utf16(&f, parent + 200, "..\\ab.vhdx", false);

        i = probe(&f);
        CHECK_STREQ(i.error, NULL);
        CHECK_EQ(i.capacity, UINT64_C(1) << 40);
        CHECK_EQ(i.cluster_size, 1 << 25);
        CHECK_STREQ(i.backing, "..\\ab.vhdx");
        CHECK(i.dirty);

        put(&f, parent + 18, "\xff\xff", 2);
        check_bad(&f, FORMAT_VHDX, "parent locator is longer");
        put_le64(&f, 262144 + 32, UINT64_MAX);
        check_bad(&f, FORMAT_VHDX, "metadata table is behind");
        put_le64(&f, 262144 + 32, 4 << 20);
        check_bad(&f, FORMAT_VHDX, "metadata table is behind");
}

static File luks2_new(const char *json)
{
        File f = file_new(32 << 20);

        put(&f, 0, "LUKS\xba\xbe\0\2", 8);
        put_be64(&f, 8, 16384);
        put_text(&f, 4096, json);
        return f;
}

static void luks2(void)
{
        static const struct {
                const char *json;
                uint64_t capacity; /* 0: broken */
        } made[] = {
                { "{\"segments\":{\"0\":{\"type\":\"crypt\",\"offset\":\"16777216\",\"size\":\"dynamic\"}}}",
                  16 << 20 },
                { "{\"keyslots\":{\"0\":{\"area\":{\"offset\":\"1\",\"x\":[1,{\"a\":\"\\\"}\"}]}}},\n "
                  "\"segments\" : {\"0\":"
                  "{\"size\":\"dynamic\",\"offset\":\"16777216\",\"n\":512}} , \"config\":{}}",
                  16 << 20 },
                { "{\"segments\":{\"0\":{\"offset\":\"16777216\",\"size\":\"1048576\"}}}", 1 << 20 },
                { "{\"segments\":{\"0\":{\"offset\":\"16777216\",\"size\":\"1048576\"},\"1\":{\"offset\":"
                  "\"17825792\","
                  "\"size\":\"dynamic\"},\"2\":{\"offset\":\"0\",\"size\":\"dynamic\",\"flags\":[\"backup-"
                  "final\"]}}}",
                  16 << 20 },
                { "{\"segments\":{\"0\":{\"offset\":\"99999999999999999999\",\"size\":\"dynamic\"}}}", 0 },
                { "{\"segments\":{\"0\":{\"offset\":\"-1\",\"size\":\"dynamic\"}}}", 0 },
                { "{\"segments\":{\"0\":{\"offset\":\"33554433\",\"size\":\"dynamic\"}}}", 0 },
                { "{\"segments\":{\"0\":{\"offset\":\"0\",\"size\":\"33554433\"}}}", 0 },
                { "{\"segments\":{\"0\":{\"size\":\"dynamic\"}}}", 0 },
                { "{\"segments\":{}}", 0 },
                { "{\"segments\":{\"0\":{\"offset\":\"16777216\",\"size\":\"dyn", 0 },
                { "{\"a\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]],\"segments\":{\"0\":{\"offset\":\"0\","
                  "\"size\":\"1\"}}}",
                  0 },
                { "", 0 },
        };

        FOREACH_ELEMENT (m, made) {
                _cleanup_file_ File f = luks2_new(m->json);

                if (m->capacity > 0)
                        check_good(&f, FORMAT_LUKS, m->capacity);
                else
                        check_bad(&f, FORMAT_LUKS, "");
        }
}

static void luks(void)
{
        _cleanup_file_ File one = file_new(4 << 20), odd = file_new(4096), two = luks2_new("{}");
        _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL;

        put(&one, 0, "LUKS\xba\xbe\0\1", 8);
        check_bad(&one, FORMAT_LUKS, "detached");
        put_be32(&one, 104, 4096);
        check_good(&one, FORMAT_LUKS, 2 << 20);
        put_be32(&one, 104, UINT32_MAX);
        check_bad(&one, FORMAT_LUKS, "encrypted data is behind");
        i = probe(&one);
        CHECK(i.encrypted);
        CHECK_STREQ(i.encryption, "luks");

        put(&odd, 0, "LUKS\xba\xbe\0\3", 8);
        check_bad(&odd, FORMAT_LUKS, "version 3");
        put_be64(&two, 8, 12345);
        check_bad(&two, FORMAT_LUKS, "header of 12345");
        put_be64(&two, 8, UINT64_C(1) << 62);
        check_bad(&two, FORMAT_LUKS, "cannot be");
        put_be64(&two, 8, 16384);
        two.size = 8192;
        check_bad(&two, FORMAT_LUKS, "the metadata is behind");
}

static void bochs_and_cloop(void)
{
        _cleanup_file_ File b = file_new(4096), c = file_new(4096);

        put_text(&b, 0, "Bochs Virtual HD Image");
        put_le32(&b, 64, 0x00020000);
        put_le64(&b, 88, 10 << 20);
        check_good(&b, FORMAT_BOCHS, 10 << 20);
        put_le32(&b, 64, 0x00010000);
        put_le64(&b, 84, 11 << 20);
        check_good(&b, FORMAT_BOCHS, 11 << 20);
        put_le32(&b, 64, 0);
        check_bad(&b, FORMAT_BOCHS, "version 0x0");

        put_text(&c, 0,
                 "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n");
        put_be32(&c, 128, 65536);
        put_be32(&c, 132, UINT32_MAX);
        check_good(&c, FORMAT_CLOOP, UINT64_C(65536) * UINT32_MAX);
        put_be32(&c, 128, 513);
        check_bad(&c, FORMAT_CLOOP, "block of 513");
}

static void cow(void)
{
        static const struct {
                unsigned version, path, size, sector;
        } layouts[] = {
                { 2, 8, 1040, 1048 }, { 2, 8, 1036, 1044 }, { 2, 8, 4108, 4116 }, { 3, 32, 12, 20 }
        };

        FOREACH_ELEMENT (l, layouts) {
                _cleanup_file_ File f = file_new(8192);
                _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL;

                put_text(&f, 0, "OOOM");
                put_be32(&f, 4, l->version);
                put_be64(&f, l->size, 3 << 20);
                put_be32(&f, l->sector, 512);
                check_good(&f, FORMAT_COW, 3 << 20);
                put_text(&f, l->path, "/base");
                i = probe(&f);
                CHECK_STREQ(i.backing, "/base");
                f.size = 1000;
                check_bad(&f, FORMAT_COW, "cut short");
        }
}

static void ploop(void)
{
        _cleanup_file_ File f = file_new(4096);
        _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL;

        put_text(&f, 0, "WithouFreSpacExt");
        put_le32(&f, 16, 2);
        put_le32(&f, 28, 2048);
        put_le64(&f, 36, UINT64_C(1) << 33);
        put_le32(&f, 44, 0x746f6e59);
        check_good(&f, FORMAT_PLOOP, UINT64_C(1) << 42);
        i = probe(&f);
        CHECK(i.dirty);
        CHECK_EQ(i.cluster_size, 1 << 20);
        put_le64(&f, 36, UINT64_MAX);
        check_bad(&f, FORMAT_PLOOP, "more than any disk");
        put_text(&f, 0, "WithoutFreeSpace"); /* half as wide */
        check_good(&f, FORMAT_PLOOP, UINT64_C(512) * UINT32_MAX);
        put_le32(&f, 28, 0);
        check_bad(&f, FORMAT_PLOOP, "0 sectors");
}

static void dmg_and_iso(void)
{
        _cleanup_file_ File d = file_new(65536), s = file_new(65536);
        _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL;

        put_text(&d, 65536 - 512, "koly");
        check_good(&d, FORMAT_RAW, 65536); /* a word is not enough */
        put_be32(&d, 65536 - 512 + 8, 512);
        put_be64(&d, 65536 - 20, 1000);
        check_good(&d, FORMAT_DMG, 512000);
        put_be64(&d, 65536 - 20, UINT64_MAX);
        check_bad(&d, FORMAT_DMG, "more than any disk");

        put_text(&s, 32768, "\1CD001\1");
        put_text(&s, 32768 + 40, "A \xe4 B                           ");
        i = probe(&s);
        CHECK_EQ(i.format, FORMAT_ISO);
        CHECK_EQ(i.capacity, 65536);
        CHECK_STREQ(i.variant, "A ? B");
}

/* A GPT whose entry array claims 4 GiB: libblkid alone would read it all. */
static void content_is_bounded(void)
{
        _cleanup_file_ File f = file_new(UINT64_C(8) << 30);
        _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL;

        put(&f, 510, "\x55\xaa", 2);
        put(&f, 450, "\xee", 1);
        put_text(&f, 512, "EFI PART");
        put_le32(&f, 512 + 80, 1 << 25);
        put_le32(&f, 512 + 84, 128);
        i = probe(&f);
        CHECK_EQ(i.format, FORMAT_RAW);
        CHECK_STREQ(i.variant, "gpt");
}

static void partition_table(void)
{
        _cleanup_file_ File f = file_new(4 << 20);
        _cleanup_image_ ImageInfo i = IMAGE_INFO_NULL, j = IMAGE_INFO_NULL;

        put(&f, 450, "\x83", 1);
        put_le32(&f, 454, 2048);
        put_le32(&f, 458, 4096);
        put(&f, 510, "\x55\xaa", 2);
        i = probe(&f);
        CHECK_STREQ(i.variant, "dos");
        CHECK_EQ(i.capacity, 4 << 20);
        CHECK_EQ(image_probe(f.fd, f.size, 0, &j), 0);
        CHECK_STREQ(j.variant, NULL); /* not asked */
}

int main(void)
{
        RUN(nothing);
        RUN(io_errors);
        RUN(qcow2_lies);
        RUN(qcow2_more_lies);
        RUN(qcow2_names);
        RUN(qcow1_and_qed);
        RUN(vmdk);
        RUN(vdi);
        RUN(vpc);
        RUN(vhdx);
        RUN(luks2);
        RUN(luks);
        RUN(bochs_and_cloop);
        RUN(cow);
        RUN(ploop);
        RUN(dmg_and_iso);
        RUN(content_is_bounded);
        RUN(partition_table);
        return 0;
}
