/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks polkit without waiting. A method handler that needs an authorisation calls polkit_check(); when the
 * verdict is not there yet it returns, and is run again from its top with the same message once it is: it
 * then looks everything up anew, so that nothing it held in its hands before can have gone stale
 * (CVE-2020-1712). */
#pragma once

#include <systemd/sd-bus.h>

#include "util/error.h"

#define POLKIT_ACTION_PREFIX "org.example.Storage."

/* dbus-daemon lets a connection wait for 128 replies at once on the system bus (max_replies_per_connection), and refuses
 * what is more: a refused question would be a denial. So this is what all users share, and no uid can take it all. */
#define POLKIT_OPEN_TOTAL 96u        /* questions at once, the rest queue ... */
#define POLKIT_INTERACTIVE_TOTAL 48u /* ... of which so many may show a dialogue */
#define POLKIT_OPEN_MAX 32u          /* the same for one uid */
#define POLKIT_INTERACTIVE_MAX 4u
#define POLKIT_QUEUED_MAX 1024u /* of one uid may queue */
#define POLKIT_REPEATS_MAX \
        3u /* times that an action of a message is asked again since its details changed */

typedef struct Polkit Polkit;

typedef enum PolkitVerdict {
        POLKIT_NO,
        POLKIT_CHALLENGE, /* would be allowed to who answers a password dialogue */
        POLKIT_YES,
} PolkitVerdict;

/* The bus must have an event loop attached. */
int polkit_new(sd_bus *bus, Polkit **ret);
void polkit_free(Polkit *p); /* open questions are dropped; their callers get no answer */
DEFINE_CLEANUP(Polkit *, polkit_free)

/* May the sender of m, which runs as `caller`, do `action` (without prefix) with these details
 * (NULL-terminated pairs key, value; NULL: none)? 1: yes. 0: polkit is being asked, the handler returns 1
 * without any side effect and will run again. Negative: AccessDenied (also when polkit is absent or fails),
 * InteractiveAuthorizationRequired, Changed, LimitsExceeded. Root and our own uid pass at once. A verdict
 * holds for this message, this action and exactly these details. */
int polkit_check(Polkit *p, sd_bus_message *m, uid_t caller, const char *action, char *const *details,
                 Error *e);

/* The same, but tells the verdict: 1: *ret is set. 0: asked, the handler will run again. Negative: Changed,
 * LimitsExceeded. Without `interactive` no dialogue is shown whatever the message allows. */
int polkit_ask(Polkit *p, sd_bus_message *m, uid_t caller, const char *action, char *const *details,
               bool interactive, PolkitVerdict *ret, Error *e);

/* The peer with this unique name has left: its questions are dropped and free their places. */
void polkit_caller_gone(Polkit *p, const char *name);
