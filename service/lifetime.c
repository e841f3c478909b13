/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When the daemon leaves: on request, with what is under way brought to a safe end, or when there is nothing
 * to do. */
#include "job-run.h"
#include "manager.h"
#include "pool.h"
#include "recovery.h"
#include "util/fileio.h"
#include "util/log.h"

#define SHORT_OPERATIONS_USEC (5ULL * 1000 * 1000)
#define STOP_USEC (18ULL * 1000 * 1000)
#define STOP_POLL_USEC (20ULL * 1000)

static bool is_idle(const Manager *m)
{
        const char *name;
        Pool *p;

        if (queue_n_unfinished(m->queue) > 0)
                return false;
        HASHMAP_FOREACH (name, p, m->pools)
                if (p->state != POOL_INACTIVE || recovery_is_pending(p))
                        return false;
        return true;
}

static int on_idle(sd_event_source *s, uint64_t usec, void *userdata);

static void arm_idle(Manager *m)
{
        uint64_t at = m->last_activity_usec + m->config.idle_usec;

        if (m->idle_source) {
                (void)sd_event_source_set_time(m->idle_source, at);
                (void)sd_event_source_set_enabled(m->idle_source, SD_EVENT_ONESHOT);
        } else
                (void)sd_event_add_time(m->event, &m->idle_source, CLOCK_MONOTONIC, at, 100000, on_idle, m);
}

static int on_idle(sd_event_source *s, uint64_t usec, void *userdata)
{
        Manager *m = userdata;

        if (m->stopping)
                return 0;
        if (!is_idle(m))
                m->last_activity_usec = now_usec(CLOCK_MONOTONIC);
        if (now_usec(CLOCK_MONOTONIC) < m->last_activity_usec + m->config.idle_usec) {
                arm_idle(m);
                return 0;
        }
        log_info("Nothing is active, leaving; the next call starts the service again");
        m->on_exit(m, m->on_exit_data);
        return 0;
}

void manager_touch(Manager *m)
{
        m->last_activity_usec = now_usec(CLOCK_MONOTONIC);
        if (m->config.idle_usec == 0 || !m->on_exit || m->stopping)
                return;
        if (!m->idle_source || sd_event_source_get_enabled(m->idle_source, NULL) == 0)
                arm_idle(m);
}

static bool any(const Job *j, const void *userdata)
{
        return true;
}

/* Short operations are not cancellable; after their time they end with their worker. */
static void end_sessions(Manager *m)
{
        _cleanup_error_ Error e = ERROR_NULL;
        const char *name;
        Pool *p;

        error_set(&e, ERROR_CANCELLED, "The service is shutting down");
        HASHMAP_FOREACH (name, p, m->pools)
                session_end(p->session, &e, true);
}

static int on_stop_poll(sd_event_source *s, uint64_t usec, void *userdata)
{
        Manager *m = userdata;
        uint64_t since = now_usec(CLOCK_MONOTONIC) - m->stop_usec;

        if (queue_n_unfinished(m->queue) == 0 || since > STOP_USEC) {
                m->on_exit(m, m->on_exit_data);
                return 0;
        }
        if (since > SHORT_OPERATIONS_USEC) {
                end_sessions(m);
                queue_cancel(m->queue, any, NULL);
        }
        (void)sd_event_source_set_time_relative(s, STOP_POLL_USEC);
        return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static bool has_not_begun(const Job *j, const void *userdata)
{
        return !j->run->started;
}

void manager_set_closing(Manager *m, bool closing)
{
        m->closing = closing;
        if (closing)
                queue_cancel(m->queue, has_not_begun, NULL);
}

void manager_stop(Manager *m)
{
        if (m->stopping)
                return;
        m->stopping = true;
        m->stop_usec = now_usec(CLOCK_MONOTONIC);
        queue_cancel(m->queue, any, NULL);
        if (sd_event_add_time_relative(m->event, &m->stop_source, CLOCK_MONOTONIC, 0, 0, on_stop_poll, m) <
            0)
                m->on_exit(m, m->on_exit_data);
}
