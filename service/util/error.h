/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors with a name: what a caller on the bus sees is decided where the error is found. */
#pragma once

#include "macro.h"

/* Every error of the interface, its D-Bus name and the errno that stands for it inside the program.
 * Names without a prefix are org.example.Storage.Error.NAME, see org.example.Storage(5). */
#define ERROR_KINDS(X)                                                                          \
        X(NO_SUCH_POOL, "org.example.Storage.Error.NoSuchPool", ENOENT)                         \
        X(NO_SUCH_VOLUME, "org.example.Storage.Error.NoSuchVolume", ENOENT)                     \
        X(NO_SUCH_JOB, "org.example.Storage.Error.NoSuchJob", ENOENT)                           \
        X(NO_SUCH_SECRET, "org.example.Storage.Error.NoSuchSecret", ENOKEY)                     \
        X(POOL_EXISTS, "org.example.Storage.Error.PoolExists", EEXIST)                          \
        X(VOLUME_EXISTS, "org.example.Storage.Error.VolumeExists", EEXIST)                      \
        X(DUPLICATE_SOURCE, "org.example.Storage.Error.DuplicateSource", ENOTUNIQ)              \
        X(POOL_ACTIVE, "org.example.Storage.Error.PoolActive", EISCONN)                         \
        X(POOL_INACTIVE, "org.example.Storage.Error.PoolInactive", ENOTCONN)                    \
        X(BUSY, "org.example.Storage.Error.Busy", EBUSY)                                        \
        X(IN_USE, "org.example.Storage.Error.InUse", ETXTBSY)                                   \
        X(INVALID_NAME, "org.example.Storage.Error.InvalidName", EINVAL)                        \
        X(INVALID_DEFINITION, "org.example.Storage.Error.InvalidDefinition", EBADMSG)           \
        X(BACKEND_UNAVAILABLE, "org.example.Storage.Error.BackendUnavailable", ENOPKG)          \
        X(NOT_SUPPORTED, "org.example.Storage.Error.NotSupported", EOPNOTSUPP)                  \
        X(SOURCE_UNREACHABLE, "org.example.Storage.Error.SourceUnreachable", EHOSTUNREACH)      \
        X(SOURCE_AUTHENTICATION_FAILED, "org.example.Storage.Error.SourceAuthenticationFailed", \
          EKEYREJECTED)                                                                         \
        X(NO_SPACE, "org.example.Storage.Error.NoSpace", ENOSPC)                                \
        X(WOULD_OVERWRITE, "org.example.Storage.Error.WouldOverwrite", EUCLEAN)                 \
        X(NOT_CLUSTER_SAFE, "org.example.Storage.Error.NotClusterSafe", EXDEV)                  \
        X(TIMED_OUT, "org.example.Storage.Error.TimedOut", ETIMEDOUT)                           \
        X(CANCELLED, "org.example.Storage.Error.Cancelled", ECANCELED)                          \
        X(WORKER_CRASHED, "org.example.Storage.Error.WorkerCrashed", EPIPE)                     \
        X(CORRUPT, "org.example.Storage.Error.Corrupt", EILSEQ)                                 \
        X(CHANGED, "org.example.Storage.Error.Changed", ESTALE)                                 \
        X(FAILED, "org.example.Storage.Error.Failed", EIO)                                      \
        X(INVALID_ARGS, "org.freedesktop.DBus.Error.InvalidArgs", EINVAL)                       \
        X(ACCESS_DENIED, "org.freedesktop.DBus.Error.AccessDenied", EACCES)                     \
        X(INTERACTIVE, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", EPERM)    \
        X(UNKNOWN_OBJECT, "org.freedesktop.DBus.Error.UnknownObject", ENOENT)                   \
        X(LIMITS_EXCEEDED, "org.freedesktop.DBus.Error.LimitsExceeded", EDQUOT)                 \
        X(NO_MEMORY, "org.freedesktop.DBus.Error.NoMemory", ENOMEM)

typedef enum ErrorKind {
        ERROR_NONE,
#define X(kind, name, number) ERROR_##kind,
        ERROR_KINDS(X)
#undef X
                _ERROR_MAX,
} ErrorKind;

/* Initialise with ERROR_NULL; the message is owned. */
typedef struct Error {
        ErrorKind kind;
        char *message;
} Error;

#define ERROR_NULL ((Error){ .kind = ERROR_NONE })

/* Sets *e (which may be NULL, and keeps its first error when it already has one). The message says what was
 * wrong, with which object, and what to do. Returns the negative errno of the kind, to be returned on. */
int error_set(Error *e, ErrorKind kind, const char *format, ...) _printf_(3, 4);

/* The same for a failed system call: picks the kind from the (positive or negative) errno (ENOSPC and
 * EDQUOT: NoSpace, EACCES and EPERM: AccessDenied, ENOMEM: NoMemory, ETIMEDOUT: TimedOut, ECANCELED:
 * Cancelled, EOPNOTSUPP: NotSupported, else Failed) and adds ": " and its text to the message. Returns the
 * negative errno of the kind. */
int error_set_errno(Error *e, int error, const char *format, ...) _printf_(3, 4);

/* Moves *from to *to (to may be NULL, then it is freed); leaves *from empty. */
void error_move(Error *to, Error *from);
void error_done(Error *e);
int error_errno(const Error *e);

const char *error_kind_to_name(ErrorKind kind);   /* the D-Bus error name; NULL for ERROR_NONE */
ErrorKind error_kind_from_name(const char *name); /* ERROR_FAILED for a name that is not ours */

#define _cleanup_error_ _cleanup_(error_done)
