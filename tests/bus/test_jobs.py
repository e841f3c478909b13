# SPDX-License-Identifier: LGPL-2.1-or-later
"""Jobs: their life, cancel, limits, and many at once."""

import os
import subprocess
import threading
import time

from bed import QUICK, Case
from client import GIB, MIB, Client, wait_until

DONE = ("done", "failed", "cancelled")


class Jobs(Case):
    def test_life(self):
        pool = self.make_pool()
        with self.client.listen() as news:
            job = pool.CreateVolume("v", MIB, format="qcow2")
            finished = news.wait("Finished", job)
            self.assertEqual(finished.args[:3], (True, "", ""))
        proxy = self.client.job(job)
        properties = proxy.all()
        self.assertEqual(properties["State"], "done")
        self.assertEqual(properties["Operation"], "volume-create")
        self.assertEqual(properties["CallerUID"], os.getuid())
        self.assertIn(pool.path, properties["Objects"])
        self.assertEqual(properties["Progress"], 1.0)
        self.assertIn(job, [row[0] for row in self.client.manager.ListJobs({"all": True})])
        self.assertNotIn(job, [row[0] for row in self.client.manager.ListJobs()])
        self.assertRaisesError(("NotSupported", "NoSuchJob"), proxy.Cancel)

    def test_failure_is_told_twice(self):
        pool = self.make_pool()
        with self.subTest("by the call, when the checks fail"):
            pool.CreateVolume("v", MIB, wait=True)
            self.assertRaisesError("VolumeExists", pool.CreateVolume, "v", MIB)
        with self.subTest("by the job and its signal"):
            source = self.client.volume(pool["Name"], "v")
            with open(source["Path"], "r+b") as file:
                file.truncate(0)
                file.write(b"not a qcow2 at all")
            pool.CloneVolume("good", source.path, wait=True)

    def big_source(self, pool, size=3 * GIB // 2):
        """A volume whose copy takes a while."""
        pool.CreateVolume("big", size, wait=True)
        path = os.path.join(pool["TargetPath"], "big")
        block = os.urandom(MIB)
        with open(path, "r+b") as file:
            for _ in range(size // MIB):
                file.write(block)
        return self.client.volume(pool["Name"], "big")

    def test_cancel_a_copy(self):
        pool = self.make_pool()
        source = self.big_source(pool)
        job = self.client.job(pool.CloneVolume("copy", source.path, format="qcow2"))
        self.assertTrue(wait_until(lambda: job["State"] in ("running", *DONE), 20))
        moved = wait_until(lambda: job["BytesDone"] > 0 or job["State"] in DONE, 20)
        properties = job.all()
        if properties["State"] != "running" and properties["Bytes"] > 0:
            self.skipTest("this machine copies too fast to cancel")
        self.assertTrue(moved and properties["BytesDone"] > 0, "a copy without progress")
        self.assertTrue(properties["Cancellable"])
        self.assertTrue(properties["ProgressValid"])
        self.assertLessEqual(properties["BytesDone"], properties["Bytes"])
        self.assertGreater(properties["StartTimeUSec"], (time.time() - 3600) * 1e6)
        begin = time.monotonic()
        job.Cancel()
        self.assertTrue(wait_until(lambda: job["State"] in DONE, 10))
        self.assertEqual(job["State"], "cancelled")
        self.assertEqual(job["Error"][0], "org.example.Storage.Error.Cancelled")
        self.assertLess(time.monotonic() - begin, 6)
        self.assertEqual(os.listdir(pool["TargetPath"]), ["big"])
        self.assertEqual([row[0] for row in pool.ListVolumes()[0]], ["big"])
        self.assertEqual(self.daemon_tools(), [])

    def daemon_tools(self):
        return [pid for pid in self.daemon.workers() if "qemu" in open(f"/proc/{pid}/comm", encoding="utf-8").read()]

    def test_others_go_on_beside_a_copy(self):
        pool = self.make_pool()
        source = self.big_source(pool, GIB)
        job = self.client.job(pool.CloneVolume("copy", source.path, format="qcow2"))
        slowest = 0.0
        for i in range(30):
            begin = time.monotonic()
            pool.CreateVolume(f"v{i}", MIB, wait=True)
            slowest = max(slowest, time.monotonic() - begin)
        self.assertLess(slowest, 2.0)
        self.assertTrue(wait_until(lambda: job["State"] in DONE, 120))
        self.assertEqual(job["State"], "done", job["Error"])

    def test_operations_on_one_volume_are_in_order(self):
        pool = self.make_pool()
        calls = [pool.CreateVolume.begin("v", MIB, wait=True)]
        volume = self.client.volume(pool["Name"], "v")
        calls[0].result()
        calls = [volume.Resize.begin((i + 2) * MIB, wait=True) for i in range(20)]
        for call in calls:
            call.result()
        self.assertEqual(os.stat(volume["Path"]).st_size, 21 * MIB)

    def test_two_creates_of_one_name(self):
        pool = self.make_pool()
        for format in ("raw", "qcow2"):
            with self.subTest(format=format):
                calls = [pool.CreateVolume.begin("v-" + format, MIB, format=format, wait=True) for _ in range(8)]
                wait_until(lambda: all(c.done for c in calls), 60)
                errors = [c.error.name for c in calls if c.error]
                self.assertEqual(len(calls) - len(errors), 1, errors)
                self.assertEqual(set(errors), {"VolumeExists"})
        self.assertClean(pool["TargetPath"])

    def test_hundred_creates_beside_a_refresh_loop(self):
        pool = self.make_pool()
        name, ending = pool["Name"], threading.Event()
        refreshes, failures = [], []

        def refresh_for_ever():
            client = Client(self.bus.address)
            try:
                while not ending.is_set():
                    client.pool(name).Refresh(wait=True)
                    refreshes.append(time.monotonic())
            except Exception as error:
                failures.append(error)
            finally:
                client.close()

        thread = threading.Thread(target=refresh_for_ever)
        thread.start()
        try:
            calls = [
                pool.CreateVolume.begin(f"v{i}", MIB, format="qcow2" if i % 10 == 0 else "raw", wait=True) for i in range(100)
            ]
            for call in calls:
                call.result(120)
        finally:
            ending.set()
            thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(len(refreshes), 0)
        pool.Refresh(wait=True)
        self.assertEqual(pool["VolumeCount"], 100)
        self.assertEqual(len(os.listdir(pool["TargetPath"])), 100)
        calls = [self.client.volume(pool["Name"], f"v{i}").Delete.begin(wait=True) for i in range(100)]
        for call in calls:
            call.result(120)
        self.assertEqual(os.listdir(pool["TargetPath"]), [])

    def test_queue_has_an_end(self):
        if QUICK:
            self.skipTest("not in a quick check")
        pool = self.make_pool()
        number = 1200
        calls = [pool.CreateVolume.begin(f"q{i}", MIB, format="qcow2", timeout=280) for i in range(number)]
        wait_until(lambda: any(c.error for c in calls), 60)
        refused = [c for c in calls if c.error]
        for job in self.client.manager.ListJobs():
            try:
                self.client.job(job[0]).Cancel()
            except Exception as error:
                self.assertIn(error.name, ("NoSuchJob", "NotSupported", "UnknownObject"))
        self.assertTrue(wait_until(lambda: all(c.done for c in calls), 200))
        refused = [c for c in calls if c.error and c.error.name not in ("Cancelled",)]
        self.assertTrue(refused, "1,200 jobs of one user were taken")
        self.assertEqual({c.error.name for c in refused}, {"LimitsExceeded"})
        self.assertTrue(wait_until(lambda: self.client.manager["JobsActive"] == 0, 60))
        self.assertClean(pool["TargetPath"])

    def test_disk_full(self):
        if os.getuid() != 0:
            self.skipTest("needs root to mount a small tmpfs")
        path = self.directory("small")
        os.makedirs(path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4M", "tmpfs", path], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=True)
        pool = self.make_pool("small")
        for words in ({"allocation": 8 * MIB}, {"format": "qcow2", "preallocation": "full"}):
            with self.subTest(words=str(words)):
                self.assertRaisesError("NoSpace", pool.CreateVolume, "v", 8 * MIB, words, wait=True)
                self.assertEqual(os.listdir(path), [])
        with self.subTest("clone"):
            pool.CreateVolume("source", 3 * MIB, allocation=3 * MIB, wait=True)
            with open(os.path.join(path, "source"), "r+b") as file:
                file.write(os.urandom(3 * MIB))
            source = self.client.volume("small", "source")
            self.assertRaisesError(("NoSpace", "Failed"), pool.CloneVolume, "copy", source.path, wait=True)
            self.assertEqual(os.listdir(path), ["source"])
        with self.subTest("resize"):
            self.assertRaisesError("NoSpace", source.Resize, 8 * MIB, allocate=True, wait=True)
            self.assertEqual(source["Capacity"], 3 * MIB)
        with self.subTest("sparse still works"):
            pool.CreateVolume("sparse", GIB, wait=True)
        self.assertEqual(pool["State"], "active")
        self.assertClean(path)

    def test_signals_reach_many_listeners(self):
        pool = self.make_pool()
        clients = [Client(self.bus.address) for _ in range(3 if QUICK else 10)]
        listeners = [client.listen() for client in clients]
        pool.CreateVolume("v", MIB, wait=True)
        for news in listeners:
            news.added(self.client.volume(pool["Name"], "v").path)
            news.close()
        for client in clients:
            client.close()
