# SPDX-License-Identifier: LGPL-2.1-or-later
"""A directory on NFS 4.2, from a server in this very machine: what it does by itself, and what it has not."""

import os

from client import MIB
from data import allocated, data_bytes, image_info, pattern, read_file, run, write_file
from vm import MOUNT, VmCase

REMOTE = "/srv/remote"
SIZE = 16 * MIB


def operations(name):
    """How often the client has sent this operation on our mount."""
    with open("/proc/self/mountstats", encoding="utf-8") as file:
        device = file.read().split(f" mounted on {REMOTE} ")[1].split("\ndevice ")[0]
    words = [line.split() for line in device.splitlines()]
    return next(int(row[1]) for row in words if row[:1] == [f"{name}:"])


class Nfs(VmCase):
    def directory(self, name):
        return os.path.join(REMOTE, name)

    def serve(self, kind):
        self.format_disk(kind)
        run("systemctl", "start", "nfs-server.service")
        self.addCleanup(run, "systemctl", "stop", "nfs-server.service")
        run("exportfs", "-o", "rw,no_root_squash,no_subtree_check,fsid=1", f"127.0.0.1:{MOUNT}")
        self.addCleanup(run, "exportfs", "-u", f"127.0.0.1:{MOUNT}")
        os.makedirs(REMOTE, exist_ok=True)
        run("mount", "-t", "nfs4", "-o", "vers=4.2,soft,timeo=100,retrans=3", f"127.0.0.1:{MOUNT}", REMOTE)
        self.addCleanup(run, "umount", REMOTE)
        return self.make_pool("lab")

    def clone(self, kind, method, operation):
        pool = self.serve(kind)
        data = pattern(SIZE, 1)
        volume = self.make_volume(pool, "v", SIZE)
        self.upload(volume, data)
        before = operations(operation), operations("READ")
        result = self.result(pool.CloneVolume("clone", volume.path, wait=True))
        after = operations(operation), operations("READ")
        print(f"# {kind}: {result}, {operation} {before[0]} -> {after[0]}, READ {before[1]} -> {after[1]}")
        self.assertEqual(result["method"], method)
        self.assertGreater(after[0], before[0], "the server was not asked")
        self.assertLess(after[1] - before[1], 4, "the data came through the client")
        self.assertEqual(read_file(self.client.volume("lab", "clone")["Path"]), data)

    def test_clone_is_copied_by_the_server(self):
        self.clone("ext4", "copy", "COPY")

    def test_clone_is_shared_by_the_server(self):
        self.clone("xfs", "reflink", "CLONE")

    def marks(self, pool):
        folder = os.path.join(self.daemon.state, "marks", pool["UUID"])
        return sorted(os.listdir(folder)) if os.path.exists(folder) else []

    def test_volumes(self):
        pool = self.serve("ext4")
        with self.subTest("made, marked apart from the file"):
            raw = self.make_volume(pool, "raw", SIZE)
            image = self.make_volume(pool, "image", SIZE, data=pattern(MIB), format="qcow2")
            self.assertEqual(self.marks(pool), ["image", "raw"])
            self.assertEqual(image_info(image["Path"], "qcow2")["virtual-size"], SIZE)
        with self.subTest("the format is the declared one after a restart"):
            write_file(raw["Path"], read_file(image["Path"])[:4096])
            pool.Stop(wait=True)
            pool.Start(wait=True)
            self.assertEqual((raw["Format"], image["Format"]), ("raw", "qcow2"))
        with self.subTest("a name that is taken"):
            self.assertRaisesError("VolumeExists", pool.CreateVolume, "raw", MIB, wait=True)
            self.assertRaisesError("VolumeExists", raw.Rename, "image", wait=True)
        with self.subTest("renamed"):
            raw.Rename("other", wait=True)
            self.assertEqual(self.client.volume("lab", "other")["Format"], "raw")
            self.assertEqual(self.marks(pool), ["image", "other"])
        with self.subTest("converted and resized"):
            self.result(image.Resize(2 * SIZE, wait=True))
            self.result(image.Convert("raw", wait=True))
            self.assertEqual((image["Format"], image["Capacity"]), ("raw", 2 * SIZE))
            self.assertEqual(read_file(image["Path"])[:MIB], pattern(MIB))
        with self.subTest("deleted"):
            for name in ("other", "image"):
                self.client.volume("lab", name).Delete(wait=True)
            self.assertEqual(os.listdir(self.directory("lab")), [])
            self.assertEqual(self.marks(pool), [])
        self.assertClean(self.directory("lab"))

    def test_data(self):
        pool = self.serve("ext4")
        volume = self.make_volume(pool, "v", SIZE)
        data = pattern(4 * MIB, 3)
        source = write_file(self.path("source"), data, 8 * MIB, SIZE)
        for atomic in (False, True):
            with self.subTest("upload", atomic=atomic):
                self.upload(volume, self.open(source), atomic=atomic)
                self.assertEqual(read_file(volume["Path"]), read_file(source))
                self.assertFalse(volume["Corrupt"])
        with self.subTest("holes"):
            run("sync", "-f", REMOTE)
            self.assertLess(allocated(volume["Path"].replace(REMOTE, MOUNT)), 5 * MIB)
            self.result(pool.CloneVolume("copy", volume.path, wait=True))
            run("sync", "-f", REMOTE)
            self.assertLess(allocated(f"{MOUNT}/lab/copy"), 5 * MIB)
        with self.subTest("download"):
            target = self.path("download")
            self.download(volume, target)
            self.assertEqual(read_file(target), read_file(source))
            self.assertLess(data_bytes(target), 5 * MIB)
        with self.subTest("an upload in place over data punches its holes"):
            self.upload(volume, pattern(SIZE, 4))
            self.upload(volume, self.open(source))
            self.assertEqual(read_file(volume["Path"]), read_file(source))
            run("sync", "-f", REMOTE)
            self.assertLess(allocated(volume["Path"].replace(REMOTE, MOUNT)), 5 * MIB)
        self.assertClean(self.directory("lab"))
