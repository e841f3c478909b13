/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "snapshot-list.h"

#include <inttypes.h>

static const char *const kind_names[_SNAPSHOT_KIND_MAX] = {
        [SNAPSHOT_INTERNAL] = "internal",
        [SNAPSHOT_FILE] = "file",
};

const char *snapshot_kind_to_string(SnapshotKind k)
{
        return k >= 0 && k < _SNAPSHOT_KIND_MAX ? kind_names[k] : NULL;
}

int snapshot_list_add(char **list, SnapshotKind kind, uint64_t created_usec, uint64_t size, const char *name)
{
        char *grown;

        if (isempty(name) || strchr(name, '/'))
                return -EINVAL;
        if (asprintf(&grown, "%s%s%s %" PRIu64 " %" PRIu64 " %s", *list ?: "", *list ? "/" : "",
                     kind_names[kind], created_usec, size, name) < 0)
                return -ENOMEM;
        free(*list);
        *list = grown;
        return 0;
}

static int read_number(const char **p, uint64_t *ret)
{
        char *end;

        if (**p < '0' || **p > '9')
                return -EBADMSG;
        errno = 0;
        *ret = strtoull(*p, &end, 10);
        if (errno != 0 || *end != ' ')
                return -EBADMSG;
        *p = end + 1;
        return 0;
}

static int read_kind(const char **p, SnapshotKind *ret)
{
        for (SnapshotKind k = 0; k < _SNAPSHOT_KIND_MAX; k++) {
                size_t n = strlen(kind_names[k]);

                if (strncmp(*p, kind_names[k], n) != 0 || (*p)[n] != ' ')
                        continue;
                *p += n + 1;
                *ret = k;
                return 0;
        }
        return -EBADMSG;
}

int snapshot_list_next(const char **list, SnapshotInfo *ret)
{
        SnapshotInfo s = {};
        const char *p = *list;

        if (isempty(p))
                return 0;
        if (read_kind(&p, &s.kind) < 0 || read_number(&p, &s.created_usec) < 0 ||
            read_number(&p, &s.size) < 0)
                return -EBADMSG;
        s.name = p;
        s.name_length = strcspn(p, "/");
        if (s.name_length == 0)
                return -EBADMSG;
        p += s.name_length;
        if (*p == '/' && *++p == '\0')
                return -EBADMSG;
        *list = p;
        *ret = s;
        return 1;
}

bool snapshot_list_find(const char *list, const char *name, SnapshotInfo *ret)
{
        SnapshotInfo s;

        while (snapshot_list_next(&list, &s) > 0)
                if (s.name_length == strlen(name) && strncmp(s.name, name, s.name_length) == 0) {
                        *ret = s;
                        return true;
                }
        return false;
}

bool snapshot_list_is_valid(const char *list)
{
        SnapshotInfo s;
        unsigned n = 0;
        int r;

        while ((r = snapshot_list_next(&list, &s)) > 0)
                n++;
        return r == 0 && n <= SNAPSHOTS_MAX;
}
