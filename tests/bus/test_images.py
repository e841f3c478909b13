# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images in and out of the service: imported from what other programs made, exported to be read by them, cloned between formats
and pools. qemu-img judges."""

import itertools
import lzma
import os
import zlib

from bed import QUICK
from client import MIB
from data import DataCase, Drain, Feed, allocated, compare, image_info, pattern, qemu_io, read_file, run, sha256, write_file

MADE_BY_OTHERS = {
    "raw": (), "qcow2": (), "vmdk": (), "vdi": (), "vhdx": (), "vpc": ("-o", "force_size=on"), "qcow": (), "qed": (),
}  # fmt: skip
STREAMED_VMDK = ("-o", "subformat=streamOptimized")


def gzip(data):
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def packed(data, compression):
    if compression == "zstd":
        return run("zstd", "-q", "-c", input=data)
    return {"none": bytes, "gzip": gzip, "xz": lambda d: lzma.compress(d, preset=0)}[compression](data)


def unpacked(data, compression):
    if compression == "zstd":
        return run("zstd", "-d", "-q", "-c", input=data)
    return {"none": bytes, "gzip": lambda d: zlib.decompress(d, 31), "xz": lzma.decompress}[compression](data)


class ImageCase(DataCase):
    def setUp(self):
        super().setUp()
        self.content = pattern(MIB, 5) + bytes(2 * MIB) + pattern(65536, 6)
        self.size = 16 * MIB
        self.raw = write_file(self.path("content.raw"), self.content, MIB, self.size)

    def made(self, format, *words):
        """An image with the content, made by qemu-img."""
        path = self.path(f"made{len(words)}.{format}")
        run("qemu-img", "convert", "-f", "raw", "-O", format, *words, self.raw, path)
        return path

    def assertContent(self, volume):
        compare(volume["Path"], volume["Format"], self.raw, "raw")


class Import(ImageCase):
    def imported(self, pool, name, path, **more):
        job = pool.ImportVolume(name, self.open(path), {key.replace("source_", "source-"): value for key, value in more.items()}, wait=True)
        return self.client.volume(pool["Name"], name), self.result(job)

    def test_every_format(self):
        pool = self.make_pool()
        for format, words in [*MADE_BY_OTHERS.items(), ("vmdk", STREAMED_VMDK)]:
            path = self.made(format, *words)
            for title, how in (("stated", {"source-format": format}), ("probed", {"probe": True})):
                with self.subTest(format=format, subformat=bool(words), how=title):
                    name = f"{format}-{len(words)}-{title}"
                    result = self.result(pool.ImportVolume(name, self.open(path), how, checksum=True, wait=True))
                    volume = self.client.volume(pool["Name"], name)
                    self.assertContent(volume)
                    self.assertGreaterEqual(volume["Capacity"], self.size)
                    self.assertEqual(image_info(volume["Path"])["format"], volume["Format"])
                    data = read_file(path)
                    self.assertEqual((result["bytes"], result["sha256"]), (len(data), sha256(data)))
                    self.assertNotIn("backing-filename", image_info(volume["Path"]))

    def test_the_format_of_the_new_volume(self):
        pool = self.make_pool()
        path = self.made("vdi")
        for format in ("raw", "qcow2"):
            with self.subTest(format=format):
                volume, _ = self.imported(pool, f"v-{format}", path, source_format="vdi", format=format)
                self.assertEqual(volume["Format"], format)
                self.assertContent(volume)
        with self.subTest("options of the volume"):
            volume, _ = self.imported(pool, "small", path, source_format="vdi", format="qcow2", cluster_size=4096)
            self.assertEqual(image_info(volume["Path"])["cluster-size"], 4096)

    def test_neither_stated_nor_probed(self):
        pool = self.make_pool()
        error = self.assertRaisesError("InvalidArgs", pool.ImportVolume, "v", self.open(self.made("qcow2")), wait=True)
        self.assertIn("probe", error.message)
        self.assertIn("source-format", error.message)

    def test_stated_wrongly(self):
        pool = self.make_pool()
        fd = self.open(self.made("vdi"))
        self.assertRaisesError(
            ("Failed", "Corrupt", "InvalidArgs"), pool.ImportVolume, "v", fd, {"source-format": "qcow2"}, wait=True
        )
        with self.subTest("a qcow2 as raw: its bytes are the disk's"):
            path = self.made("qcow2")
            volume, _ = self.imported(pool, "w", path, source_format="raw", format="raw")
            self.assertEqual(read_file(volume["Path"])[: os.path.getsize(path)], read_file(path))
            self.assertEqual(volume["Format"], "raw")
        self.assertEqual(os.listdir(pool["TargetPath"]), ["w"])

    def test_compressed(self):
        pool = self.make_pool()
        for format, compression in itertools.product(("raw", "qcow2"), ("gzip", "xz", "zstd")):
            data = packed(read_file(self.made(format)), compression)
            path = write_file(self.path(f"packed.{format}.{compression}"), data)
            for pipe in (False, True):
                with self.subTest(format=format, compression=compression, pipe=pipe):
                    feed = Feed(data) if pipe else None
                    name = f"{format}-{compression}-{pipe}"
                    words = {"source-format": format, "compression": compression, "sha256": sha256(data), "checksum": True}
                    result = self.result(pool.ImportVolume(name, feed.fd if pipe else self.open(path), words, wait=True))
                    self.assertEqual(result["sha256"], sha256(data))
                    self.assertContent(self.client.volume(pool["Name"], name))
                    if feed:
                        feed.__exit__()

    def test_holes(self):
        pool = self.make_pool()
        volume, _ = self.imported(pool, "raw", self.raw, source_format="raw", format="raw")
        self.assertLess(allocated(volume["Path"]), 4 * MIB)
        with Feed(read_file(self.raw)) as fd:
            self.result(pool.ImportVolume("pipe", fd, {"source-format": "raw", "format": "raw"}, wait=True))
        self.assertLess(allocated(self.client.volume(pool["Name"], "pipe")["Path"]), 4 * MIB)

    def test_what_does_not_come_in(self):
        pool = self.make_pool()
        data = gzip(read_file(self.raw))
        for title, sent, words in (
            ("another checksum", data, {"compression": "gzip", "sha256": sha256(b"x")}),
            ("the half of it", data[: len(data) // 2], {"compression": "gzip"}),
            ("not packed at all", read_file(self.raw), {"compression": "gzip"}),
            ("not packed this way", data, {"compression": "xz"}),
            ("garbage", pattern(65536), {"compression": "zstd"}),
            ("more than allowed", data, {"compression": "gzip", "capacity": 8 * MIB}),
            ("nothing", b"", {"compression": "gzip"}),
        ):
            with self.subTest(title), Feed(sent) as fd:
                error = self.assertRaisesError(
                    ("Failed", "Corrupt", "InvalidArgs", "NoSpace", "LimitsExceeded"),
                    pool.ImportVolume, "v", fd, {"source-format": "raw", **words}, wait=True,
                )  # fmt: skip
                self.assertTrue(error.message)
            self.assertEqual(os.listdir(pool["TargetPath"]), [])
        self.assertRaisesError(
            "InvalidArgs", pool.ImportVolume, "v", self.open(self.raw), {"source-format": "raw", "compression": "rar"}, wait=True
        )
        self.make_volume(pool, "v")
        self.assertRaisesError(
            "VolumeExists", pool.ImportVolume, "v", self.open(self.raw), {"source-format": "raw"}, wait=True
        )
        self.assertClean(pool["TargetPath"])


class Export(ImageCase):
    def test_formats_and_compressions(self):
        pool = self.make_pool()
        for source in ("raw", "qcow2"):
            volume = self.make_volume(pool, f"from-{source}", self.size, data=self.content, offset=MIB, format=source)
            for format in (None, "raw", "qcow2", "vmdk", "vdi"):
                for compression in ("none",) if format in ("vmdk", "vdi") else ("none", "gzip", "zstd"):
                    with self.subTest(source=source, format=format, compression=compression):
                        words = {"compression": compression, "checksum": True, **({"format": format} if format else {})}
                        with Drain() as drain:
                            result = self.result(volume.Export(drain.fd, words, wait=True))
                            data = drain.data
                        self.assertEqual((result["bytes"], result["sha256"]), (len(data), sha256(data)))
                        path = write_file(self.path(f"out-{source}-{format}-{compression}"), unpacked(data, compression))
                        compare(path, format or source, self.raw, "raw")

    def test_into_a_file(self):
        volume = self.make_volume(self.make_pool(), "v", self.size, data=self.content, offset=MIB)
        fd = self.open(self.path("out"), os.O_RDWR | os.O_CREAT)
        self.result(volume.Export(fd, format="qcow2", wait=True))
        compare(self.path("out"), "qcow2", self.raw, "raw")

    def test_an_overlay_is_exported_whole(self):
        pool = self.make_pool()
        base = self.make_volume(pool, "base", self.size, data=self.content, offset=MIB, format="qcow2")
        self.make_volume(pool, "top", self.size, **{"format": "qcow2", "backing.path": "base"})
        top = self.client.volume(pool["Name"], "top")
        fd = self.open(self.path("out"), os.O_RDWR | os.O_CREAT)
        self.result(top.Export(fd, format="qcow2", wait=True))
        self.assertNotIn("backing-filename", image_info(self.path("out")))
        compare(self.path("out"), "qcow2", self.raw, "raw")
        self.assertTrue(base["Dependents"])

    def test_the_reader_closes(self):
        volume = self.make_volume(self.make_pool(), "v", self.size, data=pattern(self.size))
        mine, its = os.pipe()
        call = volume.Export.begin(its, compression="zstd", wait=True)
        os.close(its)
        os.read(mine, 100)
        os.close(mine)
        self.assertRaisesError(("Failed", "Cancelled"), call.result, 30)

    def test_formats_it_does_not_make(self):
        volume = self.make_volume(self.make_pool(), "v", self.size)
        fd = self.open(self.path("out"), os.O_RDWR | os.O_CREAT)
        for words in ({"format": "dmg"}, {"format": "no-such"}, {"compression": "xz"}, {"compression": "lzop"}):
            with self.subTest(words=str(words)):
                self.assertRaisesError(("InvalidArgs", "NotSupported"), volume.Export, fd, words, wait=True)


class Clone(ImageCase):
    def test_every_combination_with_a_larger_capacity(self):
        """The reference silently drops the asked capacity wherever qcow2 is on one side."""
        pool, other = self.make_pool("one"), self.make_pool("two")
        for source, target, place in itertools.product(("raw", "qcow2"), ("raw", "qcow2"), (pool, other)):
            name = f"{source}-{target}"
            if place is pool:
                self.make_volume(pool, "of-" + name, self.size, data=self.content, offset=MIB, format=source)
            for capacity in (None, 3 * self.size):
                with self.subTest(source=source, target=target, pool=place["Name"], capacity=capacity):
                    words = {"format": target, **({"capacity": capacity} if capacity else {})}
                    job = place.CloneVolume(f"{name}-{capacity}", self.client.volume("one", "of-" + name).path, words, wait=True)
                    self.assertTrue(self.result(job)["method"])
                    clone = self.client.volume(place["Name"], f"{name}-{capacity}")
                    self.assertEqual(clone["Capacity"], capacity or self.size)
                    info = image_info(clone["Path"], target)
                    self.assertEqual(info["virtual-size"], capacity or self.size)
                    self.assertContent(clone)
                    self.assertLess(allocated(clone["Path"]), 8 * MIB)

    def test_smaller_is_refused(self):
        pool = self.make_pool()
        for format in ("raw", "qcow2"):
            with self.subTest(format=format):
                source = self.make_volume(pool, f"s-{format}", self.size, format=format)
                self.assertRaisesError(("InvalidArgs", "WouldOverwrite"), pool.CloneVolume, "c", source.path, capacity=MIB, wait=True)

    def test_other_formats(self):
        pool = self.make_pool()
        for format in ("vdi", "vmdk") if QUICK else ("vdi", "vmdk", "vhdx", "vpc", "qed"):
            with self.subTest(format=format):
                source = self.make_volume(pool, f"raw-{format}", self.size, data=self.content, offset=MIB)
                pool.CloneVolume(f"to-{format}", source.path, format=format, wait=True)
                there = self.client.volume(pool["Name"], f"to-{format}")
                self.assertContent(there)
                pool.CloneVolume(f"back-{format}", there.path, format="raw", wait=True)
                self.assertContent(self.client.volume(pool["Name"], f"back-{format}"))

    def test_of_an_overlay_in_another_pool(self):
        """The source's chain is lent; what arrives stands on nothing."""
        pool, other = self.make_pool("one"), self.make_pool("two")
        self.make_volume(pool, "base", self.size, data=self.content, offset=MIB)
        top = self.make_volume(pool, "top", self.size, **{"format": "qcow2", "backing.path": "base"})
        for format in ("raw", "qcow2"):
            with self.subTest(format=format):
                other.CloneVolume(f"c-{format}", top.path, format=format, wait=True)
                clone = self.client.volume("two", f"c-{format}")
                self.assertContent(clone)
                self.assertEqual((clone["BackingVolume"], clone["BackingPath"]), ("/", ""))

    def test_bandwidth_and_cancel(self):
        pool, other = self.make_pool("one"), self.make_pool("two")
        source = self.make_volume(pool, "s", 32 * MIB, data=pattern(32 * MIB))
        for format in ("raw", "qcow2"):
            with self.subTest(format=format):
                job = self.client.job(other.CloneVolume("c", source.path, format=format, bandwidth=2 * MIB))
                self.assertNotIn(job["State"], ("done", "failed"))
                job.Cancel()
                self.finish(job.path, 20)
                self.assertEqual(job["State"], "cancelled")
                self.assertEqual(os.listdir(other["TargetPath"]), [])
        self.assertClean(other["TargetPath"])

    def test_source_that_is_gone(self):
        pool, other = self.make_pool("one"), self.make_pool("two")
        source = self.make_volume(pool, "s", MIB)
        pool.Stop(wait=True)
        self.assertRaisesError(
            ("PoolInactive", "NoSuchVolume", "UnknownObject"), other.CloneVolume, "c", source.path, wait=True
        )
        self.assertRaisesError(
            ("NoSuchVolume", "UnknownObject", "InvalidArgs"), other.CloneVolume, "c", other.path, wait=True
        )

    def test_guest_data_survives(self):
        pool = self.make_pool()
        source = self.make_volume(pool, "s", self.size, format="qcow2")
        qemu_io(source["Path"], "write -P 0x11 0 64k", "write -P 0x22 8M 64k", format="qcow2")
        pool.CloneVolume("c", source.path, wait=True)
        qemu_io(self.client.volume(pool["Name"], "c")["Path"], "read -P 0x11 0 64k", "read -P 0x22 8M 64k", format="qcow2")
