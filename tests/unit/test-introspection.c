/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vtables are the truth: what the objects tell of themselves is what the XML files in dbus/ document,
 * member by member, and every member has its documentation. */
#include "job-run.h"
#include "peer.h"
#include "test.h"

#include <libxml/parser.h>
#include <libxml/xmlmemory.h>

#define ANNOTATION "org.freedesktop.DBus.Property.EmitsChangedSignal"

static const char *source_directory;
static Peer peer;

static const xmlNode *next_element(const xmlNode *n)
{
        while (n && n->type != XML_ELEMENT_NODE)
                n = n->next;
        return n;
}

static char *attribute(const xmlNode *n, const char *name)
{
        xmlChar *value = xmlGetProp((xmlNode *)n, (const xmlChar *)name);
        char *copy = strdup(value ? (char *)value : "");

        xmlFree(value);
        CHECK(copy);
        return copy;
}

static const xmlNode *find_interface(xmlDoc *doc, const char *name)
{
        for (const xmlNode *n = next_element(xmlDocGetRootElement(doc)->children); n;
             n = next_element(n->next)) {
                _cleanup_free_ char *found = attribute(n, "name");

                if (streq((const char *)n->name, "interface") && streq(found, name))
                        return n;
        }
        return NULL;
}

static void append(char **text, const char *more)
{
        char *longer;

        CHECK(asprintf(&longer, "%s%s", *text ?: "", more) >= 0);
        free(*text);
        *text = longer;
}

static void describe_child(const xmlNode *n, bool is_signal, char **text)
{
        _cleanup_free_ char *type = attribute(n, "type"), *name = attribute(n, "name"),
                            *value = attribute(n, "value"), *direction = attribute(n, "direction"),
                            *line = NULL;

        if (streq((const char *)n->name, "arg"))
                CHECK(asprintf(&line, " arg %s %s %s", type, name, is_signal ? "" : direction) >= 0);
        else if (streq(name, ANNOTATION))
                CHECK(asprintf(&line, " emits %s", value) >= 0);
        append(text, line ?: "");
}

/* One member as a line of text that has everything a client can see. */
static char *describe(const xmlNode *n)
{
        _cleanup_free_ char *name = attribute(n, "name"), *type = attribute(n, "type"),
                            *access = attribute(n, "access");
        char *text;

        CHECK(asprintf(&text, "%s %s %s %s", n->name, name, type, access) >= 0);
        for (const xmlNode *c = next_element(n->children); c; c = next_element(c->next))
                describe_child(c, streq((const char *)n->name, "signal"), &text);
        return text;
}

static size_t describe_all(const xmlNode *interface, char **members, size_t n_max)
{
        size_t n = 0;

        for (const xmlNode *m = next_element(interface->children); m; m = next_element(m->next)) {
                CHECK(n < n_max);
                members[n++] = describe(m);
        }
        return n;
}

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The comment right before a member: its name, each argument, and some words. */
static void check_documented(const xmlNode *interface)
{
        const xmlNode *comment = NULL;

        for (const xmlNode *n = interface->children; n; n = n->next) {
                if (n->type == XML_COMMENT_NODE)
                        comment = n;
                if (n->type != XML_ELEMENT_NODE)
                        continue;
                _cleanup_free_ char *name = attribute(n, "name"), *title = NULL;
                CHECK(asprintf(&title, "%s:\n", name) >= 0);
                if (!comment || !strstr((const char *)comment->content, title))
                        TEST_FAIL("%s has no documentation", name);
                for (const xmlNode *a = next_element(n->children); a; a = next_element(a->next)) {
                        _cleanup_free_ char *argument = attribute(a, "name"), *tag = NULL;

                        CHECK(asprintf(&tag, "@%s: ", argument) >= 0);
                        if (streq((const char *)a->name, "arg") &&
                            !strstr((const char *)comment->content, tag))
                                TEST_FAIL("%s does not tell what %s is", name, argument);
                }
                comment = NULL;
        }
}

static xmlDoc *introspect(const char *path)
{
        sd_bus_message *reply =
                peer_call(&peer, peer_new_call(&peer, ":1.5", path, "org.freedesktop.DBus.Introspectable",
                                               "Introspect"));
        const char *xml;
        xmlDoc *doc;

        CHECK_STREQ(peer_error(reply), NULL);
        CHECK_OK(sd_bus_message_read(reply, "s", &xml));
        doc = xmlReadMemory(xml, (int)strlen(xml), "introspection", NULL, XML_PARSE_NONET);
        CHECK(doc);
        sd_bus_message_unref(reply);
        return doc;
}

static void check_object(const char *path, const char *interface)
{
        char *told[128], *written[128];
        _cleanup_free_ char *file = NULL;
        size_t n_told, n_written;
        xmlDoc *object, *document;

        CHECK(asprintf(&file, "%s/dbus/%s.xml", source_directory, interface) >= 0);
        document = xmlReadFile(file, NULL, XML_PARSE_NONET);
        object = introspect(path);
        CHECK(document);
        CHECK(find_interface(document, interface));
        if (!find_interface(object, interface))
                TEST_FAIL("%s does not show %s", path, interface);
        n_told = describe_all(find_interface(object, interface), told, ELEMENTSOF(told));
        n_written = describe_all(find_interface(document, interface), written, ELEMENTSOF(written));
        qsort(told, n_told, sizeof(*told), compare);
        qsort(written, n_written, sizeof(*written), compare);
        for (size_t i = 0; i < MIN(n_told, n_written); i++)
                CHECK_STREQ(written[i], told[i]);
        CHECK_EQ(n_written, n_told);
        check_documented(find_interface(document, interface));
        for (size_t i = 0; i < n_told; i++)
                free(told[i]);
        for (size_t i = 0; i < n_written; i++)
                free(written[i]);
        xmlFreeDoc(object);
        xmlFreeDoc(document);
}

static void manager(void)
{
        check_object("/org/example/Storage", "org.example.Storage.Manager");
}

static void pool(void)
{
        check_object("/org/example/Storage/pool/images", "org.example.Storage.Pool");
}

static void volume(void)
{
        check_object("/org/example/Storage/volume/images/v000000", "org.example.Storage.Volume");
}

static void snapshot(void)
{
        Pool *p = manager_pool(peer.manager, "images");
        bool added, changed;
        VolumeInfo info;
        Volume *v = volume_table_get(p->volumes, "v000000");

        volume_to_info(v, &info);
        info.name = "v000000";
        info.snapshots = "file 1700000000000000 4096 monday";
        CHECK_OK(volume_table_put(p->volumes, &info, ++p->generation, &v, &added, &changed));
        peer.manager->observer.volume_changed(v, peer.manager->observer_data);
        check_object("/org/example/Storage/snapshot/images/v000000/monday", "org.example.Storage.Snapshot");
}

static void job(void)
{
        Job *j;

        CHECK_OK(job_submit_internal(peer_add_pool(&peer, "other", 0), OPERATION_POOL_REFRESH, &j, NULL));
        CHECK_EQ(j->id, 1);
        check_object("/org/example/Storage/job/1", "org.example.Storage.Job");
}

/* Whether the root's introspection, or that of a folder, has this child. */
static bool has_child(const char *path, const char *child)
{
        xmlDoc *doc = introspect(path);
        bool found = false;

        for (const xmlNode *n = next_element(xmlDocGetRootElement(doc)->children); n;
             n = next_element(n->next)) {
                _cleanup_free_ char *name = attribute(n, "name");

                found = found || (streq((const char *)n->name, "node") && streq(name, child));
        }
        xmlFreeDoc(doc);
        return found;
}

static void tree(void)
{
        CHECK(has_child("/org/example/Storage", "pool"));
        CHECK(has_child("/org/example/Storage/pool", "images"));
        CHECK(has_child("/org/example/Storage/volume", "images"));
        CHECK(has_child("/org/example/Storage/volume/images", "v000001"));
        CHECK(has_child("/org/example/Storage", "snapshot"));
        CHECK(has_child("/org/example/Storage/snapshot", "images/v000000/monday"));
        CHECK(has_child("/org/example/Storage/snapshot/images/v000000", "monday"));
}

static unsigned count_managed(void)
{
        sd_bus_message *reply =
                peer_call(&peer, peer_new_call(&peer, ":1.5", "/org/example/Storage",
                                               "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"));
        const char *path;
        unsigned n = 0;

        CHECK_STREQ(peer_error(reply), NULL);
        CHECK_OK(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"));
        while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
                CHECK_OK(sd_bus_message_read(reply, "o", &path));
                n += startswith(path, "/org/example/Storage/volume/") != NULL;
                CHECK_OK(sd_bus_message_skip(reply, "a{sa{sv}}"));
                CHECK_OK(sd_bus_message_exit_container(reply));
        }
        sd_bus_message_unref(reply);
        return n;
}

/* Beyond the limit volumes leave the tree but can be used all the same; with fewer they come back. */
static void many_volumes(void)
{
        Pool *p;

        CHECK_EQ(count_managed(), 3);
        p = peer_add_pool(&peer, "big", VOLUMES_LISTED_MAX);
        CHECK(!peer.manager->volumes_listed);
        CHECK_EQ(count_managed(), 0);
        CHECK(!has_child("/org/example/Storage/volume/images", "v000001"));
        check_object("/org/example/Storage/volume/big/v000000", "org.example.Storage.Volume");
        for (VolumeCursor c; volume_table_first(p->volumes, NULL, &c);)
                CHECK(volume_table_remove(p->volumes, volume_table_first(p->volumes, NULL, &c)->name));
        manager_count_volumes(peer.manager, -(ssize_t)VOLUMES_LISTED_MAX);
        CHECK(peer.manager->volumes_listed);
        CHECK_EQ(count_managed(), 3);
}

static void unknown(void)
{
        static const char *const paths[] = { "/org/example/Storage/pool/none",
                                             "/org/example/Storage/volume/images/none",
                                             "/org/example/Storage/volume/none/v000000",
                                             "/org/example/Storage/job/99",
                                             "/org/example/Storage/job/x",
                                             "/org/example/Storage/job/01" };

        FOREACH_ELEMENT (i, paths) {
                sd_bus_message *m =
                        peer_new_call(&peer, ":1.5", *i, "org.freedesktop.DBus.Properties", "GetAll");
                sd_bus_message *reply;

                CHECK_OK(sd_bus_message_append(m, "s", ""));
                reply = peer_call(&peer, m);
                CHECK_STREQ(peer_error(reply), SD_BUS_ERROR_UNKNOWN_OBJECT);
                sd_bus_message_unref(reply);
        }
}

int main(int argc, char **argv)
{
        source_directory = argc > 1 ? argv[1] : getenv("SOURCE_ROOT") ?: ".";
        peer_open(&peer);
        peer_show(&peer, false);
        peer_add_pool(&peer, "images", 3);
        RUN(manager);
        RUN(pool);
        RUN(volume);
        RUN(snapshot);
        RUN(job);
        RUN(tree);
        RUN(unknown);
        RUN(many_volumes);
        peer_close(&peer);
        xmlCleanupParser();
        return 0;
}
