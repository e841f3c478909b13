/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ISO 9660 (ECMA-119): volume descriptors from sector 16 on, of 2048 bytes. Its capacity is the file's size.
 */
#include "formats.h"

enum {
        ISO_FIRST_DESCRIPTOR = 32768,
        ISO_PRIMARY = 1,
        ISO_LABEL = 40,
        ISO_LABEL_SIZE = 32,
};

int probe_iso(ImageReader *r, ImageInfo *ret)
{
        uint8_t d[ISO_LABEL + ISO_LABEL_SIZE];
        int k;

        k = reader_read(r, ISO_FIRST_DESCRIPTOR, d, sizeof(d));
        if (k == -ENODATA)
                return 0;
        if (k < 0)
                return k;
        if (memcmp(d + 1, "CD001", 5) != 0)
                return 0;

        ret->format = FORMAT_ISO;
        if (d[0] != ISO_PRIMARY) /* a boot record may come first; it has no label */
                return 1;
        ret->variant = printable_ascii(d + ISO_LABEL, ISO_LABEL_SIZE);
        return ret->variant ? 1 : -ENOMEM;
}
