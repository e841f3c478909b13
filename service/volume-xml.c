/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "definition-xml.h"
#include "util/names.h"
#include "util/units.h"
#include "xml-dialect.h"

/* libvirt's <volume>, in the order it prints; nocow, preallocation and the like are ours to print behind its
 * own. Client's key, target path, physical size and times are ignored. Source: libvirt formatstorage.html
 * and storage_conf. */
static const DialectPlace volume_places[] = { { "@type", PLACE_OUTPUT, NULL },
                                              { "name", PLACE_OWN, NULL },
                                              { "key", PLACE_OUTPUT, NULL },
                                              { "source", PLACE_OUTPUT, NULL },
                                              { "capacity", PLACE_OWN, NULL },
                                              { "capacity@unit", PLACE_OWN, NULL },
                                              { "allocation", PLACE_TABLE, NULL },
                                              { "physical", PLACE_OUTPUT, NULL },
                                              { "target", PLACE_STRUCTURE, NULL },
                                              { "target/path", PLACE_OUTPUT, NULL },
                                              { "target/format", PLACE_TABLE, NULL },
                                              { "target/format@type", PLACE_TABLE, NULL },
                                              { "target/permissions", PLACE_STRUCTURE, NULL },
                                              { "target/permissions/mode", PLACE_TABLE, NULL },
                                              { "target/permissions/owner", PLACE_TABLE, NULL },
                                              { "target/permissions/group", PLACE_TABLE, NULL },
                                              { "target/permissions/label", PLACE_TABLE, NULL },
                                              { "target/timestamps", PLACE_OUTPUT, NULL },
                                              { "target/timestamps/atime", PLACE_OUTPUT, NULL },
                                              { "target/timestamps/mtime", PLACE_OUTPUT, NULL },
                                              { "target/timestamps/ctime", PLACE_OUTPUT, NULL },
                                              { "target/timestamps/btime", PLACE_OUTPUT, NULL },
                                              { "target/encryption", PLACE_TABLE, NULL },
                                              { "target/encryption@format", PLACE_TABLE, NULL },
                                              { "target/encryption/secret", PLACE_TABLE, NULL },
                                              { "target/encryption/cipher", PLACE_TABLE, NULL },
                                              { "target/encryption/cipher@name", PLACE_TABLE, NULL },
                                              { "target/encryption/cipher@size", PLACE_TABLE, NULL },
                                              { "target/encryption/cipher@mode", PLACE_TABLE, NULL },
                                              { "target/encryption/cipher@hash", PLACE_TABLE, NULL },
                                              { "target/encryption/ivgen", PLACE_TABLE, NULL },
                                              { "target/encryption/ivgen@name", PLACE_TABLE, NULL },
                                              { "target/encryption/ivgen@hash", PLACE_TABLE, NULL },
                                              { "target/compat", PLACE_TABLE, NULL },
                                              { "target/clusterSize", PLACE_TABLE, "B" },
                                              { "target/features", PLACE_STRUCTURE, NULL },
                                              { "target/features/lazy_refcounts", PLACE_TABLE, NULL },
                                              { "target/features/extended_l2", PLACE_TABLE, NULL },
                                              { "target/nocow", PLACE_TABLE, NULL },
                                              { "backingStore", PLACE_TABLE, NULL },
                                              { "backingStore/path", PLACE_TABLE, NULL },
                                              { "backingStore/format", PLACE_TABLE, NULL },
                                              { "backingStore/format@type", PLACE_TABLE, NULL },
                                              { "backingStore/permissions", PLACE_OUTPUT, NULL },
                                              { "backingStore/permissions/mode", PLACE_OUTPUT, NULL },
                                              { "backingStore/permissions/owner", PLACE_OUTPUT, NULL },
                                              { "backingStore/permissions/group", PLACE_OUTPUT, NULL },
                                              { "backingStore/permissions/label", PLACE_OUTPUT, NULL },
                                              { "backingStore/timestamps", PLACE_OUTPUT, NULL },
                                              { "backingStore/timestamps/atime", PLACE_OUTPUT, NULL },
                                              { "backingStore/timestamps/mtime", PLACE_OUTPUT, NULL },
                                              { "backingStore/timestamps/ctime", PLACE_OUTPUT, NULL },
                                              { "backingStore/timestamps/btime", PLACE_OUTPUT, NULL },
                                              OPTION_PLACES };

static const Dialect volume_dialect = { .root = "volume",
                                        .places = volume_places,
                                        .n_places = ELEMENTSOF(volume_places) };

static int out_of_memory(Error *e)
{
        return error_set(e, ERROR_NO_MEMORY, "out of memory");
}

static int read_name(const xmlNode *root, char **ret, Error *e)
{
        const xmlNode *node = xml_child(root, "name");
        _cleanup_error_ Error error = ERROR_NULL;
        _cleanup_free_ char *name = NULL;

        if (!node)
                return error_set(e, ERROR_INVALID_DEFINITION, "line %ld: the volume has no <name>",
                                 xml_line(root));
        name = xml_content(node);
        if (!name)
                return out_of_memory(e);
        if (name_check("volume", name, &error) < 0)
                return error_set(e, error.kind, "line %ld: %s", xml_line(node), error.message);
        *ret = TAKE_PTR(name);
        return 0;
}

/* A size in an element with a unit; UINT64_MAX when it is absent or empty. */
static int read_capacity(const xmlNode *root, uint64_t *ret, Error *e)
{
        const xmlNode *node = xml_child(root, "capacity");
        const xmlAttr *attribute = node ? xml_attribute(node, "unit") : NULL;
        _cleanup_free_ char *number = NULL, *unit = NULL;
        _cleanup_error_ Error error = ERROR_NULL;

        if (node) {
                number = xml_content(node);
                if (!number)
                        return out_of_memory(e);
        }
        if (attribute) {
                unit = xml_attribute_value(attribute);
                if (!unit)
                        return out_of_memory(e);
        }
        if (isempty(number)) {
                *ret = UINT64_MAX;
                return 0;
        }
        if (size_scale(number, unit, NULL, ret, &error) < 0)
                return error_set(e, ERROR_INVALID_DEFINITION, "line %ld: %s", xml_line(node), error.message);
        return 0;
}

static const OptionSpec *option_at(const OptionTable *table, const char *place)
{
        for (size_t i = 0; i < table->n_specs; i++)
                if (streq_ptr(table->specs[i].xml, place))
                        return table->specs + i;
        return NULL;
}

static bool has_backing(const OptionTable *table, const Bag *options)
{
        const OptionSpec *spec = option_at(table, "backingStore/path");

        return spec && bag_has(options, spec->name);
}

/* libvirt: without an <allocation> a raw volume is allocated as a whole. Ours is sparse then, unless asked
 * to be lax. */
static int default_allocation(const OptionTable *table, uint64_t capacity, Bag *options, Error *e)
{
        const OptionSpec *allocation = option_at(table, "allocation"),
                         *format = option_at(table, "target/format@type");
        const char *word = format ? bag_get_string(options, format->name) : NULL;

        if (!allocation || capacity == UINT64_MAX || bag_has(options, allocation->name) ||
            (word && !streq(word, "raw")))
                return 0;
        return bag_set_u64(options, allocation->name, capacity) < 0 ? out_of_memory(e) : 0;
}

static int check_required(const OptionTable *table, const Bag *options, const char *name, Error *e)
{
        _cleanup_free_ char *whose = NULL;

        if (asprintf(&whose, "volume '%s'", name) < 0) {
                whose = NULL;
                return out_of_memory(e);
        }
        return required_check(table, options, whose, e);
}

int volume_definition_from_xml(const char *xml, size_t size, DefinitionFlags flags, const OptionTable *table,
                               char **ret_name, uint64_t *ret_capacity, Bag **ret_options, Error *e)
{
        _cleanup_(xmlFreeDocp) xmlDoc *doc = NULL;
        _cleanup_bag_ Bag *given = NULL, *options = NULL;
        _cleanup_free_ char *name = NULL;
        const xmlNode *root;
        uint64_t capacity;
        int r;

        r = xml_parse(xml, size, "volume", &doc, e);
        if (r < 0)
                return r;
        root = xmlDocGetRootElement(doc);
        r = xml_read_options(root, &volume_dialect, table, "volumes of this type of pool", flags, &given, e);
        if (r < 0)
                return r;
        r = read_name(root, &name, e);
        if (r < 0)
                return r;
        r = read_capacity(root, &capacity, e);
        if (r < 0)
                return r;
        if (capacity == UINT64_MAX && !has_backing(table, given))
                return error_set(e, ERROR_INVALID_DEFINITION,
                                 "line %ld: volume '%s' needs a <capacity> or a <backingStore>",
                                 xml_line(root), name);
        if (flags & DEFINITION_LAX) {
                r = default_allocation(table, capacity, given, e);
                if (r < 0)
                        return r;
        }
        r = check_required(table, given, name, e);
        if (r < 0)
                return r;
        r = options_check(table, given, &options, e);
        if (r < 0)
                return r;
        *ret_name = TAKE_PTR(name);
        *ret_capacity = capacity;
        *ret_options = TAKE_PTR(options);
        return 0;
}

/* Details that are no options: where they are printed. */
static const struct {
        const char *key, *place;
} detail_places[] = {
        { "timestamps.atime", "target/timestamps/atime" },
        { "timestamps.mtime", "target/timestamps/mtime" },
        { "timestamps.ctime", "target/timestamps/ctime" },
        { "timestamps.btime", "target/timestamps/btime" },
        { "backing.mode", "backingStore/permissions/mode" },
        { "backing.owner", "backingStore/permissions/owner" },
        { "backing.group", "backingStore/permissions/group" },
        { "backing.label", "backingStore/permissions/label" },
        { "backing.timestamps.atime", "backingStore/timestamps/atime" },
        { "backing.timestamps.mtime", "backingStore/timestamps/mtime" },
        { "backing.timestamps.ctime", "backingStore/timestamps/ctime" },
        { "backing.timestamps.btime", "backingStore/timestamps/btime" },
};

static int write_mode(XmlWriter *w, const char *place, uint32_t mode)
{
        char text[16];

        snprintf(text, sizeof text, "0%" PRIo32, mode);
        return xml_write(w, place, text);
}

static int write_id(XmlWriter *w, const char *place, uint32_t id)
{
        char text[16];

        if (id == UINT32_MAX)
                return 0;
        snprintf(text, sizeof text, "%" PRIu32, id);
        return xml_write(w, place, text);
}

/* "sec.nsec" as libvirt prints it: the nanoseconds are left out when they are 0. */
static int write_time(XmlWriter *w, const char *place, const char *time)
{
        const char *dot = strchr(time, '.');
        _cleanup_free_ char *text = NULL;

        if (dot && dot[1 + strspn(dot + 1, "0")] == '\0')
                text = strndup(time, (size_t)(dot - time));
        else
                text = strdup(time);
        return text ? xml_write(w, place, text) : -ENOMEM;
}

static int write_details(XmlWriter *w, const Bag *detail)
{
        FOREACH_ELEMENT (d, detail_places) {
                const Value *v = bag_get(detail, d->key);
                int r = 0;

                if (!v)
                        continue;
                if (v->type == VALUE_STRING)
                        r = strstr(d->key, "timestamps.") ? write_time(w, d->place, v->string)
                                                          : xml_write(w, d->place, v->string);
                else if (v->type == VALUE_U32)
                        r = streq(d->key, "backing.mode") ? write_mode(w, d->place, v->u32)
                                                          : write_id(w, d->place, v->u32);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* An unknown size is printed as 0: libvirt's readers need the element. */
static int write_sizes(XmlWriter *w, const VolumeInfo *v)
{
        int r;

        r = xml_write_size(w, "capacity", v->capacity == UINT64_MAX ? 0 : v->capacity);
        if (r >= 0 && !xml_has(w, "allocation"))
                r = xml_write_size(w, "allocation", v->allocation == UINT64_MAX ? 0 : v->allocation);
        if (r >= 0 && v->physical != UINT64_MAX && v->physical != 0)
                r = xml_write_size(w, "physical", v->physical);
        return r;
}

/* What the record says and the detail has not said already. */
static int write_record(XmlWriter *w, const VolumeInfo *v)
{
        int r = 0;

        if (v->format != FORMAT_NONE && !xml_has(w, "target/format@type"))
                r = xml_write(w, "target/format@type", image_format_to_string(v->format));
        if (r >= 0 && v->uid != UINT32_MAX && !xml_has(w, "target/permissions/mode"))
                r = write_mode(w, "target/permissions/mode", v->mode);
        if (r >= 0 && !xml_has(w, "target/permissions/owner"))
                r = write_id(w, "target/permissions/owner", v->uid);
        if (r >= 0 && !xml_has(w, "target/permissions/group"))
                r = write_id(w, "target/permissions/group", v->gid);
        if (r >= 0 && v->backing && !xml_has(w, "backingStore/path"))
                r = xml_write(w, "backingStore/path", v->backing);
        if (r >= 0 && v->backing && v->backing_format != FORMAT_NONE &&
            !xml_has(w, "backingStore/format@type"))
                r = xml_write(w, "backingStore/format@type", image_format_to_string(v->backing_format));
        return r;
}

int volume_to_xml(const VolumeInfo *v, const char *path, const char *key, const Bag *detail,
                  const OptionTable *table, char **ret)
{
        _cleanup_(xml_writer_freep) XmlWriter *w = xml_writer_new(&volume_dialect);
        int r;

        if (!w)
                return -ENOMEM;
        r = xml_write(w, "@type", volume_type_to_string(v->type));
        if (r >= 0)
                r = xml_write(w, "name", v->name);
        if (r >= 0)
                r = xml_write(w, "key", key);
        if (r >= 0)
                r = xml_write(w, "target/path", path);
        if (r >= 0)
                r = xml_write_options(w, table, detail);
        if (r >= 0)
                r = write_details(w, detail);
        if (r >= 0)
                r = write_sizes(w, v);
        if (r >= 0)
                r = write_record(w, v);
        if (r < 0)
                return r;
        return xml_writer_print(w, ret);
}
