/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The times of the calls that one client makes in a measurement, and how they are told to the harness. */
#pragma once

#include "util/macro.h"

typedef struct Samples {
        double *usec;
        size_t n, allocated;
        uint64_t begin_nsec, end_nsec; /* CLOCK_MONOTONIC, of the first call and the last */
} Samples;

/* Says "ready" on stdout and waits for a line on stdin: clients that run at once set out together. */
void samples_gate(void);

/* Whether the harness has closed stdin: the end of a measurement that lasts as long as something else does.
 */
bool samples_stopped(void);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t samples_now(void);

/* Adds what has begun at `begin_nsec` and ends now. Ends the process when memory is short. */
void samples_add(Samples *s, uint64_t begin_nsec);

/* Prints the samples as one line of JSON, {"begin": ns, "end": ns, "count": n, "usec": [...]}, where count
 * is what the call counted (volumes listed), and frees them. */
void samples_print(Samples *s, size_t count);

/* Ends the process with a message. */
void samples_fail(const char *what, const char *why) __attribute__((noreturn));
