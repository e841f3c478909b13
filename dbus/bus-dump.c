/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-dump.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "bus-pool.h"
#include "json-line.h"
#include "util/fileio.h"

#define SLICE_USEC 1500u
#define SLICE_CHECK 32u                /* records between two looks at the clock */
#define INTERVAL_USEC (1000ULL * 1000) /* between two builds for one user */
#define KEEP_USEC (30ULL * 1000 * 1000)
#define WAITING_MAX 1024u

struct Dump {
        PoolFace *face;
        int fd;              /* complete and sealed; -EBADF: none */
        uint64_t generation; /* of the pool when the list was begun: what changed before is in it */

        int building; /* being written; -EBADF: no build is under way */
        uint64_t building_generation;
        char *last;            /* name of the last record written */
        sd_event_source *work; /* the next slice, or the start of a build that has to wait */
        sd_event_source *expiry;

        sd_bus_message **waiting;
        size_t n_waiting;
};

static int append_volume(JsonLine *j, const Volume *v)
{
        const char *backing = volume_backing(v);

        json_line_begin(j);
        json_line_string(j, "Name", v->name);
        json_line_string(j, "Type", volume_type_to_string((VolumeType)v->type));
        json_line_string(j, "Format", image_format_to_string((ImageFormat)v->format));
        json_line_string(j, "DetectedFormat", image_format_to_string((ImageFormat)v->detected));
        json_line_number(j, "Capacity", v->capacity);
        json_line_number(j, "Allocation", v->allocation);
        json_line_number(j, "Physical", v->physical);
        json_line_number(j, "MTimeUSec", v->mtime_usec);
        if (v->creator != UINT32_MAX)
                json_line_number(j, "Creator", v->creator);
        json_line_number(j, "UID", v->uid);
        json_line_number(j, "GID", v->gid);
        json_line_number(j, "Mode", v->mode);
        if (backing) {
                json_line_string(j, "BackingPath", backing);
                json_line_string(j, "BackingFormat", image_format_to_string((ImageFormat)v->backing_format));
        }
        if (v->flags & VOLUME_ENCRYPTED)
                json_line_bool(j, "Encrypted", true);
        if (v->flags & VOLUME_INCOMPLETE)
                json_line_bool(j, "Incomplete", true);
        if (v->flags & VOLUME_CORRUPT)
                json_line_bool(j, "Corrupt", true);
        if (volume_error(v))
                json_line_string(j, "Error", volume_error(v));
        json_line_number(j, "Generation", v->generation);
        return json_line_end(j);
}

/* ---- the builds of one user ---- */

/* When user `uid` may have its next list built; root and we ourselves are not limited. */
static uint64_t build_due(Bus *b, uid_t uid)
{
        char key[16];
        const uint64_t *last;

        if (uid == 0 || uid == geteuid())
                return 0;
        snprintf(key, sizeof(key), "%u", (unsigned)uid);
        last = hashmap_get(b->dump_builds, key);
        return last ? *last + INTERVAL_USEC : 0;
}

static void remember_build(Bus *b, uid_t uid, uint64_t usec)
{
        char key[16];
        uint64_t *last;

        snprintf(key, sizeof(key), "%u", (unsigned)uid);
        last = hashmap_get(b->dump_builds, key);
        if (!last) {
                last = malloc(sizeof(*last));
                if (!last || hashmap_put(b->dump_builds, key, last) < 0) {
                        free(last);
                        return;
                }
        }
        *last = usec;
}

/* ---- answers ---- */

static int reply_list(sd_bus_message *m, const Dump *d)
{
        /* A new open file of the same memory: read-only, with a position of its own. */
        _cleanup_close_ int fd = fd_reopen(d->fd, O_RDONLY | O_CLOEXEC);

        return fd < 0 ? fd : sd_bus_reply_method_return(m, "ht", fd, d->generation);
}

static void answer_waiting(Dump *d, int error)
{
        for (size_t i = 0; i < d->n_waiting; i++) {
                int r = error < 0 ? error : reply_list(d->waiting[i], d);

                if (r < 0)
                        (void)sd_bus_reply_method_errnof(d->waiting[i], r, "Cannot make the list: %m");
                sd_bus_message_unref(d->waiting[i]);
        }
        d->n_waiting = 0;
        free(TAKE_PTR(d->waiting));
}

static int on_expiry(sd_event_source *s, uint64_t usec, void *userdata)
{
        Dump *d = userdata;

        d->fd = safe_close(d->fd);
        return 0;
}

static int keep_for_a_while(Dump *d)
{
        int r;

        if (!d->expiry)
                return sd_event_add_time_relative(d->face->bus->manager->event, &d->expiry, CLOCK_MONOTONIC,
                                                  KEEP_USEC, 1000 * 1000, on_expiry, d);
        r = sd_event_source_set_time_relative(d->expiry, KEEP_USEC);
        return r < 0 ? r : sd_event_source_set_enabled(d->expiry, SD_EVENT_ONESHOT);
}

/* ---- building ---- */

static void build_over(Dump *d, int error)
{
        d->work = sd_event_source_disable_unref(d->work);
        free(TAKE_PTR(d->last));
        safe_close(d->fd);
        if (error >= 0 &&
            fcntl(d->building, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
                error = -errno;
        if (error < 0)
                safe_close(d->building);
        d->fd = error < 0 ? -EBADF : d->building;
        d->building = -EBADF;
        d->generation = d->building_generation;
        answer_waiting(d, error);
        (void)keep_for_a_while(d);
}

/* Volumes come and go between the slices, so each goes on behind the last name. 1: more to do. */
static int build_slice(Dump *d)
{
        const VolumeTable *table = d->face->pool->volumes;
        uint64_t start = now_usec(CLOCK_MONOTONIC);
        _cleanup_(json_line_done) JsonLine j = {};
        const Volume *last = NULL;
        VolumeCursor cursor;
        size_t n = 0;
        Volume *v;
        int r = 0;

        for (v = volume_table_first(table, d->last, &cursor); v; v = volume_table_next(table, &cursor)) {
                if (n++ % SLICE_CHECK == 0 && n > 1 && now_usec(CLOCK_MONOTONIC) - start > SLICE_USEC)
                        break;
                r = append_volume(&j, v);
                if (r < 0)
                        return r;
                last = v;
        }
        r = loop_write(d->building, j.text, j.size);
        if (r >= 0 && v)
                r = free_and_strdup(&d->last, last->name);
        return r < 0 ? r : v != NULL;
}

static int on_work(sd_event_source *s, void *userdata)
{
        Dump *d = userdata;
        int r;

        r = build_slice(d);
        if (r <= 0)
                build_over(d, r);
        return 0;
}

static int build_begin(Dump *d)
{
        _cleanup_close_ int fd = memfd_create("poolkeeper-volumes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0)
                return -errno;
        d->work = sd_event_source_disable_unref(d->work);
        r = sd_event_add_defer(d->face->bus->manager->event, &d->work, on_work, d);
        if (r >= 0)
                r = sd_event_source_set_enabled(d->work, SD_EVENT_ON);
        if (r < 0)
                return r;
        d->building = TAKE_FD(fd);
        d->building_generation = d->face->pool->generation;
        return 0;
}

static int on_due(sd_event_source *s, uint64_t usec, void *userdata)
{
        Dump *d = userdata;
        int r;

        r = build_begin(d);
        if (r < 0)
                build_over(d, r);
        return 0;
}

/* Sees to it that a build begins at `due` at the latest. */
static int build_at(Dump *d, uint64_t due)
{
        uint64_t planned;
        int r;

        if (due <= now_usec(CLOCK_MONOTONIC))
                return build_begin(d);
        if (!d->work)
                return sd_event_add_time(d->face->bus->manager->event, &d->work, CLOCK_MONOTONIC, due, 10000,
                                         on_due, d);
        r = sd_event_source_get_time(d->work, &planned);
        return r < 0 || planned <= due ? r : sd_event_source_set_time(d->work, due);
}

static int dump_wait(Dump *d, sd_bus_message *m, uid_t caller, sd_bus_error *ret_error)
{
        Bus *b = d->face->bus;
        sd_bus_message **waiting;

        if (d->n_waiting >= WAITING_MAX)
                return sd_bus_error_setf(ret_error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                         "More than %u callers wait for this list already", WAITING_MAX);
        waiting = reallocarray(d->waiting, d->n_waiting + 1, sizeof(*waiting));
        if (!waiting)
                return -ENOMEM;
        d->waiting = waiting;
        if (d->building < 0) {
                uint64_t due = MAX(build_due(b, caller), now_usec(CLOCK_MONOTONIC));
                int r = build_at(d, due);

                if (r < 0)
                        return r;
                remember_build(b, caller, due);
        }
        d->waiting[d->n_waiting++] = sd_bus_message_ref(m);
        return 1;
}

static Dump *dump_get(PoolFace *f)
{
        if (!f->dump) {
                f->dump = calloc(1, sizeof(*f->dump));
                if (f->dump)
                        *f->dump = (Dump){ .face = f, .fd = -EBADF, .building = -EBADF };
        }
        return f->dump;
}

void dump_free(Dump *d)
{
        if (!d)
                return;
        for (size_t i = 0; i < d->n_waiting; i++) {
                (void)sd_bus_reply_method_errorf(d->waiting[i], error_kind_to_name(ERROR_POOL_INACTIVE),
                                                 "The pool has gone meanwhile");
                sd_bus_message_unref(d->waiting[i]);
        }
        free(d->waiting);
        sd_event_source_disable_unref(d->work);
        sd_event_source_disable_unref(d->expiry);
        safe_close(d->fd);
        safe_close(d->building);
        free(d->last);
        free(d);
}

int pool_method_dump_volumes(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Pool *p = userdata;
        _cleanup_call_ Call c = {};
        Dump *d;
        int r;

        r = pool_begin(m, p, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = call_read_options(&c, (const char *[]){ NULL }, ret_error);
        if (r < 0)
                return r;
        r = call_authorize_pool(&c, p, NULL, "volume-list", ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        d = dump_get(hashmap_get(c.bus->pools, pool_name(p)));
        if (!d)
                return -ENOMEM;
        if (d->fd < 0 || d->generation != p->generation)
                return dump_wait(d, m, c.caller, ret_error);
        (void)keep_for_a_while(d);
        return reply_list(m, d);
}
