/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest is told to open, by path: the volume and what it stands on, all of it in this pool. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "file/volume.h"
#include "util/names.h"

#define LINK_MAX_SIZE 4352u /* PATH_MAX and the name of the file */

/* The name under which an open file of the pool's directory is there now. */
static int node_name(const FileRoot *r, const char *name, int fd, char ret[static NAME_MAX + 1])
{
        char link[64], path[LINK_MAX_SIZE];
        struct stat open, there;
        const char *slash;
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return error_set_errno(ctx_error(r->ctx), errno, "Cannot find the path of volume %s", name);
        path[n] = '\0';
        slash = strrchr(path, '/');
        if (!slash || fstat(fd, &open) < 0 || fstatat(r->fd, slash + 1, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
            open.st_ino != there.st_ino || open.st_dev != there.st_dev)
                return error_set(ctx_error(r->ctx), ERROR_CHANGED,
                                 "Volume %s, or what it stands on, was replaced in the meantime", name);
        if (name_needs_escape(slash + 1))
                return error_set(
                        ctx_error(r->ctx), ERROR_NOT_SUPPORTED,
                        "Volume %s has a name, or stands on a file with one, that cannot be written down; "
                        "rename it",
                        name);
        (void)snprintf(ret, NAME_MAX + 1, "%s", slash + 1);
        return 0;
}

/* 1: it can only be read with a secret. */
static int node_is_encrypted(const FileRoot *r, const char *name, const ImageNode *node)
{
        _cleanup_image_ ImageInfo info = IMAGE_INFO_NULL;
        off_t size;
        int k;

        if (node->format == FORMAT_RAW || node->format == FORMAT_ISO)
                return 0;
        size = lseek(node->fd, 0, SEEK_END);
        k = size < 0 ? -errno : image_probe(node->fd, (uint64_t)size, 0, &info);
        if (k < 0)
                return error_set_errno(ctx_error(r->ctx), k, "Cannot read image %s", name);
        return info.format == node->format && info.encrypted;
}

static int source_words(const char *type_key, const char *path_key, const char *path, Bag **ret)
{
        _cleanup_bag_ Bag *b = bag_new();
        int k;

        k = b ? bag_set_string(b, type_key, "file") : -ENOMEM;
        if (k >= 0)
                k = bag_set_string(b, path_key, path);
        if (k >= 0)
                *ret = TAKE_PTR(b);
        return k;
}

static int node_words(const FileRoot *r, ImageFormat format, const char *file, bool encrypted, Bag **ret)
{
        _cleanup_bag_ Bag *b = bag_new();
        Bag *protocol, *libvirt;
        char path[LINK_MAX_SIZE];
        int k;

        (void)snprintf(path, sizeof(path), "%s/%s", r->path, file);
        k = b ? bag_set_string(b, "format", image_format_to_string(format)) : -ENOMEM;
        if (k >= 0)
                k = bag_set_bool(b, "encrypted", encrypted);
        if (k >= 0)
                k = source_words("driver", "filename", path, &protocol);
        if (k >= 0)
                k = bag_set_bag(b, "protocol", protocol);
        if (k >= 0)
                k = source_words("type", "file", path, &libvirt);
        if (k >= 0)
                k = bag_set_bag(b, "libvirt", libvirt);
        if (k >= 0)
                *ret = TAKE_PTR(b);
        return k;
}

static int add_node(const FileRoot *r, const char *name, const ImageNode *node, Bag *result)
{
        char file[NAME_MAX + 1];
        int encrypted, k;
        Bag *words;

        k = node_name(r, name, node->fd, file);
        if (k < 0)
                return k;
        encrypted = node_is_encrypted(r, name, node);
        if (encrypted < 0)
                return encrypted;
        k = node_words(r, node->format, file, encrypted, &words);
        if (k >= 0)
                k = bag_add_bag(result, "nodes", words);
        return k < 0 ? error_set_errno(ctx_error(r->ctx), k, "Cannot tell how volume %s is attached", name)
                     : 0;
}

int file_attachment(Ctx *c, const char *name, Bag *result)
{
        _cleanup_entry_ FileEntry e = FILE_ENTRY_NULL;
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        _cleanup_chain_ FileChain chain = {};
        _cleanup_free_ char *raw = NULL;
        int k;

        k = file_root_open(c, &r);
        if (k >= 0)
                k = file_name(&r, name, &raw);
        if (k >= 0)
                k = file_entry_find(&r, name, raw, 0, &e);
        if (k < 0)
                return k;
        if (e.info.type != VOLUME_FILE)
                return error_set(ctx_error(c), ERROR_NOT_SUPPORTED,
                                 "Volume %s is a directory; a guest needs a file", name);
        if (e.info.error)
                return error_set(ctx_error(c), ERROR_CORRUPT, "Volume %s: %s", name, e.info.error);
        k = file_chain_find(&r, name, &e, e.fd, &chain);
        for (size_t i = 0; i < chain.n && k >= 0; i++)
                k = add_node(&r, name, &chain.nodes[i], result);
        return k;
}
