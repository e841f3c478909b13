/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/scan.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "file/entry.h"
#include "file/found.h"
#include "file/seen.h"
#include "file/snapshots.h"
#include "util/fileio.h"
#include "util/names.h"

#define DIRECTORY_BUFFER (256u * 1024u)
#define PROGRESS_ENTRIES 1000u
#define DIRECTORY_LARGE (64u * 1024u) /* bytes; a thousand entries or more */
#define SAMPLE_ENTRIES 32u

/* Time stamps of files move in ticks of the kernel's clock: what was written in the same tick in which it
 * was read may change once more without a trace (the rule of git's index). */
#define TICK_USEC 20000u

int file_each_entry(int dirfd, file_visit_t visit, void *userdata)
{
        _cleanup_free_ char *buffer = malloc(DIRECTORY_BUFFER);

        if (!buffer)
                return -ENOMEM;
        if (lseek(dirfd, 0, SEEK_SET) < 0)
                return -errno;
        for (;;) {
                ssize_t n = getdents64(dirfd, buffer, DIRECTORY_BUFFER);

                if (n <= 0)
                        return n < 0 ? -errno : 0;
                for (char *p = buffer; p < buffer + n;) {
                        const struct dirent64 *d = (const struct dirent64 *)p;
                        const char *name = d->d_name;
                        int r;

                        p += d->d_reclen;
                        if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
                                continue;
                        r = visit(name, d->d_type, userdata);
                        if (r != 0)
                                return r;
                }
        }
}

typedef struct Scan {
        FileRoot root;
        FileSnapshots snapshots;
        SeenReader *last; /* NULL: the first scan */
        SeenWriter now;
        uint64_t start_usec, n;
        int came_from; /* the working directory before the scan */
        bool inside;   /* the working directory is the root */
        bool hollow;   /* the last file read held no data: the next may well be of its kind */
        pid_t second;  /* the process that looks at half of the entries, 0: none */
        int second_fd; /* a memfd, what it found */
} Scan;

static void scan_done(Scan *s)
{
        if (s->last)
                seen_close(s->last);
        seen_writer_done(&s->now);
        if (s->second > 0) {
                (void)kill(s->second, SIGKILL);
                (void)waitpid(s->second, NULL, 0);
        }
        s->second_fd = safe_close(s->second_fd);
        if (s->inside)
                (void)fchdir(s->came_from);
        s->came_from = safe_close(s->came_from);
        file_snapshots_done(&s->snapshots);
        file_root_done(&s->root);
}

/* Single names are looked up from here while the scan runs. */
static void scan_enter(Scan *s)
{
        s->came_from = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        s->inside = s->came_from >= 0 && fchdir(s->root.fd) >= 0;
        s->hollow = true;
}

static bool is_fresh(const Scan *s, const struct statx *st)
{
        uint64_t ctime_usec =
                (uint64_t)MAX(st->stx_ctime.tv_sec, 0) * 1000000 + st->stx_ctime.tv_nsec / 1000;

        return ctime_usec + TICK_USEC >= s->start_usec;
}

static int tell_vanished(Scan *s, const char *raw)
{
        _cleanup_free_ char *shown = name_escape(raw);

        return shown ? ctx_vanished(s->root.ctx, shown) : -ENOMEM;
}

/* As file_entry_read(). */
static int scan_look(Scan *s, const char *raw, unsigned char type, FileEntry *ret)
{
        int r = file_entry_read(&s->root, raw, type, s->inside && s->hollow ? FILE_READ_BY_NAME : 0, ret);

        if (r > 0)
                s->hollow = ret->st.stx_blocks == 0;
        return r;
}

/* What is looked at again next time, whatever it looks like. A link's own time stamps say nothing of the file
 * behind it. */
static int scan_remember(Scan *s, const char *raw, const FileEntry *e)
{
        return seen_add(&s->now, raw, &e->st, true, e->linked || e->error || is_fresh(s, &e->st));
}

/* New, changed, or not to be compared. `then` is what the last scan saw, NULL: nothing. */
static int scan_read(Scan *s, const char *raw, unsigned char type, const SeenRecord *then)
{
        _cleanup_entry_ FileEntry e = FILE_ENTRY_NULL;
        int r;

        r = scan_look(s, raw, type, &e);
        if (r < 0)
                return error_set_errno(ctx_error(s->root.ctx), r, "Cannot look at the files of pool %s",
                                       ctx_pool_name(s->root.ctx));
        if (r == 0)
                return then && then->listed ? tell_vanished(s, raw) : 0;
        r = ctx_volume(s->root.ctx, &e.info);
        return r < 0 ? r : scan_remember(s, raw, &e);
}

/* ---- the second process ---- */

/* Names are shared out by themselves, so that each is one process' whatever order the directory shows. */
static bool is_of_second(const char *raw)
{
        uint32_t sum = 0;

        for (; *raw; raw++)
                sum = sum * 31 + (uint8_t)*raw;
        return (sum ^ sum >> 3) & 1;
}

typedef struct Second {
        Scan *scan;
        FoundWriter found;
} Second;

static int second_entry(const char *raw, unsigned char type, void *userdata)
{
        _cleanup_entry_ FileEntry e = FILE_ENTRY_NULL;
        Second *second = userdata;
        int r;

        if (!is_of_second(raw))
                return 0;
        r = scan_look(second->scan, raw, type, &e);
        if (r > 0)
                r = found_add(&second->found, &e.info);
        else if (r == 0)
                return 0;
        return r < 0 ? r : scan_remember(second->scan, raw, &e);
}

/* The life of the second process. It never speaks to the daemon. */
static _Noreturn void second_run(Scan *s, pid_t parent)
{
        Second second = { .scan = s };
        int fd, r;

        (void)signal(SIGTERM, SIG_DFL);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(ESRCH);
        fd = openat(s->root.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* with an offset of its own */
        if (fd < 0)
                _exit(errno);
        r = file_each_entry(fd, second_entry, &second);
        if (r >= 0)
                r = found_finish(&second.found, &s->now, s->second_fd);
        _exit(r < 0 ? -r : 0);
}

typedef struct Sample {
        int fd;
        unsigned n, with_data;
} Sample;

static int sample_entry(const char *raw, unsigned char type, void *userdata)
{
        Sample *sample = userdata;
        struct statx st;

        if (statx(sample->fd, raw, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BLOCKS, &st) >= 0 &&
            st.stx_blocks > 0)
                sample->with_data++;
        return ++sample->n == SAMPLE_ENTRIES;
}

/* To read headers is worth a processor of its own; files without data are done faster than the daemon takes
 * them in. */
static bool is_worth_two(const Scan *s)
{
        Sample sample = { .fd = s->root.fd };
        cpu_set_t processors;
        struct stat st;

        return fstat(s->root.fd, &st) >= 0 && st.st_size >= DIRECTORY_LARGE &&
               sched_getaffinity(0, sizeof(processors), &processors) >= 0 && CPU_COUNT(&processors) >= 2 &&
               file_each_entry(s->root.fd, sample_entry, &sample) >= 0 &&
               sample.with_data > SAMPLE_ENTRIES / 2;
}

/* Without a second process this one does it all. */
static void second_start(Scan *s)
{
        pid_t self = getpid(), pid;

        if (!is_worth_two(s))
                return;
        s->second_fd = memfd_create("poolkeeper-found", MFD_CLOEXEC);
        if (s->second_fd < 0)
                return;
        pid = fork();
        if (pid == 0)
                second_run(s, self);
        s->second = MAX(pid, 0);
}

static int second_wait(Scan *s)
{
        int r, status;

        while (waitpid(s->second, &status, 0) < 0) {
                if (errno != EINTR)
                        return -errno;
                r = ctx_progress(s->root.ctx, s->n, 0);
                if (r < 0)
                        return r;
        }
        s->second = 0;
        if (!WIFEXITED(status))
                return error_set(ctx_error(s->root.ctx), ERROR_WORKER_CRASHED,
                                 "The second process of the scan of pool %s was killed by signal %d",
                                 ctx_pool_name(s->root.ctx), WTERMSIG(status));
        return -WEXITSTATUS(status);
}

/* Tells what the second process found. */
static int second_collect(Scan *s)
{
        _cleanup_(found_close) FoundReader found = FOUND_READER_NULL;
        VolumeInfo v;
        int r;

        r = second_wait(s);
        if (r >= 0)
                r = found_open(s->second_fd, &s->now, &found);
        while (r >= 0 && (r = found_next(&found, &v)) > 0)
                r = ctx_volume(s->root.ctx, &v);
        return r;
}

/* ---- the scan ---- */

static int scan_entry(const char *raw, unsigned char type, void *userdata)
{
        Scan *s = userdata;
        const SeenRecord *then = NULL;
        struct statx st;
        int r = 0;

        if (++s->n % PROGRESS_ENTRIES == 0) {
                r = ctx_progress(s->root.ctx, s->n, s->last ? MAX((uint64_t)seen_size(s->last), s->n) : 0);
                if (r < 0)
                        return r;
        }
        if (!s->last)
                return s->second > 0 && is_of_second(raw) ? 0 : scan_read(s, raw, type, NULL);
        then = seen_find(s->last, raw, &r);
        if (r < 0)
                return r;
        if (then && !then->again &&
            statx(s->root.fd, raw, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, SEEN_STATX, &st) >= 0 &&
            seen_matches(then, &st))
                return seen_add_record(&s->now, then);
        return scan_read(s, raw, type, then);
}

/* What the directory did not show. It may have been renamed under our eyes, so each is looked at once more.
 */
static int scan_missed(Scan *s)
{
        const SeenRecord *then;
        size_t cursor = 0;
        int r = 0;

        while (r >= 0 && (then = seen_missed(s->last, &cursor)))
                r = scan_read(s, then->name, DT_UNKNOWN, then);
        return r;
}

int file_scan(Ctx *c, int snapshot, int *ret_snapshot)
{
        _cleanup_(scan_done) Scan s = {
                .root = FILE_ROOT_NULL,
                .start_usec = now_usec(CLOCK_REALTIME),
                .came_from = -EBADF,
                .second_fd = -EBADF,
        };
        int r;

        r = ctx_need_job(c);
        if (r < 0)
                return r;
        r = file_root_open(c, &s.root);
        if (r < 0)
                return r;
        if (snapshot >= 0 && (r = seen_open(snapshot, &s.last)) < 0)
                return error_set(ctx_error(c), ERROR_CHANGED,
                                 "What the last refresh of pool %s left cannot be read: %s",
                                 ctx_pool_name(c), strerror(-r));
        file_root_trust_blocks(&s.root);
        s.root.snapshots = &s.snapshots;
        scan_enter(&s);
        ctx_ready(c);
        if (!s.last)
                second_start(&s);
        r = file_each_entry(s.root.fd, scan_entry, &s);
        if (r >= 0 && s.second > 0)
                r = second_collect(&s);
        if (r >= 0 && s.last)
                r = scan_missed(&s);
        if (r >= 0)
                r = seen_finish(&s.now);
        if (r < 0)
                return error_set_errno(ctx_error(c), r, "Cannot read directory %s", s.root.path);
        *ret_snapshot = r;
        return 0;
}
