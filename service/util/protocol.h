/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The private bus between poolkeeperd and poolkeeper-worker: sd-bus peer to peer on descriptor 3 of the
 * worker, which is the server side. Nobody else speaks it, so it may change with any release. */
#pragma once

#define WORKER_FD 3
#define WORKER_OBJECT "/org/example/Storage/Worker"
#define WORKER_INTERFACE "org.example.Storage.Worker"

/* Methods of the worker:
 *   Call(s operation, s volume, a{sv} args) -> a{sv} result, a(VOLUME) changed, as vanished
 * One operation of the table below on `volume` ("" for pool operations). Errors carry the names of error.h.
 * In a session worker, an operation that would be long answers WORKER_ERROR_NEEDS_JOB before any side
 * effect, and the daemon sends it again to a job worker. */
#define WORKER_ERROR_NEEDS_JOB "org.example.Storage.Worker.NeedsJob"

/* Signals of the worker, during a Call:
 *   Ready()                                   checks have passed, work begins: the caller gets its job
 *   Progress(t done, t total)                 bytes; total 0: not known
 *   Volumes(a(VOLUME) changed, as vanished)   what a refresh found to differ
 */

/* Operations and their args -> result. Every Call may also carry "sync" (b, default true) in args. "space" stands for:
 * capacity t, allocation t, available t of the pool.
 *
 *   describe    {} -> backends aa{sv}: name, summary, available b, reason s, features as, formats as (listed),
 *                     create-formats as, capabilities as, pool-options aa{sv}, volume-options aa{sv}
 *   configure   pool s, uuid s, options a{sv} (the definition), user-mode b, state-directory s,
 *               runtime-directory s, job s -> {}
 *               the first call on every worker that serves a pool
 *   start       {} -> space
 *   stop, delete  {} -> {}
 *   build       overwrite b -> space
 *   refresh     snapshot h (of the last refresh, absent at first) -> snapshot h, space
 *   create      capacity t, options a{sv}, creator u -> space                       changed: the new volume
 *   clone       source s (volume name), capacity t, options a{sv}, creator u -> method s, space
 *   resize      capacity t, shrink b, allocate b -> space
 *   declare     format s -> space                                                   changed: the volume
 *   remove      names as (volumes backed by it that go too, each after its base) -> space   vanished: what went
 *   stat        names as -> space                                                   changed, vanished: as found now
 *   info        {} -> details a{sv}
 *   access      uid u -> allowed b, reason s
 *   watch       {} -> fd h
 *   undo        {} replays what workers that died had begun: on the volume named, or on the whole pool
 */
