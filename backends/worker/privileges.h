/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a worker gives up at its start. See capabilities(7) and PR_SET_PDEATHSIG(2const). */
#pragma once

#include "util/macro.h"

#define CAPABILITY_BIT(capability) (UINT64_C(1) << (capability))

/* Keeps, of the capabilities there are, those of the list (ends with -1) and of the mask `also`, and lets no
 * program that is executed later have others. */
int capabilities_narrow(const int *keep, uint64_t also);

/* Sets the permitted and effective ones to what there is of the mask; ambient: a program that is executed
 * keeps them. */
int capabilities_set(uint64_t permitted, bool ambient);

/* SIGKILL when the process at the other end of the socket, our parent, ends. -ESRCH: it has ended already.
 */
int die_with_peer(int socket);
