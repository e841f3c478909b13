/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Places in XML are those of libvirt, formatstorage.html. */
#include "option.h"

static const char *const purposes[] = { "images", "media", "direct", NULL };
static const char *const cache_modes[] = { "default", "none", "writethrough", "writeback", "directsync",
                                           "unsafe",  NULL };
static const char *const aio_modes[] = { "default", "native", "threads", "io_uring", NULL };
static const char *const refresh_allocations[] = { "default", "capacity", NULL };
static const char *const owner_words[] = { "caller", NULL };

/* What libvirt lists for files, and vhdx and luks. */
static const char *const image_formats[] = {
        "raw",   "dir", "bochs", "cloop", "dmg", "iso",  "vpc",  "vdi",  "fat", "vhd",
        "ploop", "cow", "qcow",  "qcow2", "qed", "vmdk", "vhdx", "luks", NULL,
};

static const char *const create_formats[] = {
        "raw", "qcow2", "qcow", "qed", "vmdk", "vdi", "vpc", "iso", "dir", "vhdx", "luks", NULL,
};

const OptionSpec common_pool_options[] = {
        { "description", OPTION_STRING, 0, NULL, NULL, NULL,
          "What the pool is for, in the administrator's words." },
        { "purpose", OPTION_ENUM, 0, NULL, purposes, "images",
          "What the volumes are: disk images of guests, a read-only library of media, or whole disks of the "
          "host." },
        { "reserved", OPTION_RESERVE, 0, NULL, NULL, "0",
          "Space kept for the host: a size or a percentage of the pool's capacity that no volume may "
          "take." },
        { "target.permissions.mode", OPTION_MODE, 0, "target/permissions/mode", NULL, NULL,
          "Permission bits of the target directory; given ones are applied when the pool is built." },
        { "target.permissions.owner", OPTION_ID, 0, "target/permissions/owner", NULL, NULL,
          "User id that the target directory gets when the pool is built." },
        { "target.permissions.group", OPTION_ID, 0, "target/permissions/group", NULL, NULL,
          "Group id that the target directory gets when the pool is built." },
        { "target.permissions.label", OPTION_STRING, 0, "target/permissions/label", NULL, NULL,
          "Security label that the target directory gets when the pool is built." },
        { "volume.mode", OPTION_MODE, 0, NULL, NULL, "0600", "Permission bits of new volumes." },
        { "volume.owner", OPTION_ID, 0, NULL, NULL, NULL,
          "User id that new volumes get; unset: that of the service." },
        { "volume.group", OPTION_ID, 0, NULL, NULL, NULL,
          "Group id that new volumes get; unset: that of the service." },
        { "volume.label", OPTION_STRING, 0, NULL, NULL, NULL,
          "Security label that new volumes get; unset: what the system's policy gives." },
        { "volume.format", OPTION_ENUM, 0, NULL, create_formats, "raw",
          "Format of new volumes for which none is given." },
        { "cache", OPTION_ENUM, 0, NULL, cache_modes, "default",
          "Cache mode with which guests should use the volumes." },
        { "aio", OPTION_ENUM, 0, NULL, aio_modes, "default",
          "Asynchronous I/O of guests on the volumes; native needs cache none or directsync." },
        { "refresh.volume.allocation", OPTION_ENUM, 0, "refresh/volume@allocation", refresh_allocations,
          "default",
          "What a refresh takes as a volume's allocation: what is really allocated, or its capacity." },
};

const size_t n_common_pool_options = ELEMENTSOF(common_pool_options);

const OptionSpec common_volume_options[] = {
        { "format", OPTION_ENUM, 0, "target/format@type", image_formats, NULL,
          "Format of the volume; without it, the pool's volume.format." },
        { "allocation", OPTION_SIZE, 0, "allocation", NULL, NULL,
          "Bytes that are allocated at once; the rest stays sparse." },
        { "mode", OPTION_MODE, OPTION_ADMIN, "target/permissions/mode", NULL, NULL,
          "Permission bits; without them, the pool's volume.mode." },
        { "owner", OPTION_ID, OPTION_ADMIN, "target/permissions/owner", owner_words, NULL,
          "User id of the owner, or \"caller\" to hand the volume over to whoever creates it; without it, "
          "the pool's volume.owner." },
        { "group", OPTION_ID, OPTION_ADMIN, "target/permissions/group", NULL, NULL,
          "Group id; without it, the pool's volume.group." },
        { "label", OPTION_STRING, OPTION_ADMIN, "target/permissions/label", NULL, NULL,
          "Security label; without it, the pool's volume.label." },
};

const size_t n_common_volume_options = ELEMENTSOF(common_volume_options);

int options_check_pool_policy(const Bag *options, Error *e)
{
        const char *cache = bag_get_string(options, "cache") ?: "default",
                   *aio = bag_get_string(options, "aio") ?: "default";

        if (streq_ptr(bag_get_string(options, "target.path"), "/"))
                return error_set(
                        e, ERROR_INVALID_DEFINITION,
                        "The root directory cannot be a pool's target; choose a directory of its own");
        if (streq(aio, "native") && !streq(cache, "none") && !streq(cache, "directsync"))
                return error_set(e, ERROR_INVALID_DEFINITION,
                                 "aio 'native' cannot go with cache '%s': it needs 'none' or 'directsync'",
                                 cache);
        return 0;
}
