/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fills a directory with volumes for a measurement: sparse raw files of 1 GiB, or qcow2 images of 1 GiB that
 * are what `qemu-img create` makes but for the table of feature names (qemu-img check finds nothing wrong
 * with them).
 *
 *   make-volumes raw|qcow2 DIRECTORY N
 *
 * The files are volume-000000.img and so on; those that are there already are left alone. */
#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "util/macro.h"

#define CAPACITY (UINT64_C(1) << 30)
#define CLUSTER_BITS 16u
#define CLUSTER (UINT64_C(1) << CLUSTER_BITS)
#define L1_ENTRIES (CAPACITY >> (2 * CLUSTER_BITS - 3))

typedef struct Qcow2Header {
        char magic[4];
        uint32_t version;
        uint64_t backing_offset;
        uint32_t backing_size, cluster_bits;
        uint64_t size;
        uint32_t encryption, l1_size;
        uint64_t l1_offset, refcount_table_offset;
        uint32_t refcount_table_clusters, n_snapshots;
        uint64_t snapshots_offset, incompatible, compatible, autoclear;
        uint32_t refcount_order, header_length;
} Qcow2Header;

/* Cluster 0 is the header, 1 the reference count table, 2 its only block, 3 the L1 table (cut behind its
 * entries). */
static int write_qcow2(int fd)
{
        const Qcow2Header header = {
                .magic = { 'Q', 'F', 'I', '\xfb' },
                .version = htobe32(3),
                .cluster_bits = htobe32(CLUSTER_BITS),
                .size = htobe64(CAPACITY),
                .l1_size = htobe32((uint32_t)L1_ENTRIES),
                .l1_offset = htobe64(3 * CLUSTER),
                .refcount_table_offset = htobe64(CLUSTER),
                .refcount_table_clusters = htobe32(1),
                .refcount_order = htobe32(4),
                .header_length = htobe32(sizeof(header)),
        };
        const uint64_t table = htobe64(2 * CLUSTER);
        const uint16_t block[4] = { htobe16(1), htobe16(1), htobe16(1), htobe16(1) };

        if (ftruncate(fd, (off_t)(3 * CLUSTER + L1_ENTRIES * 8)) < 0)
                return -errno;
        if (pwrite(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
            pwrite(fd, &table, sizeof(table), (off_t)CLUSTER) != (ssize_t)sizeof(table) ||
            pwrite(fd, block, sizeof(block), (off_t)(2 * CLUSTER)) != (ssize_t)sizeof(block))
                return errno > 0 ? -errno : -EIO;
        return 0;
}

static int write_raw(int fd)
{
        return ftruncate(fd, (off_t)CAPACITY) < 0 ? -errno : 0;
}

static int make_one(int directory, unsigned number, int (*write_volume)(int fd))
{
        _cleanup_close_ int fd = -EBADF;
        char name[32];

        (void)snprintf(name, sizeof(name), "volume-%06u.img", number);
        fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
                return errno == EEXIST ? 0 : -errno;
        return write_volume(fd);
}

int main(int argc, char **argv)
{
        _cleanup_close_ int directory = -EBADF;
        unsigned long n;
        int r = 0;

        if (argc != 4 || (!streq(argv[1], "raw") && !streq(argv[1], "qcow2"))) {
                fprintf(stderr, "usage: make-volumes raw|qcow2 DIRECTORY N\n");
                return 2;
        }
        n = strtoul(argv[3], NULL, 10);
        directory = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                r = -errno;
        for (unsigned i = 0; i < n && r == 0; i++)
                r = make_one(directory, i, streq(argv[1], "raw") ? write_raw : write_qcow2);
        if (r < 0) {
                fprintf(stderr, "make-volumes: %s: %s\n", argv[2], strerror(-r));
                return 1;
        }
        return 0;
}
