/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the installed backends can do, as `poolkeeper-worker --describe` tells it. */
#pragma once

#include "util/option.h"
#include "util/volume-info.h"

typedef struct BackendInfo {
        char *name, *summary, *reason; /* reason: why it is not available, NULL: it is */
        char **features, **formats, **create_formats;
        OptionTable pool_options, volume_options;
} BackendInfo;

typedef struct Backends Backends;

/* Runs the worker once, with a deadline, and reads its answer. directory NULL: where the worker was
 * installed. */
int backends_load(const char *worker, const char *directory, Backends **ret, Error *e);
void backends_free(Backends *b);
DEFINE_CLEANUP(Backends *, backends_free)
const BackendInfo *backends_find(const Backends *b, const char *name); /* NULL: none */
size_t backends_size(const Backends *b);
const BackendInfo *backends_at(const Backends *b, size_t i); /* ordered by name */
bool backend_has_feature(const BackendInfo *b, const char *feature);
