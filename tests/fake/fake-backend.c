/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pool type for tests: plain files in target.path, and faults on request. The fault is "KIND OPERATION" or
 * "KIND OPERATION VOLUME", in pool option "fault", or, so that it can change while the pool is up, as the
 * content of the file of pool option "fault-file". OPERATION is an operation of protocol.h. Kinds:
 *   fail     NoSpace                              job      is work for a job worker
 *   crash    the worker ends by SIGABRT           slow     a job of 100 steps of 20 ms with progress, can be
 *                                                          cancelled
 *   hang     sleeps for ever, deaf to SIGTERM     intent   begins, writes down how to undo, then crashes
 *   lie      tells of impossible volumes          tool     runs a tool that takes a minute, can be cancelled
 *   orphan   leaves a tool behind that takes a minute
 *   gone     SourceUnreachable                    stuck    hangs as a job
 *   nap      takes 0.2 s, also in a session       die      crashes as a job
 *   huge     tells of a volume with the largest   control  tells of a volume with a control byte in its name
 *            sizes there are                      garble   tells of volumes in words that are none
 *   endless  tells of ever more volumes           pipe     (watch) gives a pipe to watch
 *   many     tells of 100,000 volumes, all but    none     (refresh) tells of none
 *            the first backed by the first
 *   late     (remove) does it, then crashes       idle     a job that tells that it comes no further
 * A file may tell several, one in a line.
 * A file that begins with "backing:PATH" and a line end is a volume with that backing file, one that begins with "QFI" has
 * format qcow2. Snapshots are the word of snapshot-list.h in the file ".NAME". */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "util/fileio.h"
#include "util/protocol.h"
#include "util/snapshot-list.h"
#include "worker/ctx-internal.h"

static const char *target(Ctx *c)
{
        return bag_get_string(ctx_options(c), "target.path") ?: "/nonexistent";
}

static int open_target(Ctx *c)
{
        int fd = open(target(c), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? error_set_errno(ctx_error(c), errno, "Cannot open %s", target(c)) : fd;
}

/* The kind of fault that is asked for at this operation on this volume (NULL: on the pool); a new string or
 * NULL. */
static char *fault_of(Ctx *c, const char *operation, const char *name)
{
        const char *option = bag_get_string(ctx_options(c), "fault");
        const char *file = bag_get_string(ctx_options(c), "fault-file");
        _cleanup_free_ char *text = NULL;
        char *lines, *line, *save, *kind, *at, *volume;

        if (file)
                (void)read_file_at(AT_FDCWD, file, 1024, &text, NULL);
        else if (option)
                text = strdup(option);
        for (line = text ? strtok_r(text, "\n", &lines) : NULL; line; line = strtok_r(NULL, "\n", &lines)) {
                kind = strtok_r(line, " ", &save);
                at = strtok_r(NULL, " ", &save);
                volume = strtok_r(NULL, " ", &save);
                if (kind && at && streq(at, operation) && (!volume || streq_ptr(volume, name)))
                        return strdup(kind);
        }
        return NULL;
}

static int tell_lies(Ctx *c)
{
        static const VolumeInfo lies[] = {
                { .name = "../../etc/shadow", .type = VOLUME_FILE, .format = FORMAT_RAW },
                { .name = "odd", .type = (VolumeType)77, .format = (ImageFormat)99, .error = "none" },
        };

        FOREACH_ELEMENT (v, lies) {
                int r = ctx_volume(c, v);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int tell_name(Ctx *c, const char *name, uint64_t size, const char *backing)
{
        const VolumeInfo v = { .name = name,
                               .backing = backing,
                               .type = VOLUME_FILE,
                               .format = FORMAT_RAW,
                               .detected = FORMAT_RAW,
                               .capacity = size,
                               .allocation = size,
                               .physical = size,
                               .mtime_usec = size,
                               .creator = 0,
                               .mode = 0600 };

        return ctx_volume(c, &v);
}

static int tell_numbered(Ctx *c, unsigned n, const char *backing)
{
        char name[32];
        int r = 0;

        for (unsigned i = 0; r >= 0 && i < n; i++) {
                (void)snprintf(name, sizeof(name), "n-%010u", i);
                r = tell_name(c, name, 1, i > 0 ? backing : NULL);
        }
        return r;
}

static int garble(Ctx *c)
{
        int r = sd_bus_emit_signal(c->bus, WORKER_OBJECT, WORKER_INTERFACE, "Volumes", "su", "nonsense", 7);

        return r < 0 ? r : sd_bus_flush(c->bus);
}

static int be_slow(Ctx *c)
{
        int r;

        ctx_ready(c);
        for (uint64_t i = 0; i <= 100; i++) {
                r = ctx_progress(c, i << 20, 100 << 20);
                if (r < 0)
                        return r;
                (void)usleep(20000);
        }
        return 0;
}

static int be_idle(Ctx *c)
{
        int r = 0;

        ctx_ready(c);
        while (r >= 0) {
                (void)usleep(20000);
                r = ctx_progress(c, 1 << 20, 2 << 20);
        }
        return r;
}

static int run_tool(Ctx *c, const char *const *argv)
{
        const Command command = { .argv = argv, .timeout_sec = 120 };

        ctx_ready(c);
        return command_run(c, &command, NULL);
}

static _Noreturn void hang(void)
{
        sigset_t all;

        sigfillset(&all);
        (void)sigprocmask(SIG_BLOCK, &all, NULL);
        for (;;)
                (void)pause();
}

/* The fault that is asked for at this operation. `name` is what the operation would leave half-made. */
static int do_fault(Ctx *c, const char *operation, const char *name)
{
        _cleanup_free_ char *fault = fault_of(c, operation, name);
        int r;

        if (!fault)
                return 0;
        if (streq(fault, "fail"))
                return error_set(ctx_error(c), ERROR_NO_SPACE, "asked to fail at %s", operation);
        if (streq(fault, "crash"))
                abort();
        if (streq(fault, "hang"))
                hang();
        if (streq(fault, "lie"))
                return tell_lies(c);
        if (streq(fault, "gone"))
                return error_set(ctx_error(c), ERROR_SOURCE_UNREACHABLE, "asked to be gone at %s",
                                 operation);
        if (streq(fault, "nap")) {
                (void)usleep(200000);
                return 0;
        }
        if (streq(fault, "huge"))
                return tell_name(c, "huge", UINT64_MAX - 1, NULL);
        if (streq(fault, "control"))
                return tell_name(c, "con\ttrol", 1, NULL);
        if (streq(fault, "garble"))
                return garble(c);
        if (streq(fault, "endless"))
                return tell_numbered(c, UINT_MAX, NULL);
        if (streq(fault, "many"))
                return tell_numbered(c, 100000, "n-0000000000");
        if (streq(fault, "pipe") || streq(fault, "late"))
                return 0;
        r = ctx_need_job(c); /* all others */
        if (r < 0)
                return r;
        if (streq(fault, "slow"))
                return be_slow(c);
        if (streq(fault, "idle"))
                return be_idle(c);
        if (streq(fault, "die"))
                abort();
        if (streq(fault, "stuck"))
                hang();
        if (streq(fault, "tool"))
                return run_tool(c, (const char *const[]){ "sleep", "60", NULL });
        if (streq(fault, "orphan"))
                return run_tool(c, (const char *const[]){ "setsid", "--fork", "sleep", "1", NULL });
        if (streq(fault, "intent")) {
                _cleanup_close_ int directory = open_target(c);
                _cleanup_close_ int half = -EBADF;

                if (ctx_intent(c, "make", name) < 0)
                        return -EIO;
                half = openat(directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
                abort();
        }
        ctx_ready(c);
        return 0;
}

#define BACKING "backing:"

/* The backing file that a volume says it has; a new string or NULL. */
static char *read_backing(int directory, const char *name)
{
        _cleanup_close_ int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        char text[1024];
        ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
        char *path;

        if (n < 0)
                return NULL;
        text[n] = '\0';
        path = (char *)startswith(text, BACKING);
        return path ? strndup(path, strcspn(path, "\n")) : NULL;
}

static ImageFormat read_format(int directory, const char *name)
{
        _cleanup_close_ int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        char magic[3];

        return pread(fd, magic, sizeof(magic), 0) == sizeof(magic) && memcmp(magic, "QFI", 3) == 0
                       ? FORMAT_QCOW2
                       : FORMAT_RAW;
}

static char *snapshots_path(Ctx *c, const char *name)
{
        char *path;

        return asprintf(&path, "%s/.%s", target(c), name) < 0 ? NULL : path;
}

static char *read_snapshots(Ctx *c, const char *name)
{
        _cleanup_free_ char *path = snapshots_path(c, name);
        char *text = NULL;

        (void)read_file_at(AT_FDCWD, path, 4096, &text, NULL);
        return text;
}

static int tell_volume(Ctx *c, int directory, const char *name)
{
        _cleanup_free_ char *backing = NULL, *snapshots = read_snapshots(c, name);
        ImageFormat format = read_format(directory, name);
        struct stat st;
        VolumeInfo v;

        if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? ctx_vanished(c, name)
                                       : error_set_errno(ctx_error(c), errno, "Cannot look at %s", name);
        backing = read_backing(directory, name);
        v = (VolumeInfo){ .name = name,
                          .backing = backing,
                          .type = VOLUME_FILE,
                          .format = format,
                          .detected = format,
                          .snapshots = snapshots,
                          .capacity = (uint64_t)st.st_size,
                          .allocation = (uint64_t)st.st_blocks * 512,
                          .physical = (uint64_t)st.st_size,
                          .mtime_usec = (uint64_t)st.st_mtim.tv_sec * 1000000,
                          .creator = UINT32_MAX,
                          .uid = st.st_uid,
                          .gid = st.st_gid,
                          .mode = st.st_mode & 0777 };
        return ctx_volume(c, &v);
}

static int fake_available(Ctx *c)
{
        return 0;
}

static int fake_build(Ctx *c, bool overwrite)
{
        int r = do_fault(c, "build", NULL);

        if (r >= 0)
                r = mkdir_parents(target(c), 0755);
        return r;
}

static int fake_start(Ctx *c)
{
        _cleanup_close_ int directory = -EBADF;
        int r;

        r = do_fault(c, "start", NULL);
        if (r < 0)
                return r;
        directory = open_target(c);
        return directory < 0 ? directory : 0;
}

static int fake_stop(Ctx *c)
{
        return do_fault(c, "stop", NULL);
}

static int fake_delete(Ctx *c)
{
        int r = do_fault(c, "delete", NULL);

        return r < 0 ? r : rmdir(target(c)) < 0 ? -errno : 0;
}

/* Keeps no snapshot: always all of them. */
static int fake_refresh(Ctx *c, int snapshot, int *ret_snapshot)
{
        _cleanup_free_ char *fault = NULL;
        struct dirent *entry;
        DIR *d;
        int r;

        r = do_fault(c, "refresh", NULL);
        if (r < 0)
                return r;
        fault = fault_of(c, "refresh", NULL);
        if (streq_ptr(fault, "none"))
                return 0;
        d = opendir(target(c));
        if (!d)
                return error_set_errno(ctx_error(c), errno, "Cannot open %s", target(c));
        while (r >= 0 && (entry = readdir(d)))
                if (*entry->d_name != '.')
                        r = tell_volume(c, dirfd(d), entry->d_name);
        closedir(d);
        return r;
}

static int fake_create(Ctx *c, const char *name, uint64_t capacity, const Bag *options, uid_t creator)
{
        _cleanup_close_ int directory = -EBADF, fd = -EBADF;
        const char *backing;
        int r;

        directory = open_target(c);
        if (directory < 0)
                return directory;
        r = do_fault(c, "create", name);
        if (r < 0)
                return r;
        fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno == EEXIST)
                return error_set(ctx_error(c), ERROR_VOLUME_EXISTS, "Volume %s is there already", name);
        if (fd < 0 || (capacity != UINT64_MAX && ftruncate(fd, (off_t)capacity) < 0))
                return error_set_errno(ctx_error(c), errno, "Cannot make %s", name);
        backing = bag_get_string(options, "backing.path");
        if (backing && dprintf(fd, BACKING "%s\n", backing) < 0)
                return error_set_errno(ctx_error(c), errno, "Cannot write %s", name);
        r = ctx_sync_later(c, fd);
        if (r >= 0)
                r = ctx_sync_later(c, directory);
        return r < 0 ? r : tell_volume(c, directory, name);
}

static int fake_clone(Ctx *c, const char *name, const char *source, uint64_t capacity, const Bag *transfer,
                      const Bag *options, uid_t creator)
{
        _cleanup_close_ int directory = -EBADF, fd = -EBADF;
        int r;

        r = do_fault(c, "clone", name);
        if (r < 0)
                return r;
        directory = open_target(c);
        if (directory < 0)
                return directory;
        fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 || (capacity != UINT64_MAX && ftruncate(fd, (off_t)capacity) < 0))
                return error_set_errno(ctx_error(c), errno, "Cannot make %s", name);
        return tell_volume(c, directory, name);
}

static int fake_resize(Ctx *c, const char *name, uint64_t capacity, bool shrink, bool allocate)
{
        _cleanup_close_ int directory = -EBADF, fd = -EBADF;
        int r;

        r = do_fault(c, "resize", name);
        if (r < 0)
                return r;
        directory = open_target(c);
        if (directory < 0)
                return directory;
        fd = openat(directory, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || ftruncate(fd, (off_t)capacity) < 0)
                return error_set_errno(ctx_error(c), errno, "Cannot resize %s", name);
        r = ctx_sync_later(c, fd);
        return r < 0 ? r : tell_volume(c, directory, name);
}

static bool is_late(Ctx *c, const char *name)
{
        _cleanup_free_ char *fault = fault_of(c, "remove", name);

        return fault && streq(fault, "late");
}

static int fake_remove(Ctx *c, const char *name, char *const *dependents)
{
        _cleanup_close_ int directory = -EBADF;
        int r;

        r = do_fault(c, "remove", name);
        if (r < 0)
                return r;
        directory = open_target(c);
        if (directory < 0)
                return directory;
        for (size_t i = strv_length(dependents); i-- > 0;) {
                if (unlinkat(directory, dependents[i], 0) < 0)
                        return error_set_errno(ctx_error(c), errno, "Cannot delete %s", dependents[i]);
                r = ctx_vanished(c, dependents[i]);
                if (r < 0)
                        return r;
        }
        if (unlinkat(directory, name, 0) < 0)
                return errno == ENOENT
                               ? error_set(ctx_error(c), ERROR_NO_SUCH_VOLUME, "There is no volume %s", name)
                               : -errno;
        if (is_late(c, name))
                abort();
        r = ctx_sync_later(c, directory);
        return r < 0 ? r : ctx_vanished(c, name);
}

static int fake_lend(Ctx *c, const char *name, const Bag *options, VolumeSource *ret)
{
        _cleanup_close_ int directory = -EBADF, fd = -EBADF;
        struct stat st;
        int r = do_fault(c, "lend", name);

        if (r < 0)
                return r;
        directory = open_target(c);
        fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0 || !(ret->name = strdup(name)))
                return error_set_errno(ctx_error(c), errno, "Cannot open %s", name);
        ret->capacity = ret->allocation = (uint64_t)st.st_size;
        ret->nodes[0] = (ImageNode){ .fd = TAKE_FD(fd), .format = read_format(directory, name) };
        ret->n = 1;
        return 0;
}

/* All that `from` has, from its beginning, into a new file. */
static int fill_new(Ctx *c, int directory, const char *name, int from, uint64_t size)
{
        _cleanup_close_ int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        char buffer[4096];
        ssize_t n = 0;
        off_t at = 0;

        if (fd < 0)
                return error_set(ctx_error(c), ERROR_VOLUME_EXISTS, "Volume %s is there already", name);
        while ((n = pread(from, buffer, sizeof(buffer), at)) > 0 && pwrite(fd, buffer, (size_t)n, at) == n)
                at += n;
        if (n != 0 || (size != UINT64_MAX && ftruncate(fd, (off_t)size) < 0))
                return error_set_errno(ctx_error(c), errno, "Cannot write %s", name);
        return tell_volume(c, directory, name);
}

static int fake_copy(Ctx *c, const char *name, const VolumeSource *source, uint64_t capacity,
                     const Bag *transfer, const Bag *options, uid_t creator)
{
        _cleanup_close_ int directory = -EBADF;
        int r = do_fault(c, "copy", name);

        if (r < 0)
                return r;
        directory = open_target(c);
        return directory < 0 ? directory : fill_new(c, directory, name, source->nodes[0].fd, capacity);
}

static int fake_import(Ctx *c, const char *name, int fd, const Bag *transfer, const Bag *options,
                       uid_t creator)
{
        _cleanup_close_ int directory = -EBADF;
        int r = do_fault(c, "import", name);

        if (r < 0)
                return r;
        directory = open_target(c);
        return directory < 0 ? directory : fill_new(c, directory, name, fd, UINT64_MAX);
}

/* The others do nothing but tell of the volume; `operation` is what faults name. */
static int touch(Ctx *c, const char *operation, const char *name)
{
        _cleanup_close_ int directory = -EBADF;
        int r = do_fault(c, operation, name);

        if (r < 0)
                return r;
        directory = open_target(c);
        return directory < 0 ? directory : tell_volume(c, directory, name);
}

static int fake_upload(Ctx *c, const char *name, int fd, const Bag *options)
{
        return touch(c, "upload", name);
}

static int fake_download(Ctx *c, const char *name, int fd, const Bag *options)
{
        return touch(c, "download", name);
}

static int fake_export(Ctx *c, const char *name, int fd, const Bag *options)
{
        return touch(c, "export", name);
}

static int fake_rename(Ctx *c, const char *name, const char *new_name)
{
        _cleanup_close_ int directory = -EBADF;
        int r = do_fault(c, "rename", name);

        if (r < 0)
                return r;
        directory = open_target(c);
        if (renameat2(directory, name, directory, new_name, RENAME_NOREPLACE) < 0)
                return error_set_errno(ctx_error(c), errno, "Cannot rename %s", name);
        r = ctx_vanished(c, name);
        return r < 0 ? r : tell_volume(c, directory, new_name);
}

static int fake_convert(Ctx *c, const char *name, ImageFormat format, const Bag *options)
{
        _cleanup_close_ int directory = -EBADF, fd = -EBADF;
        int r = do_fault(c, "convert", name);

        if (r < 0)
                return r;
        directory = open_target(c);
        fd = openat(directory, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
        if (pwrite(fd, format == FORMAT_QCOW2 ? "QFI" : "raw", 3, 0) != 3)
                return error_set_errno(ctx_error(c), errno, "Cannot write %s", name);
        return tell_volume(c, directory, name);
}

static int fake_rebase(Ctx *c, const char *name, const char *backing, const Bag *options)
{
        return touch(c, "rebase", name);
}

static int fake_wipe(Ctx *c, const char *name, const char *algorithm, const Bag *options)
{
        return touch(c, "wipe", name);
}

static int fake_snapshot(Ctx *c, const char *name, SnapshotAction action, const char *snapshot,
                         const Bag *options)
{
        _cleanup_free_ char *path = snapshots_path(c, name), *list = read_snapshots(c, name);
        _cleanup_fclose_ FILE *f = NULL;

        if (action == SNAPSHOT_CREATE) {
                f = fopen(path, "we");
                if (!f || snapshot_list_add(&list, SNAPSHOT_FILE, 1, 4096, snapshot) < 0 ||
                    fputs(list, f) < 0 || fflush(f) != 0)
                        return error_set_errno(ctx_error(c), errno, "Cannot write %s", path);
        } else if (action == SNAPSHOT_DELETE)
                (void)unlink(path);
        return touch(c, "snapshot", name);
}

static int fake_stat(Ctx *c, const char *name)
{
        _cleanup_close_ int directory = -EBADF;
        int r;

        r = do_fault(c, "stat", name);
        if (r < 0)
                return r;
        directory = open_target(c);
        return directory < 0 ? directory : tell_volume(c, directory, name);
}

static int fake_watch(Ctx *c, int *ret_fd)
{
        _cleanup_free_ char *fault = fault_of(c, "watch", NULL);
        int fds[2], fd;

        if (streq_ptr(fault, "pipe")) {
                if (pipe2(fds, O_CLOEXEC) < 0)
                        return -errno;
                (void)close(fds[1]);
                *ret_fd = fds[0];
                return 0;
        }
        fd = inotify_init1(IN_CLOEXEC);
        if (fd < 0 || inotify_add_watch(fd, target(c),
                                        IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE | IN_ATTRIB |
                                                IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR) < 0) {
                int r = error_set_errno(ctx_error(c), errno, "Cannot watch %s", target(c));

                safe_close(fd);
                return r;
        }
        *ret_fd = fd;
        return 0;
}

static int fake_space(Ctx *c, uint64_t *ret_capacity, uint64_t *ret_allocation, uint64_t *ret_available)
{
        struct statvfs s;

        if (statvfs(target(c), &s) < 0)
                return error_set_errno(ctx_error(c), errno, "Cannot look at %s", target(c));
        *ret_capacity = s.f_blocks * s.f_frsize;
        *ret_available = s.f_bavail * s.f_frsize;
        *ret_allocation = *ret_capacity - s.f_bfree * s.f_frsize;
        return 0;
}

static int fake_undo(Ctx *c, const char *step, const char *argument)
{
        _cleanup_close_ int directory = open_target(c);
        int r;

        if (directory < 0)
                return directory;
        r = do_fault(c, "undo", argument);
        if (r < 0)
                return r;
        return !streq(step, "make") || (unlinkat(directory, argument, 0) < 0 && errno != ENOENT) ? -EIO : 0;
}

static const OptionSpec pool_options[] = {
        { .name = "target.path",
          .type = OPTION_PATH,
          .flags = OPTION_REQUIRED | OPTION_FIXED,
          .xml = "target/path",
          .help = "The directory." },
        { .name = "fault", .type = OPTION_STRING, .help = "What goes wrong, and at which operation." },
        { .name = "fault-file", .type = OPTION_PATH, .help = "A file that says the same." },
};

static const OptionSpec volume_options[] = {
        { .name = "backing.path",
          .type = OPTION_STRING,
          .xml = "backingStore/path",
          .help = "What it stands on." },
};

const Backend poolkeeper_backend = {
        .name = "fake",
        .summary = "a pool type for tests that fails as it is told",
        .features = FEATURE_BUILD | FEATURE_DELETE | FEATURE_CREATE | FEATURE_RESIZE | FEATURE_SHRINK |
                    FEATURE_CLONE | FEATURE_VOLUME_DELETE | FEATURE_WATCH | FEATURE_USER_MODE |
                    FEATURE_TRANSFER | FEATURE_IMPORT | FEATURE_COPY | FEATURE_RENAME | FEATURE_CONVERT |
                    FEATURE_REBASE | FEATURE_WIPE | FEATURE_SNAPSHOT,
        .pool_options = pool_options,
        .n_pool_options = ELEMENTSOF(pool_options),
        .volume_options = volume_options,
        .n_volume_options = ELEMENTSOF(volume_options),
        .formats = (const ImageFormat[]){ FORMAT_RAW, FORMAT_QCOW2, FORMAT_NONE },
        .create_formats = (const ImageFormat[]){ FORMAT_RAW, FORMAT_QCOW2, FORMAT_NONE },
        .capabilities = (const int[]){ 1 /* CAP_DAC_OVERRIDE */, -1 },
        .available = fake_available,
        .build = fake_build,
        .start = fake_start,
        .stop = fake_stop,
        .delete = fake_delete,
        .refresh = fake_refresh,
        .volume_create = fake_create,
        .volume_clone = fake_clone,
        .watch = fake_watch,
        .volume_resize = fake_resize,
        .volume_delete = fake_remove,
        .volume_stat = fake_stat,
        .volume_lend = fake_lend,
        .volume_copy = fake_copy,
        .volume_upload = fake_upload,
        .volume_download = fake_download,
        .volume_import = fake_import,
        .volume_export = fake_export,
        .volume_rename = fake_rename,
        .volume_convert = fake_convert,
        .volume_rebase = fake_rebase,
        .volume_wipe = fake_wipe,
        .volume_snapshot = fake_snapshot,
        .space = fake_space,
        .undo = fake_undo,
};
