# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a virtual machine is given a volume: the text is what qemu-system itself takes, asked of a running one (TCG, stopped)."""

import json
import os
import shutil
import socket
import subprocess
import xml.etree.ElementTree as ElementTree

from bed import QUICK
from client import MIB, GLib, wait_until
from data import DataCase, pattern

QEMU = shutil.which("qemu-system-x86_64")
SIZE = 16 * MIB


class Machine:
    """A stopped one, asked over QMP."""

    def __init__(self, case, *words):
        path = case.path("qmp")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        listener.settimeout(0.1)
        self.log = open(case.path("qemu.log"), "w+b")
        self.process = subprocess.Popen(
            [QEMU, "-S", "-nodefaults", "-display", "none", "-machine", "q35,accel=tcg", "-m", "32", "-qmp", f"unix:{path}", *words],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.socket = None
        wait_until(lambda: self.process.poll() is not None or self.connected(listener), 30)
        listener.close()
        os.unlink(path)
        try:
            self.socket.settimeout(30)
            self.file = self.socket.makefile("rw")
            self.file.readline()
            self.ask("qmp_capabilities")
        except (AttributeError, OSError, AssertionError):
            self.close()
            raise AssertionError("qemu-system did not take it: " + self.text()) from None

    def connected(self, listener):
        try:
            self.socket = listener.accept()[0]
        except TimeoutError:
            pass
        return self.socket

    def text(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def ask(self, command):
        self.file.write(json.dumps({"execute": command}) + "\n")
        self.file.flush()
        while line := self.file.readline():
            answer = json.loads(line)
            if "return" in answer or "error" in answer:
                return answer["return"]
        raise AssertionError("qemu-system ended: " + self.text())

    def close(self):
        self.process.kill()
        self.process.wait()


class Attachment(DataCase):
    def machine(self, *words):
        if not QEMU:
            self.skipTest("no qemu-system-x86_64")
        machine = Machine(self, *words)
        self.addCleanup(machine.close)
        return machine

    def nodes(self, volume, *more, **words):
        text = volume.GetAttachment("qemu-blockdev", **words)
        machine = self.machine("-blockdev", text, *more)
        found = {node["node-name"]: node for node in machine.ask("query-named-block-nodes")}
        top = json.loads(text)["node-name"]
        self.assertLessEqual(len(top), 31)
        machine.close()
        return found[top], found

    def test_blockdev_raw(self):
        volume = self.make_volume(self.make_pool(), "v", SIZE, data=pattern(MIB))
        top, _ = self.nodes(volume)
        self.assertEqual((top["drv"], top["image"]["virtual-size"], top["ro"]), ("raw", SIZE, False))
        self.assertEqual(top["image"]["filename"], volume["Path"])

    def test_blockdev_chain(self):
        pool = self.make_pool()
        base = self.make_volume(pool, "base", SIZE, data=pattern(MIB))
        pool.CloneVolume("middle", base.path, linked=True, wait=True)
        pool.CloneVolume("top", self.client.volume("blockdev-chain", "middle").path, linked=True, wait=True)
        volume = self.client.volume("blockdev-chain", "top")
        top, _ = self.nodes(volume)
        self.assertEqual((top["drv"], top["backing_file_depth"]), ("qcow2", 2))
        description = json.loads(volume.GetAttachment("qemu-blockdev"))
        self.assertEqual(description["backing"]["driver"], "qcow2")
        self.assertEqual(description["backing"]["backing"]["driver"], "raw")
        self.assertNotIn("backing", description["backing"]["backing"])

    def test_blockdev_without_backing_says_so(self):
        """A header that names a backing file later is not followed."""
        volume = self.make_volume(self.make_pool(), "v", SIZE, format="qcow2")
        description = json.loads(volume.GetAttachment("qemu-blockdev"))
        self.assertIn("backing", description)
        self.assertIsNone(description["backing"])
        self.nodes(volume)

    def test_blockdev_read_only_and_names(self):
        volume = self.make_volume(self.make_pool(), "v", SIZE, format="qcow2")
        top, found = self.nodes(volume, **{"read-only": True, "node-name": "disk0"})
        self.assertEqual((top["ro"], "disk0" in found), (True, True))
        for name in ("", "1x", "a b", "#block", "x" * 40, "a,b", "disk0'"):
            with self.subTest(name=name):
                self.assertRaisesError(("InvalidArgs", "InvalidName"), volume.GetAttachment, "qemu-blockdev", {"node-name": name})

    def test_two_volumes_in_one_machine(self):
        """The names that are derived do not meet."""
        pool = self.make_pool()
        volumes = [self.make_volume(pool, name, SIZE) for name in ("web-1", "web.1", "web_1", "ünï", "x" * 200, "x" * 199 + "y")]
        words = [word for volume in volumes for word in ("-blockdev", volume.GetAttachment("qemu-blockdev"))]
        machine = self.machine(*words)
        self.assertGreaterEqual(len(machine.ask("query-named-block-nodes")), 6)

    def test_policy_of_the_pool(self):
        for cache, aio, direct, no_flush in (
            ("none", "native", True, False), ("writeback", "threads", False, False), ("unsafe", "io_uring", False, True),
            ("directsync", "native", True, False), ("writethrough", "threads", False, False),
        ):  # fmt: skip
            with self.subTest(cache=cache, aio=aio):
                name = f"policy-{cache}"
                try:
                    pool = self.make_pool(name, **{"cache": cache, "aio": aio})
                except Exception as error:
                    self.skipTest(f"pools have no policy of cache and AIO here: {error}")
                volume = self.make_volume(pool, "v", SIZE)
                description = json.loads(volume.GetAttachment("qemu-blockdev"))
                protocol = description.get("file", description)
                self.assertEqual(protocol.get("aio", "threads"), aio)
                self.assertEqual(description.get("cache", protocol.get("cache", {})).get("direct", False), direct)
                self.assertEqual(description.get("cache", protocol.get("cache", {})).get("no-flush", False), no_flush)
                drive = volume.GetAttachment("qemu-drive")
                self.assertIn(f"cache={cache}", drive)
                self.assertIn(f"aio={aio}", drive)
                driver = ElementTree.fromstring(volume.GetAttachment("libvirt-disk")).find("driver")
                self.assertEqual((driver.get("cache"), driver.get("io")), (cache, aio))
        with self.subTest("native needs a cache that is direct"):
            self.assertRaisesError(
                ("InvalidDefinition", "InvalidArgs"), self.client.manager.DefinePool, "bad", "dir",
                {"target.path": self.directory("bad"), "cache": "writeback", "aio": "native"}, {},
            )  # fmt: skip

    def test_drive(self):
        """Also with a comma and an equals sign in the name, which the text of -drive doubles."""
        pool = self.make_pool()
        for name in ("v", "a,b", "a,,b=c", "x,file=y", "with space", "id=3"):
            for format in ("raw", "qcow2"):
                with self.subTest(name=name, format=format):
                    volume = self.make_volume(pool, f"{name}.{format}", SIZE, format=format)
                    text = volume.GetAttachment("qemu-drive", id="drive0")
                    machine = self.machine("-drive", text)
                    device = next(d for d in machine.ask("query-block") if d["device"] == "drive0")
                    self.assertEqual(device["inserted"]["drv"], format)
                    self.assertEqual(device["inserted"]["image"]["virtual-size"], SIZE)
                    machine.close()

    def test_drive_of_a_chain(self):
        pool = self.make_pool()
        base = self.make_volume(pool, "base,1", SIZE, data=pattern(MIB))
        pool.CloneVolume("top", base.path, linked=True, wait=True)
        text = self.client.volume("drive-of-a-chain", "top").GetAttachment("qemu-drive", id="d0")
        machine = self.machine("-drive", text)
        inserted = next(d for d in machine.ask("query-block") if d["device"] == "d0")["inserted"]
        self.assertEqual(inserted["backing_file_depth"], 1)

    def test_libvirt_disk(self):
        pool = self.make_pool()
        base = self.make_volume(pool, "base & <co>", SIZE, data=pattern(MIB))
        pool.CloneVolume("top", base.path, linked=True, wait=True)
        top = self.client.volume("libvirt-disk", "top")
        disk = ElementTree.fromstring(top.GetAttachment("libvirt-disk", {"read-only": True, "device": "vdb"}))
        self.assertEqual((disk.tag, disk.get("type"), disk.get("device")), ("disk", "file", "disk"))
        self.assertEqual((disk.find("driver").get("name"), disk.find("driver").get("type")), ("qemu", "qcow2"))
        self.assertEqual(disk.find("source").get("file"), top["Path"])
        self.assertEqual(disk.find("target").get("dev"), "vdb")
        self.assertIsNotNone(disk.find("readonly"))
        store = disk.find("backingStore")
        self.assertEqual((store.get("type"), store.find("format").get("type")), ("file", "raw"))
        self.assertEqual(store.find("source").get("file"), base["Path"])
        self.assertIsNotNone(store.find("backingStore"), "the end of the chain is said")
        plain = ElementTree.fromstring(base.GetAttachment("libvirt-disk"))
        self.assertEqual((plain.find("target").get("dev"), plain.find("readonly")), ("vda", None))
        for device in ("", "v da", "vda'/>", "../x"):
            with self.subTest(device=device):
                self.assertRaisesError("InvalidArgs", base.GetAttachment, "libvirt-disk", {"device": device})

    def test_encrypted(self):
        """The secret is referenced and never told."""
        if QUICK:
            self.skipTest("making a key takes its time")
        pool = self.make_pool()
        read, write = os.pipe()
        os.write(write, b"secret words")
        os.close(write)
        words = {"format": "luks", "passphrase": GLib.Variant("h", 0), "wait": True}
        pool.CreateVolume("crypt", SIZE, words, fds=[read])
        os.close(read)
        volume = self.client.volume("encrypted", "crypt")
        key = self.path("key")
        with open(key, "w", encoding="ascii") as file:
            file.write("secret words")
        description = volume.GetAttachment("qemu-blockdev", secret="sec0")
        self.assertNotIn("secret words", description)
        machine = self.machine("-object", f"secret,id=sec0,file={key}", "-blockdev", description)
        self.assertIn("luks", [node["drv"] for node in machine.ask("query-named-block-nodes")])
        uuid = "9a4d2f5e-2f6b-4c61-8a63-3f1d0b1c7a11"
        disk = ElementTree.fromstring(volume.GetAttachment("libvirt-disk", secret=uuid))
        secret = disk.find(".//encryption/secret")
        self.assertEqual((secret.get("type"), secret.get("uuid")), ("passphrase", uuid))

    def test_refused(self):
        volume = self.make_volume(self.make_pool(), "v", SIZE)
        for kind in ("", "qemu", "libvirt", "xml", "QEMU-BLOCKDEV"):
            with self.subTest(kind=kind):
                self.assertRaisesError("InvalidArgs", volume.GetAttachment, kind)
        folder = self.make_volume(self.client.pool("refused"), "folder", 0, format="dir")
        self.assertRaisesError(("NotSupported", "InvalidArgs"), folder.GetAttachment, "qemu-blockdev")
