/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hung-fuse DIRECTORY: mounts a file system on it whose root can be looked at until SIGUSR1 comes; from then
 * on no request is ever answered, as with a dead NFS server. SIGUSR2 lets it answer again. SIGTERM unmounts
 * and ends. Needs root. Speaks the kernel's own protocol (linux/fuse.h) so that nothing but this file
 * decides what is answered. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUEST_MAX (128 * 1024)
#define OWED_MAX 1024

static volatile sig_atomic_t hung, ending;

static void on_signal(int number)
{
        if (number == SIGUSR1)
                hung = 1;
        else if (number == SIGUSR2)
                hung = 0;
        else
                ending = 1;
}

static void answer(int fd, uint64_t unique, int error, const void *data, size_t size)
{
        char buffer[sizeof(struct fuse_out_header) + 4096];
        struct fuse_out_header header = {
                .len = (uint32_t)(sizeof(header) + size),
                .error = error,
                .unique = unique,
        };

        memcpy(buffer, &header, sizeof(header));
        if (size > 0)
                memcpy(buffer + sizeof(header), data, size);
        /* A caller that was killed meanwhile gives ENOENT here; that is its business. */
        if (write(fd, buffer, header.len) < 0 && errno != ENOENT)
                perror("hung-fuse: write");
}

static void answer_init(int fd, const struct fuse_in_header *request)
{
        struct fuse_init_out out = {
                .major = FUSE_KERNEL_VERSION,
                .minor = FUSE_KERNEL_MINOR_VERSION,
                .max_background = 16,
                .congestion_threshold = 12,
                .max_write = 65536,
        };

        answer(fd, request->unique, 0, &out, sizeof(out));
}

/* Attributes are never cached, so that every look at the root comes here. */
static void answer_getattr(int fd, const struct fuse_in_header *request)
{
        struct fuse_attr_out out = {
                .attr = { .ino = FUSE_ROOT_ID, .mode = S_IFDIR | 0755, .nlink = 2 },
        };

        answer(fd, request->unique, 0, &out, sizeof(out));
}

static void answer_statfs(int fd, const struct fuse_in_header *request)
{
        struct fuse_statfs_out out = {
                .st = { .blocks = 1 << 20,
                        .bfree = 1 << 19,
                        .bavail = 1 << 19,
                        .bsize = 4096,
                        .frsize = 4096,
                        .namelen = 255 },
        };

        answer(fd, request->unique, 0, &out, sizeof(out));
}

static void serve(int fd, const struct fuse_in_header *request)
{
        static const struct fuse_open_out opened;

        switch (request->opcode) {
        case FUSE_INIT:
                answer_init(fd, request);
                break;
        case FUSE_GETATTR:
                answer_getattr(fd, request);
                break;
        case FUSE_STATFS:
                answer_statfs(fd, request);
                break;
        case FUSE_OPENDIR:
                answer(fd, request->unique, 0, &opened, sizeof(opened));
                break;
        case FUSE_READDIR: /* empty */
        case FUSE_RELEASEDIR:
        case FUSE_FLUSH:
        case FUSE_FSYNCDIR:
        case FUSE_ACCESS:
                answer(fd, request->unique, 0, NULL, 0);
                break;
        case FUSE_LOOKUP:
                answer(fd, request->unique, -ENOENT, NULL, 0);
                break;
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
        case FUSE_INTERRUPT:
                break; /* have no answer */
        default:
                answer(fd, request->unique, -ENOSYS, NULL, 0);
        }
}

int main(int argc, char *argv[])
{
        static char buffer[REQUEST_MAX] __attribute__((aligned(8)));
        const struct sigaction action = { .sa_handler = on_signal };
        static struct fuse_in_header owed[OWED_MAX];
        size_t n_owed = 0;
        char options[128];
        int fd;

        if (argc != 2) {
                fprintf(stderr, "usage: hung-fuse DIRECTORY\n");
                return 2;
        }
        sigaction(SIGUSR1, &action, NULL);
        sigaction(SIGUSR2, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0) {
                perror("hung-fuse: /dev/fuse");
                return 1;
        }
        snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
        if (mount("hung", argv[1], "fuse.hung", MS_NOSUID | MS_NODEV, options) < 0) {
                perror("hung-fuse: mount");
                return 1;
        }
        while (!ending) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                ssize_t n;

                while (!hung && n_owed > 0)
                        serve(fd, &owed[--n_owed]);
                if (poll(&p, 1, 50) <= 0)
                        continue;
                n = read(fd, buffer, sizeof(buffer));
                if (n < 0 && errno == ENODEV)
                        break; /* unmounted */
                if (n < (ssize_t)sizeof(struct fuse_in_header))
                        continue;
                if (hung && n_owed < OWED_MAX)
                        owed[n_owed++] = *(const struct fuse_in_header *)buffer;
                else if (!hung)
                        serve(fd, (const struct fuse_in_header *)buffer);
        }
        umount2(argv[1], MNT_DETACH);
        return 0;
}
