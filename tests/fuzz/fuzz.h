/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a fuzz target defines. It returns 0, and ends the program by abort() or a sanitizer where something
 * is wrong. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
