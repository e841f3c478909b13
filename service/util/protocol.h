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
 *   clone       source s (volume name), capacity t, linked b (an overlay), force-share b, bandwidth t, options a{sv},
 *               creator u -> method s, space                                           changed: the new volume
 *   resize      capacity t, shrink b, allocate b -> space
 *   declare     format s -> space                                                   changed: the volume
 *   remove      names as (volumes backed by it that go too, each after its base) -> space   vanished: what went
 *   stat        names as -> space                                                   changed, vanished: as found now
 *   info        {} -> details a{sv}
 *   open        read-only s (yes, no, auto), kind s (regular, block; absent: either)
 *               -> fd h, type s (regular, block), read-only b
 *   lend        force-share b -> source a{sv}: name s, capacity t, allocation t, undeclared b,
 *               nodes aa{sv} (fd h, format s; outermost first)
 *   copy        source a{sv} (of a lend, in whichever pool), capacity t (UINT64_MAX: that of the source),
 *               options a{sv} (of the volume), creator u, bandwidth t -> method s, space      changed: the new volume
 *   upload      fd h, offset t, length t (UINT64_MAX: to the end of fd), sparse b (zeros become holes), grow b, atomic b,
 *               checksum b, sha256 s (expected), bandwidth t (bytes per second, 0: no limit)
 *               -> bytes t, sha256 s, method s (reflink, copy, stream), space
 *   download    fd h, offset t, length t (UINT64_MAX: to the end of the volume), sparse b, checksum b, bandwidth t
 *               -> bytes t, sha256 s, method s
 *   import      fd h, transfer a{sv}: source-format s (absent: probed), compression s (none, gzip, xz, zstd), limit t (most
 *               bytes that the volume may have), checksum b, sha256 s, bandwidth t; options a{sv} (of the volume),
 *               creator u -> bytes t, sha256 s, space                                  changed: the new volume
 *   export      fd h, format s (absent: as stored), compression s (none, gzip, zstd), checksum b, bandwidth t,
 *               force-share b
 *               -> bytes t, sha256 s (both of what was written)
 *   rename      name s -> space                                                  vanished: the old, changed: the new
 *   convert     format s, options a{sv} (of the volume), bandwidth t -> method s, space   changed: the volume
 *   rebase      backing s ("": flatten), bandwidth t -> space                             changed: the volume
 *   wipe        algorithm s, write b (overwrite, where zero could discard) -> space       changed: the volume
 *   snapshot    action s (create, revert, delete), snapshot s -> space                    changed: the volume
 *   endpoint    read-only b, caller u (uid whose limit it counts for) -> fd h (a connected NBD client socket), export s
 *   attachment  {} -> nodes aa{sv}, outermost first: format s, protocol a{sv} (members of a qemu -blockdev protocol
 *               node, driver s first), libvirt a{sv} (type s, and what <source> takes)
 *   access      uid u -> allowed b, reason s
 *   watch       {} -> fd h
 *   undo        {} replays what workers that died had begun: on the volume named, or on the whole pool
 */
