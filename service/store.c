/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "definition-xml.h"
#include "util/fileio.h"
#include "util/names.h"

#define SUFFIX ".xml"
#define DIRECTORY_MODE 0700
#define FILE_MODE 0600

DEFINE_CLEANUP(DIR *, closedir)

static int out_of_memory(Error *e)
{
        return error_set(e, ERROR_NO_MEMORY, "out of memory");
}

static int file_name(const char *pool, char **ret, Error *e)
{
        char *name;
        int r;

        r = name_check("pool", pool, e);
        if (r < 0)
                return r;
        if (asprintf(&name, "%s" SUFFIX, pool) < 0)
                return out_of_memory(e);
        *ret = name;
        return 0;
}

/* Makes the directory with its parents, gives it mode 0700 and hands back a descriptor of it. */
static int open_directory(const char *path, int *ret, Error *e)
{
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        r = mkdir_parents(path, DIRECTORY_MODE);
        if (r < 0)
                return error_set_errno(e, r, "cannot make the directory %s", path);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set_errno(e, errno, "cannot open the directory %s", path);
        if ((st.st_mode & 07777) != DIRECTORY_MODE && fchmod(fd, DIRECTORY_MODE) < 0)
                return error_set_errno(e, errno, "cannot restrict the directory %s", path);
        *ret = TAKE_FD(fd);
        return 0;
}

int store_save(const char *directory, const StoredPool *pool, const OptionTable *table, Error *e)
{
        const StoreMarks marks = { .version = STORE_VERSION, .autostart = pool->autostart };
        const Definition *d = pool->definition;
        _cleanup_free_ char *name = NULL, *xml = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = file_name(d->name, &name, e);
        if (r < 0)
                return r;
        r = pool_xml_write(d, table, NULL, &marks, &xml);
        if (r < 0)
                return error_set_errno(e, r, "cannot write the definition of pool '%s'", d->name);
        if (strlen(xml) > POOL_XML_BYTES_MAX)
                return error_set(e, ERROR_INVALID_DEFINITION,
                                 "the definition of pool '%s' is larger than %u bytes", d->name,
                                 POOL_XML_BYTES_MAX);
        r = open_directory(directory, &fd, e);
        if (r < 0)
                return r;
        r = write_file_atomic_at(fd, name, xml, strlen(xml), FILE_MODE);
        if (r < 0)
                return error_set_errno(e, r, "cannot store pool '%s' in %s", d->name, directory);
        return 0;
}

int store_remove(const char *directory, const char *name, Error *e)
{
        _cleanup_free_ char *file = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = file_name(name, &file, e);
        if (r < 0)
                return r;
        fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return 0;
        if (fd < 0)
                return error_set_errno(e, errno, "cannot open the directory %s", directory);
        r = unlink_durable_at(fd, file);
        if (r < 0 && r != -ENOENT)
                return error_set_errno(e, r, "cannot remove %s from %s", file, directory);
        return 0;
}

static int load_file(int directory, const char *file, table_lookup_t lookup, void *userdata, StoredPool *ret,
                     Error *e)
{
        _cleanup_definition_ Definition *d = NULL;
        _cleanup_free_ char *xml = NULL, *expected = NULL;
        StoreMarks marks = {};
        size_t size;
        int r;

        r = read_file_at(directory, file, POOL_XML_BYTES_MAX, &xml, &size);
        if (r < 0)
                return error_set_errno(e, r, "cannot read it");
        r = pool_xml_read(xml, size, 0, lookup, userdata, &marks, &d, e);
        if (r < 0)
                return r;
        r = file_name(d->name, &expected, e);
        if (r < 0)
                return r;
        if (!streq(file, expected))
                return error_set(e, ERROR_INVALID_DEFINITION, "it holds pool '%s', whose file is %s",
                                 d->name, expected);
        *ret = (StoredPool){ .definition = TAKE_PTR(d), .autostart = marks.autostart };
        return 0;
}

/* A write that was cut off leaves its temporary file; the old or the new definition stands beside it. */
static bool remove_temporary(int directory, const char *name)
{
        if (!startswith(name, TEMPORARY_PREFIX))
                return false;
        (void)unlinkat(directory, name, 0);
        return true;
}

static bool is_definition(const char *name)
{
        size_t n = strlen(name), suffix = strlen(SUFFIX);

        return n > suffix && streq(name + n - suffix, SUFFIX);
}

int store_load(const char *directory, table_lookup_t lookup, store_pool_t pool, store_bad_t bad,
               void *userdata)
{
        _cleanup_(closedirp) DIR *d = opendir(directory);

        if (!d)
                return errno == ENOENT ? 0 : -errno;
        for (;;) {
                _cleanup_error_ Error error = ERROR_NULL;
                StoredPool stored = {};
                struct dirent *entry;
                int r;

                errno = 0;
                entry = readdir(d);
                if (!entry)
                        return -errno;
                if (remove_temporary(dirfd(d), entry->d_name) || !is_definition(entry->d_name))
                        continue;
                if (load_file(dirfd(d), entry->d_name, lookup, userdata, &stored, &error) < 0) {
                        bad(entry->d_name, &error, userdata);
                        continue;
                }
                r = pool(stored, userdata);
                if (r < 0)
                        return r;
        }
}
