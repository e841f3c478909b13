# SPDX-License-Identifier: LGPL-2.1-or-later
"""Blocks shared between volumes, on file systems that can."""

from client import MIB
from data import allocated, pattern, read_file, run, write_file
from vm import MOUNT, VmCase

SIZE = 16 * MIB


def free():
    run("sync", "-f", MOUNT)
    return int(run("stat", "-f", "-c", "%f", MOUNT)) * int(run("stat", "-f", "-c", "%S", MOUNT))


class Reflink(VmCase):
    def share(self, kind):
        self.format_disk(kind)
        pool = self.make_pool("shared")
        old, new = pattern(SIZE, 1), pattern(SIZE, 2)
        volume = self.make_volume(pool, "v", SIZE)
        write_file(volume["Path"], old)
        with self.subTest("clone"):
            before = free()
            result = self.result(pool.CloneVolume("clone", volume.path, wait=True))
            self.assertEqual(result["method"], "reflink")
            self.assertLess(before - free(), SIZE // 2, "the blocks are not shared")
            clone = self.client.volume("shared", "clone")
            self.assertEqual(read_file(clone["Path"]), old)
            write_file(clone["Path"], new[:MIB])
            self.assertEqual(read_file(volume["Path"]), old)
        with self.subTest("upload"):
            source = write_file(f"{MOUNT}/source", new)
            # On btrfs volumes are without copy-on-write, as the directory says that was made for them; the source is not.
            method = "copy" if kind == "btrfs" else "reflink"
            self.assertEqual(self.upload(clone, self.open(source))["method"], method)
            self.assertEqual(read_file(clone["Path"]), new)
        with self.subTest("snapshot"):
            before = free()
            snapshot = self.client.snapshot(self.result(volume.CreateSnapshot("s", wait=True))["snapshot"])
            self.assertEqual((snapshot["Kind"], snapshot["Size"]), ("file", SIZE))
            self.assertLess(before - free(), SIZE // 2, "the blocks are not shared")
            write_file(volume["Path"], new)
            self.result(snapshot.Revert(wait=True))
            self.assertEqual(read_file(volume["Path"]), old)
            self.result(snapshot.Delete(wait=True))
            self.assertEqual(volume["Snapshots"], [])
        with self.subTest("holes stay holes"):
            sparse = self.make_volume(pool, "sparse", 64 * MIB, data=old[:MIB], offset=32 * MIB)
            self.result(pool.CloneVolume("holes", sparse.path, wait=True))
            self.assertLess(allocated(self.client.volume("shared", "holes")["Path"]), 4 * MIB)
        self.assertClean(self.directory("shared"))

    def test_xfs(self):
        self.share("xfs")

    def test_btrfs(self):
        self.share("btrfs")
