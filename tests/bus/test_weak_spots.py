# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the reference implementation was seen to do wrong with volumes, each done right. (The base of an overlay: test_chains.
A volume deleted during an upload: test_in_use. A wiped qcow2: test_convert. An upload beyond the end: test_transfer.)"""

import os

from client import GIB, MIB, wait_until
from data import DataCase, pattern, read_file, run, write_file


class WeakSpots(DataCase):
    def test_base_of_an_overlay_is_not_deleted(self):
        pool = self.make_pool()
        base = self.make_volume(pool, "base", MIB, format="qcow2")
        run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base["Path"], "-F", "qcow2", os.path.join(pool["TargetPath"], "top"))
        pool.Refresh(wait=True)
        self.assertIn("top", self.assertRaisesError("InUse", base.Delete, wait=True).message)
        self.assertEqual(set(os.listdir(pool["TargetPath"])), {"base", "top"})

    def test_truncated_qcow2_has_no_absurd_capacity(self):
        pool = self.make_pool()
        image = self.path("image")
        run("qemu-img", "create", "-q", "-f", "qcow2", image, "1G")
        data = read_file(image)
        for length in (4, 8, 24, 31, 32, 71, 72, 103, 104, 112):
            write_file(os.path.join(pool["TargetPath"], f"cut-{length}"), data[:length])
        pool.Refresh(wait=True)
        self.assertEqual(pool["State"], "active")
        rows = {row[0]: row for row in pool.ListVolumes()[0]}
        self.assertEqual(len(rows), 10)
        for name in rows:
            with self.subTest(name=name):
                self.assertLessEqual(self.client.volume(pool["Name"], name)["Capacity"], GIB)

    def test_volume_whose_file_was_renamed_away(self):
        """Its delete fails by name, and the pool's numbers do not drift."""
        pool = self.make_pool()
        volume = self.make_volume(pool, "v", 4 * MIB, data=pattern(4 * MIB))
        other = self.make_volume(pool, "other", 4 * MIB, data=pattern(4 * MIB))
        pool.Refresh(wait=True)
        os.rename(volume["Path"], self.path("elsewhere"))
        before = pool["Allocation"]
        error = self.assertRaisesError(("NoSuchVolume", "UnknownObject"), volume.Delete, wait=True)
        self.assertTrue(error.message)
        self.assertGreaterEqual(pool["Allocation"] + 5 * MIB, before - 64 * MIB)
        gone = lambda: [row[0] for row in pool.ListVolumes()[0]] == ["other"]  # noqa: E731
        self.assertTrue(wait_until(gone, 10), pool.ListVolumes()[0])
        other.Delete(wait=True)

    def test_newline_in_a_name(self):
        pool = self.make_pool()
        for name in ("a\nb", "a\tb", "a\x01b", "a\x7fb"):
            with self.subTest(name=repr(name)):
                self.assertRaisesError(("InvalidName", "InvalidArgs"), pool.CreateVolume, name, MIB, wait=True)
                fd = self.open(write_file(self.path("data"), pattern(4096)))
                self.assertRaisesError(
                    ("InvalidName", "InvalidArgs"), pool.ImportVolume, name, fd, {"source-format": "raw"}, wait=True
                )
        self.assertEqual(os.listdir(pool["TargetPath"]), [])

    def test_missing_directory_does_not_stop_the_pool(self):
        pool = self.make_pool()
        self.make_volume(pool, "v")
        away = self.path("away")
        os.rename(pool["TargetPath"], away)
        try:
            self.assertRaisesError(("SourceUnreachable", "Failed", "NoSuchPool", "BackendUnavailable", "Changed"), pool.Refresh, wait=True)
            self.assertIn(pool["State"], ("active", "unavailable"))
        finally:
            os.rename(away, pool["TargetPath"])
        self.settle(pool)
        pool.Refresh(wait=True)
        self.assertEqual([row[0] for row in pool.ListVolumes()[0]], ["v"])

    def test_every_change_is_told(self):
        pool = self.make_pool()
        with self.client.listen() as news:
            volume = self.make_volume(pool, "v", MIB)
            news.added(volume.path)
            volume.Resize(2 * MIB, wait=True)
            news.wait("PropertiesChanged", volume.path, lambda s: s.args[1].get("Capacity") == 2 * MIB)
            self.upload(volume, pattern(2 * MIB))
            news.wait("PropertiesChanged", volume.path, lambda s: s.args[1].get("Allocation", 0) >= 2 * MIB)
            volume.Wipe("zero", wait=True)
            news.wait("PropertiesChanged", volume.path, lambda s: s.args[1].get("Allocation") == 0)
            volume.Convert("qcow2", wait=True)
            news.wait("PropertiesChanged", volume.path, lambda s: s.args[1].get("Format") == "qcow2")
            pool.SetAutostart(True)
            news.wait("PropertiesChanged", pool.path, lambda s: s.args[1].get("Autostart") is True)
            volume.Delete(wait=True)
            news.removed(volume.path)
