/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that pass a descriptor, on another host: descriptors do not cross a bus over ssh, so the poolctl
 * there is run with the data on its standard input. */
#pragma once

#include "poolctl.h"

/* `poolctl create` of an encrypted volume on --host, its passphrase file being read here. */
ExitStatus remote_create(Poolctl *p, char **words, size_t n);
