/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "test.h"
#include "util/fileio.h"
#include "util/names.h"
#include "xml-tables.h"

static char base[] = "/tmp/poolkeeper-store-XXXXXX";
static char directory[64];

static Definition *make(const char *name, const char *path)
{
        _cleanup_bag_ Bag *b = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;
        Definition *d = NULL;

        CHECK_OK(bag_set_string(b, "target.path", path));
        if (definition_from_bag(name, "dir", b, test_pool_table("dir", NULL), &d, &e) < 0)
                TEST_FAIL("%s", e.message);
        return d;
}

static int save(const char *name, const char *path, bool autostart, Error *e)
{
        _cleanup_definition_ Definition *d = make(name, path);
        const StoredPool stored = { .definition = d, .autostart = autostart };

        return store_save(directory, &stored, test_pool_table("dir", NULL), e);
}

static void write_raw(const char *file, const char *text)
{
        _cleanup_free_ char *path = NULL;
        FILE *f;

        CHECK(asprintf(&path, "%s/%s", directory, file) > 0);
        f = fopen(path, "we");
        CHECK(f);
        fputs(text, f);
        fclose(f);
}

static bool exists(const char *file)
{
        _cleanup_free_ char *path = NULL;

        CHECK(asprintf(&path, "%s/%s", directory, file) > 0);
        return access(path, F_OK) == 0;
}

typedef struct Loaded {
        StoredPool pools[8];
        size_t n_pools;
        char *bad_files, *bad_messages; /* one a line */
        int fail;
} Loaded;

static int on_pool(StoredPool pool, void *userdata)
{
        Loaded *l = userdata;

        if (l->fail < 0) {
                definition_free(pool.definition);
                return l->fail;
        }
        CHECK(l->n_pools < ELEMENTSOF(l->pools));
        l->pools[l->n_pools++] = pool;
        return 0;
}

static void append_line(char **text, const char *line)
{
        char *joined;

        CHECK(asprintf(&joined, "%s%s\n", *text ?: "", line) >= 0);
        free(*text);
        *text = joined;
}

static void on_bad(const char *file, const Error *e, void *userdata)
{
        Loaded *l = userdata;

        append_line(&l->bad_files, file);
        append_line(&l->bad_messages, e->message);
}

static int load(Loaded *l)
{
        return store_load(directory, test_pool_table, on_pool, on_bad, l);
}

static void loaded_done(Loaded *l)
{
        for (size_t i = 0; i < l->n_pools; i++)
                definition_free(l->pools[i].definition);
        free(l->bad_files);
        free(l->bad_messages);
}

static const StoredPool *find(const Loaded *l, const char *name)
{
        for (size_t i = 0; i < l->n_pools; i++)
                if (streq(l->pools[i].definition->name, name))
                        return l->pools + i;
        return NULL;
}

static void clear(void)
{
        DIR *d = opendir(directory);
        struct dirent *entry;

        while (d && (entry = readdir(d)))
                (void)unlinkat(dirfd(d), entry->d_name, 0);
        if (d)
                closedir(d);
}

static void missing_directory(void)
{
        _cleanup_(loaded_done) Loaded l = {};
        Error e = ERROR_NULL;

        CHECK_OK(load(&l));
        CHECK_EQ(l.n_pools, 0);
        CHECK(!l.bad_files);
        CHECK_OK(store_remove(directory, "a", &e));
        CHECK(access(directory, F_OK) < 0);
}

static void save_and_load(void)
{
        _cleanup_(loaded_done) Loaded l = {};
        _cleanup_free_ char *path = NULL;
        Error e = ERROR_NULL;
        struct stat st;

        umask(0);
        CHECK_OK(save("a", "/srv/a", true, &e));
        CHECK_OK(save("b c.xml", "/srv/b", false, &e));
        CHECK_OK(stat(directory, &st));
        CHECK_EQ(st.st_mode & 07777, 0700);
        CHECK(asprintf(&path, "%s/a.xml", directory) > 0);
        CHECK_OK(stat(path, &st));
        CHECK_EQ(st.st_mode & 07777, 0600);
        CHECK_OK(load(&l));
        CHECK_EQ(l.n_pools, 2);
        CHECK(!l.bad_files);
        CHECK(find(&l, "a") && find(&l, "a")->autostart);
        CHECK(find(&l, "b c.xml") && !find(&l, "b c.xml")->autostart);
        CHECK_STREQ(bag_get_string(find(&l, "a")->definition->options, "target.path"), "/srv/a");
        CHECK_EQ(strlen(find(&l, "a")->definition->uuid), 36);
}

/* The same definition comes back, with its UUID; a second save replaces the first; an open directory is
 * closed. */
static void replace(void)
{
        _cleanup_(loaded_done) Loaded first = {}, second = {};
        StoredPool changed;
        Error e = ERROR_NULL;
        struct stat st;

        clear();
        CHECK_OK(save("a", "/old", false, &e));
        CHECK_OK(load(&first));
        changed = first.pools[0];
        changed.autostart = true;
        CHECK_OK(chmod(directory, 0755));
        CHECK_OK(store_save(directory, &changed, test_pool_table("dir", NULL), &e));
        CHECK_OK(stat(directory, &st));
        CHECK_EQ(st.st_mode & 07777, 0700);
        CHECK_OK(load(&second));
        CHECK_EQ(second.n_pools, 1);
        CHECK(second.pools[0].autostart);
        CHECK_STREQ(second.pools[0].definition->uuid, first.pools[0].definition->uuid);
        CHECK(bag_equal(second.pools[0].definition->options, first.pools[0].definition->options));
}

static void removal(void)
{
        _cleanup_(loaded_done) Loaded l = {};
        Error e = ERROR_NULL;

        clear();
        CHECK_OK(save("a", "/a", false, &e));
        CHECK_OK(store_remove(directory, "a", &e));
        CHECK_OK(store_remove(directory, "a", &e));
        CHECK_ERROR(store_remove(directory, "../a", &e), &e, ERROR_INVALID_NAME);
        CHECK_OK(load(&l));
        CHECK_EQ(l.n_pools, 0);
}

#define STORED(attributes, name)                                                        \
        "<pool type='dir' xmlns:pk='" POOL_XML_NAMESPACE "' " attributes "><name>" name \
        "</name><uuid>70a7eb15-6c34-ee9c-bf57-69e8e5ff3fb2</uuid><target><path>/a</path></target></pool>"
#define MARKS "pk:version='1' pk:autostart='no'"

/* Each is reported and left in place, and the good one beside them is read. */
static void bad_files(void)
{
        static const struct {
                const char *file, *text, *part;
        } bad[] = {
                { "garbage.xml", "\1\2\3", "not well-formed" },
                { "empty.xml", "", "" },
                { "cut.xml", "<pool type='dir'><name>cu", "not well-formed" },
                { "newer.xml",
                  "<pool type='dir' xmlns:pk='" POOL_XML_NAMESPACE "' pk:version='2'><nonsense/></pool>",
                  "newer poolkeeper (version 2" },
                { "unmarked.xml",
                  "<pool type='dir'><name>unmarked</name><target><path>/a</path></target></pool>",
                  "no pk:version" },
                { "wrong.xml", STORED("pk:version='-1' pk:autostart='no'", "wrong"), "pk:version '-1'" },
                { "zero.xml", STORED("pk:version='0' pk:autostart='no'", "zero"), "pk:version '0'" },
                { "half.xml", STORED("pk:version='1'", "half"), "pk:autostart" },
                { "other.xml", STORED(MARKS, "another"),
                  "it holds pool 'another', whose file is another.xml" },
                { "floppy.xml",
                  "<pool type='floppy' xmlns:pk='" POOL_XML_NAMESPACE "' " MARKS
                  "><name>floppy</name></pool>",
                  "'floppy'" },
                { "unknown.xml",
                  "<pool type='dir' xmlns:pk='" POOL_XML_NAMESPACE "' " MARKS "><foo/></pool>",
                  "unknown element <foo>" },
        };
        _cleanup_(loaded_done) Loaded l = {};

        clear();
        FOREACH_ELEMENT (b, bad)
                write_raw(b->file, b->text);
        write_raw("good.xml", STORED(MARKS, "good"));
        write_raw("README", "no definition");
        CHECK_OK(load(&l));
        CHECK_EQ(l.n_pools, 1);
        CHECK(find(&l, "good"));
        FOREACH_ELEMENT (b, bad) {
                if (!l.bad_files || !strstr(l.bad_files, b->file) || !strstr(l.bad_messages, b->part))
                        TEST_FAIL("%s: %s", b->file, l.bad_messages ?: "not reported");
                CHECK(exists(b->file));
        }
        CHECK(!strstr(l.bad_files, "README") && !strstr(l.bad_files, "good"));
}

static void not_files(void)
{
        _cleanup_(loaded_done) Loaded l = {};
        _cleanup_free_ char *link = NULL, *fifo = NULL, *dir = NULL;

        clear();
        CHECK(asprintf(&link, "%s/link.xml", directory) > 0);
        CHECK(asprintf(&fifo, "%s/fifo.xml", directory) > 0);
        CHECK(asprintf(&dir, "%s/dir.xml", directory) > 0);
        CHECK_OK(symlink("/etc/passwd", link));
        CHECK_OK(mkfifo(fifo, 0600));
        CHECK_OK(mkdir(dir, 0700));
        CHECK_OK(load(&l));
        CHECK_EQ(l.n_pools, 0);
        CHECK(strstr(l.bad_files, "link.xml") && strstr(l.bad_files, "fifo.xml") &&
              strstr(l.bad_files, "dir.xml"));
        CHECK_OK(rmdir(dir));
}

/* What a cut-off write leaves is no definition and goes away. */
static void leftovers(void)
{
        _cleanup_(loaded_done) Loaded l = {};
        Error e = ERROR_NULL;

        clear();
        CHECK_OK(save("a", "/a", false, &e));
        write_raw(TEMPORARY_PREFIX "0123456789abcdef", "<pool type='dir'><na");
        CHECK_OK(load(&l));
        CHECK_EQ(l.n_pools, 1);
        CHECK(!l.bad_files);
        CHECK(!exists(TEMPORARY_PREFIX "0123456789abcdef"));
        CHECK(exists("a.xml"));
}

/* A process that saves without end is killed again and again: the old or the new definition stands, and
 * nothing else. */
static void killed_while_saving(void)
{
        Error e = ERROR_NULL;

        clear();
        CHECK_OK(save("a", "/old", false, &e));
        for (size_t i = 0; i < 40; i++) {
                _cleanup_(loaded_done) Loaded l = {};
                const char *path;
                pid_t pid = fork();

                CHECK(pid >= 0);
                if (pid == 0)
                        for (;;)
                                if (save("a", "/old", false, NULL) < 0 || save("a", "/new", true, NULL) < 0)
                                        _exit(1);
                usleep((useconds_t)(1000 + i * 531));
                CHECK_OK(kill(pid, SIGKILL));
                CHECK_EQ(waitpid(pid, NULL, 0), pid);
                CHECK_OK(load(&l));
                CHECK_EQ(l.n_pools, 1);
                CHECK(!l.bad_files);
                path = bag_get_string(l.pools[0].definition->options, "target.path");
                CHECK(streq(path, l.pools[0].autostart ? "/new" : "/old"));
        }
        {
                DIR *d = opendir(directory);
                size_t n = 0;

                CHECK(d);
                for (struct dirent *entry; (entry = readdir(d));)
                        n += !streq(entry->d_name, ".") && !streq(entry->d_name, "..");
                closedir(d);
                CHECK_EQ(n, 1);
        }
}

static void listener_stops(void)
{
        _cleanup_(loaded_done) Loaded l = { .fail = -ENOMEM };
        Error e = ERROR_NULL;

        clear();
        CHECK_OK(save("a", "/a", false, &e));
        CHECK_EQ(load(&l), -ENOMEM);
}

/* What would be too large to be read back is not written over what is there. */
static void too_large(void)
{
        _cleanup_(loaded_done) Loaded l = {};
        _cleanup_definition_ Definition *d = make("a", "/new");
        _cleanup_free_ char *text = malloc(300001);
        StoredPool stored = { .definition = d };
        Error e = ERROR_NULL;

        clear();
        CHECK(text);
        memset(text, '&', 300000);
        text[300000] = '\0';
        CHECK_OK(save("a", "/old", false, &e));
        CHECK_OK(bag_set_string(d->options, "description", text));
        CHECK_ERROR(store_save(directory, &stored, test_pool_table("dir", NULL), &e), &e,
                    ERROR_INVALID_DEFINITION);
        CHECK_OK(load(&l));
        CHECK_STREQ(bag_get_string(l.pools[0].definition->options, "target.path"), "/old");
}

int main(void)
{
        CHECK(mkdtemp(base));
        snprintf(directory, sizeof directory, "%s/etc/pools", base);
        RUN(missing_directory);
        RUN(save_and_load);
        RUN(replace);
        RUN(removal);
        RUN(bad_files);
        RUN(not_files);
        RUN(leftovers);
        RUN(killed_while_saving);
        RUN(listener_stops);
        RUN(too_large);
        clear();
        (void)rmdir(directory);
        *strrchr(directory, '/') = '\0';
        (void)rmdir(directory);
        (void)rmdir(base);
        return 0;
}
