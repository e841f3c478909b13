# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bed the tests lie in: a bus, poolkeeperd on it, a scratch folder, and the base classes of the test cases."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from client import GIB, NAME, BusError, Client, pool_path, wait_until  # noqa: F401

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.environ.get("POOLKEEPER_TREE", "")
IN_SANDBOX = "POOLKEEPER_SCRATCH" in os.environ
QUICK = os.environ.get("POOLKEEPER_QUICK") == "yes"
USERS = {"root": 0, "vmuser": 64001, "vmuser2": 64002, "other": 64003, "allowed": 64004, "refused": 64005, "reader": 64006}

# In the sandbox the tree lies over /usr; elsewhere only user mode is tested, right from the tree.
LIBEXEC = ("" if IN_SANDBOX else TREE) + "/usr/lib/poolkeeper"

SYSTEM_FOLDERS = ("/etc/poolkeeper", "/var/lib/poolkeeper", "/run/poolkeeper")

SANITIZER = re.compile(r"ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error:|Assertion .* failed")


def stat_of(pid):
    """Name, state letter and parent of a process; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
    return name, rest[0], int(rest[1])


def processes():
    return {int(pid): stat for pid in os.listdir("/proc") if pid.isdigit() and (stat := stat_of(pid))}


def alive(pid):
    stat = stat_of(pid)
    return stat is not None and stat[1] not in "ZX"


class Bus:
    """A dbus-daemon: the system bus at its usual place in the sandbox, or a private one."""

    def __init__(self, scratch, system):
        command = ["dbus-daemon", "--nofork", "--nopidfile", "--nosyslog"]
        if system:
            socket = "/run/dbus/system_bus_socket"
            command.append("--system")
        else:
            socket = os.path.join(scratch, "bus")
            command += [f"--config-file={HERE}/../../tools/private-bus.conf", f"--address=unix:path={socket}"]
        self.address = f"unix:path={socket}"
        self.log = os.path.join(scratch, "bus.log")
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        if not wait_until(lambda: os.path.exists(socket), 10):
            raise RuntimeError("dbus-daemon did not come up: " + open(self.log, encoding="utf-8").read())

    def close(self):
        self.process.terminate()
        self.process.wait()
        socket = self.address.removeprefix("unix:path=")
        if os.path.exists(socket):
            os.unlink(socket)


class Daemon:
    """poolkeeperd with folders of its own; can be killed and started again on the same state."""

    def __init__(self, scratch, address, system, **arguments):
        self.scratch = scratch
        self.address = address
        self.system = system
        self.arguments = arguments
        self.log = os.path.join(scratch, "poolkeeperd.log")
        self.config, self.state, self.runtime = (
            SYSTEM_FOLDERS if system else (os.path.join(scratch, name) for name in ("config", "state", "runtime"))
        )
        self.process = None

    def command(self):
        command = [f"{LIBEXEC}/poolkeeperd"]
        settings = {"log-level": "debug", "log-target": "console"}
        if not self.system:
            command.append("--user")
            settings.update({"address": self.address, "config": self.config, "state": self.state, "runtime": self.runtime})
        if not IN_SANDBOX:
            settings.update({"worker": f"{LIBEXEC}/poolkeeper-worker", "backends": f"{LIBEXEC}/backends"})
        settings.update({key.replace("_", "-"): str(value) for key, value in self.arguments.items()})
        return command + [f"--{key}={value}" for key, value in settings.items()]

    def start(self):
        environment = {**os.environ, "XDG_DATA_HOME": f"{self.scratch}/data", "XDG_RUNTIME_DIR": f"{self.scratch}/xdg-runtime"}
        environment["XDG_CONFIG_HOME"] = f"{self.scratch}/xdg-config"
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, env=environment, cwd="/")
        probe = Client(self.address)
        up = wait_until(lambda: self.has_name(probe) or self.process.poll() is not None, 20)
        probe.close()
        if not up or self.process.poll() is not None:
            raise RuntimeError("poolkeeperd did not come up:\n" + self.tail())
        return self

    def has_name(self, probe):
        """Not the one before, whose end the bus may not have seen yet."""
        try:
            return probe.bus("GetConnectionUnixProcessID", "s", NAME) == self.process.pid
        except BusError:
            return False

    def tail(self, lines=30):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    @property
    def pid(self):
        return self.process.pid

    def workers(self):
        """Processes below the daemon: workers, and the tools that these started."""
        table, found, front = processes(), [], [self.pid]
        while front:
            parent = front.pop()
            children = [pid for pid, (_, _, ppid) in table.items() if ppid == parent]
            found += children
            front += children
        return [pid for pid in found if alive(pid)]

    def kill(self):
        """SIGKILL, as a crash would be: its workers have to notice and go."""
        orphans = self.workers()
        self.process.kill()
        self.process.wait()
        if not wait_until(lambda: not any(alive(pid) for pid in orphans), 15):
            left = {pid: stat_of(pid) for pid in orphans if alive(pid)}
            raise AssertionError(f"processes that outlived the killed daemon: {left}")

    def terminate(self, timeout=25):
        """SIGTERM; returns exit status and seconds it took."""
        begin = time.monotonic()
        self.process.terminate()
        return self.wait(timeout), time.monotonic() - begin

    def wait(self, timeout):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"poolkeeperd did not end within {timeout} s:\n{self.tail()}") from None

    def findings(self):
        """What the sanitizers said, with the lines after it."""
        if not os.path.exists(self.log):
            return ""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            lines = file.readlines()
        for i, line in enumerate(lines):
            if SANITIZER.search(line):
                return "".join(lines[i : i + 40])
        return ""


class Case(unittest.TestCase):
    """User mode on a private bus: what needs no second user. One daemon per class; pools are each test's own."""

    system = False
    arguments = {}

    @classmethod
    def setUpClass(cls):
        parent = os.environ.get("POOLKEEPER_SCRATCH") or os.environ.get("TMPDIR") or "/var/tmp"
        cls.scratch = tempfile.mkdtemp(prefix="bed-", dir=parent)
        os.chmod(cls.scratch, 0o755)
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)
        cls.start_bus()
        cls.daemon = Daemon(cls.scratch, cls.bus.address, cls.system, **cls.arguments)
        cls.addClassCleanup(cls.stop_daemon)
        cls.start_daemon()
        cls.client = Client(cls.bus.address)
        cls.addClassCleanup(lambda: cls.client.close())

    @classmethod
    def start_bus(cls):
        cls.bus = Bus(cls.scratch, cls.system)
        cls.addClassCleanup(cls.bus.close)

    @classmethod
    def start_daemon(cls):
        cls.daemon.start()

    @classmethod
    def stop_daemon(cls):
        if cls.daemon.process and cls.daemon.process.poll() is None:
            status, _ = cls.daemon.terminate(40)
            if status != 0:
                raise AssertionError(f"poolkeeperd ended with status {status}:\n{cls.daemon.tail()}")
        if findings := cls.daemon.findings():
            raise AssertionError(findings)

    @classmethod
    def restart(cls):
        """After kill() or terminate(): the next daemon, on the same state."""
        cls.daemon.start()

    def assertRaisesError(self, names, call, *args, **more):
        """The call fails with this D-Bus error, or one of several; returns it."""
        names = (names,) if isinstance(names, str) else names
        try:
            result = call(*args, **more)
        except BusError as error:
            self.assertIn(error.name, names, f"the other error: {error.message}")
            return error
        raise AssertionError(f"no error, but {result!r}; expected {' or '.join(names)}")

    def directory(self, name):
        return os.path.join(self.scratch, "pools", name)

    def make_pool(self, name=None, start=True, **definition):
        """A dir pool named after the test, gone at its end; returns its proxy."""
        name = name or self.id().rsplit(".", 1)[-1].removeprefix("test_").replace("_", "-")
        definition.setdefault("target.path", self.directory(name))
        self.client.manager.DefinePool(name, "dir", definition, {})
        pool = self.client.pool(name)
        self.addCleanup(self.remove_pool, name)
        if start:
            pool.Start(build=True, wait=True)
        return pool

    def remove_pool(self, name):
        if not self.client.has_service():
            self.restart()
        pool = self.client.pool(name)
        gone = ("NoSuchPool", "PoolInactive", "UnknownObject", "NotSupported")
        for step in (lambda: pool.Stop(force=True, wait=True), pool.Undefine):
            self.assertTrue(wait_until(lambda step=step: self.done(step, gone), 20), "the pool is still busy")
        shutil.rmtree(self.directory(name), ignore_errors=True)

    @staticmethod
    def done(step, fine):
        """The step works, or fails in one of these ways; False while jobs of the test stand in its way."""
        try:
            step()
        except BusError as error:
            if error.name == "Busy":
                return False
            if error.name not in fine:
                raise
        return True

    def finish(self, job, timeout=60):
        """Waits for a job that was started without wait; returns its state."""
        proxy = self.client.job(job)
        done = ("done", "failed", "cancelled")
        if not wait_until(lambda: proxy["State"] in done, timeout):
            raise AssertionError(f"{job} is still {proxy['State']} after {timeout} s")
        return proxy["State"]

    def assertClean(self, directory):
        """No temporary file, and nothing left in the daemon's records of what is under way."""
        left = [
            name
            for name in os.listdir(directory)
            if name.startswith(".poolkeeper-") and not name.startswith(".poolkeeper-snapshot-")
        ]
        self.assertEqual(left, [], "temporary files in the pool")
        intents = []
        for folder, _, names in os.walk(self.daemon.state):
            if "intent" in folder:
                intents += [os.path.join(folder, name) for name in names]
        self.assertEqual(intents, [], "intents that nobody replayed")


@unittest.skipUnless(IN_SANDBOX, "needs root and namespaces for a system bus of its own")
class SystemCase(Case):
    """The system service on the system bus, with polkit and several users."""

    system = True
    polkit = True

    @classmethod
    def start_bus(cls):
        cls.addClassCleanup(cls.empty_folders)
        super().start_bus()
        if cls.polkit:
            cls.start_polkit()

    @staticmethod
    def empty_folders():
        """The sandbox's own; the next class begins with a fresh system."""
        for folder in SYSTEM_FOLDERS:
            for name in os.listdir(folder) if os.path.isdir(folder) else ():
                path = os.path.join(folder, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    @classmethod
    def start_polkit(cls):
        log = open(os.path.join(cls.scratch, "polkitd.log"), "w", encoding="utf-8")
        cls.polkitd = subprocess.Popen(["/usr/lib/polkit-1/polkitd"], stdout=log, stderr=log)
        cls.addClassCleanup(cls.stop_polkit)
        probe = Client()
        if not wait_until(lambda: probe.bus("NameHasOwner", "s", "org.freedesktop.PolicyKit1"), 20):
            raise RuntimeError("polkitd did not come up")
        probe.close()

    @classmethod
    def stop_polkit(cls):
        if cls.polkitd.poll() is None:
            cls.polkitd.send_signal(signal.SIGTERM)
            cls.polkitd.wait()

    def user(self, name):
        """A client as this user of the sandbox."""
        client = Client(uid=USERS[name])
        self.addCleanup(client.close)
        return client
