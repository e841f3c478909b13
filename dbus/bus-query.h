/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions that a pool's session worker answers and that make no job: the reply is sent when the answer
 * comes. */
#pragma once

#include "bus-call.h"

/* Makes the reply from the answer. The pool is still there; whether the volume is has to be looked up again.
 */
typedef int (*query_answer_t)(sd_bus_message *call, Pool *p, const char *volume, const Bag *result,
                              Error *e);

/* Sends the question; args (may be NULL) are taken. Returns what the handler returns. Errors: PoolInactive,
 * SourceUnreachable, and those of the worker. */
int query_ask(Call *c, Pool *p, const char *operation, const char *volume, Bag *args, query_answer_t answer,
              sd_bus_error *ret_error);

/* 0, or the error for a pool that cannot be asked now. */
int query_check_pool(const Pool *p, sd_bus_error *ret_error);

/* The pool goes: what was asked of it is answered with PoolInactive. p NULL: every pool. */
void query_drop(Bus *b, const Pool *p);
