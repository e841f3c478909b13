/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Facts: qemu(1) on -blockdev, -drive and its cache modes; docs/interop/qmp-spec and qapi/block-core.json of QEMU;
 * https://libvirt.org/formatdomain.html on disks. */
#include "attachment.h"

#include <ctype.h>
#include <inttypes.h>

#include "attachment-write.h"
#include "request.h"
#include "util/names.h"

typedef struct Kind {
        const char *name, *name_option; /* the option that names it, NULL: none */
        int (*write)(const Attachment *a, char **ret);
} Kind;

static const Kind kinds[] = {
        { "qemu-blockdev", "node-name", attachment_write_blockdev },
        { "qemu-drive", "id", attachment_write_drive },
        { "libvirt-disk", "device", attachment_write_disk },
};

static uint64_t hash(uint64_t h, const char *text) /* FNV-1a */
{
        for (; *text; text++)
                h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
        return h;
}

/* 128 bits that are always the same for this volume of this pool. */
static void identify(const Pool *p, const char *volume, uint64_t ret[2])
{
        for (unsigned i = 0; i < 2; i++)
                ret[i] =
                        hash(hash(hash(UINT64_C(0xcbf29ce484222325) + i, p->definition->uuid), "/"), volume);
}

static void derive_name(const Pool *p, const char *volume, const char *suffix,
                        char ret[ATTACHMENT_NAME_MAX + 1])
{
        uint64_t id[2];

        identify(p, volume, id);
        (void)snprintf(ret, ATTACHMENT_NAME_MAX + 1, "pk-%016" PRIx64 "%s", id[0], suffix);
}

/* Version 8 of RFC 9562: bits of one's own. */
static void derive_uuid(const Pool *p, const char *volume, char ret[ATTACHMENT_SECRET_MAX + 1])
{
        uint64_t id[2];

        identify(p, volume, id);
        (void)snprintf(ret, ATTACHMENT_SECRET_MAX + 1, "%08x-%04x-8%03x-%04x-%012" PRIx64,
                       (unsigned)(id[0] >> 32), (unsigned)(id[0] >> 16) & 0xffff, (unsigned)id[0] & 0xfff,
                       ((unsigned)(id[1] >> 48) & 0x3fff) | 0x8000, id[1] & UINT64_C(0xffffffffffff));
}

/* QEMU: a letter, then letters, digits, '-', '.' and '_'; a node's name has room for 31. */
static bool is_name(const char *s)
{
        size_t n = strlen(s);

        if (n > ATTACHMENT_NAME_MAX || !isalpha((unsigned char)*s))
                return false;
        return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == n;
}

static const char *bus_of(const char *device)
{
        static const char *const buses[][2] = {
                { "vd", "virtio" }, { "sd", "scsi" }, { "hd", "ide" }, { "xvd", "xen" }
        };

        FOREACH_ELEMENT (bus, buses) {
                const char *rest = startswith(device, (*bus)[0]);

                if (rest && *rest && strlen(rest) <= 3 &&
                    strspn(rest, "abcdefghijklmnopqrstuvwxyz") == strlen(rest))
                        return (*bus)[1];
        }
        return NULL;
}

static int set_name(Attachment *a, const Kind *kind, const Pool *p, const char *volume, const Bag *options,
                    Error *e)
{
        const char *name = bag_get_string(options, kind->name_option);
        bool disk = streq(kind->name_option, "device");

        if (name && !is_name(name))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "%s '%s' is not a letter and up to 30 letters, digits, '-', '.' or '_'",
                                 kind->name_option, name);
        if (!name && !disk)
                derive_name(p, volume, "", a->name);
        else
                (void)snprintf(a->name, sizeof(a->name), "%s", name ?: "vda");
        a->bus = disk ? bus_of(a->name) : NULL;
        if (disk && !a->bus)
                return error_set(e, ERROR_INVALID_ARGS, "device '%s' is no disk like vda, sda, hda or xvda",
                                 a->name);
        return 0;
}

/* `given` names the key of the first image that has one. */
static int set_secret(AttachmentNode *n, const Kind *kind, const Pool *p, const char *volume,
                      const char *given, Error *e)
{
        bool disk = streq(kind->name_option, "device");
        char uuid[37];

        if (disk && given && uuid_normalise(given, uuid) < 0)
                return error_set(e, ERROR_INVALID_ARGS, "secret '%s' is not the UUID of a libvirt secret",
                                 given);
        if (!disk && given && !is_name(given))
                return error_set(e, ERROR_INVALID_ARGS, "secret '%s' is not the id of a QEMU object", given);
        if (given)
                (void)snprintf(n->secret, sizeof(n->secret), "%s", disk ? uuid : given);
        else if (disk)
                derive_uuid(p, volume, n->secret);
        else
                derive_name(p, volume, "-key", n->secret);
        return 0;
}

static int add_node(Attachment *a, const Bag *node, const char *volume, Error *e)
{
        AttachmentNode *n = a->nodes + a->n;

        if (a->n == ELEMENTSOF(a->nodes))
                return error_set(e, ERROR_LIMITS_EXCEEDED, "Volume %s stands on more than %zu images",
                                 volume, ELEMENTSOF(a->nodes) - 1);
        n->format = bag_get_string(node, "format");
        n->driver = image_format_to_driver(image_format_from_string(n->format));
        n->protocol = bag_get_bag(node, "protocol");
        n->libvirt = bag_get_bag(node, "libvirt");
        if (!n->driver)
                return error_set(e, ERROR_NOT_SUPPORTED, "QEMU has no driver for format %s of volume %s",
                                 n->format ?: "none", volume);
        if (!n->protocol || !bag_has(n->protocol, "driver") || !n->libvirt || !bag_has(n->libvirt, "type"))
                return error_set(e, ERROR_FAILED, "The backend does not tell how volume %s is attached",
                                 volume);
        a->n++;
        return 0;
}

/* The records say which images are encrypted, down to where the chain leaves the pool. */
static int add_nodes(Attachment *a, const Kind *kind, const Pool *p, const char *volume, const Bag *result,
                     const Bag *options, Error *e)
{
        const Value *nodes = bag_get_bags(result, "nodes");
        const char *given = bag_get_string(options, "secret");
        const Volume *v = volume_table_get(p->volumes, volume);
        bool encrypted = false;
        int r = nodes && nodes->n_bags > 0
                        ? 0
                        : error_set(e, ERROR_FAILED, "The backend does not tell of volume %s", volume);

        for (size_t i = 0; r >= 0 && i < nodes->n_bags; i++) {
                _cleanup_free_ char *base = NULL;
                bool keyed = v && (v->flags & VOLUME_ENCRYPTED);

                r = add_node(a, nodes->bags[i], volume, e);
                if (r >= 0 && keyed)
                        r = set_secret(a->nodes + i, kind, p, v->name, encrypted ? NULL : given, e);
                encrypted = encrypted || keyed;
                base = v ? pool_resolve_record(p, volume_backing(v)) : NULL;
                v = base ? volume_table_get(p->volumes, base) : NULL;
        }
        if (r >= 0 && given && !encrypted)
                r = error_set(e, ERROR_INVALID_ARGS, "Volume %s is not encrypted; leave secret out", volume);
        return r;
}

static int check_options(const Kind *kind, const Bag *options, Bag **ret, Error *e)
{
        const OptionSpec specs[] = {
                { .name = kind->name_option, .type = OPTION_STRING },
                { .name = "read-only", .type = OPTION_BOOL },
                { .name = "secret", .type = OPTION_STRING },
        };
        const OptionTable table = { .specs = specs, .n_specs = ELEMENTSOF(specs) };

        return options_check(&table, options, ret, e);
}

static const char *policy(const Pool *p, const char *key)
{
        const char *word = bag_get_string(p->definition->options, key);

        return word && !streq(word, "default") ? word : NULL;
}

static int make(const Kind *kind, const Pool *p, const char *volume, const Bag *result, const Bag *options,
                Attachment *a, Error *e)
{
        const Volume *v = volume_table_get(p->volumes, volume);
        int r;

        if (!v)
                return error_set(e, ERROR_NO_SUCH_VOLUME, "There is no volume %s in pool %s", volume,
                                 pool_name(p));
        r = volume_check_read(v, e);
        if (r < 0)
                return r;
        a->cache = policy(p, "cache");
        a->aio = policy(p, "aio");
        a->read_only = (v->flags & VOLUME_READ_ONLY) || !image_format_is_writable((ImageFormat)v->format) ||
                       streq_ptr(bag_get_string(p->definition->options, "purpose"), "media") ||
                       bag_get_bool(options, "read-only", false);
        r = set_name(a, kind, p, volume, options, e);
        return r < 0 ? r : add_nodes(a, kind, p, volume, result, options, e);
}

int attachment_text(const Pool *p, const char *volume, const Bag *result, const char *kind,
                    const Bag *options, char **ret, Error *e)
{
        _cleanup_bag_ Bag *words = NULL;
        Attachment a = {};
        int r;

        FOREACH_ELEMENT (k, kinds) {
                if (!streq(k->name, kind))
                        continue;
                r = check_options(k, options, &words, e);
                if (r >= 0)
                        r = make(k, p, volume, result, words, &a, e);
                if (r >= 0 && k->write(&a, ret) < 0)
                        r = error_set(e, ERROR_NO_MEMORY, "out of memory");
                return r;
        }
        return error_set(e, ERROR_INVALID_ARGS,
                         "There is no attachment '%s'; qemu-blockdev, qemu-drive and libvirt-disk are known",
                         kind);
}
