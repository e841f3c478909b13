/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data-file.h"

#include <fcntl.h>
#include <libgen.h>
#include <sys/random.h>
#include <sys/stat.h>

/* Standard input or output, unless it is a terminal. */
static int open_stream(int stream, Error *e)
{
        const char *name = stream == STDIN_FILENO ? "standard input" : "standard output";
        int fd;

        if (isatty(stream))
                return error_set(e, ERROR_INVALID_ARGS, "%s is a terminal; name a file, or use a pipe",
                                 name);
        fd = fcntl(stream, F_DUPFD_CLOEXEC, 3);
        return fd < 0 ? error_set_errno(e, errno, "cannot use %s", name) : fd;
}

int data_input_open(const char *word, Error *e)
{
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (streq(word, "-"))
                return open_stream(STDIN_FILENO, e);
        fd = open(word, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set_errno(e, errno, "cannot open %s", word);
        if (S_ISDIR(st.st_mode))
                return error_set_errno(e, EISDIR, "cannot read %s", word);
        return TAKE_FD(fd);
}

uint64_t data_input_length(int fd)
{
        struct stat st;
        off_t here;

        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return UINT64_MAX;
        here = lseek(fd, 0, SEEK_CUR);
        return here < 0 ? UINT64_MAX : here < st.st_size ? (uint64_t)(st.st_size - here) : 0;
}

/* A name beside `path` that nothing has. */
static char *name_beside(const char *path)
{
        uint64_t random;
        char *name;

        if (getrandom(&random, sizeof(random), 0) != sizeof(random) ||
            asprintf(&name, "%s.%016llx", path, (unsigned long long)random) < 0)
                return NULL;
        return name;
}

/* Without O_TMPFILE, as on NFS, it has a name of its own until it is whole. */
static int open_named(DataOutput *o, Error *e)
{
        o->temporary = name_beside(o->path);
        if (!o->temporary)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        o->fd = open(o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (o->fd < 0) {
                int r = error_set_errno(e, errno, "cannot make %s", o->path);

                o->temporary = (free(o->temporary), NULL);
                return r;
        }
        return 0;
}

static int open_new(const char *path, DataOutput *ret, Error *e)
{
        _cleanup_data_output_ DataOutput o = { .fd = -EBADF, .path = strdup(path) };
        _cleanup_free_ char *copy = strdup(path);
        int r;

        if (!copy || !o.path)
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        o.fd = open(dirname(copy), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
        if (o.fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
                r = open_named(&o, e);
        else
                r = o.fd < 0 ? error_set_errno(e, errno, "cannot make %s", path) : 0;
        if (r < 0)
                return r;
        *ret = o;
        o = DATA_OUTPUT_NULL;
        return 0;
}

int data_output_open(const char *word, bool in_place, DataOutput *ret, Error *e)
{
        _cleanup_free_ char *target = NULL;
        struct stat st;
        bool there;
        int fd, r;

        if (streq(word, "-")) {
                fd = open_stream(STDOUT_FILENO, e);
                if (fd >= 0)
                        *ret = (DataOutput){ .fd = fd };
                return fd < 0 ? fd : 0;
        }
        there = stat(word, &st) >= 0;
        if (in_place || (there && !S_ISREG(st.st_mode))) {
                fd = open(word, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
                if (fd < 0)
                        return error_set_errno(e, errno, "cannot open %s", word);
                *ret = (DataOutput){ .fd = fd };
                return 0;
        }
        /* What a symbolic link points to is replaced, and keeps its mode. */
        target = there ? realpath(word, NULL) : strdup(word);
        if (!target)
                return error_set_errno(e, errno, "cannot find %s", word);
        r = open_new(target, ret, e);
        if (r >= 0 && there)
                (void)fchmod(ret->fd, st.st_mode & 0777);
        return r;
}

/* linkat(2) does not replace: where the name is taken, a second one is made first. */
static int link_unnamed(DataOutput *o)
{
        char proc[64];

        snprintf(proc, sizeof(proc), "/proc/self/fd/%d", o->fd);
        if (linkat(AT_FDCWD, proc, AT_FDCWD, o->path, AT_SYMLINK_FOLLOW) >= 0)
                return 0;
        if (errno != EEXIST)
                return -errno;
        o->temporary = name_beside(o->path);
        if (!o->temporary)
                return -ENOMEM;
        if (linkat(AT_FDCWD, proc, AT_FDCWD, o->temporary, AT_SYMLINK_FOLLOW) < 0) {
                int r = -errno;

                o->temporary = (free(o->temporary), NULL);
                return r;
        }
        return 0;
}

int data_output_finish(DataOutput *o, Error *e)
{
        int r = 0;

        if (o->path && !o->temporary)
                r = link_unnamed(o);
        if (r >= 0 && o->temporary) {
                r = rename(o->temporary, o->path) < 0 ? -errno : 0;
                if (r >= 0)
                        o->temporary = (free(o->temporary), NULL);
        }
        return r < 0 ? error_set_errno(e, r, "cannot put %s into place", o->path) : 0;
}

void data_output_done(DataOutput *o)
{
        if (o->temporary)
                (void)unlink(o->temporary);
        safe_close(o->fd);
        free(o->temporary);
        free(o->path);
        *o = DATA_OUTPUT_NULL;
}
