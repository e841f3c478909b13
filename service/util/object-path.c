/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "object-path.h"

#include <inttypes.h>
#include <systemd/sd-bus.h>

static char *encode(const char *prefix, const char *name)
{
        char *path;

        return sd_bus_path_encode(prefix, name, &path) < 0 ? NULL : path;
}

char *object_path_pool(const char *pool)
{
        return encode(OBJECT_POOLS, pool);
}

char *object_path_volumes(const char *pool)
{
        return encode(OBJECT_VOLUMES, pool);
}

char *object_path_volume(const char *pool, const char *volume)
{
        _cleanup_free_ char *prefix = object_path_volumes(pool);

        return prefix ? encode(prefix, volume) : NULL;
}

char *object_path_job(uint64_t id)
{
        char *path;

        return asprintf(&path, OBJECT_JOBS "/%" PRIu64, id) < 0 ? NULL : path;
}

/* sd_bus_path_decode() also takes the prefix alone, several labels at once and needless escapes: here each
 * object has one path. 1, 0: not such a path, -ENOMEM. */
static int decode(const char *prefix, const char *path, char **ret)
{
        _cleanup_free_ char *name = NULL, *again = NULL;
        int r;

        r = sd_bus_path_decode(path, prefix, &name);
        if (r <= 0 || isempty(name))
                return r < 0 ? r : 0;
        again = encode(prefix, name);
        if (!again)
                return -ENOMEM;
        if (!streq(again, path))
                return 0;
        *ret = TAKE_PTR(name);
        return 1;
}

int object_path_to_pool(const char *path, char **ret_pool)
{
        return decode(OBJECT_POOLS, path, ret_pool);
}

int object_path_to_volume(const char *path, char **ret_pool, char **ret_volume)
{
        _cleanup_free_ char *prefix = NULL, *pool = NULL;
        const char *rest = startswith(path, OBJECT_VOLUMES "/");
        const char *slash = rest ? strchr(rest, '/') : NULL;
        int r;

        if (!slash)
                return 0;
        prefix = strndup(path, (size_t)(slash - path));
        if (!prefix)
                return -ENOMEM;
        r = decode(OBJECT_VOLUMES, prefix, &pool);
        if (r > 0)
                r = decode(prefix, path, ret_volume);
        if (r > 0)
                *ret_pool = TAKE_PTR(pool);
        return r;
}

int object_path_to_job(const char *path, uint64_t *ret_id)
{
        const char *number = startswith(path, OBJECT_JOBS "/");
        uint64_t id;
        char *end;

        if (!number || *number < '0' || *number > '9')
                return 0;
        errno = 0;
        id = strtoull(number, &end, 10);
        if (errno != 0 || *end || (*number == '0' && number[1]))
                return 0;
        *ret_id = id;
        return 1;
}
