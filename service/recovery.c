/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recovery.h"

#include "job-run.h"
#include "util/log.h"
#include "watcher.h"

#define FIRST_PAUSE_USEC (250ULL * 1000)
#define LONGEST_PAUSE_USEC (60ULL * 1000 * 1000)

typedef struct Recovery {
        sd_event_source *timer;
        uint64_t pause_usec;
} Recovery;

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Pool *p = userdata;
        _cleanup_error_ Error e = ERROR_NULL;

        if (p->manager->stopping)
                return 0;
        if (job_submit_internal(p, OPERATION_POOL_START, NULL, &e) < 0)
                recovery_schedule(p);
        return 0;
}

void recovery_begin(Pool *p)
{
        if (!p->recovery)
                p->recovery = calloc(1, sizeof(*p->recovery));
        if (job_submit_internal(p, OPERATION_POOL_START, NULL, NULL) < 0)
                recovery_schedule(p);
}

void recovery_schedule(Pool *p)
{
        Recovery *r = p->recovery;

        if (!r)
                r = p->recovery = calloc(1, sizeof(*r));
        if (!r)
                return;
        r->pause_usec = r->pause_usec == 0 ? FIRST_PAUSE_USEC : MIN(r->pause_usec * 2, LONGEST_PAUSE_USEC);
        if (r->timer) {
                (void)sd_event_source_set_time_relative(r->timer, r->pause_usec);
                (void)sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
        } else
                (void)sd_event_add_time_relative(p->manager->event, &r->timer, CLOCK_MONOTONIC,
                                                 r->pause_usec, 0, on_timer, p);
}

void recovery_cancel(Pool *p)
{
        Recovery *r = TAKE_PTR(p->recovery);

        if (!r)
                return;
        sd_event_source_disable_unref(r->timer);
        free(r);
}

bool recovery_is_pending(const Pool *p)
{
        return p->recovery;
}

void pool_failed(Pool *p, PoolState state, const Error *e)
{
        if (p->state != POOL_ACTIVE)
                return;
        log_line(LOG_WARNING,
                 (LogFields){ .message_id = MESSAGE_POOL_UNAVAILABLE,
                              .pool = pool_name(p),
                              .error = error_kind_to_name(e->kind),
                              .caller = (uid_t)-1 },
                 "Pool %s is %s: %s", pool_name(p), pool_state_to_string(state), e->message);
        watcher_stop(p);
        pool_set_state(p, state, e);
        recovery_schedule(p);
}
