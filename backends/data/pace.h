/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A transfer's pace: a token bucket of a tenth of a second. */
#pragma once

#include "backend.h"

typedef struct Pace {
        uint64_t rate;        /* bytes per second, 0: as fast as it goes */
        uint64_t due;         /* CLOCK_MONOTONIC µs: when all bytes so far should have taken */
        uint64_t done, total; /* what ctx_progress() is told while the pace waits; the owner keeps them */
} Pace;

void pace_init(Pace *p, uint64_t bytes_per_second);

/* After `bytes` were moved: sleeps for as long as they were too early. -ECANCELED with the error set. */
int pace_wait(Ctx *c, Pace *p, uint64_t bytes);

/* How much to move at once, at most `max`, so that no sleep is much longer than the bucket. */
size_t pace_chunk(const Pace *p, size_t max);
