/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pool.DumpVolumes: all volumes of a pool as JSON lines in a sealed memfd. It is built a slice at a time
 * from the event loop, kept while the pool does not change and somebody asks now and then, and handed out
 * read-only. */
#pragma once

#include "bus-internal.h"

/* Calls that still wait are answered with PoolInactive. */
void dump_free(Dump *d);
