/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/mark.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/xattr.h>

#include "util/fileio.h"
#include "util/names.h"

#define MARK_TEXT_MAX (128 + 4 * NAME_MAX) /* a byte of a name is at most four, see names.h */

static const char *mark_attribute(const FileRoot *r)
{
        return r->system ? "trusted.poolkeeper" : "user.poolkeeper";
}

/* "VERSION FORMAT CREATOR FLAGS[ BACKING]", BACKING as it is shown. Returns its length. */
static int mark_format(const FileMark *m, char text[static MARK_TEXT_MAX])
{
        _cleanup_free_ char *backing = name_escape(m->backing);

        if (!backing)
                return -ENOMEM;
        return snprintf(text, MARK_TEXT_MAX, "1 %s %u %s%s%s%s%s", image_format_to_string(m->format),
                        m->creator, m->base ? "base" : "-", m->corrupt ? ",corrupt" : "",
                        m->snapshots ? ",snapshots" : "", *backing ? " " : "", backing);
}

/* Cuts the next word off; NULL: there is none. */
static const char *next_word(char **text)
{
        char *word = *text, *end = word + strcspn(word, " \n");

        if (end == word)
                return NULL;
        *text = end + (*end != '\0');
        *end = '\0';
        return word;
}

static bool parse_backing(char *text, FileMark *ret)
{
        _cleanup_free_ char *raw = NULL;

        text[strcspn(text, "\n")] = '\0';
        if (!*text)
                return true;
        if (name_unescape(text, &raw, NULL) < 0 || strlen(raw) > NAME_MAX)
                return false;
        (void)snprintf(ret->backing, sizeof(ret->backing), "%s", raw);
        return true;
}

/* Takes `text` apart. A scan does this for every file. */
static bool mark_parse(char *text, FileMark *ret)
{
        const char *version = next_word(&text), *format = version ? next_word(&text) : NULL,
                   *creator = format ? next_word(&text) : NULL, *flags = creator ? next_word(&text) : NULL;
        unsigned long long uid;
        FileMark mark;
        ImageFormat f;
        char *end;

        if (!flags || !streq(version, "1"))
                return false;
        f = image_format_from_string(format);
        uid = strtoull(creator, &end, 10);
        if ((int)f < 0 || *end || uid > UINT32_MAX)
                return false;
        mark = (FileMark){
                .format = f,
                .creator = (uint32_t)uid,
                .base = startswith(flags, "base"),
                .corrupt = strstr(flags, ",corrupt"),
                .snapshots = strstr(flags, ",snapshots"),
        };
        if (!parse_backing(text, &mark))
                return false;
        *ret = mark;
        return true;
}

/* ---- the state directory ---- */

static int marks_directory(Ctx *c, bool make)
{
        _cleanup_free_ char *path = NULL;
        int fd, r;

        if (asprintf(&path, "%s/marks/%s", ctx_state_directory(c), ctx_pool_uuid(c)) < 0)
                return -ENOMEM;
        if (make && (r = mkdir_parents(path, 0700)) < 0)
                return r;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int state_key(const struct statx *st, char *text, size_t size)
{
        return snprintf(text, size, "%llu %lld.%09u", (unsigned long long)st->stx_ino,
                        (long long)st->stx_btime.tv_sec, st->stx_btime.tv_nsec);
}

static bool state_read(const FileRoot *r, const char *raw, const struct statx *st, FileMark *ret)
{
        _cleanup_close_ int dir = marks_directory(r->ctx, false);
        _cleanup_free_ char *text = NULL;
        char key[64], *line;

        if (dir < 0 || read_file_at(dir, raw, 2 * MARK_TEXT_MAX, &text, NULL) < 0)
                return false;
        (void)state_key(st, key, sizeof(key));
        line = strchr(text, '\n');
        if (!line)
                return false;
        *line = '\0';
        return streq(text, key) && mark_parse(line + 1, ret);
}

static int state_write(const FileRoot *r, int fd, const char *raw, const char *mark)
{
        _cleanup_close_ int dir = marks_directory(r->ctx, true);
        char text[2 * MARK_TEXT_MAX];
        struct statx st;
        int n;

        if (dir < 0)
                return dir;
        if (statx(fd, "", AT_EMPTY_PATH, FILE_MARK_STATX, &st) < 0)
                return -errno;
        n = state_key(&st, text, sizeof(text));
        n += snprintf(text + n, sizeof(text) - n, "\n%s\n", mark);
        return write_file_atomic_at(dir, raw, text, n, 0600);
}

/* ---- the mark ---- */

static void mark_from_attribute(char text[static MARK_TEXT_MAX], ssize_t n, FileMark *ret)
{
        *ret = FILE_MARK_NULL;
        if (n < 0)
                return;
        text[n] = '\0';
        (void)mark_parse(text, ret);
}

void file_mark_read(const FileRoot *r, int fd, const char *raw, const struct statx *st, FileMark *ret)
{
        char text[MARK_TEXT_MAX];
        ssize_t n = fgetxattr(fd, mark_attribute(r), text, sizeof(text) - 1);

        mark_from_attribute(text, n, ret);
        if (n < 0 && errno == EOPNOTSUPP)
                (void)state_read(r, raw, st, ret);
}

bool file_mark_read_name(const FileRoot *r, const char *raw, FileMark *ret)
{
        char text[MARK_TEXT_MAX];
        ssize_t n = lgetxattr(raw, mark_attribute(r), text, sizeof(text) - 1);

        if (n < 0 && errno != ENODATA && errno != ERANGE)
                return false;
        mark_from_attribute(text, n, ret);
        return true;
}

int file_mark_write(const FileRoot *r, int fd, const char *raw, const FileMark *m)
{
        char text[MARK_TEXT_MAX];
        int n = mark_format(m, text), k;

        if (n < 0)
                return error_set(ctx_error(r->ctx), ERROR_NO_MEMORY, "Out of memory");
        if (fsetxattr(fd, mark_attribute(r), text, n, 0) >= 0)
                return 0;
        if (errno != EOPNOTSUPP)
                return error_set_errno(ctx_error(r->ctx), errno, "Cannot mark volume %s with its format",
                                       raw);
        k = state_write(r, fd, raw, text);
        if (k < 0)
                return error_set_errno(ctx_error(r->ctx), k, "Cannot store the format of volume %s", raw);
        return 0;
}

bool file_mark_is_apart(const FileRoot *r, int fd)
{
        return fgetxattr(fd, mark_attribute(r), NULL, 0) < 0 && errno == EOPNOTSUPP;
}

void file_mark_remove(const FileRoot *r, const char *raw)
{
        _cleanup_close_ int dir = marks_directory(r->ctx, false);

        if (dir >= 0)
                (void)unlinkat(dir, raw, 0);
}

void file_mark_move(const FileRoot *r, const char *from, const char *to)
{
        _cleanup_close_ int dir = marks_directory(r->ctx, false);

        if (dir >= 0 && renameat(dir, from, dir, to) >= 0)
                (void)fsync(dir);
}

void file_mark_remove_all(Ctx *c)
{
        int fd = marks_directory(c, false);
        _cleanup_free_ char *path = NULL;
        struct dirent *d;
        DIR *dir;

        if (fd < 0)
                return;
        dir = fdopendir(fd);
        if (!dir) {
                (void)close(fd);
                return;
        }
        while ((d = readdir(dir)))
                if (!streq(d->d_name, ".") && !streq(d->d_name, ".."))
                        (void)unlinkat(fd, d->d_name, 0);
        (void)closedir(dir);
        if (asprintf(&path, "%s/marks/%s", ctx_state_directory(c), ctx_pool_uuid(c)) >= 0)
                (void)rmdir(path);
}
