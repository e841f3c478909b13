# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many volumes, and listeners that do not listen."""

import fcntl
import json
import os
import signal
import subprocess
import time

from bed import HERE, QUICK, Case
from client import GIB, MIB, pump, u32, volume_path, wait_until

LISTED_MAX = 4096
LISTED_RESUME = 3500
F_GET_SEALS = 1034
ALL_SEALS = 0x1 | 0x2 | 0x4 | 0x8


class Scale(Case):
    def fill(self, directory, begin, end):
        os.makedirs(directory, exist_ok=True)
        for i in range(begin, end):
            fd = os.open(f"{directory}/vol-{i:06}", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC)
            os.ftruncate(fd, MIB + i)
            os.close(fd)

    def pages(self, pool, **words):
        names, longest, after = [], 0.0, ""
        while True:
            begin = time.monotonic()
            page, after, _ = pool.ListVolumes({"after": after, **words})
            longest = max(longest, time.monotonic() - begin)
            names += [row[0] for row in page]
            self.assertLessEqual(len(page), 1000)
            if not after:
                return names, longest

    def test_listing_ends_and_resumes(self):
        path = self.directory("few")
        self.fill(path, 0, LISTED_MAX)
        pool = self.make_pool("few")
        manager = self.client.manager
        self.assertTrue(pool["VolumesListed"])
        self.assertEqual(len([p for p in self.client.managed_objects() if "/volume/few/" in p]), LISTED_MAX)
        with self.client.listen() as news:
            pool.CreateVolume("one-more", MIB, wait=True)
            news.wait("VolumesReset", pool.path)
            self.assertFalse(pool["VolumesListed"])
            self.assertFalse(manager["VolumesListed"])
            self.assertEqual([p for p in self.client.managed_objects() if "/volume/" in p], [])
            # Not listed, and there all the same.
            self.assertEqual(self.client.volume("few", "one-more")["Capacity"], MIB)
            self.assertIn("Resize", self.client.volume("few", "one-more").introspect())
        with self.client.listen() as news:
            for i in range(LISTED_MAX - LISTED_RESUME + 10):
                os.unlink(f"{path}/vol-{i:06}")
            self.assertTrue(wait_until(lambda: pool["VolumesListed"], 20))
            news.wait("VolumesReset", pool.path)
        self.assertEqual(len([p for p in self.client.managed_objects() if "/volume/few/" in p]), pool["VolumeCount"])

    def check_many(self, number):
        name = f"many-{number}"
        path = self.directory(name)
        self.fill(path, 0, number)
        pool = self.make_pool(name)
        self.assertEqual(pool["VolumeCount"], number)
        self.assertFalse(self.client.manager["VolumesListed"])
        expected = [f"vol-{i:06}" for i in range(number)]
        with self.subTest("pages"):
            names, longest = self.pages(pool)
            self.assertEqual(names, expected)
            self.assertLess(longest, 0.5)
        with self.subTest("pages of a pattern"):
            names, longest = self.pages(pool, pattern="*9", limit=u32(500))
            self.assertEqual(names, [n for n in expected if n.endswith("9")])
            self.assertLess(longest, 0.5)
        with self.subTest("dump"):
            fd, generation = self.client.dump(name)
            try:
                self.assertEqual(fcntl.fcntl(fd, F_GET_SEALS) & ALL_SEALS, ALL_SEALS)
                self.assertEqual(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE, os.O_RDONLY)
                with open(f"/proc/self/fd/{fd}", encoding="utf-8") as file:
                    rows = [json.loads(line) for line in file]
            finally:
                os.close(fd)
            self.assertEqual(sorted(row["Name"] for row in rows), expected)
            self.assertEqual({row["Name"]: row["Capacity"] for row in rows}["vol-000007"], MIB + 7)
            self.assertEqual(generation, pool["Generation"])
        with self.subTest("a refresh that finds nothing new is silent"):
            with self.client.listen() as news:
                pool.Refresh(wait=True)
                wait_until(lambda: False, 0.3)
                told = [s for s in news.signals if s.member in ("VolumesReset", "InterfacesAdded") and "/job/" not in str(s.args)]
                self.assertEqual(told, [])
        with self.subTest("others are served while it refreshes"):
            refresh = pool.Refresh.begin(wait=True)
            slowest = 0.0
            while not refresh.done:
                begin = time.monotonic()
                self.client.volume(name, "vol-000001")["Capacity"]
                slowest = max(slowest, time.monotonic() - begin)
                pump()
            refresh.result()
            self.assertLess(slowest, 0.25)
        with self.subTest("many differences are one signal"):
            for i in range(0, 1000):
                os.truncate(f"{path}/vol-{i:06}", GIB)
            with self.client.listen() as news:
                pool.Refresh(wait=True)
                self.assertTrue(wait_until(lambda: self.client.volume(name, "vol-000999")["Capacity"] == GIB, 20))
                changed = [s for s in news.signals if s.member == "PropertiesChanged" and "/volume/" in s.path]
                self.assertLess(len(changed), 1000)
        with self.subTest("a volume is made and deleted as fast as ever"):
            begin = time.monotonic()
            for i in range(50):
                pool.CreateVolume(f"extra-{i}", MIB, wait=True)
            for i in range(50):
                self.client.volume(name, f"extra-{i}").Delete(wait=True)
            self.assertLess((time.monotonic() - begin) / 100, 0.1)
        with self.subTest("the bus keeps the service"):
            self.assertLess(len(self.client.managed_objects()), 100)
            self.assertTrue(self.client.has_service())

    def test_20000_volumes(self):
        self.check_many(20000)

    def test_100000_volumes(self):
        if QUICK:
            self.skipTest("not in a quick check")
        self.check_many(100000)


class Listeners(Case):
    def test_a_listener_that_stops_reading(self):
        pool = self.make_pool()
        target = pool["TargetPath"]
        code = (
            "import sys, time; sys.path.insert(0, sys.argv[1])\n"
            "from client import Client\nc = Client(sys.argv[2]); c.listen(); print('listening', flush=True); time.sleep(600)"
        )
        deaf = subprocess.Popen(["/usr/bin/python3", "-c", code, HERE, self.bus.address], stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(deaf.stdout.readline().strip(), "listening")
            deaf.send_signal(signal.SIGSTOP)
            for i in range(50):
                os.close(os.open(f"{target}/v{i}", os.O_CREAT | os.O_WRONLY))
            self.assertTrue(wait_until(lambda: pool["VolumeCount"] == 50))
            end = time.monotonic() + (3 if QUICK else 20)
            slowest, turns = 0.0, 0
            while time.monotonic() < end:
                turns += 1
                for i in range(50):
                    with open(f"{target}/v{i}", "r+b") as file:
                        file.truncate(MIB + turns)
                begin = time.monotonic()
                self.client.manager.ListPools()
                pool.ListVolumes()
                slowest = max(slowest, time.monotonic() - begin)
            self.assertLess(slowest, 1.0)
            self.assertTrue(wait_until(lambda: self.client.volume(pool["Name"], "v49")["Capacity"] == MIB + turns, 20))
            with open(f"/proc/{self.daemon.pid}/status", encoding="ascii") as file:
                resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
            self.assertLess(resident, 200 * 1024, "kB resident, sanitizers included")
        finally:
            deaf.kill()
            deaf.wait()
            deaf.stdout.close()

    def test_signals_are_coalesced(self):
        """A file that grows all the time does not become a stream of signals as long as its writes."""
        pool = self.make_pool()
        pool.CreateVolume("v", MIB, wait=True)
        path = os.path.join(pool["TargetPath"], "v")
        with self.client.listen() as news:
            for i in range(3000):
                with open(path, "r+b") as file:
                    file.truncate(MIB + i)
            self.assertTrue(wait_until(lambda: self.client.volume(pool["Name"], "v")["Capacity"] == MIB + 2999))
            told = [s for s in news.signals if s.path == volume_path(pool["Name"], "v")]
        self.assertLess(len(told), 1000)
