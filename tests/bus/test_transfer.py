# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bytes into volumes and out of them, over every kind of descriptor: where they land, what stays a hole, what is told."""

import os
import socket
import time

from bed import QUICK
from client import MIB, wait_until
from data import DONE, DataCase, Drain, Feed, allocated, data_bytes, pattern, read_file, sha256, write_file


class Upload(DataCase):
    def test_from_a_file(self):
        data = pattern(3 * MIB + 17)
        volume = self.make_volume(self.make_pool(), capacity=8 * MIB)
        result = self.upload(volume, data, checksum=True)
        self.assertEqual((result["bytes"], result["sha256"]), (len(data), sha256(data)))
        self.assertIn(result["method"], ("reflink", "copy", "stream"))
        content = read_file(volume["Path"])
        self.assertEqual(content[: len(data)], data)
        self.assertEqual(content[len(data) :], bytes(8 * MIB - len(data)))
        self.assertEqual(volume["Capacity"], 8 * MIB)
        self.assertFalse(volume["Corrupt"])

    def test_from_a_pipe(self):
        data = pattern(2 * MIB + 1)
        volume = self.make_volume(self.make_pool(), capacity=4 * MIB)
        with Feed(data) as fd:
            result = self.upload(volume, fd, checksum=True)
        self.assertEqual((result["bytes"], result["sha256"]), (len(data), sha256(data)))
        self.assertEqual(read_file(volume["Path"])[: len(data)], data)

    def test_from_a_socket(self):
        data = pattern(MIB + 5)
        volume = self.make_volume(self.make_pool(), capacity=4 * MIB)
        ends = [end.detach() for end in socket.socketpair()]
        with Feed(data, ends) as fd:
            self.assertEqual(self.upload(volume, fd)["bytes"], len(data))
        self.assertEqual(read_file(volume["Path"])[: len(data)], data)

    def test_from_a_memfd(self):
        data = pattern(MIB)
        volume = self.make_volume(self.make_pool(), capacity=MIB)
        fd = self.keep(os.memfd_create("data"))
        os.write(fd, data)
        os.lseek(fd, 0, os.SEEK_SET)
        self.assertEqual(self.upload(volume, fd)["bytes"], len(data))
        self.assertEqual(read_file(volume["Path"]), data)

    def test_from_a_block_device(self):
        data = pattern(2 * MIB)
        device = self.loop_device(write_file(self.path("disk"), data))
        volume = self.make_volume(self.make_pool(), capacity=2 * MIB)
        self.assertEqual(self.upload(volume, self.open(device))["bytes"], len(data))
        self.assertEqual(read_file(volume["Path"]), data)

    def test_offset_and_length(self):
        data = pattern(MIB)
        before = pattern(4 * MIB, 1)
        for atomic in (False, True):
            with self.subTest(atomic=atomic):
                volume = self.make_volume(self.make_pool(f"part-{atomic}"), capacity=4 * MIB, data=before)
                result = self.upload(volume, data, offset=MIB + 3, length=5000, atomic=atomic)
                self.assertEqual(result["bytes"], 5000)
                expected = before[: MIB + 3] + data[:5000] + before[MIB + 3 + 5000 :]
                self.assertEqual(read_file(volume["Path"]), expected)

    def test_offset_at_odd_places(self):
        """One byte, a page boundary, the very end, nothing at all."""
        pool = self.make_pool()
        before = pattern(65536)
        for i, (offset, length) in enumerate(((0, 1), (4095, 2), (65535, 1), (65536, 0), (512, 4096))):
            with self.subTest(offset=offset, length=length):
                volume = self.make_volume(pool, f"v{i}", capacity=65536, data=before)
                data = pattern(length, 7)
                self.assertEqual(self.upload(volume, data, offset=offset)["bytes"], length)
                self.assertEqual(read_file(volume["Path"]), before[:offset] + data + before[offset + length :])

    def test_beyond_the_end(self):
        pool = self.make_pool()
        before = pattern(MIB)
        data = pattern(4096, 1)
        for i, words in enumerate(({"offset": MIB - 1}, {"offset": MIB + 4096}, {"offset": (1 << 63)}, {"offset": (1 << 64) - 1})):
            with self.subTest(words=str(words)):
                volume = self.make_volume(pool, f"v{i}", capacity=MIB, data=before)
                fd = self.open(write_file(self.path("data"), data))
                self.assertRaisesError(("InvalidArgs", "NoSpace"), volume.Upload, fd, words, wait=True)
                self.assertEqual(read_file(volume["Path"]), before)
                self.assertFalse(volume["Corrupt"], "refused before the first byte")
        with self.subTest("offset and length that wrap around"):
            fd = self.open(write_file(self.path("data"), data))
            words = {"offset": 4096, "length": (1 << 64) - 2048}
            self.assertRaisesError(("InvalidArgs", "NoSpace", "Failed"), volume.Upload, fd, words, wait=True)

    def test_a_pipe_longer_than_the_volume(self):
        before = pattern(MIB)
        for atomic in (True, False):
            with self.subTest(atomic=atomic):
                volume = self.make_volume(self.make_pool(f"long-{atomic}"), capacity=MIB, data=before)
                with Feed(pattern(2 * MIB, 1)) as fd:
                    self.assertRaisesError(("InvalidArgs", "NoSpace"), volume.Upload, fd, atomic=atomic, wait=True)
                self.assertEqual(os.stat(volume["Path"]).st_size, MIB)
                self.assertEqual(volume["Corrupt"], not atomic)
                if atomic:
                    self.assertEqual(read_file(volume["Path"]), before)

    def test_grow(self):
        data = pattern(3 * MIB)
        for title, source in (("file", lambda: self.open(write_file(self.path("data"), data))), ("pipe", lambda: Feed(data))):
            for atomic in (False, True):
                with self.subTest(source=title, atomic=atomic):
                    volume = self.make_volume(self.make_pool(f"grow-{title}-{atomic}"), capacity=MIB)
                    given = source()
                    self.upload(volume, given if isinstance(given, int) else given.fd, grow=True, offset=4096, atomic=atomic)
                    self.assertEqual(volume["Capacity"], 3 * MIB + 4096)
                    self.assertEqual(read_file(volume["Path"]), bytes(4096) + data)
                    if not isinstance(given, int):
                        given.__exit__()

    def test_holes_stay_holes(self):
        """A sparse file over old data: its holes read as zeros, and take no space."""
        path = write_file(self.path("sparse"), pattern(65536), 5 * MIB, 16 * MIB)
        for atomic in (False, True):
            with self.subTest(atomic=atomic):
                volume = self.make_volume(self.make_pool(f"holes-{atomic}"), capacity=16 * MIB, data=pattern(16 * MIB, 3))
                self.upload(volume, self.open(path), sparse=True, atomic=atomic)
                self.assertEqual(read_file(volume["Path"]), read_file(path))
                self.assertLess(data_bytes(volume["Path"]), MIB)
                self.assertLess(allocated(volume["Path"]), MIB)

    def test_zeros_become_holes_on_request(self):
        data = pattern(65536) + bytes(8 * MIB) + pattern(65536)
        for title, source in (("file", lambda: self.open(write_file(self.path("zeros"), data))), ("pipe", lambda: Feed(data))):
            with self.subTest(source=title):
                pool = self.make_pool(f"zeros-{title}")
                volume = self.make_volume(pool, capacity=len(data), data=pattern(len(data), 3))
                given = source()
                self.upload(volume, given if isinstance(given, int) else given.fd, sparse=True)
                self.assertEqual(read_file(volume["Path"]), data)
                self.assertLess(allocated(volume["Path"]), MIB)

    def test_bandwidth(self):
        if QUICK:
            self.skipTest("takes its time")
        volume = self.make_volume(self.make_pool(), capacity=8 * MIB)
        begin = time.monotonic()
        self.upload(volume, pattern(6 * MIB), bandwidth=2 * MIB)
        seconds = time.monotonic() - begin
        self.assertGreater(seconds, 1.5)
        self.assertLess(seconds, 20)

    def test_progress(self):
        volume = self.make_volume(self.make_pool(), capacity=8 * MIB)
        fd = self.open(write_file(self.path("data"), pattern(8 * MIB)))
        job = self.client.job(volume.Upload(fd, bandwidth=4 * MIB))
        seen = set()
        told = []

        def look():
            properties = job.all()
            seen.add(properties["BytesDone"])
            if properties["State"] == "running" and properties["Rate"] > 0 and properties["ExpectedEndTimeUSec"] > 0:
                told.append(properties)
            return len(seen) > 2 and told or properties["State"] in DONE

        self.assertTrue(wait_until(look, 20))
        self.assertGreater(len(seen), 2, f"no progress: {seen}")
        self.assertTrue(told, "neither a rate nor an expected end")
        self.assertEqual(told[0]["Bytes"], 8 * MIB)
        self.assertTrue(told[0]["ProgressValid"] and told[0]["Cancellable"])
        self.assertGreater(told[0]["ExpectedEndTimeUSec"], told[0]["StartTimeUSec"])
        job.Cancel()
        self.assertTrue(wait_until(lambda: job["State"] in DONE, 10))


class Download(DataCase):
    def test_to_a_file(self):
        data = pattern(3 * MIB + 11)
        volume = self.make_volume(self.make_pool(), capacity=len(data), data=data)
        result = self.download(volume, checksum=True)
        self.assertEqual((result["bytes"], result["sha256"]), (len(data), sha256(data)))
        self.assertEqual(read_file(self.path("download")), data)

    def test_to_a_pipe(self):
        data = pattern(2 * MIB + 1)
        volume = self.make_volume(self.make_pool(), capacity=len(data), data=data)
        with Drain() as drain:
            result = self.result(volume.Download(drain.fd, checksum=True, wait=True))
            self.assertEqual(drain.data, data)
        self.assertEqual(result["sha256"], sha256(data))

    def test_to_a_socket(self):
        data = pattern(MIB + 1)
        volume = self.make_volume(self.make_pool(), capacity=len(data), data=data)
        with Drain([end.detach() for end in socket.socketpair()]) as drain:
            self.result(volume.Download(drain.fd, wait=True))
            self.assertEqual(drain.data, data)

    def test_to_a_block_device(self):
        data = pattern(2 * MIB)
        device = self.loop_device(write_file(self.path("disk"), pattern(4 * MIB, 9)))
        volume = self.make_volume(self.make_pool(), capacity=len(data), data=data)
        self.result(volume.Download(self.open(device, os.O_RDWR), wait=True))
        self.assertEqual(read_file(device)[: len(data)], data)

    def test_to_a_smaller_block_device(self):
        device = self.loop_device(write_file(self.path("disk"), bytes(MIB)))
        volume = self.make_volume(self.make_pool(), capacity=2 * MIB, data=pattern(2 * MIB))
        self.assertRaisesError(("NoSpace", "InvalidArgs"), volume.Download, self.open(device, os.O_RDWR), wait=True)

    def test_offset_and_length(self):
        data = pattern(MIB)
        volume = self.make_volume(self.make_pool(), capacity=MIB, data=data)
        for offset, length in ((0, 1), (4095, 4098), (MIB - 1, 1), (MIB, 0), (1000, None)):
            with self.subTest(offset=offset, length=length):
                words = {"offset": offset, **({} if length is None else {"length": length})}
                with Drain() as drain:
                    result = self.result(volume.Download(drain.fd, words, wait=True))
                    expected = data[offset:] if length is None else data[offset : offset + length]
                    self.assertEqual(drain.data, expected)
                self.assertEqual(result["bytes"], len(expected))

    def test_beyond_the_end(self):
        volume = self.make_volume(self.make_pool(), capacity=MIB)
        for words in ({"offset": MIB + 1}, {"offset": (1 << 64) - 1}, {"offset": 1, "length": MIB}, {"length": (1 << 63)}):
            with self.subTest(words=str(words)), Drain() as drain:
                self.assertRaisesError("InvalidArgs", volume.Download, drain.fd, words, wait=True)

    def test_sparse(self):
        """Into a new file the holes stay holes; one that had other data there has zeros afterwards."""
        volume = self.make_volume(self.make_pool(), capacity=64 * MIB, data=pattern(65536), offset=40 * MIB)
        self.download(volume, sparse=True)
        self.assertEqual(read_file(self.path("download")), read_file(volume["Path"]))
        self.assertLess(allocated(self.path("download")), MIB)
        self.assertEqual(os.stat(self.path("download")).st_size, 64 * MIB)
        old = write_file(self.path("old"), pattern(64 * MIB, 2))
        self.result(volume.Download(self.open(old, os.O_RDWR), sparse=True, wait=True))
        self.assertEqual(read_file(old), read_file(volume["Path"]))
        self.assertLess(allocated(old), MIB)

    def test_wholly_sparse(self):
        volume = self.make_volume(self.make_pool(), capacity=1024 * MIB)
        self.download(volume, sparse=True)
        self.assertEqual((os.stat(self.path("download")).st_size, allocated(self.path("download"))), (1024 * MIB, 0))

    def test_the_other_end_closes(self):
        volume = self.make_volume(self.make_pool(), capacity=4 * MIB, data=pattern(4 * MIB))
        for title, ends in (("pipe", os.pipe), ("socket", lambda: [end.detach() for end in socket.socketpair()])):
            with self.subTest(end=title):
                mine, its = ends()
                call = volume.Download.begin(its, wait=True)
                os.close(its)
                self.assertEqual(len(os.read(mine, 1000)), 1000)
                os.close(mine)
                error = self.assertRaisesError(("Failed", "Cancelled"), call.result, 20)
                self.assertTrue(error.message)
        self.download(volume)
        self.assertEqual(read_file(self.path("download")), read_file(volume["Path"]))

    def test_nobody_reads(self):
        """A pipe that nobody empties holds up nobody else, and the job can be cancelled."""
        pool = self.make_pool()
        volume = self.make_volume(pool, capacity=4 * MIB, data=pattern(4 * MIB))
        mine, its = os.pipe()
        self.keep(mine)
        job = self.client.job(volume.Download(self.keep(its)))
        self.assertTrue(wait_until(lambda: job["State"] == "running", 10))
        self.make_volume(pool, "beside", capacity=MIB)
        begin = time.monotonic()
        job.Cancel()
        self.assertTrue(wait_until(lambda: job["State"] in DONE, 10))
        self.assertEqual(job["State"], "cancelled")
        self.assertLess(time.monotonic() - begin, 5)

    def test_a_qcow2_comes_as_it_is_stored(self):
        volume = self.make_volume(self.make_pool(), capacity=16 * MIB, data=pattern(MIB), format="qcow2")
        self.download(volume)
        self.assertEqual(read_file(self.path("download")), read_file(volume["Path"]))

    def test_a_part_of_a_qcow2(self):
        """Of its file, which has more bytes than the guest's disk."""
        volume = self.make_volume(self.make_pool(), capacity=MIB, data=pattern(MIB), format="qcow2")
        content = read_file(volume["Path"])
        self.assertGreater(len(content), MIB + 4096)
        with Drain() as drain:
            self.result(volume.Download(drain.fd, offset=MIB + 4096, wait=True))
            self.assertEqual(drain.data, content[MIB + 4096 :])
        with Drain() as drain:
            self.assertRaisesError("InvalidArgs", volume.Download, drain.fd, offset=len(content) + 1, wait=True)
