/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that start a job, and the wait for its end. */
#pragma once

#include "call.h"

/* Calls a method that answers with a job (as its last path), `types` and what follows being the arguments
 * before the options.
 * - With --no-wait the job's path is printed.
 * - On a terminal the job is watched with a progress bar; Ctrl-C cancels it, and off a terminal too when the
 *   method moves our data.
 * - Else the service is told to hold its answer to the end.
 * The method's options, which must be there, get "wait" and "sync" as needed. ret_result (may be NULL) is
 * the job's Result, NULL with --no-wait. */
int run_job(Poolctl *p, const Method *method, json_object **ret_result, Error *e, const char *types, ...);
int run_jobv(Poolctl *p, const Method *method, json_object **ret_result, Error *e, const char *types,
             va_list ap);
