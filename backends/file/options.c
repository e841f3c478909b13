/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a new volume can be told, and which format takes what. Words of encryption: qemu-img(1), luks. */
#include "file/create.h"

#define BIT(f) (1u << (f))
#define RAW (BIT(FORMAT_RAW) | BIT(FORMAT_ISO))
#define CRYPT (BIT(FORMAT_LUKS) | BIT(FORMAT_QCOW2))
#define ANY_FILE (~BIT(FORMAT_DIR))

static const char *const compat_choices[] = { "0.10", "1.1", NULL };
static const char *const preallocation_choices[] = { "off", "metadata", "falloc", "full", NULL };
static const char *const encryption_choices[] = { "luks", NULL };
static const char *const cipher_choices[] = { "aes", "cast5", "serpent", "twofish", NULL };
static const char *const mode_choices[] = { "cbc", "ctr", "ecb", "xts", NULL };
static const char *const hash_choices[] = { "md5",    "sha1",   "sha224",    "sha256",
                                            "sha384", "sha512", "ripemd160", NULL };
static const char *const ivgen_choices[] = { "plain", "plain64", "essiv", NULL };
static const char *const backing_choices[] = { "raw",  "bochs", "cloop", "dmg",  "iso",  "vpc", "vdi",
                                               "qcow", "qcow2", "qed",   "vmdk", "vhdx", NULL };

const OptionSpec file_volume_options[FILE_VOLUME_OPTIONS] = {
        { "backing.path", OPTION_STRING, 0, "backingStore/path", NULL, NULL,
          "Volume of the same pool that the new one is an overlay of: its path, or its name." },
        { "backing.format", OPTION_ENUM, OPTION_ADMIN, "backingStore/format@type", backing_choices, NULL,
          "Format of the backing volume: the declared one, or a word for a file that was never declared." },
        { "compat", OPTION_ENUM, 0, "target/compat", compat_choices, NULL,
          "Version of qcow2: 0.10 is read by old programs, 1.1 has all features." },
        { "cluster_size", OPTION_SIZE, 0, "target/clusterSize", NULL, NULL,
          "Bytes of one cluster, a power of two; for qcow2 and qed." },
        { "lazy_refcounts", OPTION_BOOL, 0, "target/features/lazy_refcounts?", NULL, NULL,
          "qcow2 1.1: postpone updates of reference counts." },
        { "extended_l2", OPTION_BOOL, 0, "target/features/extended_l2?", NULL, NULL,
          "qcow2 1.1: tables that know parts of clusters, good for large clusters." },
        { "preallocation", OPTION_ENUM, 0, NULL, preallocation_choices, NULL,
          "What is allocated at once: nothing, the tables, all without writing, or all by writing zeros." },
        { "nocow", OPTION_BOOL, 0, "target/nocow?", NULL, NULL,
          "Switch copy-on-write off for this file, on file systems that have it (btrfs)." },
        { "encryption.format", OPTION_ENUM, 0, "target/encryption@format", encryption_choices, NULL,
          "Encrypt the volume: LUKS, as a raw or qcow2 volume." },
        { "encryption.cipher.name", OPTION_ENUM, 0, "target/encryption/cipher@name", cipher_choices, NULL,
          "Cipher." },
        { "encryption.cipher.size", OPTION_UINT, 0, "target/encryption/cipher@size", NULL, NULL,
          "Bits of the cipher's key: 128, 192 or 256." },
        { "encryption.cipher.mode", OPTION_ENUM, 0, "target/encryption/cipher@mode", mode_choices, NULL,
          "Mode of the cipher." },
        { "encryption.cipher.hash", OPTION_ENUM, 0, "target/encryption/cipher@hash", hash_choices, NULL,
          "Hash of the key derivation." },
        { "encryption.ivgen.name", OPTION_ENUM, 0, "target/encryption/ivgen@name", ivgen_choices, NULL,
          "Generator of initialisation vectors." },
        { "encryption.ivgen.hash", OPTION_ENUM, 0, "target/encryption/ivgen@hash", hash_choices, NULL,
          "Hash of that generator, for essiv." },
        { "passphrase", OPTION_FD, OPTION_SECRET, NULL, NULL, NULL,
          "Descriptor from which the passphrase of the encryption is read to its end." },
};

const ImageFormat file_create_formats[] = {
        FORMAT_RAW, FORMAT_QCOW2, FORMAT_QCOW, FORMAT_QED, FORMAT_VMDK, FORMAT_VDI,
        FORMAT_VPC, FORMAT_VHDX,  FORMAT_LUKS, FORMAT_ISO, FORMAT_DIR,  FORMAT_NONE,
};

static const struct {
        const char *option;
        uint32_t formats;
} takes[] = {
        { "backing.path", BIT(FORMAT_QCOW2) | BIT(FORMAT_QCOW) | BIT(FORMAT_QED) },
        { "backing.format", BIT(FORMAT_QCOW2) | BIT(FORMAT_QCOW) | BIT(FORMAT_QED) },
        { "compat", BIT(FORMAT_QCOW2) },
        { "cluster_size", BIT(FORMAT_QCOW2) | BIT(FORMAT_QED) },
        { "lazy_refcounts", BIT(FORMAT_QCOW2) },
        { "extended_l2", BIT(FORMAT_QCOW2) },
        { "preallocation", RAW | CRYPT | BIT(FORMAT_VDI) },
        { "nocow", ANY_FILE },
        { "encryption.format", CRYPT },
        { "encryption.cipher.name", CRYPT },
        { "encryption.cipher.size", CRYPT },
        { "encryption.cipher.mode", CRYPT },
        { "encryption.cipher.hash", CRYPT },
        { "encryption.ivgen.name", CRYPT },
        { "encryption.ivgen.hash", CRYPT },
        { "passphrase", CRYPT },
};

static bool can_create(ImageFormat f)
{
        for (const ImageFormat *i = file_create_formats; *i != FORMAT_NONE; i++)
                if (*i == f)
                        return true;
        return false;
}

bool file_options_are_of_image(const Bag *options)
{
        static const char *const of_file[] = { "format", "mode",  "owner",      "group",
                                               "label",  "nocow", "allocation", NULL };

        for (size_t i = 0; i < bag_size(options); i++)
                if (!strv_contains((char *const *)of_file, bag_key(options, i)))
                        return true;
        return false;
}

/* Options that make no sense without another. */
static int check_company(const FileRoot *r, const char *name, const Bag *o, bool encrypted)
{
        Error *e = ctx_error(r->ctx);
        bool has_passphrase = bag_has(o, "passphrase");

        if (bag_has(o, "backing.format") && !bag_has(o, "backing.path"))
                return error_set(e, ERROR_INVALID_ARGS, "Volume %s: backing.format needs backing.path",
                                 name);
        if (bag_has(o, "backing.path") && !streq(bag_get_string(o, "preallocation") ?: "off", "off"))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "Volume %s: preallocation does not go with backing.path", name);
        if (streq_ptr(bag_get_string(o, "compat"), "0.10") &&
            (bag_get_bool(o, "lazy_refcounts", false) || bag_get_bool(o, "extended_l2", false)))
                return error_set(e, ERROR_INVALID_ARGS,
                                 "Volume %s: lazy_refcounts and extended_l2 need compat 1.1", name);
        if (encrypted && !has_passphrase)
                return error_set(e, ERROR_INVALID_ARGS, "Volume %s: encryption needs the option passphrase",
                                 name);
        if (encrypted)
                return 0;
        for (size_t i = 0; i < bag_size(o); i++)
                if (startswith(bag_key(o, i), "encryption.") || streq(bag_key(o, i), "passphrase"))
                        return error_set(e, ERROR_INVALID_ARGS,
                                         "Volume %s: option %s needs encryption.format=luks", name,
                                         bag_key(o, i));
        return 0;
}

int file_create_format(const FileRoot *r, const char *name, const Bag *o, ImageFormat *ret)
{
        const char *word = bag_get_string(o, "format");
        ImageFormat f;

        if (!word)
                word = bag_get_string(ctx_options(r->ctx), "volume.format");
        f = word ? image_format_from_string(word) : FORMAT_RAW;
        if ((int)f < 0 || !can_create(f))
                return error_set(ctx_error(r->ctx), ERROR_NOT_SUPPORTED,
                                 "Volumes of format %s can be listed, but not made; use raw or qcow2", word);
        if (f == FORMAT_RAW && bag_has(o, "encryption.format"))
                f = FORMAT_LUKS; /* as libvirt writes it */
        for (size_t i = 0; i < ELEMENTSOF(takes); i++)
                if (bag_has(o, takes[i].option) && !(takes[i].formats & BIT(f)))
                        return error_set(ctx_error(r->ctx), ERROR_INVALID_ARGS,
                                         "Volume %s: format %s does not take the option %s", name,
                                         image_format_to_string(f), takes[i].option);
        *ret = f;
        return check_company(r, name, o, f == FORMAT_LUKS || bag_has(o, "encryption.format"));
}
