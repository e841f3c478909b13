/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "xml-dialect.h"

typedef struct Item {
        char *place, *text;
        size_t rank;  /* of its element in the dialect */
        size_t order; /* of arrival, for a stable sort */
        bool again;   /* starts a new element of that name: the next item of a list */
} Item;

struct XmlWriter {
        const Dialect *dialect;
        Item *items;
        size_t n_items, n_allocated;
};

XmlWriter *xml_writer_new(const Dialect *dialect)
{
        XmlWriter *w = calloc(1, sizeof *w);

        if (w)
                w->dialect = dialect;
        return w;
}

void xml_writer_free(XmlWriter *w)
{
        if (!w)
                return;
        for (size_t i = 0; i < w->n_items; i++) {
                free(w->items[i].place);
                free(w->items[i].text);
        }
        free(w->items);
        free(w);
}

/* Elements that the dialect does not have come last. */
static size_t rank_of(const Dialect *dialect, const char *place)
{
        size_t n = strcspn(place, "@");

        if (n == 0)
                return 0;
        for (size_t i = 0; i < dialect->n_places; i++)
                if (strncmp(dialect->places[i].place, place, n) == 0 && dialect->places[i].place[n] == '\0')
                        return i + 1;
        return dialect->n_places + 1;
}

static int add_item(XmlWriter *w, const char *place, const char *text, bool again)
{
        _cleanup_free_ char *place_copy = strdup(place), *text_copy = text ? strdup(text) : NULL;

        if (!place_copy || (text && !text_copy))
                return -ENOMEM;
        if (w->n_items == w->n_allocated) {
                size_t n = MAX(w->n_allocated * 2, 32u);
                Item *items = reallocarray(w->items, n, sizeof *items);

                if (!items)
                        return -ENOMEM;
                w->items = items;
                w->n_allocated = n;
        }
        w->items[w->n_items] = (Item){
                .place = TAKE_PTR(place_copy),
                .text = TAKE_PTR(text_copy),
                .rank = rank_of(w->dialect, place),
                .order = w->n_items,
                .again = again,
        };
        w->n_items++;
        return 0;
}

int xml_write(XmlWriter *w, const char *place, const char *text)
{
        return add_item(w, place, text, false);
}

bool xml_has(const XmlWriter *w, const char *place)
{
        for (size_t i = 0; i < w->n_items; i++)
                if (streq(w->items[i].place, place))
                        return true;
        return false;
}

/* libvirt prints every size in bytes, but not always with the same word for it. */
static int write_unit(XmlWriter *w, const char *place)
{
        _cleanup_free_ char *unit_place = NULL;
        size_t rank = rank_of(w->dialect, place);
        const char *unit =
                rank > 0 && rank <= w->dialect->n_places ? w->dialect->places[rank - 1].unit : NULL;

        if (asprintf(&unit_place, "%s@unit", place) < 0) {
                unit_place = NULL;
                return -ENOMEM;
        }
        return xml_write(w, unit_place, unit ?: "bytes");
}

int xml_write_size(XmlWriter *w, const char *place, uint64_t bytes)
{
        char text[32];
        int r;

        r = write_unit(w, place);
        if (r < 0)
                return r;
        snprintf(text, sizeof text, "%" PRIu64, bytes);
        return xml_write(w, place, text);
}

static int write_named(XmlWriter *w, const OptionSpec *spec, const char *text)
{
        int r;

        r = add_item(w, OPTION_PLACE "@name", spec->name, true);
        if (r < 0)
                return r;
        return xml_write(w, OPTION_PLACE "@value", text);
}

/* "a/b" + "c" is "a/b@c" */
static int write_attribute(XmlWriter *w, const OptionPlace *p, const char *attribute, const char *text,
                           bool again)
{
        _cleanup_free_ char *place = NULL;

        if (asprintf(&place, "%.*s@%s", (int)p->element_length, p->element, attribute) < 0) {
                place = NULL;
                return -ENOMEM;
        }
        return add_item(w, place, text, again);
}

/* HOST, HOST:PORT, V6, [V6], [V6]:PORT */
static int write_host(XmlWriter *w, const OptionPlace *p, const char *text)
{
        const char *end = *text == '[' ? strchr(text, ']') : NULL, *colon = strchr(end ?: text, ':');
        _cleanup_free_ char *name = NULL;
        int r;

        if (!end && colon && strchr(colon + 1, ':'))
                colon = NULL; /* a bare IPv6 address */
        if (end)
                name = strndup(text + 1, (size_t)(end - text - 1));
        else
                name = strndup(text, colon ? (size_t)(colon - text) : strlen(text));
        if (!name)
                return -ENOMEM;
        r = write_attribute(w, p, "name", name, true);
        if (r < 0 || !colon)
                return r;
        return write_attribute(w, p, "port", colon + 1, false);
}

/* NAME=VALUE; an item without '=' has no place in libvirt's dialect. */
static int write_pair(XmlWriter *w, const OptionSpec *spec, const OptionPlace *p, const char *text)
{
        const char *equals = strchr(text, '=');
        _cleanup_free_ char *name = NULL, *attribute = NULL;
        int r;

        if (!equals || equals == text || !equals[1])
                return write_named(w, spec, text);
        name = strndup(text, (size_t)(equals - text));
        attribute = strndup(p->attribute, (size_t)(p->second - 1 - p->attribute));
        if (!name || !attribute)
                return -ENOMEM;
        r = write_attribute(w, p, attribute, name, true);
        if (r < 0)
                return r;
        return write_attribute(w, p, p->second, equals + 1, false);
}

static int write_item(XmlWriter *w, const OptionSpec *spec, const char *text)
{
        OptionPlace p = option_place(spec);
        _cleanup_free_ char *place = NULL;

        switch (p.kind) {
        case KIND_NONE:
                return write_named(w, spec, text);
        case KIND_HOSTS:
                return write_host(w, &p, text);
        case KIND_PAIR:
                return write_pair(w, spec, &p, text);
        case KIND_ATTRIBUTE:
                return write_attribute(w, &p, p.attribute, text, option_is_list(spec));
        case KIND_FLAG:
                if (!streq(text, "yes"))
                        return write_named(w, spec, text);
                text = NULL;
                break;
        case KIND_CONTENT:
                break;
        }
        place = strndup(p.element, p.element_length);
        if (!place)
                return -ENOMEM;
        if (spec->type == OPTION_SIZE && text) {
                int r = write_unit(w, place);

                if (r < 0)
                        return r;
        }
        return add_item(w, place, text, option_is_list(spec));
}

static int write_option(XmlWriter *w, const OptionSpec *spec, const Value *value)
{
        for (size_t i = 0;; i++) {
                _cleanup_free_ char *text = NULL;
                int r;

                if (i > 0 && !option_is_list(spec))
                        return 0;
                r = option_get_text(spec, value, i, &text);
                if (r == -ENOENT)
                        return 0;
                if (r < 0)
                        return r;
                r = write_item(w, spec, text);
                if (r < 0)
                        return r;
        }
}

/* An attribute beside a list's has no element to stand in while the list is empty. */
static bool is_homeless(const OptionTable *table, const OptionSpec *spec, const Bag *options)
{
        OptionPlace own = option_place(spec);

        if (own.kind != KIND_ATTRIBUTE || option_is_list(spec))
                return false;
        for (size_t i = 0; i < table->n_specs; i++) {
                OptionPlace other = option_place(table->specs + i);

                if (option_is_list(table->specs + i) && other.element_length == own.element_length &&
                    strncmp(other.element, own.element, own.element_length) == 0 &&
                    strv_length(bag_get_strv(options, table->specs[i].name)) == 0)
                        return true;
        }
        return false;
}

/* Lists first: what stands beside them is put into their last element. */
static int write_options(XmlWriter *w, const OptionTable *table, const Bag *options, bool lists)
{
        for (size_t i = 0; i < table->n_specs; i++) {
                OptionSpec spec = table->specs[i];
                const Value *value = bag_get(options, spec.name);
                int r;

                if (!value || option_is_list(&spec) != lists || spec.flags & OPTION_SECRET ||
                    spec.type == OPTION_FD || (spec.xml && xml_has(w, spec.xml)))
                        continue;
                if (is_homeless(table, &spec, options))
                        spec.xml = NULL;
                r = write_option(w, &spec, value);
                if (r < 0)
                        return r;
        }
        return 0;
}

int xml_write_options(XmlWriter *w, const OptionTable *table, const Bag *options)
{
        int r;

        r = write_options(w, table, options, true);
        if (r < 0)
                return r;
        return write_options(w, table, options, false);
}

static int compare_items(const void *a, const void *b)
{
        const Item *x = a, *y = b;

        if (x->rank != y->rank)
                return x->rank < y->rank ? -1 : 1;
        return x->order < y->order ? -1 : x->order > y->order;
}

static xmlNode *last_child(const xmlNode *parent, const char *name)
{
        for (xmlNode *child = parent->last; child; child = child->prev)
                if (streq((const char *)child->name, name))
                        return child;
        return NULL;
}

/* The prefix is part of the name here; each that is used is declared at the root, where libvirt declares
 * them too. */
static int declare_prefix(xmlNode *root, const char *name)
{
        _cleanup_free_ char *attribute = NULL;
        const char *uri = xml_namespace(name);

        if (!uri)
                return 0;
        if (asprintf(&attribute, "xmlns:%.*s", (int)strcspn(name, ":"), name) < 0) {
                attribute = NULL;
                return -ENOMEM;
        }
        if (xmlHasProp(root, (const xmlChar *)attribute))
                return 0;
        return xmlNewProp(root, (const xmlChar *)attribute, (const xmlChar *)uri) ? 0 : -ENOMEM;
}

/* Finds or makes the child; `again` makes another one. */
static int enter(xmlNode *root, xmlNode **node, const char *name, bool again)
{
        xmlNode *child = again ? NULL : last_child(*node, name);
        int r;

        if (!child) {
                r = declare_prefix(root, name);
                if (r < 0)
                        return r;
                child = xmlNewChild(*node, NULL, (const xmlChar *)name, NULL);
                if (!child)
                        return -ENOMEM;
        }
        *node = child;
        return 0;
}

static int place_item(xmlNode *root, const Item *item)
{
        _cleanup_free_ char *path = strdup(item->place);
        const char *attribute = NULL;
        xmlNode *node = root, *text;
        char *at, *rest, *name;
        int r;

        if (!path)
                return -ENOMEM;
        at = strchr(path, '@');
        if (at) {
                *at = '\0';
                attribute = at + 1;
        }
        rest = *path ? path : NULL;
        while ((name = strsep(&rest, "/"))) {
                r = enter(root, &node, name, item->again && !rest);
                if (r < 0)
                        return r;
        }
        if (attribute) {
                r = declare_prefix(root, attribute);
                if (r < 0)
                        return r;
                return xmlNewProp(node, (const xmlChar *)attribute, (const xmlChar *)item->text) ? 0
                                                                                                 : -ENOMEM;
        }
        if (!item->text || node->children)
                return 0;
        text = xmlNewText((const xmlChar *)item->text);
        if (!text)
                return -ENOMEM;
        xmlAddChild(node, text);
        return 0;
}

int xml_writer_print(XmlWriter *w, char **ret)
{
        _cleanup_(xmlFreeNodep) xmlNode *root = xmlNewNode(NULL, (const xmlChar *)w->dialect->root);

        if (!root)
                return -ENOMEM;
        if (w->n_items > 0)
                qsort(w->items, w->n_items, sizeof *w->items, compare_items);
        for (size_t i = 0; i < w->n_items; i++) {
                int r = place_item(root, w->items + i);

                if (r < 0)
                        return r;
        }
        return xml_print(root, ret);
}
