# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes that stand on others: linked clones, flatten, rebase, what tells of them; renamed and moved volumes."""

import os
import time

from bed import QUICK
from client import MIB, NAME, volume_path
from data import DataCase, allocated, compare, image_info, pattern, qemu_io, read_file, write_file

SIZE = 16 * MIB


class Chains(DataCase):
    def setUp(self):
        super().setUp()
        self.content = pattern(MIB, 5)
        self.raw = write_file(self.path("content.raw"), self.content, 3 * MIB, SIZE)

    def linked(self, pool, name, base, **more):
        pool.CloneVolume(name, base.path, linked=True, wait=True, **more)
        return self.client.volume(pool["Name"], name)

    def base(self, pool, name="base", format="raw"):
        return self.make_volume(pool, name, SIZE, data=self.content, offset=3 * MIB, format=format)

    def test_linked_clone(self):
        pool = self.make_pool()
        for format in ("raw", "qcow2"):
            with self.subTest(base=format), self.client.listen() as news:
                base = self.base(pool, f"base-{format}", format)
                top = self.linked(pool, f"top-{format}", base)
                self.assertEqual((top["Format"], top["BackingVolume"], top["BackingFormat"]), ("qcow2", base.path, format))
                self.assertEqual(base["Dependents"], [top.path])
                self.assertEqual(top["Dependents"], [])
                told = news.added(top.path).args[1][f"{NAME}.Volume"]
                self.assertEqual(told["BackingVolume"], base.path, "whoever listens knows the base's dependents by that")
                self.assertEqual(image_info(top["Path"], "qcow2")["backing-filename-format"], format)
                compare(top["Path"], "qcow2", self.raw, "raw")
                self.assertLess(allocated(top["Path"]), MIB)
        with self.subTest("larger"):
            top = self.linked(pool, "larger", base, capacity=2 * SIZE)
            self.assertEqual((top["Capacity"], image_info(top["Path"])["virtual-size"]), (2 * SIZE, 2 * SIZE))
        with self.subTest("on a linked one"):
            second = self.linked(pool, "second", top)
            self.assertEqual(second["BackingVolume"], top.path)
            compare(second["Path"], "qcow2", self.raw, "raw")
        with self.subTest("gone again"):
            second.Delete(wait=True)
            self.assertEqual(top["Dependents"], [])

    def test_what_cannot_be_linked(self):
        pool, other = self.make_pool("one"), self.make_pool("two")
        base = self.base(pool)
        for where, words in (
            (other, {}), (pool, {"format": "raw"}), (pool, {"format": "vdi"}), (pool, {"capacity": MIB}),
        ):  # fmt: skip
            with self.subTest(pool=where["Name"], words=str(words)):
                self.assertRaisesError(
                    ("InvalidArgs", "NotSupported", "WouldOverwrite"),
                    where.CloneVolume, "top", base.path, linked=True, wait=True, **words,
                )  # fmt: skip
        self.assertEqual(base["Dependents"], [])
        self.assertEqual(os.listdir(pool["TargetPath"]), ["base"])

    def test_base_is_kept(self):
        """Weak spot 1: whatever would break an overlay is refused by name, or takes the overlay along when asked."""
        pool = self.make_pool()
        base = self.base(pool, format="qcow2")
        top = self.linked(pool, "top", base)
        fd = self.open(write_file(self.path("new"), pattern(65536)))
        for title, call in (
            ("delete", base.Delete),
            ("shrink", lambda **w: base.Resize(8 * MIB, shrink=True, **w)),
            ("rename", lambda **w: base.Rename("other", **w)),
            ("move", lambda **w: base.Move(self.make_pool("elsewhere").path, **w)),
            ("convert", lambda **w: base.Convert("raw", **w)),
            ("wipe", lambda **w: base.Wipe("zero", **w)),
            ("upload", lambda **w: base.Upload(fd, **w)),
        ):
            with self.subTest(title):
                error = self.assertRaisesError("InUse", call, wait=True)
                self.assertIn("top", error.message)
        compare(top["Path"], "qcow2", self.raw, "raw")

    def test_flatten(self):
        pool = self.make_pool()
        base = self.base(pool)
        top = self.linked(pool, "top", base)
        qemu_io(top["Path"], "write -P 0x77 8M 64k", format="qcow2")
        before = self.guest_reads(top)
        self.result(top.Flatten(wait=True))
        self.assertEqual((top["BackingVolume"], top["BackingPath"], base["Dependents"]), ("/", "", []))
        self.assertNotIn("backing-filename", image_info(top["Path"]))
        self.assertEqual(top["Format"], "qcow2")
        base.Delete(wait=True)
        self.assertEqual(self.guest_reads(top), before)
        with self.subTest("one that stands on nothing"):
            self.assertRaisesError(("InvalidArgs", "NotSupported"), self.base(pool, "plain").Flatten, wait=True)

    def test_rebase(self):
        """From one base to another: the guest sees the same before and after."""
        pool = self.make_pool()
        old, new = self.base(pool, "old"), self.make_volume(pool, "new", SIZE, data=pattern(2 * MIB, 9), offset=2 * MIB, format="qcow2")
        top = self.linked(pool, "top", old)
        qemu_io(top["Path"], "write -P 0x77 8M 64k", format="qcow2")
        before = self.guest_reads(top)
        self.result(top.Rebase(new.path, wait=True))
        self.assertEqual((top["BackingVolume"], top["BackingFormat"]), (new.path, "qcow2"))
        self.assertEqual((old["Dependents"], new["Dependents"]), ([], [top.path]))
        self.assertEqual(self.guest_reads(top), before)
        old.Delete(wait=True)
        self.assertEqual(self.guest_reads(top), before)

    def test_rebase_of_a_volume_that_had_none(self):
        pool = self.make_pool()
        base = self.base(pool)
        lone = self.make_volume(pool, "lone", SIZE, data=pattern(MIB, 9), offset=MIB, format="qcow2")
        before = self.guest_reads(lone)
        try:
            self.result(lone.Rebase(base.path, wait=True))
        except Exception as error:
            self.assertIn(error.name, ("InvalidArgs", "NotSupported"))
        self.assertEqual(self.guest_reads(lone), before)

    def test_rebase_into_a_circle(self):
        pool = self.make_pool()
        base = self.base(pool, format="qcow2")
        top = self.linked(pool, "top", base)
        for volume, backing in ((base, top), (top, top)):
            with self.subTest(volume=volume["Name"]):
                self.assertRaisesError(("InvalidArgs", "InUse"), volume.Rebase, backing.path, wait=True)
        for backing in (volume_path("rebase-into-a-circle", "none"), self.make_pool("other").path, "/"):
            with self.subTest(backing=backing):
                self.assertRaisesError(("InvalidArgs", "NoSuchVolume", "UnknownObject"), top.Rebase, backing, wait=True)
        compare(top["Path"], "qcow2", self.raw, "raw")

    def test_flatten_killed(self):
        """Old or new, and the guest sees the same either way."""
        pool = self.make_pool()
        base = self.make_volume(pool, "base", 64 * MIB, data=pattern(64 * MIB, 4))
        for i in range(1 if QUICK else 3):
            with self.subTest(round=i):
                top = self.linked(pool, f"top-{i}", base)
                call = top.Flatten.begin(bandwidth=16 * MIB, wait=True)
                time.sleep((0.0, 0.15, 0.5)[i])
                self.kill_workers()
                try:
                    call.result(30)
                except Exception as error:
                    self.assertEqual(error.name, "WorkerCrashed")
                self.settle(pool)
                compare(top["Path"], "qcow2", base["Path"], "raw")
                self.assertClean(pool["TargetPath"])
                if top["BackingVolume"] != "/":
                    self.result(top.Flatten(wait=True))
                compare(top["Path"], "qcow2", base["Path"], "raw")


class Rename(DataCase):
    def test_rename(self):
        pool = self.make_pool()
        volume = self.make_volume(pool, "old", MIB, data=pattern(MIB), format="qcow2")
        mark = {key: volume[key] for key in ("Format", "Creator", "Capacity")}
        content = self.guest_reads(volume)
        with self.client.listen() as news:
            self.result(volume.Rename("new name", wait=True))
            news.removed(volume.path)
            news.added(volume_path("rename", "new name"))
        renamed = self.client.volume("rename", "new name")
        self.assertEqual({key: renamed[key] for key in mark}, mark)
        self.assertEqual(os.listdir(pool["TargetPath"]), ["new name"])
        self.assertEqual(self.guest_reads(renamed), content)
        self.assertRaisesError(("UnknownObject", "NoSuchVolume"), volume.Refresh)
        self.assertEqual([row[0] for row in pool.ListVolumes()[0]], ["new name"])

    def test_refused(self):
        pool = self.make_pool()
        volume = self.make_volume(pool, "v")
        self.make_volume(pool, "taken")
        write_file(os.path.join(pool["TargetPath"], "sudden"), b"mine")
        self.assertRaisesError("VolumeExists", volume.Rename, "taken", wait=True)
        self.assertRaisesError("VolumeExists", volume.Rename, "sudden", wait=True)
        for name in ("", ".", "..", "a/b", "line\nbreak", ".poolkeeper-x", "x" * 300):
            with self.subTest(name=name):
                self.assertRaisesError(("InvalidName", "InvalidArgs"), volume.Rename, name, wait=True)
        self.assertEqual(set(os.listdir(pool["TargetPath"])), {"v", "taken", "sudden"})
        self.assertEqual(read_file(os.path.join(pool["TargetPath"], "sudden")), b"mine")

    def test_an_overlay(self):
        """It may be renamed, its base not."""
        pool = self.make_pool()
        base = self.make_volume(pool, "base", MIB)
        pool.CloneVolume("top", base.path, linked=True, wait=True)
        self.client.volume("an-overlay", "top").Rename("roof", wait=True)
        roof = self.client.volume("an-overlay", "roof")
        self.assertEqual(roof["BackingVolume"], base.path)
        self.assertEqual(base["Dependents"], [roof.path])

    def test_killed(self):
        pool = self.make_pool()
        self.make_volume(pool, "a", MIB, data=pattern(MIB))
        name = "a"
        for i in range(6):
            with self.subTest(round=i):
                other = "b" if name == "a" else "a"
                call = self.client.volume("killed", name).Rename.begin(other, wait=True)
                time.sleep(i * 0.001)
                self.kill_workers()
                try:
                    call.result(30)
                except Exception as error:
                    self.assertEqual(error.name, "WorkerCrashed")
                self.settle(pool)
                pool.Refresh(wait=True)
                there = os.listdir(pool["TargetPath"])
                self.assertIn(there, (["a"], ["b"]))
                self.assertEqual([row[0] for row in pool.ListVolumes()[0]], there)
                name = there[0]


class Move(DataCase):
    def test_move(self):
        pool, other = self.make_pool("one"), self.make_pool("two")
        for format in ("raw", "qcow2"):
            with self.subTest(format=format), self.client.listen() as news:
                volume = self.make_volume(pool, f"v-{format}", 8 * MIB, data=pattern(MIB), format=format)
                content = self.guest_reads(volume)
                result = self.result(volume.Move(other.path, name=f"w-{format}", wait=True))
                self.assertEqual(result["volume"], volume_path("two", f"w-{format}"))
                news.removed(volume.path)
                news.added(volume_path("two", f"w-{format}"))
                moved = self.client.volume("two", f"w-{format}")
                self.assertEqual((moved["Format"], moved["Capacity"]), (format, 8 * MIB))
                self.assertEqual(self.guest_reads(moved), content)
                self.assertLess(allocated(moved["Path"]), 4 * MIB)
        self.assertEqual(os.listdir(pool["TargetPath"]), [])
        self.assertEqual(set(os.listdir(other["TargetPath"])), {"w-raw", "w-qcow2"})

    def test_into_another_format(self):
        pool, other = self.make_pool("one"), self.make_pool("two")
        volume = self.make_volume(pool, "v", 8 * MIB, data=pattern(MIB))
        content = self.guest_reads(volume)
        volume.Move(other.path, format="qcow2", wait=True)
        moved = self.client.volume("two", "v")
        self.assertEqual((moved["Format"], self.guest_reads(moved)), ("qcow2", content))

    def test_refused(self):
        pool, other = self.make_pool("one"), self.make_pool("two")
        volume = self.make_volume(pool, "v", data=pattern(MIB))
        self.make_volume(other, "v")
        self.assertRaisesError("VolumeExists", volume.Move, other.path, wait=True)
        other.Stop(wait=True)
        self.assertRaisesError("PoolInactive", volume.Move, other.path, wait=True)
        self.assertRaisesError(("NoSuchPool", "InvalidArgs", "UnknownObject"), volume.Move, volume.path, wait=True)
        self.assertEqual(read_file(volume["Path"]), pattern(MIB))

    def test_cancelled_and_killed(self):
        """One of the two pools has it, whole, always; both for a moment, never none."""
        pool, other = self.make_pool("one"), self.make_pool("two")
        data = pattern(16 * MIB)
        volume = self.make_volume(pool, "v", 16 * MIB, data=data)
        for title, stop in (("cancel", lambda job: job.Cancel()), ("kill", lambda job: self.kill_workers())):
            with self.subTest(title):
                job = self.client.job(volume.Move(other.path, bandwidth=4 * MIB))
                stop(job)
                self.finish(job.path, 20)
                self.assertIn(job["State"], ("cancelled", "failed"))
                self.settle(pool)
                self.settle(other)
                self.assertEqual((os.listdir(pool["TargetPath"]), os.listdir(other["TargetPath"])), (["v"], []))
                self.assertEqual(read_file(volume["Path"]), data)
        volume.Move(other.path, wait=True)
        self.assertEqual(read_file(self.client.volume("two", "v")["Path"]), data)
