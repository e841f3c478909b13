/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polkit's text agent, which asks for a password where no desktop does. */
#pragma once

/* Starts pkttyagent(1) beside a poolctl that is not root's and has a terminal, and waits until it is there.
 * Without it, or without the tool, the service's refusal is what the user sees. It ends with this process. */
void agent_open(void);

/* Ends it, before this process becomes another program. */
void agent_close(void);
