/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/pace.h"

#include "util/fileio.h"

#define SECOND_USEC 1000000ull
#define BUCKET_USEC 100000ull
#define CHUNK_MIN 4096u

void pace_init(Pace *p, uint64_t bytes_per_second)
{
        *p = (Pace){ .rate = bytes_per_second };
}

int pace_wait(Ctx *c, Pace *p, uint64_t bytes)
{
        uint64_t now = now_usec(CLOCK_MONOTONIC);

        if (p->rate == 0)
                return 0;
        p->due = MAX(p->due, now - MIN(now, BUCKET_USEC));
        p->due += (uint64_t)((double)bytes * SECOND_USEC / (double)p->rate);
        for (; now < p->due; now = now_usec(CLOCK_MONOTONIC)) {
                int k;

                (void)usleep((useconds_t)MIN(p->due - now, BUCKET_USEC)); /* a signal wakes it */
                k = ctx_progress(c, p->done, p->total);
                if (k < 0)
                        return k;
        }
        return 0;
}

size_t pace_chunk(const Pace *p, size_t max)
{
        uint64_t chunk = p->rate / (SECOND_USEC / BUCKET_USEC) / CHUNK_MIN * CHUNK_MIN;

        return p->rate == 0 ? max : MIN(max, MAX(chunk, (uint64_t)CHUNK_MIN));
}
