/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The physical limits that tests/bench/README.md compares with: the least system calls that could do the
 * job, and nothing around them. Prints one number, the microseconds that one whole round takes (the median
 * of 5, after one to warm the caches).
 *
 *   limits statx-scan DIRECTORY     readdir, and statx of each entry
 *   limits header-scan DIRECTORY    readdir, and openat, fstat, pread of 4 KiB, close of each entry
 *   limits create-raw DIRECTORY N   N files of 1 GiB, sparse: O_TMPFILE, ftruncate, fsync, linkat, fsync of
 *                                   the directory
 *   limits qemu-img DIRECTORY N     N times the process "qemu-img create" of a qcow2 image of 1 GiB
 */
#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "util/macro.h"

#define ROUNDS 5u
#define CAPACITY (INT64_C(1) << 30)

DEFINE_CLEANUP(DIR *, closedir)

static uint64_t now_nsec(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int statx_entry(int directory, const char *name)
{
        struct statx x;

        return statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &x) < 0 ? -errno
                                                                                                    : 0;
}

static int header_entry(int directory, const char *name)
{
        _cleanup_close_ int fd = -EBADF;
        uint8_t head[4096];
        struct stat st;

        fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0 || pread(fd, head, sizeof(head), 0) < 0)
                return -errno;
        return 0;
}

/* One round over all entries but "." and ".."; *ret_nsec is what it took. */
static int scan(const char *path, int (*entry)(int directory, const char *name), uint64_t *ret_nsec)
{
        _cleanup_(closedirp) DIR *d = NULL;
        const struct dirent *e;
        uint64_t start = now_nsec();
        int r;

        d = opendir(path);
        if (!d)
                return -errno;
        while ((e = readdir(d))) {
                if (streq(e->d_name, ".") || streq(e->d_name, ".."))
                        continue;
                r = entry(dirfd(d), e->d_name);
                if (r < 0)
                        return r;
        }
        *ret_nsec = now_nsec() - start;
        return 0;
}

static int create_one(int directory, const char *name)
{
        _cleanup_close_ int fd = -EBADF;
        char link[64];

        fd = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0 || ftruncate(fd, CAPACITY) < 0 || fsync(fd) < 0)
                return -errno;
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (linkat(AT_FDCWD, link, directory, name, AT_SYMLINK_FOLLOW) < 0 || fsync(directory) < 0)
                return -errno;
        return 0;
}

static int qemu_img_one(int directory, const char *name)
{
        const char *arguments[] = { "qemu-img", "create", "-q", "-f", "qcow2", NULL, "1G", NULL };
        char path[64];
        int r, status;
        pid_t pid;

        (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d/%s", (int)getpid(), directory, name);
        arguments[5] = path;
        r = posix_spawnp(&pid, arguments[0], NULL, NULL, (char *const *)arguments, environ);
        if (r != 0)
                return -r;
        if (waitpid(pid, &status, 0) < 0)
                return -errno;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

/* One round of n files, which stay: ext4 without a journal avoids the inodes of files deleted a moment ago, and
 * looks for others for longer than it takes to make a file. */
static int create(const char *path, unsigned n, int (*make)(int directory, const char *name),
                  uint64_t *ret_nsec)
{
        _cleanup_close_ int directory = -EBADF;
        uint64_t start;
        int r = 0;

        directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return -errno;
        start = now_nsec();
        for (unsigned i = 0; i < n && r == 0; i++) {
                char name[64];

                (void)snprintf(name, sizeof(name), "limit-%d-%llu-%u", (int)getpid(),
                               (unsigned long long)start, i);
                r = make(directory, name);
        }
        *ret_nsec = now_nsec() - start;
        return r;
}

static int one_round(char **arguments, uint64_t *ret_nsec)
{
        if (streq(arguments[0], "statx-scan"))
                return scan(arguments[1], statx_entry, ret_nsec);
        if (streq(arguments[0], "header-scan"))
                return scan(arguments[1], header_entry, ret_nsec);
        return create(arguments[1], (unsigned)strtoul(arguments[2], NULL, 10),
                      streq(arguments[0], "qemu-img") ? qemu_img_one : create_one, ret_nsec);
}

static int compare(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

static bool usage_is_right(int argc, char **argv)
{
        if (argc == 3)
                return streq(argv[1], "statx-scan") || streq(argv[1], "header-scan");
        return argc == 4 && (streq(argv[1], "create-raw") || streq(argv[1], "qemu-img")) &&
               strtoul(argv[3], NULL, 10) > 0;
}

int main(int argc, char **argv)
{
        uint64_t nsec[ROUNDS], warm;
        int r;

        if (!usage_is_right(argc, argv)) {
                fprintf(stderr,
                        "usage: limits statx-scan|header-scan DIRECTORY, or limits create-raw|qemu-img "
                        "DIRECTORY N\n");
                return 2;
        }
        r = one_round(argv + 1, &warm);
        for (unsigned i = 0; i < ROUNDS && r == 0; i++)
                r = one_round(argv + 1, nsec + i);
        if (r < 0) {
                fprintf(stderr, "limits: %s: %s\n", argv[2], strerror(-r));
                return 1;
        }
        qsort(nsec, ROUNDS, sizeof(nsec[0]), compare);
        printf("%.1f\n", (double)nsec[ROUNDS / 2] / 1000);
        return 0;
}
