/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Gives each file of the named directories (or each named file) once to a fuzz target, where there is no
 * libFuzzer. */
#include "fuzz.h"

#include "util/fileio.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define INPUT_MAX (16u * 1024 * 1024)

static unsigned n_inputs;

static int run_file(int dirfd, const char *name)
{
        _cleanup_free_ char *data = NULL;
        _cleanup_free_ uint8_t *exact = NULL;
        size_t size;
        int r;

        r = read_file_at(dirfd, name, INPUT_MAX, &data, &size);
        if (r < 0) {
                printf("not ok %s: %s\n", name, strerror(-r));
                return r;
        }
        /* Without the NUL behind it, so that the address sanitizer sees a read over the end. */
        exact = malloc(size);
        if (!exact && size > 0)
                return -ENOMEM;
        if (size > 0)
                memcpy(exact, data, size);
        (void)LLVMFuzzerTestOneInput(exact, size);
        n_inputs++;
        return 0;
}

static int run_directory(DIR *d)
{
        const struct dirent *entry;

        while ((entry = readdir(d))) {
                int r;

                if (entry->d_name[0] == '.')
                        continue;
                r = run_file(dirfd(d), entry->d_name);
                if (r < 0)
                        return r;
        }
        return 0;
}

int main(int argc, char *argv[])
{
        for (int i = 1; i < argc; i++) {
                DIR *d = opendir(argv[i]);
                int r;

                if (!d && errno != ENOTDIR) {
                        printf("not ok %s: %s\n", argv[i], strerror(errno));
                        return 1;
                }
                r = d ? run_directory(d) : run_file(AT_FDCWD, argv[i]);
                if (d)
                        closedir(d);
                if (r < 0)
                        return 1;
        }
        if (n_inputs == 0) {
                printf("not ok corpus: there is not one input\n");
                return 1;
        }
        printf("ok corpus of %u inputs\n", n_inputs);
        return 0;
}
