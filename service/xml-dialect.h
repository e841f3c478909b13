/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Option tables and XML: the generic reader and writer behind pool and volume documents. A dialect lists
 * every place that libvirt's documents have, in the order they are printed; a type's option table says which
 * of them the type takes. */
#pragma once

#include "definition.h"
#include "xml-tree.h"

/* A place is an element or an attribute below the root: "target/path", "source/host@name", "@type". */
typedef enum PlaceRole {
        PLACE_TABLE,     /* read where the type's table has an option for it or below it */
        PLACE_STRUCTURE, /* groups other elements, means nothing by itself */
        PLACE_OWN,       /* read by the document's own code */
        PLACE_OUTPUT,    /* printed only, ignored on input */
} PlaceRole;

typedef struct DialectPlace {
        const char *place;
        PlaceRole role;
        const char *unit; /* of a size, as printed; NULL: "bytes" */
} DialectPlace;

typedef struct Dialect {
        const char *root;
        const DialectPlace *places;
        size_t n_places;
} Dialect;

#define LIST_ITEMS_MAX 256u /* of one option */

/* Where options without a place in libvirt's dialect stand; every dialect ends with these places. */
#define OPTION_PLACE "pk:options/pk:option"
#define OPTION_PLACES                                                               \
        { "pk:options", PLACE_STRUCTURE, NULL }, { OPTION_PLACE, PLACE_OWN, NULL }, \
                { OPTION_PLACE "@name", PLACE_OWN, NULL }, { OPTION_PLACE "@value", PLACE_OWN, NULL },

/* An option's place taken apart: element, and one or two attributes of it.
 *   "a/b"      content of an element          "a/b?"     the element's presence means yes
 *   "a/b@c"    attribute, in lists repeated with its element
 *   "a/b@c=d"  list of NAME=VALUE from two attributes of a repeated element
 * OPTION_HOSTS: "a/b" or "a/b@name", the attributes are name and port. */
typedef enum PlaceKind {
        KIND_NONE, /* no place: <pk:option> */
        KIND_CONTENT,
        KIND_FLAG,
        KIND_ATTRIBUTE,
        KIND_PAIR,
        KIND_HOSTS,
} PlaceKind;

typedef struct OptionPlace {
        PlaceKind kind;
        const char *element; /* not terminated */
        size_t element_length;
        const char *attribute; /* KIND_ATTRIBUTE: to the end; KIND_PAIR: up to '=' */
        const char *second;    /* KIND_PAIR */
} OptionPlace;

OptionPlace option_place(const OptionSpec *spec);
bool option_stands_at(const OptionPlace *p, const char *place); /* its element is `place` */
bool option_is_list(const OptionSpec *spec);

/* Reads all that the dialect gives to the table into a bag of checked values; required options and relations
 * between options are the caller's. `taker` ends the sentence "not taken by ...". InvalidDefinition with
 * "line N: ...". */
int xml_read_options(const xmlNode *root, const Dialect *dialect, const OptionTable *table,
                     const char *taker, DefinitionFlags flags, Bag **ret, Error *e);

/* A document that is collected in any order and printed in the dialect's. Functions return 0 or -ENOMEM. */
typedef struct XmlWriter XmlWriter;

XmlWriter *xml_writer_new(const Dialect *dialect);
void xml_writer_free(XmlWriter *w);
DEFINE_CLEANUP(XmlWriter *, xml_writer_free)

int xml_write(XmlWriter *w, const char *place,
              const char *text); /* text NULL: the empty element; "": an open and a close tag */
int xml_write_size(XmlWriter *w, const char *place, uint64_t bytes); /* with the unit of the place */
bool xml_has(const XmlWriter *w, const char *place);
/* Every value of the bag that the table knows, without secrets and descriptors; places that are taken are
 * left alone. */
int xml_write_options(XmlWriter *w, const OptionTable *table, const Bag *options);
int xml_writer_print(XmlWriter *w, char **ret);
