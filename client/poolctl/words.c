/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "words.h"

#include <pwd.h>

#include "util/object-path.h"
#include "util/units.h"

int object_name_parse(const char *word, ObjectName *ret, Error *e)
{
        _cleanup_object_name_ ObjectName n = OBJECT_NAME_NULL;
        const char *slash = strchr(word, '/');

        if (isempty(word) || slash == word)
                return error_set(e, ERROR_INVALID_ARGS, "expected POOL or POOL/VOLUME, not \"%s\"", word);
        if (slash && (!slash[1] || strchr(slash + 1, '/')))
                return error_set(e, ERROR_INVALID_ARGS, "expected POOL/VOLUME, not \"%s\"", word);
        n.pool = slash ? strndup(word, (size_t)(slash - word)) : strdup(word);
        n.volume = slash ? strdup(slash + 1) : NULL;
        if (!n.pool || (slash && !n.volume))
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        *ret = n;
        n = OBJECT_NAME_NULL;
        return 0;
}

void object_name_done(ObjectName *n)
{
        free(n->pool);
        free(n->volume);
        *n = OBJECT_NAME_NULL;
}

int object_name_to_path(const ObjectName *n, char **ret)
{
        char *path = n->volume ? object_path_volume(n->pool, n->volume) : object_path_pool(n->pool);

        if (!path)
                return -ENOMEM;
        *ret = path;
        return 0;
}

int object_name_from_path(const char *path, ObjectName *ret)
{
        _cleanup_object_name_ ObjectName n = OBJECT_NAME_NULL;
        int r;

        r = object_path_to_pool(path, &n.pool);
        if (r == 0)
                r = object_path_to_volume(path, &n.pool, &n.volume);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        *ret = n;
        n = OBJECT_NAME_NULL;
        return 0;
}

char *object_name_to_string(const ObjectName *n)
{
        char *text;

        if (asprintf(&text, "%s%s%s", n->pool, n->volume ? "/" : "", n->volume ?: "") < 0)
                return NULL;
        return text;
}

int target_name_parse(const char *word, const ObjectName *source, ObjectName *ret, Error *e)
{
        const char *slash = strchr(word, '/');
        bool in_pool = slash && slash != word, keeps_name = in_pool && !slash[1];
        _cleanup_object_name_ ObjectName n = OBJECT_NAME_NULL;

        if (isempty(word) || (slash && !in_pool) || (in_pool && strchr(slash + 1, '/')))
                return error_set(e, ERROR_INVALID_ARGS, "expected NAME, POOL/NAME or POOL/, not \"%s\"",
                                 word);
        n.pool = in_pool ? strndup(word, (size_t)(slash - word)) : strdup(source->pool);
        n.volume = strdup(keeps_name ? source->volume : in_pool ? slash + 1 : word);
        if (!n.pool || !n.volume)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        *ret = n;
        n = OBJECT_NAME_NULL;
        return 0;
}

int assignments_parse(char *const *words, size_t n, Bag *b, Error *e)
{
        for (size_t i = 0; i < n; i++) {
                const char *equal = strchr(words[i], '=');
                _cleanup_free_ char *name = NULL;
                int r;

                if (!equal || equal == words[i])
                        return error_set(e, ERROR_INVALID_ARGS, "expected NAME=VALUE, not \"%s\"", words[i]);
                name = strndup(words[i], (size_t)(equal - words[i]));
                if (!name)
                        return error_set(e, ERROR_NO_MEMORY, "out of memory");
                if (bag_get_string(b, name)) {
                        _cleanup_free_ char *first = strdup(bag_get_string(b, name));
                        char *list[] = { first, NULL };

                        r = first ? bag_set_strv(b, name, list) : -ENOMEM;
                        if (r >= 0)
                                r = bag_add_strv(b, name, equal + 1);
                } else if (bag_has(b, name))
                        r = bag_add_strv(b, name, equal + 1);
                else
                        r = bag_set_string(b, name, equal + 1);
                if (r < 0)
                        return error_set(e, ERROR_NO_MEMORY, "out of memory");
        }
        return 0;
}

bool size_word_is_relative(const char *word)
{
        return word[0] == '+' || word[0] == '-';
}

int size_word_parse(const char *word, uint64_t current, uint64_t *ret, Error *e)
{
        bool relative = size_word_is_relative(word);
        uint64_t size;
        int r;

        if (relative && size_word_is_relative(word + 1))
                return error_set(e, ERROR_INVALID_ARGS, "\"%s\" is no size; write 20G, +5G or -5G", word);
        r = size_parse(word + relative, &size, e);
        if (r < 0)
                return r;
        if (!relative)
                *ret = size;
        else if (word[0] == '+') {
                if (size > INT64_MAX - MIN(current, (uint64_t)INT64_MAX))
                        return error_set(e, ERROR_INVALID_ARGS, "\"%s\" is too large", word);
                *ret = current + size;
        } else {
                if (size > current)
                        return error_set(e, ERROR_INVALID_ARGS, "\"%s\" is more than the volume has", word);
                *ret = current - size;
        }
        return 0;
}

int user_word_parse(const char *word, bool numbers_only, uint32_t *ret, Error *e)
{
        unsigned long long n;
        struct passwd *user;
        char *end;

        if (word[0] >= '0' && word[0] <= '9') {
                errno = 0;
                n = strtoull(word, &end, 10);
                if (errno || *end || n >= UINT32_MAX)
                        return error_set(e, ERROR_INVALID_ARGS, "\"%s\" is no user id", word);
                *ret = (uint32_t)n;
                return 0;
        }
        if (numbers_only)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "user names of another host are not known here; give the number of \"%s\"",
                                 word);
        user = getpwnam(word);
        if (!user)
                return error_set(e, ERROR_INVALID_ARGS, "there is no user \"%s\"", word);
        *ret = user->pw_uid;
        return 0;
}

int job_word_parse(const char *word, char **ret_path, Error *e)
{
        const char *number = startswith(word, OBJECT_JOBS "/") ?: word;
        char *path;

        if (isempty(number) || number[strspn(number, "0123456789")])
                return error_set(e, ERROR_INVALID_ARGS, "\"%s\" is no job; \"poolctl jobs\" lists them",
                                 word);
        if (asprintf(&path, OBJECT_JOBS "/%s", number) < 0)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        *ret_path = path;
        return 0;
}

int switch_word_parse(const char *word, bool *ret, Error *e)
{
        static const char *const on[] = { "on", "yes", "true", "1" }, *const off[] = { "off", "no", "false",
                                                                                       "0" };

        FOREACH_ELEMENT (w, on)
                if (streq(word, *w)) {
                        *ret = true;
                        return 0;
                }
        FOREACH_ELEMENT (w, off)
                if (streq(word, *w)) {
                        *ret = false;
                        return 0;
                }
        return error_set(e, ERROR_INVALID_ARGS, "expected on or off, not \"%s\"", word);
}

const char *compression_of_file(const char *name)
{
        static const char *const table[][2] = { { ".gz", "gzip" }, { ".xz", "xz" }, { ".zst", "zstd" } };
        const char *dot = strrchr(name, '.');

        FOREACH_ELEMENT (t, table)
                if (dot && streq(dot, (*t)[0]))
                        return (*t)[1];
        return "none";
}

static char *replace_braces(const char *word, const char *with)
{
        size_t n = 0;
        char *text, *out;

        for (const char *at = word; (at = strstr(at, "{}")); at += 2)
                n++;
        out = text = malloc(strlen(word) + n * strlen(with) + 1);
        if (!text)
                return NULL;
        for (const char *at; (at = strstr(word, "{}")); word = at + 2)
                out = stpcpy(mempcpy(out, word, (size_t)(at - word)), with);
        memcpy(out, word, strlen(word) + 1);
        return text;
}

int braces_replace(char *const *words, size_t n, const char *with, char ***ret)
{
        _cleanup_strv_ char **list = NULL;

        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *word = replace_braces(words[i], with);

                if (!word || strv_append(&list, word) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(list);
        return 0;
}
