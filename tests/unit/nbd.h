/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As much of an NBD client as a test needs, on a connected socket. Source: doc/proto.md of the NBD project. */
#pragma once

#include "test.h"

#include <endian.h>
#include <sys/socket.h>

#define NBD_READ 0
#define NBD_WRITE 1
#define NBD_DISCONNECT 2
#define NBD_FLUSH 3
#define NBD_FLAG_READ_ONLY (1u << 1)
#define NBD_OPTION_ABORT 2
#define NBD_OPTION_GO 7

typedef struct NbdExport {
        uint64_t size;
        uint16_t flags;
} NbdExport;

static inline void nbd_send(int fd, const void *data, size_t size)
{
        CHECK_EQ(send(fd, data, size, MSG_NOSIGNAL), (ssize_t)size);
}

static inline void nbd_receive(int fd, void *data, size_t size)
{
        CHECK_EQ(recv(fd, data, size, MSG_WAITALL), (ssize_t)size);
}

static inline void nbd_option(int fd, uint32_t option, const void *data, uint32_t size)
{
        const struct __attribute__((packed)) {
                char magic[8];
                uint32_t option, size;
        } head = { { 'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T' }, htobe32(option), htobe32(size) };

        nbd_send(fd, &head, sizeof(head));
        if (size > 0)
                nbd_send(fd, data, size);
}

static inline void nbd_greet(int fd)
{
        const uint32_t flags = htobe32(3); /* fixed newstyle, no zeroes */
        char greeting[18];

        nbd_receive(fd, greeting, sizeof(greeting));
        CHECK(memcmp(greeting, "NBDMAGICIHAVEOPT", 16) == 0);
        nbd_send(fd, &flags, sizeof(flags));
}

/* 0, or the type of an error reply. */
static inline uint32_t nbd_go(int fd, const char *name, NbdExport *ret)
{
        uint8_t data[64];
        uint32_t n = (uint32_t)strlen(name), be = htobe32(n);

        memcpy(data, &be, 4);
        memcpy(data + 4, name, n);
        memset(data + 4 + n, 0, 2);
        nbd_option(fd, NBD_OPTION_GO, data, n + 6);
        for (;;) {
                struct __attribute__((packed)) {
                        uint64_t magic;
                        uint32_t option, type, size;
                } reply;
                uint8_t info[4096];

                nbd_receive(fd, &reply, sizeof(reply));
                CHECK(be64toh(reply.magic) == 0x3e889045565a9 && be32toh(reply.size) <= sizeof(info));
                if (reply.size != 0)
                        nbd_receive(fd, info, be32toh(reply.size));
                if (be32toh(reply.type) == 1)
                        return 0;
                if (be32toh(reply.type) >> 31)
                        return be32toh(reply.type);
                if (be32toh(reply.type) == 3 && info[0] == 0 && info[1] == 0) {
                        memcpy(&ret->size, info + 2, 8);
                        memcpy(&ret->flags, info + 10, 2);
                        ret->size = be64toh(ret->size);
                        ret->flags = be16toh(ret->flags);
                }
        }
}

static inline void nbd_request(int fd, uint16_t type, uint64_t offset, uint32_t size)
{
        const struct __attribute__((packed)) {
                uint32_t magic;
                uint16_t flags, type;
                uint64_t handle, offset;
                uint32_t size;
        } request = { htobe32(0x25609513), 0, htobe16(type), 7, htobe64(offset), htobe32(size) };

        nbd_send(fd, &request, sizeof(request));
}

/* 0 or the errno of the server. `data` goes out, or is filled. */
static inline uint32_t nbd_do(int fd, uint16_t type, uint64_t offset, void *data, uint32_t size)
{
        struct __attribute__((packed)) {
                uint32_t magic, error;
                uint64_t handle;
        } reply;

        nbd_request(fd, type, offset, size);
        if (type == NBD_WRITE)
                nbd_send(fd, data, size);
        nbd_receive(fd, &reply, sizeof(reply));
        CHECK(be32toh(reply.magic) == 0x67446698 && reply.handle == 7);
        if (type == NBD_READ && reply.error == 0)
                nbd_receive(fd, data, size);
        return be32toh(reply.error);
}
