/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xml-tree.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include "definition.h"

/* Source: libvirt's storage_conf schemas; backends fs and netfs share one. */
static const struct {
        const char *prefix, *uri;
} namespaces[] = {
        { "pk", POOL_XML_NAMESPACE },
        { "fs", "http://libvirt.org/schemas/storagepool/fs/1.0" },
        { "rbd", "http://libvirt.org/schemas/storagepool/rbd/1.0" },
};

const char *xml_namespace(const char *name)
{
        FOREACH_ELEMENT (n, namespaces) {
                const char *rest = startswith(name, n->prefix);

                if (rest && *rest == ':')
                        return n->uri;
        }
        return NULL;
}

static const char *known_prefix(const xmlNs *ns)
{
        FOREACH_ELEMENT (n, namespaces)
                if (streq((const char *)ns->href, n->uri))
                        return n->prefix;
        return NULL;
}

char *xml_place(const char *parent, char separator, const xmlNs *ns, const xmlChar *name)
{
        const char *prefix = ns ? known_prefix(ns) : NULL;
        char between[2] = { *parent || separator == '@' ? separator : '\0', '\0' };
        char *place;

        if (asprintf(&place, "%s%s%s%s%s", parent, between, ns ? (prefix ?: "?") : "", ns ? ":" : "", name) <
            0)
                return NULL;
        return place;
}

/* What stops the parser before libxml2 has done anything with it. */
typedef struct Guard {
        startElementNsSAX2Func start;
        endElementNsSAX2Func end;
        unsigned depth;
        size_t n_nodes;
        int line;
        const char *refusal; /* NULL: nothing was refused */
} Guard;

static void guard_refuse(xmlParserCtxt *context, const char *refusal)
{
        Guard *guard = context->_private;

        if (!guard->refusal) {
                guard->refusal = refusal;
                guard->line = xmlSAX2GetLineNumber(context);
        }
        xmlStopParser(context);
}

static void guard_doctype(void *userdata, const xmlChar *name, const xmlChar *external,
                          const xmlChar *system)
{
        guard_refuse(userdata, "a document type declaration is not allowed; remove <!DOCTYPE ...>");
}

static void guard_start(void *userdata, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                        int n_namespaces, const xmlChar **ns, int n_attributes, int n_defaulted,
                        const xmlChar **attributes)
{
        xmlParserCtxt *context = userdata;
        Guard *guard = context->_private;

        if (guard->depth >= XML_DEPTH_MAX) {
                guard_refuse(context, "elements are nested too deeply");
                return;
        }
        guard->n_nodes += 1 + (size_t)n_attributes;
        if (guard->n_nodes > XML_NODES_MAX) {
                guard_refuse(context, "there are too many elements and attributes");
                return;
        }
        guard->depth++;
        guard->start(userdata, name, prefix, uri, n_namespaces, ns, n_attributes, n_defaulted, attributes);
}

static void guard_end(void *userdata, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
        xmlParserCtxt *context = userdata;
        Guard *guard = context->_private;

        guard->depth--;
        guard->end(userdata, name, prefix, uri);
}

static int parse_error(const xmlParserCtxt *context, const Guard *guard, Error *e)
{
        const xmlError *error = &context->lastError;
        int length = error->message ? (int)strcspn(error->message, "\n") : 0;

        if (guard->refusal)
                return error_set(e, ERROR_INVALID_DEFINITION, "line %d: %s", guard->line, guard->refusal);
        if (error->code == XML_ERR_NO_MEMORY)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        if (length == 0 || !xml_text_is_valid(error->message))
                return error_set(e, ERROR_INVALID_DEFINITION, "line %d: not well-formed XML", error->line);
        return error_set(e, ERROR_INVALID_DEFINITION, "line %d: not well-formed XML: %.*s", error->line,
                         length, error->message);
}

static void context_free(xmlParserCtxt *context)
{
        xmlFreeParserCtxt(context);
}
DEFINE_CLEANUP(xmlParserCtxt *, context_free)

int xml_parse(const char *xml, size_t size, const char *root, xmlDoc **ret, Error *e)
{
        _cleanup_(context_freep) xmlParserCtxt *context = NULL;
        _cleanup_(xmlFreeDocp) xmlDoc *doc = NULL;
        Guard guard = {};
        xmlNode *top;

        if (size > POOL_XML_BYTES_MAX)
                return error_set(e, ERROR_INVALID_DEFINITION, "the document is larger than %u bytes",
                                 POOL_XML_BYTES_MAX);

        context = xmlNewParserCtxt();
        if (!context)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        guard.start = context->sax->startElementNs;
        guard.end = context->sax->endElementNs;
        context->sax->startElementNs = guard_start;
        context->sax->endElementNs = guard_end;
        context->sax->internalSubset = guard_doctype;
        context->_private = &guard;

        doc = xmlCtxtReadMemory(context, xml, (int)size, NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                        XML_PARSE_NOCDATA | XML_PARSE_BIG_LINES);
        if (!doc || guard.refusal)
                return parse_error(context, &guard, e);

        top = xmlDocGetRootElement(doc);
        if (!top || top->ns || !streq((const char *)top->name, root))
                return error_set(e, ERROR_INVALID_DEFINITION, "line %ld: the document is not a <%s>",
                                 top ? xml_line(top) : 1, root);
        *ret = TAKE_PTR(doc);
        return 0;
}

long xml_line(const xmlNode *node)
{
        return xmlGetLineNo(node);
}

/* libxml2 may be told to use another allocator; what leaves this file is freed by free(). */
static char *take_xml_string(xmlChar *s)
{
        char *copy = s ? strdup((const char *)s) : NULL;

        xmlFree(s);
        return copy;
}

char *xml_content(const xmlNode *node)
{
        return take_xml_string(xmlNodeGetContent(node));
}

char *xml_attribute_value(const xmlAttr *attribute)
{
        return take_xml_string(xmlNodeGetContent((const xmlNode *)attribute));
}

static bool name_is(const xmlNs *ns, const xmlChar *local, const char *name)
{
        const char *uri = xml_namespace(name);

        if (uri)
                return ns && streq((const char *)ns->href, uri) &&
                       streq((const char *)local, strchr(name, ':') + 1);
        return !ns && streq((const char *)local, name);
}

const xmlAttr *xml_attribute(const xmlNode *node, const char *name)
{
        for (const xmlAttr *a = node->properties; a; a = a->next)
                if (name_is(a->ns, a->name, name))
                        return a;
        return NULL;
}

const xmlNode *xml_child(const xmlNode *node, const char *name)
{
        for (const xmlNode *child = node->children; child; child = child->next)
                if (child->type == XML_ELEMENT_NODE && name_is(child->ns, child->name, name))
                        return child;
        return NULL;
}

/* Length of the character at `s` if XML can carry it, else 0. */
static size_t valid_character(const char *s)
{
        int length = (int)strnlen(s, 4);
        int c = xmlGetUTF8Char((const unsigned char *)s, &length);

        return c > 0 && IS_CHAR(c) ? (size_t)length : 0;
}

bool xml_text_is_valid(const char *text)
{
        while (*text) {
                size_t length = valid_character(text);

                if (length == 0)
                        return false;
                text += length;
        }
        return true;
}

static void print_text(FILE *f, const char *s, bool attribute)
{
        while (*s) {
                size_t length = valid_character(s);

                if (length == 0)
                        fprintf(f, "\\x%02x", (unsigned char)*s++);
                else if (length > 1) {
                        fwrite(s, 1, length, f);
                        s += length;
                } else {
                        char c = *s++;

                        if (c == '<')
                                fputs("&lt;", f);
                        else if (c == '>')
                                fputs("&gt;", f);
                        else if (c == '&')
                                fputs("&amp;", f);
                        else if (c == '"')
                                fputs("&quot;", f);
                        else if (c == '\'')
                                fputs("&apos;", f);
                        else if (c == '\r' || (attribute && (c == '\n' || c == '\t')))
                                fprintf(f, "&#%d;", c); /* else a parser makes other white space of it */
                        else
                                fputc(c, f);
                }
        }
}

static void print_element(FILE *f, const xmlNode *node, int indent)
{
        const char *name = (const char *)node->name;

        fprintf(f, "%*s<%s", indent, "", name);
        for (const xmlAttr *a = node->properties; a; a = a->next) {
                fprintf(f, " %s='", a->name);
                if (a->children)
                        print_text(f, (const char *)a->children->content, true);
                fputc('\'', f);
        }
        if (!node->children) {
                fputs("/>\n", f);
                return;
        }
        fputc('>', f);
        if (node->children == node->last && node->children->type == XML_TEXT_NODE &&
            *node->children->content)
                print_text(f, (const char *)node->children->content, false);
        else {
                fputc('\n', f);
                for (const xmlNode *child = node->children; child; child = child->next)
                        if (child->type == XML_ELEMENT_NODE)
                                print_element(f, child, indent + 2);
                fprintf(f, "%*s", indent, "");
        }
        fprintf(f, "</%s>\n", name);
}

int xml_print(const xmlNode *root, char **ret)
{
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        print_element(f, root, 0);
        if (fclose(f) != 0)
                return -ENOMEM;
        *ret = TAKE_PTR(text);
        return 0;
}
