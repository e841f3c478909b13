/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One option's value, from what a caller sent to its normal form. */
#pragma once

#include "option.h"

/* Puts `v` into b in the normal type of the option; text is converted as by option_set_text(), integers may
 * be of either width. An unset id puts nothing. InvalidArgs. */
int option_set_value(const OptionSpec *spec, const Value *v, Bag *b, Error *e);
