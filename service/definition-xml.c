/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "definition-xml.h"

#include <inttypes.h>

#include "util/names.h"
#include "xml-dialect.h"

/* libvirt's <pool>, in the order it prints. Source: libvirt formatstorage.html and storage_conf. */
static const DialectPlace pool_places[] = {
        { "@type", PLACE_OWN, NULL },
        { "@pk:version", PLACE_OWN, NULL }, /* of stored files, which may be given back as they are */
        { "@pk:autostart", PLACE_OWN, NULL },
        { "name", PLACE_OWN, NULL },
        { "uuid", PLACE_OWN, NULL },
        { "capacity", PLACE_OUTPUT, NULL },
        { "allocation", PLACE_OUTPUT, NULL },
        { "available", PLACE_OUTPUT, NULL },
        { "features", PLACE_STRUCTURE, NULL },
        { "features/cow", PLACE_TABLE, NULL },
        { "features/cow@state", PLACE_TABLE, NULL },
        { "source", PLACE_STRUCTURE, NULL },
        { "source/host", PLACE_TABLE, NULL },
        { "source/host@name", PLACE_TABLE, NULL },
        { "source/host@port", PLACE_TABLE, NULL },
        { "source/device", PLACE_TABLE, NULL },
        { "source/device@path", PLACE_TABLE, NULL },
        { "source/device@part_separator", PLACE_TABLE, NULL },
        { "source/device/freeExtent", PLACE_OUTPUT, NULL },
        { "source/dir", PLACE_TABLE, NULL },
        { "source/dir@path", PLACE_TABLE, NULL },
        { "source/adapter", PLACE_TABLE, NULL },
        { "source/adapter@type", PLACE_TABLE, NULL },
        { "source/adapter@name", PLACE_TABLE, NULL },
        { "source/adapter@parent", PLACE_TABLE, NULL },
        { "source/adapter@parent_wwnn", PLACE_TABLE, NULL },
        { "source/adapter@parent_wwpn", PLACE_TABLE, NULL },
        { "source/adapter@parent_fabric_wwn", PLACE_TABLE, NULL },
        { "source/adapter@managed", PLACE_TABLE, NULL },
        { "source/adapter@wwnn", PLACE_TABLE, NULL },
        { "source/adapter@wwpn", PLACE_TABLE, NULL },
        { "source/adapter/parentaddr", PLACE_TABLE, NULL },
        { "source/adapter/parentaddr@unique_id", PLACE_TABLE, NULL },
        { "source/adapter/parentaddr/address", PLACE_TABLE, NULL },
        { "source/name", PLACE_TABLE, NULL },
        { "source/initiator", PLACE_TABLE, NULL },
        { "source/initiator/iqn", PLACE_TABLE, NULL },
        { "source/initiator/iqn@name", PLACE_TABLE, NULL },
        { "source/format", PLACE_TABLE, NULL },
        { "source/format@type", PLACE_TABLE, NULL },
        { "source/auth", PLACE_TABLE, NULL },
        { "source/auth@type", PLACE_TABLE, NULL },
        { "source/auth@username", PLACE_TABLE, NULL },
        { "source/auth/secret", PLACE_TABLE, NULL },
        { "source/auth/secret@type", PLACE_TABLE, NULL },
        { "source/auth/secret@usage", PLACE_TABLE, NULL },
        { "source/auth/secret@uuid", PLACE_TABLE, NULL },
        { "source/protocol", PLACE_TABLE, NULL },
        { "source/protocol@ver", PLACE_TABLE, NULL },
        { "source/vendor", PLACE_TABLE, NULL },
        { "source/vendor@name", PLACE_TABLE, NULL },
        { "source/product", PLACE_TABLE, NULL },
        { "source/product@name", PLACE_TABLE, NULL },
        { "target", PLACE_STRUCTURE, NULL },
        { "target/path", PLACE_TABLE, NULL },
        { "target/permissions", PLACE_STRUCTURE, NULL },
        { "target/permissions/mode", PLACE_TABLE, NULL },
        { "target/permissions/owner", PLACE_TABLE, NULL },
        { "target/permissions/group", PLACE_TABLE, NULL },
        { "target/permissions/label", PLACE_TABLE, NULL },
        { "refresh", PLACE_STRUCTURE, NULL },
        { "refresh/volume", PLACE_TABLE, NULL },
        { "refresh/volume@allocation", PLACE_TABLE, NULL },
        { "fs:mount_opts", PLACE_TABLE, NULL },
        { "fs:mount_opts/fs:option", PLACE_TABLE, NULL },
        { "rbd:config_opts", PLACE_TABLE, NULL },
        { "rbd:config_opts/rbd:option", PLACE_TABLE, NULL },
        OPTION_PLACES
};

static const Dialect pool_dialect = { .root = "pool",
                                      .places = pool_places,
                                      .n_places = ELEMENTSOF(pool_places) };

static int out_of_memory(Error *e)
{
        return error_set(e, ERROR_NO_MEMORY, "out of memory");
}

/* The attribute's value, "" when it is absent. */
static int root_attribute(const xmlNode *root, const char *name, char **ret, Error *e)
{
        const xmlAttr *attribute = xml_attribute(root, name);
        char *value = attribute ? xml_attribute_value(attribute) : strdup("");

        if (!value)
                return out_of_memory(e);
        *ret = value;
        return 0;
}

/* The first child of that name, "" when it is absent. */
static int root_child(const xmlNode *root, const char *name, char **ret, Error *e)
{
        const xmlNode *child = xml_child(root, name);
        char *value = child ? xml_content(child) : strdup("");

        if (!value)
                return out_of_memory(e);
        *ret = value;
        return 0;
}

static int read_marks(const xmlNode *root, StoreMarks *ret, Error *e)
{
        _cleanup_free_ char *version = NULL, *autostart = NULL;
        char *end;
        int r;

        r = root_attribute(root, "pk:version", &version, e);
        if (r < 0)
                return r;
        r = root_attribute(root, "pk:autostart", &autostart, e);
        if (r < 0)
                return r;
        if (!*version)
                return error_set(
                        e, ERROR_INVALID_DEFINITION,
                        "no pk:version: not a stored pool; remove the file and define the pool with it");
        errno = 0;
        ret->version = strtoull(version, &end, 10);
        if (errno || *end || ret->version == 0 || *version == '-')
                return error_set(e, ERROR_INVALID_DEFINITION, "pk:version '%s' is not a version", version);
        if (ret->version > STORE_VERSION)
                return error_set(e, ERROR_INVALID_DEFINITION,
                                 "written by a newer poolkeeper (version %" PRIu64 ", this one reads %u)",
                                 ret->version, STORE_VERSION);
        if (!streq(autostart, "yes") && !streq(autostart, "no"))
                return error_set(e, ERROR_INVALID_DEFINITION, "pk:autostart is neither yes nor no");
        ret->autostart = streq(autostart, "yes");
        return 0;
}

/* libvirt: types that take a source name use it where the pool has no name of its own. */
static int default_name(char **name, const OptionTable *table, const Bag *options, Error *e)
{
        for (size_t i = 0; isempty(*name) && i < table->n_specs; i++) {
                const char *source;

                if (!streq_ptr(table->specs[i].xml, "source/name"))
                        continue;
                source = bag_get_string(options, table->specs[i].name);
                if (source && free_and_strdup(name, source) < 0)
                        return out_of_memory(e);
        }
        if (isempty(*name))
                return error_set(e, ERROR_INVALID_DEFINITION, "the pool has no <name>");
        return 0;
}

/* Puts the line in front of what definition_make() says about name and UUID; the rest concerns no single
 * line. */
static int locate(const xmlNode *root, const char *element, Error *from, Error *e)
{
        const xmlNode *node = xml_child(root, element);

        return error_set(e, from->kind, "line %ld: %s", xml_line(node ?: root), from->message);
}

static int check_identity(const xmlNode *root, const char *name, const char *uuid, Error *e)
{
        _cleanup_error_ Error error = ERROR_NULL;
        char normal[37];

        if (name_check("pool", name, &error) < 0)
                return locate(root, "name", &error, e);
        if (*uuid && uuid_normalise(uuid, normal) < 0) {
                (void)error_set(&error, ERROR_INVALID_DEFINITION,
                                "'%s' is not a UUID (36 characters or 32 hex digits)", uuid);
                return locate(root, "uuid", &error, e);
        }
        return 0;
}

static int read_table(const xmlNode *root, const char *type, const OptionTable *table, DefinitionFlags flags,
                      Bag **ret, Error *e)
{
        _cleanup_free_ char *taker = NULL;

        if (asprintf(&taker, "pools of type '%s'", type) < 0) {
                taker = NULL;
                return out_of_memory(e);
        }
        return xml_read_options(root, &pool_dialect, table, taker, flags, ret, e);
}

int pool_xml_read(const char *xml, size_t size, DefinitionFlags flags, table_lookup_t lookup, void *userdata,
                  StoreMarks *marks, Definition **ret, Error *e)
{
        _cleanup_(xmlFreeDocp) xmlDoc *doc = NULL;
        _cleanup_free_ char *type = NULL, *name = NULL, *uuid = NULL;
        _cleanup_bag_ Bag *options = NULL;
        const OptionTable *table;
        const xmlNode *root;
        int r;

        r = xml_parse(xml, size, "pool", &doc, e);
        if (r < 0)
                return r;
        root = xmlDocGetRootElement(doc);
        if (marks) {
                r = read_marks(root, marks, e);
                if (r < 0)
                        return r;
        }

        r = root_attribute(root, "type", &type, e);
        if (r < 0)
                return r;
        if (!*type)
                return error_set(e, ERROR_INVALID_DEFINITION, "line %ld: <pool> has no type",
                                 xml_line(root));
        table = lookup(type, userdata);
        if (!table)
                return error_set(e, ERROR_BACKEND_UNAVAILABLE,
                                 "line %ld: no backend for pools of type '%s' is installed", xml_line(root),
                                 type);
        r = read_table(root, type, table, flags, &options, e);
        if (r < 0)
                return r;

        r = root_child(root, "name", &name, e);
        if (r < 0)
                return r;
        r = root_child(root, "uuid", &uuid, e);
        if (r < 0)
                return r;
        r = default_name(&name, table, options, e);
        if (r < 0)
                return r;
        r = check_identity(root, name, uuid, e);
        if (r < 0)
                return r;
        return definition_make(name, type, uuid, options, table, ret, e);
}

static int write_head(XmlWriter *w, const Definition *d, const PoolNumbers *numbers, const StoreMarks *marks)
{
        int r;

        r = xml_write(w, "@type", d->type);
        if (r >= 0 && marks)
                r = xml_write(w, "@pk:version", "1");
        if (r >= 0 && marks)
                r = xml_write(w, "@pk:autostart", yes_no(marks->autostart));
        if (r >= 0)
                r = xml_write(w, "name", d->name);
        if (r >= 0)
                r = xml_write(w, "uuid", d->uuid);
        if (r >= 0)
                r = xml_write_size(w, "capacity", numbers ? numbers->capacity : 0);
        if (r >= 0)
                r = xml_write_size(w, "allocation", numbers ? numbers->allocation : 0);
        if (r >= 0)
                r = xml_write_size(w, "available", numbers ? numbers->available : 0);
        if (r >= 0)
                r = xml_write(w, "source", ""); /* libvirt prints it always */
        return r;
}

int pool_xml_write(const Definition *d, const OptionTable *table, const PoolNumbers *numbers,
                   const StoreMarks *marks, char **ret)
{
        _cleanup_(xml_writer_freep) XmlWriter *w = xml_writer_new(&pool_dialect);
        int r;

        if (!w)
                return -ENOMEM;
        r = write_head(w, d, numbers, marks);
        if (r < 0)
                return r;
        r = xml_write_options(w, table, d->options);
        if (r < 0)
                return r;
        return xml_writer_print(w, ret);
}
