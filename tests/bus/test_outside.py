# SPDX-License-Identifier: LGPL-2.1-or-later
"""What others do to a pool's directory: news of it, entries nobody expected, a directory that goes away, a source that hangs."""

import os
import shutil
import signal
import socket
import subprocess
import time
import unittest

from bed import HERE, IN_SANDBOX, Case, alive, stat_of
from client import MIB, volume_path, wait_until

NEWS_SECONDS_MAX = 0.1


class News(Case):
    """Changes from outside become signals, each within 100 ms."""

    def in_time(self, act, member, check):
        with self.client.listen() as news:
            begin = time.monotonic()
            act()
            signal_ = news.wait(member, check=check, timeout=5)
            self.assertLess(signal_.time - begin, NEWS_SECONDS_MAX)

    def test_made_changed_renamed_removed(self):
        pool = self.make_pool()
        name = pool["Name"]
        first, second = (os.path.join(pool["TargetPath"], n) for n in ("first", "second"))
        first_object, second_object = (volume_path(name, n) for n in ("first", "second"))

        def make():
            with open(first, "wb") as file:
                file.truncate(3 * MIB)

        def change():
            with open(first, "r+b") as file:
                file.truncate(5 * MIB)

        with self.subTest("made"):
            self.in_time(make, "InterfacesAdded", lambda s: s.args[0] == first_object)
            self.assertEqual(self.client.volume(name, "first")["Capacity"], 3 * MIB)
        with self.subTest("changed"):
            self.in_time(
                change, "PropertiesChanged", lambda s: s.path == first_object and s.args[1].get("Capacity") in (5 * MIB, None)
            )
            self.assertEqual(self.client.volume(name, "first")["Capacity"], 5 * MIB)
        with self.subTest("renamed"):
            self.in_time(lambda: os.rename(first, second), "InterfacesAdded", lambda s: s.args[0] == second_object)
            self.assertEqual([row[0] for row in pool.ListVolumes()[0]], ["second"])
        with self.subTest("removed"):
            self.in_time(lambda: os.unlink(second), "InterfacesRemoved", lambda s: s.args[0] == second_object)
            self.assertEqual(pool["VolumeCount"], 0)

    def test_moved_in(self):
        pool = self.make_pool()
        outside = os.path.join(self.scratch, "outside.img")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", outside, "7M"], check=True)
        target = os.path.join(pool["TargetPath"], "in.img")
        path = volume_path(pool["Name"], "in.img")
        self.in_time(lambda: os.rename(outside, target), "InterfacesAdded", lambda s: s.args[0] == path)
        volume = self.client.volume(pool["Name"], "in.img")
        self.assertEqual(volume["DetectedFormat"], "qcow2")
        # Nobody declared it: what a guest may have written is not believed.
        self.assertEqual(volume["Format"], "raw")

    def test_many_at_once_become_one_signal(self):
        pool = self.make_pool()
        target = pool["TargetPath"]
        with self.client.listen() as news:
            for i in range(5000):
                os.close(os.open(f"{target}/n{i}", os.O_CREAT | os.O_WRONLY))
            self.assertTrue(wait_until(lambda: pool["VolumeCount"] == 5000, 20))
            news.wait("VolumesReset", pool.path)
            added = sum(1 for s in news.signals if s.member == "InterfacesAdded")
        self.assertLess(added, 5000)

    def test_queue_of_the_kernel_overflows(self):
        limit = "/proc/sys/fs/inotify/max_queued_events"
        with open(limit, encoding="ascii") as file:
            most = int(file.read())
        pool = self.make_pool()
        target = pool["TargetPath"]
        number = min(most, 20000) + 100
        # While the daemon stands still, more happens than the kernel keeps.
        self.daemon.process.send_signal(signal.SIGSTOP)
        try:
            for i in range(number // 2):
                path = f"{target}/n{i % 300}"
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
                if i % 3 == 0:
                    os.unlink(path)
        finally:
            self.daemon.process.send_signal(signal.SIGCONT)
        there = sorted(os.listdir(target))
        listed = lambda: sorted(row[0] for row in pool.ListVolumes()[0])  # noqa: E731
        self.assertTrue(wait_until(lambda: listed() == there, 20), f"{len(listed())} listed, {len(there)} there")


class Entries(Case):
    """A directory may hold anything; one odd entry never fails the pool."""

    def test_strange_entries(self):
        path = self.directory("strange")
        os.makedirs(path)
        at = lambda name: os.path.join(path, name)  # noqa: E731
        with open(at("plain"), "wb") as file:
            file.truncate(MIB)
        os.mkfifo(at("fifo"))
        sock = socket.socket(socket.AF_UNIX)
        old = os.getcwd()
        os.chdir(path)
        try:
            sock.bind("socket")
        finally:
            os.chdir(old)
        self.addCleanup(sock.close)
        os.symlink("nowhere", at("dangling"))
        os.symlink("/etc/passwd", at("out-of-the-pool"))
        os.symlink("loop", at("loop"))
        os.mkdir(at("folder"))
        with open(at("short-qcow2"), "wb") as file:
            file.write(b"QFI\xfb\0\0\0\3")
        with open(at("huge-qcow2"), "wb") as file:
            file.write(b"QFI\xfb\0\0\0\3" + b"\xff" * 512)
        with open(at("new\nline"), "wb"):
            pass
        os.close(os.open(os.path.join(os.fsencode(path), b"latin-\xe4"), os.O_CREAT | os.O_WRONLY))
        with open(at("back\\slash"), "wb"):
            pass
        with open(at("unreadable"), "wb"):
            os.chmod(at("unreadable"), 0)
        with open(at(".hidden"), "wb"):
            pass
        pool = self.make_pool("strange")
        names = [row[0] for row in pool.ListVolumes()[0]]
        for present in ("plain", "folder", "short-qcow2", "huge-qcow2", ".hidden", "new\\x0aline", "latin-\\xe4", "back\\x5cslash"):
            with self.subTest(present=present):
                self.assertIn(present, names)
        for absent in ("fifo", "socket", "dangling", "out-of-the-pool", "loop", "new\nline"):
            with self.subTest(absent=absent):
                self.assertNotIn(absent, names)
        self.assertEqual(pool["State"], "active")
        self.assertEqual(tuple(pool["Error"]), ("", ""))
        with self.subTest("a wrong header is an error of that volume alone"):
            for name in ("short-qcow2", "huge-qcow2"):
                self.assertEqual(self.client.volume("strange", name)["Capacity"], os.stat(at(name)).st_size)
        with self.subTest("everything listed can be looked at"):
            for name in names:
                self.client.volume("strange", name).all()
                self.client.volume("strange", name).GetXML()
            self.client.managed_objects()
        with self.subTest("names that are no UTF-8 can be deleted"):
            for name in ("new\\x0aline", "latin-\\xe4", "back\\x5cslash"):
                self.client.volume("strange", name).Delete(wait=True)
            self.assertNotIn("new\nline", os.listdir(path))
            self.assertNotIn(b"latin-\xe4", os.listdir(os.fsencode(path)))
            self.assertNotIn("back\\slash", os.listdir(path))

    def test_symlinks_follow(self):
        pool = self.make_pool(symlinks="follow")
        path = pool["TargetPath"]
        pool.CreateVolume("v", MIB, wait=True)
        os.symlink("v", os.path.join(path, "link"))
        os.symlink("/etc/passwd", os.path.join(path, "escape"))
        pool.Refresh(wait=True)
        names = [row[0] for row in pool.ListVolumes()[0]]
        self.assertIn("link", names)
        self.assertNotIn("escape", names)

    def test_entries_that_vanish_meanwhile(self):
        pool = self.make_pool()
        path = pool["TargetPath"]
        churn = subprocess.Popen(
            ["/usr/bin/python3", "-c",
             "import os,sys\nwhile True:\n for i in range(200):\n  p=f'{sys.argv[1]}/c{i}'\n"
             "  os.close(os.open(p,os.O_CREAT|os.O_WRONLY))\n  os.unlink(p)", path]
        )  # fmt: skip
        try:
            for _ in range(20):
                pool.Refresh(wait=True)
                self.assertEqual(pool["State"], "active")
        finally:
            churn.kill()
            churn.wait()
        for name in os.listdir(path):
            os.unlink(os.path.join(path, name))
        self.assertTrue(wait_until(lambda: pool["VolumeCount"] == 0, 10))

    def test_foreign_qcow2_is_not_believed(self):
        """A guest wrote a qcow2 header with a backing file into its raw disk."""
        pool = self.make_pool()
        pool.CreateVolume("guest", MIB, wait=True)
        volume = self.client.volume(pool["Name"], "guest")
        made = os.path.join(self.scratch, "made.qcow2")
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw", made, "1M"], check=True
        )
        with open(made, "rb") as source, open(volume["Path"], "r+b") as target:
            target.write(source.read()[:MIB])
        pool.Refresh(wait=True)
        self.assertEqual(volume["Format"], "raw")
        self.assertEqual(volume["Capacity"], os.stat(volume["Path"]).st_size)
        pool.CloneVolume("copy", volume.path, format="qcow2", wait=True)
        info = subprocess.run(
            ["qemu-img", "info", os.path.join(pool["TargetPath"], "copy")], check=True, capture_output=True, text=True
        ).stdout
        self.assertNotIn("shadow", info)


class Directory(Case):
    def test_vanishes_and_returns(self):
        pool = self.make_pool()
        pool.CreateVolume("v", MIB, wait=True)
        path = pool["TargetPath"]
        away = path + ".away"
        os.rename(path, away)
        self.addCleanup(shutil.rmtree, away, ignore_errors=True)
        self.assertTrue(wait_until(lambda: pool["State"] == "unavailable", 20), pool["State"])
        self.assertEqual([row[0] for row in pool.ListVolumes()[0]], ["v"], "what was known stays listed")
        self.assertTrue(pool["Error"][1])
        self.assertRaisesError(("SourceUnreachable", "Failed", "Changed"), pool.CreateVolume, "w", MIB, wait=True)
        os.rename(away, path)
        self.assertTrue(wait_until(lambda: pool["State"] == "active", 40), pool["Error"])
        pool.CreateVolume("w", MIB, wait=True)
        self.assertEqual(tuple(pool["Error"]), ("", ""))

    def test_another_directory_in_its_place(self):
        pool = self.make_pool()
        path = pool["TargetPath"]
        os.rename(path, path + ".away")
        self.addCleanup(shutil.rmtree, path + ".away", ignore_errors=True)
        os.mkdir(path, 0o755)
        # Nothing is ever put into what is not the directory that was started.
        pool_create = lambda: pool.CreateVolume("w", MIB, wait=True)  # noqa: E731
        try:
            pool_create()
        except Exception as error:
            self.assertIn(error.name, ("Changed", "SourceUnreachable", "Failed"))
        else:
            self.assertIn(pool["State"], ("active",), "created into a directory that was not adopted")

    def test_removed_with_its_volumes(self):
        pool = self.make_pool()
        pool.CreateVolume("v", MIB, wait=True)
        shutil.rmtree(pool["TargetPath"])
        self.assertTrue(wait_until(lambda: pool["State"] == "unavailable", 20), pool["State"])
        pool.Stop(wait=True)
        self.assertEqual(pool["State"], "inactive")


@unittest.skipUnless(IN_SANDBOX and os.path.exists("/dev/fuse"), "needs root and /dev/fuse for a file system that hangs")
class Hung(Case):
    """A source that does not answer any more delays nobody but those who asked it."""

    arguments = {"deadline": 3}

    def setUp(self):
        program = os.path.join(self.scratch, "hung-fuse")
        source = os.path.join(HERE, "..", "fake", "hung-fuse.c")
        subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", "-o", program, source], check=True)
        self.target = self.directory(self.id().rsplit(".", 1)[-1])
        os.makedirs(self.target)
        self.server = subprocess.Popen([program, self.target])
        self.addCleanup(self.end_server)
        self.assertTrue(wait_until(lambda: os.path.ismount(self.target), 10))

    def end_server(self):
        if self.server.poll() is None:
            self.server.terminate()
            self.server.wait()

    def test_hung_file_system(self):
        hung = self.make_pool("hung", **{"target.path": self.target})
        other = self.make_pool("other")
        self.server.send_signal(signal.SIGUSR1)
        time.sleep(0.1)
        stuck = [hung.Refresh.begin(wait=True), hung.CreateVolume.begin("v", MIB, wait=True)]
        slowest = 0.0
        for i in range(200):
            begin = time.monotonic()
            hung.all()
            other.CreateVolume(f"v{i}", MIB, wait=True)
            self.client.volume("other", f"v{i}").all()
            other.ListVolumes()
            self.client.manager.ListPools()
            slowest = max(slowest, time.monotonic() - begin)
        self.assertLess(slowest, 0.5, "another pool was delayed")
        with self.subTest("deadline"):
            self.assertTrue(wait_until(lambda: hung["State"] == "unresponsive", 20), hung["State"])
            self.assertRaisesError(("SourceUnreachable", "TimedOut"), hung.CreateVolume, "w", MIB, wait=True, timeout=5)
        with self.subTest("those who asked get an error"):
            for call in stuck:
                with self.assertRaises(Exception) as caught:
                    call.result(30)
                self.assertIn(caught.exception.name, ("SourceUnreachable", "TimedOut", "Cancelled"))
        with self.subTest("stop with force"):
            hung.Stop(force=True, wait=True, timeout=20)
            self.assertEqual(hung["State"], "inactive")
        with self.subTest("the source answers again"):
            workers = self.daemon.workers()
            self.server.send_signal(signal.SIGUSR2)
            self.assertTrue(
                wait_until(lambda: not any(alive(p) and (stat_of(p) or "??")[1] == "D" for p in workers), 15),
                "processes that stay stuck",
            )
            hung.Start(wait=True)
            self.assertEqual(hung["State"], "active")

    def test_recovers_by_itself(self):
        hung = self.make_pool("hung", **{"target.path": self.target})
        self.server.send_signal(signal.SIGUSR1)
        time.sleep(0.1)
        call = hung.Refresh.begin(wait=True)
        self.assertTrue(wait_until(lambda: hung["State"] == "unresponsive", 30), hung["State"])
        with self.assertRaises(Exception):
            call.result(30)
        self.server.send_signal(signal.SIGUSR2)
        self.assertTrue(wait_until(lambda: hung["State"] == "active", 60), hung["Error"])

    def test_end_of_the_daemon_does_not_wait(self):
        hung = self.make_pool("hung", **{"target.path": self.target})
        self.server.send_signal(signal.SIGUSR1)
        time.sleep(0.1)
        hung.Refresh.begin(wait=True)
        time.sleep(0.3)
        status, seconds = self.daemon.terminate(25)
        self.assertEqual(status, 0)
        self.assertLess(seconds, 20)
        self.end_server()
        self.restart()
