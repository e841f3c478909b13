/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bags as JSON objects. */
#pragma once

#include <json-c/json.h>

#include "bag.h"

/* Members in the order of the bag; a descriptor becomes null. The caller puts it; NULL: out of memory. */
json_object *bag_to_json(const Bag *b);
