/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How one event of `poolctl monitor` is printed. */
#pragma once

#include "json.h"

/* `event` has TimeUSec, Event, and as far as they apply Job, Pool, Volume and Data. With JSON_OFF:
 * "12:34:56.789 volume-changed images/web1 Capacity=2147483648"; else one JSON object a line. */
void monitor_line_print(json_object *event, JsonMode mode, FILE *f);
