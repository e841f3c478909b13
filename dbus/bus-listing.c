/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pool.ListVolumes: pages of a list, each made in a bounded time however large the pool is. By name the
 * pages follow the kept order; other orders need all volumes at once, and are served where that is no more
 * than one page's work. */
#include "bus-pool.h"
#include "glob.h"
#include "util/fileio.h"

#define ROWS_MAX 1000u
#define SCAN_MAX 2000u  /* records looked at in one call */
#define SCAN_USEC 1500u /* and the time that may take */
#define SCAN_CHECK 16u  /* records between two looks at the clock */

typedef enum SortKey {
        SORT_NAME,
        SORT_CAPACITY,
        SORT_ALLOCATION,
        SORT_MTIME,
        _SORT_MAX,
} SortKey;

static const char *const sort_names[_SORT_MAX] = { "name", "capacity", "allocation", "mtime" };

/* What a page is to hold; strings are borrowed from the options. */
typedef struct Listing {
        const char *after, *pattern;
        uint32_t limit;
        int format, type; /* -1: any */
        SortKey sort;
        bool reverse;
} Listing;

static bool matches(const Listing *l, const Volume *v)
{
        return (l->format < 0 || l->format == v->format) && (l->type < 0 || l->type == v->type) &&
               (!l->pattern || glob_match(l->pattern, v->name));
}

static int append_row(sd_bus_message *reply, const Volume *v)
{
        return sd_bus_message_append(reply, "(stttssu)", v->name, v->capacity, v->allocation, v->mtime_usec,
                                     image_format_to_string((ImageFormat)v->format),
                                     volume_type_to_string((VolumeType)v->type), v->creator);
}

static const Value *find(const Call *c, const char *key, ValueType type, sd_bus_error *ret_error)
{
        const Value *value = bag_get(c->options, key);

        if (value && value->type != type) {
                (void)call_invalid(ret_error, "Option %s has to be of D-Bus type %s", key,
                                   value_type_to_string(type));
                return NULL;
        }
        return value;
}

static int read_sort(const char *text, SortKey *ret, sd_bus_error *ret_error)
{
        for (SortKey k = 0; text && k < _SORT_MAX; k++)
                if (streq(sort_names[k], text)) {
                        *ret = k;
                        return 0;
                }
        return text ? call_invalid(ret_error,
                                   "Volumes are sorted by name, capacity, allocation or mtime, not by %s",
                                   text)
                    : 0;
}

static int read_filter(Listing *l, const char *format, const char *type, sd_bus_error *ret_error)
{
        l->format = format ? (int)image_format_from_string(format) : -1;
        l->type = type ? (int)volume_type_from_string(type) : -1;
        if (format && l->format < 0)
                return call_invalid(ret_error, "There is no volume format %s", format);
        if (type && l->type < 0)
                return call_invalid(ret_error, "There is no volume type %s", type);
        if (l->pattern && !glob_is_valid(l->pattern))
                return call_invalid(ret_error, "'%s' is not a shell pattern of at most %u bytes", l->pattern,
                                    GLOB_BYTES_MAX);
        return 0;
}

static int read_listing(Call *c, Listing *ret, sd_bus_error *ret_error)
{
        static const char *const keys[] = { "after", "pattern", "format", "type", "sort" };
        const char *texts[ELEMENTSOF(keys)] = {};
        const Value *limit, *reverse;
        Listing l = {};
        int r;

        r = call_read_options(
                c,
                (const char *[]){ "after", "limit", "pattern", "format", "type", "sort", "reverse", NULL },
                ret_error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                const Value *text = find(c, keys[i], VALUE_STRING, ret_error);

                texts[i] = text && *text->string ? text->string : NULL;
        }
        limit = find(c, "limit", VALUE_U32, ret_error);
        reverse = find(c, "reverse", VALUE_BOOL, ret_error);
        if (sd_bus_error_is_set(ret_error))
                return sd_bus_error_get_errno(ret_error) > 0 ? -sd_bus_error_get_errno(ret_error) : -EINVAL;
        l.after = texts[0];
        l.pattern = texts[1];
        l.limit = limit ? MIN(limit->u32, ROWS_MAX) : ROWS_MAX;
        l.reverse = reverse && reverse->boolean;
        if (l.limit == 0)
                return call_invalid(ret_error, "A page has at least one volume");
        r = read_filter(&l, texts[2], texts[3], ret_error);
        if (r >= 0)
                r = read_sort(texts[4], &l.sort, ret_error);
        *ret = l;
        return r;
}

/* ---- by name ---- */

static bool scan_is_over(uint64_t start_usec, size_t scanned)
{
        return scanned >= SCAN_MAX ||
               (scanned % SCAN_CHECK == 0 && now_usec(CLOCK_MONOTONIC) - start_usec > SCAN_USEC);
}

/* The page ends with the limit, or with what may be looked at in one call: it may be short, or even empty,
 * and yet not the last. *ret_next is the last name looked at, "" at the end of the list. */
static int append_by_name(const Pool *p, const Listing *l, sd_bus_message *reply, const char **ret_next)
{
        Volume *(*step)(const VolumeTable *, VolumeCursor *) =
                l->reverse ? volume_table_previous : volume_table_next;
        uint64_t start = now_usec(CLOCK_MONOTONIC);
        size_t rows = 0, scanned = 0;
        const char *last = "";
        VolumeCursor cursor;
        Volume *v;

        v = l->reverse ? volume_table_last(p->volumes, l->after, &cursor)
                       : volume_table_first(p->volumes, l->after, &cursor);
        for (; v && rows < l->limit && (scanned == 0 || !scan_is_over(start, scanned));
             v = step(p->volumes, &cursor)) {
                scanned++;
                last = v->name;
                if (!matches(l, v))
                        continue;
                rows++;
                int r = append_row(reply, v);
                if (r < 0)
                        return r;
        }
        *ret_next = v ? last : "";
        return 0;
}

/* ---- by another key ---- */

static uint64_t sort_value(SortKey key, const Volume *v)
{
        switch (key) {
        case SORT_CAPACITY:
                return v->capacity;
        case SORT_ALLOCATION:
                return v->allocation;
        case SORT_MTIME:
                return v->mtime_usec;
        case SORT_NAME:
        case _SORT_MAX:
                break;
        }
        return 0;
}

static int compare(const void *a, const void *b, void *userdata)
{
        const Listing *l = userdata;
        const Volume *x = *(Volume *const *)a, *y = *(Volume *const *)b;
        uint64_t i = sort_value(l->sort, x), j = sort_value(l->sort, y);
        int order = i < j ? -1 : i > j ? 1 : strcmp(x->name, y->name);

        return l->reverse ? -order : order;
}

static size_t collect(const Pool *p, const Listing *l, const Volume *after, Volume **ret)
{
        VolumeCursor cursor;
        size_t n = 0;

        for (Volume *v = volume_table_first(p->volumes, NULL, &cursor); v;
             v = volume_table_next(p->volumes, &cursor))
                if (matches(l, v) && (!after || compare(&v, &after, (void *)l) > 0))
                        ret[n++] = v;
        return n;
}

static int append_sorted(const Pool *p, const Listing *l, sd_bus_message *reply, const char **ret_next,
                         sd_bus_error *ret_error)
{
        const Volume *after = l->after ? volume_table_get(p->volumes, l->after) : NULL;
        _cleanup_free_ Volume **volumes = NULL;
        size_t n;

        if (volume_table_size(p->volumes) > SCAN_MAX)
                return sd_bus_error_setf(ret_error, error_kind_to_name(ERROR_NOT_SUPPORTED),
                                         "Pool %s has more than %u volumes; list them by name, or sort what "
                                         "DumpVolumes gives",
                                         pool_name(p), SCAN_MAX);
        if (l->after && !after)
                return sd_bus_error_setf(ret_error, error_kind_to_name(ERROR_CHANGED),
                                         "Volume %s has gone meanwhile; list again from the start",
                                         l->after);
        volumes = calloc(volume_table_size(p->volumes) + 1, sizeof(*volumes));
        if (!volumes)
                return -ENOMEM;
        n = collect(p, l, after, volumes);
        qsort_r(volumes, n, sizeof(*volumes), compare, (void *)l);
        for (size_t i = 0; i < MIN(n, l->limit); i++) {
                int r = append_row(reply, volumes[i]);

                if (r < 0)
                        return r;
        }
        *ret_next = n > l->limit ? volumes[l->limit - 1]->name : "";
        return 0;
}

int pool_method_list_volumes(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Pool *p = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_call_ Call c = {};
        const char *next = "";
        Listing l;
        int r;

        r = pool_begin(m, p, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = read_listing(&c, &l, ret_error);
        if (r < 0)
                return r;
        r = call_authorize_pool(&c, p, NULL, "volume-list", ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(stttssu)");
        if (r >= 0)
                r = l.sort == SORT_NAME ? append_by_name(p, &l, reply, &next)
                                        : append_sorted(p, &l, reply, &next, ret_error);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "st", next, p->generation);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}
