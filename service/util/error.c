/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"

#include <stdarg.h>

static const struct {
        const char *name;
        int number;
} kinds[_ERROR_MAX] = {
#define X(kind, name, number) [ERROR_##kind] = { name, number },
        ERROR_KINDS(X)
#undef X
};

const char *error_kind_to_name(ErrorKind kind)
{
        return kind < _ERROR_MAX ? kinds[kind].name : NULL;
}

ErrorKind error_kind_from_name(const char *name)
{
        for (ErrorKind k = ERROR_NONE + 1; k < _ERROR_MAX; k++)
                if (name && streq(kinds[k].name, name))
                        return k;
        return ERROR_FAILED;
}

int error_set(Error *e, ErrorKind kind, const char *format, ...)
{
        if (e && e->kind == ERROR_NONE) {
                va_list ap;

                e->kind = kind;
                va_start(ap, format);
                if (vasprintf(&e->message, format, ap) < 0)
                        e->message = NULL;
                va_end(ap);
        }
        return -kinds[kind].number;
}

static ErrorKind kind_from_errno(int error)
{
        switch (error) {
        case ENOSPC:
        case EDQUOT:
                return ERROR_NO_SPACE;
        case EACCES:
        case EPERM:
                return ERROR_ACCESS_DENIED;
        case ENOMEM:
                return ERROR_NO_MEMORY;
        case ETIMEDOUT:
                return ERROR_TIMED_OUT;
        case ECANCELED:
                return ERROR_CANCELLED;
        case EOPNOTSUPP:
                return ERROR_NOT_SUPPORTED;
        default:
                return ERROR_FAILED;
        }
}

int error_set_errno(Error *e, int error, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        error = abs(error);
        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0)
                text = NULL;
        return error_set(e, kind_from_errno(error), "%s: %s", text ?: "out of memory", strerror(error));
}

void error_move(Error *to, Error *from)
{
        if (!to || to->kind != ERROR_NONE) {
                error_done(from);
                return;
        }
        *to = *from;
        *from = ERROR_NULL;
}

void error_done(Error *e)
{
        free(e->message);
        *e = ERROR_NULL;
}

int error_errno(const Error *e)
{
        return e->kind == ERROR_NONE ? 0 : -kinds[e->kind].number;
}
