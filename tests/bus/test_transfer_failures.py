# SPDX-License-Identifier: LGPL-2.1-or-later
"""Transfers that do not get to their end: short and closing peers, checksums, a full disk, cancel, kill -9, descriptors of the
wrong kind. What was asked to be atomic is as it was; the rest says that it is corrupt until somebody writes it anew."""

import os
import pty
import socket
import time

from bed import QUICK, alive
from client import MIB, Client, wait_until
from data import DONE, DataCase, Feed, allocated, pattern, read_file, sha256, write_file

OLD = pattern(8 * MIB, 1)
NEW = pattern(8 * MIB, 2)


class Interrupted(DataCase):
    def prepare(self, name, **more):
        return self.make_volume(self.make_pool(name), capacity=8 * MIB, data=OLD, **more)

    def begin(self, volume, **more):
        """An upload that has moved some of its bytes and will take a while for the rest."""
        fd = self.open(write_file(self.path("new"), NEW))
        job = self.client.job(volume.Upload(fd, bandwidth=2 * MIB, **more))
        self.assertTrue(wait_until(lambda: job["BytesDone"] > 0 or job["State"] in DONE, 20))
        self.assertEqual(job["State"], "running", job["Error"])
        return job

    def assertOldOrCorrupt(self, volume, atomic):
        """After a failure: as it was, or marked; and a complete upload mends it."""
        directory = os.path.dirname(volume["Path"])
        if atomic:
            self.assertEqual(read_file(volume["Path"]), OLD)
        self.assertEqual(volume["Corrupt"], not atomic)
        self.assertEqual(os.listdir(directory), ["v"])
        self.assertClean(directory)
        self.upload(volume, NEW)
        self.assertFalse(volume["Corrupt"], "rewritten from end to end")
        self.assertEqual(read_file(volume["Path"]), NEW)

    def test_cancel(self):
        for atomic in (True, False):
            with self.subTest(atomic=atomic):
                volume = self.prepare(f"cancel-{atomic}")
                job = self.begin(volume, atomic=atomic)
                begin = time.monotonic()
                job.Cancel()
                self.assertTrue(wait_until(lambda job=job: job["State"] in DONE, 10))
                self.assertLess(time.monotonic() - begin, 3)
                self.assertEqual(job["State"], "cancelled")
                self.assertEqual(job["Error"][0], "org.example.Storage.Error.Cancelled")
                self.assertLess(allocated(volume["Path"]), 9 * MIB, "the space of the new image is not free again")
                self.assertOldOrCorrupt(volume, atomic)

    def test_worker_killed(self):
        for atomic in (True, False):
            with self.subTest(atomic=atomic):
                volume = self.prepare(f"kill-{atomic}")
                job = self.begin(volume, atomic=atomic)
                self.kill_workers()
                self.assertTrue(wait_until(lambda job=job: job["State"] in DONE, 20))
                self.assertEqual(job["Error"][0], "org.example.Storage.Error.WorkerCrashed")
                self.settle(self.client.pool(f"kill-{atomic}"))
                self.assertOldOrCorrupt(volume, atomic)

    def test_daemon_killed(self):
        for atomic in (True, False):
            with self.subTest(atomic=atomic):
                volume = self.prepare(f"crash-{atomic}")
                self.begin(volume, atomic=atomic)
                self.daemon.kill()
                self.restart()
                pool = self.client.pool(f"crash-{atomic}")
                self.settle(pool)
                pool.Refresh(wait=True)
                self.assertOldOrCorrupt(volume, atomic)

    def test_daemon_told_to_end(self):
        if QUICK:
            self.skipTest("not in a quick check")
        volume = self.prepare("end")
        self.begin(volume, atomic=True)
        status, seconds = self.daemon.terminate()
        self.assertEqual(status, 0)
        self.assertLess(seconds, 20)
        self.restart()
        self.settle(self.client.pool("end"))
        self.assertOldOrCorrupt(volume, True)

    def test_corrupt_is_remembered(self):
        volume = self.prepare("memory")
        job = self.begin(volume)
        job.Cancel()
        self.assertTrue(wait_until(lambda: job["State"] in DONE, 10))
        pool = self.client.pool("memory")
        pool.Stop(wait=True)
        pool.Start(wait=True)
        self.assertTrue(volume["Corrupt"])
        with self.subTest("a part does not mend it"):
            self.upload(volume, NEW[:MIB])
            self.assertTrue(volume["Corrupt"])
        with self.subTest("nor may it be copied as if it were whole"):
            self.assertRaisesError("Corrupt", pool.CloneVolume, "copy", volume.path, wait=True)
        self.assertOldOrCorrupt(volume, False)

    def test_caller_leaves(self):
        """The job is the service's: it goes on when its caller is gone, and the data with it."""
        volume = self.prepare("leave")
        user = Client(self.bus.address)
        with Feed(NEW) as fd:
            job = user.volume("leave", "v").Upload(fd, bandwidth=8 * MIB)
            user.close()
            self.assertEqual(self.result(job)["bytes"], len(NEW))
        self.assertEqual(read_file(volume["Path"]), NEW)


class Peers(DataCase):
    def test_short_source(self):
        """A length was said, and the other end closed before it."""
        for title, ends in (("pipe", os.pipe), ("socket", lambda: [end.detach() for end in socket.socketpair()])):
            for atomic in (True, False):
                with self.subTest(source=title, atomic=atomic):
                    volume = self.make_volume(self.make_pool(f"short-{title}-{atomic}"), capacity=8 * MIB, data=OLD)
                    with Feed(NEW[:MIB], ends()) as fd:
                        error = self.assertRaisesError(
                            ("Failed", "InvalidArgs"), volume.Upload, fd, length=2 * MIB, atomic=atomic, wait=True
                        )
                    self.assertIn("2", error.message)
                    self.assertEqual(volume["Corrupt"], not atomic)
                    if atomic:
                        self.assertEqual(read_file(volume["Path"]), OLD)

    def test_short_file(self):
        volume = self.make_volume(self.make_pool(), capacity=8 * MIB, data=OLD)
        fd = self.open(write_file(self.path("short"), NEW[:4096]))
        self.assertRaisesError(("Failed", "InvalidArgs"), volume.Upload, fd, length=2 * MIB, wait=True)

    def test_expected_checksum(self):
        for atomic in (True, False):
            with self.subTest(atomic=atomic):
                volume = self.make_volume(self.make_pool(f"sum-{atomic}"), capacity=8 * MIB, data=OLD)
                fd = self.open(write_file(self.path("new"), NEW))
                error = self.assertRaisesError("Corrupt", volume.Upload, fd, sha256=sha256(OLD), atomic=atomic, wait=True)
                self.assertIn(sha256(NEW), error.message)
                self.assertEqual(volume["Corrupt"], not atomic)
                if atomic:
                    self.assertEqual(read_file(volume["Path"]), OLD)
                self.assertEqual(self.upload(volume, NEW, sha256=sha256(NEW), atomic=atomic)["sha256"], sha256(NEW))
                self.assertFalse(volume["Corrupt"])
        with self.subTest("upper case"):
            self.upload(volume, NEW, sha256=sha256(NEW).upper())
        for nonsense in ("", "12", "x" * 64, sha256(NEW) + "0"):
            with self.subTest(sha256=nonsense):
                fd = self.open(write_file(self.path("new"), NEW))
                self.assertRaisesError("InvalidArgs", volume.Upload, fd, sha256=nonsense, wait=True)
                self.assertFalse(volume["Corrupt"])

    def test_disk_full(self):
        pool = self.mounted("tmpfs", 24 * MIB, "full")
        volume = self.make_volume(pool, capacity=32 * MIB, data=OLD[:MIB])
        before = read_file(volume["Path"])
        write_file(self.path("big"), pattern(30 * MIB))
        for atomic in (True, False):
            with self.subTest(atomic=atomic):
                self.assertRaisesError("NoSpace", volume.Upload, self.open(self.path("big")), atomic=atomic, wait=True)
                self.assertEqual(volume["Corrupt"], not atomic)
                if atomic:
                    self.assertEqual(read_file(volume["Path"]), before)
                self.assertEqual((pool["State"], os.listdir(pool["TargetPath"])), ("active", ["v"]))
        volume.Delete(wait=True)
        other = self.make_volume(pool, "w", capacity=16 * MIB)
        self.upload(other, pattern(16 * MIB), atomic=False)
        with self.subTest("import"):
            self.assertRaisesError(
                ("NoSpace", "LimitsExceeded"), pool.ImportVolume, "x", self.open(self.path("big")), {"source-format": "raw"}, wait=True
            )
            self.assertEqual(os.listdir(pool["TargetPath"]), ["w"])

    def test_full_at_the_other_end(self):
        self.mounted("tmpfs", 4 * MIB, "target")
        volume = self.make_volume(self.make_pool("source"), capacity=8 * MIB, data=OLD)
        fd = self.open(os.path.join(self.directory("target"), "file"), os.O_RDWR | os.O_CREAT)
        self.assertRaisesError(("NoSpace", "Failed"), volume.Download, fd, wait=True)
        self.assertFalse(volume["Corrupt"])


class Descriptors(DataCase):
    """Kinds that are refused, before a byte of the volume changed."""

    def refused(self):
        """What it is, a descriptor of it, which of upload and download it is no good for."""
        reading = self.path("file")
        write_file(reading, NEW[:4096])
        both = ("Upload", "Download", "Export", "ImportVolume")
        yield "a path only", self.open(reading, os.O_PATH), both
        yield "a directory", self.open(self.files, os.O_DIRECTORY), both
        yield "a character device", self.open("/dev/zero", os.O_RDWR), both
        yield "/dev/null", self.open("/dev/null", os.O_RDWR), both
        yield "a terminal", self.keep(self.terminal()), both
        yield "a file of /proc", self.open("/proc/self/comm", os.O_RDWR), both
        yield "a file of /sys", self.open("/sys/kernel/mm/transparent_hugepage/enabled"), ("Upload", "ImportVolume")
        yield "an eventfd", self.keep(os.eventfd(1)), both
        yield "a pidfd", self.keep(os.pidfd_open(os.getpid())), both
        yield "a listening socket", self.socket(socket.AF_UNIX, socket.SOCK_STREAM, True), both
        yield "a datagram socket", self.socket(socket.AF_UNIX, socket.SOCK_DGRAM, False), both
        yield "read-only", self.open(reading), ("Download", "Export")
        yield "write-only", self.open(reading, os.O_WRONLY), ("Upload", "ImportVolume")
        read, write = os.pipe()
        yield "the reading end of a pipe", self.keep(read), ("Download", "Export")
        yield "the writing end of a pipe", self.keep(write), ("Upload", "ImportVolume")

    def terminal(self):
        master, terminal = pty.openpty()
        self.keep(master)
        return terminal

    def socket(self, family, kind, listening):
        end = socket.socket(family, kind)
        if listening:
            end.bind("\0poolkeeper-test-listener")
            end.listen()
        return self.keep(end.detach())

    def test_refused(self):
        pool = self.make_pool()
        volume = self.make_volume(pool, capacity=MIB, data=OLD[:MIB])
        for title, fd, methods in self.refused():
            for method in methods:
                with self.subTest(descriptor=title, method=method):
                    words = (fd, {"wait": True})
                    if method == "ImportVolume":
                        call = lambda w=words: pool.ImportVolume("x", w[0], {"source-format": "raw", "wait": True}, timeout=20)  # noqa: E731
                    else:
                        call = lambda w=words, m=method: getattr(volume, m)(*w, timeout=20)  # noqa: E731
                    error = self.assertRaisesError(("InvalidArgs", "AccessDenied", "NotSupported"), call)
                    self.assertTrue(error.message)
        self.assertEqual(read_file(volume["Path"]), OLD[:MIB])
        self.assertFalse(volume["Corrupt"])
        self.assertEqual(os.listdir(pool["TargetPath"]), ["v"])

    def test_none_is_left_open(self):
        """Neither the daemon nor the workers keep what was handed over."""
        pool = self.make_pool()
        volume = self.make_volume(pool, capacity=MIB)
        path = write_file(self.path("mine"), NEW[:4096])
        for _ in range(3):
            self.upload(volume, self.open(path))
            self.assertRaisesError("InvalidArgs", volume.Upload, self.open(path), {"no-such-option": True})
        self.assertTrue(wait_until(lambda: not self.holders(path), 5), self.holders(path))

    def holders(self, path):
        found = []
        for pid in [self.daemon.pid, *self.daemon.workers()]:
            if not alive(pid):
                continue
            for number in os.listdir(f"/proc/{pid}/fd"):
                try:
                    if os.readlink(f"/proc/{pid}/fd/{number}") == path:
                        found.append((pid, number))
                except OSError:
                    pass
        return found

    def test_a_file_of_the_pool_itself(self):
        """A volume uploaded into itself, or into its neighbour, through the caller's own descriptor."""
        pool = self.make_pool()
        volume = self.make_volume(pool, capacity=MIB, data=OLD[:MIB])
        fd = self.open(volume["Path"], os.O_RDWR)
        os.set_inheritable(fd, False)
        self.assertRaisesError(("InUse", "InvalidArgs"), volume.Upload, fd, wait=True)
        self.assertEqual(read_file(volume["Path"]), OLD[:MIB])

    def test_options_nobody_knows(self):
        pool = self.make_pool()
        volume = self.make_volume(pool, capacity=MIB)
        fd = self.open(write_file(self.path("mine"), NEW[:4096]), os.O_RDWR)
        for call in (
            lambda **w: volume.Upload(fd, **w), lambda **w: volume.Download(fd, **w), lambda **w: volume.Export(fd, **w),
            volume.Open, volume.OpenNBD, volume.Flatten, lambda **w: volume.Rename("x", **w), lambda **w: volume.Move(pool.path, **w),
            lambda **w: volume.Convert("qcow2", **w), lambda **w: volume.Wipe("zero", **w),
            lambda **w: volume.CreateSnapshot("x", **w), lambda **w: volume.GetAttachment("qemu-blockdev", **w),
            lambda **w: volume.Rebase(volume.path, **w), lambda **w: pool.ConvertVolumes("raw", **w),
            lambda **w: pool.ImportVolume("x", fd, {"source-format": "raw"} | w), lambda **w: pool.OpenVolume("v", **w),
        ):  # fmt: skip
            with self.subTest(call=str(call)):
                error = self.assertRaisesError("InvalidArgs", call, colour="blue")
                self.assertIn("colour", error.message)
        for words in ({"offset": "twelve"}, {"sparse": 1}, {"bandwidth": True}, {"sha256": 4}):
            with self.subTest(words=str(words)):
                self.assertRaisesError("InvalidArgs", volume.Upload, fd, words)
