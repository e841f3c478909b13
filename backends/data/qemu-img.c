/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/qemu-img.h"

#define ARGUMENTS_MAX 32u
#define RETRIES 8u
#define FIRST_FD 10 /* of the tool; the images come first, then the secret */
#define SLOWEST \
        (1024 * \
         1024) /* bytes per second that a storage in use must reach, else the tool is taken for hung */

typedef struct Line {
        const char *argv[ARGUMENTS_MAX + 1];
        size_t n;
        CommandFd fds[IMAGE_CHAIN_MAX + 2];
        size_t n_fds;
        char *options, *node, *target, *size, *secret, *file; /* owned words */
} Line;

static void line_done(Line *l)
{
        free(l->options);
        free(l->node);
        free(l->target);
        free(l->size);
        free(l->secret);
        free(l->file);
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

const char *qemu_driver(ImageFormat f)
{
        return f == FORMAT_ISO ? "raw" : image_format_to_string(f);
}

/* ---- options of create ---- */

static int option_add(char **list, const char *key, const char *value)
{
        char *grown;

        if (!value)
                return 0;
        if (asprintf(&grown, "%s%s%s=%s", *list ? *list : "", *list ? "," : "", key, value) < 0)
                return -ENOMEM;
        free(*list);
        *list = grown;
        return 0;
}

static int option_add_u64(char **list, const char *key, uint64_t value)
{
        char text[32];

        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
        return option_add(list, key, text);
}

/* aes and 256 are one word of qemu's. */
static int option_add_cipher(char **list, const char *prefix, const Bag *o)
{
        const char *name = bag_get_string(o, "encryption.cipher.name");
        uint32_t size = bag_get_u32(o, "encryption.cipher.size", 256);
        char key[64], value[64];

        if (!name && !bag_has(o, "encryption.cipher.size"))
                return 0;
        (void)snprintf(key, sizeof(key), "%scipher-alg", prefix);
        (void)snprintf(value, sizeof(value), "%s-%u", name ? name : "aes", size);
        return option_add(list, key, value);
}

static int options_encryption(char **list, const QemuImage *i)
{
        static const struct {
                const char *ours, *qemu;
        } words[] = {
                { "encryption.cipher.mode", "cipher-mode" },
                { "encryption.cipher.hash", "hash-alg" },
                { "encryption.ivgen.name", "ivgen-alg" },
                { "encryption.ivgen.hash", "ivgen-hash-alg" },
        };
        const char *prefix = i->format == FORMAT_LUKS ? "" : "encrypt.";
        char key[64];
        int r = 0;

        if (i->passphrase < 0)
                return 0;
        if (i->format != FORMAT_LUKS)
                r = option_add(list, "encrypt.format", "luks");
        (void)snprintf(key, sizeof(key), "%skey-secret", prefix);
        if (r >= 0)
                r = option_add(list, key, "passphrase");
        if (r >= 0)
                r = option_add_cipher(list, prefix, i->options);
        for (size_t w = 0; w < ELEMENTSOF(words) && r >= 0; w++) {
                (void)snprintf(key, sizeof(key), "%s%s", prefix, words[w].qemu);
                r = option_add(list, key, bag_get_string(i->options, words[w].ours));
        }
        return r;
}

static int options_make(char **list, const QemuImage *i)
{
        const Bag *o = i->options;
        int r;

        r = option_add(list, "compat", bag_get_string(o, "compat"));
        if (r >= 0 && bag_has(o, "cluster_size"))
                r = option_add_u64(list, "cluster_size", bag_get_u64(o, "cluster_size", 0));
        if (r >= 0 && bag_has(o, "lazy_refcounts"))
                r = option_add(list, "lazy_refcounts",
                               bag_get_bool(o, "lazy_refcounts", false) ? "on" : "off");
        if (r >= 0 && bag_has(o, "extended_l2"))
                r = option_add(list, "extended_l2", bag_get_bool(o, "extended_l2", false) ? "on" : "off");
        if (r >= 0)
                r = option_add(list, "preallocation", i->preallocation);
        /* Else the size is rounded up to a geometry of cylinders, heads and sectors. */
        if (r >= 0 && i->format == FORMAT_VPC)
                r = option_add(list, "force_size", "on");
        if (r >= 0)
                r = options_encryption(list, i);
        return r;
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

/* `fresh`: the image has no name yet, and is synced before it gets one. */
static int run(Ctx *c, Line *l, uint64_t capacity, bool fresh, bool writes)
{
        Command command = {
                .argv = l->argv,
                .output_line = on_progress,
                .userdata = &capacity,
                .fds = l->fds,
                .n_fds = l->n_fds,
                .sandbox = true,
                .skip_sync = fresh,
                /* Tables of the smallest clusters take a 50th. */
                .output_size_max = capacity < UINT64_MAX / 4 ? capacity + capacity / 16 + (64u << 20) : 0,
                .timeout_sec = writes ? 60 + (unsigned)MIN(capacity / SLOWEST, (uint64_t)INT32_MAX) : 0,
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
        add(&l, qemu_driver(i->format));
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
                add(&l, qemu_driver(i->backing_format));
        }
        r = options_make(&l.options, i);
        if (r < 0)
                return r;
        if (l.options) {
                add(&l, "-o");
                add(&l, l.options);
        }
        add(&l, l.file);
        add(&l, l.size);
        return run(c, &l, i->capacity, true, i->preallocation || i->passphrase >= 0);
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
                             k == 0 ? "json:" : "", qemu_driver(chain[k].format), number,
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
        _cleanup_(line_done) Line l = {};
        int r;

        r = qemu_node(chain, n, false, l.fds, &l.n_fds, &l.node);
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
        return run(c, &l, capacity, false, allocate);
}

int qemu_img_convert(Ctx *c, const ImageNode *chain, size_t n, const QemuImage *i)
{
        _cleanup_(line_done) Line l = {};
        int r;

        r = qemu_node(chain, n, false, l.fds, &l.n_fds, &l.node);
        if (r < 0)
                return r;
        add(&l, "qemu-img");
        add(&l, "convert");
        add(&l, "-p");               /* see on_progress() */
        add(&l, "-n");               /* it is formatted already */
        add(&l, "--target-is-zero"); /* and empty */
        r = add_secret(&l, i);
        if (r < 0)
                return r;
        if (i->format == FORMAT_LUKS || i->passphrase >= 0)
                r = asprintf(&l.target,
                             "driver=%s,file.driver=file,file.filename=/proc/self/fd/%d,%s=passphrase",
                             qemu_driver(i->format), add_fd(&l, i->fd),
                             i->format == FORMAT_LUKS ? "key-secret" : "encrypt.key-secret");
        else
                r = asprintf(&l.target, "driver=%s,file.driver=file,file.filename=/proc/self/fd/%d",
                             qemu_driver(i->format), add_fd(&l, i->fd));
        if (r < 0)
                return -ENOMEM;
        add(&l, "--target-image-opts");
        add(&l, l.node);
        add(&l, l.target);
        return run(c, &l, i->capacity, true, true);
}
