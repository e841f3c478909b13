/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ownership helpers: automatic clean-up and explicit hand-over of pointers and descriptors. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_ __attribute__((unused))

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))
#define FOREACH_ELEMENT(i, array) for (typeof(&(array)[0]) i = (array); i < (array) + ELEMENTSOF(array); i++)

#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define MIN(a, b) ((a) < (b) ? (a) : (b))

/* Hands the pointer over and leaves NULL behind, so that the clean-up of this scope does nothing. */
#define TAKE_PTR(p)                   \
        ({                            \
                typeof(p) *_p = &(p); \
                typeof(p) _v = *_p;   \
                *_p = NULL;           \
                _v;                   \
        })

/* Hands the descriptor over and leaves -EBADF behind. */
#define TAKE_FD(fd)              \
        ({                       \
                int *_p = &(fd); \
                int _v = *_p;    \
                *_p = -EBADF;    \
                _v;              \
        })

/* Defines `xp`, a clean-up function for variables of type `type`, that calls `func` on non-NULL values. */
#define DEFINE_CLEANUP(type, func)          \
        static inline void func##p(type *p) \
        {                                   \
                if (*p)                     \
                        func(*p);           \
        }

static inline void freep(void *p)
{
        free(*(void **)p);
}

static inline int safe_close(int fd)
{
        if (fd >= 0) {
                int saved = errno;
                (void)close(fd);
                errno = saved;
        }
        return -EBADF;
}

static inline void closep(int *fd)
{
        safe_close(*fd);
}

DEFINE_CLEANUP(FILE *, fclose)

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

static inline bool streq(const char *a, const char *b)
{
        return strcmp(a, b) == 0;
}

/* NULL equals NULL and nothing else. */
static inline bool streq_ptr(const char *a, const char *b)
{
        return a == b || (a && b && streq(a, b));
}

/* The rest of `s` behind `prefix`, or NULL when it does not start so. */
static inline const char *startswith(const char *s, const char *prefix)
{
        size_t n = strlen(prefix);

        return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

static inline bool isempty(const char *s)
{
        return !s || !*s;
}

/* "yes" or "no", as in our XML and in poolctl. */
static inline const char *yes_no(bool b)
{
        return b ? "yes" : "no";
}

/* Replaces *p by a copy of s (NULL clears it). Returns 0 or -ENOMEM, with *p untouched. */
static inline int free_and_strdup(char **p, const char *s)
{
        char *copy = NULL;

        if (s) {
                copy = strdup(s);
                if (!copy)
                        return -ENOMEM;
        }
        free(*p);
        *p = copy;
        return 0;
}
