# SPDX-License-Identifier: LGPL-2.1-or-later
"""As much of an NBD client as a test needs, on a connected descriptor. Source: doc/proto.md of the NBD project."""

import socket
import struct

READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3
READ_ONLY = 1 << 1
GO, ACK, INFO = 7, 1, 3
SECONDS_MAX = 30


class NbdError(Exception):
    pass


class Nbd:
    """Closes the descriptor with itself; the handshake is made at once."""

    def __init__(self, fd, export):
        self.socket = socket.socket(fileno=fd)
        self.socket.settimeout(SECONDS_MAX)
        if not self._receive(18).startswith(b"NBDMAGICIHAVEOPT"):
            raise NbdError("no server speaks first")
        self.socket.sendall(struct.pack(">I", 3))
        name = export.encode()
        self.socket.sendall(struct.pack(">8sIII", b"IHAVEOPT", GO, len(name) + 6, len(name)) + name + b"\0\0")
        while True:
            _, _, type, size = struct.unpack(">QIII", self._receive(20))
            data = self._receive(size)
            if type == ACK:
                break
            if type >> 31:
                raise NbdError(f"export {export} is refused: {data!r}")
            if type == INFO and data[:2] == b"\0\0":
                self.size, flags = struct.unpack(">QH", data[2:12])
                self.read_only = bool(flags & READ_ONLY)

    def _receive(self, size):
        data = bytearray()
        while len(data) < size:
            chunk = self.socket.recv(size - len(data))
            if not chunk:
                raise NbdError("the server is gone")
            data += chunk
        return bytes(data)

    def _request(self, type, offset=0, size=0, data=b""):
        self.socket.sendall(struct.pack(">IHHQQI", 0x25609513, 0, type, 7, offset, size) + data)
        magic, error, handle = struct.unpack(">IIQ", self._receive(16))
        if (magic, handle) != (0x67446698, 7):
            raise NbdError("a reply to something else")
        if error:
            raise NbdError(f"errno {error}")

    def read(self, offset, size):
        self._request(READ, offset, size)
        return self._receive(size)

    def write(self, offset, data):
        self._request(WRITE, offset, len(data), data)

    def flush(self):
        self._request(FLUSH)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
