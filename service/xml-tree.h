/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML documents as outside data: parsed within limits, named with our prefixes, printed the way libvirt
 * prints them. */
#pragma once

#include <libxml/tree.h>

#include "util/error.h"

#define XML_DEPTH_MAX 64u
#define XML_NODES_MAX 16384u /* elements and attributes: a document of junk costs the event loop little */

DEFINE_CLEANUP(xmlDoc *, xmlFreeDoc)
DEFINE_CLEANUP(xmlNode *, xmlFreeNode)

/* Parses `size` bytes, at most POOL_XML_BYTES_MAX. No network, no DTD (so no entities but the five of XML
 * itself), at most XML_DEPTH_MAX elements deep; the root element must be `root`. InvalidDefinition with
 * "line N: ...". */
int xml_parse(const char *xml, size_t size, const char *root, xmlDoc **ret, Error *e);

long xml_line(const xmlNode *node);

/* Where a child or an attribute stands: parent + separator ('/' or '@', none at the root) + its name with
 * the prefix that xml_namespace() knows. Names of foreign namespaces come out in a form that no place has.
 * NULL: out of memory. */
char *xml_place(const char *parent, char separator, const xmlNs *ns, const xmlChar *name);

/* URI of the prefix in front of "PREFIX:name": pk (ours), fs and rbd (libvirt's); NULL for names without
 * one. */
const char *xml_namespace(const char *name);

/* Content of an element with all below it, and an attribute's value; new strings, NULL: out of memory. */
char *xml_content(const xmlNode *node);
char *xml_attribute_value(const xmlAttr *attribute);
/* The attribute of that place name ("name", "pk:version"), NULL: none. */
const xmlAttr *xml_attribute(const xmlNode *node, const char *name);
/* The first child element of that place name, NULL: none. */
const xmlNode *xml_child(const xmlNode *node, const char *name);

/* True when XML can carry the text: valid UTF-8 without control characters (tab, newline, return aside),
 * U+FFFE, U+FFFF. */
bool xml_text_is_valid(const char *text);

/* Two blanks of indentation, attributes in single quotes, no declaration, as libvirt does. What XML cannot
 * carry is printed as \xHH. */
int xml_print(const xmlNode *root, char **ret);
