/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An attachment as it is known, and the three forms in which it is written. */
#pragma once

#include "util/bag.h"

#define ATTACHMENT_NODES_MAX 12u
#define ATTACHMENT_NAME_MAX 31u
#define ATTACHMENT_SECRET_MAX 36u

/* Strings and bags are borrowed. */
typedef struct AttachmentNode {
        const char *format, *driver; /* ours, QEMU's */
        const Bag *protocol, *libvirt;
        char secret[ATTACHMENT_SECRET_MAX + 1]; /* empty: not encrypted */
} AttachmentNode;

typedef struct Attachment {
        AttachmentNode nodes[ATTACHMENT_NODES_MAX]; /* outermost first */
        size_t n;
        char name[ATTACHMENT_NAME_MAX + 1]; /* of the node, drive, or device */
        const char *bus;                    /* libvirt */
        const char *cache, *aio;            /* of the pool; NULL: default */
        bool read_only;
} Attachment;

/* *ret is a new string; -ENOMEM. */
int attachment_write_blockdev(const Attachment *a, char **ret);
int attachment_write_drive(const Attachment *a, char **ret);
int attachment_write_disk(const Attachment *a, char **ret);
