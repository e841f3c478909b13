# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes changed where they are: raw to qcow2 and back, one and a whole pool of them, killed half-way; and wiped."""

import os
import shutil
import time

from bed import QUICK
from client import MIB, wait_until
from data import DONE, DataCase, allocated, image_info, pattern, qemu_io, read_file

SIZE = 16 * MIB
ALGORITHMS = ("zero", "trim", "random", "nnsa", "dod", "bsi", "gutmann", "schneier", "pfitzner7", "pfitzner33")


class Convert(DataCase):
    def test_there_and_back(self):
        pool = self.make_pool()
        volume = self.make_volume(pool, "v", SIZE, data=pattern(MIB), offset=MIB)
        content, creator = self.guest_reads(volume), volume["Creator"]
        for format in ("qcow2", "raw"):
            with self.subTest(format=format), self.client.listen() as news:
                self.result(volume.Convert(format, wait=True))
                news.wait("PropertiesChanged", volume.path, lambda s, f=format: s.args[1].get("Format") == f)
                self.assertEqual(volume["Format"], format)
                self.assertIn(volume["DetectedFormat"], (format, ""))
                self.assertEqual((volume["Capacity"], volume["Creator"]), (SIZE, creator))
                self.assertEqual(self.guest_reads(volume), content)
                self.assertLess(allocated(volume["Path"]), 4 * MIB)
                self.assertEqual(os.listdir(pool["TargetPath"]), ["v"])
        with self.subTest("it is declared, not guessed"):
            pool.Stop(wait=True)
            pool.Start(wait=True)
            self.assertEqual(volume["Format"], "raw")

    def test_options(self):
        pool = self.make_pool()
        volume = self.make_volume(pool, "v", SIZE, data=pattern(MIB))
        volume.Convert("qcow2", cluster_size=131072, lazy_refcounts=True, wait=True)
        info = image_info(volume["Path"])
        self.assertEqual((info["cluster-size"], info["format-specific"]["data"]["lazy-refcounts"]), (131072, True))

    def test_refused(self):
        volume = self.make_volume(self.make_pool(), "v", SIZE, data=pattern(MIB))
        for format in ("dir", "no-such", "", "qcow3", "raw"):
            with self.subTest(format=format):
                self.assertRaisesError(("InvalidArgs", "NotSupported"), volume.Convert, format, wait=True)
        self.assertRaisesError(("InvalidArgs", "NotSupported"), volume.Convert, "raw", cluster_size=65536, wait=True)

    def test_permissions_stay(self):
        pool = self.make_pool()
        volume = self.make_volume(pool, "v", SIZE, data=pattern(MIB))
        os.chmod(volume["Path"], 0o640)
        if os.getuid() == 0:
            os.chown(volume["Path"], 64003, 64003)
        volume.Refresh(wait=True)
        before = (volume["UID"], volume["GID"], volume["Mode"])
        volume.Convert("qcow2", wait=True)
        self.assertEqual((volume["UID"], volume["GID"], volume["Mode"]), before)

    def test_killed(self):
        """Old or new, whole either way; asked again, it goes on."""
        pool = self.make_pool()
        volume = self.make_volume(pool, "v", 32 * MIB, data=pattern(32 * MIB))
        content = self.guest_reads(volume)
        for i, pause in enumerate((0, 0.02, 0.1, 0.3) if QUICK else (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)):
            target = "qcow2" if volume["Format"] == "raw" else "raw"
            with self.subTest(round=i, to=target):
                call = volume.Convert.begin(target, wait=True)
                time.sleep(pause)
                if i % 2:
                    self.daemon.kill()
                    self.restart()
                else:
                    self.kill_workers()
                wait_until(lambda call=call: call.done, 20)
                self.settle(pool)
                pool.Refresh(wait=True)
                self.assertClean(pool["TargetPath"])
                self.assertEqual(os.listdir(pool["TargetPath"]), ["v"])
                self.assertIn(volume["Format"], ("raw", "qcow2"))
                self.assertEqual(self.guest_reads(volume), content)
        if volume["Format"] != "qcow2":
            self.result(volume.Convert("qcow2", wait=True))
        self.assertEqual(self.guest_reads(volume), content)

    def test_cancel(self):
        pool = self.make_pool()
        volume = self.make_volume(pool, "v", 32 * MIB, data=pattern(32 * MIB))
        job = self.client.job(volume.Convert("qcow2", bandwidth=4 * MIB))
        self.assertNotIn(job["State"], ("done", "failed"))
        begin = time.monotonic()
        job.Cancel()
        self.assertEqual(self.finish(job.path, 10), "cancelled")
        self.assertLess(time.monotonic() - begin, 3)
        self.assertEqual((volume["Format"], read_file(volume["Path"])), ("raw", pattern(32 * MIB)))
        self.assertClean(pool["TargetPath"])

    def whole_pool(self, name, number, size=4 * MIB):
        pool = self.make_pool(name)
        volumes = [
            self.make_volume(pool, f"v{i}", size, data=pattern(size // 2, i), format=("raw", "qcow2")[i % 3 == 0]) for i in range(number)
        ]
        return pool, volumes, [self.guest_reads(volume) for volume in volumes]

    def test_whole_pool(self):
        pool, volumes, contents = self.whole_pool("whole", 7)
        pool.CreateVolume("other.vdi", MIB, format="vdi", wait=True)
        for format in ("qcow2", "raw"):
            with self.subTest(format=format):
                result = self.result(pool.ConvertVolumes(format, wait=True))
                self.assertEqual({volume["Format"] for volume in volumes}, {format}, result)
                self.assertEqual([self.guest_reads(volume) for volume in volumes], contents)
                self.assertEqual(self.client.volume("whole", "other.vdi")["Format"], "vdi")
        with self.subTest("nothing left to do"):
            self.result(pool.ConvertVolumes("raw", wait=True))

    def test_whole_pool_with_one_in_use(self):
        """The others are converted, the one is named, and asked again it comes too."""
        pool, volumes, contents = self.whole_pool("used", 4)
        used = volumes[1]
        holder = os.open(used["Path"], os.O_RDWR)
        try:
            error = self.assertRaisesError("InUse", pool.ConvertVolumes, "qcow2", wait=True)
            self.assertIn("v1", error.message)
        finally:
            os.close(holder)
        self.assertEqual(used["Format"], "raw")
        self.assertEqual([self.guest_reads(volume) for volume in volumes], contents)
        self.result(pool.ConvertVolumes("qcow2", wait=True))
        self.assertEqual({volume["Format"] for volume in volumes}, {"qcow2"})
        self.assertEqual([self.guest_reads(volume) for volume in volumes], contents)

    def test_whole_pool_killed(self):
        pool, volumes, contents = self.whole_pool("killed", 6)
        for i, pause in enumerate((0.05, 0.2, 0.4)):
            target = ("qcow2", "raw")[i % 2]
            with self.subTest(to=target, after=pause):
                call = pool.ConvertVolumes.begin(target, wait=True)
                time.sleep(pause)
                self.kill_workers()
                wait_until(lambda call=call: call.done, 30)
                self.settle(pool)
                pool.Refresh(wait=True)
                self.assertEqual([self.guest_reads(volume) for volume in volumes], contents)
                self.assertClean(pool["TargetPath"])
                self.result(pool.ConvertVolumes(target, wait=True))
                self.assertEqual({volume["Format"] for volume in volumes}, {target})

    def test_whole_pool_tells_its_progress(self):
        pool, _, _ = self.whole_pool("progress", 4, 8 * MIB)
        job = self.client.job(pool.ConvertVolumes("qcow2", bandwidth=8 * MIB))
        seen = set()
        wait_until(lambda: seen.add(job["Progress"]) or len(seen) > 3 or job["State"] in DONE, 60)
        self.assertGreater(len(seen), 2, f"no progress: {sorted(seen)}")
        self.assertLessEqual(max(seen), 1.0)
        self.finish(job.path, 60)


class Wipe(DataCase):
    def wiped(self, volume, algorithm, **more):
        return self.result(volume.Wipe(algorithm, wait=True, **more))

    def test_algorithms(self):
        pool = self.make_pool()
        for algorithm in ALGORITHMS:
            if algorithm not in ("zero", "trim", "random") and (QUICK or not shutil.which("scrub")):
                continue
            for format in ("raw", "qcow2"):
                with self.subTest(algorithm=algorithm, format=format):
                    secret = pattern(65536, 3)
                    volume = self.make_volume(pool, f"{algorithm}-{format}", MIB, data=secret, offset=65536, format=format)
                    self.wiped(volume, algorithm)
                    self.assertNotIn(secret[:512], read_file(volume["Path"]))
                    self.assertEqual((volume["Format"], volume["Capacity"]), (format, MIB))
                    self.assertFalse(volume["Corrupt"])
                    if format == "raw":
                        self.assertEqual(os.stat(volume["Path"]).st_size, MIB)
                    else:
                        qemu_io(volume["Path"], "write -P 0x31 0 64k", "read -P 0x31 0 64k", format="qcow2")
                    if algorithm in ("zero", "trim") or format == "qcow2":
                        self.assertEqual(self.guest_reads(volume)[65536:], bytes(MIB - 65536))

    def test_a_qcow2_keeps_its_options(self):
        """Weak spot 5: the reference leaves a raw file of the old physical size."""
        pool = self.make_pool()
        words = {"format": "qcow2", "cluster_size": 131072, "lazy_refcounts": True, "extended_l2": True}
        volume = self.make_volume(pool, "v", 64 * MIB, data=pattern(MIB), **words)
        before = image_info(volume["Path"])
        self.wiped(volume, "zero")
        after = image_info(volume["Path"], "qcow2")
        self.assertEqual(after["virtual-size"], 64 * MIB)
        self.assertEqual(after["cluster-size"], 131072)
        for key in ("compat", "lazy-refcounts", "extended-l2", "refcount-bits"):
            self.assertEqual(after["format-specific"]["data"][key], before["format-specific"]["data"][key])
        self.assertEqual(self.guest_reads(volume), bytes(64 * MIB))

    def test_zero_discards_or_writes(self):
        pool = self.make_pool()
        volume = self.make_volume(pool, "v", 4 * MIB, data=pattern(4 * MIB))
        self.wiped(volume, "zero", write=True)
        self.assertEqual(read_file(volume["Path"]), bytes(4 * MIB))
        self.assertGreaterEqual(allocated(volume["Path"]), 4 * MIB)
        self.wiped(volume, "trim")
        self.assertEqual((read_file(volume["Path"]), allocated(volume["Path"])), (bytes(4 * MIB), 0))

    def test_random(self):
        volume = self.make_volume(self.make_pool(), "v", MIB, data=bytes(4096))
        self.wiped(volume, "random")
        content = read_file(volume["Path"])
        self.assertGreater(len({content[i : i + 4096] for i in range(0, MIB, 4096)}), 250)

    def test_refused(self):
        volume = self.make_volume(self.make_pool(), "v", data=pattern(MIB))
        for algorithm in ("", "no-such", "ZERO", "10", "fast;rm"):
            with self.subTest(algorithm=algorithm):
                self.assertRaisesError("InvalidArgs", volume.Wipe, algorithm, wait=True)
        self.assertEqual(read_file(volume["Path"]), pattern(MIB))

    def test_odd_size(self):
        volume = self.make_volume(self.make_pool(), "v", MIB + 333, data=pattern(MIB + 333))
        for algorithm in ("random", "zero"):
            self.wiped(volume, algorithm)
            self.assertEqual(os.stat(volume["Path"]).st_size, MIB + 333)
        self.assertEqual(read_file(volume["Path"]), bytes(MIB + 333))

    def test_hard_link(self):
        """What stands under another name too is not wiped through this one."""
        pool = self.make_pool()
        volume = self.make_volume(pool, "v", data=pattern(MIB))
        os.link(volume["Path"], self.path("second"))
        fd = self.open(self.path("second"))
        calls = (lambda: volume.Wipe("zero", wait=True), lambda: volume.Upload(fd, wait=True), lambda: volume.Convert("qcow2", wait=True))
        for call in calls:
            self.assertRaisesError(("InUse", "NotSupported", "InvalidArgs", "Failed", "AccessDenied"), call)
        self.assertEqual(read_file(self.path("second")), pattern(MIB))
