/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Option tables: each backend declares once what a pool or a volume of its type can be told. The table
 * drives the XML reader and writer, the a{sv} form, poolctl's name=value words and the man page. */
#pragma once

#include "bag.h"

typedef enum OptionType {
        OPTION_STRING,
        OPTION_BOOL,    /* XML and text: yes, no */
        OPTION_SIZE,    /* bytes; text with units */
        OPTION_UINT,    /* 32 bit */
        OPTION_MODE,    /* permission bits 0..0777; XML and text octal, a{sv} u */
        OPTION_ID,      /* uid or gid, u; -1 (4294967295) is "unset" and leaves the option out; or a word of
                           `choices`, s */
        OPTION_PATH,    /* absolute path, cleaned by path_clean() */
        OPTION_ENUM,    /* one of `choices` */
        OPTION_STRV,    /* list of strings, XML: the element repeated */
        OPTION_HOSTS,   /* list of HOST or HOST:PORT or [V6]:PORT; XML: host elements with name and port */
        OPTION_RESERVE, /* a size with unit, or a percentage "10%"; kept as text, see reserve_parse() */
        OPTION_FD,      /* a descriptor, on the bus only */
        _OPTION_TYPE_MAX,
} OptionType;

typedef enum OptionFlags {
        OPTION_REQUIRED = 1 << 0,
        OPTION_SECRET = 1 << 1, /* never shown */
        OPTION_ADMIN =
                1 << 2, /* volume option that needs pool-define, whoever may create (design: narrow words) */
        OPTION_FIXED = 1 << 3, /* pool option that an update of an active pool cannot change */
} OptionFlags;

typedef struct OptionSpec {
        const char *name; /* dotted, e.g. "target.path" */
        OptionType type;
        uint32_t flags;
        const char *xml; /* place in libvirt's dialect: "target/path", "source/host@name"; an empty element
                            that means yes: "features/lazy_refcounts?"; a list of NAME=VALUE in two
                            attributes: "rbd:config_opts/rbd:option@name=value"; NULL: <pk:option name=
                            value=> of our namespace */
        const char *const *choices; /* OPTION_ENUM and OPTION_ID, NULL-terminated */
        const char *fallback;       /* the default as text, NULL: none */
        const char *help;           /* one sentence */
} OptionSpec;

typedef struct OptionTable {
        const OptionSpec *specs;
        size_t n_specs;
        void *storage; /* owner of a table that was read from a description, else NULL */
} OptionTable;

const OptionSpec *option_find(const OptionTable *t, const char *name);
const char *option_type_to_string(OptionType t);

/* Turns text (XML content, name=value) into the value's a{sv} form and puts it into b; lists are appended
 * to. */
int option_set_text(const OptionSpec *spec, const char *text, Bag *b, Error *e);

/* The text form of a value, NULL with -ENODATA for descriptors. Lists: one call per item through `index`;
 * -ENOENT past the end. */
int option_get_text(const OptionSpec *spec, const Value *v, size_t index, char **ret);

/* Checks a bag against a table: every key known (InvalidArgs, with the nearest known name when one is
 * close), types right (a string is accepted for every type and converted), enums and ranges in bounds,
 * required ones present. *ret is a new bag with normalised values. */
int options_check(const OptionTable *t, const Bag *in, Bag **ret, Error *e);

/* Tables cross from `poolkeeper-worker --describe` to the daemon as an aa{sv} under `key`. */
int option_table_to_bag(const OptionTable *t, const char *key, Bag *b);
int option_table_from_bag(const Bag *b, const char *key, OptionTable *ret, Error *e);
void option_table_done(OptionTable *t);

/* Options that every pool type takes, and that every volume takes. */
extern const OptionSpec common_pool_options[];
extern const size_t n_common_pool_options;
extern const OptionSpec common_volume_options[];
extern const size_t n_common_volume_options;
/* A table of the common options and then `specs` (n of them); storage is allocated, end with
 * option_table_done(). */
int option_table_with_common(const OptionSpec *common, size_t n_common, const OptionSpec *specs, size_t n,
                             OptionTable *ret);

/* Rules beyond single options: aio=native needs cache none or directsync (QEMU's Linux AIO works on O_DIRECT only), and
 * the root directory is no target. `options` has passed options_check(). InvalidDefinition. */
int options_check_pool_policy(const Bag *options, Error *e);
