/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "definition-file.h"

#include <fcntl.h>

#include "util/fileio.h"

#define FILE_BYTES_MAX (1024u * 1024u)

int definition_file_read(const char *path, char **ret, Error *e)
{
        _cleanup_close_ int opened = -EBADF;
        _cleanup_free_ char *text = NULL;
        int fd = STDIN_FILENO, r;
        size_t size;

        if (!streq(path, "-")) {
                fd = opened = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
                if (fd < 0)
                        return error_set_errno(e, errno, "cannot open %s", path);
        }
        r = read_fd(fd, FILE_BYTES_MAX, &text, &size);
        if (r < 0)
                return error_set_errno(e, r, "cannot read %s", path);
        if (memchr(text, 0, size))
                return error_set(e, ERROR_INVALID_DEFINITION, "%s is no XML: it contains NUL bytes", path);
        *ret = TAKE_PTR(text);
        return 0;
}
