/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libvirt keeps of a pool: a file NAME.xml, and a symbolic link autostart/NAME.xml if it starts by
 * itself (libvirt's storage driver, virStoragePoolLoadAllConfigs()). */
#pragma once

#include "util/error.h"

typedef struct LibvirtPool {
        char *xml;
        char *name, *type, *uuid; /* from the XML; uuid may be NULL */
        bool autostart;
} LibvirtPool;

/* The names of the *.xml files in the directory, sorted; NULL-terminated. */
int libvirt_pool_files(int directory, char ***ret, Error *e);

/* Reads one of them. */
int libvirt_pool_read(int directory, const char *file, LibvirtPool *ret, Error *e);
void libvirt_pool_done(LibvirtPool *l);

/* Name, type and UUID of a <pool> document; InvalidDefinition when it is none. */
int libvirt_pool_identify(const char *xml, LibvirtPool *ret, Error *e);
