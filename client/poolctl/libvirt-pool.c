/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libvirt-pool.h"

#include <dirent.h>
#include <fcntl.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <sys/stat.h>

#include "util/bag.h"
#include "util/fileio.h"

#define FILE_BYTES_MAX (1024u * 1024u)

static int is_definition(const struct dirent *d)
{
        size_t n = strlen(d->d_name);

        return n > 4 && d->d_name[0] != '.' && streq(d->d_name + n - 4, ".xml");
}

int libvirt_pool_files(int directory, char ***ret, Error *e)
{
        _cleanup_strv_ char **files = NULL;
        struct dirent **entries;
        int n, r = 0;

        n = scandirat(directory, ".", &entries, is_definition, alphasort);
        if (n < 0)
                return error_set_errno(e, errno, "cannot read the directory");
        for (int i = 0; i < n; i++) {
                if (r >= 0)
                        r = strv_append(&files, entries[i]->d_name);
                free(entries[i]);
        }
        free(entries);
        if (r < 0)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        *ret = TAKE_PTR(files);
        return 0;
}

void libvirt_pool_done(LibvirtPool *l)
{
        free(l->xml);
        free(l->name);
        free(l->type);
        free(l->uuid);
        *l = (LibvirtPool){ 0 };
}

/* The text of the first child element of that name; a new string, NULL: there is none. */
static char *child_text(xmlNode *node, const char *name)
{
        for (xmlNode *c = node->children; c; c = c->next)
                if (c->type == XML_ELEMENT_NODE && streq((const char *)c->name, name)) {
                        xmlChar *text = xmlNodeGetContent(c);
                        char *copy = text ? strdup((const char *)text) : NULL;

                        xmlFree(text);
                        return copy;
                }
        return NULL;
}

static int identify_node(xmlNode *root, LibvirtPool *ret, Error *e)
{
        xmlChar *type;

        if (!root || !streq((const char *)root->name, "pool"))
                return error_set(e, ERROR_INVALID_DEFINITION, "it is no <pool> document");
        type = xmlGetProp(root, (const xmlChar *)"type");
        ret->type = type ? strdup((const char *)type) : NULL;
        xmlFree(type);
        ret->name = child_text(root, "name");
        ret->uuid = child_text(root, "uuid");
        if (isempty(ret->type) || isempty(ret->name))
                return error_set(e, ERROR_INVALID_DEFINITION, "the pool has no type or no name");
        return 0;
}

/* Only what is needed to find the pool again; the service reads, and checks, the document itself. */
int libvirt_pool_identify(const char *xml, LibvirtPool *ret, Error *e)
{
        xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL,
                                    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
        int r;

        if (!doc)
                return error_set(e, ERROR_INVALID_DEFINITION, "it is no well-formed XML");
        r = identify_node(xmlDocGetRootElement(doc), ret, e);
        xmlFreeDoc(doc);
        return r;
}

static bool is_autostarted(int directory, const char *file)
{
        _cleanup_free_ char *link = NULL;
        struct stat st;

        if (asprintf(&link, "autostart/%s", file) < 0) {
                link = NULL;
                return false;
        }
        return fstatat(directory, link, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISLNK(st.st_mode);
}

int libvirt_pool_read(int directory, const char *file, LibvirtPool *ret, Error *e)
{
        _cleanup_(libvirt_pool_done) LibvirtPool l = { .autostart = is_autostarted(directory, file) };
        size_t size;
        int r;

        r = read_file_at(directory, file, FILE_BYTES_MAX, &l.xml, &size);
        if (r < 0)
                return error_set_errno(e, r, "cannot read the file");
        r = libvirt_pool_identify(l.xml, &l, e);
        if (r < 0)
                return r;
        *ret = l;
        l = (LibvirtPool){ 0 };
        return 0;
}
