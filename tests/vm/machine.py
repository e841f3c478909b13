#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""machine.py IMAGE LOGS SECONDS DISK... [--shell]: boots the test VM and passes on what its tests print. DISK: the one of its
own first (guest/init), then those for the tests. Exit status: the tests' own; 124 when the time is up, 125 when the guest died.

The guest speaks on three ports: "lines", what the tests print; "journal", kept in LOGS; and "control", one word a line:
up, cut (pull the plug, then boot again on the same disks), end STATUS.
"""

import os
import selectors
import subprocess
import sys
import time

PORTS = ("lines", "journal", "control")
BOOT_SECONDS_MAX = 120
BOOT_TRIES_MAX = 3
MEMORY_MIB = 1536

# What costs time under emulation and has nothing to do with storage is off.
KERNEL_WORDS = (
    "console=ttyS0 panic=-1 quiet loglevel=4 mitigations=off nokaslr audit=0 apparmor=0 selinux=0 cryptomgr.notests"
    " random.trust_cpu=on fsck.mode=skip systemd.show_status=no net.ifnames=0 nowatchdog"
)


def command(image, disks, words):
    # Nehalem has what Debian's kernel uses, and no five-level page tables or AVX, which are slow to emulate.
    # Cache unsafe (no flush of the host): what the guest wrote outlives QEMU; what it had only in its own memory does not.
    result = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    result += ["-M", "q35,usb=off,sata=off,smbus=off", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "Nehalem"]
    result += ["-smp", "2", "-m", str(MEMORY_MIB), "-kernel", f"{image}/vmlinuz", "-initrd", f"{image}/initrd"]
    result += ["-append", words, "-device", "virtio-rng-pci"]
    for number, disk in enumerate([f"{image}/root", *disks]):
        mode = "readonly=on" if number == 0 else "cache=unsafe,discard=unmap"
        result += ["-drive", f"if=none,id=disk{number},file={disk},format=raw,{mode}"]
        result += ["-device", f"virtio-blk-pci,drive=disk{number},serial={os.path.basename(disk)}"]
    return result


class Machine:
    def __init__(self, image, logs, disks, deadline):
        self.image = image
        self.logs = logs
        self.disks = disks
        self.deadline = deadline
        self.status = None
        self.up = self.cut = False
        self.words = ""
        self.begun = time.monotonic()

    def boot(self):
        """One life of the guest: until it ends by itself, is to be cut off, or has used up its time."""
        self.up = self.cut = False
        self.words = ""
        life = time.monotonic()
        words = command(self.image, self.disks, KERNEL_WORDS)
        words += ["-serial", f"file:{self.logs}/console", "-device", "virtio-serial-pci"]
        selector, ends = selectors.DefaultSelector(), []
        for port in PORTS:
            reader, writer = os.pipe()
            # A chardev of type stdio counts as closed when its input is at its end; a file does not.
            words += ["-chardev", f"file,id={port},path=/dev/fd/{writer}"]
            words += ["-device", f"virtserialport,chardev={port},name={port}"]
            selector.register(reader, selectors.EVENT_READ, port)
            ends.append(writer)
        with open(f"{self.logs}/qemu", "ab") as log:
            qemu = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=ends)
        for end in ends:
            os.close(end)
        try:
            while selector.get_map() and self.status is None and not self.cut:
                limit = self.deadline if self.up else min(self.deadline, life + BOOT_SECONDS_MAX)
                if (left := limit - time.monotonic()) <= 0:
                    break
                self.take(selector, left)
        finally:
            qemu.kill()
            qemu.wait()
            self.drain(selector)

    def take(self, selector, timeout):
        for key, _ in selector.select(timeout):
            data = os.read(key.fd, 1 << 16)
            if not data:
                selector.unregister(key.fd)
                os.close(key.fd)
            elif key.data == "control":
                *lines, self.words = (self.words + data.decode()).split("\n")
                self.obey(lines)
            elif key.data == "journal":
                with open(f"{self.logs}/journal", "ab") as log:
                    log.write(data)
            else:
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()

    def drain(self, selector):
        """What is still in the pipes comes before what is said next."""
        while selector.get_map():
            self.take(selector, None)

    def obey(self, lines):
        for line in lines:
            if line == "up":
                self.up = True
            elif line == "cut":
                self.cut = True
            elif line.startswith("end "):
                self.status = int(line.removeprefix("end "))

    def run(self):
        tries = 0
        while self.status is None:
            self.boot()
            if self.cut:
                print(f"# power cut after {time.monotonic() - self.begun:.1f} s", flush=True)
                tries = 0
                continue
            if self.status is None and time.monotonic() >= self.deadline:
                print("not ok the test VM: its time is up", flush=True)
                return 124
            tries += 1
            if self.status is None and (self.up or tries == BOOT_TRIES_MAX):
                print("not ok the test VM: the guest died" if self.up else "not ok the test VM: it does not boot", flush=True)
                return 125
        return self.status


def main():
    image, logs, seconds, *disks = sys.argv[1:]
    if disks[-1] == "--shell":
        words = f"{KERNEL_WORDS} systemd.unit=poolkeeper-shell.target"
        os.execvp("qemu-system-x86_64", [*command(image, disks[:-1], words), "-serial", "mon:stdio"])
    return Machine(image, logs, disks, time.monotonic() + float(seconds)).run()


if __name__ == "__main__":
    sys.exit(main())
