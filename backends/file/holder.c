/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "util/fileio.h"

#define DESCRIPTORS_MAX 50000u
#define FDINFO_MAX 4096u /* a lock takes a line */

typedef struct Search {
        struct statx file;
        HolderKind kind;
        unsigned left; /* descriptors that may still be looked at */
} Search;

static bool is_number(const char *text)
{
        return text[0] && !text[strspn(text, "0123456789")];
}

static DIR *open_directory(int at, const char *path)
{
        int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

        if (fd >= 0 && !d)
                (void)close(fd);
        return d;
}

static bool has_locks(int process, const char *number)
{
        _cleanup_free_ char *text = NULL;
        char path[32];

        (void)snprintf(path, sizeof(path), "fdinfo/%d", atoi(number));
        return read_file_at(process, path, FDINFO_MAX, &text, NULL) >= 0 && strstr(text, "OFDLCK");
}

static bool is_held_by(const Search *s, int process, int descriptors, const char *number)
{
        struct stat link;
        struct statx st;

        /* The link's own mode tells how the file is open, without going near the file. */
        if (s->kind == HOLDER_WRITES &&
            (fstatat(descriptors, number, &link, AT_SYMLINK_NOFOLLOW) < 0 || !(link.st_mode & S_IWUSR)))
                return false;
        /* Whatever it is, no server is asked. */
        if (statx(descriptors, number, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_INO, &st) <
                    0 ||
            st.stx_ino != s->file.stx_ino || st.stx_dev_major != s->file.stx_dev_major ||
            st.stx_dev_minor != s->file.stx_dev_minor)
                return false;
        return s->kind == HOLDER_WRITES || has_locks(process, number);
}

static bool process_holds(Search *s, int process)
{
        DIR *d = open_directory(process, "fd");
        bool found = false;
        struct dirent *e;

        if (!d)
                return false;
        while (!found && s->left > 0 && (e = readdir(d)))
                if (is_number(e->d_name)) {
                        s->left--;
                        found = is_held_by(s, process, dirfd(d), e->d_name);
                }
        (void)closedir(d);
        return found;
}

static void read_command(int process, char ret[static 16])
{
        _cleanup_free_ char *text = NULL;

        (void)snprintf(ret, 16, "?");
        if (read_file_at(process, "comm", 64, &text, NULL) < 0)
                return;
        text[strcspn(text, "\n")] = '\0';
        for (char *p = text; *p; p++)
                if (!isascii(*p) || !isprint(*p))
                        *p = '?';
        (void)snprintf(ret, 16, "%.15s", text);
}

void holder_find(int fd, HolderKind kind, Holder *ret)
{
        Search s = { .kind = kind, .left = DESCRIPTORS_MAX };
        DIR *proc = open_directory(AT_FDCWD, "/proc");
        struct dirent *e;

        *ret = (Holder){};
        if (proc && statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO, &s.file) >= 0)
                while (ret->pid == 0 && s.left > 0 && (e = readdir(proc))) {
                        _cleanup_close_ int process = -EBADF;
                        pid_t pid;

                        if (!is_number(e->d_name) || (pid = (pid_t)atoi(e->d_name)) == getpid())
                                continue;
                        process = openat(dirfd(proc), e->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
                        if (process < 0 || !process_holds(&s, process))
                                continue;
                        ret->pid = pid;
                        read_command(process, ret->command);
                }
        if (proc)
                (void)closedir(proc);
}
