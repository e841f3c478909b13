/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a virtual machine is given a volume: text for QEMU and libvirt, with the whole chain of images stated, so that no header
 * of an image is asked what it stands on. */
#pragma once

#include "pool.h"

/* Kinds, and their options beside read-only (b) and secret (s):
 *   qemu-blockdev   an object for -blockdev or QMP's blockdev-add; node-name (s). Of the cache mode it has what belongs to a
 *                   node; writethrough and directsync also need write-cache=off at the device (qemu(1), -drive cache).
 *   qemu-drive      the text of -drive; id (s)
 *   libvirt-disk    a <disk> element; device (s, default vda), whose letters choose the bus
 * The names that are not given are derived from pool and volume: node and drive "pk-" and 16 hexadecimal digits, the key of an
 * encrypted image the same with "-key" (an -object secret), or a UUID (of a libvirt secret). No key itself is ever in it.
 *
 * `result`: of the worker's operation "attachment". *ret is a new string. InvalidArgs, NotSupported (an image that QEMU has no
 * driver for), Corrupt. */
int attachment_text(const Pool *p, const char *volume, const Bag *result, const char *kind,
                    const Bag *options, char **ret, Error *e);
