/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes with units, as in libvirt's XML and on poolctl's command line. */
#pragma once

#include "error.h"

/* Scales `number` (decimal digits, surrounding blanks and one leading '+' allowed) by `unit`: B b byte
 * bytes, k K KiB, KB, ... up to E EB EiB, without regard to case; "KB" is 1000, "K" and "KiB" 1024; NULL or
 * "": `fallback_unit` ("B"). InvalidArgs for an unknown unit, fractions, signs, and results over INT64_MAX.
 * Source: libvirt formatstorage.html. */
int size_scale(const char *number, const char *unit, const char *fallback_unit, uint64_t *ret, Error *e);

/* "20G", "512 MiB", "1.5T" (a fraction is allowed here and must come out as whole bytes), "1048576". */
int size_parse(const char *text, uint64_t *ret, Error *e);

/* Space kept for the host, as the option "reserved" has it: "10%" (of `capacity`, 0 to 100, rounded up) or a
 * size as in size_parse(). Bytes; InvalidArgs. */
int reserve_parse(const char *text, uint64_t capacity, uint64_t *ret, Error *e);

/* "20.0 GiB", "512 B": at most 9 columns, one decimal from KiB on. */
#define SIZE_TEXT_MAX 16
const char *size_format(uint64_t size, char buffer[static SIZE_TEXT_MAX]);
