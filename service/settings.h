/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of poolkeeperd, and where it keeps things by default. */
#pragma once

#include "manager.h"

typedef struct Settings {
        ManagerConfig manager;
        const char *address; /* of the bus; NULL: the usual one */
        const char *log_level, *log_target;
        char *directories[3]; /* owns what manager points to */
} Settings;

/* Reads argv and the environment. 1: go on; 0: --help or --version was printed; negative: a usage error was
 * printed. */
int settings_parse(int argc, char **argv, Settings *ret);
void settings_done(Settings *s);
