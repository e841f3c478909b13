/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "util/units.h"
#include "xml-dialect.h"

typedef struct Reader {
        const Dialect *dialect;
        const OptionTable *table;
        const OptionPlace *places; /* of the table's options */
        const char *taker;
        bool lax;
        Bag *bag;
        Error *error;
} Reader;

OptionPlace option_place(const OptionSpec *spec)
{
        OptionPlace p = { .element = spec->xml };
        const char *at = spec->xml ? strchr(spec->xml, '@') : NULL;

        if (!spec->xml)
                return p;
        p.element_length = strcspn(spec->xml, "@?");
        if (spec->type == OPTION_HOSTS)
                p.kind = KIND_HOSTS;
        else if (at) {
                const char *equals = strchr(at, '=');

                p.kind = equals ? KIND_PAIR : KIND_ATTRIBUTE;
                p.attribute = at + 1;
                p.second = equals ? equals + 1 : NULL;
        } else
                p.kind = spec->xml[p.element_length] == '?' ? KIND_FLAG : KIND_CONTENT;
        return p;
}

bool option_stands_at(const OptionPlace *p, const char *place)
{
        return p->kind != KIND_NONE && strlen(place) == p->element_length &&
               strncmp(place, p->element, p->element_length) == 0;
}

bool option_is_list(const OptionSpec *spec)
{
        return spec->type == OPTION_STRV || spec->type == OPTION_HOSTS;
}

_printf_(3, 4) static int refuse(Reader *r, const xmlNode *node, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return error_set(r->error, ERROR_NO_MEMORY, "out of memory");
        }
        return error_set(r->error, ERROR_INVALID_DEFINITION, "line %ld: %s", xml_line(node), text);
}

static int out_of_memory(Reader *r)
{
        return error_set(r->error, ERROR_NO_MEMORY, "out of memory");
}

static const DialectPlace *find_place(const Reader *r, const char *place)
{
        for (size_t i = 0; i < r->dialect->n_places; i++)
                if (streq(r->dialect->places[i].place, place))
                        return r->dialect->places + i;
        return NULL;
}

static bool has_role(const DialectPlace *known, PlaceRole role)
{
        return known && known->role == role;
}

/* The option that is the element itself, or NULL. */
static const OptionSpec *element_option(const Reader *r, const char *place)
{
        for (size_t i = 0; i < r->table->n_specs; i++) {
                const OptionPlace *p = r->places + i;

                if (p->kind != KIND_ATTRIBUTE && option_stands_at(p, place))
                        return r->table->specs + i;
        }
        return NULL;
}

/* The option in an attribute of it, or NULL. */
static const OptionSpec *attribute_option(const Reader *r, const char *place)
{
        for (size_t i = 0; i < r->table->n_specs; i++)
                if (r->places[i].kind == KIND_ATTRIBUTE && streq(r->table->specs[i].xml, place))
                        return r->table->specs + i;
        return NULL;
}

/* The table has an option for this element, or for something below it. */
static bool is_taken(const Reader *r, const char *place)
{
        size_t n = strlen(place);

        for (size_t i = 0; i < r->table->n_specs; i++) {
                const char *xml = r->table->specs[i].xml;

                if (xml && strncmp(xml, place, n) == 0 && (xml[n] == '\0' || strchr("/@?", xml[n])))
                        return true;
        }
        return false;
}

static bool may_repeat(const Reader *r, const char *place)
{
        if (streq(place, OPTION_PLACE))
                return true;
        for (size_t i = 0; i < r->table->n_specs; i++) {
                const OptionPlace *p = r->places + i;

                if (option_is_list(r->table->specs + i) && option_stands_at(p, place))
                        return true;
        }
        return false;
}

/* One value as text. libvirt reads the first of several and takes an empty element for an absent one (but an
 * empty owner or group for a mistake). */
static int take_value(Reader *r, const OptionSpec *spec, const xmlNode *node, const char *text)
{
        _cleanup_error_ Error error = ERROR_NULL;
        int k;

        if (spec->type == OPTION_FD || spec->flags & OPTION_SECRET)
                return refuse(r, node, "option %s is a secret or a descriptor and cannot be given in XML",
                              spec->name);
        if (isempty(text) && spec->type != OPTION_ID)
                return 0;
        if (option_is_list(spec)) {
                if (strv_length(bag_get_strv(r->bag, spec->name)) >= LIST_ITEMS_MAX)
                        return refuse(r, node, "option %s has more than %u items", spec->name,
                                      LIST_ITEMS_MAX);
        } else if (bag_has(r->bag, spec->name))
                return r->lax ? 0 : refuse(r, node, "option %s is given twice", spec->name);

        k = option_set_text(spec, text, r->bag, &error);
        if (k == -ENOMEM)
                return out_of_memory(r);
        if (k < 0)
                return refuse(r, node, "%s", error.message);
        return 0;
}

static int take_size(Reader *r, const OptionSpec *spec, const xmlNode *node, const char *number)
{
        _cleanup_error_ Error error = ERROR_NULL;
        _cleanup_free_ char *unit = NULL;
        const xmlAttr *attribute = xml_attribute(node, "unit");
        char text[32];
        uint64_t size;

        if (isempty(number))
                return 0;
        if (attribute) {
                unit = xml_attribute_value(attribute);
                if (!unit)
                        return out_of_memory(r);
        }
        if (size_scale(number, unit, NULL, &size, &error) < 0)
                return refuse(r, node, "%s", error.message);
        snprintf(text, sizeof text, "%" PRIu64, size);
        return take_value(r, spec, node, text);
}

/* Attribute of a list item; *ret NULL when it is absent and may be. */
static int item_attribute(Reader *r, const xmlNode *node, const char *name, bool required, char **ret)
{
        const xmlAttr *attribute = xml_attribute(node, name);
        _cleanup_free_ char *value = NULL;

        if (attribute) {
                value = xml_attribute_value(attribute);
                if (!value)
                        return out_of_memory(r);
        }
        if (required && isempty(value))
                return refuse(r, node, "<%s> needs the attribute '%s'", node->name, name);
        *ret = TAKE_PTR(value);
        return 0;
}

static int take_host(Reader *r, const OptionSpec *spec, const xmlNode *node)
{
        _cleanup_free_ char *name = NULL, *port = NULL, *text = NULL;
        int k;

        k = item_attribute(r, node, "name", true, &name);
        if (k < 0)
                return k;
        k = item_attribute(r, node, "port", false, &port);
        if (k < 0)
                return k;
        if (isempty(port) || streq(port, "0")) /* libvirt: port 0 is none */
                return take_value(r, spec, node, name);
        if (asprintf(&text, strchr(name, ':') ? "[%s]:%s" : "%s:%s", name, port) < 0) {
                text = NULL;
                return out_of_memory(r);
        }
        return take_value(r, spec, node, text);
}

static int take_pair(Reader *r, const OptionSpec *spec, const OptionPlace *place, const xmlNode *node)
{
        _cleanup_free_ char *key = strndup(place->attribute, (size_t)(place->second - 1 - place->attribute));
        _cleanup_free_ char *name = NULL, *value = NULL, *text = NULL;
        int k;

        if (!key)
                return out_of_memory(r);
        k = item_attribute(r, node, key, true, &name);
        if (k < 0)
                return k;
        k = item_attribute(r, node, place->second, true, &value);
        if (k < 0)
                return k;
        if (strchr(name, '='))
                return refuse(r, node, "the %s '%s' has a '='", key, name);
        if (asprintf(&text, "%s=%s", name, value) < 0) {
                text = NULL;
                return out_of_memory(r);
        }
        return take_value(r, spec, node, text);
}

static int take_element(Reader *r, const OptionSpec *spec, const xmlNode *node)
{
        OptionPlace place = option_place(spec);
        _cleanup_free_ char *content = NULL;

        switch (place.kind) {
        case KIND_HOSTS:
                return take_host(r, spec, node);
        case KIND_PAIR:
                return take_pair(r, spec, &place, node);
        case KIND_FLAG:
                return take_value(r, spec, node, "yes");
        case KIND_CONTENT:
                content = xml_content(node);
                if (!content)
                        return out_of_memory(r);
                return spec->type == OPTION_SIZE ? take_size(r, spec, node, content)
                                                 : take_value(r, spec, node, content);
        case KIND_NONE:
        case KIND_ATTRIBUTE:
                break;
        }
        return 0;
}

/* <pk:option name='...' value='...'/>: any option by its name. */
static int take_named(Reader *r, const xmlNode *node)
{
        _cleanup_free_ char *name = NULL, *value = NULL;
        const OptionSpec *spec;
        int k;

        k = item_attribute(r, node, "name", true, &name);
        if (k < 0)
                return k;
        k = item_attribute(r, node, "value", false, &value);
        if (k < 0)
                return k;
        spec = option_find(r->table, name);
        if (!spec)
                return r->lax ? 0 : refuse(r, node, "unknown option '%s', not taken by %s", name, r->taker);
        if (!value)
                return refuse(r, node, "<option> needs the attribute 'value'");
        return take_value(r, spec, node, value);
}

/* Attributes that belong to the value of their element and were read with it. */
static bool is_part_of_value(const OptionSpec *spec, const char *attribute)
{
        OptionPlace place;

        if (!spec)
                return false;
        place = option_place(spec);
        switch (place.kind) {
        case KIND_HOSTS:
                return streq(attribute, "name") || streq(attribute, "port");
        case KIND_PAIR:
                return streq(attribute, place.second) ||
                       (strncmp(attribute, place.attribute, strlen(attribute)) == 0 &&
                        place.attribute[strlen(attribute)] == '=');
        case KIND_CONTENT:
                return spec->type == OPTION_SIZE && streq(attribute, "unit");
        case KIND_FLAG:
        case KIND_NONE:
        case KIND_ATTRIBUTE:
                break;
        }
        return false;
}

static int read_attribute(Reader *r, const xmlNode *node, const xmlAttr *attribute, const char *parent,
                          const OptionSpec *owner)
{
        _cleanup_free_ char *place = xml_place(parent, '@', attribute->ns, attribute->name), *value = NULL;
        const DialectPlace *known;
        const OptionSpec *spec;

        if (!place)
                return out_of_memory(r);
        if (!attribute->ns && is_part_of_value(owner, (const char *)attribute->name))
                return 0;
        spec = attribute_option(r, place);
        if (spec) {
                value = xml_attribute_value(attribute);
                if (!value)
                        return out_of_memory(r);
                return take_value(r, spec, node, value);
        }
        known = find_place(r, place);
        if (has_role(known, PLACE_OWN) || has_role(known, PLACE_OUTPUT) || r->lax)
                return 0;
        if (known)
                return refuse(r, node, "attribute '%s' of <%s> is not taken by %s", attribute->name,
                              node->name, r->taker);
        return refuse(r, node, "unknown attribute '%s' of <%s>", attribute->name, node->name);
}

/* A list whose items stand in an attribute: an element without it is a mistake, not an absent item. */
static int check_item(Reader *r, const xmlNode *node, const char *place)
{
        for (size_t i = 0; i < r->table->n_specs; i++) {
                const OptionSpec *spec = r->table->specs + i;
                const OptionPlace *p = r->places + i;
                _cleanup_free_ char *value = NULL;
                int k;

                if (!option_is_list(spec) || p->kind != KIND_ATTRIBUTE || !option_stands_at(p, place))
                        continue;
                k = item_attribute(r, node, p->attribute, true, &value);
                if (k < 0)
                        return k;
        }
        return 0;
}

static int check_duplicate(Reader *r, const xmlNode *node, const char *place)
{
        if (r->lax || may_repeat(r, place))
                return 0;
        for (const xmlNode *other = node->prev; other; other = other->prev)
                if (other->type == XML_ELEMENT_NODE && other->ns == node->ns &&
                    xmlStrEqual(other->name, node->name))
                        return refuse(r, node, "element <%s> in <%s> is given twice", node->name,
                                      node->parent->name);
        return 0;
}

static bool is_blank(const xmlNode *text)
{
        return text->content[strspn((const char *)text->content, " \t\r\n")] == '\0';
}

static int read_element(Reader *r, const xmlNode *node, const char *place);

/* Attributes and everything below an element; `owner` is the option that its content or presence is. */
static int read_inside(Reader *r, const xmlNode *node, const char *place, const OptionSpec *owner)
{
        const DialectPlace *known = find_place(r, place);
        bool has_text = (owner && option_place(owner).kind == KIND_CONTENT) || has_role(known, PLACE_OWN);
        int k;

        k = check_item(r, node, place);
        if (k < 0)
                return k;
        for (const xmlAttr *a = node->properties; a; a = a->next) {
                k = read_attribute(r, node, a, place, owner);
                if (k < 0)
                        return k;
        }
        for (const xmlNode *child = node->children; child; child = child->next) {
                if (child->type == XML_ELEMENT_NODE) {
                        _cleanup_free_ char *below = xml_place(place, '/', child->ns, child->name);

                        if (!below)
                                return out_of_memory(r);
                        k = read_element(r, child, below);
                        if (k < 0)
                                return k;
                } else if (child->type == XML_TEXT_NODE && !has_text && !r->lax && !is_blank(child))
                        return refuse(r, node, "<%s> does not take text", node->name);
        }
        return 0;
}

static int read_element(Reader *r, const xmlNode *node, const char *place)
{
        const DialectPlace *known = find_place(r, place);
        const OptionSpec *spec = element_option(r, place);
        int k;

        k = check_duplicate(r, node, place);
        if (k < 0)
                return k;
        if (streq(place, OPTION_PLACE))
                k = take_named(r, node);
        else if (spec)
                k = take_element(r, spec, node);
        if (k < 0)
                return k;

        if (is_taken(r, place) || has_role(known, PLACE_OWN) || has_role(known, PLACE_STRUCTURE))
                return read_inside(r, node, place, spec);
        if (has_role(known, PLACE_OUTPUT) || r->lax)
                return 0;
        if (known)
                return refuse(r, node, "element <%s> in <%s> is not taken by %s", node->name,
                              node->parent->name, r->taker);
        return refuse(r, node, "unknown element <%s> in <%s>", node->name, node->parent->name);
}

int xml_read_options(const xmlNode *root, const Dialect *dialect, const OptionTable *table,
                     const char *taker, DefinitionFlags flags, Bag **ret, Error *e)
{
        _cleanup_free_ OptionPlace *places = calloc(table->n_specs + 1, sizeof *places);
        _cleanup_bag_ Bag *bag = bag_new();
        Reader r = { .dialect = dialect,
                     .table = table,
                     .places = places,
                     .taker = taker,
                     .lax = flags & DEFINITION_LAX,
                     .bag = bag,
                     .error = e };
        int k;

        if (!places || !bag)
                return out_of_memory(&r);
        for (size_t i = 0; i < table->n_specs; i++)
                places[i] = option_place(table->specs + i);
        k = read_inside(&r, root, "", NULL);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(bag);
        return 0;
}
