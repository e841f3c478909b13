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

static int on_idle(sd_event_source *s, uint64_t usec, void *userdata)
{
        Manager *m = userdata;

        if (is_idle(m) && now_usec(CLOCK_MONOTONIC) - m->last_activity_usec >= m->config.idle_usec) {
                log_info("Nothing is active, leaving; the next call starts the service again");
                m->on_exit(m, m->on_exit_data);
        } else
                manager_touch(m);
        return 0;
}

void manager_touch(Manager *m)
{
        m->last_activity_usec = now_usec(CLOCK_MONOTONIC);
        if (m->config.idle_usec == 0 || !m->on_exit || m->stopping)
                return;
        if (m->idle_source) {
                if (sd_event_source_get_enabled(m->idle_source, NULL) > 0)
                        return;
                (void)sd_event_source_set_time_relative(m->idle_source, m->config.idle_usec);
                (void)sd_event_source_set_enabled(m->idle_source, SD_EVENT_ONESHOT);
        } else
                (void)sd_event_add_time_relative(m->event, &m->idle_source, CLOCK_MONOTONIC,
                                                 m->config.idle_usec, 100000, on_idle, m);
}

static void cancel_all(Manager *m)
{
        Job *next;

        for (Job *j = queue_first(m->queue); j; j = next) {
                next = j->run->next;
                if (j->cancellable)
                        (void)job_cancel(j, NULL);
        }
}

static int on_stop_poll(sd_event_source *s, uint64_t usec, void *userdata)
{
        Manager *m = userdata;
        uint64_t since = usec - m->stop_usec;

        if (queue_n_unfinished(m->queue) == 0 || since > STOP_USEC) {
                m->on_exit(m, m->on_exit_data);
                return 0;
        }
        /* Short operations are not cancellable; after their time they end with their worker. */
        if (since > SHORT_OPERATIONS_USEC)
                cancel_all(m);
        (void)sd_event_source_set_time_relative(s, STOP_POLL_USEC);
        return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

void manager_stop(Manager *m)
{
        if (m->stopping)
                return;
        m->stopping = true;
        m->stop_usec = now_usec(CLOCK_MONOTONIC);
        cancel_all(m);
        if (sd_event_add_time_relative(m->event, &m->stop_source, CLOCK_MONOTONIC, 0, 0, on_stop_poll, m) <
            0)
                m->on_exit(m, m->on_exit_data);
}
