/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "worker/ctx-internal.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "util/fileio.h"
#include "util/protocol.h"
#include "util/volume-message.h"

#define RECORDS_PER_MESSAGE 500u
#define PROGRESS_USEC (100ULL * 1000)

volatile sig_atomic_t ctx_cancelled = false;

const char *ctx_pool_name(const Ctx *c)
{
        return c->pool ?: "";
}

const char *ctx_pool_uuid(const Ctx *c)
{
        return c->uuid ?: "";
}

const Bag *ctx_options(const Ctx *c)
{
        return c->options;
}

bool ctx_user_mode(const Ctx *c)
{
        return c->user_mode;
}

const char *ctx_state_directory(const Ctx *c)
{
        return c->state_directory ?: "";
}

const char *ctx_job_id(const Ctx *c)
{
        return c->job_id ?: "";
}

bool ctx_sync(const Ctx *c)
{
        return c->sync;
}

Error *ctx_error(Ctx *c)
{
        return &c->error;
}

bool ctx_keep_fd(Ctx *c, int fd)
{
        if (c->kept_fd >= 0)
                return false;
        c->kept_fd = fd;
        return true;
}

int ctx_kept_fd(const Ctx *c)
{
        return c->kept_fd;
}

int ctx_need_job(Ctx *c)
{
        if (c->job)
                return 0;
        c->needs_job = true;
        return -EREMOTE;
}

/* Signals leave at once: the daemon reads all the time, and nothing is to pile up in this process. */
static int send_now(Ctx *c, sd_bus_message *m)
{
        int r;

        r = sd_bus_send(c->bus, m, NULL);
        if (r >= 0)
                r = sd_bus_flush(c->bus);
        return r < 0 ? error_set_errno(&c->error, r, "Cannot speak to the service") : 0;
}

void ctx_ready(Ctx *c)
{
        if (c->ready || !c->job || !c->bus)
                return;
        c->ready = true;
        if (sd_bus_emit_signal(c->bus, WORKER_OBJECT, WORKER_INTERFACE, "Ready", "") >= 0)
                (void)sd_bus_flush(c->bus);
}

int ctx_check_cancelled(Ctx *c)
{
        return ctx_cancelled ? error_set(&c->error, ERROR_CANCELLED, "The operation was cancelled") : 0;
}

int ctx_progress(Ctx *c, uint64_t done, uint64_t total)
{
        uint64_t now = now_usec(CLOCK_MONOTONIC);

        if (c->bus && c->job && (now - c->progress_usec >= PROGRESS_USEC || (total > 0 && done == total))) {
                c->progress_usec = now;
                if (sd_bus_emit_signal(c->bus, WORKER_OBJECT, WORKER_INTERFACE, "Progress", "tt", done,
                                       total) >= 0)
                        (void)sd_bus_flush(c->bus);
        }
        return ctx_check_cancelled(c);
}

static int open_changed(Ctx *c)
{
        int r;

        if (c->changed)
                return 0;
        r = sd_bus_message_new_signal(c->bus, &c->changed, WORKER_OBJECT, WORKER_INTERFACE, "Volumes");
        if (r >= 0)
                r = sd_bus_message_open_container(c->changed, 'a', "(" VOLUME_SIGNATURE ")");
        return r;
}

/* Ends the array of records and puts the vanished names behind it. */
static int close_changed(Ctx *c)
{
        int r;

        r = open_changed(c);
        if (r >= 0)
                r = sd_bus_message_close_container(c->changed);
        if (r >= 0)
                r = sd_bus_message_append_strv(c->changed, c->vanished);
        return r;
}

static void forget_found(Ctx *c)
{
        c->changed = sd_bus_message_unref(c->changed);
        strv_free(c->vanished);
        c->vanished = NULL;
        c->n_changed = c->n_vanished = 0;
}

int ctx_send_found(Ctx *c)
{
        int r;

        if (c->n_changed + c->n_vanished == 0)
                return 0;
        r = close_changed(c);
        if (r < 0)
                return error_set_errno(&c->error, r, "Cannot build a list of volumes");
        r = send_now(c, c->changed);
        forget_found(c);
        return r;
}

/* Many records go ahead of the reply, a batch at a time. */
static int stream_when_full(Ctx *c)
{
        return c->n_changed + c->n_vanished < RECORDS_PER_MESSAGE ? 0 : ctx_send_found(c);
}

int ctx_volume(Ctx *c, const VolumeInfo *v)
{
        int r;

        r = open_changed(c);
        if (r >= 0)
                r = volume_append_to_message(v, c->changed);
        if (r < 0)
                return error_set_errno(&c->error, r, "Cannot tell of volume %s", v->name);
        c->n_changed++;
        return stream_when_full(c);
}

int ctx_result(Ctx *c, const char *key, const char *value)
{
        int r = c->result ? bag_set_string(c->result, key, value) : 0;

        return r < 0 ? error_set_errno(&c->error, r, "Cannot tell the result") : 0;
}

int ctx_result_u64(Ctx *c, const char *key, uint64_t value)
{
        int r = c->result ? bag_set_u64(c->result, key, value) : 0;

        return r < 0 ? error_set_errno(&c->error, r, "Cannot tell the result") : 0;
}

int ctx_vanished(Ctx *c, const char *name)
{
        char **l;

        l = reallocarray(c->vanished, c->n_vanished + 2, sizeof(char *));
        if (!l)
                return error_set(&c->error, ERROR_NO_MEMORY, "out of memory");
        c->vanished = l;
        l[c->n_vanished] = strdup(name);
        if (!l[c->n_vanished])
                return error_set(&c->error, ERROR_NO_MEMORY, "out of memory");
        l[++c->n_vanished] = NULL;
        return stream_when_full(c);
}

int ctx_append_found(Ctx *c, sd_bus_message *reply)
{
        int r;

        if (!c->changed && !c->vanished)
                return sd_bus_message_append(reply, "a(" VOLUME_SIGNATURE ")as", 0, 0);
        r = close_changed(c);
        if (r >= 0)
                r = sd_bus_message_seal(c->changed, 1, 0);
        if (r >= 0)
                r = sd_bus_message_copy(reply, c->changed, true);
        return r;
}

static int add_sync_item(SyncRound *s, int fd, size_t *ret)
{
        struct stat st;
        int copy;

        if (fstat(fd, &st) < 0)
                return -errno;
        for (size_t i = 0; i < s->n_items; i++)
                if (s->items[i].device == st.st_dev && s->items[i].inode == st.st_ino) {
                        *ret = i;
                        return 0;
                }
        if (s->n_items == s->n_allocated) {
                size_t n = MAX(16u, 2 * s->n_allocated);
                SyncItem *items = reallocarray(s->items, n, sizeof(SyncItem));

                if (!items)
                        return -ENOMEM;
                s->items = items;
                s->n_allocated = n;
        }
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (copy < 0)
                return -errno;
        s->items[s->n_items] = (SyncItem){ .fd = copy, .device = st.st_dev, .inode = st.st_ino };
        *ret = s->n_items++;
        return 0;
}

int ctx_sync_later(Ctx *c, int fd)
{
        size_t item = 0, *l;
        int r;

        if (!c->sync)
                return 0;
        r = add_sync_item(&c->syncs, fd, &item);
        if (r < 0)
                return error_set_errno(&c->error, r, "Cannot make the change durable");
        l = reallocarray(c->sync_items, c->n_sync_items + 1, sizeof(size_t));
        if (!l)
                return error_set(&c->error, ERROR_NO_MEMORY, "out of memory");
        c->sync_items = l;
        l[c->n_sync_items++] = item;
        return 0;
}

void sync_round_run(SyncRound *s)
{
        for (size_t i = 0; i < s->n_items; i++) {
                s->items[i].result = fsync(s->items[i].fd) < 0 ? -errno : 0;
                /* Before the answer goes out: who hears it finds the file in nobody's use. */
                s->items[i].fd = safe_close(s->items[i].fd);
        }
}

void sync_round_done(SyncRound *s)
{
        for (size_t i = 0; i < s->n_items; i++)
                safe_close(s->items[i].fd);
        s->n_items = 0;
}

void ctx_begin(Ctx *c, const char *volume, bool sync)
{
        c->volume = volume;
        c->sync = sync;
        c->needs_job = c->ready = false;
        c->progress_usec = 0;
}

void ctx_end(Ctx *c)
{
        error_done(&c->error);
        c->error = ERROR_NULL;
        forget_found(c);
        c->kept_fd = safe_close(c->kept_fd);
        free(c->sync_items);
        c->sync_items = NULL;
        c->n_sync_items = 0;
        c->volume = "";
}

void ctx_done(Ctx *c)
{
        ctx_end(c);
        sync_round_done(&c->syncs);
        free(c->syncs.items);
        intents_forget(c);
        c->lock_fd = safe_close(c->lock_fd);
        free(c->pool);
        free(c->uuid);
        free(c->state_directory);
        free(c->runtime_directory);
        free(c->job_id);
        bag_free(c->options);
        error_done(&c->load_error);
        sd_bus_flush_close_unref(c->bus);
}
