# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes on a real directory: made, looked at, resized, cloned, deleted; judged by qemu-img and stat."""

import json
import os
import signal
import stat
import subprocess

from bed import QUICK, Case
from client import GIB, MIB, BusError, options, u32, volume_path

CREATED_BY_QEMU_IMG = ("qcow2", "qcow", "qed", "vmdk", "vdi", "vpc", "vhdx")


def image_info(path, format=None):
    command = ["qemu-img", "info", "-U", "--output=json"] + (["-f", format] if format else []) + [path]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


class Volumes(Case):
    def create(self, pool, name, capacity, *words, **more):
        pool.CreateVolume(name, capacity, *words, wait=True, **more)
        return self.client.volume(pool["Name"], name)

    def test_raw(self):
        pool = self.make_pool()
        volume = self.create(pool, "disk.raw", 10 * MIB + 1)
        status = os.stat(volume["Path"])
        self.assertEqual((status.st_size, status.st_blocks), (10 * MIB + 1, 0))
        self.assertEqual(stat.S_IMODE(status.st_mode), 0o600)
        properties = volume.all()
        self.assertEqual(properties["Capacity"], 10 * MIB + 1)
        self.assertEqual(properties["Format"], "raw")
        self.assertEqual(properties["Type"], "file")
        self.assertEqual(properties["Creator"], os.getuid())
        self.assertEqual(properties["Pool"], pool.path)
        self.assertEqual(properties["BackingVolume"], "/")

    def test_raw_allocated(self):
        pool = self.make_pool()
        full = self.create(pool, "full", 8 * MIB, allocation=8 * MIB)
        part = self.create(pool, "part", 8 * MIB, allocation=3 * MIB)
        self.assertGreaterEqual(os.stat(full["Path"]).st_blocks * 512, 8 * MIB)
        self.assertEqual(os.stat(full["Path"]).st_size, 8 * MIB)
        self.assertAlmostEqual(os.stat(part["Path"]).st_blocks * 512, 3 * MIB, delta=65536)
        self.assertEqual(os.stat(part["Path"]).st_size, 8 * MIB)

    def test_every_format(self):
        pool = self.make_pool()
        for format in CREATED_BY_QEMU_IMG:
            with self.subTest(format=format):
                volume = self.create(pool, "v." + format, 64 * MIB, format=format)
                self.assertEqual(volume["Format"], format)
                self.assertIn(volume["DetectedFormat"], (format, ""))
                info = image_info(volume["Path"])
                self.assertEqual(info["format"], format)
                self.assertEqual(volume["Capacity"], info["virtual-size"])
                self.assertAlmostEqual(info["virtual-size"], 64 * MIB, delta=MIB)
        with self.subTest(format="dir"):
            volume = self.create(pool, "folder", 0, format="dir")
            self.assertEqual(volume["Type"], "dir")
            self.assertTrue(os.path.isdir(volume["Path"]))
        with self.subTest(format="iso"):
            volume = self.create(pool, "disc.iso", MIB, format="iso")
            self.assertEqual((volume["Format"], os.stat(volume["Path"]).st_size), ("iso", MIB))

    def test_qcow2_options(self):
        pool = self.make_pool()
        for title, words, expected in (
            ("compat 0.10", {"compat": "0.10"}, {"compat": "0.10"}),
            ("lazy", {"lazy_refcounts": True}, {"compat": "1.1", "lazy-refcounts": True}),
            ("extended", {"extended_l2": True, "cluster_size": 131072}, {"extended-l2": True}),
        ):
            with self.subTest(title):
                volume = self.create(pool, title, 64 * MIB, {**words, "format": "qcow2"})
                info = image_info(volume["Path"])
                data = info["format-specific"]["data"]
                self.assertEqual({key: data[key] for key in expected}, expected)
                self.assertEqual(info["cluster-size"], words.get("cluster_size", 65536))
        with self.subTest("preallocation"):
            volume = self.create(pool, "pre", 8 * MIB, format="qcow2", preallocation="falloc")
            self.assertGreaterEqual(os.stat(volume["Path"]).st_blocks * 512, 8 * MIB)

    def test_backing(self):
        pool = self.make_pool()
        base = self.create(pool, "base", 32 * MIB, format="qcow2")
        overlay = self.create(pool, "overlay", 64 * MIB, {"format": "qcow2", "backing.path": base["Path"]})
        info = image_info(overlay["Path"])
        self.assertEqual(info["backing-filename-format"], "qcow2")
        self.assertEqual(info["virtual-size"], 64 * MIB)
        self.assertEqual(overlay["BackingVolume"], base.path)
        self.assertEqual(overlay["BackingFormat"], "qcow2")
        error = self.assertRaisesError("InUse", base.Delete, wait=True)
        self.assertIn("overlay", error.message)
        base.Delete(dependents=True, wait=True)
        self.assertEqual(os.listdir(pool["TargetPath"]), [])

    def test_encrypted(self):
        pool = self.make_pool()
        for format in ("luks",) if QUICK else ("qcow2", "luks"):
            with self.subTest(format=format):
                read, write = os.pipe()
                os.write(write, b"secret words")
                os.close(write)
                path = self.create_with_fd(pool, "crypt-" + format, format, read)
                key = os.path.join(self.scratch, "key")
                with open(key, "w", encoding="ascii") as file:
                    file.write("secret words")
                prefix = "encrypt.key-secret" if format == "qcow2" else "key-secret"
                subprocess.run(
                    ["qemu-io", "--object", f"secret,id=s,file={key}", "-r", "--image-opts",
                     f"driver={format},{prefix}=s,file.filename={path}", "-c", "read 0 512"],
                    check=True, capture_output=True,
                )  # fmt: skip
                self.assertTrue(self.client.volume(pool["Name"], "crypt-" + format)["Encrypted"])
                self.assertNotIn("secret words", pool.GetXML() + self.daemon.tail(10000))

    def create_with_fd(self, pool, name, format, descriptor):
        from client import NAME, Gio, GLib

        fds = Gio.UnixFDList.new()
        words = options({"format": format, "passphrase": GLib.Variant("h", fds.append(descriptor)), "wait": True})
        if format != "luks":
            words["encryption.format"] = GLib.Variant("s", "luks")
        os.close(descriptor)
        try:
            self.client.connection.call_with_unix_fd_list_sync(
                NAME, pool.path, f"{NAME}.Pool", "CreateVolume", GLib.Variant("(sta{sv})", (name, 16 * MIB, words)),
                None, 0, 60000, fds, None,
            )  # fmt: skip
        except GLib.Error as error:
            raise BusError.of(error) from None
        return os.path.join(pool["TargetPath"], name)

    def test_resize(self):
        pool = self.make_pool()
        for format in ("raw", "qcow2", "qed"):
            with self.subTest(format=format):
                volume = self.create(pool, "r-" + format, 16 * MIB, format=format)
                volume.Resize(32 * MIB, wait=True)
                self.assertEqual(volume["Capacity"], 32 * MIB)
                self.assertEqual(image_info(volume["Path"], format)["virtual-size"], 32 * MIB)
        for format in ("raw", "qcow2"):
            with self.subTest(shrink=format):
                volume = self.client.volume(pool["Name"], "r-" + format)
                self.assertRaisesError(("InvalidArgs", "WouldOverwrite"), volume.Resize, 8 * MIB, wait=True)
                volume.Resize(8 * MIB, shrink=True, wait=True)
                self.assertEqual(image_info(volume["Path"], format)["virtual-size"], 8 * MIB)
        with self.subTest("a format that cannot"):
            volume = self.create(pool, "r-vdi", 16 * MIB, format="vdi")
            self.assertRaisesError("NotSupported", volume.Resize, 32 * MIB, wait=True)
        with self.subTest("allocate"):
            volume = self.client.volume(pool["Name"], "r-raw")
            volume.Resize(16 * MIB, allocate=True, wait=True)
            self.assertGreaterEqual(os.stat(volume["Path"]).st_blocks * 512, 8 * MIB)

    def test_clone(self):
        pool = self.make_pool()
        pattern = os.urandom(65536)
        for format in ("raw", "qcow2"):
            with self.subTest(format=format):
                source = self.create(pool, "from-" + format, 16 * MIB, format=format)
                if format == "raw":
                    with open(source["Path"], "r+b") as file:
                        file.seek(5 * MIB)
                        file.write(pattern)
                else:
                    subprocess.run(
                        ["qemu-io", "-f", "qcow2", "-c", "write -P 0x5a 5M 64k", source["Path"]], check=True, capture_output=True
                    )
                pool.CloneVolume("to-" + format, source.path, wait=True)
                clone = self.client.volume(pool["Name"], "to-" + format)
                subprocess.run(
                    ["qemu-img", "compare", "-f", format, "-F", format, source["Path"], clone["Path"]], check=True, capture_output=True
                )
                self.assertEqual(clone["Format"], format)
                self.assertLess(os.stat(clone["Path"]).st_blocks * 512, 4 * MIB, "the clone is not sparse any more")
        with self.subTest("larger, in another format"):
            source = self.client.volume(pool["Name"], "from-raw")
            pool.CloneVolume("other", source.path, capacity=32 * MIB, format="qcow2", wait=True)
            self.assertEqual(image_info(os.path.join(pool["TargetPath"], "other"))["virtual-size"], 32 * MIB)

    def test_job_result_names_the_volume(self):
        pool = self.make_pool()
        job = pool.CreateVolume("v", MIB)
        self.assertEqual(self.finish(job), "done")
        self.assertEqual(self.client.job(job)["Result"]["volume"], volume_path(pool["Name"], "v"))

    def test_names_taken(self):
        pool = self.make_pool()
        self.create(pool, "v", MIB)
        self.assertRaisesError("VolumeExists", pool.CreateVolume, "v", MIB, wait=True)
        # A file that the service has not heard of yet is not overwritten either.
        sudden = os.path.join(pool["TargetPath"], "sudden")
        self.daemon.process.send_signal(signal.SIGSTOP)
        try:
            with open(sudden, "w", encoding="ascii") as file:
                file.write("mine")
            call = pool.CreateVolume.begin("sudden", MIB, wait=True)
        finally:
            self.daemon.process.send_signal(signal.SIGCONT)
        with self.assertRaises(BusError) as caught:
            call.result()
        self.assertEqual(caught.exception.name, "VolumeExists")
        with open(sudden, encoding="ascii") as file:
            self.assertEqual(file.read(), "mine")

    def test_pool_defaults(self):
        pool = self.make_pool(**{"volume.mode": "0640", "volume.format": "qcow2"})
        volume = self.create(pool, "v", MIB)
        self.assertEqual(stat.S_IMODE(os.stat(volume["Path"]).st_mode), 0o640)
        self.assertEqual(volume["Format"], "qcow2")
        self.assertEqual(pool["DefaultFormat"], "qcow2")

    def test_reserved_space(self):
        pool = self.make_pool(reserved="100%")
        self.assertEqual(pool["Available"], 0)
        self.assertRaisesError("NoSpace", pool.CreateVolume, "thin", MIB, wait=True)
        self.assertRaisesError("NoSpace", pool.CreateVolume, "thick", MIB, allocation=MIB, wait=True)
        with open(os.path.join(pool["TargetPath"], "outside"), "wb") as file:
            file.truncate(MIB)
        volume = self.client.volume(pool["Name"], "outside")
        pool.Refresh(wait=True)
        self.assertRaisesError("NoSpace", volume.Resize, 2 * MIB, allocate=True, wait=True)

    def test_xml(self):
        pool = self.make_pool()
        text = (
            "<volume type='file'>\n  <name>x.qcow2</name>\n  <key>ignored</key>\n  <source/>\n"
            "  <capacity unit='MiB'>64</capacity>\n  <allocation unit='KiB'>0</allocation>\n"
            "  <target>\n    <format type='qcow2'/>\n    <compat>1.1</compat>\n    <features><lazy_refcounts/></features>\n"
            "    <permissions>\n      <mode>0640</mode>\n    </permissions>\n  </target>\n</volume>"
        )
        pool.CreateVolumeXML(text, wait=True)
        volume = self.client.volume(pool["Name"], "x.qcow2")
        self.assertEqual(volume["Capacity"], 64 * MIB)
        self.assertTrue(image_info(volume["Path"])["format-specific"]["data"]["lazy-refcounts"])
        described = volume.GetXML()
        self.assertIn("<format type='qcow2'/>", described.replace('"', "'"))
        self.assertIn("lazy_refcounts", described)
        # What we tell can be told back to us.
        volume.Delete(wait=True)
        pool.CreateVolumeXML(described, wait=True)
        self.assertEqual(image_info(volume["Path"])["virtual-size"], 64 * MIB)

    def test_details(self):
        pool = self.make_pool()
        volume = self.create(pool, "v", MIB, format="qcow2")
        info = volume.GetInfo()
        self.assertEqual(info.get("compat"), "1.1")
        self.assertEqual(volume.CheckAccess(os.getuid())[0], True)

    def test_listing(self):
        pool = self.make_pool()
        for i, name in enumerate(("b", "a", "c.iso", "d")):
            self.create(pool, name, (i + 1) * MIB, format="iso" if name.endswith("iso") else "raw")
        names = lambda **words: [row[0] for row in pool.ListVolumes(words)[0]]  # noqa: E731
        self.assertEqual(names(), ["a", "b", "c.iso", "d"])
        self.assertEqual(names(reverse=True), ["d", "c.iso", "b", "a"])
        self.assertEqual(names(sort="capacity"), ["b", "a", "c.iso", "d"])
        self.assertEqual(names(format="iso"), ["c.iso"])
        self.assertEqual(names(pattern="[ab]"), ["a", "b"])
        self.assertEqual(names(after="b"), ["c.iso", "d"])
        page, following, _ = pool.ListVolumes({"limit": u32(3)})
        self.assertEqual(([row[0] for row in page], following), (["a", "b", "c.iso"], "c.iso"))
        self.assertEqual(pool.ListVolumes({"limit": u32(3), "after": following})[1], "")

    def test_hard_links_are_left_alone(self):
        pool = self.make_pool()
        volume = self.create(pool, "v", MIB)
        os.link(volume["Path"], os.path.join(self.scratch, "second-name"))
        self.assertRaisesError(("InUse", "NotSupported", "Busy", "Failed", "AccessDenied"), volume.Resize, 2 * MIB, wait=True)
        self.assertEqual(os.stat(volume["Path"]).st_size, MIB)

    def test_big_numbers(self):
        pool = self.make_pool()
        volume = self.create(pool, "huge", 4 * 1024 * GIB)
        self.assertEqual(volume["Capacity"], 4 * 1024 * GIB)
