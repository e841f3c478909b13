# SPDX-License-Identifier: LGPL-2.1-or-later
"""A directory on NFS 4.2, from a server in this very machine: what it does by itself, and what it has not."""

import os

from client import MIB
from data import allocated, data_bytes, pattern, read_file, run, write_file
from vm import MOUNT, VmCase

REMOTE = "/srv/remote"
SIZE = 16 * MIB


def statistics():
    """What the client has counted on our mount, by the first word of each line: the numbers after it."""
    with open("/proc/self/mountstats", encoding="utf-8") as file:
        device = file.read().split(f" mounted on {REMOTE} ")[1].split("\ndevice ")[0]
    return {words[0].rstrip(":"): words[1:] for line in device.splitlines() if (words := line.split())}


def operations(name):
    """How often this operation went to the server, and how many bytes have come from it."""
    now = statistics()
    return int(now[name][0]), int(now["bytes"][4])


class Nfs(VmCase):
    def directory(self, name):
        return os.path.join(REMOTE, name)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Once: a server that is started again waits for its clients of before to reclaim what they had.
        run("systemctl", "start", "nfs-server.service")
        cls.addClassCleanup(run, "systemctl", "stop", "nfs-server.service")

    def serve(self, kind):
        self.format_disk(kind)
        run("exportfs", "-o", "rw,no_root_squash,no_subtree_check,fsid=1", f"127.0.0.1:{MOUNT}")
        self.addCleanup(run, "exportfs", "-f")
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
        before = operations(operation)
        result = self.result(pool.CloneVolume("clone", volume.path, wait=True))
        after = operations(operation)
        print(f"# {kind}: {after[0] - before[0]} {operation}, {after[1] - before[1]} bytes read")
        self.assertEqual(result["method"], method)
        self.assertGreater(after[0], before[0], "the server was not asked")
        self.assertLess(after[1] - before[1], SIZE // 4, "the data came through the client")
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
            volume = self.make_volume(pool, "v", SIZE)
            self.make_volume(pool, "w", MIB)
            self.assertEqual(self.marks(pool), ["v", "w"])
            self.assertEqual(sorted(os.listdir(f"{MOUNT}/lab")), ["v", "w"])
            self.assertEqual(os.stat(f"{MOUNT}/lab/v").st_nlink, 1)
        with self.subTest("the format is the declared one, also after a restart"):
            run("qemu-img", "create", "-q", "-f", "qcow2", self.path("image"), "1G")
            write_file(volume["Path"], read_file(self.path("image"))[:4096])
            pool.Stop(wait=True)
            pool.Start(wait=True)
            self.assertEqual((volume["Format"], volume["Capacity"]), ("raw", SIZE))
        with self.subTest("a name that is taken"):
            self.assertRaisesError("VolumeExists", pool.CreateVolume, "v", MIB, wait=True)
            self.assertRaisesError("VolumeExists", volume.Rename, "w", wait=True)
        with self.subTest("renamed"):
            volume.Rename("other", wait=True)
            volume = self.client.volume("lab", "other")
            self.assertEqual((volume["Format"], volume["Capacity"]), ("raw", SIZE))
            self.assertEqual(self.marks(pool), ["other", "w"])
            self.assertEqual(sorted(os.listdir(f"{MOUNT}/lab")), ["other", "w"])
        with self.subTest("resized"):
            volume.Resize(2 * SIZE, wait=True)
            self.assertEqual(os.stat(f"{MOUNT}/lab/other").st_size, 2 * SIZE)
        with self.subTest("deleted"):
            for name in ("other", "w"):
                self.client.volume("lab", name).Delete(wait=True)
            self.assertEqual(os.listdir(f"{MOUNT}/lab"), [])
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
