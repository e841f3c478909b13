/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The exact texts by which a virtual machine is given a volume. */
#include "test.h"

#include "attachment.h"

static Pool pool;

static void put(const char *name, ImageFormat format, uint32_t flags, const char *backing)
{
        VolumeInfo info = {
                .name = name, .format = format, .flags = flags, .backing = backing, .creator = UINT32_MAX
        };
        bool added, changed;
        Volume *v;

        CHECK_OK(volume_table_put(pool.volumes, &info, 1, &v, &added, &changed));
}

static void begin(const char *cache, const char *aio)
{
        Definition *d = calloc(1, sizeof(*d));

        CHECK(d);
        d->name = strdup("p");
        d->type = strdup("dir");
        memcpy(d->uuid, "c7f5a1de-5c4e-4d0f-9d3a-2f1f6f3c0a11", 37);
        d->options = bag_new();
        CHECK_OK(bag_set_string(d->options, "target.path", "/pool"));
        CHECK_OK(bag_set_string(d->options, "cache", cache));
        CHECK_OK(bag_set_string(d->options, "aio", aio));
        pool = (Pool){ .definition = d };
        pool.volumes = volume_table_new(&pool);
        CHECK(pool.volumes);
        put("disk", FORMAT_RAW, 0, NULL);
        put("over", FORMAT_QCOW2, 0, "/pool/base");
        put("base", FORMAT_QCOW2, 0, NULL);
        put("key", FORMAT_QCOW2, VOLUME_ENCRYPTED, NULL);
        put("luks", FORMAT_LUKS, VOLUME_ENCRYPTED, NULL);
        put("net", FORMAT_RAW, VOLUME_READ_ONLY, NULL);
        put("broken", FORMAT_RAW, VOLUME_CORRUPT, NULL);
        put("mac", FORMAT_DMG, 0, NULL); /* QEMU can only read such */
}

static void end(void)
{
        volume_table_free(pool.volumes);
        definition_free(pool.definition);
}

static Bag *answer(void)
{
        return bag_new();
}

static void add_file(Bag *result, const char *format, const char *path)
{
        Bag *node = bag_new(), *protocol = bag_new(), *libvirt = bag_new();

        CHECK_OK(bag_set_string(protocol, "driver", "file"));
        CHECK_OK(bag_set_string(protocol, "filename", path));
        CHECK_OK(bag_set_string(libvirt, "type", "file"));
        CHECK_OK(bag_set_string(libvirt, "file", path));
        CHECK_OK(bag_set_string(node, "format", format));
        CHECK_OK(bag_set_bag(node, "protocol", protocol));
        CHECK_OK(bag_set_bag(node, "libvirt", libvirt));
        CHECK_OK(bag_add_bag(result, "nodes", node));
}

/* Checks the text, or the error; `key` and `word` are one option. */
static void expect(const char *volume, Bag *result, const char *kind, const char *key, const char *word,
                   const char *wanted)
{
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = NULL;

        if (key)
                CHECK_OK(bag_set_string(options, key, word));
        if (attachment_text(&pool, volume, result, kind, options, &text, &e) < 0)
                TEST_FAIL("%s of %s: %s", kind, volume, e.message);
        CHECK_STREQ(text, wanted);
        bag_free(result);
}

static void refuse(const char *volume, Bag *result, const char *kind, const char *key, const char *word,
                   ErrorKind wanted)
{
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *text = NULL;

        if (key)
                CHECK_OK(bag_set_string(options, key, word));
        CHECK_ERROR(attachment_text(&pool, volume, result, kind, options, &text, &e), &e, wanted);
        CHECK(!text);
        bag_free(result);
}

static Bag *one(const char *format, const char *path)
{
        Bag *result = answer();

        add_file(result, format, path);
        return result;
}

static Bag *two(void)
{
        Bag *result = one("qcow2", "/pool/over");

        add_file(result, "qcow2", "/pool/base");
        return result;
}

static Bag *network(void)
{
        Bag *result = answer(), *node = bag_new(), *protocol = bag_new(), *server = bag_new(),
            *libvirt = bag_new(), *host = bag_new();

        CHECK_OK(bag_set_string(server, "host", "h"));
        CHECK_OK(bag_set_string(server, "port", "6789"));
        CHECK_OK(bag_set_string(protocol, "driver", "rbd"));
        CHECK_OK(bag_set_string(protocol, "image", "net"));
        CHECK_OK(bag_add_bag(protocol, "server", server));
        CHECK_OK(bag_set_string(host, "name", "h"));
        CHECK_OK(bag_set_u32(host, "port", 6789));
        CHECK_OK(bag_set_string(libvirt, "type", "network"));
        CHECK_OK(bag_set_string(libvirt, "protocol", "rbd"));
        CHECK_OK(bag_add_bag(libvirt, "host", host));
        CHECK_OK(bag_set_string(node, "format", "raw"));
        CHECK_OK(bag_set_bag(node, "protocol", protocol));
        CHECK_OK(bag_set_bag(node, "libvirt", libvirt));
        CHECK_OK(bag_add_bag(result, "nodes", node));
        return result;
}

static void blockdev(void)
{
        begin(NULL, NULL);
        expect("disk", one("raw", "/pool/d\"1,2"), "qemu-blockdev", "node-name", "d0",
               "{\"driver\":\"raw\",\"node-name\":\"d0\",\"read-only\":false,"
               "\"file\":{\"driver\":\"file\",\"filename\":\"/pool/d\\\"1,2\",\"read-only\":false}}");
        expect("over", two(), "qemu-blockdev", "node-name", "n",
               "{\"driver\":\"qcow2\",\"node-name\":\"n\",\"read-only\":false,"
               "\"file\":{\"driver\":\"file\",\"filename\":\"/pool/over\",\"read-only\":false},"
               "\"backing\":{\"driver\":\"qcow2\",\"read-only\":true,"
               "\"file\":{\"driver\":\"file\",\"filename\":\"/pool/base\",\"read-only\":true},"
               "\"backing\":null}}");
        expect("net", network(), "qemu-blockdev", "node-name", "n",
               "{\"driver\":\"raw\",\"node-name\":\"n\",\"read-only\":true,"
               "\"file\":{\"driver\":\"rbd\",\"image\":\"net\",\"server\":[{\"host\":\"h\",\"port\":"
               "\"6789\"}],"
               "\"read-only\":true}}");
        expect("mac", one("dmg", "/pool/mac"), "qemu-blockdev", "node-name", "n",
               "{\"driver\":\"dmg\",\"node-name\":\"n\",\"read-only\":true,"
               "\"file\":{\"driver\":\"file\",\"filename\":\"/pool/mac\",\"read-only\":true}}");
        end();
        begin("none", "native");
        expect("disk", one("raw", "/pool/disk"), "qemu-blockdev", "read-only", "yes",
               "{\"driver\":\"raw\",\"node-name\":\"pk-65370c3bbe5b7ec5\",\"read-only\":true,"
               "\"cache\":{\"direct\":true,\"no-flush\":false},"
               "\"file\":{\"driver\":\"file\",\"filename\":\"/pool/disk\",\"read-only\":true,"
               "\"cache\":{\"direct\":true,\"no-flush\":false},\"aio\":\"native\"}}");
        end();
        begin("unsafe", NULL);
        expect("key", one("qcow2", "/pool/key"), "qemu-blockdev", "secret", "s0",
               "{\"driver\":\"qcow2\",\"node-name\":\"pk-0b5c5807061bdb37\",\"read-only\":false,"
               "\"cache\":{\"direct\":false,\"no-flush\":true},"
               "\"encrypt\":{\"format\":\"luks\",\"key-secret\":\"s0\"},"
               "\"file\":{\"driver\":\"file\",\"filename\":\"/pool/key\",\"read-only\":false,"
               "\"cache\":{\"direct\":false,\"no-flush\":true}},\"backing\":null}");
        end();
}

static void drive(void)
{
        begin("writethrough", "threads");
        expect("disk", one("raw", "/pool/d,1"), "qemu-drive", "id", "d0",
               "if=none,id=d0,format=raw,file.driver=file,file.filename=/pool/"
               "d,,1,cache=writethrough,aio=threads");
        end();
        begin(NULL, NULL);
        expect("over", two(), "qemu-drive", "id", "d0",
               "if=none,id=d0,format=qcow2,file.driver=file,file.filename=/pool/over,backing.driver=qcow2,"
               "backing.file.driver=file,backing.file.filename=/pool/base,backing.backing=");
        expect("luks", one("luks", "/pool/luks"), "qemu-drive", "id", "d0",
               "if=none,id=d0,format=luks,key-secret=pk-b4343ffa5bd57319-key,file.driver=file,"
               "file.filename=/pool/luks");
        expect("net", network(), "qemu-drive", "id", "d0",
               "if=none,id=d0,format=raw,file.driver=rbd,file.image=net,file.server.0.host=h,"
               "file.server.0.port=6789,read-only=on");
        end();
}

static void disk(void)
{
        begin("directsync", "native");
        expect("over", two(), "libvirt-disk", NULL, NULL,
               "<disk type='file' device='disk'>\n"
               "  <driver name='qemu' type='qcow2' cache='directsync' io='native'/>\n"
               "  <source file='/pool/over'/>\n"
               "  <backingStore type='file'>\n"
               "    <format type='qcow2'/>\n"
               "    <source file='/pool/base'/>\n"
               "    <backingStore/>\n"
               "  </backingStore>\n"
               "  <target dev='vda' bus='virtio'/>\n"
               "</disk>\n");
        end();
        begin(NULL, NULL);
        expect("luks", one("luks", "/pool/l'<&"), "libvirt-disk", "device", "sdb",
               "<disk type='file' device='disk'>\n"
               "  <driver name='qemu' type='raw'/>\n"
               "  <source file='/pool/l&apos;&lt;&amp;'>\n"
               "    <encryption format='luks'>\n"
               "      <secret type='passphrase' uuid='b4343ffa-5bd5-8319-b618-492337a7ee48'/>\n"
               "    </encryption>\n"
               "  </source>\n"
               "  <backingStore/>\n"
               "  <target dev='sdb' bus='scsi'/>\n"
               "</disk>\n");
        expect("net", network(), "libvirt-disk", NULL, NULL,
               "<disk type='network' device='disk'>\n"
               "  <driver name='qemu' type='raw'/>\n"
               "  <source protocol='rbd'>\n"
               "    <host name='h' port='6789'/>\n"
               "  </source>\n"
               "  <backingStore/>\n"
               "  <target dev='vda' bus='virtio'/>\n"
               "  <readonly/>\n"
               "</disk>\n");
        end();
}

static void refusals(void)
{
        static const char *const names[] = { "", "1a", "a b", "a,b",
                                             "abcdefghijklmnopqrstuvwxyz0123456789" };
        static const char *const devices[] = { "vd", "vda1", "fda", "vd/a", "sdabcd" };

        begin(NULL, NULL);
        refuse("disk", one("raw", "/x"), "floppy", NULL, NULL, ERROR_INVALID_ARGS);
        refuse("disk", one("raw", "/x"), "qemu-blockdev", "device", "vda", ERROR_INVALID_ARGS);
        refuse("disk", one("raw", "/x"), "libvirt-disk", "id", "x", ERROR_INVALID_ARGS);
        refuse("disk", one("raw", "/x"), "qemu-drive", "secret", "s0", ERROR_INVALID_ARGS);
        refuse("key", one("qcow2", "/x"), "qemu-drive", "secret", "s,0", ERROR_INVALID_ARGS);
        refuse("key", one("qcow2", "/x"), "libvirt-disk", "secret", "s0", ERROR_INVALID_ARGS);
        refuse("disk", one("fat", "/x"), "qemu-drive", NULL, NULL, ERROR_NOT_SUPPORTED);
        refuse("disk", answer(), "qemu-drive", NULL, NULL, ERROR_FAILED);
        refuse("broken", one("raw", "/x"), "qemu-drive", NULL, NULL, ERROR_CORRUPT);
        refuse("nobody", one("raw", "/x"), "qemu-drive", NULL, NULL, ERROR_NO_SUCH_VOLUME);
        FOREACH_ELEMENT (name, names)
                refuse("disk", one("raw", "/x"), "qemu-blockdev", "node-name", *name, ERROR_INVALID_ARGS);
        FOREACH_ELEMENT (device, devices)
                refuse("disk", one("raw", "/x"), "libvirt-disk", "device", *device, ERROR_INVALID_ARGS);
        end();
}

int main(void)
{
        RUN(blockdev);
        RUN(drive);
        RUN(disk);
        RUN(refusals);
        return 0;
}
