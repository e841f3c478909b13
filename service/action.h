/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One thing that polkit is asked: the action, and what rules can look up. All details come from the daemon's
 * state. */
#pragma once

#include "request.h"

int action_check_add(ActionCheck *c, const char *key, const char *value);
int action_check_add_number(ActionCheck *c, const char *key, uint64_t value);
