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

char *object_path_snapshots(const char *pool, const char *volume)
{
        _cleanup_free_ char *prefix = encode(OBJECT_SNAPSHOTS, pool);

        return prefix ? encode(prefix, volume) : NULL;
}

char *object_path_snapshot(const char *pool, const char *volume, const char *snapshot)
{
        _cleanup_free_ char *prefix = object_path_snapshots(pool, volume);

        return prefix ? encode(prefix, snapshot) : NULL;
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

/* The same for the last label of a path; what stands before it is *ret_prefix. */
static int decode_last(const char *path, char **ret_prefix, char **ret)
{
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *prefix = slash ? strndup(path, (size_t)(slash - path)) : NULL;
        int r;

        if (!prefix)
                return slash ? -ENOMEM : 0;
        r = decode(prefix, path, ret);
        if (r > 0)
                *ret_prefix = TAKE_PTR(prefix);
        return r;
}

int object_path_to_volume(const char *path, char **ret_pool, char **ret_volume)
{
        _cleanup_free_ char *prefix = NULL, *pool = NULL, *volume = NULL;
        int r;

        r = decode_last(path, &prefix, &volume);
        if (r > 0)
                r = decode(OBJECT_VOLUMES, prefix, &pool);
        if (r <= 0)
                return r;
        *ret_pool = TAKE_PTR(pool);
        *ret_volume = TAKE_PTR(volume);
        return 1;
}

int object_path_to_snapshot(const char *path, char **ret_pool, char **ret_volume, char **ret_snapshot)
{
        _cleanup_free_ char *of_volume = NULL, *of_pool = NULL, *pool = NULL, *volume = NULL,
                            *snapshot = NULL;
        int r;

        r = decode_last(path, &of_volume, &snapshot);
        if (r > 0)
                r = decode_last(of_volume, &of_pool, &volume);
        if (r > 0)
                r = decode(OBJECT_SNAPSHOTS, of_pool, &pool);
        if (r <= 0)
                return r;
        *ret_pool = TAKE_PTR(pool);
        *ret_volume = TAKE_PTR(volume);
        *ret_snapshot = TAKE_PTR(snapshot);
        return 1;
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
