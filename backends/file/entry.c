/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/entry.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "file/snapshots.h"
#include "util/names.h"

#define RACES_MAX 32u
#define RESOLVE_STRICT (RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS)
#define HEAD_SIZE 1024 /* has the headers of the usual formats with the name of a backing file; more costs */
#define INLINE_MAX 65536   /* no inode holds that much */
#define ATTRIBUTE_BLOCKS 8 /* of 512 bytes */

bool file_name_is_temporary(const char *raw)
{
        return startswith(raw, TEMPORARY_PREFIX);
}

int file_name(const FileRoot *r, const char *shown, char **ret_raw)
{
        _cleanup_free_ char *raw = NULL;
        int k;

        k = name_unescape(shown, &raw, ctx_error(r->ctx));
        if (k < 0)
                return k;
        if (!raw[0] || streq(raw, ".") || streq(raw, "..") || strchr(raw, '/') || strlen(raw) > NAME_MAX ||
            file_name_is_temporary(raw))
                return error_set(ctx_error(r->ctx), ERROR_INVALID_NAME,
                                 "\"%s\" cannot be the name of a volume", shown);
        *ret_raw = TAKE_PTR(raw);
        return 0;
}

static int open_resolve(const FileRoot *r, const char *name, int flags, uint64_t resolve)
{
        struct open_how how = { .flags = flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, .resolve = resolve };
        int fd = -EBADF;

        errno = EAGAIN;
        /* A rename raced with the check; or somebody has a lease, for as long as he likes: openat2(2), open(2). */
        for (unsigned n = 0; n < RACES_MAX && fd < 0 && errno == EAGAIN; n++)
                fd = (int)syscall(SYS_openat2, r->fd, name, &how, sizeof(how));
        return fd < 0 ? -errno : fd;
}

int file_open(const FileRoot *r, const char *raw, int flags)
{
        /* A name without '/' that is not ".." cannot lead out, and to check that costs as much as a stat(). */
        bool plain = raw[0] != '.' && !strchr(raw, '/');

        return open_resolve(r, raw, flags | O_NOFOLLOW, RESOLVE_STRICT | (plain ? 0 : RESOLVE_BENEATH));
}

/* Follows a link into this pool only; absolute ones count when they name the target. */
static int open_link(const FileRoot *r, const char *raw)
{
        char target[PATH_MAX];
        ssize_t n = readlinkat(r->fd, raw, target, sizeof(target) - 1);
        const char *name = target;

        if (n < 0)
                return -errno;
        target[n] = '\0';
        if (target[0] == '/') {
                if (!path_is_below(target, r->path))
                        return -EXDEV;
                name = target + strlen(r->path);
                name += strspn(name, "/");
        }
        return open_resolve(r, name, O_RDONLY, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
}

char *file_backing_name(const FileRoot *r, const char *backing)
{
        const char *name = backing;

        if (name[0] == '/') {
                if (!path_is_below(name, r->path))
                        return NULL;
                name += strlen(r->path);
                name += strspn(name, "/");
        } else
                while (startswith(name, "./"))
                        name += 2;
        if (!*name || strchr(name, '/') || streq(name, ".") || streq(name, ".."))
                return NULL;
        return strdup(name);
}

void file_entry_done(FileEntry *e)
{
        e->fd = safe_close(e->fd);
        image_info_done(&e->image);
        free(e->shown);
        free(e->error);
        free(e->snapshots);
        e->shown = e->error = e->snapshots = NULL;
}

static int entry_error(FileEntry *e, const char *text)
{
        e->error = strdup(text);
        return e->error ? 0 : -ENOMEM;
}

/* That a file holds no data, by its numbers alone. */
static bool counts_nothing(const FileRoot *r, const struct statx *st)
{
        return st->stx_size == 0 || (st->stx_blocks == 0 && r->counts && st->stx_size > INLINE_MAX);
}

/* A file that holds no data at all has no header: nothing is read of it. */
static bool is_hole(const FileRoot *r, const FileEntry *e)
{
        if (counts_nothing(r, &e->st))
                return true;
        if (e->st.stx_blocks > ATTRIBUTE_BLOCKS || e->st.stx_blocks * 512 >= e->st.stx_size)
                return false;
        /* Small files may live in the inode, without blocks, and attributes may take one of their own. */
        return lseek(e->fd, 0, SEEK_DATA) < 0 && errno == ENXIO;
}

/* What is in memory comes with one call; else one block is read, without readahead. */
static ssize_t read_head(const FileEntry *e, uint8_t *head, size_t size)
{
        struct iovec block = { .iov_base = head, .iov_len = MIN((uint64_t)size, e->st.stx_size) };
        ssize_t n = preadv2(e->fd, &block, 1, 0, RWF_NOWAIT);

        if (n == (ssize_t)block.iov_len)
                return n;
        (void)posix_fadvise(e->fd, 0, 0, POSIX_FADV_RANDOM);
        return pread(e->fd, head, size, 0);
}

static int entry_probe(const FileRoot *r, FileEntry *e, FileReadFlags flags)
{
        uint8_t head[HEAD_SIZE];
        ssize_t n;
        int k;

        e->image = (ImageInfo){ .format = FORMAT_RAW, .capacity = e->st.stx_size };
        if (is_hole(r, e))
                return 0;
        n = read_head(e, head, sizeof(head));
        if (n < 0)
                return -errno;
        e->image = IMAGE_INFO_NULL;
        k = image_probe_head(head, n, e->fd, e->st.stx_size,
                             flags & FILE_READ_CONTENT ? IMAGE_PROBE_CONTENT : 0, &e->image);
        if (k < 0)
                e->image = (ImageInfo){ .format = FORMAT_RAW, .capacity = e->st.stx_size };
        return k;
}

/* The declared format decides what the header may say; for a file that nobody declared it only informs. */
static int entry_judge(FileEntry *e)
{
        VolumeInfo *v = &e->info;
        ImageFormat declared = e->mark.format == FORMAT_NONE ? FORMAT_RAW : e->mark.format;
        char text[128];

        v->format = declared;
        v->detected = e->image.format;
        v->creator = e->mark.creator;
        if (declared == FORMAT_ISO || (declared == FORMAT_RAW && e->mark.format != FORMAT_NONE))
                return 0; /* whatever its user wrote into it */
        if (declared == FORMAT_RAW) {
                v->error = e->image.error;
                v->backing = e->image.backing;
                v->backing_format = e->image.backing_format;
                return 0;
        }
        if (e->image.format != declared) {
                (void)snprintf(text, sizeof(text), "declared as %s, but its header looks like %s",
                               image_format_to_string(declared), image_format_to_string(e->image.format));
                v->error = e->error;
                return e->error ? 0 : entry_error(e, text);
        }
        v->capacity = e->image.capacity;
        v->snapshots = e->image.snapshots;
        v->backing = e->image.backing;
        v->backing_format = e->image.backing_format;
        v->error = e->image.error;
        if (e->image.encrypted || declared == FORMAT_LUKS)
                v->flags |= VOLUME_ENCRYPTED;
        return 0;
}

static void entry_from_stat(FileEntry *e)
{
        const struct statx *st = &e->st;

        e->info = (VolumeInfo){
                .name = e->info.name,
                .type = VOLUME_FILE,
                .format = FORMAT_RAW,
                .detected = FORMAT_NONE,
                .capacity = st->stx_size,
                .allocation = st->stx_blocks * 512,
                .physical = st->stx_size,
                .mtime_usec =
                        (uint64_t)MAX(st->stx_mtime.tv_sec, 0) * 1000000 + st->stx_mtime.tv_nsec / 1000,
                .creator = UINT32_MAX,
                .uid = st->stx_uid,
                .gid = st->stx_gid,
                .mode = st->stx_mode & 07777,
                .flags = st->stx_nlink > 1 && S_ISREG(st->stx_mode) ? VOLUME_FOREIGN_LINKS : 0,
        };
        if (S_ISDIR(st->stx_mode)) {
                e->info.type = VOLUME_DIR;
                e->info.format = e->info.detected = FORMAT_DIR;
                e->info.capacity = 0;
        }
}

/* The mark has been read. */
static int entry_read_file(const FileRoot *r, const char *raw, FileReadFlags flags, FileEntry *e)
{
        char text[128];
        int k;

        k = entry_probe(r, e, flags);
        if (k < 0) {
                (void)snprintf(text, sizeof(text), "cannot be read: %s", strerror(-k));
                k = entry_error(e, text);
                if (k < 0)
                        return k;
        }
        k = entry_judge(e);
        if (k < 0)
                return k;
        if (!e->info.error)
                e->info.error = e->error;
        if (e->mark.corrupt) {
                e->info.flags |= VOLUME_CORRUPT;
                e->info.error = FILE_CORRUPT_TEXT;
        }
        k = e->mark.snapshots ? file_snapshots_list(r, raw, &e->snapshots) : 0;
        if (k < 0)
                return k;
        if (e->snapshots)
                e->info.snapshots = e->snapshots;
        return 1;
}

/* It is there and it is a file or directory, but it cannot be opened: a volume with an error. */
static int entry_unreadable(const FileRoot *r, const char *raw, int error, FileEntry *e)
{
        char text[128];
        int k;

        if (statx(r->fd, raw, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, FILE_STATX, &e->st) < 0)
                return 0;
        if (!S_ISREG(e->st.stx_mode) && !S_ISDIR(e->st.stx_mode))
                return 0;
        entry_from_stat(e);
        if (error == EXDEV && S_ISDIR(e->st.stx_mode))
                (void)snprintf(text, sizeof(text), "another file system is mounted here");
        else
                (void)snprintf(text, sizeof(text), "cannot be opened: %s", strerror(error));
        k = entry_error(e, text);
        if (k < 0)
                return k;
        e->info.error = e->error;
        return 1;
}

/* A regular file of this file system without data needs two calls, and opening it would be two more. */
static bool entry_read_by_name(const FileRoot *r, const char *raw, FileEntry *e)
{
        return statx(r->fd, raw, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, FILE_STATX | STATX_MNT_ID, &e->st) >=
                       0 &&
               S_ISREG(e->st.stx_mode) && counts_nothing(r, &e->st) && e->st.stx_mask & STATX_MNT_ID &&
               e->st.stx_mnt_id == r->mount && file_mark_read_name(r, raw, &e->mark);
}

static int entry_type(const FileRoot *r, const char *raw, unsigned char *type)
{
        struct statx st;

        if (*type != DT_UNKNOWN)
                return 0;
        if (statx(r->fd, raw, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &st) < 0)
                return -errno;
        *type = (st.stx_mode & S_IFMT) >> 12;
        return 0;
}

int file_entry_read(const FileRoot *r, const char *raw, unsigned char type, FileReadFlags flags,
                    FileEntry *ret)
{
        _cleanup_entry_ FileEntry e = FILE_ENTRY_NULL;
        int k;

        if (file_name_is_temporary(raw) || entry_type(r, raw, &type) < 0)
                return 0;
        if (type != DT_REG && type != DT_DIR && !(type == DT_LNK && r->follow))
                return 0; /* opening others could have an effect */
        e.info.name = raw;
        if (name_needs_escape(raw)) {
                e.info.name = e.shown = name_escape(raw);
                if (!e.shown)
                        return -ENOMEM;
        }
        e.mark = FILE_MARK_NULL;
        if (flags & FILE_READ_BY_NAME && type == DT_REG && entry_read_by_name(r, raw, &e)) {
                entry_from_stat(&e);
                k = entry_read_file(r, raw, flags, &e);
                if (k > 0) {
                        *ret = e;
                        e = FILE_ENTRY_NULL;
                }
                return k;
        }
        e.linked = type == DT_LNK;
        k = e.linked ? open_link(r, raw)
                     : file_open(r, raw, type == DT_DIR ? O_RDONLY | O_DIRECTORY : O_RDONLY);
        if (k == -ENOMEM || k == -EMFILE || k == -ENFILE)
                return k;
        if (k < 0) {
                k = e.linked || k == -ENOENT ? 0 : entry_unreadable(r, raw, -k, &e);
        } else {
                e.fd = k;
                if (statx(e.fd, "", AT_EMPTY_PATH, FILE_STATX, &e.st) < 0)
                        return 0;
                if (!S_ISREG(e.st.stx_mode) && (e.linked || !S_ISDIR(e.st.stx_mode)))
                        return 0;
                entry_from_stat(&e);
                file_mark_read(r, e.fd, raw, &e.st, &e.mark);
                if (S_ISDIR(e.st.stx_mode)) {
                        e.info.creator = e.mark.creator;
                        k = 1;
                } else
                        k = entry_read_file(r, raw, flags, &e);
        }
        if (k <= 0)
                return k;
        *ret = e;
        e = FILE_ENTRY_NULL;
        return 1;
}

int file_entry_describe(const FileRoot *r, const char *raw, int fd, FileEntry *ret)
{
        _cleanup_entry_ FileEntry e = FILE_ENTRY_NULL;
        int k;

        if (statx(fd, "", AT_EMPTY_PATH, FILE_STATX, &e.st) < 0)
                return -errno;
        e.info.name = raw;
        if (name_needs_escape(raw)) {
                e.info.name = e.shown = name_escape(raw);
                if (!e.shown)
                        return -ENOMEM;
        }
        entry_from_stat(&e);
        e.fd = fd;
        file_mark_read(r, fd, raw, &e.st, &e.mark);
        k = entry_read_file(r, raw, 0, &e);
        e.fd = -EBADF;
        if (k < 0)
                return k;
        *ret = e;
        e = FILE_ENTRY_NULL;
        return 0;
}

int file_entry_find(const FileRoot *r, const char *shown, const char *raw, FileReadFlags flags,
                    FileEntry *ret)
{
        int k = file_entry_read(r, raw, DT_UNKNOWN, flags, ret);

        if (k > 0)
                return 0;
        if (k < 0)
                return error_set_errno(ctx_error(r->ctx), k, "Cannot look at volume %s", shown);
        k = ctx_vanished(r->ctx, shown);
        if (k < 0)
                return k;
        return error_set(ctx_error(r->ctx), ERROR_NO_SUCH_VOLUME, "Pool %s has no volume %s",
                         ctx_pool_name(r->ctx), shown);
}

int file_open_same(const FileRoot *r, const char *shown, const char *raw, const FileEntry *e)
{
        _cleanup_close_ int fd = file_open(r, raw, O_RDWR);
        struct statx st;

        if (fd < 0)
                return error_set_errno(ctx_error(r->ctx), fd, "Cannot open volume %s for writing", shown);
        if (statx(fd, "", AT_EMPTY_PATH, STATX_INO, &st) < 0 || st.stx_ino != e->st.stx_ino)
                return error_set(ctx_error(r->ctx), ERROR_CHANGED, "Volume %s was replaced in the meantime",
                                 shown);
        return TAKE_FD(fd);
}
