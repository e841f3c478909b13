/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <pool> documents with what the store keeps in them beside the definition. */
#pragma once

#include "definition.h"

/* pk:version and pk:autostart of the root element. */
typedef struct StoreMarks {
        uint64_t version; /* 0: none */
        bool autostart;
} StoreMarks;

#define STORE_VERSION 1u

/* Like definition_from_xml(). With `marks` a version newer than STORE_VERSION, or none at all, ends with
 * InvalidDefinition before anything else is read; NULL: they are ignored. */
int pool_xml_read(const char *xml, size_t size, DefinitionFlags flags, table_lookup_t lookup, void *userdata,
                  StoreMarks *marks, Definition **ret, Error *e);

/* Like definition_to_xml(); `marks` may be NULL. */
int pool_xml_write(const Definition *d, const OptionTable *table, const PoolNumbers *numbers,
                   const StoreMarks *marks, char **ret);

/* definition.c: makes a definition of options read from a bag or a document. `options` are values as
 * option_set_text() or a caller gave them; uuid NULL or "": a new one. Error kinds as definition_from_bag().
 */
int definition_make(const char *name, const char *type, const char *uuid, const Bag *options,
                    const OptionTable *table, Definition **ret, Error *e);

/* definition.c: the required options that are missing, all named in one InvalidDefinition. */
int required_check(const OptionTable *table, const Bag *options, const char *whose, Error *e);
