/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The switches (--words) of poolctl: one table drives the parser, the help, the completion and the check of
 * the man page. */
#pragma once

#include <assert.h>

#include "util/error.h"

/* id, long name, letter (0: none), name of its value (NULL: it has none), help */
#define SWITCHES(X)                                                                                         \
        X(HELP, "help", 'h', NULL, "Show this help, or that of the verb")                                   \
        X(VERSION, "version", 0, NULL, "Show the version")                                                  \
        X(SYSTEM, "system", 0, NULL, "Talk to the system service (the default)")                            \
        X(USER, "user", 0, NULL, "Talk to the service of the calling user")                                 \
        X(HOST, "host", 'H', "HOST", "Talk to the system service of another host, over ssh")                \
        X(ADDRESS, "address", 0, "ADDRESS", "Talk to the service on the bus at this address")               \
        X(JSON, "json", 0, "short|pretty|off", "Print JSON")                                                \
        X(NO_LEGEND, "no-legend", 0, NULL, "Print tables without header")                                   \
        X(ASK, "ask", 0, NULL, "Let the service ask for a password, also off a terminal")                   \
        X(NO_ASK_PASSWORD, "no-ask-password", 0, NULL, "Never let the service ask for a password")          \
        X(NO_WAIT, "no-wait", 0, NULL, "Print the job's path instead of waiting for its end")               \
        X(NO_SYNC, "no-sync", 0, NULL, "Do not wait until the result is safe on disk")                      \
        X(ALGORITHM, "algorithm", 0, "zero|trim|random|nnsa|dod|bsi|gutmann|schneier|pfitzner7|pfitzner33", \
          "How to wipe; zero if not given")                                                                 \
        X(ALL, "all", 'a', NULL, "Show finished jobs too")                                                  \
        X(ALLOCATE, "allocate", 0, NULL, "Allocate the space that is added")                                \
        X(AS, "as", 0, "qemu-blockdev|qemu-drive|libvirt-disk", "What the volume is attached to, and how")  \
        X(ATOMIC, "atomic", 0, NULL, "Leave the volume as it was if the upload fails")                      \
        X(AUTOSTART, "autostart", 0, NULL, "Start the pool with the service from now on")                   \
        X(BANDWIDTH, "bandwidth", 0, "RATE", "Move no more bytes a second than this, such as 50M")          \
        X(BUILD, "build", 0, NULL, "Build the pool first")                                                  \
        X(CAPACITY, "capacity", 0, "SIZE", "Refuse an image of more than this")                             \
        X(CHECKSUM, "checksum", 0, NULL, "Print the sha256 of the data as sha256sum(1) does")               \
        X(COMPRESSION, "compression", 0, "none|gzip|xz|zstd",                                               \
          "How FILE is compressed; if not given, its name tells")                                           \
        X(DEPENDENTS, "dependents", 0, NULL, "Delete also when other volumes are backed by it")             \
        X(DEVICE, "device", 0, "DEVICE", "Name of the disk in the guest, such as vda")                      \
        X(DRY_RUN, "dry-run", 'n', NULL, "Show what would be done")                                         \
        X(FORCE, "force", 'f', NULL, "Stop the pool even if it does not answer or is in use")               \
        X(FORCE_SHARE, "force-share", 'U', NULL,                                                            \
          "Read it although somebody writes to it; the copy may be torn")                                   \
        X(FORMAT, "format", 0, "FORMAT", "Image format, such as raw or qcow2")                              \
        X(GROW, "grow", 0, NULL, "Let the volume grow if the data reaches beyond its end")                  \
        X(ID, "id", 0, "ID", "Name of the node or drive in QEMU")                                           \
        X(INACTIVE, "inactive", 0, NULL, "Show the definition for the next start")                          \
        X(LAX, "lax", 0, NULL, "Skip unknown elements of the XML, as libvirt does")                         \
        X(LENGTH, "length", 0, "SIZE", "Move this many bytes, not all")                                     \
        X(LINKED, "linked", 0, NULL, "Make an overlay that is backed by the source instead of a copy")      \
        X(OFFSET, "offset", 0, "SIZE", "Begin this many bytes into the volume")                             \
        X(OVERWRITE, "overwrite", 0, NULL, "Build over data that is there")                                 \
        X(PASSPHRASE_FILE, "passphrase-file", 0, "FILE",                                                    \
          "Read the passphrase of an encrypted volume from it")                                             \
        X(PATTERN, "pattern", 0, "GLOB", "Only volumes whose name matches")                                 \
        X(PROBE, "probe", 0, NULL, "Let the format be guessed from what FILE looks like")                   \
        X(READ_ONLY, "read-only", 0, NULL, "Open it for reading only")                                      \
        X(REVERSE, "reverse", 'r', NULL, "Reverse the order")                                               \
        X(SECRET, "secret", 0, "SECRET",                                                                    \
          "QEMU's secret object, or libvirt's secret, of an encrypted image")                               \
        X(SHA256, "sha256", 0, "HEX", "Refuse data whose sha256 is not this")                               \
        X(SHRINK, "shrink", 0, NULL,                                                                        \
          "Allow the volume to become smaller; what is behind the new end is lost")                         \
        X(SORT, "sort", 0, "name|capacity|allocation|mtime", "Order of the volumes")                        \
        X(SOURCE_FORMAT, "source-format", 0, "FORMAT", "Image format of FILE")                              \
        X(SPARSE, "sparse", 0, NULL, "Make holes of blocks of zeros")                                       \
        X(START, "start", 0, NULL, "Start the pool afterwards")                                             \
        X(STATE, "state", 0, "STATE", "Only pools in this state")                                           \
        X(TRANSIENT, "transient", 0, NULL, "Start the pool without storing its definition")                 \
        X(TYPE, "type", 0, "TYPE", "Only pools or volumes of this type")                                    \
        X(WRITE, "write", 0, NULL, "Overwrite with zeros also where space could be discarded instead")      \
        X(XML, "xml", 0, "FILE", "Read the definition from this XML file")                                  \
        X(LIST_VERBS, "list-verbs", 0, NULL, NULL)                                                          \
        X(LIST_SWITCHES, "list-switches", 0, NULL, NULL)

typedef enum Switch {
#define X(id, name, letter, value, help) SWITCH_##id,
        SWITCHES(X)
#undef X
                _SWITCH_MAX,
} Switch;

static_assert(_SWITCH_MAX <= 64, "a set of switches is 64 bits");

#define SWITCH_BIT(id) (UINT64_C(1) << SWITCH_##id)

/* Switches that stand before or behind every verb. */
#define SWITCHES_COMMON                                                                      \
        (SWITCH_BIT(HELP) | SWITCH_BIT(VERSION) | SWITCH_BIT(SYSTEM) | SWITCH_BIT(USER) |    \
         SWITCH_BIT(HOST) | SWITCH_BIT(ADDRESS) | SWITCH_BIT(JSON) | SWITCH_BIT(NO_LEGEND) | \
         SWITCH_BIT(ASK) | SWITCH_BIT(NO_ASK_PASSWORD) | SWITCH_BIT(LIST_VERBS) |            \
         SWITCH_BIT(LIST_SWITCHES))

typedef struct SwitchSpec {
        const char *name;
        char letter;       /* 0: none */
        const char *value; /* what the help calls its value, NULL: it takes none */
        const char *help;  /* NULL: for the completion scripts and tests only */
} SwitchSpec;

extern const SwitchSpec switch_table[_SWITCH_MAX];

/* A command line taken apart. Strings are borrowed from argv; words is allocated. */
typedef struct CommandLine {
        const char *value[_SWITCH_MAX]; /* NULL: not given; "" for a switch without value */
        char **words;                   /* what is no switch, NULL-terminated */
        size_t n_words;
} CommandLine;

/* Switches may stand anywhere before "--". A word like "-5G" is no switch. InvalidArgs, with what is wrong.
 */
int command_line_parse(char *const *argv, CommandLine *ret, Error *e);
void command_line_done(CommandLine *c);
#define _cleanup_command_line_ _cleanup_(command_line_done)

/* The first switch given that is not among `allowed` (SWITCH_BITs), or _SWITCH_MAX. */
Switch command_line_excess(const CommandLine *c, uint64_t allowed);

/* The way back, for the poolctl of another host: `program`, the switches, "--", the words. A new list; -ENOMEM. */
int command_line_to_argv(const CommandLine *c, const char *program, char ***ret);

/* "--name=VALUE" or "-n, --name", as the help shows it; a new string. */
char *switch_to_string(Switch s);
