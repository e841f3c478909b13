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

int object_path_to_pool(const char *path, char **ret_pool)
{
        return sd_bus_path_decode(path, OBJECT_POOLS, ret_pool);
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
        r = sd_bus_path_decode(prefix, OBJECT_VOLUMES, &pool);
        if (r > 0)
                r = sd_bus_path_decode(path, prefix, ret_volume);
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
        if (errno != 0 || *end)
                return 0;
        *ret_id = id;
        return 1;
}
