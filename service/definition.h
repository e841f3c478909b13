/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pool and volume definitions, from and to libvirt's XML dialect and a{sv}. */
#pragma once

#include "util/option.h"
#include "util/volume-info.h"

#define POOL_XML_BYTES_MAX (1024u * 1024u)
#define POOL_XML_NAMESPACE "https://example.org/storage/pool/1"

typedef struct Definition {
        char *name;
        char *type; /* backend */
        char uuid[37];
        bool uuid_is_new; /* made for it, the words carried none */
        Bag *options;     /* normalised by the backend's pool option table */
} Definition;

void definition_free(Definition *d);
Definition *definition_copy(const Definition *d);
DEFINE_CLEANUP(Definition *, definition_free)
#define _cleanup_definition_ _cleanup_(definition_freep)

typedef enum DefinitionFlags {
        DEFINITION_LAX =
                1 << 0, /* read what libvirt would have read: unknown elements and attributes are skipped */
} DefinitionFlags;

/* Finds the pool option table of a type; NULL: no such backend. */
typedef const OptionTable *(*table_lookup_t)(const char *type, void *userdata);

/* Values of the pool as it stands, for GetXML. */
typedef struct PoolNumbers {
        uint64_t capacity, allocation, available;
} PoolNumbers;

/* `uuid` key in options sets the UUID, else a new one is made. Errors: InvalidName, InvalidDefinition,
 * InvalidArgs. */
int definition_from_bag(const char *name, const char *type, const Bag *options, const OptionTable *table,
                        Definition **ret, Error *e);

/* libxml2 without network and DTD; depth and size limited; InvalidDefinition with "line N: ..." for what is
 * malformed, unknown (unless lax) or missing, InvalidName, BackendUnavailable when lookup knows no such
 * type. Numbers of the pool (capacity ...) and marks of the store in the input are ignored. */
int definition_from_xml(const char *xml, size_t size, DefinitionFlags flags, table_lookup_t lookup,
                        void *userdata, Definition **ret, Error *e);

/* Order of elements as libvirt prints them. numbers may be NULL: zeros. Secrets are left out. */
int definition_to_xml(const Definition *d, const OptionTable *table, const PoolNumbers *numbers, char **ret);

/* The a{sv} form as GetDefinition() shows it: options plus name, type, uuid; without secrets. */
int definition_to_bag(const Definition *d, const OptionTable *table, Bag **ret);

/* A <volume> document: name, capacity in bytes (UINT64_MAX when absent: allowed with a backing store only)
 * and options normalised by the backend's volume option table. Descriptors and secrets cannot stand in XML,
 * they come beside it. lax: a raw volume without <allocation> is allocated as a whole, as in libvirt.
 * Errors: InvalidName, InvalidDefinition. */
int volume_definition_from_xml(const char *xml, size_t size, DefinitionFlags flags, const OptionTable *table,
                               char **ret_name, uint64_t *ret_capacity, Bag **ret_options, Error *e);

/* `detail` is the fresh answer of the backend's volume_info (keys: names of the volume option table, and
 * "timestamps.atime",
 * ".mtime", ".ctime", ".btime" as "sec.nsec" strings; of the backing file "backing.mode", ".owner", ".group"
 * (u), ".label" and "backing.timestamps..."); path and key are the volume's. What detail does not say is
 * taken from v. */
int volume_to_xml(const VolumeInfo *v, const char *path, const char *key, const Bag *detail,
                  const OptionTable *table, char **ret);
