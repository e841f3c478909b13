# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 of the daemon and of its workers during each kind of operation; afterwards there is the old or the new state and
nothing else: no temporary file, no process, no intent. And how the daemon ends when it is asked to."""

import os
import random
import signal
import subprocess
import time

from bed import QUICK, Case, alive
from client import MIB, BusError, wait_until

ROUNDS = 2 if QUICK else 6


class Crashes(Case):
    def setUp(self):
        self.random = random.Random(self.id())
        self.pool = self.make_pool()
        self.name = self.pool["Name"]
        self.target = self.pool["TargetPath"]
        self.pool.SetAutostart(True)
        self.pool.CreateVolume("keep", 4 * MIB, format="qcow2", wait=True)
        subprocess.run(
            ["qemu-io", "-f", "qcow2", "-c", "write -P 0x5a 0 4M", os.path.join(self.target, "keep")],
            check=True, capture_output=True,
        )  # fmt: skip

    def volume(self, name):
        return self.client.volume(self.name, name)

    def operations(self):
        """Name, call, and what the directory may hold for it afterwards: sets of names beside "keep"."""
        return {
            "create raw": (lambda: self.pool.CreateVolume.begin("v", MIB, wait=True), [set(), {"v"}]),
            "create raw, allocated": (
                lambda: self.pool.CreateVolume.begin("v", 64 * MIB, allocation=64 * MIB, wait=True),
                [set(), {"v"}],
            ),
            "create qcow2": (lambda: self.pool.CreateVolume.begin("v", MIB, format="qcow2", wait=True), [set(), {"v"}]),
            "clone": (lambda: self.pool.CloneVolume.begin("v", self.volume("keep").path, wait=True), [set(), {"v"}]),
            "clone to raw": (
                lambda: self.pool.CloneVolume.begin("v", self.volume("keep").path, format="raw", wait=True),
                [set(), {"v"}],
            ),
            "refresh": (lambda: self.pool.Refresh.begin(wait=True), [set()]),
        }

    def settle(self):
        """Until the pool runs again and says what is there."""
        pool = self.pool
        self.assertTrue(wait_until(lambda: pool["State"] == "active", 30), pool["Error"])
        pool.Refresh(wait=True)

    def check_after(self, allowed):
        self.settle()
        there = set(os.listdir(self.target)) - {"keep"}
        self.assertIn(there, allowed)
        self.assertEqual({row[0] for row in self.pool.ListVolumes()[0]} - {"keep"}, there)
        self.assertClean(self.target)
        for name in there | {"keep"}:
            path = os.path.join(self.target, name)
            if self.volume(name)["Format"] == "qcow2":
                subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", path], check=True, capture_output=True)
            if name == "keep":
                self.assertIn(self.volume(name)["Capacity"], (4 * MIB, 8 * MIB))
        for name in there:
            self.volume(name).Delete(wait=True)

    def interrupt(self, kill):
        for title, (call, allowed) in self.operations().items():
            for i in range(ROUNDS):
                with self.subTest(operation=title, round=i):
                    pending = call()
                    # From the very start of it to past its usual end.
                    end = time.monotonic() + self.random.choice((0, 0.001, 0.003, 0.01, 0.03, 0.1))
                    wait_until(lambda end=end: time.monotonic() >= end, 1)
                    kill()
                    wait_until(lambda pending=pending: pending.done, 20)
                    self.assertTrue(pending.done, "the caller never got an answer")
                    self.check_after(allowed)

    def kill_daemon(self):
        self.daemon.kill()
        self.restart()

    def kill_workers(self):
        for pid in self.daemon.workers():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def test_daemon_killed(self):
        self.interrupt(self.kill_daemon)

    def test_workers_killed(self):
        self.interrupt(self.kill_workers)
        self.assertEqual(self.daemon.process.poll(), None)

    def change_existing(self, kill):
        path = os.path.join(self.target, "keep")
        for i in range(ROUNDS):
            with self.subTest(operation="resize", round=i):
                pending = self.volume("keep").Resize.begin(8 * MIB, wait=True)
                time.sleep(self.random.choice((0, 0.002, 0.01, 0.03)))
                kill()
                wait_until(lambda pending=pending: pending.done, 20)
                self.check_after([set()])
                subprocess.run(
                    ["qemu-io", "-r", "-f", "qcow2", "-c", "read -P 0x5a 0 4M", path], check=True, capture_output=True
                )
                if self.volume("keep")["Capacity"] == 8 * MIB:
                    self.volume("keep").Resize(4 * MIB, shrink=True, wait=True)
        for i in range(ROUNDS):
            with self.subTest(operation="delete", round=i):
                self.pool.CreateVolume("v", MIB, wait=True)
                pending = self.volume("v").Delete.begin(wait=True)
                time.sleep(self.random.choice((0, 0.001, 0.005)))
                kill()
                wait_until(lambda pending=pending: pending.done, 20)
                self.check_after([set(), {"v"}])

    def test_daemon_killed_while_it_changes_a_volume(self):
        self.change_existing(self.kill_daemon)

    def test_workers_killed_while_they_change_a_volume(self):
        self.change_existing(self.kill_workers)

    def test_worker_crash_has_a_name(self):
        """A copy whose worker dies fails with WorkerCrashed, and the pool goes on."""
        self.pool.CreateVolume("big", 1024 * MIB, wait=True)
        with open(os.path.join(self.target, "big"), "r+b") as file:
            for _ in range(512):
                file.write(os.urandom(MIB))
        pending = self.pool.CloneVolume.begin("v", self.volume("big").path, format="qcow2", wait=True)
        wait_until(lambda: any("qemu-img" in self.command_of(pid) for pid in self.daemon.workers()), 10)
        self.kill_workers()
        with self.assertRaises(BusError) as caught:
            pending.result(30)
        self.assertEqual(caught.exception.name, "WorkerCrashed")
        self.settle()
        self.assertEqual(set(os.listdir(self.target)), {"keep", "big"})
        self.assertClean(self.target)

    @staticmethod
    def command_of(pid):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def test_killed_while_defining(self):
        for i in range(ROUNDS * 3):
            name = f"define-{i}"
            target = self.directory(name)
            pending = self.client.manager.DefinePool.begin(name, "dir", {"target.path": target}, {})
            wait_until(lambda: False, self.random.choice((0, 0.001, 0.002, 0.005)))
            self.daemon.kill()
            wait_until(lambda: pending.done, 10)
            self.restart()
            names = {p[1] for p in self.client.manager.ListPools()}
            if pending.error is None:
                self.assertIn(name, names, "a definition that was confirmed is lost")
            if name in names:
                self.client.pool(name).Undefine()
        left = [n for folder, _, names in os.walk(self.daemon.config) for n in names if not n.endswith(".xml")]
        self.assertEqual(left, [])


class End(Case):
    def test_sigterm_when_idle(self):
        self.make_pool()
        status, seconds = self.daemon.terminate()
        self.assertEqual(status, 0)
        self.assertLess(seconds, 2)
        self.restart()

    def test_sigterm_during_a_copy(self):
        pool = self.make_pool()
        pool.CreateVolume("big", 1024 * MIB, wait=True)
        with open(os.path.join(pool["TargetPath"], "big"), "r+b") as file:
            for _ in range(1024):
                file.write(os.urandom(MIB))
        path, name = pool["TargetPath"], pool["Name"]
        pending = pool.CloneVolume.begin("copy", self.client.volume(name, "big").path, format="qcow2", wait=True)
        wait_until(lambda: False, 0.3)
        workers = self.daemon.workers()
        status, seconds = self.daemon.terminate()
        self.assertEqual(status, 0)
        self.assertLess(seconds, 20)
        wait_until(lambda: pending.done, 5)
        self.assertTrue(pending.done)
        self.assertFalse([pid for pid in workers if alive(pid)])
        self.assertIn(set(os.listdir(path)), ({"big"}, {"big", "copy"}))
        self.restart()
        self.assertTrue(wait_until(lambda: pool["State"] == "active", 20), "an active pool is adopted again")
        self.assertClean(path)

    def test_new_work_is_refused_while_ending(self):
        pool = self.make_pool()
        pool.CreateVolume("big", 1024 * MIB, wait=True)
        with open(os.path.join(pool["TargetPath"], "big"), "r+b") as file:
            for _ in range(512):
                file.write(os.urandom(MIB))
        pool.CloneVolume.begin("copy", self.client.volume(pool["Name"], "big").path, format="qcow2", wait=True)
        wait_until(lambda: False, 0.2)
        self.daemon.process.send_signal(signal.SIGTERM)
        late = pool.CreateVolume.begin("late", MIB, wait=True)
        self.daemon.wait(25)
        wait_until(lambda: late.done, 5)
        self.assertIsNotNone(late.error)
        self.assertNotIn("late", os.listdir(self.directory("new-work-is-refused-while-ending")))
        self.restart()


class LossOfTheBus(Case):
    def test_ends_the_daemon(self):
        self.client.manager.DefinePool("lost", "dir", {"target.path": self.directory("lost")}, {})
        self.client.pool("lost").Start(build=True, wait=True)
        self.client.pool("lost").CreateVolume("v", MIB, wait=True)  # the session's worker stays
        workers = self.daemon.workers()
        self.assertTrue(workers)
        self.bus.process.kill()
        self.bus.process.wait()
        self.assertNotEqual(self.daemon.process.wait(15), 0, "the service manager would not start a new one")
        self.assertTrue(wait_until(lambda: not any(alive(pid) for pid in workers), 10))
