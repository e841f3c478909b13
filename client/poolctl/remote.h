/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that pass a descriptor, on another host: descriptors do not cross a bus over ssh, so the poolctl
 * there is run with the data on its standard input or output. */
#pragma once

#include "poolctl.h"

/* `poolctl create` of an encrypted volume on --host, its passphrase file being read here. */
ExitStatus remote_create(Poolctl *p);

/* This command line on --host, with FILE, its third word, being `fd` here: standard input or output there. */
ExitStatus remote_upload(Poolctl *p, int fd);
ExitStatus remote_download(Poolctl *p, int fd);
