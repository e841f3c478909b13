# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes whose names mean something to QEMU, to a shell or to a list of options: every way of moving data takes them as names."""

import json
import os

from bed import QUICK
from client import MIB, snapshot_path
from data import DataCase, pattern, read_file, write_file

NAMES = (
    "plain", "-rf", "--help", "json:{}", 'json:{"driver":"file"}', "nbd:localhost:10809", "file:x", "fd:3", "a,b=c", "a,,b", "with space",
    "ünïcödé", "$(touch x)", "`id`", "%s%n", "a;b", "a'b\"c", "*", "~", "#1", "host_device:", "blkdebug::x", "x.qcow2:0", "=", ",",
)  # fmt: skip


class Names(DataCase):
    def every_way(self, pool, other, name, format):
        self.addCleanup(self.empty, pool, other)
        data = pattern(65536, len(name))
        volume = self.make_volume(pool, name, MIB, format=format)
        pool_name = pool["Name"]
        raw = self.make_volume(pool, "source-of-data", MIB, data=data)
        content = self.guest_reads(raw)
        raw.Delete(wait=True)
        if format == "raw":
            self.upload(volume, data)
        else:
            fd = self.open(write_file(self.path("raw"), content))
            volume.Delete(wait=True)
            pool.ImportVolume(name, fd, {"source-format": "raw", "format": format}, wait=True)
        pool.CloneVolume(name + "2", volume.path, wait=True)
        other.CloneVolume(name, volume.path, wait=True)
        pool.CloneVolume(name + "3", volume.path, linked=True, wait=True)
        linked = self.client.volume(pool_name, name + "3")
        self.assertEqual(json.loads(linked.GetAttachment("qemu-blockdev"))["backing"]["driver"], format)
        self.result(linked.Flatten(wait=True))
        out = self.open(self.path("out"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        self.result(volume.Export(out, format="raw", wait=True))
        self.assertEqual(read_file(self.path("out")), content)
        if format == "qcow2":
            volume.CreateSnapshot(name, wait=True)
            self.client.snapshot(snapshot_path(pool_name, name, name)).Delete(wait=True)
        linked.Convert("raw", wait=True)
        self.assertEqual(read_file(linked["Path"]), content)
        volume.Rename(name + "4", wait=True)
        for where, label in ((pool, "2"), (pool, "3"), (pool, "4"), (other, "")):
            copy = self.client.volume(where["Name"], name + label)
            self.assertEqual(copy["Name"], name + label)
            copy.Delete(wait=True)

    @staticmethod
    def empty(*pools):
        for pool in pools:
            for name in os.listdir(pool["TargetPath"]) if pool["State"] == "active" else ():
                os.unlink(os.path.join(pool["TargetPath"], name))

    def test_every_way(self):
        pool, other = self.make_pool("one"), self.make_pool("two")
        for name in NAMES[: 3 if QUICK else None]:
            for format in ("raw", "qcow2"):
                with self.subTest(name=name, format=format):
                    self.every_way(pool, other, name, format)
                    self.assertEqual((os.listdir(pool["TargetPath"]), os.listdir(other["TargetPath"])), ([], []))
        self.assertEqual([name for name in os.listdir("/") if name == "x"], [])

    def test_hostile_directories(self):
        """The pool's own path has such letters in it."""
        for i, folder in enumerate(("a,b=c", "json:{}", "with space", "nbd:x:1")):
            with self.subTest(folder=folder):
                pool = self.make_pool(f"p{i}", **{"target.path": os.path.join(self.directory(f"p{i}"), folder)})
                self.every_way(pool, self.make_pool(f"q{i}"), "v", "qcow2")
