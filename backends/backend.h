/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The contract between a pool type and the worker that runs it. A backend is synchronous, straight-line code in a process
 * of its own: it may block, it may be killed at any instruction, and the next start must find the old or the new state. */
#pragma once

#include "util/option.h"
#include "util/volume-info.h"

typedef struct Ctx Ctx;

typedef enum BackendFeature {
        FEATURE_BUILD = 1 << 0,
        FEATURE_DELETE = 1 << 1, /* pool delete */
        FEATURE_CREATE = 1 << 2,
        FEATURE_RESIZE = 1 << 3,
        FEATURE_SHRINK = 1 << 4,
        FEATURE_CLONE = 1 << 5,
        FEATURE_VOLUME_DELETE = 1 << 6,
        FEATURE_WATCH = 1 << 7,
        FEATURE_DISCOVER = 1 << 8,
        FEATURE_USER_MODE = 1 << 9, /* works without the system service */
        FEATURE_DECLARE = 1 << 10,  /* volumes remember a format */
        FEATURE_OPEN = 1 << 11,
        FEATURE_NBD = 1 << 12,
        FEATURE_TRANSFER = 1 << 13, /* upload and download */
        FEATURE_IMPORT = 1 << 14,   /* and export */
        FEATURE_COPY = 1 << 15,     /* lends volumes to other pools, and makes copies of what they lend */
        FEATURE_RENAME = 1 << 16,
        FEATURE_CONVERT = 1 << 17, /* in place */
        FEATURE_REBASE = 1 << 18,  /* and flatten */
        FEATURE_WIPE = 1 << 19,
        FEATURE_SNAPSHOT = 1 << 20,
        FEATURE_ATTACHMENT = 1 << 21,
        FEATURE_BLOCK = 1 << 22, /* volumes are block devices, else files */
} BackendFeature;

#define IMAGE_CHAIN_MAX 12u

/* One image and the format that it is used as. */
typedef struct ImageNode {
        int fd;
        ImageFormat format;
} ImageNode;

/* A volume that is lent for reading, to a worker of another pool or to a tool: its image and what that stands on, outermost
 * first. The descriptors hold QEMU's own locks (file/use.h), so nobody begins to write while one of them is open. */
typedef struct VolumeSource {
        char *name; /* in its own pool, for messages */
        ImageNode nodes[IMAGE_CHAIN_MAX];
        size_t n;
        uint64_t capacity, allocation; /* bytes; allocation: what a copy is likely to take */
        bool undeclared; /* used as raw, but looks like an image that nobody declared: to be copied as it is only */
} VolumeSource;

void volume_source_done(VolumeSource *s); /* source.c; closes */
#define _cleanup_source_ _cleanup_(volume_source_done)

typedef enum SnapshotAction {
        SNAPSHOT_CREATE,
        SNAPSHOT_REVERT,
        SNAPSHOT_DELETE,
} SnapshotAction;

typedef struct Backend {
        const char *name;
        const char *summary; /* one line, for `poolctl backends` and the man page */
        uint32_t features;
        const OptionSpec *pool_options; /* without the common ones */
        size_t n_pool_options;
        const OptionSpec *volume_options; /* without the common ones */
        size_t n_volume_options;
        const ImageFormat *formats; /* that may be listed; ends with FORMAT_NONE */
        const ImageFormat *create_formats;
        const int *capabilities; /* CAP_* that its workers keep, ends with -1 */

        int (*available)(Ctx *c); /* 0, or an error that says what is missing */
        int (*build)(Ctx *c, bool overwrite);
        int (*start)(Ctx *c); /* idempotent; adopts what is already up */
        int (*stop)(Ctx *c);
        int (*delete)(Ctx *c);
        /* Sends every volume that differs from `snapshot` (-EBADF: all of them) with ctx_volume() and ctx_vanished(), and
         * hands back a new sealed memfd for the next refresh (-EBADF: none). One bad entry never fails it. */
        int (*refresh)(Ctx *c, int snapshot, int *ret_snapshot);
        int (*volume_create)(Ctx *c, const char *name, uint64_t capacity, const Bag *options, uid_t creator);
        /* `transfer` holds the call's own words (linked, force-share, bandwidth), `options` those of the new volume. */
        int (*volume_clone)(Ctx *c, const char *name, const char *source, uint64_t capacity,
                            const Bag *transfer, const Bag *options, uid_t creator);
        int (*volume_resize)(Ctx *c, const char *name, uint64_t capacity, bool shrink, bool allocate);
        /* From now on the volume has this format. Refused where its header says something else. */
        int (*volume_declare)(Ctx *c, const char *name, ImageFormat format);
        /* `dependents`: the volumes that may go with it, each after the one that it stands on; NULL: none. */
        int (*volume_delete)(Ctx *c, const char *name, char *const *dependents);
        int (*volume_stat)(Ctx *c, const char *name);           /* ctx_volume() or ctx_vanished() */
        int (*volume_info)(Ctx *c, const char *name, Bag *ret); /* details, see volume_to_xml() */
        int (*volume_access)(Ctx *c, const char *name, uid_t uid, bool *ret_allowed, char **ret_reason);
        /* `options` of the rest are those of protocol.h. All return only when what they tell of is done. */
        int (*volume_open)(Ctx *c, const char *name, const Bag *options,
                           Bag *result); /* never needs a job */
        int (*volume_lend)(Ctx *c, const char *name, const Bag *options,
                           VolumeSource *ret); /* never needs a job */
        int (*volume_copy)(Ctx *c, const char *name, const VolumeSource *source, uint64_t capacity,
                           const Bag *transfer, const Bag *options, uid_t creator);
        /* fd: of the caller, checked already; the backend does not close it. */
        int (*volume_upload)(Ctx *c, const char *name, int fd, const Bag *options);
        int (*volume_download)(Ctx *c, const char *name, int fd, const Bag *options);
        int (*volume_import)(Ctx *c, const char *name, int fd, const Bag *transfer, const Bag *options,
                             uid_t creator);
        int (*volume_export)(Ctx *c, const char *name, int fd, const Bag *options);
        int (*volume_rename)(Ctx *c, const char *name, const char *new_name);
        int (*volume_convert)(Ctx *c, const char *name, ImageFormat format, const Bag *options);
        int (*volume_rebase)(Ctx *c, const char *name, const char *backing,
                             const Bag *options); /* NULL: flatten */
        int (*volume_wipe)(Ctx *c, const char *name, const char *algorithm, const Bag *options);
        int (*volume_snapshot)(Ctx *c, const char *name, SnapshotAction action, const char *snapshot,
                               const Bag *options);
        int (*volume_endpoint)(Ctx *c, const char *name, bool read_only, Bag *result);
        int (*volume_attachment)(Ctx *c, const char *name, Bag *result); /* never needs a job */
        int (*watch)(Ctx *c, int *ret_fd); /* an inotify descriptor that the daemon reads */
        int (*space)(Ctx *c, uint64_t *ret_capacity, uint64_t *ret_allocation, uint64_t *ret_available);
        int (*undo)(Ctx *c, const char *step, const char *argument);
} Backend;

/* A module exports exactly this symbol. */
extern const Backend poolkeeper_backend;

/* ---- what the worker gives to a backend (worker.c) ---- */

const char *ctx_pool_name(const Ctx *c);
const char *ctx_pool_uuid(const Ctx *c);
const Bag *ctx_options(const Ctx *c); /* the pool's definition */
bool ctx_user_mode(const Ctx *c);
const char *ctx_state_directory(const Ctx *c);
const char *ctx_job_id(const Ctx *c); /* for marks and temporary names; "" in a session worker */
bool ctx_sync(const Ctx *c);          /* false: the caller gave up durability */
Error *ctx_error(Ctx *c);             /* where the running operation puts its error */

/* Keeps a descriptor (the pool's directory, say) until the operation and the look at the space behind it have ended: a
 * backend need not open it again. false: it stays the caller's. */
bool ctx_keep_fd(Ctx *c, int fd);
int ctx_kept_fd(const Ctx *c); /* -EBADF: none */

/* In a session worker: -EREMOTE, to be returned at once, and the operation will come again in a job worker; there: 0.
 * To be called before the first side effect of anything that starts a process or may be long. */
int ctx_need_job(Ctx *c);
/* Checks are done, the caller may have its job path. */
void ctx_ready(Ctx *c);
/* The cancellation point: -ECANCELED with the error set when the job was cancelled. total 0: not known. */
int ctx_progress(Ctx *c, uint64_t done, uint64_t total);

int ctx_volume(Ctx *c, const VolumeInfo *v); /* found, made or changed */
int ctx_vanished(Ctx *c, const char *name);

/* A word for the job's result, beside what every job tells: "method" of a clone, for one. */
int ctx_result(Ctx *c, const char *key, const char *value);
int ctx_result_u64(Ctx *c, const char *key, uint64_t value);

/* Descriptors to make durable before the operation's success is told; several operations that wait in a session worker's
 * queue share one round of fsync(). Takes a duplicate. */
int ctx_sync_later(Ctx *c, int fd);

/* Undo intents, on disk before they return. A worker that dies has them replayed, last first, through Backend.undo; not
 * one that was only asked a question: volume_stat, volume_info, volume_access, volume_open, volume_endpoint and
 * volume_attachment write none. */
int ctx_intent(Ctx *c, const char *step, const char *argument);
void ctx_intents_done(Ctx *c);

/* ---- tools (command.c, sandbox.c) ---- */

#define COMMAND_FDS_MAX 16u
#define COMMAND_FD_NUMBERS 64

typedef struct CommandFd {
        int fd;     /* ours */
        int number; /* in the tool: over 2, less than COMMAND_FD_NUMBERS */
} CommandFd;

/* A tool that serves a client. */
typedef struct CommandServer {
        int listener; /* a listening socket, which the tool gets by LISTEN_FDS; see sd_listen_fds(3) */
        int reserve;  /* another connection to it: the tool is ended when it turns to this one */
} CommandServer;

typedef struct Command {
        const char *const *argv; /* argv[0] is found in the tool path; no shell */
        const CommandFd *fds;
        size_t n_fds;
        const void *input; /* standard input, NULL: /dev/null */
        size_t input_size;
        bool sandbox; /* an image tool on hostile data: see sandbox.h */
        bool skip_sync; /* with sandbox: its fsync() does nothing; for an image that nobody sees before the worker
                                    has synced it */
        uint64_t output_size_max; /* RLIMIT_FSIZE of the tool, 0: no limit */
        unsigned timeout_sec;     /* 0: 60 s */
        void (*output_line)(Ctx *c, const char *line, void *userdata); /* for progress; NULL: collected */
        void *userdata;
        const CommandServer *server; /* with sandbox, NULL: it serves nobody. A server has no timeout, and
                                        `fds` are closed as soon as it has them */
} Command;

/* Runs it to its end, LC_ALL=C.UTF-8, own process group, dies with the worker. *ret_output (may be NULL) is its standard
 * output, at most 1 MiB. A tool that fails gives Failed with its own last line of stderr; cancel ends it with Cancelled. */
int command_run(Ctx *c, const Command *command, char **ret_output);
bool command_exists(const char *tool);

/* A filter: its standard input is `from` and its standard output `to`, one of which is usually the end of a pipe that the
 * worker serves meanwhile; nobody waits for it until command_finish(), which gives what command_run() would. What it has to
 * say on stderr is little. *command stays until then, and its timeout begins then. */
typedef struct CommandRun CommandRun;
int command_start(Ctx *c, const Command *command, int from, int to, CommandRun **ret);
int command_finish(CommandRun *run); /* frees it */
void command_stop(CommandRun *run);  /* NULL is fine. Ends the tool, frees it */
DEFINE_CLEANUP(CommandRun *, command_stop)

/* Starts a sandboxed tool that serves one client and speaks first, as an NBD server does, and hands back a connection on
 * which it has spoken: what it was given could be opened. Of *command, argv, fds and output_size_max count. The tool runs in
 * a unit of its own, where systemd runs nothing in a session of its own; it ends with the client, not with the worker or the
 * service. endpoint.c; ctx_need_job() comes before. */
int command_serve(Ctx *c, const Command *command, int *ret_socket);
