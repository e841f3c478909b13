/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors that come from a caller: which are accepted, and how they are read and written without ever being stuck.
 * They are never opened again, so that nothing is done with more rights than the caller had when he opened them.
 * Source: pipe(7), statfs(2), preadv2(2). */
#pragma once

#include "backend.h"

typedef enum DataKind {
        DATA_REGULAR,
        DATA_BLOCK,
        DATA_PIPE,
        DATA_SOCKET,
} DataKind;

typedef enum DataDirection {
        DATA_READ,
        DATA_WRITE,
} DataDirection;

typedef struct DataStream {
        int fd; /* the caller's, borrowed */
        DataKind kind;
        dev_t device; /* of a regular file, to tell whether it is another one; 0 and 0 for others */
        ino_t inode;
        uint64_t
                offset; /* where its position stands: reading or writing begins there; 0 on pipes and sockets */
        uint64_t size; /* of a regular file or block device, bytes; else UINT64_MAX */
} DataStream;

/* InvalidArgs, which says what the descriptor is and what is accepted: a regular file of a file system that stores
 * (not proc, sysfs or the like), a block device, a pipe, a stream socket; open in the right direction, without O_PATH,
 * O_APPEND or O_DIRECT. */
int data_stream_check(Ctx *c, int fd, DataDirection direction, DataStream *ret);

/* The kind of any descriptor, negative errno (-EBADF: none of these). */
int data_kind(int fd, DataKind *ret);
static inline bool data_kind_seeks(DataKind k)
{
        return k == DATA_REGULAR || k == DATA_BLOCK;
}

/* Of pipes and sockets, whatever their O_NONBLOCK says: some bytes now, 0 at the end; -EAGAIN: none now, wait. */
ssize_t data_stream_read(int fd, DataKind kind, void *data, size_t size);
ssize_t data_stream_write(int fd, DataKind kind, const void *data, size_t size);

/* Waits until there may be more, a tenth of a second at most or until a signal comes. */
void data_stream_wait(int fd, DataDirection direction);
