/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's two forms are one tree of options: as JSON, or flat, with dots. */
#include <inttypes.h>

#include "attachment-write.h"
#include "util/bag-json.h"

/* Only these may be told that they stand on nothing. */
static bool can_stand_on_another(const AttachmentNode *n)
{
        return streq(n->driver, "qcow2") || streq(n->driver, "qcow") || streq(n->driver, "qed") ||
               streq(n->driver, "vmdk");
}

static bool takes_aio(const AttachmentNode *n)
{
        const char *driver = bag_get_string(n->protocol, "driver");

        return streq(driver, "file") || streq(driver, "host_device");
}

/* The table of qemu(1), -drive cache=. */
static bool is_direct(const Attachment *a)
{
        return streq_ptr(a->cache, "none") || streq_ptr(a->cache, "directsync");
}

/* The members that a node and its protocol share. */
static void add_common(struct json_object *node, const Attachment *a, bool read_only)
{
        struct json_object *cache;

        (void)json_object_object_add(node, "read-only", json_object_new_boolean(read_only));
        if (!a->cache)
                return;
        cache = json_object_new_object();
        (void)json_object_object_add(cache, "direct", json_object_new_boolean(is_direct(a)));
        (void)json_object_object_add(cache, "no-flush", json_object_new_boolean(streq(a->cache, "unsafe")));
        (void)json_object_object_add(node, "cache", cache);
}

static void add_secret(struct json_object *node, const AttachmentNode *n)
{
        struct json_object *encrypt;

        if (!*n->secret)
                return;
        if (streq(n->driver, "luks")) {
                (void)json_object_object_add(node, "key-secret", json_object_new_string(n->secret));
                return;
        }
        encrypt = json_object_new_object();
        (void)json_object_object_add(encrypt, "format", json_object_new_string("luks"));
        (void)json_object_object_add(encrypt, "key-secret", json_object_new_string(n->secret));
        (void)json_object_object_add(node, "encrypt", encrypt);
}

/* What lies below the outermost image is only read. */
static struct json_object *node_to_json(const Attachment *a, size_t i)
{
        const AttachmentNode *n = a->nodes + i;
        bool read_only = a->read_only || i > 0;
        struct json_object *node = json_object_new_object(), *file = bag_to_json(n->protocol);

        (void)json_object_object_add(node, "driver", json_object_new_string(n->driver));
        if (i == 0)
                (void)json_object_object_add(node, "node-name", json_object_new_string(a->name));
        add_common(node, a, read_only);
        add_secret(node, n);
        add_common(file, a, read_only);
        if (a->aio && takes_aio(n))
                (void)json_object_object_add(file, "aio", json_object_new_string(a->aio));
        (void)json_object_object_add(node, "file", file);
        if (i + 1 < a->n)
                (void)json_object_object_add(node, "backing", node_to_json(a, i + 1));
        else if (can_stand_on_another(n))
                (void)json_object_object_add(node, "backing", NULL);
        return node;
}

int attachment_write_blockdev(const Attachment *a, char **ret)
{
        struct json_object *node = node_to_json(a, 0);
        const char *text = json_object_to_json_string_ext(node, JSON_C_TO_STRING_PLAIN |
                                                                        JSON_C_TO_STRING_NOSLASHESCAPE);
        char *copy = text ? strdup(text) : NULL;

        json_object_put(node);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

/* ---- -drive ---- */

/* QemuOpts: a comma in a value is written twice. */
static void print_value(FILE *f, const char *value)
{
        for (; *value; value++) {
                fputc(*value, f);
                if (*value == ',')
                        fputc(',', f);
        }
}

static void print_option(FILE *f, const char *prefix, const char *key, const char *value)
{
        fprintf(f, ",%s%s=", prefix, key);
        print_value(f, value);
}

static void print_bag(FILE *f, const char *prefix, const Bag *b);

static void print_bags(FILE *f, const char *prefix, const char *key, const Value *v)
{
        char *below;

        for (size_t i = 0; i < v->n_bags; i++) {
                if (asprintf(&below, "%s%s.%zu.", prefix, key, i) < 0)
                        return;
                print_bag(f, below, v->bags[i]);
                free(below);
        }
}

static void print_bag(FILE *f, const char *prefix, const Bag *b)
{
        for (size_t i = 0; i < bag_size(b); i++) {
                const char *key = bag_key(b, i);
                const Value *v = bag_value(b, i);
                _cleanup_free_ char *below = NULL;

                if (v->type == VALUE_STRING)
                        print_option(f, prefix, key, v->string);
                else if (v->type == VALUE_BOOL)
                        print_option(f, prefix, key, v->boolean ? "on" : "off");
                else if (v->type == VALUE_U32 || v->type == VALUE_U64)
                        fprintf(f, ",%s%s=%" PRIu64, prefix, key, bag_get_u64(b, key, 0));
                else if (v->type == VALUE_BAGS)
                        print_bags(f, prefix, key, v);
                else if (v->type == VALUE_BAG && asprintf(&below, "%s%s.", prefix, key) >= 0)
                        print_bag(f, below, v->bag);
        }
}

static void print_node(FILE *f, const Attachment *a, size_t i, const char *prefix)
{
        const AttachmentNode *n = a->nodes + i;
        _cleanup_free_ char *file = NULL, *backing = NULL;

        if (asprintf(&file, "%sfile.", prefix) < 0 || asprintf(&backing, "%sbacking.", prefix) < 0)
                return;
        print_option(f, prefix, i == 0 ? "format" : "driver", n->driver);
        if (*n->secret && !streq(n->driver, "luks"))
                print_option(f, prefix, "encrypt.format", "luks");
        if (*n->secret)
                print_option(f, prefix, streq(n->driver, "luks") ? "key-secret" : "encrypt.key-secret",
                             n->secret);
        print_bag(f, file, n->protocol);
        if (i + 1 < a->n)
                print_node(f, a, i + 1, backing);
        else if (can_stand_on_another(n)) /* nothing, in the words of this form */
                print_option(f, prefix, "backing", "");
}

int attachment_write_drive(const Attachment *a, char **ret)
{
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        fprintf(f, "if=none,id=%s", a->name);
        print_node(f, a, 0, "");
        if (a->read_only)
                print_option(f, "", "read-only", "on");
        if (a->cache)
                print_option(f, "", "cache", a->cache);
        if (a->aio)
                print_option(f, "", "aio", a->aio);
        if (fclose(f) != 0) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        return 0;
}
