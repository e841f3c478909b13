# SPDX-License-Identifier: LGPL-2.1-or-later
"""Contents are hostile (design: a guest writes what it likes into its disk, a user uploads what he likes). Whatever is done with
such an image, nothing of a secret file gets into a volume, no device is opened, and the pool lives."""

import json
import os
import struct
import subprocess
import zlib

from bed import QUICK
from client import GIB, MIB, wait_until
from data import DataCase, Feed, allocated, image_info, pattern, read_file, run, write_file

SECRET = b"root:$6$not-for-everybody:19000:0:99999:7:::\n" * 2000
REFUSALS = ("Failed", "Corrupt", "InvalidArgs", "NotSupported", "AccessDenied", "NoSuchVolume", "LimitsExceeded", "InUse", "NoSpace",
            "TimedOut", "BackendUnavailable", "InvalidDefinition")  # fmt: skip


class Trust(DataCase):
    def setUp(self):
        super().setUp()
        self.secret = write_file(self.path("secret"), SECRET)
        os.chmod(self.secret, 0o600)
        self.pool = self.make_pool()
        self.other = self.make_pool(self.pool["Name"] + "-other")
        self.addCleanup(self.check)

    def check(self):
        """After each of them."""
        for pool in (self.pool, self.other):
            self.assertEqual(pool["State"], "active")
            self.assertNoSecretIn(pool["TargetPath"])
            self.assertClean(pool["TargetPath"])
        name = "still-alive"
        self.pool.CreateVolume(name, MIB, format="qcow2", wait=True)
        self.pool.Refresh(wait=True)
        self.client.volume(self.pool["Name"], name).Delete(wait=True)

    def assertNoSecretIn(self, folder):
        for place, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(place, name)
                if os.path.islink(path) or not os.path.isfile(path) or allocated(path) > 64 * MIB:
                    continue
                self.assertNotIn(SECRET[:45], read_file(path), path)

    def tried(self, title, call):
        """It may work or be refused with a word; both without the secret and without a hang."""
        with self.subTest(title):
            try:
                call()
            except Exception as error:
                self.assertIn(getattr(error, "name", str(error)), REFUSALS, getattr(error, "message", ""))
                self.assertTrue(error.message)
            self.assertNoSecretIn(self.pool["TargetPath"])
            self.assertNoSecretIn(self.other["TargetPath"])
            self.assertNoSecretIn(self.path("out"))

    def everything(self, volume):
        """All that reads an image."""
        name = volume["Name"]
        out = self.path("out")
        os.makedirs(out, exist_ok=True)

        def into_file(call):
            fd = self.open(os.path.join(out, "file"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            call(fd)

        self.tried("clone", lambda: self.pool.CloneVolume(name + "-c1", volume.path, wait=True))
        self.tried("clone to raw", lambda: self.pool.CloneVolume(name + "-c2", volume.path, format="raw", wait=True))
        self.tried("clone to qcow2", lambda: self.pool.CloneVolume(name + "-c3", volume.path, format="qcow2", wait=True))
        self.tried("clone to another pool", lambda: self.other.CloneVolume(name + "-c4", volume.path, format="raw", wait=True))
        self.tried("linked clone", lambda: self.pool.CloneVolume(name + "-c5", volume.path, linked=True, wait=True))
        self.tried("export", lambda: into_file(lambda fd: volume.Export(fd, format="raw", wait=True)))
        self.tried("attachment", lambda: self.assertNotIn("secret", volume.GetAttachment("qemu-blockdev")))
        self.tried("resize", lambda: volume.Resize(volume["Capacity"] + MIB, wait=True))
        self.tried("snapshot", lambda: volume.CreateSnapshot("s", wait=True))
        self.tried("flatten", lambda: volume.Flatten(wait=True))
        self.tried("convert to raw", lambda: volume.Convert("raw", wait=True))
        self.tried("convert to qcow2", lambda: volume.Convert("qcow2", wait=True))
        self.tried("wipe", lambda: volume.Wipe("zero", wait=True))
        self.assertEqual(read_file(self.secret), SECRET, "the secret itself was changed")

    def hostile_qcow2(self, *words, size="16M"):
        path = self.path("hostile.qcow2")
        if os.path.exists(path):
            os.unlink(path)
        run("qemu-img", "create", "-q", "-u", "-f", "qcow2", *words, path, size)
        return path

    def uploaded(self, path, name="v", format="qcow2"):
        """A volume declared as that format which has these bytes in it now; None when they were not let in."""
        volume = self.make_volume(self.pool, name, 16 * MIB, format=format)
        try:
            volume.Upload(self.open(path), grow=True, wait=True)
        except Exception as error:
            self.assertIn(error.name, REFUSALS)
        return volume

    def with_backing(self, backing, format="raw"):
        return self.hostile_qcow2("-b", backing, "-F", format)

    def test_uploaded_with_a_backing_file(self):
        self.everything(self.uploaded(self.with_backing(self.secret)))

    def test_dropped_into_the_pool_with_a_backing_file(self):
        """By somebody who may write there; found by a look."""
        run("cp", self.with_backing(self.secret), os.path.join(self.pool["TargetPath"], "v"))
        self.pool.Refresh(wait=True)
        self.everything(self.client.volume(self.pool["Name"], "v"))

    def test_imported_with_a_backing_file(self):
        path = self.with_backing(self.secret)
        for format in ("raw", "qcow2"):
            for how in ({"source-format": "qcow2"}, {"probe": True}):
                call = lambda f=format, h=how: self.pool.ImportVolume(f"i-{f}-{len(h)}", self.open(path), {**h, "format": f}, wait=True)  # noqa: E731
                self.tried(f"import as {format}", call)

    def test_names_of_backing_files(self):
        """What QEMU would take for a protocol, a description, or a way out of the pool."""
        inner = json.dumps({"driver": "raw", "file": {"driver": "file", "filename": self.secret}})
        names = ("json:" + inner, "file:" + self.secret, "nbd://127.0.0.1:1/x", "../../files/secret", "fd:3", "/proc/self/fd/0",
                 "/dev/stdin", "host_device:/dev/loop0", "blkdebug::" + self.secret, "x" * 1000)  # fmt: skip
        for i, name in enumerate(names if not QUICK else names[:3]):
            path = self.hostile_qcow2("-b", name, "-F", "raw") if len(name) < 900 else None
            if not path:
                continue
            self.tried(f"import with {name[:40]}", lambda i=i, path=path: self.pool.ImportVolume(
                f"i{i}", self.open(path), {"source-format": "qcow2", "format": "raw"}, wait=True))  # fmt: skip
            volume = self.uploaded(path, f"v{i}")
            self.tried(f"clone with {name[:40]}", lambda i=i, volume=volume: self.pool.CloneVolume(
                f"c{i}", volume.path, format="raw", wait=True))  # fmt: skip
            self.tried(f"flatten with {name[:40]}", lambda volume=volume: volume.Flatten(wait=True))

    def test_external_data_file(self):
        """A qcow2 may keep its data in another file, whose name is in the header."""
        data = self.path("data-file")
        write_file(data, b"", size=16 * MIB)
        path = self.hostile_qcow2("-o", f"data_file={data},data_file_raw=on")
        os.unlink(data)
        os.symlink(self.secret, data)
        self.everything(self.uploaded(path))
        self.tried("import", lambda: self.pool.ImportVolume("i", self.open(path), {"source-format": "qcow2", "format": "raw"}, wait=True))

    def test_raw_disk_with_a_qcow2_header(self):
        """It was declared raw, so raw it stays, whatever the guest writes into it."""
        header = read_file(self.with_backing(self.secret))
        volume = self.make_volume(self.pool, "v", 16 * MIB, data=header)
        self.pool.Refresh(wait=True)
        self.assertEqual((volume["Format"], volume["DetectedFormat"]), ("raw", "qcow2"))
        self.assertEqual((volume["Capacity"], volume["BackingPath"], volume["BackingVolume"]), (16 * MIB, "", "/"))
        for format in ("raw", "qcow2"):
            with self.subTest(clone=format):
                self.pool.CloneVolume(f"c-{format}", volume.path, format=format, wait=True)
                clone = self.client.volume(self.pool["Name"], f"c-{format}")
                self.assertEqual(clone["Capacity"], 16 * MIB)
                self.assertEqual(self.guest_reads(clone, len(header)), header)
        with self.subTest("attachment"):
            self.assertEqual(json.loads(volume.GetAttachment("qemu-blockdev"))["driver"], "raw")
        with self.subTest("open"):
            fd, _, _, source = volume.Open({"read-only": "yes"})
            self.keep(fd)
            self.assertEqual((source["format"], source["capacity"]), ("raw", 16 * MIB))
        with self.subTest("import of the same bytes, stated raw"):
            self.pool.ImportVolume("i", self.open(volume["Path"]), {"source-format": "raw", "format": "raw"}, wait=True)
            self.assertEqual(read_file(self.client.volume(self.pool["Name"], "i")["Path"]), read_file(volume["Path"]))
        with self.subTest("convert"):
            volume.Convert("qcow2", wait=True)
            self.assertEqual(self.guest_reads(volume, len(header)), header)
            self.assertNotIn("backing-filename", image_info(volume["Path"], "qcow2"))

    def patched(self, offset, layout, *values, name="patched.qcow2"):
        data = bytearray(read_file(self.hostile_qcow2()))
        struct.pack_into(layout, data, offset, *values)
        return write_file(self.path(name), bytes(data))

    def test_enormous_virtual_size(self):
        for size in (1 << 63, (1 << 63) - 512, (1 << 64) - 512, 1 << 62):
            path = self.patched(24, ">Q", size, name=f"size-{size}")
            volume = self.uploaded(path, f"v{size}")
            for title, words in (("as large as the pool", {}), ("limited", {"capacity": GIB})):
                with self.subTest(size=size, limit=title):
                    self.assertRaisesError(
                        REFUSALS, self.pool.ImportVolume, "i", self.open(path), {"source-format": "qcow2", **words}, wait=True
                    )
            self.tried(f"clone {size}", lambda v=volume, s=size: self.pool.CloneVolume(f"c{s}", v.path, format="raw", wait=True))
            self.assertLess(volume["Capacity"], 1 << 63)

    def test_damaged_headers(self):
        for title, offset, layout, value in (
            ("cluster bits", 20, ">I", 63), ("no cluster bits", 23, ">B", 0), ("L1 size", 36, ">I", 0xFFFFFFFF),
            ("L1 offset", 40, ">Q", 1 << 62), ("refcount offset", 48, ">Q", 1), ("refcount clusters", 56, ">I", 0xFFFFFFFF),
            ("snapshots", 60, ">I", 0xFFFFFFFF), ("snapshot offset", 64, ">Q", 3), ("features", 72, ">Q", 1 << 60),
            ("header length", 100, ">I", 0x7FFFFFFF), ("backing offset", 8, ">Q", (1 << 64) - 1), ("crypt", 32, ">I", 9),
        ):  # fmt: skip
            if QUICK and offset > 40:
                continue
            path = self.patched(offset, layout, value, name=f"damaged-{offset}")
            volume = self.uploaded(path, f"v{offset}")
            self.tried(f"import: {title}", lambda p=path, o=offset: self.pool.ImportVolume(
                f"i{o}", self.open(p), {"source-format": "qcow2", "format": "raw"}, wait=True))  # fmt: skip
            self.tried(f"clone: {title}", lambda v=volume, o=offset: self.pool.CloneVolume(f"c{o}", v.path, format="raw", wait=True))
            self.tried(f"snapshot: {title}", lambda v=volume: v.CreateSnapshot("s", wait=True))

    def bomb(self, size):
        """A gzip of that many zeros, made in pieces."""
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        block = bytes(16 * MIB)
        return b"".join(packer.compress(block) for _ in range(size // len(block))) + packer.flush()

    def test_compressed_bomb(self):
        """64 MiB of gzip that are 64 GiB of zeros: stopped at the limit, and the disk not filled."""
        one = self.bomb(GIB // 2)
        data = one * (2 if QUICK else 128)  # members one behind the other are one stream
        limit = 128 * MIB if QUICK else GIB
        path = write_file(self.path("bomb"), data)
        free = os.statvfs(self.pool["TargetPath"])
        for title, words in (("limited", {"capacity": limit}), ("as a qcow2", {"capacity": limit, "source-format": "qcow2"})):
            with self.subTest(title):
                error = self.assertRaisesError(
                    REFUSALS, self.pool.ImportVolume, "v", self.open(path),
                    {"source-format": "raw", "compression": "gzip", **words}, wait=True,
                )  # fmt: skip
                self.assertTrue(error.message)
                self.assertEqual(os.listdir(self.pool["TargetPath"]), [])
        after = os.statvfs(self.pool["TargetPath"])
        self.assertLess((free.f_bfree - after.f_bfree) * free.f_frsize, 2 * GIB)

    def test_bomb_inside_an_image(self):
        """A qcow2 with compressed clusters, small and wide."""
        wide = write_file(self.path("wide"), b"", size=2 * GIB if QUICK else 8 * GIB)
        write_file(wide, b"x" * 65536, 1 << 20)
        run("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", wide, self.path("wide.qcow2"))
        self.assertRaisesError(
            REFUSALS, self.pool.ImportVolume, "v", self.open(self.path("wide.qcow2")),
            {"source-format": "qcow2", "format": "raw", "capacity": GIB}, wait=True,
        )  # fmt: skip
        self.assertEqual(os.listdir(self.pool["TargetPath"]), [])

    def test_vmdk_that_names_a_device(self):
        """A text that lists extents: of a device, of a secret file, of the tool's own descriptors."""
        for i, name in enumerate(("/dev/loop0", self.secret, "/proc/self/fd/0", "secret")):
            descriptor = (
                "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\n\n"
                f"# Extent description\nRW {len(SECRET) // 512} FLAT \"{name}\" 0\n\n# The Disk Data Base\n#DDB\n"
                "ddb.virtualHWVersion = \"4\"\nddb.geometry.cylinders = \"1\"\nddb.geometry.heads = \"16\"\nddb.geometry.sectors = \"63\"\n"
            )  # fmt: skip
            path = write_file(self.path(f"vmdk-{i}"), descriptor.encode())
            for how in ({"source-format": "vmdk"}, {"probe": True}):
                with self.subTest(name=name, how=str(how)):
                    error = self.assertRaisesError(
                        REFUSALS, self.pool.ImportVolume, "v", self.open(path), {**how, "format": "raw"}, wait=True
                    ) if "probe" not in how else None  # fmt: skip
                    if error is None:
                        self.tried("probed", lambda p=path, i=i: self.pool.ImportVolume(
                            f"p{i}", self.open(p), {"probe": True, "format": "raw"}, wait=True))  # fmt: skip
            volume = self.uploaded(path, f"v{i}", "vmdk")
            self.tried("clone", lambda v=volume, i=i: self.pool.CloneVolume(f"c{i}", v.path, format="raw", wait=True))

    def test_source_descriptor_of_a_secret(self):
        """A user without the right to read a file has no descriptor of it; root's is root's to give."""
        if os.getuid() != 0:
            self.skipTest("needs root")
        opened = subprocess.run(
            ["python3", "-c", f"open({self.secret!r})"], user=64003, group=64003, extra_groups=[], capture_output=True, check=False
        )
        self.assertNotEqual(opened.returncode, 0)

    def test_swapped_while_it_is_read(self):
        """The caller changes an image between the look at its header and the copy: what counts is on the service's side."""
        path = self.hostile_qcow2()
        with Feed(read_file(path)) as fd:
            self.tried("import by a pipe", lambda: self.pool.ImportVolume("i", fd, {"source-format": "qcow2", "format": "raw"}, wait=True))
        self.with_backing(self.secret)
        self.tried("import", lambda: self.pool.ImportVolume("j", self.open(path), {"source-format": "qcow2", "format": "raw"}, wait=True))

    def test_tools_are_confined(self):
        """While a tool runs on a caller's image it is nobody, sees little, makes no sockets (seccomp), and has limits."""
        if os.getuid() != 0:
            self.skipTest("needs root")
        source = self.make_volume(self.pool, "big", 256 * MIB, data=pattern(MIB) * 256)
        call = self.pool.CloneVolume.begin("copy", source.path, format="qcow2", wait=True)
        found = {}

        def look():
            for pid in self.daemon.workers():
                try:
                    with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                        if file.read().strip() != "qemu-img":
                            continue
                    with open(f"/proc/{pid}/status", encoding="ascii") as file:
                        status = dict(line.split(":", 1) for line in file)
                    found.update(
                        mounts=os.readlink(f"/proc/{pid}/ns/mnt"), user=status["Uid"].split()[1], seccomp=status["Seccomp"].strip(),
                        new=status["NoNewPrivs"].strip(), caps=status["CapEff"].strip(), limits=read_file(f"/proc/{pid}/limits").decode(),
                    )  # fmt: skip
                except (FileNotFoundError, ProcessLookupError, PermissionError):
                    continue
            return found or call.done

        wait_until(look, 20)
        call.result(60)
        if not found:
            self.skipTest("the tool was too quick to be looked at")
        self.assertNotEqual(found["mounts"], os.readlink("/proc/self/ns/mnt"))
        self.assertNotEqual(found["user"], "0")
        self.assertEqual((found["seccomp"], found["new"]), ("2", "1"))
        limits = {line[:26].strip(): line[26:].split()[0] for line in found["limits"].splitlines()[1:]}
        for limit in ("Max address space", "Max cpu time", "Max file size"):
            self.assertNotEqual(limits[limit], "unlimited", limit)
