/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU has no driver for is never given to a tool of it. */
#include "file-pool.h"

#include <sys/mman.h>

#define MIB (1024u * 1024)

/* As QEMU made them until version 2.1: magic, version, and the size and sectors of the disk. */
static void make_cow(const char *path)
{
        uint8_t header[MIB] = { 'O', 'O', 'O', 'M', 0, 0, 0, 2 };

        header[1045] = 3 << 4; /* 3 MiB, big-endian from 1040 on */
        header[1050] = 512 >> 8;
        write_at(path, 0, header, sizeof(header));
}

static void refused(const char *what, int r)
{
        const char *text = pool->error.message;

        if (r >= 0 || pool->error.kind != ERROR_NOT_SUPPORTED || !strstr(text, "is of format cow") ||
            !strstr(text, "declare it raw"))
                TEST_FAIL("%s: %s", what, text ?: "done");
        CHECK_EQ(pool->n_commands, 0);
        fake_ctx_reset(pool);
}

static void no_driver(void)
{
        _cleanup_bag_ Bag *qcow2 = words("format", "qcow2", NULL), *probe = words("probe", "yes", NULL),
                          *result = bag_new();
        _cleanup_close_ int data = memfd_create("data", MFD_CLOEXEC), image = -EBADF;

        make_cow("pool/cow");
        make_cow("image");
        image = open("image", O_RDONLY | O_CLOEXEC);
        fake_ctx_reset(pool);
        CHECK_OK(poolkeeper_backend.volume_declare(pool, "cow", FORMAT_COW));
        fake_ctx_reset(pool);
        refused("convert", poolkeeper_backend.volume_convert(pool, "cow", FORMAT_QCOW2, NULL));
        refused("clone", clone_volume("new", "cow", UINT64_MAX, words("format", "qcow2", NULL)));
        refused("export", poolkeeper_backend.volume_export(pool, "cow", data, qcow2));
        refused("import", poolkeeper_backend.volume_import(pool, "new", image, probe, qcow2, 1000));
        refused("endpoint", poolkeeper_backend.volume_endpoint(pool, "cow", true, result));
        refused("overlay", create("new", UINT64_MAX, words("format", "qcow2", "backing.path", "cow", NULL)));
        CHECK_EQ(entries(), 1);
        CHECK_OK(clone_volume("same", "cow", UINT64_MAX, words(NULL)));
        CHECK_OK(poolkeeper_backend.volume_export(pool, "cow", data, NULL));
}

/* QEMU has other words than libvirt for some. */
static void other_name(void)
{
        static const char command[] = "qemu-img create -q -f parallels pool/ploop 4M && "
                                      "qemu-io -f parallels -c 'write -P 7 1M 64k' pool/ploop >/dev/null";

        if (system(command) != 0) {
                printf("# qemu-img makes no parallels images\n");
                return;
        }
        fake_ctx_reset(pool);
        CHECK_OK(poolkeeper_backend.volume_declare(pool, "ploop", FORMAT_PLOOP));
        if (clone_volume("of-ploop", "ploop", UINT64_MAX, words("format", "qcow2", NULL)) < 0)
                TEST_FAIL("%s", pool->error.message);
        CHECK_EQ(system("qemu-img compare -q -f parallels -F qcow2 pool/ploop pool/of-ploop"), 0);
}

int main(void)
{
        test_directory();
        pool_start();
        RUN(no_driver);
        RUN(other_name);
        pool_end();
        return 0;
}
