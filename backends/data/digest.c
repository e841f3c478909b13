/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "data/digest.h"

#include <gcrypt.h>
#include <strings.h>

#define SIZE (DIGEST_TEXT_MAX / 2)

struct Digest {
        gcry_md_hd_t handle;
};

int digest_new(Digest **ret)
{
        Digest *d;

        if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
                (void)gcry_check_version(NULL);
                (void)gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
        }
        d = calloc(1, sizeof(*d));
        if (!d)
                return -ENOMEM;
        if (gcry_md_open(&d->handle, GCRY_MD_SHA256, 0) != 0) {
                free(d);
                return -ENOMEM;
        }
        *ret = d;
        return 0;
}

void digest_update(Digest *d, const void *data, size_t size)
{
        gcry_md_write(d->handle, data, size);
}

void digest_finish(Digest *d, char ret[static DIGEST_TEXT_MAX])
{
        const unsigned char *p = gcry_md_read(d->handle, GCRY_MD_SHA256);

        for (size_t i = 0; i < SIZE; i++)
                (void)snprintf(ret + 2 * i, 3, "%02x", p[i]);
}

void digest_free(Digest *d)
{
        if (!d)
                return;
        gcry_md_close(d->handle);
        free(d);
}

bool digest_is_valid(const char *text)
{
        return strlen(text) == DIGEST_TEXT_MAX - 1 &&
               strspn(text, "0123456789abcdefABCDEF") == DIGEST_TEXT_MAX - 1;
}

bool digest_equal(const char *a, const char *b)
{
        return strcasecmp(a, b) == 0;
}
