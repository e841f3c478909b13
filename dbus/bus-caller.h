/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who sent a message: the uid of each unique name, asked of the bus once and kept until the name goes. Never
 * from /proc, and never by a call that waits. */
#pragma once

#include <systemd/sd-bus.h>

#include "util/error.h"

typedef struct Callers Callers;

/* Called when a peer has left the bus, after its uid has been forgotten. */
typedef void (*caller_gone_t)(const char *name, void *userdata);

int callers_new(sd_bus *bus, caller_gone_t gone, void *userdata, Callers **ret);
void callers_free(Callers *c);
DEFINE_CLEANUP(Callers *, callers_free)

/* 1: *ret is the sender's uid. 0: the bus is being asked; the message is held and will be dispatched again,
 * its handler returns 1. Negative: AccessDenied for a message without a sender, LimitsExceeded when too many
 * are held. */
int callers_resolve(Callers *c, sd_bus_message *m, uid_t *ret, Error *e);
