# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of moving data share: the service as it is installed (the user service where there is no sandbox), patterns
and holes, images made and judged by QEMU's own tools, and peers at the other end of a pipe."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import threading

from bed import IN_SANDBOX, Case, SystemCase
from client import MIB, wait_until

DONE = ("done", "failed", "cancelled")
TOOL_SECONDS_MAX = 120


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, timeout=TOOL_SECONDS_MAX, **more).stdout


def image_info(path, format=None):
    return json.loads(run("qemu-img", "info", "-U", "--output=json", *(["-f", format] if format else []), path))


def qemu_io(path, *commands, format="raw", read_only=False):
    words = [word for command in commands for word in ("-c", command)]
    output = run("qemu-io", *(["-r", "-U"] if read_only else []), "-f", format, *words, path).decode()
    # It ends with 0 when a pattern is not there.
    if "Pattern verification failed" in output:
        raise AssertionError(f"{path}: {output}")
    return output


def compare(path, format, other, other_format):
    """Fails unless a guest would see the same; what one of them has more must be zeros."""
    run("qemu-img", "compare", "-U", "-f", format, "-F", other_format, path, other)


def pattern(size, seed=0):
    return random.Random(seed).randbytes(size)


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def write_file(path, data, offset=0, size=None):
    """Returns the path; with a size, a sparse file of that size."""
    with open(path, "r+b" if os.path.exists(path) else "wb") as file:
        if size is not None:
            file.truncate(size)
        file.seek(offset)
        file.write(data)
    return path


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def allocated(path):
    return os.stat(path).st_blocks * 512


def data_bytes(path):
    """Bytes that are no hole, as the file system tells."""
    total, position = 0, 0
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        while position < size:
            try:
                begin = os.lseek(file.fileno(), position, os.SEEK_DATA)
            except OSError:
                break
            position = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            total += position - begin
    return total


class Feed:
    """The reading end of a pipe (or of a socket) that a thread fills; the thread ends with the data or the reader."""

    def __init__(self, data, socket=None):
        self.fd, self.end = socket or os.pipe()
        self.sent = 0
        self.thread = threading.Thread(target=self._send, args=(data,), daemon=True)
        self.thread.start()

    def _send(self, data):
        view = memoryview(data)
        try:
            while self.sent < len(view):
                self.sent += os.write(self.end, view[self.sent : self.sent + 65536])
        except (BrokenPipeError, ConnectionResetError):
            pass
        os.close(self.end)

    def __enter__(self):
        return self.fd

    def __exit__(self, *_):
        os.close(self.fd)
        self.thread.join(20)


class Drain:
    """The writing end of a pipe (or of a socket) that a thread reads to its end."""

    def __init__(self, socket=None):
        self.end, self.fd = socket or os.pipe()
        self.chunks = []
        self.thread = threading.Thread(target=self._receive, daemon=True)
        self.thread.start()

    def _receive(self):
        while chunk := os.read(self.end, 1 << 20):
            self.chunks.append(chunk)
        os.close(self.end)

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            self.thread.join(20)

    @property
    def data(self):
        self.close()
        return b"".join(self.chunks)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class DataCase(SystemCase if IN_SANDBOX else Case):
    def setUp(self):
        self.files = os.path.join(self.scratch, "files")
        os.makedirs(self.files, exist_ok=True)
        self.addCleanup(shutil.rmtree, self.files, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.files, name)

    def open(self, path, flags=os.O_RDONLY, mode=0o600):
        """A descriptor that is closed at the end of the test."""
        fd = os.open(path, flags | os.O_CLOEXEC, mode)
        self.addCleanup(self.close_fd, fd)
        return fd

    def keep(self, fd):
        self.addCleanup(self.close_fd, fd)
        return fd

    @staticmethod
    def close_fd(fd):
        try:
            os.close(fd)
        except OSError:
            pass

    def make_volume(self, pool, name="v", capacity=MIB, data=None, offset=0, **more):
        """A volume; with data that a guest would have written there."""
        pool.CreateVolume(name, capacity, wait=True, **more)
        volume = self.client.volume(pool["Name"], name)
        if data is not None:
            self.guest_writes(volume, data, offset)
        return volume

    def guest_writes(self, volume, data, offset=0):
        if volume["Format"] == "raw":
            write_file(volume["Path"], data, offset)
            return
        source = write_file(self.path("guest-data"), data)
        qemu_io(volume["Path"], f"write -s {source} {offset} {len(data)}", format=volume["Format"])

    def guest_reads(self, volume, length=None, offset=0):
        """What a guest would see."""
        raw = self.path("guest-view")
        run("qemu-img", "convert", "-U", "-f", volume["Format"], "-O", "raw", volume["Path"], raw)
        data = read_file(raw)
        os.unlink(raw)
        return data[offset:] if length is None else data[offset : offset + length]

    def result(self, job):
        """The result of a job that has to be done."""
        proxy = self.client.job(job)
        self.assertEqual(self.finish(job, 120), "done", proxy["Error"])
        return proxy["Result"]

    def failure(self, job):
        """The short name of the error of a job that has to fail."""
        proxy = self.client.job(job)
        self.assertEqual(self.finish(job, 120), "failed")
        return proxy["Error"][0].rsplit(".", 1)[-1]

    def upload(self, volume, source, **more):
        """From bytes, or from a descriptor; returns the result."""
        if isinstance(source, bytes):
            source = self.open(write_file(self.path(f"upload-{len(os.listdir(self.files))}"), source))
        return self.result(volume.Upload(source, wait=True, **more))

    def download(self, volume, path=None, **more):
        path = path or self.path("download")
        return self.result(volume.Download(self.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), wait=True, **more))

    def kill_workers(self):
        for pid in self.daemon.workers():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def settle(self, pool):
        self.assertTrue(wait_until(lambda: pool["State"] == "active", 30), pool["Error"])

    def mounted(self, kind, size, name=None, *words):
        """A file system of its own as the directory of a pool; skips where this machine cannot."""
        if os.getuid() != 0:
            self.skipTest(f"needs root to mount {kind}")
        name = name or self.id().rsplit(".", 1)[-1].removeprefix("test_").replace("_", "-")
        path = self.directory(name)
        os.makedirs(path)
        device = ["tmpfs", "-o", f"size={size}"]
        if kind != "tmpfs":
            disk = write_file(self.path(name + ".disk"), b"", size=size)
            made = subprocess.run([f"mkfs.{kind}", "-q", *words, disk], capture_output=True, check=False)
            device = [disk, "-o", "loop"]
            if made.returncode != 0:
                self.skipTest(f"no mkfs.{kind} that works here: {made.stderr.decode(errors='replace')[-200:]}")
        mount = subprocess.run(["mount", "-t", kind, *device, path], capture_output=True, check=False)
        if mount.returncode != 0:
            self.skipTest(f"cannot mount {kind} here: {mount.stderr.decode(errors='replace')[-200:]}")
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=True)
        return self.make_pool(name)

    def loop_device(self, path):
        device = subprocess.run(["losetup", "--find", "--show", path], capture_output=True, check=False)
        if device.returncode != 0:
            self.skipTest("no loop device to be had here")
        name = device.stdout.decode().strip()
        self.addCleanup(subprocess.run, ["losetup", "--detach", name], check=True)
        return name
