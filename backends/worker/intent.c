/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Undo intents. One file per operation, STATE/intents/POOLUUID.JOB.N, that only grows: its first line names
 * the object, each further line is "STEP<tab>ARGUMENT", escaped as in names.h, so that a line without its
 * end was never finished. A worker that dies leaves the file; operation "undo" replays it from the last line
 * to the first under the object's lock. Whoever still has that lock is alive, and so its file is not
 * touched. */
#include <dirent.h>
#include <fcntl.h>

#include "util/fileio.h"
#include "util/names.h"
#include "worker/ctx-internal.h"

#define INTENTS_SIZE_MAX (1024u * 1024)
#define FILES_PER_JOB_MAX 1000u

static int open_directory(const Ctx *c, bool create)
{
        _cleanup_free_ char *path = NULL;
        int fd, r;

        if (asprintf(&path, "%s/intents", c->state_directory) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (create) {
                r = mkdir_parents(path, 0700);
                if (r < 0)
                        return r;
        }
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int write_line(int fd, const char *first, const char *second)
{
        _cleanup_free_ char *a = name_escape(first), *b = second ? name_escape(second) : NULL, *line = NULL;

        if (!a || (second && !b))
                return -ENOMEM;
        if (asprintf(&line, "%s%s%s\n", a, b ? "\t" : "", b ?: "") < 0) {
                line = NULL;
                return -ENOMEM;
        }
        return loop_write(fd, line, strlen(line));
}

/* Opens the file of this operation; it has its line for the object, and its directory entry is durable. */
static int begin_file(Ctx *c)
{
        _cleanup_close_ int directory = open_directory(c, true), fd = -EBADF;
        _cleanup_free_ char *name = NULL;
        int r;

        if (directory < 0)
                return directory;
        for (unsigned n = 0; fd < 0; n++) {
                free(name);
                if (asprintf(&name, "%s.%s.%u", c->uuid, c->job_id, n) < 0) {
                        name = NULL;
                        return -ENOMEM;
                }
                fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
                if (fd < 0 && (errno != EEXIST || n == FILES_PER_JOB_MAX))
                        return -errno;
        }
        r = write_line(fd, c->volume, NULL);
        if (r < 0 || fsync(directory) < 0) {
                r = r < 0 ? r : -errno;
                (void)unlinkat(directory, name, 0);
                return r;
        }
        c->intent_fd = TAKE_FD(fd);
        c->intent_name = TAKE_PTR(name);
        return 0;
}

int ctx_intent(Ctx *c, const char *step, const char *argument)
{
        int r = 0;

        if (c->intent_fd < 0)
                r = begin_file(c);
        if (r >= 0)
                r = write_line(c->intent_fd, step, argument ?: "");
        if (r >= 0 && fdatasync(c->intent_fd) < 0)
                r = -errno;
        return r < 0 ? error_set_errno(&c->error, r, "Cannot write down how to undo step %s", step) : 0;
}

void intents_forget(Ctx *c)
{
        c->intent_fd = safe_close(c->intent_fd);
        free(c->intent_name);
        c->intent_name = NULL;
}

void ctx_intents_done(Ctx *c)
{
        if (c->intent_fd >= 0) {
                _cleanup_close_ int directory = open_directory(c, false);

                if (directory >= 0)
                        (void)unlink_durable_at(directory, c->intent_name);
        }
        intents_forget(c);
}

static int undo_line(Ctx *c, char *line)
{
        _cleanup_free_ char *step = NULL, *argument = NULL;
        char *tab = strchr(line, '\t');
        int r;

        if (!tab)
                return error_set(&c->error, ERROR_CORRUPT, "an undo intent has no argument");
        *tab = '\0';
        r = name_unescape(line, &step, &c->error);
        if (r >= 0)
                r = name_unescape(tab + 1, &argument, &c->error);
        if (r < 0)
                return r;
        r = c->backend->undo(c, step, argument);
        return r < 0 ? error_set_errno(&c->error, r, "Cannot undo step %s", step) : 0;
}

/* Replays the lines behind the first, from the end; what lies behind the last line end was never promised.
 */
static int undo_lines(Ctx *c, char *text)
{
        char *end = strrchr(text, '\n');
        int r;

        while (end && end > text) {
                char *line;

                *end = '\0';
                line = strrchr(text, '\n');
                if (!line)
                        return 0;
                r = undo_line(c, line + 1);
                if (r < 0)
                        return r;
                end = line;
        }
        return 0;
}

static int remove_file(Ctx *c, int directory, const char *name)
{
        int r;

        r = unlink_durable_at(directory, name);
        return r < 0 && r != -ENOENT
                       ? error_set_errno(&c->error, r, "Cannot remove the undo intents %s", name)
                       : 0;
}

/* The object of the first line; NULL: the worker died before that was written, and so before any step. */
static int read_object(Ctx *c, const char *text, char **ret)
{
        const char *end = strchr(text, '\n');
        _cleanup_free_ char *shown = NULL;

        *ret = NULL;
        if (!end)
                return 0;
        shown = strndup(text, end - text);
        return shown ? name_unescape(shown, ret, &c->error)
                     : error_set(&c->error, ERROR_NO_MEMORY, "out of memory");
}

static int undo_file(Ctx *c, int directory, const char *name, const char *volume)
{
        _cleanup_free_ char *text = NULL, *object = NULL;
        _cleanup_close_ int lock = -EBADF;
        int r;

        r = read_file_at(directory, name, INTENTS_SIZE_MAX, &text, NULL);
        if (r < 0)
                return r == -ENOENT ? 0
                                    : error_set_errno(&c->error, r, "Cannot read the undo intents %s", name);
        r = read_object(c, text, &object);
        if (r < 0)
                return r;
        if (!object)
                return isempty(volume) ? remove_file(c, directory, name) : 0;
        if (!isempty(volume) && !streq(volume, object))
                return 0;
        r = lock_take(c, object, &lock, &c->error);
        if (r == -EBUSY && isempty(volume)) {
                error_done(&c->error);
                return 0;
        }
        if (r < 0)
                return r;
        c->lock_fd = lock;
        r = undo_lines(c, text);
        c->lock_fd = -EBADF;
        if (r >= 0)
                r = remove_file(c, directory, name);
        lock_release(c, object, &lock);
        return r;
}

/* The operation failed in a worker that lives: what it wrote down is undone at once. What cannot be undone
 * now stays for operation "undo". The error that is told stays the first one. */
void intents_roll_back(Ctx *c)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int directory = -EBADF;
        sig_atomic_t cancelled = ctx_cancelled;

        if (c->intent_fd < 0)
                return;
        ctx_cancelled = false; /* the way back is not cut short */
        directory = open_directory(c, false);
        if (directory >= 0 && c->backend->undo &&
            read_file_at(directory, c->intent_name, INTENTS_SIZE_MAX, &text, NULL) >= 0 &&
            undo_lines(c, text) >= 0)
                (void)remove_file(c, directory, c->intent_name);
        if (cancelled)
                ctx_cancelled = true;
        intents_forget(c);
}

/* volume "": everything that dead workers left in this pool, those objects excepted whose lock is held; else
 * what was left on that volume, Busy when its lock is held. */
int intents_undo(Ctx *c, const char *volume)
{
        _cleanup_close_ int directory = open_directory(c, false);
        struct dirent *entry;
        DIR *d;
        int r = 0;

        if (directory == -ENOENT)
                return 0;
        if (directory < 0 || !(d = fdopendir(fcntl(directory, F_DUPFD_CLOEXEC, 3))))
                return error_set_errno(&c->error, directory < 0 ? directory : errno,
                                       "Cannot read the undo intents");
        while ((entry = readdir(d))) {
                const char *rest = startswith(entry->d_name, c->uuid);
                int k;

                if (!rest || *rest != '.')
                        continue;
                k = undo_file(c, directory, entry->d_name, volume);
                if (k < 0 && r == 0)
                        r = k;
        }
        closedir(d);
        return r;
}
