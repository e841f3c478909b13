/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way to the service: the system bus, the user's, that of another host, or one with an address. */
#pragma once

#include "poolctl.h"

/* Opens p->bus as --system, --user, --host or --address say, once. */
int poolctl_connect(Poolctl *p, Error *e);

/* Can descriptors cross this connection? Not over ssh. */
bool poolctl_passes_descriptors(Poolctl *p);
