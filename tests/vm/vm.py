# SPDX-License-Identifier: LGPL-2.1-or-later
"""The base class of the tests in the VM: the service as systemd runs it, a second disk, and power cuts."""

import os
import shutil
import subprocess
import tempfile

import host
from client import Client, wait_until
from data import DataCase, run

UNIT = "poolkeeper.service"
DISK = "/dev/disk/by-id/virtio-data"
MOUNT = "/srv/data"


def journal(*words):
    subprocess.run(["journalctl", "--sync"], check=True)
    return run("journalctl", "--boot", "--no-pager", "--output=cat", *words).decode()


class Service:
    """The unit, with the face of bed.Daemon."""

    state = "/var/lib/poolkeeper"

    def start(self):
        run("systemctl", "start", UNIT)

    def tail(self, lines=30):
        return journal(f"--unit={UNIT}", f"--lines={lines}")


class VmCase(DataCase):
    daemon = Service()

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.mkdtemp(prefix="vm-", dir=os.environ["POOLKEEPER_SCRATCH"])
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)
        cls.start_daemon()
        cls.client = Client()
        cls.addClassCleanup(cls.client.close)

    def directory(self, name):
        return os.path.join(MOUNT, name)

    def format_disk(self, kind, *words, boot=False):
        """The second disk, empty and mounted with this file system; with boot also after a power cut, as of /etc/fstab."""
        force = "-F" if kind == "ext4" else "-f"
        run(f"mkfs.{kind}", "-q", force, *words, DISK)
        os.makedirs(MOUNT, exist_ok=True)
        if boot:
            with open("/etc/fstab", "w", encoding="ascii") as file:
                file.write(f"{DISK} {MOUNT} {kind} defaults 0 0\n")
            os.sync()
        run("mount", "-t", kind, DISK, MOUNT)
        self.addCleanup(self.unmount)

    @staticmethod
    def unmount():
        with open("/etc/fstab", "w", encoding="ascii"):
            pass
        run("umount", MOUNT)

    def across_power_cut(self, begin):
        """begin() sets things going and returns what there is to remember (in JSON's types). Then the power is cut under all
        of it, the VM boots again, and the case runs from its start up to here, where this returns what begin() had."""
        progress = host.Progress()
        if self.id() in progress.memory:
            return progress.memory[self.id()]
        progress.memory[self.id()] = begin()
        progress.save()
        host.cut_power()
        wait_until(lambda: False, 60)
        raise AssertionError("the power was not cut")
