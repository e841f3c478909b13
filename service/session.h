/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The short operations of one pool, in order, by one worker that is started when there is something to do
 * and leaves when there has been nothing for a while. */
#pragma once

#include "pool.h"
#include "worker.h"

typedef struct Session Session;
typedef struct SessionCall SessionCall;

int session_new(Pool *p, Session **ret);
void session_free(Session *s); /* unanswered calls are dropped */

/* Queues one operation; args are taken. *ret (may be NULL) is good until the reply. */
int session_call(Session *s, const char *operation, const char *volume, Bag *args, worker_reply_t reply,
                 void *userdata, SessionCall **ret, Error *e);
/* Takes back a call that was not sent yet; false: too late, the reply will come. */
bool session_cancel(SessionCall *c);
bool session_call_is_sent(const SessionCall *c);
/* Lets the worker go, with what is under way answered by e; the next call starts another. cancel: it is not
 * waited for. */
void session_end(Session *s, const Error *e, bool cancel);
