/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions about a volume that its pool's session worker answers and that make no job: the reply is sent when the
 * answer comes. What would be long there is asked of a worker of its own. */
#pragma once

#include "bus-call.h"

#define QUERY_WORKERS_MAX 16u        /* at once */
#define QUERY_WORKERS_PER_UID_MAX 4u /* of these, for one uid other than root's */

/* Makes the reply from the answer. The pool is still there, and the volume, if it was when it was asked for. Descriptors stay the result's. */
typedef int (*query_answer_t)(sd_bus_message *call, Pool *p, const char *volume, const Bag *result,
                              Error *e);

/* Sends the question (see util/protocol.h) after the caller was authorised; args (may be NULL) are taken. Returns what
 * the handler returns. Errors: PoolInactive, SourceUnreachable, NoSuchVolume and Changed when the volume is not the same
 * any more, LimitsExceeded, and those of the worker. */
int query_ask(Call *c, Pool *p, const char *operation, const char *volume, Bag *args, query_answer_t answer,
              sd_bus_error *ret_error);

/* 0, or the error for a pool that cannot be asked now. */
int query_check_pool(const Pool *p, sd_bus_error *ret_error);

/* The pool goes: what was asked of it is answered with PoolInactive. p NULL: every pool. */
void query_drop(Bus *b, const Pool *p);
