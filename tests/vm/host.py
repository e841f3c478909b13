# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the guest says to the host (machine.py), and what it has to remember when its power is cut."""

import json
import os
import time

PROGRESS = "/var/lib/poolkeeper-tests/progress"


def port(name):
    path = f"/dev/virtio-ports/{name}"
    end = time.monotonic() + 30
    while not os.path.exists(path):
        if time.monotonic() > end:
            raise TimeoutError(f"udev made no {path}")
        time.sleep(0.05)
    return os.open(path, os.O_WRONLY | os.O_CLOEXEC)


def tell(word):
    fd = port("control")
    os.write(fd, f"{word}\n".encode())
    os.close(fd)


class Progress:
    """Which cases are over and how they ended, and what the one under way remembers; on the disk before a call returns."""

    def __init__(self):
        self.over, self.memory = {}, {}
        if os.path.exists(PROGRESS):
            with open(PROGRESS, encoding="utf-8") as file:
                self.over, self.memory = json.load(file)

    def save(self):
        os.makedirs(os.path.dirname(PROGRESS), exist_ok=True)
        with open(PROGRESS + ".new", "w", encoding="utf-8") as file:
            json.dump((self.over, self.memory), file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(PROGRESS + ".new", PROGRESS)
        folder = os.open(os.path.dirname(PROGRESS), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def cut_power():
    """Ends the guest at once; what only its memory has is lost. Does not return."""
    tell("cut")
