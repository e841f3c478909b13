/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "attachment-write.h"
#include "xml-tree.h"

static void set(xmlNode *node, const char *name, const char *value)
{
        if (value)
                (void)xmlNewProp(node, BAD_CAST name, BAD_CAST value);
}

static xmlNode *add(xmlNode *parent, const char *name)
{
        return xmlNewChild(parent, NULL, BAD_CAST name, NULL);
}

/* Words are attributes, bags elements. */
static void add_words(xmlNode *node, const Bag *b)
{
        char number[24];

        for (size_t i = 0; i < bag_size(b); i++) {
                const char *key = bag_key(b, i);
                const Value *v = bag_value(b, i);

                if (v->type == VALUE_STRING)
                        set(node, key, v->string);
                else if (v->type == VALUE_BAG)
                        add_words(add(node, key), v->bag);
                else if (v->type == VALUE_BAGS)
                        for (size_t k = 0; k < v->n_bags; k++)
                                add_words(add(node, key), v->bags[k]);
                else if (v->type == VALUE_U32 || v->type == VALUE_U64) {
                        (void)snprintf(number, sizeof(number), "%" PRIu64, bag_get_u64(b, key, 0));
                        set(node, key, number);
                }
        }
}

static void add_source(xmlNode *parent, const AttachmentNode *n)
{
        _cleanup_bag_ Bag *words = bag_copy(n->libvirt);
        xmlNode *source = add(parent, "source"), *encryption, *secret;

        bag_remove(words, "type"); /* of the element around it */
        add_words(source, words);
        if (!*n->secret)
                return;
        encryption = add(source, "encryption");
        set(encryption, "format", "luks");
        secret = add(encryption, "secret");
        set(secret, "type", "passphrase");
        set(secret, "uuid", n->secret);
}

/* Of libvirt's formats luks is none: it is raw that is encrypted. */
static const char *type_of(const AttachmentNode *n)
{
        return streq(n->format, "luks") ? "raw" : n->format;
}

/* What it stands on; an empty element at the end keeps libvirt from asking the image. */
static void add_backing(xmlNode *parent, const Attachment *a, size_t i)
{
        xmlNode *backing = add(parent, "backingStore");

        if (i == a->n)
                return;
        set(backing, "type", bag_get_string(a->nodes[i].libvirt, "type"));
        set(add(backing, "format"), "type", type_of(a->nodes + i));
        add_source(backing, a->nodes + i);
        add_backing(backing, a, i + 1);
}

static void add_driver(xmlNode *disk, const Attachment *a)
{
        xmlNode *driver = add(disk, "driver");

        set(driver, "name", "qemu");
        set(driver, "type", type_of(a->nodes));
        set(driver, "cache", a->cache);
        set(driver, "io", a->aio);
}

int attachment_write_disk(const Attachment *a, char **ret)
{
        xmlNode *disk = xmlNewNode(NULL, BAD_CAST "disk"), *target;
        int r;

        if (!disk)
                return -ENOMEM;
        set(disk, "type", bag_get_string(a->nodes[0].libvirt, "type"));
        set(disk, "device", "disk");
        add_driver(disk, a);
        add_source(disk, a->nodes);
        add_backing(disk, a, 1);
        target = add(disk, "target");
        set(target, "dev", a->name);
        set(target, "bus", a->bus);
        if (a->read_only)
                (void)add(disk, "readonly");
        r = xml_print(disk, ret);
        xmlFreeNode(disk);
        return r;
}
