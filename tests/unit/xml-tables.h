/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Made-up option tables for the tests of definitions: every type of option, at every kind of place. */
#pragma once

#include "definition.h"

static const char *const test_colours[] = { "red", "green", NULL };
static const char *const test_formats[] = { "auto", "ext4", "nfs", NULL };

static const OptionSpec every_options[] = {
        { "target.path", OPTION_PATH, OPTION_REQUIRED, "target/path", NULL, NULL, "content" },
        { "source.name", OPTION_STRING, 0, "source/name", NULL, NULL, "content" },
        { "source.hosts", OPTION_HOSTS, 0, "source/host@name", NULL, NULL, "repeated element" },
        { "source.part-separator", OPTION_BOOL, 0, "source/device@part_separator", NULL, NULL,
          "beside a list" },
        { "source.devices", OPTION_STRV, 0, "source/device@path", NULL, NULL, "repeated attribute" },
        { "source.dir", OPTION_PATH, 0, "source/dir@path", NULL, NULL, "attribute" },
        { "source.format", OPTION_ENUM, 0, "source/format@type", test_formats, NULL, "attribute" },
        { "cow", OPTION_BOOL, 0, "features/cow@state", NULL, NULL, "attribute" },
        { "quick", OPTION_BOOL, 0, "features/quick?", NULL, NULL, "flag" },
        { "size", OPTION_SIZE, 0, "target/size", NULL, NULL, "content with a unit" },
        { "depth", OPTION_UINT, 0, "target/depth", NULL, NULL, "content" },
        { "words", OPTION_STRV, 0, "target/word", NULL, NULL, "repeated element" },
        { "kept", OPTION_RESERVE, 0, "target/kept", NULL, NULL, "content" },
        { "mount-options", OPTION_STRV, 0, "fs:mount_opts/fs:option@name", NULL, NULL,
          "libvirt's namespace" },
        { "config", OPTION_STRV, 0, "rbd:config_opts/rbd:option@name=value", NULL, NULL, "pairs" },
        { "o.string", OPTION_STRING, 0, NULL, NULL, NULL, "ours" },
        { "o.bool", OPTION_BOOL, 0, NULL, NULL, NULL, "ours" },
        { "o.size", OPTION_SIZE, 0, NULL, NULL, NULL, "ours" },
        { "o.uint", OPTION_UINT, 0, NULL, NULL, NULL, "ours" },
        { "o.mode", OPTION_MODE, 0, NULL, NULL, NULL, "ours" },
        { "o.id", OPTION_ID, 0, NULL, NULL, NULL, "ours" },
        { "o.path", OPTION_PATH, 0, NULL, NULL, NULL, "ours" },
        { "o.enum", OPTION_ENUM, 0, NULL, test_colours, NULL, "ours" },
        { "o.strv", OPTION_STRV, 0, NULL, NULL, NULL, "ours" },
        { "o.hosts", OPTION_HOSTS, 0, NULL, NULL, NULL, "ours" },
        { "o.reserve", OPTION_RESERVE, 0, NULL, NULL, NULL, "ours" },
        { "password", OPTION_STRING, OPTION_SECRET, "source/password", NULL, NULL, "never shown" },
        { "key", OPTION_FD, OPTION_SECRET, NULL, NULL, NULL, "a descriptor" },
};

static const OptionSpec dir_options[] = {
        { "target.path", OPTION_PATH, OPTION_REQUIRED | OPTION_FIXED, "target/path", NULL, NULL,
          "directory" },
        { "features.cow", OPTION_BOOL, 0, "features/cow@state", NULL, NULL, "copy on write" },
};

static const OptionSpec logical_options[] = {
        { "source.name", OPTION_STRING, 0, "source/name", NULL, NULL, "volume group" },
        { "source.devices", OPTION_STRV, 0, "source/device@path", NULL, NULL, "physical volumes" },
        { "source.format", OPTION_STRING, 0, "source/format@type", NULL, NULL, "lvm2" },
};

static const OptionSpec netfs_options[] = {
        { "source.hosts", OPTION_HOSTS, OPTION_REQUIRED, "source/host", NULL, NULL, "server" },
        { "source.dir", OPTION_STRING, OPTION_REQUIRED, "source/dir@path", NULL, NULL, "export" },
        { "source.format", OPTION_STRING, 0, "source/format@type", NULL, NULL, "nfs" },
        { "source.protocol", OPTION_STRING, 0, "source/protocol@ver", NULL, NULL, "version" },
        { "mount-options", OPTION_STRV, 0, "fs:mount_opts/fs:option@name", NULL, NULL, "options" },
        { "target.path", OPTION_PATH, OPTION_REQUIRED, "target/path", NULL, NULL, "directory" },
};

static const OptionSpec rbd_options[] = {
        { "source.name", OPTION_STRING, OPTION_REQUIRED, "source/name", NULL, NULL, "rados pool" },
        { "source.hosts", OPTION_HOSTS, OPTION_REQUIRED, "source/host", NULL, NULL, "monitors" },
        { "auth.type", OPTION_STRING, 0, "source/auth@type", NULL, NULL, "ceph" },
        { "auth.username", OPTION_STRING, 0, "source/auth@username", NULL, NULL, "user" },
        { "auth.secret", OPTION_STRING, 0, "source/auth/secret@uuid", NULL, NULL, "secret" },
        { "config", OPTION_STRV, 0, "rbd:config_opts/rbd:option@name=value", NULL, NULL, "options" },
};

/* As the dir backend has it. */
static const char *const test_ciphers[] = { "aes", "twofish", NULL };
static const OptionSpec volume_options[] = {
        { "backing.path", OPTION_STRING, 0, "backingStore/path", NULL, NULL, "backing volume" },
        { "backing.format", OPTION_STRING, 0, "backingStore/format@type", NULL, NULL, "its format" },
        { "compat", OPTION_STRING, 0, "target/compat", NULL, NULL, "qcow2 version" },
        { "cluster_size", OPTION_SIZE, 0, "target/clusterSize", NULL, NULL, "bytes" },
        { "lazy_refcounts", OPTION_BOOL, 0, "target/features/lazy_refcounts?", NULL, NULL, "feature" },
        { "extended_l2", OPTION_BOOL, 0, "target/features/extended_l2?", NULL, NULL, "feature" },
        { "preallocation", OPTION_STRING, 0, NULL, NULL, NULL, "ours" },
        { "nocow", OPTION_BOOL, 0, "target/nocow?", NULL, NULL, "flag" },
        { "encryption.format", OPTION_STRING, 0, "target/encryption@format", NULL, NULL, "luks" },
        { "encryption.cipher.name", OPTION_ENUM, 0, "target/encryption/cipher@name", test_ciphers, NULL,
          "cipher" },
        { "encryption.cipher.size", OPTION_UINT, 0, "target/encryption/cipher@size", NULL, NULL, "bits" },
        { "encryption.ivgen.name", OPTION_STRING, 0, "target/encryption/ivgen@name", NULL, NULL, "iv" },
        { "passphrase", OPTION_FD, OPTION_SECRET, NULL, NULL, NULL, "by descriptor" },
};

#define WITH_COMMON(kind, specs, ret)                                                       \
        option_table_with_common(common_##kind##_options, n_common_##kind##_options, specs, \
                                 ELEMENTSOF(specs), ret)

/* The table of a pool type; kept for the whole run. */
static inline const OptionTable *test_pool_table(const char *type, void *userdata)
{
        static OptionTable every, dir, logical, netfs, rbd;

        if (!every.specs &&
            (WITH_COMMON(pool, every_options, &every) < 0 || WITH_COMMON(pool, dir_options, &dir) < 0 ||
             WITH_COMMON(pool, logical_options, &logical) < 0 ||
             WITH_COMMON(pool, netfs_options, &netfs) < 0 || WITH_COMMON(pool, rbd_options, &rbd) < 0))
                abort();
        return streq(type, "every")     ? &every
               : streq(type, "dir")     ? &dir
               : streq(type, "logical") ? &logical
               : streq(type, "netfs")   ? &netfs
               : streq(type, "rbd")     ? &rbd
                                        : NULL;
}

static inline const OptionTable *test_volume_table(void)
{
        static OptionTable table;

        if (!table.specs && WITH_COMMON(volume, volume_options, &table) < 0)
                abort();
        return &table;
}
