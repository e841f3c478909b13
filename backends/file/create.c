/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "file/create.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "data/qemu-img.h"
#include "file/new.h"
#include "file/volume.h"
#include "util/fileio.h"
#include "util/names.h"

#define SECTOR 512u
#define PASSPHRASE_MAX 65536u
#define ZEROS_CHUNK (1024u * 1024u)
#define SESSION_ALLOCATION_MAX (1024ull * 1024 * 1024) /* more may be long on a fragmented file system */

/* ---- raw ---- */

static int write_zeros(const FileRoot *r, int fd, uint64_t start, uint64_t end)
{
        _cleanup_free_ char *zeros = calloc(1, ZEROS_CHUNK);

        if (!zeros)
                return -ENOMEM;
        for (uint64_t at = start; at < end;) {
                ssize_t n = pwrite(fd, zeros, MIN(end - at, (uint64_t)ZEROS_CHUNK), (off_t)at);
                int k;

                if (n < 0)
                        return -errno;
                at += (uint64_t)n;
                k = ctx_progress(r->ctx, at - start, end - start);
                if (k < 0)
                        return k;
        }
        return 0;
}

int file_allocate(const FileRoot *r, int fd, uint64_t start, uint64_t end, bool zeros)
{
        int k = -EOPNOTSUPP;

        if (start >= end)
                return 0;
        if (end - start > SESSION_ALLOCATION_MAX || zeros)
                if ((k = ctx_need_job(r->ctx)) < 0)
                        return k;
        if (!zeros)
                k = fallocate(fd, 0, (off_t)start, (off_t)(end - start)) < 0 ? -errno : 0;
        if (zeros || k == -EOPNOTSUPP) {
                k = ctx_need_job(r->ctx);
                if (k < 0)
                        return k;
                ctx_ready(r->ctx);
                k = write_zeros(r, fd, start, end);
        }
        if (k < 0)
                return error_set_errno(ctx_error(r->ctx), k, "Cannot allocate %llu bytes in pool %s",
                                       (unsigned long long)(end - start), ctx_pool_name(r->ctx));
        return 0;
}

/* Bytes to allocate at once, of raw. */
static uint64_t raw_allocation(uint64_t capacity, const Bag *options)
{
        const char *preallocation = bag_get_string(options, "preallocation") ?: "off";

        if (streq(preallocation, "falloc") || streq(preallocation, "full"))
                return capacity;
        return bag_get_u64(options, "allocation", 0);
}

int file_create_raw(const FileRoot *r, const char *name, int fd, uint64_t capacity, const Bag *options)
{
        uint64_t allocation = raw_allocation(capacity, options);
        bool full = streq(bag_get_string(options, "preallocation") ?: "off", "full");
        int k;

        k = file_root_reserve(r, allocation);
        if (k < 0)
                return k;
        if (ftruncate(fd, (off_t)capacity) < 0)
                return error_set_errno(ctx_error(r->ctx), errno, "Cannot make volume %s of %llu bytes", name,
                                       (unsigned long long)capacity);
        return file_allocate(r, fd, 0, allocation, full);
}

/* ---- images ---- */

/* A memfd of what the caller's descriptor holds: qemu-img opens it anew, at offset 0. */
static int read_passphrase(const FileRoot *r, const char *name, const Bag *options, int *ret)
{
        int from = bag_get_fd(options, "passphrase"), fd, k;
        _cleanup_free_ char *text = NULL;
        struct stat st;
        size_t size;

        if (from < 0) {
                *ret = -EBADF;
                return 0;
        }
        if (fstat(from, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
                return error_set(ctx_error(r->ctx), ERROR_INVALID_ARGS,
                                 "The passphrase of volume %s must come from a file, pipe or socket", name);
        k = read_fd(from, PASSPHRASE_MAX, &text, &size);
        if (k < 0)
                return error_set_errno(ctx_error(r->ctx), k, "Cannot read the passphrase of volume %s",
                                       name);
        if (size == 0)
                return error_set(ctx_error(r->ctx), ERROR_INVALID_ARGS,
                                 "The passphrase of volume %s is empty", name);
        fd = memfd_sealed("passphrase", text, size);
        explicit_bzero(text, size);
        if (fd < 0)
                return error_set_errno(ctx_error(r->ctx), fd, "Cannot keep the passphrase of volume %s",
                                       name);
        *ret = fd;
        return 0;
}

typedef struct Backing {
        char *path; /* as it goes into the header, NULL: none */
        ImageFormat format;
        uint64_t capacity;
} Backing;

static void backing_done(Backing *b)
{
        free(b->path);
}

int file_backing_path(const char *given, char **ret)
{
        if (given[0] != '/' && strchr(given, ':'))
                return asprintf(ret, "./%s", given) < 0 ? -ENOMEM : 0;
        *ret = strdup(given);
        return *ret ? 0 : -ENOMEM;
}

int file_mark_base(const FileRoot *r, const char *raw, const FileEntry *e)
{
        FileMark mark = e->mark;

        if (mark.base)
                return 0;
        mark.base = true;
        return file_mark_write(r, e->fd, raw, &mark);
}

static int check_chain(const FileRoot *r, const char *path, const FileEntry *e)
{
        _cleanup_chain_ FileChain chain = { .n = 0 };
        int k = file_chain_find(r, path, e, e->fd, &chain);

        return k < 0 ? k : file_chain_check_top(r->ctx, path, chain.n);
}

static int find_backing(const FileRoot *r, const char *name, const Bag *options, bool mark, Backing *ret)
{
        const char *path = bag_get_string(options, "backing.path"),
                   *word = bag_get_string(options, "backing.format");
        ImageFormat said = word ? image_format_from_string(word) : FORMAT_NONE;
        _cleanup_entry_ FileEntry e = FILE_ENTRY_NULL;
        _cleanup_free_ char *raw = NULL;
        Error *error = ctx_error(r->ctx);
        int k;

        if (!path)
                return 0;
        raw = file_backing_name(r, path);
        if (!raw || file_name_is_temporary(raw) || file_entry_read(r, raw, DT_UNKNOWN, 0, &e) <= 0 ||
            e.info.type != VOLUME_FILE || e.linked)
                return error_set(error, ERROR_NO_SUCH_VOLUME,
                                 "Backing file %s of volume %s is not a volume of pool %s; only such can "
                                 "back another",
                                 path, name, ctx_pool_name(r->ctx));
        if (e.info.error)
                return error_set(error, ERROR_CORRUPT, "Backing file %s of volume %s: %s", path, name,
                                 e.info.error);
        if (e.image.encrypted || e.info.format == FORMAT_LUKS)
                return error_set(error, ERROR_NOT_SUPPORTED, "Backing file %s of volume %s is encrypted",
                                 path, name);
        if (said != FORMAT_NONE && said != e.info.format && e.mark.format != FORMAT_NONE)
                return error_set(error, ERROR_INVALID_ARGS, "Backing file %s is of format %s, not %s", path,
                                 image_format_to_string(e.info.format), word);
        ret->format = said == FORMAT_NONE ? e.info.format : said;
        /* An administrator's word on a file that was never declared; the header must bear it out. */
        if (ret->format != e.info.format && e.image.format != ret->format)
                return error_set(error, ERROR_INVALID_ARGS, "Backing file %s does not look like %s", path,
                                 word);
        if (!image_format_to_driver(ret->format))
                return error_set(error, ERROR_NOT_SUPPORTED,
                                 "Backing file %s is of format %s, which QEMU has no driver for; declare it "
                                 "raw to use its bytes as they are",
                                 path, image_format_to_string(ret->format));
        ret->capacity = ret->format == e.info.format ? e.info.capacity : e.image.capacity;
        if (file_backing_path(path, &ret->path) < 0)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        k = check_chain(r, path, &e);
        return k < 0 || !mark ? k : file_mark_base(r, raw, &e);
}

static const char *image_preallocation(ImageFormat f, uint64_t capacity, const Bag *options)
{
        const char *word = bag_get_string(options, "preallocation");
        uint64_t allocation = bag_get_u64(options, "allocation", 0);

        if (word)
                return streq(word, "off") ? NULL : word;
        return allocation > 0 && allocation >= capacity ? "falloc" : NULL;
}

static int check_allocation(const FileRoot *r, const char *name, ImageFormat f, uint64_t capacity,
                            const Bag *options)
{
        uint64_t allocation = bag_get_u64(options, "allocation", 0);
        const char *preallocation = bag_get_string(options, "preallocation");
        Error *e = ctx_error(r->ctx);

        if (allocation == 0)
                return 0;
        if (allocation > capacity)
                return error_set(e, ERROR_INVALID_ARGS,
                                 "Volume %s: allocation %llu is more than the capacity %llu", name,
                                 (unsigned long long)allocation, (unsigned long long)capacity);
        if (f == FORMAT_RAW || f == FORMAT_ISO) {
                if (preallocation && (streq(preallocation, "off") || allocation != capacity))
                        return error_set(e, ERROR_INVALID_ARGS,
                                         "Volume %s: allocation contradicts preallocation=%s", name,
                                         preallocation);
                return 0;
        }
        /* An image grows by itself: what is less than all need not be allocated ahead. */
        if (allocation < capacity)
                return 0;
        if ((f == FORMAT_QCOW2 || f == FORMAT_LUKS) && !bag_has(options, "backing.path"))
                return 0;
        return error_set(e, ERROR_INVALID_ARGS,
                         "Volume %s: format %s does not take an allocation of %llu; use 0", name,
                         image_format_to_string(f), (unsigned long long)allocation);
}

static int round_capacity(const FileRoot *r, const char *name, uint64_t capacity, uint64_t *ret)
{
        if (capacity > INT64_MAX - SECTOR)
                return error_set(ctx_error(r->ctx), ERROR_INVALID_ARGS,
                                 "Volume %s: capacity %llu is too large", name,
                                 (unsigned long long)capacity);
        *ret = (capacity + SECTOR - 1) / SECTOR * SECTOR;
        return 0;
}

int file_create_image(const FileRoot *r, const char *name, int fd, ImageFormat format, uint64_t capacity,
                      const Bag *options, int *ret_passphrase)
{
        _cleanup_(backing_done) Backing backing = { .format = FORMAT_NONE };
        _cleanup_close_ int passphrase = -EBADF;
        QemuImage image;
        int k;

        k = read_passphrase(r, name, options, &passphrase);
        if (k < 0)
                return k;
        k = find_backing(r, name, options, true, &backing);
        if (k < 0)
                return k;
        image = (QemuImage){
                .fd = fd,
                .format = format,
                .preallocation = image_preallocation(format, capacity, options),
                .backing = backing.path,
                .backing_format = backing.format,
                .options = options,
                .passphrase = passphrase,
        };
        k = round_capacity(r, name, capacity, &image.capacity);
        if (k < 0)
                return k;
        k = qemu_img_create(r->ctx, &image);
        if (k >= 0 && ret_passphrase)
                *ret_passphrase = TAKE_FD(passphrase);
        return k;
}

/* ---- all formats ---- */

static int check_capacity(const FileRoot *r, const char *name, ImageFormat f, uint64_t *capacity,
                          const Bag *options)
{
        _cleanup_(backing_done) Backing backing = { .format = FORMAT_NONE };
        int k;

        k = find_backing(r, name, options, false, &backing);
        if (k < 0)
                return k;
        if (f == FORMAT_DIR && (*capacity == 0 || *capacity == UINT64_MAX)) {
                *capacity = 0;
                return check_allocation(r, name, f, 0, options);
        }
        if (f == FORMAT_DIR)
                return error_set(ctx_error(r->ctx), ERROR_INVALID_ARGS,
                                 "Volume %s: format dir does not take a capacity", name);
        if (*capacity == UINT64_MAX && backing.path)
                *capacity = backing.capacity;
        if (*capacity == UINT64_MAX)
                return error_set(ctx_error(r->ctx), ERROR_INVALID_ARGS, "Volume %s needs a capacity", name);
        if (*capacity > INT64_MAX)
                return error_set(ctx_error(r->ctx), ERROR_INVALID_ARGS,
                                 "Volume %s: capacity %llu is too large", name,
                                 (unsigned long long)*capacity);
        return check_allocation(r, name, f, *capacity, options);
}

uint64_t file_image_takes(ImageFormat f, uint64_t capacity, const Bag *options)
{
        const char *p = image_preallocation(f, capacity, options);

        return p && !streq(p, "metadata") ? capacity : 0;
}

int file_create(Ctx *c, const char *name, uint64_t capacity, const Bag *options, uid_t creator)
{
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        _cleanup_new_ FileNew n = FILE_NEW_NULL;
        ImageFormat f;
        int k;

        k = file_root_open(c, &r);
        if (k < 0)
                return k;
        k = file_create_format(&r, name, options, &f);
        if (k >= 0)
                k = file_new_check(&r, name);
        if (k >= 0)
                k = check_capacity(&r, name, f, &capacity, options);
        if (k < 0)
                return k;
        if (f != FORMAT_RAW && f != FORMAT_ISO && f != FORMAT_DIR) {
                k = ctx_need_job(c);
                if (k >= 0)
                        k = file_root_reserve(&r, file_image_takes(f, capacity, options));
                if (k < 0)
                        return k;
                ctx_ready(c);
        }
        k = file_new_open(&r, name, f == FORMAT_DIR, options, creator, &n);
        if (k < 0)
                return k;
        if (f == FORMAT_RAW || f == FORMAT_ISO)
                k = file_create_raw(&r, name, n.fd, capacity, options);
        else if (f != FORMAT_DIR)
                k = file_create_image(&r, name, n.fd, f, capacity, options, NULL);
        return k < 0 ? k : file_new_finish(&n, f);
}
