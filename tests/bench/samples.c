/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "samples.h"

#include <poll.h>
#include <time.h>

void samples_fail(const char *what, const char *why)
{
        fprintf(stderr, "%s: %s\n", what, why);
        exit(1);
}

uint64_t samples_now(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void samples_gate(void)
{
        char line[16];

        puts("ready");
        (void)fflush(stdout);
        if (!fgets(line, sizeof(line), stdin))
                samples_fail("gate", "the harness is gone");
}

bool samples_stopped(void)
{
        struct pollfd p = { .fd = STDIN_FILENO };

        return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

void samples_add(Samples *s, uint64_t begin_nsec)
{
        uint64_t now = samples_now();

        if (s->n == s->allocated) {
                s->allocated = MAX(s->allocated * 2, (size_t)256);
                s->usec = reallocarray(s->usec, s->allocated, sizeof(s->usec[0]));
                if (!s->usec)
                        samples_fail("samples", strerror(ENOMEM));
        }
        if (s->n == 0)
                s->begin_nsec = begin_nsec;
        s->end_nsec = now;
        s->usec[s->n++] = (double)(now - begin_nsec) / 1000;
}

void samples_print(Samples *s, size_t count)
{
        printf("{\"begin\": %llu, \"end\": %llu, \"count\": %zu, \"usec\": [",
               (unsigned long long)s->begin_nsec, (unsigned long long)s->end_nsec, count);
        for (size_t i = 0; i < s->n; i++)
                printf("%s%.1f", i > 0 ? ", " : "", s->usec[i]);
        puts("]}");
        free(s->usec);
        *s = (Samples){};
}
