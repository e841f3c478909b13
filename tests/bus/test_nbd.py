# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes served by NBD: what a guest sees there, who may not touch them meanwhile, and how long it lasts."""

import fcntl
import os
import struct

from bed import IN_SANDBOX, alive, processes
from client import MIB, BusError, wait_until
from data import DataCase, pattern, read_file, run
from nbd import Nbd, NbdError

WRITABLE = {"read-only": False}


class Endpoint(DataCase):
    def connect(self, volume, **more):
        fd, export, read_only = volume.OpenNBD(**more)
        client = Nbd(fd, export)
        self.addCleanup(client.close)
        self.assertEqual(client.read_only, read_only)
        return client

    def setUp(self):
        super().setUp()
        self.others = set()  # of the host's, where the tests have no sandbox
        self.others = set(self.servers())

    def servers(self):
        # One that is dead and not yet waited for may have threads that are still ending.
        running = {pid for pid, (name, state, _) in processes().items() if name == "qemu-nbd" and state != "X"}
        return sorted(running - self.others)

    def gone(self):
        self.assertTrue(wait_until(lambda: not self.servers(), 20), "the server is still there")
        self.assertEqual(os.listdir(f"{self.daemon.runtime}/endpoint"), [])

    def done_at_last(self, step):
        """The server needs a moment to see that its client is gone."""
        self.assertTrue(wait_until(lambda: self.done_unless(step, "InUse"), 20), "the volume is still in use")

    @staticmethod
    def done_unless(step, name):
        try:
            step()
        except BusError as error:
            if error.name != name:
                raise
            return False
        return True

    def test_write_and_read(self):
        pool = self.make_pool()
        data = pattern(MIB + 512)
        for format in ("raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx", "qed"):
            with self.subTest(format=format):
                volume = self.make_volume(pool, format, 8 * MIB, format=format)
                with self.connect(volume, **WRITABLE) as nbd:
                    self.assertEqual((nbd.size, nbd.read_only), (volume["Capacity"], False))
                    nbd.write(5 * MIB, data)
                    nbd.flush()
                self.gone()
                self.assertEqual(self.guest_reads(volume, len(data), 5 * MIB), data)
                with self.connect(volume) as nbd:
                    self.assertEqual(nbd.read(5 * MIB, len(data)), data)
                self.gone()

    def test_read_only_unless_asked(self):
        data = pattern(MIB)
        volume = self.make_volume(self.make_pool(), capacity=MIB, data=data)
        nbd = self.connect(volume)
        self.assertTrue(nbd.read_only)
        with self.assertRaises(NbdError):
            nbd.write(0, b"x" * 512)
        self.assertEqual(nbd.read(0, MIB), data)
        nbd.close()
        self.gone()
        self.assertEqual(read_file(volume["Path"]), data)

    def test_an_overlay(self):
        pool = self.make_pool()
        self.make_volume(pool, "base", 4 * MIB, data=pattern(MIB))
        volume = self.make_volume(pool, "overlay", 4 * MIB, format="qcow2", **{"backing.path": "base"})
        with self.connect(volume, **WRITABLE) as nbd:
            self.assertEqual(nbd.read(0, MIB), pattern(MIB))
            nbd.write(0, b"z" * 512)
        self.gone()
        self.assertEqual(read_file(self.client.volume(pool["Name"], "base")["Path"])[:MIB], pattern(MIB))
        self.assertEqual(self.guest_reads(volume, MIB), b"z" * 512 + pattern(MIB)[512:])

    def test_in_use_while_served(self):
        volume = self.make_volume(self.make_pool(), capacity=4 * MIB)
        with self.connect(volume, **WRITABLE):
            self.assertRaisesError("InUse", volume.OpenNBD)
            self.assertRaisesError("InUse", volume.Resize, MIB, shrink=True, wait=True)
            self.assertRaisesError("InUse", volume.Delete, wait=True)
        self.done_at_last(lambda: volume.Resize(MIB, shrink=True, wait=True))
        with self.connect(volume), self.connect(volume):  # readers do not mind each other
            self.assertRaisesError("InUse", volume.OpenNBD, WRITABLE)
            self.assertRaisesError("InUse", volume.Delete, wait=True)
        self.done_at_last(lambda: volume.Delete(wait=True))

    def test_guest_has_it(self):
        volume = self.make_volume(self.make_pool(), capacity=4 * MIB)
        with self.connect(volume, **WRITABLE):
            with self.assertRaises(Exception):
                run("qemu-io", "-f", "raw", "-c", "write 0 512", volume["Path"])
        self.gone()

    def test_outlives_the_service(self):
        data = pattern(MIB)
        volume = self.make_volume(self.make_pool(), capacity=4 * MIB)
        nbd = self.connect(volume, **WRITABLE)
        nbd.write(0, data)
        for end in (self.daemon.terminate, self.daemon.kill):
            end()
            self.restart()
            self.assertEqual(nbd.read(0, MIB), data)
            self.assertTrue(wait_until(lambda: self.client.pool(self.pool_of(volume))["State"] == "active", 20))
            self.assertRaisesError("InUse", volume.OpenNBD)
        nbd.write(MIB, data)
        nbd.close()
        self.gone()
        self.assertEqual(read_file(volume["Path"])[: 2 * MIB], data + data)

    @staticmethod
    def takes_all_but_one(slots):
        """255 of the 256, as endpoint-slot.c does."""
        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 32 << 32, 255, 0)
        try:
            fcntl.fcntl(slots, fcntl.F_OFD_SETLK, lock)
        except BlockingIOError:
            return False
        return True

    def test_so_many_at_once(self):
        volume = self.make_volume(self.make_pool(), capacity=MIB)
        self.connect(volume).close()
        self.gone()
        with open(f"{self.daemon.runtime}/endpoint.slots", "wb") as others:
            self.assertTrue(wait_until(lambda: self.takes_all_but_one(others), 20), "the first one still counts")
            nbd = self.connect(volume)
            self.assertRaisesError("LimitsExceeded", volume.OpenNBD)
            self.daemon.kill()
            self.restart()
            self.assertTrue(wait_until(lambda: self.client.pool(self.pool_of(volume))["State"] == "active", 20))
            self.assertRaisesError("LimitsExceeded", volume.OpenNBD)
            nbd.close()
            again = lambda: self.connect(volume).close()  # noqa: E731
            self.assertTrue(wait_until(lambda: self.done_unless(again, "LimitsExceeded"), 20), "it still counts")
        self.gone()

    @staticmethod
    def pool_of(volume):
        return volume.path.split("/")[-2].replace("_2d", "-")

    def test_client_that_says_nothing(self):
        volume = self.make_volume(self.make_pool(), capacity=MIB)
        fd, _, _ = volume.OpenNBD(WRITABLE)
        self.assertTrue(self.servers())
        os.close(fd)
        self.gone()
        volume.Delete(wait=True)

    def test_not_served(self):
        pool = self.make_pool()
        self.make_volume(pool, "folder", 0, format="dir")
        self.assertRaisesError("NotSupported", self.client.volume(pool["Name"], "folder").OpenNBD)
        run("qemu-img", "create", "-q", "-f", "qcow2", os.path.join(pool["TargetPath"], "outside"), "1M")
        pool.Refresh(wait=True)
        self.assertRaisesError("InvalidArgs", self.client.volume(pool["Name"], "outside").OpenNBD)
        self.assertRaisesError("InvalidArgs", self.client.volume(pool["Name"], "outside").OpenNBD, {"read-only": "no"})
        self.assertEqual(self.servers(), [])

    def test_server_is_shut_in(self):
        volume = self.make_volume(self.make_pool(), capacity=MIB)
        with self.connect(volume):
            (pid,) = self.servers()
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"))
            if IN_SANDBOX:
                self.assertNotIn("0", status["Uid"].split())
            self.assertNotIn(pid, self.daemon.workers())
            self.assertTrue(alive(pid))
        self.gone()
