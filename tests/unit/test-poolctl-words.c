/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell-quote.h"
#include "test.h"
#include "words.h"

static void object_names(void)
{
        static const char *const wrong[] = { "", "/a", "a/", "a/b/c", "/" };
        _cleanup_object_name_ ObjectName pool = OBJECT_NAME_NULL, volume = OBJECT_NAME_NULL;
        _cleanup_free_ char *text = NULL;
        _cleanup_error_ Error e = ERROR_NULL;

        CHECK_OK(object_name_parse("images", &pool, NULL));
        CHECK_STREQ(pool.pool, "images");
        CHECK_STREQ(pool.volume, NULL);
        CHECK_OK(object_name_parse("images/web 1.qcow2", &volume, NULL));
        CHECK_STREQ(volume.pool, "images");
        CHECK_STREQ(volume.volume, "web 1.qcow2");
        text = object_name_to_string(&volume);
        CHECK_STREQ(text, "images/web 1.qcow2");
        FOREACH_ELEMENT (w, wrong)
                CHECK_ERROR(object_name_parse(*w, &pool, &e), &e, ERROR_INVALID_ARGS);
}

static void paths_go_both_ways(void)
{
        static const char *const names[] = { "images", "images/web1", "a b/\\x0A.raw" };

        FOREACH_ELEMENT (name, names) {
                _cleanup_object_name_ ObjectName there = OBJECT_NAME_NULL, back = OBJECT_NAME_NULL;
                _cleanup_free_ char *path = NULL;

                CHECK_OK(object_name_parse(*name, &there, NULL));
                CHECK_OK(object_name_to_path(&there, &path));
                CHECK_OK(object_name_from_path(path, &back));
                CHECK_STREQ(back.pool, there.pool);
                CHECK_STREQ(back.volume, there.volume);
        }
        {
                ObjectName n = OBJECT_NAME_NULL;

                CHECK_EQ(object_name_from_path("/org/example/Storage/job/1", &n), -EBADMSG);
        }
}

static void targets(void)
{
        static const struct {
                const char *word, *pool, *volume;
        } right[] = {
                { "web2", "images", "web2" },
                { "backup/", "backup", "web1" },
                { "backup/web2", "backup", "web2" },
        };
        static const char *const wrong[] = { "", "/", "/a", "a/b/c", "a//" };
        const ObjectName source = { .pool = (char *)"images", .volume = (char *)"web1" };
        _cleanup_error_ Error e = ERROR_NULL;

        FOREACH_ELEMENT (t, right) {
                _cleanup_object_name_ ObjectName n = OBJECT_NAME_NULL;

                CHECK_OK(target_name_parse(t->word, &source, &n, NULL));
                CHECK_STREQ(n.pool, t->pool);
                CHECK_STREQ(n.volume, t->volume);
        }
        FOREACH_ELEMENT (w, wrong) {
                ObjectName n = OBJECT_NAME_NULL;

                CHECK_ERROR(target_name_parse(*w, &source, &n, &e), &e, ERROR_INVALID_ARGS);
                CHECK(!n.pool && !n.volume);
        }
}

static void compressions(void)
{
        CHECK_STREQ(compression_of_file("disk.raw.gz"), "gzip");
        CHECK_STREQ(compression_of_file("/tmp/a.xz"), "xz");
        CHECK_STREQ(compression_of_file("a.zst"), "zstd");
        CHECK_STREQ(compression_of_file("a.zst/b"), "none");
        CHECK_STREQ(compression_of_file("gz"), "none");
        CHECK_STREQ(compression_of_file("-"), "none");
}

static void braces(void)
{
        char *words[] = { (char *)"dd", (char *)"if={}", (char *)"{}{}x", (char *)"{", (char *)"" };
        _cleanup_strv_ char **l = NULL;

        CHECK_OK(braces_replace(words, ELEMENTSOF(words), "/dev/fd/3", &l));
        CHECK_EQ(strv_length(l), 5);
        CHECK_STREQ(l[0], "dd");
        CHECK_STREQ(l[1], "if=/dev/fd/3");
        CHECK_STREQ(l[2], "/dev/fd/3/dev/fd/3x");
        CHECK_STREQ(l[3], "{");
        CHECK_STREQ(l[4], "");
}

static void assignments(void)
{
        char *words[] = { (char *)"target.path=/srv/a=b", (char *)"host=a", (char *)"host=b",
                          (char *)"host=c", (char *)"empty=" };
        char *bad[] = { (char *)"novalue" }, *nameless[] = { (char *)"=x" };
        _cleanup_bag_ Bag *b = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;
        char *const *hosts;

        CHECK_OK(assignments_parse(words, ELEMENTSOF(words), b, NULL));
        CHECK_STREQ(bag_get_string(b, "target.path"), "/srv/a=b");
        CHECK_STREQ(bag_get_string(b, "empty"), "");
        hosts = bag_get_strv(b, "host");
        CHECK_EQ(strv_length(hosts), 3);
        CHECK_STREQ(hosts[0], "a");
        CHECK_STREQ(hosts[2], "c");
        CHECK_ERROR(assignments_parse(bad, 1, b, &e), &e, ERROR_INVALID_ARGS);
        CHECK_ERROR(assignments_parse(nameless, 1, b, &e), &e, ERROR_INVALID_ARGS);
}

static void sizes(void)
{
        static const char *const wrong[] = { "-11M", "++1", "+-1", "+", "much", "+9223372036854775807" };
        const uint64_t mib = 1024 * 1024;
        _cleanup_error_ Error e = ERROR_NULL;
        uint64_t size = 0;

        CHECK_OK(size_word_parse("20M", 10 * mib, &size, NULL));
        CHECK_EQ(size, 20 * mib);
        CHECK_OK(size_word_parse("+5M", 10 * mib, &size, NULL));
        CHECK_EQ(size, 15 * mib);
        CHECK_OK(size_word_parse("-5M", 10 * mib, &size, NULL));
        CHECK_EQ(size, 5 * mib);
        FOREACH_ELEMENT (w, wrong)
                CHECK_ERROR(size_word_parse(*w, 10 * mib, &size, &e), &e, ERROR_INVALID_ARGS);
        CHECK_EQ(size, 5 * mib);
}

static void users(void)
{
        _cleanup_error_ Error e = ERROR_NULL;
        uint32_t uid = 1;

        CHECK_OK(user_word_parse("root", false, &uid, NULL));
        CHECK_EQ(uid, 0);
        CHECK_OK(user_word_parse("4294967294", true, &uid, NULL));
        CHECK_EQ(uid, 4294967294);
        CHECK_ERROR(user_word_parse("4294967295", false, &uid, &e), &e, ERROR_INVALID_ARGS);
        CHECK_ERROR(user_word_parse("12x", false, &uid, &e), &e, ERROR_INVALID_ARGS);
        CHECK_ERROR(user_word_parse("root", true, &uid, &e), &e, ERROR_INVALID_ARGS);
        CHECK_ERROR(user_word_parse("no such user", false, &uid, &e), &e, ERROR_INVALID_ARGS);
}

static void jobs(void)
{
        _cleanup_free_ char *number = NULL, *path = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        char *none = NULL;

        CHECK_OK(job_word_parse("12", &number, NULL));
        CHECK_STREQ(number, "/org/example/Storage/job/12");
        CHECK_OK(job_word_parse("/org/example/Storage/job/7", &path, NULL));
        CHECK_STREQ(path, "/org/example/Storage/job/7");
        CHECK_ERROR(job_word_parse("", &none, &e), &e, ERROR_INVALID_ARGS);
        CHECK_ERROR(job_word_parse("x", &none, &e), &e, ERROR_INVALID_ARGS);
        CHECK_ERROR(job_word_parse("/org/example/Storage/pool/1", &none, &e), &e, ERROR_INVALID_ARGS);
}

static void on_and_off(void)
{
        _cleanup_error_ Error e = ERROR_NULL;
        bool on = false;

        CHECK_OK(switch_word_parse("on", &on, NULL));
        CHECK(on);
        CHECK_OK(switch_word_parse("no", &on, NULL));
        CHECK(!on);
        CHECK_ERROR(switch_word_parse("maybe", &on, &e), &e, ERROR_INVALID_ARGS);
}

static void shell_words(void)
{
        char *const words[] = { (char *)"a b", (char *)"it's", (char *)"$(x)", (char *)"", NULL };
        _cleanup_free_ char *line = shell_quote(words);

        CHECK_STREQ(line, "'a b' 'it'\\''s' '$(x)' ''");
}

int main(void)
{
        RUN(object_names);
        RUN(paths_go_both_ways);
        RUN(targets);
        RUN(compressions);
        RUN(braces);
        RUN(assignments);
        RUN(sizes);
        RUN(users);
        RUN(jobs);
        RUN(on_and_off);
        RUN(shell_words);
        return 0;
}
