/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/qemu-img.h"

#define ARGUMENTS_MAX 32u
#define RETRIES 8u
#define FIRST_FD 10 /* of the tool; the images come first, then the secret */
#define SLOWEST \
        (1024 * \
         1024) /* bytes per second that a storage in use must reach, else the tool is taken for hung */
#define BACKING_TEXT_MAX 1000u /* a header has no room for more (docs/interop/qcow2.txt) */

typedef struct Line {
        const char *argv[ARGUMENTS_MAX + 1];
        size_t n;
        CommandFd fds[COMMAND_FDS_MAX];
        size_t n_fds;
        char *options, *node, *backing, *target, *size, *secret, *file, *rate; /* owned words */
} Line;

static void line_done(Line *l)
{
        free(l->options);
        free(l->node);
        free(l->backing);
        free(l->target);
        free(l->size);
        free(l->secret);
        free(l->file);
        free(l->rate);
}

static void add(Line *l, const char *word)
{
        if (l->n < ARGUMENTS_MAX)
                l->argv[l->n++] = word;
}

static int add_fd(Line *l, int fd)
{
        int number = FIRST_FD + (int)l->n_fds;

        l->fds[l->n_fds++] = (CommandFd){ .fd = fd, .number = number };
        return number;
}

static int add_secret(Line *l, const QemuImage *i)
{
        if (i->passphrase < 0)
                return 0;
        if (asprintf(&l->secret, "secret,id=passphrase,file=/proc/self/fd/%d", add_fd(l, i->passphrase)) < 0)
                return -ENOMEM;
        add(l, "--object");
        add(l, l->secret);
        return 0;
}

/* "    (12.34/100%)", as often as it moves on. A cancelled job is ended by its signal, not from here. */
static void on_progress(Ctx *c, const char *line, void *userdata)
{
        uint64_t capacity = *(const uint64_t *)userdata;
        double percent;

        if (sscanf(line, " (%lf/100%%)", &percent) == 1 && percent >= 0 && percent <= 100)
                (void)ctx_progress(c, (uint64_t)((double)capacity * percent / 100), capacity);
}

typedef enum RunFlags {
        RUN_FRESH = 1 << 0,  /* the image has no name yet, and is synced before it gets one */
        RUN_WRITES = 1 << 1, /* as much as it holds, perhaps */
} RunFlags;

/* As slow as the caller asked for, or as a bad disk is. */
static unsigned timeout_of(uint64_t capacity, uint64_t bandwidth, RunFlags flags)
{
        uint64_t rate = bandwidth > 0 ? MIN(bandwidth, (uint64_t)SLOWEST) : SLOWEST;

        return flags & RUN_WRITES ? 60 + (unsigned)MIN(capacity / MAX(rate / 2, 1u), (uint64_t)INT32_MAX)
                                  : 0;
}

/* The tables of the smallest clusters take a 50th. */
uint64_t qemu_file_max(uint64_t capacity)
{
        uint64_t bounded = MIN(capacity, (uint64_t)INT64_MAX);

        return MIN(bounded + bounded / 16 + (64u << 20), (uint64_t)INT64_MAX);
}

/* `capacity`: of the image, with the bytes that it has for something else. */
static int run(Ctx *c, Line *l, uint64_t capacity, uint64_t bandwidth, RunFlags flags)
{
        Command command = {
                .argv = l->argv,
                .output_line = on_progress,
                .userdata = &capacity,
                .fds = l->fds,
                .n_fds = l->n_fds,
                .sandbox = true,
                .skip_sync = flags & RUN_FRESH,
                .output_size_max = qemu_file_max(capacity),
                .timeout_sec = timeout_of(capacity, bandwidth, flags),
        };

        l->argv[l->n] = NULL;
        return command_run(c, &command, NULL);
}

static int create_once(Ctx *c, const QemuImage *i)
{
        _cleanup_(line_done) Line l = {};
        int r;

        add(&l, "qemu-img");
        add(&l, "create");
        add(&l, "-q");
        add(&l, "-f");
        add(&l, image_format_to_driver(i->format));
        if (asprintf(&l.file, "/proc/self/fd/%d", add_fd(&l, i->fd)) < 0 ||
            asprintf(&l.size, "%llu", (unsigned long long)i->capacity) < 0)
                return -ENOMEM;
        r = add_secret(&l, i);
        if (r < 0)
                return r;
        if (i->backing) {
                add(&l, "-u"); /* do not open it */
                add(&l, "-b");
                add(&l, i->backing);
                add(&l, "-F");
                add(&l, image_format_to_driver(i->backing_format));
        }
        r = qemu_options(i, &l.options);
        if (r < 0)
                return r;
        if (l.options) {
                add(&l, "-o");
                add(&l, l.options);
        }
        add(&l, l.file);
        add(&l, l.size);
        return run(c, &l, i->capacity, 0,
                   RUN_FRESH | (i->preallocation || i->passphrase >= 0 ? RUN_WRITES : 0));
}

/* For LUKS the tool measures how fast keys are derived, and gives up where the kernel counts the time of
 * processes in ticks and none went by (crypto/pbkdf.c). Another try hits another moment. */
static bool is_bad_moment(const Error *e)
{
        return e->message && strstr(e->message, "Unable to get accurate CPU usage");
}

int qemu_img_create(Ctx *c, const QemuImage *i)
{
        int r = create_once(c, i);

        for (unsigned n = 0; r < 0 && i->passphrase >= 0 && n < RETRIES && is_bad_moment(ctx_error(c));
             n++) {
                if (ftruncate(i->fd, 0) < 0)
                        return r;
                error_done(ctx_error(c));
                r = create_once(c, i);
        }
        return r;
}

static bool has_backing(ImageFormat f)
{
        return f == FORMAT_QCOW2 || f == FORMAT_QCOW || f == FORMAT_QED || f == FORMAT_VMDK;
}

int qemu_node(const ImageNode *chain, size_t n, bool locked, CommandFd *fds, size_t *n_fds, char **ret)
{
        _cleanup_free_ char *text = NULL;

        for (size_t k = n; k-- > 0;) {
                int number = FIRST_FD + (int)*n_fds;
                char *outer;

                fds[(*n_fds)++] = (CommandFd){ .fd = chain[k].fd, .number = number };
                if (asprintf(&outer,
                             "%s{\"driver\":\"%s\",\"file\":{\"driver\":\"file\",\"filename\":\"/proc/self/"
                             "fd/"
                             "%d\"%s}%s%s}",
                             k == 0 ? "json:" : "", image_format_to_driver(chain[k].format), number,
                             locked ? ",\"locking\":\"off\"" : "",
                             has_backing(chain[k].format) ? ",\"backing\":" : "",
                             !has_backing(chain[k].format) ? ""
                             : text                        ? text
                                                           : "null") < 0)
                        return -ENOMEM;
                free(text);
                text = outer;
        }
        *ret = TAKE_PTR(text);
        return 0;
}

int qemu_img_resize(Ctx *c, const ImageNode *chain, size_t n, uint64_t capacity, bool shrink, bool allocate)
{
        off_t size = lseek(chain[0].fd, 0, SEEK_END); /* with its snapshots */
        _cleanup_(line_done) Line l = {};
        int r;

        r = qemu_node(chain, n, true, l.fds, &l.n_fds, &l.node);
        if (r < 0)
                return r;
        if (asprintf(&l.size, "%llu", (unsigned long long)capacity) < 0)
                return -ENOMEM;
        add(&l, "qemu-img");
        add(&l, "resize");
        add(&l, "-q");
        if (shrink)
                add(&l, "--shrink");
        if (allocate)
                add(&l, "--preallocation=falloc");
        add(&l, l.node);
        add(&l, l.size);
        return run(c, &l, capacity + (uint64_t)MAX(size, (off_t)0), 0, allocate ? RUN_WRITES : 0);
}

int qemu_img_snapshot(Ctx *c, const ImageNode *chain, size_t n, const char *what, const char *snapshot)
{
        _cleanup_(line_done) Line l = {};
        off_t size = lseek(chain[0].fd, 0, SEEK_END);
        int r;

        r = qemu_node(chain, n, true, l.fds, &l.n_fds, &l.node);
        if (r < 0)
                return r;
        add(&l, "qemu-img");
        add(&l, "snapshot");
        add(&l, "-q");
        add(&l, what);
        add(&l, snapshot);
        add(&l, l.node);
        return run(c, &l, (uint64_t)MAX(size, (off_t)0), 0, RUN_WRITES);
}

/* Where the image is, and as what it is to be opened for writing. Nobody else has a file without a name. */
static int target_text(Line *l, const QemuImage *i)
{
        const char *key =
                i->format == FORMAT_LUKS ? ",key-secret=passphrase" : ",encrypt.key-secret=passphrase";

        return asprintf(&l->target,
                        "driver=%s,file.driver=file,file.filename=/proc/self/fd/%d,file.locking=off%s",
                        image_format_to_driver(i->format), add_fd(l, i->fd),
                        i->passphrase >= 0 ? key : "") < 0
                       ? -ENOMEM
                       : 0;
}

static int add_rate(Line *l, uint64_t bandwidth)
{
        if (bandwidth == 0)
                return 0;
        if (asprintf(&l->rate, "%llu", (unsigned long long)bandwidth) < 0)
                return -ENOMEM;
        add(l, "-r");
        add(l, l->rate);
        return 0;
}

int qemu_img_convert(Ctx *c, const ImageNode *chain, size_t n, const QemuImage *i, uint64_t bandwidth)
{
        _cleanup_(line_done) Line l = {};
        int r;

        r = qemu_node(chain, n, true, l.fds, &l.n_fds, &l.node);
        if (r < 0)
                return r;
        add(&l, "qemu-img");
        add(&l, "convert");
        add(&l, "-p"); /* see on_progress() */
        add(&l, "-n"); /* it is formatted already */
        /* And empty; but what was never written to an encrypted disk does not decrypt to zeros. */
        if (i->passphrase < 0)
                add(&l, "--target-is-zero");
        r = add_rate(&l, bandwidth);
        if (r >= 0)
                r = add_secret(&l, i);
        if (r >= 0)
                r = target_text(&l, i);
        if (r < 0)
                return r;
        add(&l, "--target-image-opts");
        add(&l, l.node);
        add(&l, l.target);
        return run(c, &l, i->capacity, bandwidth, RUN_FRESH | RUN_WRITES);
}

/* Safe mode: what differs between the old and the new backing files is merged into the image. */
static int rebase_data(Ctx *c, const ImageNode *chain, size_t n, const ImageNode *backing, size_t n_backing,
                       uint64_t capacity)
{
        _cleanup_(line_done) Line l = {};
        int r;

        r = qemu_node(chain, n, true, l.fds, &l.n_fds, &l.node);
        if (r >= 0)
                r = qemu_node(backing, n_backing, true, l.fds, &l.n_fds, &l.backing);
        if (r < 0)
                return r;
        if (strlen(l.backing) > BACKING_TEXT_MAX)
                return error_set(ctx_error(c), ERROR_NOT_SUPPORTED,
                                 "The new backing volume stands on too many others; flatten it first");
        add(&l, "qemu-img");
        add(&l, "rebase");
        add(&l, "-p");
        add(&l, "-b");
        add(&l, l.backing);
        add(&l, "-F");
        add(&l, image_format_to_driver(backing[0].format));
        add(&l, l.node);
        return run(c, &l, capacity, 0, RUN_FRESH | RUN_WRITES);
}

/* The data is right; the header gets the name that others find the backing file by. */
static int rebase_name(Ctx *c, const ImageNode *image, const char *name, ImageFormat format,
                       uint64_t capacity)
{
        _cleanup_(line_done) Line l = {};
        int r;

        r = qemu_node(image, 1, true, l.fds, &l.n_fds, &l.node);
        if (r < 0)
                return r;
        add(&l, "qemu-img");
        add(&l, "rebase");
        add(&l, "-u");
        add(&l, "-b");
        add(&l, name);
        add(&l, "-F");
        add(&l, image_format_to_driver(format));
        add(&l, l.node);
        return run(c, &l, capacity, 0, RUN_FRESH);
}

int qemu_img_rebase(Ctx *c, const ImageNode *chain, size_t n, const ImageNode *backing, size_t n_backing,
                    const char *name, uint64_t capacity)
{
        int r;

        if (n + n_backing > COMMAND_FDS_MAX)
                return error_set(ctx_error(c), ERROR_NOT_SUPPORTED,
                                 "The image has too many backing files to be rebased; flatten it first");
        r = rebase_data(c, chain, n, backing, n_backing, capacity);
        return r < 0 ? r : rebase_name(c, chain, name, backing[0].format, capacity);
}
