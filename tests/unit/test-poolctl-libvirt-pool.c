/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/stat.h>

#include "definition-file.h"
#include "libvirt-pool.h"
#include "test.h"
#include "util/bag.h"
#include "util/fileio.h"

#define POOL_XML                                                                           \
        "<!-- a comment, as virsh writes -->\n<pool type='dir'>\n  <name>default</name>\n" \
        "  <uuid>11111111-2222-3333-4444-555555555555</uuid>\n"                            \
        "  <target><path>/var/lib/libvirt/images</path></target>\n</pool>\n"

static int directory = -EBADF;
static char path[] = "/tmp/test-libvirt-pool.XXXXXX";

static void put(const char *name, const char *text)
{
        CHECK_OK(write_file_atomic_at(directory, name, text, strlen(text), 0600));
}

static void only_definitions_are_listed(void)
{
        _cleanup_strv_ char **files = NULL;

        put("b.xml", POOL_XML);
        put("a.xml", POOL_XML);
        put("a.xml.bak", "x");
        put(".hidden.xml", "x");
        CHECK_OK(libvirt_pool_files(directory, &files, NULL));
        CHECK_EQ(strv_length(files), 2);
        CHECK_STREQ(files[0], "a.xml");
        CHECK_STREQ(files[1], "b.xml");
}

static void pools_are_read(void)
{
        _cleanup_(libvirt_pool_done) LibvirtPool a = { 0 }, b = { 0 };

        CHECK_OK(mkdirat(directory, "autostart", 0700));
        CHECK_OK(symlinkat("../a.xml", directory, "autostart/a.xml"));
        CHECK_OK(libvirt_pool_read(directory, "a.xml", &a, NULL));
        CHECK_STREQ(a.name, "default");
        CHECK_STREQ(a.type, "dir");
        CHECK_STREQ(a.uuid, "11111111-2222-3333-4444-555555555555");
        CHECK_STREQ(a.xml, POOL_XML);
        CHECK(a.autostart);
        CHECK_OK(libvirt_pool_read(directory, "b.xml", &b, NULL));
        CHECK(!b.autostart);
}

static void others_are_refused(void)
{
        static const char *const wrong[] = { "",
                                             "<pool",
                                             "<network><name>x</name></network>",
                                             "<pool><name>x</name></pool>",
                                             "<pool type='dir'/>",
                                             "<pool type='dir'><name/></pool>" };
        _cleanup_error_ Error e = ERROR_NULL;

        FOREACH_ELEMENT (w, wrong) {
                _cleanup_(libvirt_pool_done) LibvirtPool l = { 0 };

                CHECK_ERROR(libvirt_pool_identify(*w, &l, &e), &e, ERROR_INVALID_DEFINITION);
        }
}

static void links_are_not_followed(void)
{
        _cleanup_(libvirt_pool_done) LibvirtPool l = { 0 };
        Error e = ERROR_NULL;

        CHECK_OK(symlinkat("/etc/passwd", directory, "link.xml"));
        CHECK(libvirt_pool_read(directory, "link.xml", &l, &e) < 0);
        CHECK(!isempty(e.message));
        error_done(&e);
}

static void files_are_text(void)
{
        _cleanup_free_ char *file = NULL, *text = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        CHECK(asprintf(&file, "%s/b.xml", path) > 0);
        CHECK_OK(definition_file_read(file, &text, NULL));
        CHECK_STREQ(text, POOL_XML);
        CHECK_OK(write_file_atomic_at(directory, "b.xml", "a\0b", 3, 0600));
        free(text);
        text = NULL;
        CHECK_ERROR(definition_file_read(file, &text, &e), &e, ERROR_INVALID_DEFINITION);
        CHECK(definition_file_read("/nonexistent", &text, &e) < 0);
        CHECK(!isempty(e.message));
}

static const char *const names[] = { "a.xml", "b.xml", "a.xml.bak", ".hidden.xml", "link.xml" };

int main(void)
{
        CHECK(mkdtemp(path));
        directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(directory >= 0);
        RUN(only_definitions_are_listed);
        RUN(pools_are_read);
        RUN(others_are_refused);
        RUN(links_are_not_followed);
        RUN(files_are_text);
        (void)unlinkat(directory, "autostart/a.xml", 0);
        (void)unlinkat(directory, "autostart", AT_REMOVEDIR);
        FOREACH_ELEMENT (name, names)
                (void)unlinkat(directory, *name, 0);
        CHECK_OK(rmdir(path));
        return 0;
}
