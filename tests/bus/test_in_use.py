# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes that somebody holds: a virtual machine's lock, a process that has the file open; and what we hold ourselves."""

import os
import subprocess

from client import MIB, snapshot_path, wait_until
from data import DONE, DataCase, Feed, pattern, read_file, write_file

SIZE = 8 * MIB


class InUse(DataCase):
    def qemu_holds(self, volume, read_only=False):
        """qemu-io with the image open, as a virtual machine would have it."""
        command = ["qemu-io", *(["-r"] if read_only else []), "-f", volume["Format"], volume["Path"]]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(self.end, process)
        process.stdin.write("length\n")
        process.stdin.flush()
        self.assertIn("MiB", process.stdout.readline())
        return process

    @staticmethod
    def end(process):
        process.stdin.close()
        process.stdout.close()
        process.wait(20)

    def writer_holds(self, volume):
        """Any program that has the file open for writing and no idea of locks."""
        process = subprocess.Popen(
            ["python3", "-c", f"f = open({volume['Path']!r}, 'r+b'); print('open', flush=True); input()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.addCleanup(self.end, process)
        self.assertEqual(process.stdout.readline(), "open\n")
        return process

    def changes(self, volume, pool):
        """What may not be done to a volume that somebody writes to."""
        fd = self.open(write_file(self.path("new"), pattern(4096)))
        yield "delete", lambda: volume.Delete(wait=True)
        yield "shrink", lambda: volume.Resize(MIB, shrink=True, wait=True)
        yield "wipe", lambda: volume.Wipe("zero", wait=True)
        yield "upload", lambda: volume.Upload(fd, wait=True)
        yield "upload, atomic", lambda: volume.Upload(fd, atomic=True, wait=True)
        yield "move", lambda: volume.Move(self.other.path, wait=True)
        if volume["Format"] == "qcow2":
            yield "convert", lambda: volume.Convert("raw", wait=True)
            yield "snapshot", lambda: volume.CreateSnapshot("t", wait=True)
        else:
            yield "convert", lambda: volume.Convert("qcow2", wait=True)

    def prepare(self, format, name):
        pool = self.make_pool(name)
        self.other = self.make_pool(name + "-other")
        volume = self.make_volume(pool, "v", SIZE, data=pattern(MIB), format=format)
        return pool, volume

    def refused(self, pool, volume, process, command):
        before = read_file(volume["Path"])
        for title, call in self.changes(volume, pool):
            with self.subTest(title, format=volume["Format"]):
                error = self.assertRaisesError("InUse", call)
                self.assertIn(str(process.pid), error.message)
                self.assertIn(command, error.message)
                self.assertEqual(read_file(volume["Path"]), before)
                self.assertFalse(volume["Corrupt"])
        self.assertEqual(os.listdir(pool["TargetPath"]), ["v"])
        self.assertClean(pool["TargetPath"])

    def test_locked_by_qemu(self):
        for format in ("raw", "qcow2"):
            pool, volume = self.prepare(format, f"locked-{format}")
            process = self.qemu_holds(volume)
            self.refused(pool, volume, process, "qemu-io")
            self.end(process)
            volume.Delete(wait=True)

    def test_open_for_writing(self):
        for format in ("raw", "qcow2"):
            pool, volume = self.prepare(format, f"open-{format}")
            process = self.writer_holds(volume)
            self.refused(pool, volume, process, "python3")
            self.end(process)
            volume.Delete(wait=True)

    def test_snapshots(self):
        pool, volume = self.prepare("qcow2", "snapshots")
        volume.CreateSnapshot("s", wait=True)
        snapshot = self.client.snapshot(snapshot_path("snapshots", "v", "s"))
        process = self.qemu_holds(volume)
        for title, call in (("revert", snapshot.Revert), ("delete", snapshot.Delete)):
            with self.subTest(title):
                self.assertIn(str(process.pid), self.assertRaisesError("InUse", call, wait=True).message)
        self.end(process)
        snapshot.Revert(wait=True)
        snapshot.Delete(wait=True)
        self.assertEqual(os.listdir(pool["TargetPath"]), ["v"])

    def test_reading_beside_a_writer(self):
        """A copy of what changes meanwhile is none, unless somebody wants it all the same."""
        for format in ("raw", "qcow2"):
            pool, volume = self.prepare(format, f"read-{format}")
            process = self.qemu_holds(volume)
            out = self.open(self.path("out"), os.O_RDWR | os.O_CREAT)
            for title, call in (
                ("clone", lambda volume=volume, pool=pool, **w: pool.CloneVolume("copy", volume.path, wait=True, **w)),
                ("download", lambda volume=volume, out=out, **w: volume.Download(out, w, wait=True)),
                ("export", lambda volume=volume, out=out, **w: volume.Export(out, w, wait=True)),
            ):
                with self.subTest(title, format=format):
                    error = self.assertRaisesError("InUse", call)
                    self.assertIn("force-share", error.message)
                    call(**{"force-share": True})
            self.end(process)

    def test_reading_beside_readers(self):
        for format in ("raw", "qcow2"):
            with self.subTest(format=format):
                pool, volume = self.prepare(format, f"readers-{format}")
                process = self.qemu_holds(volume, read_only=True)
                pool.CloneVolume("copy", volume.path, wait=True)
                self.download(volume)
                self.assertRaisesError("InUse", volume.Wipe, "zero", wait=True)
                self.end(process)

    def test_growing_beside_a_writer(self):
        """Whether a running machine's disk may grow behind its back is QEMU's matter: refused, and nothing is broken."""
        pool, volume = self.prepare("qcow2", "grow")
        self.qemu_holds(volume)
        self.assertRaisesError("InUse", volume.Resize, 2 * SIZE, wait=True)
        self.assertEqual(volume["Capacity"], SIZE)

    def test_backing_of_a_running_machine(self):
        """The base is only read by QEMU: it may be cloned, and not be changed."""
        pool = self.make_pool()
        base = self.make_volume(pool, "base", SIZE, data=pattern(MIB))
        pool.CloneVolume("top", base.path, linked=True, wait=True)
        self.qemu_holds(self.client.volume("backing-of-a-running-machine", "top"))
        pool.CloneVolume("copy", base.path, wait=True)
        self.assertRaisesError("InUse", base.Wipe, "zero", wait=True)
        self.assertRaisesError("InUse", base.Delete, dependents=True, wait=True)
        self.assertEqual(set(os.listdir(pool["TargetPath"])), {"base", "top", "copy"})


class HeldByUs(DataCase):
    def uploading(self, name, **more):
        """A volume in the middle of an upload."""
        pool = self.make_pool(name)
        volume = self.make_volume(pool, "v", SIZE, data=pattern(SIZE))
        fd = self.open(write_file(self.path("new"), pattern(SIZE, 2)))
        job = self.client.job(volume.Upload(fd, bandwidth=4 * MIB, **more))
        self.assertTrue(wait_until(lambda: job["BytesDone"] > 0 or job["State"] in DONE, 20))
        self.assertEqual(job["State"], "running", job["Error"])
        return pool, volume, job

    def test_qemu_cannot_start_on_it(self):
        for atomic in (False, True):
            with self.subTest(atomic=atomic):
                _, volume, job = self.uploading(f"start-{atomic}", atomic=atomic)
                start = subprocess.run(
                    ["qemu-io", "-f", "raw", "-c", "write 0 512", volume["Path"]], capture_output=True, text=True, check=False, timeout=20
                )
                self.assertNotEqual(start.returncode, 0)
                self.assertIn("lock", start.stderr + start.stdout)
                job.Cancel()
                self.finish(job.path)

    def test_qemu_cannot_write_what_is_read(self):
        pool = self.make_pool()
        volume = self.make_volume(pool, "v", SIZE, data=pattern(SIZE))
        out = self.open(self.path("out"), os.O_RDWR | os.O_CREAT)
        job = self.client.job(volume.Download(out, bandwidth=4 * MIB))
        self.assertTrue(wait_until(lambda: job["BytesDone"] > 0 or job["State"] in DONE, 20))
        write = subprocess.run(["qemu-io", "-f", "raw", "-c", "write 0 512", volume["Path"]], capture_output=True, check=False, timeout=20)
        self.assertNotEqual(write.returncode, 0)
        read = subprocess.run(["qemu-io", "-r", "-f", "raw", "-c", "read 0 512", volume["Path"]], capture_output=True, check=False, timeout=20)
        self.assertEqual(read.returncode, 0, read.stderr)
        job.Cancel()
        self.finish(job.path)

    def test_others_wait_for_the_upload(self):
        """Weak spot 2: while it runs, delete and the like wait their turn or are refused; a refresh does no harm."""
        pool, volume, job = self.uploading("wait")
        pool.Refresh(wait=True)
        self.assertEqual(job["State"], "running")
        delete = volume.Delete.begin(wait=True)
        wait_until(lambda: delete.done, 0.3)
        if delete.done:
            self.assertIn(delete.error.name, ("InUse", "Busy"))
            self.finish(job.path)
        else:
            self.assertEqual(os.listdir(pool["TargetPath"]), ["v"])
            job.Cancel()
            delete.result(20)
            self.assertEqual(os.listdir(pool["TargetPath"]), [])

    def test_stop_of_the_pool_meanwhile(self):
        pool, volume, job = self.uploading("stop")
        stop = pool.Stop.begin(wait=True)
        wait_until(lambda: stop.done, 0.3)
        self.assertIn(job["State"], DONE if stop.done and not stop.error else ("running",))
        if job["State"] == "running":
            job.Cancel()
            self.finish(job.path)

    def test_end_frees_the_lock(self):
        """Done, failed or cancelled: the next one finds the image free at once."""
        _, volume, job = self.uploading("free")
        job.Cancel()
        self.finish(job.path)
        subprocess.run(["qemu-io", "-f", "raw", "-c", "write 0 512", volume["Path"]], check=True, capture_output=True, timeout=20)
        with Feed(pattern(SIZE)) as fd:
            self.result(volume.Upload(fd, wait=True))
        subprocess.run(["qemu-io", "-f", "raw", "-c", "write 0 512", volume["Path"]], check=True, capture_output=True, timeout=20)

    def test_two_uploads(self):
        """In order; the second one's bytes are what is there."""
        _, volume, job = self.uploading("two")
        second = volume.Upload.begin(self.open(write_file(self.path("second"), pattern(SIZE, 7))), wait=True)
        job.Cancel()
        second.result(30)
        self.assertEqual(read_file(volume["Path"]), pattern(SIZE, 7))
