/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the end of a job means for its pool. */
#include "recovery.h"
#include "refresh.h"
#include "run-internal.h"
#include "util/log.h"
#include "watcher.h"

/* The directory went, or another came in its place, after the watch began: the scan may have seen either. */
static void check_watcher(Pool *p)
{
        _cleanup_error_ Error e = ERROR_NULL;

        if (p->watcher || !backend_has_feature(p->backend, "watch"))
                return;
        error_set(&e, ERROR_SOURCE_UNREACHABLE,
                  "The directory of pool %s went while the pool was started; it is tried again",
                  pool_name(p));
        pool_failed(p, POOL_UNAVAILABLE, &e);
}

static void pool_started(Job *j, Pool *p, const Error *e)
{
        bool was_up = pool_is_up(p);

        if (!e) {
                recovery_cancel(p);
                log_line(LOG_INFO,
                         (LogFields){ .message_id = was_up ? MESSAGE_POOL_RECOVERED : MESSAGE_POOL_STARTED,
                                      .pool = pool_name(p),
                                      .caller = j->caller },
                         "Pool %s is active", pool_name(p));
                pool_set_state(p, POOL_ACTIVE, NULL);
                manager_remember_active(p->manager, p);
                check_watcher(p);
                return;
        }
        watcher_stop(p);
        if (was_up || j->run->internal) {
                pool_set_state(p, e->kind == ERROR_TIMED_OUT ? POOL_UNRESPONSIVE : POOL_UNAVAILABLE, e);
                recovery_schedule(p);
        } else {
                pool_set_state(p, POOL_INACTIVE, e);
                pool_clear_volumes(p);
                manager_pool_went_down(p->manager, p);
        }
}

/* Everything is as it was before; what was not heard meanwhile is looked for. */
static void pool_not_stopped(const Job *j, Pool *p, const Error *e)
{
        pool_set_state(p, j->run->before, e);
        if (p->state == POOL_ACTIVE)
                (void)job_submit_internal(p, OPERATION_POOL_REFRESH, NULL, NULL);
}

static void pool_stopped(Job *j, Pool *p, const Error *e)
{
        _cleanup_error_ Error gone = ERROR_NULL;

        if (e && !bag_get_bool(j->run->steps[0].args, "force", false)) {
                pool_not_stopped(j, p, e);
                return;
        }
        recovery_cancel(p);
        watcher_stop(p);
        error_set(&gone, ERROR_POOL_INACTIVE, "Pool %s was stopped", pool_name(p));
        session_end(p->session, &gone, false);
        pool_clear_volumes(p);
        p->capacity = p->allocation = p->available = 0;
        log_line(
                LOG_INFO,
                (LogFields){ .message_id = MESSAGE_POOL_STOPPED, .pool = pool_name(p), .caller = j->caller },
                "Pool %s is stopped", pool_name(p));
        pool_set_state(p, POOL_INACTIVE, e);
        manager_pool_went_down(p->manager, p); /* p may be gone */
}

static void pool_refreshed(Pool *p, const Error *e)
{
        refresh_abort(p);
        if (p->state != POOL_ACTIVE)
                return;
        if (!e) {
                if (p->error.kind != ERROR_NONE)
                        pool_set_state(p, p->state, NULL);
        } else if (e->kind == ERROR_TIMED_OUT)
                pool_failed(p, POOL_UNRESPONSIVE, e);
        else if (e->kind == ERROR_SOURCE_UNREACHABLE)
                pool_failed(p, POOL_UNAVAILABLE, e);
        else if (e->kind != ERROR_CANCELLED)
                pool_set_state(p, p->state, e);
}

/* A pool that is made for this run goes when its start does not even begin. */
void settle_unstarted(const Job *j)
{
        Pool *p = j->pool ? manager_pool(j->manager, j->pool) : NULL;

        if (p && j->operation == OPERATION_POOL_START && p->state == POOL_INACTIVE && !p->persistent)
                manager_pool_went_down(j->manager, p);
}

void settle_pool(Job *j, const Error *e)
{
        Pool *p = run_pool(j);

        if (!p)
                return;
        switch (j->operation) {
        case OPERATION_POOL_START:
                refresh_abort(p);
                pool_started(j, p, e);
                break;
        case OPERATION_POOL_STOP:
                pool_stopped(j, p, e);
                break;
        case OPERATION_POOL_REFRESH:
                pool_refreshed(p, e);
                break;
        case OPERATION_VOLUME_CREATE:
        case OPERATION_VOLUME_CLONE:
        case OPERATION_VOLUME_RESIZE:
        case OPERATION_VOLUME_DELETE:
        case OPERATION_VOLUME_SET_FORMAT:
        case OPERATION_VOLUME_REFRESH:
        case OPERATION_VOLUME_UPLOAD:
        case OPERATION_VOLUME_DOWNLOAD:
        case OPERATION_VOLUME_IMPORT:
        case OPERATION_VOLUME_EXPORT:
        case OPERATION_VOLUME_RENAME:
        case OPERATION_VOLUME_MOVE:
        case OPERATION_VOLUME_CONVERT:
        case OPERATION_VOLUME_REBASE:
        case OPERATION_VOLUME_FLATTEN:
        case OPERATION_VOLUME_WIPE:
        case OPERATION_SNAPSHOT_CREATE:
        case OPERATION_SNAPSHOT_REVERT:
        case OPERATION_SNAPSHOT_DELETE:
                if (e && e->kind == ERROR_SOURCE_UNREACHABLE)
                        pool_failed(p, POOL_UNAVAILABLE, e);
                break;
        case OPERATION_POOL_BUILD:
        case OPERATION_POOL_DELETE:
        case OPERATION_DISCOVER:
        case OPERATION_POOL_CONVERT:
        case _OPERATION_MAX:
        case _OPERATION_INVALID:
                break;
        }
}
