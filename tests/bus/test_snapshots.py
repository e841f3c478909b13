# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots: inside a qcow2, and as reflinked files where the file system can; made, listed, gone back to, deleted."""

import os
import subprocess

from client import MIB, NAME, snapshot_path
from data import DataCase, image_info, pattern, read_file, run

SIZE = 16 * MIB


class Snapshots(DataCase):
    def create(self, volume, name):
        self.result(volume.CreateSnapshot(name, wait=True))
        path = snapshot_path(volume["Pool"].rsplit("/", 1)[-1].replace("_2d", "-"), volume["Name"], name)
        return self.client.snapshot(path)

    def inside(self, volume):
        return [row["name"] for row in image_info(volume["Path"], "qcow2").get("snapshots", [])]

    def test_internal(self):
        pool = self.make_pool()
        volume = self.make_volume(pool, "v", SIZE, data=pattern(MIB, 1), format="qcow2")
        first_content = self.guest_reads(volume)
        with self.client.listen() as news:
            first = self.create(volume, "first")
            news.added(first.path)
            news.wait("PropertiesChanged", volume.path, lambda s: "Snapshots" in [*s.args[1], *s.args[2]])
        properties = first.all()
        self.assertEqual({key: properties[key] for key in ("Name", "Volume", "Kind")}, {
            "Name": "first", "Volume": volume.path, "Kind": "internal",
        })  # fmt: skip
        self.assertGreater(properties["CreatedUSec"], 1_600_000_000_000_000)
        self.assertEqual(volume["Snapshots"], [first.path])
        self.guest_writes(volume, pattern(2 * MIB, 2))
        second_content = self.guest_reads(volume)
        second = self.create(volume, "second one")
        self.assertEqual(self.inside(volume), ["first", "second one"])
        self.assertEqual(set(volume["Snapshots"]), {first.path, second.path})
        with self.subTest("back to the first"):
            self.result(first.Revert(wait=True))
            self.assertEqual(self.guest_reads(volume), first_content)
        with self.subTest("and forth to the second"):
            self.result(second.Revert(wait=True))
            self.assertEqual(self.guest_reads(volume), second_content)
        with self.subTest("deleted"), self.client.listen() as news:
            self.result(first.Delete(wait=True))
            news.removed(first.path)
            self.assertEqual(volume["Snapshots"], [second.path])
            self.assertEqual(self.inside(volume), ["second one"])
            self.assertRaisesError(("UnknownObject", "NoSuchVolume"), first.Revert, wait=True)
        run("qemu-img", "check", "-q", "-f", "qcow2", volume["Path"])

    def test_they_outlive_a_restart(self):
        pool = self.make_pool()
        volume = self.make_volume(pool, "v", SIZE, format="qcow2")
        snapshot = self.create(volume, "s")
        pool.Stop(wait=True)
        pool.Start(wait=True)
        self.assertEqual(volume["Snapshots"], [snapshot.path])
        self.assertEqual(snapshot["Name"], "s")

    def test_made_by_others(self):
        """qemu-img's own, found by a look; one whose name we would not give is no reason to fail."""
        pool = self.make_pool()
        volume = self.make_volume(pool, "v", SIZE, format="qcow2")
        run("qemu-img", "snapshot", "-c", "theirs", volume["Path"])
        subprocess.run(["qemu-img", "snapshot", "-c", "a/b", volume["Path"]], check=True)
        pool.Refresh(wait=True)
        path = snapshot_path("made-by-others", "v", "theirs")
        self.assertIn(path, volume["Snapshots"])
        self.assertEqual(self.client.snapshot(path)["Kind"], "internal")
        self.assertEqual(pool["State"], "active")

    def test_objects(self):
        pool = self.make_pool()
        volume = self.make_volume(pool, "v", SIZE, format="qcow2")
        snapshot = self.create(volume, "s.1")
        self.assertIn(f"{NAME}.Snapshot", self.client.managed_objects()[snapshot.path])
        self.assertIn("CreatedUSec", snapshot.introspect())
        volume.Delete(wait=True)
        self.assertRaisesError(("UnknownObject", "UnknownInterface"), lambda: snapshot["Name"])
        self.assertEqual([path for path in self.client.managed_objects() if "/snapshot/" in path and "objects" in path], [])

    def test_names(self):
        pool = self.make_pool()
        volume = self.make_volume(pool, "v", SIZE, format="qcow2")
        self.create(volume, "taken")
        self.assertRaisesError("VolumeExists", volume.CreateSnapshot, "taken", wait=True)
        for name in ("", ".", "..", "a/b", "line\nbreak", "x" * 300):
            with self.subTest(name=name):
                self.assertRaisesError(("InvalidName", "InvalidArgs"), volume.CreateSnapshot, name, wait=True)
        self.assertEqual(self.inside(volume), ["taken"])
        for name in ("-d", "--help", "ünï", "a b", "comma,equals=1", "1"):
            with self.subTest(name=name):
                snapshot = self.create(volume, name)
                self.assertEqual(snapshot["Name"], name)
                self.result(snapshot.Delete(wait=True))
        self.assertEqual(self.inside(volume), ["taken"])

    def test_renamed_volume(self):
        volume = self.make_volume(self.make_pool(), "v", SIZE, format="qcow2")
        self.create(volume, "s")
        volume.Rename("w", wait=True)
        renamed = self.client.volume("renamed-volume", "w")
        self.assertEqual(renamed["Snapshots"], [snapshot_path("renamed-volume", "w", "s")])
        self.result(self.client.snapshot(renamed["Snapshots"][0]).Revert(wait=True))

    def test_in_the_way(self):
        """What would lose the snapshots of an image is refused, or keeps them."""
        volume = self.make_volume(self.make_pool(), "v", SIZE, data=pattern(MIB), format="qcow2")
        self.create(volume, "s")
        for title, call in (
            ("convert", lambda: volume.Convert("raw", wait=True)),
            ("shrink", lambda: volume.Resize(MIB, shrink=True, wait=True)),
        ):
            with self.subTest(title):
                try:
                    call()
                except Exception as error:
                    self.assertIn(error.name, ("InUse", "NotSupported", "InvalidArgs", "Failed"))
                self.assertEqual(self.inside(volume), ["s"])

    def test_without_reflink(self):
        pool = self.mounted("tmpfs", 64 * MIB)
        volume = self.make_volume(pool, "v", MIB, data=pattern(MIB))
        error = self.assertRaisesError("NotSupported", volume.CreateSnapshot, "s", wait=True)
        self.assertIn("reflink", error.message)
        self.assertEqual((os.listdir(pool["TargetPath"]), volume["Snapshots"]), (["v"], []))

    def reflinked(self, kind, *words):
        pool = self.mounted(kind, 512 * MIB, f"on-{kind}", *words)
        old, new = pattern(4 * MIB, 1), pattern(4 * MIB, 2)
        volume = self.make_volume(pool, "v", 4 * MIB, data=old)
        snapshot = self.create(volume, "s")
        self.assertEqual((snapshot["Kind"], snapshot["Name"], snapshot["Volume"]), ("file", "s", volume.path))
        self.assertEqual(snapshot["Size"], 4 * MIB)
        self.assertEqual([row[0] for row in pool.ListVolumes()[0]], ["v"], "a snapshot is no volume")
        self.guest_writes(volume, new)
        with self.subTest("an outside look does not lose it"):
            pool.Stop(wait=True)
            pool.Start(wait=True)
            self.assertEqual(volume["Snapshots"], [snapshot.path])
        self.result(snapshot.Revert(wait=True))
        self.assertEqual(read_file(volume["Path"]), old)
        with self.subTest("killed while it goes back"):
            self.guest_writes(volume, new)
            call = snapshot.Revert.begin(wait=True)
            self.kill_workers()
            try:
                call.result(20)
            except Exception as error:
                self.assertEqual(error.name, "WorkerCrashed")
            self.settle(pool)
            self.assertIn(read_file(volume["Path"]), (old, new))
            self.assertEqual(len(os.listdir(pool["TargetPath"])), 2, "the volume and its snapshot")
        with self.subTest("a renamed volume keeps it"):
            volume.Rename("w", wait=True)
            volume = self.client.volume(f"on-{kind}", "w")
            snapshot = self.client.snapshot(volume["Snapshots"][0])
            self.result(snapshot.Revert(wait=True))
            self.assertEqual(read_file(volume["Path"]), old)
        self.result(snapshot.Delete(wait=True))
        self.assertEqual(volume["Snapshots"], [])
        volume.Delete(wait=True)
        left = [name for _, _, names in os.walk(pool["TargetPath"]) for name in names]
        self.assertEqual(left, [])
        with self.subTest("a clone shares blocks"):
            volume = self.make_volume(pool, "big", 64 * MIB, data=old)
            result = self.result(pool.CloneVolume("copy", volume.path, wait=True))
            self.assertEqual(result["method"], "reflink")
            result = self.upload_of(self.client.volume(pool["Name"], "copy"), volume["Path"])
            self.assertIn(result["method"], ("reflink", "copy"))

    def upload_of(self, volume, path):
        copy = os.path.join(os.path.dirname(path), "source")
        run("cp", path, copy)
        try:
            return self.upload(volume, self.open(copy))
        finally:
            os.unlink(copy)

    def test_files_on_xfs(self):
        self.reflinked("xfs", "-m", "reflink=1")

    def test_files_on_btrfs(self):
        self.reflinked("btrfs")

    def test_killed(self):
        """An image whose worker dies while a snapshot is made or gone back to is whole."""
        volume = self.make_volume(self.make_pool(), "v", SIZE, data=pattern(4 * MIB), format="qcow2")
        content = self.guest_reads(volume)
        pool = self.client.pool("killed")
        for i in range(4):
            with self.subTest(round=i):
                call = volume.CreateSnapshot.begin(f"s{i}", wait=True)
                if i % 2:
                    self.client.pool("killed").ListVolumes()
                self.kill_workers()
                try:
                    call.result(20)
                except Exception as error:
                    self.assertIn(error.name, ("WorkerCrashed", "Failed"))  # Failed: its tool went first
                self.settle(pool)
                pool.Refresh(wait=True)
                run("qemu-img", "check", "-q", "-f", "qcow2", volume["Path"])
                self.assertEqual(self.guest_reads(volume), content)
                self.assertEqual({snapshot_path("killed", "v", name) for name in self.inside(volume)}, set(volume["Snapshots"]))

    def test_options(self):
        volume = self.make_volume(self.make_pool(), "v", SIZE, format="qcow2")
        snapshot = self.create(volume, "s")
        for call in (snapshot.Revert, snapshot.Delete, lambda **w: volume.CreateSnapshot("t", **w)):
            self.assertRaisesError("InvalidArgs", call, colour="blue")
