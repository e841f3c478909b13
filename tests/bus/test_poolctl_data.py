# SPDX-License-Identifier: LGPL-2.1-or-later
"""poolctl's verbs that move and change data, against the real service: the bytes, the output, the exit status."""

import json
import os
import select
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree

from bed import Case
from client import MIB, wait_until
from data import compare, image_info, pattern, qemu_io, read_file, run, sha256, write_file
from test_poolctl import ABSENT, DONE, FAILED, PLAIN, POOLCTL, USAGE, Command


class DataVerbs(Command, Case):
    def setUp(self):
        self.name = self.id().rsplit(".", 1)[-1].removeprefix("test_").replace("_", "-")
        self.folder = self.pool(self.name)
        self.files = self.directory(self.name + "-files")
        os.makedirs(self.files)

    def pool(self, name):
        directory = self.directory(name)
        self.addCleanup(self.remove_pool, name)
        self.poolctl("define", name, "dir", f"target.path={directory}", "--build", "--start")
        return directory

    def path(self, name):
        return os.path.join(self.files, name)

    def file(self, name, size=MIB, seed=0):
        return write_file(self.path(name), pattern(size, seed))

    def volume(self, name, size="4M", *more):
        word = f"{self.name}/{name}"
        self.poolctl("create", word, size, *more)
        return word

    def image(self, name, format="qcow2", size=4 * MIB, seed=0):
        """An image file with a pattern at its begin; and the raw data that it stands for."""
        raw = write_file(self.path(name + ".data"), pattern(MIB, seed), size=size)
        run("qemu-img", "convert", "-f", "raw", "-O", format, raw, self.path(name))
        return self.path(name), raw

    def bytes(self, *words, status=DONE, data=b"", **more):
        """poolctl with bytes at both ends."""
        done = subprocess.run(self.command(*words), input=data, capture_output=True, timeout=120, check=False, **{"env": PLAIN, **more})
        self.said = done.stderr.decode()
        self.assertEqual(done.returncode, status, self.said)
        return done.stdout


class Transfer(DataVerbs):
    def test_upload_and_download(self):
        source, there, back = self.file("in"), self.volume("v"), self.path("out")
        self.assertEqual(self.poolctl("upload", there, source), "")
        self.assertEqual(read_file(f"{self.folder}/v"), read_file(source) + bytes(3 * MIB))
        self.poolctl("download", there, back, "--length=1M")
        self.assertEqual(read_file(back), read_file(source))
        self.assertEqual(sorted(os.listdir(self.files)), ["in", "out"])

    def test_streams(self):
        data, there = pattern(2 * MIB + 3), self.volume("v")
        self.assertEqual(self.bytes("upload", there, "-", "--offset=1M", data=data), b"")
        self.assertEqual(self.bytes("download", there, "-", "--offset=1M", f"--length={len(data)}"), data)
        self.assertEqual(self.bytes("download", there, "-", "--checksum", "--length=1M"), bytes(MIB))
        self.assertEqual(self.said, f"{sha256(bytes(MIB))}  -\n")

    def test_checksums(self):
        source, there, out = self.file("in"), self.volume("v", "1M"), self.path("out")
        digest = sha256(read_file(source))
        self.assertEqual(self.poolctl("upload", there, source, "--checksum"), f"{digest}  {source}\n")
        self.assertEqual(self.json("upload", there, source, "--checksum")["sha256"], digest)
        self.poolctl("upload", there, source, f"--sha256={digest}")
        line = self.poolctl("download", there, out, "--checksum")
        self.assertEqual(run("sha256sum", "-c", input=line.encode()).decode(), f"{out}: OK\n")
        self.poolctl("upload", there, self.file("other", seed=1), "--atomic", f"--sha256={digest}", status=FAILED)
        self.assertEqual(read_file(f"{self.folder}/v"), read_file(source))
        self.assertEqual(self.json("info", there)["Corrupt"], False)

    def test_beyond_the_end(self):
        source, there = self.file("in", 2 * MIB), self.volume("v", "1M")
        self.poolctl("upload", there, source, status=FAILED)
        self.poolctl("upload", there, source, "--grow")
        self.assertEqual(self.json("info", there)["Capacity"], 2 * MIB)
        self.poolctl("upload", there, source, "--length=3M", "--grow", status=FAILED)

    def test_holes(self):
        source = write_file(self.path("in"), bytes(4 * MIB))
        there, out = self.volume("v"), self.path("out")
        self.poolctl("upload", there, source, "--sparse")
        self.assertLess(os.stat(f"{self.folder}/v").st_blocks * 512, MIB)
        self.poolctl("download", there, out)
        self.assertEqual((os.stat(out).st_size, os.stat(out).st_blocks), (4 * MIB, 0))

    def test_nothing_half_made(self):
        there, out = self.volume("v"), self.path("out")
        self.poolctl("download", there, out, "--offset=8M", status=FAILED)
        self.assertEqual(os.listdir(self.files), [])
        write_file(out, b"old")
        self.poolctl("download", there, out, "--offset=8M", status=FAILED)
        self.assertEqual(read_file(out), b"old")
        self.poolctl("download", there, out)
        self.assertEqual(read_file(out), bytes(4 * MIB))
        self.assertEqual(os.listdir(self.files), ["out"])

    def test_refusals(self):
        there = self.volume("v")
        self.poolctl("upload", there, self.path("nothing"), status=FAILED)
        self.poolctl("upload", there, self.files, status=FAILED)
        self.poolctl("upload", there, "/dev/zero", status=FAILED)
        self.poolctl("download", there, "/nonexistent/out", status=FAILED)
        self.poolctl("download", f"{self.name}/nothing", self.path("out"), status=ABSENT)
        self.assertEqual(os.listdir(self.files), [])
        status, output = self.terminal("download", there, "-")
        self.assertEqual(status, FAILED)
        self.assertIn("standard output is a terminal", output)

    def test_without_waiting(self):
        source, there, out = self.file("in"), self.volume("v", "1M"), self.path("out")
        self.poolctl("upload", there, source)
        path = self.poolctl("download", there, out, "--no-wait").strip()
        self.assertRegex(path, r"^/org/example/Storage/job/\d+$")
        self.assertTrue(wait_until(lambda: not self.json("jobs"), 20))
        self.assertEqual(read_file(out), read_file(source))

    def test_interrupt(self):
        """Ctrl-C ends the job, on a terminal and off it."""
        source, there = self.file("in", 4 * MIB), self.volume("v")
        self.interrupt("upload", there, source, "--atomic")
        self.assertEqual(read_file(f"{self.folder}/v"), bytes(4 * MIB))
        self.poolctl("upload", there, source)
        self.interrupt("download", there, self.path("out"))
        self.assertEqual(os.listdir(self.files), ["in"])

    def interrupt(self, *words):
        slowly = (*words, "--bandwidth=100K")
        status, output = self.terminal(*slowly, interrupt=f"volume-{words[0]} {words[1]}")
        self.assertEqual(status, FAILED, output)
        self.assertIn("cancelled", output)
        with subprocess.Popen(self.command(*slowly), stderr=subprocess.PIPE, text=True, env=PLAIN) as process:
            self.assertTrue(wait_until(lambda: [j for j in self.json("jobs") if j["BytesDone"]], 20))
            self.assertRegex(self.poolctl("jobs"), r"(?m)^ *JOB .* RATE +LEFT ")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(20), FAILED)
            self.assertIn("cancelled", process.stderr.read())
        self.assertEqual(self.json("jobs"), [])


class Images(DataVerbs):
    def test_import(self):
        source, raw = self.image("debian.qcow2")
        self.poolctl("import", f"{self.name}/a", source, "--source-format=qcow2")
        self.assertEqual(self.json("info", f"{self.name}/a")["Format"], "qcow2")
        compare(f"{self.folder}/a", "qcow2", raw, "raw")
        line = self.poolctl("import", f"{self.name}/b", source, "--probe", "--format=raw", "--checksum")
        self.assertEqual(line, f"{sha256(read_file(source))}  {source}\n")
        compare(f"{self.folder}/b", "raw", raw, "raw")
        with open(source, "rb") as file:
            self.assertEqual(self.bytes("import", f"{self.name}/c", "-", "--source-format=qcow2", data=file.read()), b"")
        compare(f"{self.folder}/c", "qcow2", raw, "raw")
        self.poolctl("import", f"{self.name}/d", source, "--source-format=qcow2", "--capacity=1M", status=FAILED)
        self.poolctl("import", f"{self.name}/d", source, "--source-format=vmdk", status=FAILED)
        self.poolctl("import", f"{self.name}/d", source, status=USAGE)
        self.assertEqual(sorted(os.listdir(self.folder)), ["a", "b", "c"])

    def test_import_compressed(self):
        source, raw = self.image("i")
        for tool, suffix, compression in (("gzip", "gz", "gzip"), ("xz", "xz", "xz"), ("zstd", "zst", "zstd")):
            with self.subTest(compression):
                write_file(f"{source}.{suffix}", run(tool, "-c", source))
                self.poolctl("import", f"{self.name}/{suffix}", f"{source}.{suffix}", "--source-format=qcow2")
                compare(f"{self.folder}/{suffix}", "qcow2", raw, "raw")
        self.bytes("import", f"{self.name}/stream", "-", "--source-format=qcow2", "--compression=gzip", data=read_file(source + ".gz"))
        compare(f"{self.folder}/stream", "qcow2", raw, "raw")

    def test_export(self):
        source, raw = self.image("i")
        there, out = f"{self.name}/v", self.path("out")
        self.poolctl("import", there, source, "--source-format=qcow2")
        self.poolctl("export", there, out)
        compare(out, "qcow2", raw, "raw")
        self.poolctl("export", there, out, "--format=vmdk")
        self.assertEqual(image_info(out)["format"], "vmdk")
        compare(out, "vmdk", raw, "raw")
        self.poolctl("export", there, out + ".zst", "--format=raw")
        self.assertEqual(run("zstd", "-dc", out + ".zst"), read_file(raw))
        self.assertEqual(run("gzip", "-dc", input=self.bytes("export", there, "-", "--format=raw", "--compression=gzip")), read_file(raw))
        self.poolctl("export", there, out + ".xz", status=FAILED)
        self.assertFalse(os.path.exists(out + ".xz"))

    def test_clone_and_move(self):
        other = self.pool("clone-and-move-2")
        there = self.volume("v", "4M", "--format=qcow2")
        qemu_io(f"{self.folder}/v", "write -P 7 0 1M", format="qcow2")
        raw = write_file(self.path("raw"), b"\7" * MIB, size=4 * MIB)
        self.poolctl("clone", there, "near")
        compare(f"{self.folder}/near", "qcow2", raw, "raw")
        self.poolctl("clone", there, "clone-and-move-2/", "--format=raw")
        compare(f"{other}/v", "raw", raw, "raw")
        self.poolctl("clone", there, "thin", "--linked", "--format=qcow2")
        self.assertEqual(image_info(f"{self.folder}/thin")["full-backing-filename"], f"{self.folder}/v")
        self.assertIn("method", self.json("clone", there, "clone-and-move-2/far"))
        self.poolctl("mv", f"{self.name}/near", "renamed")
        self.assertEqual(sorted(os.listdir(self.folder)), ["renamed", "thin", "v"])
        self.poolctl("mv", f"{self.name}/renamed", "clone-and-move-2/")
        compare(f"{other}/renamed", "qcow2", raw, "raw")
        self.poolctl("mv", "clone-and-move-2/renamed", f"{self.name}/back", "--format=raw")
        compare(f"{self.folder}/back", "raw", raw, "raw")
        self.assertEqual((sorted(os.listdir(self.folder)), sorted(os.listdir(other))), (["back", "thin", "v"], ["far", "v"]))
        self.poolctl("mv", f"{self.name}/back", "v", status=FAILED)
        self.poolctl("mv", f"{self.name}/nothing", "w", status=ABSENT)

    def test_chain(self):
        base, other = self.volume("base", "4M", "--format=qcow2"), self.volume("other", "4M", "--format=qcow2")
        self.poolctl("clone", base, "top", "--linked", "--format=qcow2")
        top = f"{self.name}/top"
        shown = self.poolctl("info", base)
        self.assertRegex(shown, rf"(?m)^ *Dependents: {top}$")
        self.assertRegex(shown, r"(?m)^ *Corrupt: no$")
        self.assertRegex(self.poolctl("info", top), rf"(?m)^ *BackingVolume: {base}$")
        self.poolctl("rebase", top, "other")
        self.assertEqual(image_info(f"{self.folder}/top")["full-backing-filename"], f"{self.folder}/other")
        self.poolctl("rebase", top, base)
        self.poolctl("flatten", top)
        self.assertNotIn("full-backing-filename", image_info(f"{self.folder}/top"))
        self.assertNotIn("BackingVolume", self.poolctl("info", top))
        self.poolctl("rm", base, other)

    def test_convert(self):
        first, _ = self.volume("first"), self.volume("second")
        write_file(f"{self.folder}/first", b"data")
        self.poolctl("convert", first, "qcow2", "cluster_size=128K")
        self.assertEqual(self.json("info", first)["Details"]["cluster_size"], 128 * 1024)
        qemu_io(f"{self.folder}/first", "read -P 100 0 1", format="qcow2")
        self.poolctl("convert", self.name, "qcow2")
        self.assertEqual({v["Format"] for v in self.json("volumes", self.name)}, {"qcow2"})
        self.poolctl("convert", self.name, "raw")
        self.assertEqual(read_file(f"{self.folder}/first")[:4], b"data")
        self.poolctl("convert", first, "nonsense", status=FAILED)

    def test_wipe(self):
        there = self.volume("v", "1M")
        for words in ((), ("--write",), ("--algorithm=random",)):
            write_file(f"{self.folder}/v", b"secret")
            self.poolctl("wipe", there, *words)
            data = read_file(f"{self.folder}/v")
            self.assertEqual(len(data), MIB)
            self.assertNotIn(b"secret", data)
            self.assertEqual(data == bytes(MIB), "random" not in str(words), words)
        self.poolctl("wipe", there, "--algorithm=spell", status=FAILED)


class Snapshots(DataVerbs):
    def test_snapshots(self):
        there = self.volume("v", "4M", "--format=qcow2")
        qemu_io(f"{self.folder}/v", "write -P 1 0 1M", format="qcow2")
        self.poolctl("snapshot", "create", there, "first one")
        qemu_io(f"{self.folder}/v", "write -P 2 0 1M", format="qcow2")
        self.poolctl("snapshot", "create", there, "second")
        self.assertEqual([(s["Name"], s["Kind"]) for s in self.json("snapshot", "list", there)],
                         [("first one", "internal"), ("second", "internal")])
        self.assertRegex(self.poolctl("snapshot", "list", there), r"(?m)^NAME +KIND +SIZE CREATED *\n.*first one +internal")
        self.assertRegex(self.poolctl("info", there), r"(?m)^ *Snapshots: first one second$")
        self.poolctl("snapshot", "revert", there, "first one")
        qemu_io(f"{self.folder}/v", "read -P 1 0 1M", format="qcow2")
        self.poolctl("snapshot", "rm", there, "first one")
        self.poolctl("snapshot", "rm", there, "first one", status=ABSENT)
        self.assertIn("snapshot list", self.said)
        self.assertEqual([s["Name"] for s in self.json("snapshot", "list", there)], ["second"])
        self.poolctl("snapshot", "create", f"{self.name}/nothing", "s", status=ABSENT)
        self.poolctl("snapshot", "list", f"{self.name}/nothing", status=ABSENT)

    def test_snapshots_in_the_news(self):
        there = self.volume("v", "4M", "--format=qcow2")
        with subprocess.Popen(self.command("monitor"), stdout=subprocess.PIPE, bufsize=0, env=PLAIN) as monitor:
            seen = b""
            time.sleep(0.5)  # the subscription has to stand
            for verb, event in (("create", "added"), ("rm", "removed")):
                self.poolctl("snapshot", verb, there, "s")
                while f" snapshot-{event} {there}@s".encode() not in seen:
                    self.assertTrue(select.select([monitor.stdout], [], [], 20)[0], seen)
                    seen += monitor.stdout.read(4096)
            monitor.terminate()
            self.assertEqual(monitor.wait(20), 0)


class Attach(DataVerbs):
    def test_words(self):
        there = self.volume("v", "4M", "--format=qcow2")
        node = json.loads(self.poolctl("attach", there, "--as=qemu-blockdev", "--id=disk0", "--read-only"))
        self.assertEqual((node["driver"], node["node-name"], node["read-only"]), ("qcow2", "disk0", True))
        self.assertIn("id=disk0", self.poolctl("attach", there, "--as=qemu-drive", "--id=disk0"))
        disk = ElementTree.fromstring(self.poolctl("attach", there, "--as=libvirt-disk", "--device=vdb"))
        self.assertEqual(disk.find("target").get("dev"), "vdb")
        self.assertIn("<disk", self.json("attach", there, "--as=libvirt-disk"))
        self.poolctl("attach", there, "--as=paper", status=FAILED)

    def test_open(self):
        there = self.volume("v", "1M")
        self.bytes("open", there, "--", "sh", "-ec", "printf 'some data' >&3; printf more 1<>{}; test $POOLKEEPER_FD = 3")
        self.assertEqual(read_file(f"{self.folder}/v"), b"more data" + bytes(MIB - 9))
        self.assertEqual(self.bytes("open", there, "--read-only", "--", "head", "-c4", "{}")[:4], b"more")
        self.assertEqual(self.bytes("open", there, "--read-only", "--", "sh", "-c", "head -c4 <&3"), b"more")
        self.bytes("open", there, "--read-only", "--", "sh", "-ec", "printf x >&3", status=1)
        self.bytes("open", there, "--", "sh", "-c", "exit 42", status=42)
        self.bytes("open", there, "--", "/nonexistent", status=127)
        self.assertRegex(self.said, r"\Apoolctl: cannot run /nonexistent: .+\n\Z")
        self.bytes("open", there, "--", self.folder, status=126)
        self.bytes("open", f"{self.name}/nothing", "--", "true", status=ABSENT)

    def test_nbd(self):
        there = self.volume("v", "4M", "--format=qcow2")
        self.bytes("nbd", there, "--", "qemu-io", "-c", "write -P 9 1M 1M", "{}")
        # The server is on its way out, and has the image locked until then.
        read = ["qemu-io", "-r", "-f", "qcow2", "-c", "read -P 9 1M 1M", f"{self.folder}/v"]
        self.assertTrue(wait_until(lambda: subprocess.run(read, capture_output=True, check=False).returncode == 0, 20))
        info = json.loads(self.bytes("nbd", there, "--read-only", "--", "qemu-img", "info", "--output=json", "{}"))
        self.assertEqual(info["virtual-size"], 4 * MIB)
        self.bytes("nbd", there, "--read-only", "--", "sh", "-c", 'test -n "$POOLKEEPER_EXPORT" && test -S /dev/fd/3')


class OverSsh(DataVerbs):
    """ssh is played by a script that runs the other side here."""

    def over(self, *words, **more):
        return self.bytes(*words, "--host=far", **more)

    def command(self, *words):
        return [POOLCTL, *words] if "--host=far" in words else super().command(*words)

    def setUp(self):
        super().setUp()
        tools = self.path("tools")
        os.makedirs(tools)
        scripts = {"ssh": 'while [ "$1" != -- ]; do shift; done\n[ "$2" = far ] || exit 255\nshift 2\n'
                          '[ "$1" = systemd-stdio-bridge ] && set -- "$1" -p "$DBUS_SYSTEM_BUS_ADDRESS"\nexec sh -c "$*"',
                   "poolctl": f'exec "{POOLCTL}" "$@"'}  # fmt: skip
        for name, text in scripts.items():
            write_file(f"{tools}/{name}", f"#!/bin/sh\n{text}\n".encode())
            os.chmod(f"{tools}/{name}", 0o755)
        self.far = {**PLAIN, "PATH": f"{tools}:{PLAIN['PATH']}", "DBUS_SYSTEM_BUS_ADDRESS": self.bus.address}

    def test_over_ssh(self):
        source, there, out = self.file("in"), self.volume("it's a b", "1M"), self.path("out")
        self.over("upload", there, source, env=self.far)
        self.assertEqual(read_file(f"{self.folder}/it's a b"), read_file(source))
        self.assertEqual(self.over("download", there, out, "--checksum", env=self.far), b"")
        self.assertEqual(self.said, f"{sha256(read_file(source))}  -\n")
        self.assertEqual(read_file(out), read_file(source))
        self.assertEqual(self.over("download", there, "-", env=self.far), read_file(source))
        write_file(source + ".gz", run("gzip", "-c", source))
        self.over("import", f"{self.name}/i", source + ".gz", "--source-format=raw", env=self.far)
        self.assertEqual(read_file(f"{self.folder}/i"), read_file(source))
        self.over("export", f"{self.name}/i", out + ".zst", env=self.far)
        self.assertEqual(run("zstd", "-dc", out + ".zst"), read_file(source))
        self.over("download", f"{self.name}/nothing", self.path("none"), env=self.far, status=ABSENT)
        self.assertFalse(os.path.exists(self.path("none")))

    def test_a_connection_that_breaks(self):
        """What looks like the end of the data is none."""
        there = self.volume("v", "1M")
        write_file(f"{self.path('tools')}/ssh", b'#!/bin/sh\nshift 3\nhead -c 100000 | sh -c "$*"\n')
        self.over("upload", there, self.file("in"), "--atomic", env=self.far, status=FAILED)
        self.assertEqual(read_file(f"{self.folder}/v"), bytes(MIB))

    def test_descriptors_do_not_cross(self):
        for verb in ("open", "nbd"):
            self.bytes(verb, f"{self.name}/v", "--host=far", "--", "true", env=self.far, status=USAGE)
            self.assertIn("another host", self.said)
