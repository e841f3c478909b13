# SPDX-License-Identifier: LGPL-2.1-or-later
"""The processes that are measured, and the programs that measure them."""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import time

SCRATCH = os.environ["BENCH_SCRATCH"]
PROGRAMS = os.environ["BENCH_PROGRAMS"]
HERE = os.path.dirname(os.path.abspath(__file__))
LIBEXEC = "/usr/lib/poolkeeper"


def wait_until(condition, seconds=20, step=0.002):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("what was waited for did not happen")
        time.sleep(step)


def connects(path):
    with socket.socket(socket.AF_UNIX) as s, contextlib.suppress(OSError):
        s.connect(path)
        return True
    return False


class Running:
    """A measuring program that has connected and waits for its signal to go."""

    def __init__(self, program, *words, bus=None):
        environment = {**os.environ, **({"BENCH_BUS": bus} if bus else {})}
        command = [f"{PROGRAMS}/{program}", *map(str, words)]
        self.what = " ".join([program, *map(str, words)])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{self.what}: did not get ready")

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def result(self):
        """The samples; ends a program that measures for as long as its stdin is open."""
        output, _ = self.process.communicate()
        if self.process.returncode:
            raise RuntimeError(f"{self.what}: failed")
        return json.loads(output)


def together(running):
    for r in running:
        r.go()
    return [r.result() for r in running]


def call(program, *words, bus=None):
    """Runs one measuring program; its samples in microseconds."""
    return together([Running(program, *words, bus=bus)])[0]


def median_of(program, *words, bus=None):
    return statistics.median(call(program, *words, bus=bus)["usec"])


def rate_of(results):
    """Calls per second of clients that ran at once."""
    calls = sum(len(r["usec"]) for r in results)
    return calls / ((max(r["end"] for r in results) - min(r["begin"] for r in results)) / 1e9)


def limit(what, directory, *words):
    """Microseconds of one round of system calls."""
    command = [f"{PROGRAMS}/limits", what, directory, *map(str, words)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def pss(pids):
    """Proportional set size of processes, in MiB."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total / 1024


class Folder:
    """A pool's directory. It stays until the end of the run, with what was made in it: ext4 without a journal avoids the inodes
    of files deleted a moment ago, and looks for others for longer than it takes to make a file."""

    def __init__(self, name, volumes=0, kind="raw"):
        self.name = name
        self.path = os.path.join(SCRATCH, "pools", name)
        os.makedirs(self.path, exist_ok=True)
        subprocess.run([f"{PROGRAMS}/make-volumes", kind, self.path, str(volumes)], check=True)
        # Else the first fsync of whoever comes next pays for all these inodes.
        subprocess.run(["sync", "-f", self.path], check=True)

    def touch(self):
        for entry in os.listdir(self.path):
            os.utime(os.path.join(self.path, entry))


class Process:
    log = 0

    def __init__(self, *command, environment=None):
        Process.log += 1
        name = os.path.basename(command[0])
        with open(f"{SCRATCH}/{Process.log}-{name}.log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **(environment or {})}, cwd="/"
            )

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.terminate()
        self.process.wait()


def start_system_bus():
    buses = [Process("dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog")]
    wait_until(lambda: connects("/run/dbus/system_bus_socket"))
    buses.append(Process("/usr/lib/polkit-1/polkitd", "--no-debug"))
    wait_until(lambda: has_owner("org.freedesktop.PolicyKit1"))
    return buses


def has_owner(name, bus="unix:path=/run/dbus/system_bus_socket"):
    command = ["busctl", f"--address={bus}", "--timeout=5", "call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus"]
    answer = subprocess.run([*command, "NameHasOwner", "s", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return answer.stdout.strip() == "b true"


class Own:
    """poolkeeperd, as the system service or in user mode."""

    name = "poolkeeper"

    def __init__(self, user=False):
        self.bus = f"unix:path={SCRATCH}/user-bus" if user else None
        self.processes = []
        command = [f"{LIBEXEC}/poolkeeperd", "--log-target=null", "--idle-timeout=0"]
        if user:
            config = os.path.join(HERE, "../../tools/private-bus.conf")
            self.processes.append(
                Process("dbus-daemon", "--nofork", "--nopidfile", "--nosyslog", f"--config-file={config}", f"--address={self.bus}")
            )
            wait_until(lambda: connects(f"{SCRATCH}/user-bus"))
            command += ["--user", f"--address={self.bus}"]
            command += [f"--{name}={SCRATCH}/user/{name}" for name in ("config", "state", "runtime")]
        self.daemon = Process(*command)
        self.processes.append(self.daemon)
        wait_until(lambda: has_owner("org.example.Storage", self.bus or "unix:path=/run/dbus/system_bus_socket"))

    def call(self, *words):
        return call("call-own", *words, bus=self.bus)

    def median(self, *words):
        return median_of("call-own", *words, bus=self.bus)

    def add(self, folder):
        self.call("define", folder.name, folder.path)
        self.call("do", "Start", folder.name, 1)

    def drop(self, folder):
        self.call("do", "Stop", folder.name, 1)
        self.call("undefine", folder.name)

    def refresh(self, folder, n=1):
        return self.median("do", "Refresh", folder.name, n)

    def workers(self):
        with open(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]

    def memory(self):
        return pss([self.daemon.pid, *self.workers()])

    def stop(self):
        for process in reversed(self.processes):
            process.stop()


class Libvirt:
    """libvirtd with the drivers that libvirt-dbus asks for and no other, and libvirt-dbus."""

    name = "libvirt"

    def __init__(self):
        begin = time.monotonic()
        self.daemon = Process("/usr/sbin/libvirtd", environment={"LIBVIRT_DRIVER_DIR": self.drivers()})
        wait_until(lambda: connects("/run/libvirt/libvirt-sock"), step=0.0005)
        subprocess.run(["virsh", "-q", "-c", "storage:///system", "pool-list"], check=True, stdout=subprocess.DEVNULL)
        self.up_msec = (time.monotonic() - begin) * 1000
        user = ["setpriv", "--reuid=libvirtdbus", "--regid=libvirtdbus", "--init-groups"]
        self.face = Process(*user, "/usr/sbin/libvirt-dbus", "--system")
        wait_until(lambda: has_owner("org.libvirt"))

    @staticmethod
    def drivers():
        folder = f"{SCRATCH}/drivers"
        if not os.path.isdir(folder):
            os.mkdir(folder)
            machine = os.uname().machine
            for driver in ("storage", "secret", "qemu"):
                file = f"libvirt_driver_{driver}.so"
                os.symlink(f"/usr/lib/{machine}-linux-gnu/libvirt/connection-driver/{file}", f"{folder}/{file}")
        return folder

    @staticmethod
    def why_not():
        """Why this column cannot be measured, None if it can."""
        for path in ("/usr/sbin/libvirtd", "/usr/sbin/libvirt-dbus", f"{PROGRAMS}/call-libvirt"):
            if not os.path.exists(path):
                return f"{os.path.basename(path)} is not installed"
        return None

    def call(self, *words):
        return call("call-libvirt", *words)

    def median(self, *words):
        return median_of("call-libvirt", *words)

    def add(self, folder):
        self.call("define", folder.name, folder.path)
        return self.median("start", folder.name)

    def drop(self, folder):
        self.call("stop", folder.name)
        self.call("undefine", folder.name)

    def refresh(self, folder):
        return self.median("refresh", folder.name)

    def memory(self):
        return pss([self.daemon.pid])

    def stop(self):
        self.face.stop()
        self.daemon.stop()
