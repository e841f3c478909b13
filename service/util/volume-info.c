/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume-info.h"

#include "names.h"
#include "snapshot-list.h"

/* Linux' limits on a file name (NAME_MAX, each byte escaped to four) and on what a worker may tell beside
 * it. */
#define SHOWN_NAME_MAX (255u * 4)
#define BACKING_MAX 4096u
#define ERROR_TEXT_MAX 4096u
#define SNAPSHOTS_TEXT_MAX (512u * 1024)

static const char *const type_names[_VOLUME_TYPE_MAX] = {
        [VOLUME_FILE] = "file",
        [VOLUME_BLOCK] = "block",
        [VOLUME_DIR] = "dir",
        [VOLUME_NETWORK] = "network",
};

static const char *const format_names[_FORMAT_MAX] = {
        [FORMAT_NONE] = "none",   [FORMAT_RAW] = "raw",   [FORMAT_DIR] = "dir",     [FORMAT_BOCHS] = "bochs",
        [FORMAT_CLOOP] = "cloop", [FORMAT_DMG] = "dmg",   [FORMAT_ISO] = "iso",     [FORMAT_VPC] = "vpc",
        [FORMAT_VDI] = "vdi",     [FORMAT_FAT] = "fat",   [FORMAT_VHD] = "vhd",     [FORMAT_PLOOP] = "ploop",
        [FORMAT_COW] = "cow",     [FORMAT_QCOW] = "qcow", [FORMAT_QCOW2] = "qcow2", [FORMAT_QED] = "qed",
        [FORMAT_VMDK] = "vmdk",   [FORMAT_VHDX] = "vhdx", [FORMAT_LUKS] = "luks",
};

const char *volume_type_to_string(VolumeType t)
{
        return t >= 0 && t < _VOLUME_TYPE_MAX ? type_names[t] : NULL;
}

VolumeType volume_type_from_string(const char *s)
{
        for (VolumeType t = 0; s && t < _VOLUME_TYPE_MAX; t++)
                if (streq(type_names[t], s))
                        return t;
        return _VOLUME_TYPE_INVALID;
}

const char *image_format_to_string(ImageFormat f)
{
        return f >= 0 && f < _FORMAT_MAX ? format_names[f] : NULL;
}

ImageFormat image_format_from_string(const char *s)
{
        for (ImageFormat f = 0; s && f < _FORMAT_MAX; f++)
                if (streq(format_names[f], s))
                        return f;
        return _FORMAT_INVALID;
}

const char *image_format_to_driver(ImageFormat f)
{
        switch (f) {
        case FORMAT_ISO:
                return "raw";
        case FORMAT_VHD:
                return "vpc";
        case FORMAT_PLOOP:
                return "parallels";
        case FORMAT_NONE:
        case FORMAT_DIR:
        case FORMAT_FAT:
        case FORMAT_COW:
                return NULL;
        default:
                return image_format_to_string(f);
        }
}

bool image_format_is_writable(ImageFormat f)
{
        return image_format_to_driver(f) && f != FORMAT_BOCHS && f != FORMAT_CLOOP && f != FORMAT_DMG;
}

bool image_format_is_same(ImageFormat a, ImageFormat b)
{
        return a == b || ((a == FORMAT_RAW || a == FORMAT_ISO) && (b == FORMAT_RAW || b == FORMAT_ISO));
}

/* Shown on the bus and in terminals: valid UTF-8 without control bytes, of bounded length. */
static bool text_is_plausible(const char *s, size_t limit)
{
        return strnlen(s, limit + 1) <= limit && text_is_printable(s);
}

int volume_info_check(const VolumeInfo *v, Error *e)
{
        const char *wrong = NULL;

        if (isempty(v->name) || !text_is_plausible(v->name, SHOWN_NAME_MAX) || strchr(v->name, '/'))
                return error_set(e, ERROR_FAILED, "the worker told of a volume with an impossible name");
        if (!volume_type_to_string(v->type))
                wrong = "type";
        else if (!image_format_to_string(v->format) || !image_format_to_string(v->detected) ||
                 !image_format_to_string(v->backing_format))
                wrong = "format";
        else if (v->flags & ~(uint32_t)(VOLUME_ENCRYPTED | VOLUME_INCOMPLETE | VOLUME_READ_ONLY |
                                        VOLUME_FOREIGN_LINKS | VOLUME_CORRUPT))
                wrong = "flag";
        else if (v->mode > 07777)
                wrong = "mode";
        else if (v->backing && !text_is_plausible(v->backing, BACKING_MAX))
                wrong = "backing file";
        else if (v->error && !text_is_plausible(v->error, ERROR_TEXT_MAX))
                wrong = "error text";
        else if (v->snapshots && !(text_is_plausible(v->snapshots, SNAPSHOTS_TEXT_MAX) &&
                                   snapshot_list_is_valid(v->snapshots)))
                wrong = "list of snapshots";
        if (wrong)
                return error_set(e, ERROR_FAILED, "the worker told of volume '%s' with an impossible %s",
                                 v->name, wrong);
        return 0;
}
