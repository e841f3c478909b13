/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the options of a volume to those of an image format in qemu-img. */
#include "data/qemu-img.h"

static int option_add(char **list, const char *key, const char *value)
{
        char *grown;

        if (!value)
                return 0;
        if (asprintf(&grown, "%s%s%s=%s", *list ? *list : "", *list ? "," : "", key, value) < 0)
                return -ENOMEM;
        free(*list);
        *list = grown;
        return 0;
}

static int option_add_u64(char **list, const char *key, uint64_t value)
{
        char text[32];

        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
        return option_add(list, key, text);
}

/* aes and 256 are one word of qemu's. */
static int option_add_cipher(char **list, const char *prefix, const Bag *o)
{
        const char *name = bag_get_string(o, "encryption.cipher.name");
        uint32_t size = bag_get_u32(o, "encryption.cipher.size", 256);
        char key[64], value[64];

        if (!name && !bag_has(o, "encryption.cipher.size"))
                return 0;
        (void)snprintf(key, sizeof(key), "%scipher-alg", prefix);
        (void)snprintf(value, sizeof(value), "%s-%u", name ? name : "aes", size);
        return option_add(list, key, value);
}

static int options_encryption(char **list, const QemuImage *i)
{
        static const struct {
                const char *ours, *qemu;
        } words[] = {
                { "encryption.cipher.mode", "cipher-mode" },
                { "encryption.cipher.hash", "hash-alg" },
                { "encryption.ivgen.name", "ivgen-alg" },
                { "encryption.ivgen.hash", "ivgen-hash-alg" },
        };
        const char *prefix = i->format == FORMAT_LUKS ? "" : "encrypt.";
        char key[64];
        int r = 0;

        if (i->passphrase < 0)
                return 0;
        if (i->format != FORMAT_LUKS)
                r = option_add(list, "encrypt.format", "luks");
        (void)snprintf(key, sizeof(key), "%skey-secret", prefix);
        if (r >= 0)
                r = option_add(list, key, "passphrase");
        if (r >= 0)
                r = option_add_cipher(list, prefix, i->options);
        for (size_t w = 0; w < ELEMENTSOF(words) && r >= 0; w++) {
                (void)snprintf(key, sizeof(key), "%s%s", prefix, words[w].qemu);
                r = option_add(list, key, bag_get_string(i->options, words[w].ours));
        }
        return r;
}

int qemu_options(const QemuImage *i, char **ret)
{
        _cleanup_free_ char *list = NULL;
        const Bag *o = i->options;
        int r;

        r = option_add(&list, "compat", bag_get_string(o, "compat"));
        if (r >= 0 && bag_has(o, "cluster_size"))
                r = option_add_u64(&list, "cluster_size", bag_get_u64(o, "cluster_size", 0));
        if (r >= 0 && bag_has(o, "lazy_refcounts"))
                r = option_add(&list, "lazy_refcounts",
                               bag_get_bool(o, "lazy_refcounts", false) ? "on" : "off");
        if (r >= 0 && bag_has(o, "extended_l2"))
                r = option_add(&list, "extended_l2", bag_get_bool(o, "extended_l2", false) ? "on" : "off");
        if (r >= 0)
                r = option_add(&list, "preallocation", i->preallocation);
        /* Else the size is rounded up to a geometry of cylinders, heads and sectors. */
        if (r >= 0 && i->format == FORMAT_VPC)
                r = option_add(&list, "force_size", "on");
        if (r >= 0)
                r = options_encryption(&list, i);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(list);
        return 0;
}
