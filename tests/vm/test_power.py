# SPDX-License-Identifier: LGPL-2.1-or-later
"""The power fails in the middle of everything: what was told to be done is there afterwards, and nothing half-made is."""

import os

from client import MIB, BusError, wait_until
from data import DONE, image_info, pattern, read_file, write_file
from vm import VmCase

SIZE = 8 * MIB
PACE = MIB  # bytes/s: each of them takes long enough to be in the middle
OLD, NEW = pattern(SIZE, 1), pattern(SIZE, 2)
BURST, TOLD = 60, 15


class PowerCut(VmCase):
    def prepare(self, kind, *words):
        self.format_disk(kind, *words, boot=True)
        pool = self.make_pool("lab")
        pool.SetAutostart(True)
        for name in ("atomic", "in-place", "convert"):
            self.upload(self.make_volume(pool, name, SIZE), OLD)
        self.make_volume(pool, "deleted").Delete(wait=True)
        self.make_volume(pool, "old name").Rename("new name", wait=True)
        return pool

    def under_way(self, job):
        job = self.client.job(job)
        self.assertTrue(wait_until(lambda: job["BytesDone"] > 0 or job["State"] in DONE, 20), job.all())
        self.assertEqual(job["State"], "running", job["Error"])

    def begin(self, kind, *words):
        pool = self.prepare(kind, *words)
        fd = self.open(write_file(self.path("new"), NEW))
        volume = lambda name: self.client.volume("lab", name)  # noqa: E731
        jobs = [
            volume("atomic").Upload(fd, atomic=True, bandwidth=PACE),
            volume("in-place").Upload(self.open(self.path("new")), bandwidth=PACE),
            volume("convert").Convert("qcow2", bandwidth=PACE),
        ]
        for job in jobs:
            self.under_way(job)
        self.assertTrue(wait_until(lambda: volume("in-place")["Corrupt"]))
        calls = [pool.CreateVolume.begin(f"burst-{i}", (i + 1) * MIB, wait=True) for i in range(BURST)]
        done = lambda: [i for i, call in enumerate(calls) if call.done and not call.error]  # noqa: E731
        self.assertTrue(wait_until(lambda: len(done()) >= TOLD or all(call.done for call in calls), 60))
        return done()

    def cut(self, kind, *words):
        told = self.across_power_cut(lambda: self.begin(kind, *words))
        self.addCleanup(self.unmount)
        self.addCleanup(self.remove_pool, "lab")
        self.assertGreaterEqual(len(told), TOLD)
        pool = self.client.pool("lab")
        self.assertTrue(wait_until(lambda: pool["State"] == "active", 30), pool["Error"])
        with self.subTest("what was told done is there"):
            for i in told:
                volume = self.client.volume("lab", f"burst-{i}")
                self.assertEqual((volume["Capacity"], os.stat(volume["Path"]).st_size), ((i + 1) * MIB, (i + 1) * MIB))
            self.assertEqual(self.client.volume("lab", "new name")["Capacity"], MIB)
            for name in ("deleted", "old name"):
                self.assertRaises(BusError, lambda name=name: self.client.volume("lab", name)["Capacity"])
        with self.subTest("nothing half-made"):
            self.assertClean(self.directory("lab"))
            rows, _, _ = pool.ListVolumes()
            burst = {row[0]: row[1] for row in rows if row[0].startswith("burst-")}
            self.assertEqual(burst, {name: (int(name.removeprefix("burst-")) + 1) * MIB for name in burst})
            self.assertEqual(sorted(row[0] for row in rows), sorted(os.listdir(self.directory("lab"))))
        with self.subTest("an atomic upload"):
            volume = self.client.volume("lab", "atomic")
            self.assertFalse(volume["Corrupt"])
            self.assertIn(read_file(volume["Path"]), (OLD, NEW))
        with self.subTest("an upload in place"):
            volume = self.client.volume("lab", "in-place")
            self.assertTrue(volume["Corrupt"])
            self.upload(volume, NEW)
            self.assertFalse(volume["Corrupt"])
            self.assertEqual(read_file(volume["Path"]), NEW)
        with self.subTest("a conversion"):
            volume = self.client.volume("lab", "convert")
            self.assertFalse(volume["Corrupt"])
            self.assertEqual(image_info(volume["Path"], volume["Format"])["virtual-size"], SIZE)
            self.assertEqual(self.guest_reads(volume), OLD)

    def test_ext4(self):
        self.cut("ext4")

    def test_xfs(self):
        self.cut("xfs")
