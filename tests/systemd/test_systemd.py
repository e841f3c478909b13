# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service as systemd runs it: activation, hardening, watchdog, sessions, journal, end and restart. Runs in the container."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from client import GIB, MIB, NAME, ROOT, Client, Gio, GLib, wait_until
from nbd import Nbd

UNIT = "poolkeeper.service"
DROP_IN = f"/run/systemd/system/{UNIT}.d/test.conf"
EXPOSURE_MAX = 6.3  # what is left open, and why, is said in poolkeeper.service
CAPABILITIES_MAX = 12
CAP_KILL = 5
OTHER = 64003


def run(*command, check=True, **more):
    result = subprocess.run(command, capture_output=True, text=True, **more)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {result.stdout}{result.stderr}")
    return result.stdout


def show(name):
    return run("systemctl", "show", "-P", name, UNIT).strip()


def main_pid():
    return int(show("MainPID"))


class Systemd(unittest.TestCase):
    def setUp(self):
        run("systemctl", "reset-failed", UNIT, check=False)
        self.client = Client()
        self.addCleanup(self.client.close)
        self.addCleanup(self.clean_up)

    def activate(self, client=None):
        """A first call, as any client makes it."""
        return (client or self.client).connection.call_sync(
            NAME, ROOT, f"{NAME}.Manager", "ListPools", GLib.Variant("(a{sv})", ({},)), None, Gio.DBusCallFlags.NONE, 20000, None
        )

    def drop_in(self, text):
        os.makedirs(os.path.dirname(DROP_IN), exist_ok=True)
        with open(DROP_IN, "w", encoding="ascii") as file:
            file.write(text)
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", UNIT)

    def clean_up(self):
        if os.path.exists(DROP_IN):
            os.unlink(DROP_IN)
            run("systemctl", "daemon-reload")
        run("systemctl", "stop", UNIT)
        for folder in ("/etc/poolkeeper/pools", "/run/poolkeeper", "/var/lib/poolkeeper", "/srv/pools"):
            shutil.rmtree(folder, ignore_errors=True)

    def make_pool(self, name="lab"):
        self.activate()
        self.client.manager.DefinePool(name, "dir", {"target.path": f"/srv/pools/{name}"}, {})
        pool = self.client.pool(name)
        pool.Start(build=True, wait=True)
        return pool

    def fill(self, pool, size=512 * MIB):
        pool.CreateVolume("big", size, wait=True)
        with open(f"/srv/pools/{pool['Name']}/big", "r+b") as file:
            for _ in range(size // MIB):
                file.write(os.urandom(MIB))
        return self.client.volume(pool["Name"], "big").path

    def active(self, pool, timeout=20):
        def is_active():
            try:
                return pool["State"] == "active"
            except Exception:
                return False

        return wait_until(is_active, timeout)

    def test_activation_by_the_bus(self):
        run("systemctl", "stop", UNIT)
        self.assertFalse(self.client.has_service())
        begin = time.monotonic()
        self.activate()
        print(f"# activation to first answer: {(time.monotonic() - begin) * 1000:.0f} ms")
        self.assertEqual(show("ActiveState"), "active")
        self.assertEqual(self.client.bus("GetConnectionUnixProcessID", "s", NAME), main_pid())

    def test_unit_file(self):
        self.assertEqual(run("systemd-analyze", "verify", f"/usr/lib/systemd/system/{UNIT}").strip(), "")
        run("systemctl", "enable", UNIT)
        self.assertEqual(run("systemctl", "is-enabled", UNIT).strip(), "enabled")
        run("systemctl", "disable", UNIT)

    def test_main_job_under_hardening(self):
        pool = self.make_pool()
        pool.CreateVolume("a.raw", GIB, wait=True)
        pool.CreateVolume("b.qcow2", GIB, format="qcow2", wait=True)
        volume = self.client.volume("lab", "b.qcow2")
        volume.Resize(2 * GIB, wait=True)
        pool.CloneVolume("c.qcow2", volume.path, wait=True)
        pool.CloneVolume("d.raw", volume.path, format="raw", wait=True)
        pool.Refresh(wait=True)
        info = json.loads(run("qemu-img", "info", "--output=json", "/srv/pools/lab/c.qcow2"))
        self.assertEqual((info["format"], info["virtual-size"]), ("qcow2", 2 * GIB))
        with self.client.listen() as news:
            with open("/srv/pools/lab/outside", "wb"):
                pass
            news.added(self.client.volume("lab", "outside").path)
        for name in ("a.raw", "b.qcow2", "c.qcow2", "d.raw", "outside"):
            self.client.volume("lab", name).Delete(wait=True)
        self.assertEqual(os.listdir("/srv/pools/lab"), [])

    def test_exposure(self):
        report = run("systemd-analyze", "security", "--no-pager", UNIT)
        score = float(re.search(r"Overall exposure level for .*: ([0-9.]+)", report).group(1))
        print(f"# systemd-analyze security: exposure {score}")
        self.assertLessEqual(score, EXPOSURE_MAX)

    def test_privileges(self):
        self.make_pool()
        with open(f"/proc/{main_pid()}/status", encoding="ascii") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")
        self.assertEqual(int(status["CapEff"], 16), 1 << CAP_KILL)  # the others are its workers'
        self.assertLessEqual(int(status["CapBnd"], 16).bit_count(), CAPABILITIES_MAX)
        self.assertEqual(os.stat("/var/lib/poolkeeper").st_mode & 0o777, 0o700)

    def test_session_at_the_machine(self):
        self.make_pool()
        code = (
            "import sys; sys.path.insert(0, '/usr/lib/poolkeeper-tests')\n"
            "from client import Client\n"
            "try:\n  Client().pool('lab').CreateVolume(sys.argv[1], 1 << 20, wait=True); print('ok')\n"
            "except Exception as e:\n  print(e.name)"
        )
        command = ("/usr/bin/python3", "-c", code)
        without = run("setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups", *command, "v1").strip()
        self.assertEqual(without, "InteractiveAuthorizationRequired")
        inside = run(
            "systemd-run", "--quiet", "--wait", "--pipe", "-p", "PAMName=poolkeeper-tests", "-p", "User=other",
            "-p", "Environment=XDG_SEAT=seat0", *command, "v2", timeout=60,
        ).strip()  # fmt: skip
        self.assertEqual(inside, "ok")

    def test_log_level(self):
        self.activate()
        self.assertEqual(run("systemctl", "service-log-level", UNIT).strip(), "info")
        run("systemctl", "service-log-level", UNIT, "debug")
        self.assertEqual(run("systemctl", "service-log-level", UNIT).strip(), "debug")
        self.assertIn(run("systemctl", "service-log-target", UNIT).strip(), ("journal", "auto"))

    def test_journal_fields(self):
        pool = self.make_pool("journal")
        run("systemctl", "service-log-level", UNIT, "debug")
        pool.CreateVolume("v", MIB, format="qcow2", wait=True)
        run("journalctl", "--sync")

        def lines():
            return [json.loads(line) for line in run("journalctl", "-u", UNIT, "-o", "json", "--no-pager").splitlines()]

        started = [row for row in lines() if row.get("MESSAGE_ID") == "5f3f6c0b52f34d86b7c3f5ed3f1d0a01"]
        self.assertTrue(any(row.get("STORAGE_POOL") == "journal" for row in started), lines()[-5:])
        made = [row for row in lines() if row.get("STORAGE_VOLUME") == "v" and row.get("STORAGE_POOL") == "journal"]
        self.assertTrue(made)
        self.assertEqual(made[-1].get("CALLER_UID"), "0")
        self.assertTrue(made[-1].get("STORAGE_JOB"))
        self.assertEqual(made[-1]["SYSLOG_IDENTIFIER"], "poolkeeperd")

    def test_watchdog(self):
        self.drop_in("[Service]\nWatchdogSec=2s\n")
        pool = self.make_pool()
        pid = main_pid()
        self.assertFalse(wait_until(lambda: main_pid() != pid, 4), "killed although it is well")
        os.kill(pid, signal.SIGSTOP)
        self.assertTrue(wait_until(lambda: main_pid() not in (0, pid), 20), "the watchdog did not bite")
        self.assertEqual(show("NRestarts"), "1")
        self.assertTrue(self.active(pool), "the pool was not adopted again")

    def test_restart_adopts_pools(self):
        pool = self.make_pool()
        pool.CreateVolume("v", MIB, wait=True)
        run("systemctl", "restart", UNIT)
        self.assertTrue(self.active(pool))
        self.assertEqual(self.client.volume("lab", "v")["Capacity"], MIB)

    def test_crash_is_mended(self):
        pool = self.make_pool()
        source = self.fill(pool)
        pool.CloneVolume("copy", source, format="qcow2")
        pid = main_pid()
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(wait_until(lambda: main_pid() not in (0, pid), 20))
        self.assertTrue(self.active(pool))
        self.assertTrue(
            wait_until(lambda: not [n for n in os.listdir("/srv/pools/lab") if n.startswith(".poolkeeper-")], 10),
            os.listdir("/srv/pools/lab"),
        )
        cgroup = "/sys/fs/cgroup" + show("ControlGroup") + "/cgroup.procs"
        with open(cgroup, encoding="ascii") as file:
            names = [open(f"/proc/{pid.strip()}/comm", encoding="utf-8").read().strip() for pid in file]
        self.assertNotIn("qemu-img", names)

    def endpoints(self):
        lines = run("systemctl", "list-units", "--plain", "--no-legend", "poolkeeper-nbd-*.service").splitlines()
        return [line.split()[0] for line in lines]

    def test_endpoint_is_a_unit_of_its_own(self):
        pool = self.make_pool()
        pool.CreateVolume("v", 4 * MIB, format="qcow2", wait=True)
        volume = self.client.volume("lab", "v")
        begin = time.monotonic()
        fd, export, _ = volume.OpenNBD({"read-only": False})
        print(f"# OpenNBD: {(time.monotonic() - begin) * 1000:.0f} ms")
        with Nbd(fd, export) as nbd:
            nbd.write(MIB, b"a guest's" * 512)
            (unit,) = self.endpoints()
            self.assertEqual(run("systemctl", "show", "-P", "Slice", unit).strip(), "poolkeeper-nbd.slice")
            self.assertIn("lab", run("systemctl", "show", "-P", "Description", unit))
            with self.subTest("restart"):
                run("systemctl", "restart", UNIT)
                self.assertTrue(self.active(pool))
                self.assertEqual(nbd.read(MIB, 9), b"a guest's")
            with self.subTest("crash"):
                pid = main_pid()
                os.kill(pid, signal.SIGKILL)
                self.assertTrue(wait_until(lambda: main_pid() not in (0, pid), 20))
                self.assertEqual(nbd.read(MIB, 9), b"a guest's")
            with self.subTest("stop"):
                run("systemctl", "stop", UNIT)
                nbd.write(0, b"still there")
                nbd.flush()
            self.assertEqual(self.endpoints(), [unit])
        self.assertTrue(wait_until(lambda: not self.endpoints(), 20), "the unit is still there")
        output = run("qemu-io", "-f", "qcow2", "-c", "read -v 0 16", "/srv/pools/lab/v")
        self.assertIn("still.there", output)

    def test_endpoint_ends_without_a_client(self):
        pool = self.make_pool()
        pool.CreateVolume("v", MIB, wait=True)
        fd, _, _ = self.client.volume("lab", "v").OpenNBD()
        self.assertEqual(len(self.endpoints()), 1)
        os.close(fd)
        self.assertTrue(wait_until(lambda: not self.endpoints(), 20), "the unit is still there")
        with self.subTest("stopped by the administrator"):
            fd, export, _ = self.client.volume("lab", "v").OpenNBD()
            with Nbd(fd, export):
                run("systemctl", "stop", "poolkeeper-nbd.slice")
                self.assertEqual(self.endpoints(), [])

    def test_stop_is_quick(self):
        pool = self.make_pool()
        with self.subTest("idle"):
            begin = time.monotonic()
            run("systemctl", "stop", UNIT)
            self.assertLess(time.monotonic() - begin, 2)
            self.assertEqual(show("Result"), "success")
        with self.subTest("during a copy"):
            run("systemctl", "start", UNIT)
            self.assertTrue(self.active(pool))
            job = self.client.job(pool.CloneVolume("copy", self.fill(pool, GIB), format="qcow2"))
            if job["State"] not in ("queued", "running"):
                self.skipTest("this machine copies too fast")
            begin = time.monotonic()
            run("systemctl", "stop", UNIT)
            print(f"# systemctl stop during a copy: {time.monotonic() - begin:.1f} s")
            self.assertLess(time.monotonic() - begin, 20)
            self.assertEqual(show("Result"), "success")

    def test_autostart_without_a_caller(self):
        pool = self.make_pool()
        pool.SetAutostart(True)
        pool.Stop(wait=True)
        run("systemctl", "stop", UNIT)
        run("systemctl", "start", UNIT)
        self.assertTrue(self.active(pool))

    def test_idle_exit_and_return(self):
        self.drop_in("[Service]\nExecStart=\nExecStart=/usr/lib/poolkeeper/poolkeeperd --idle-timeout=1\n")
        self.activate()
        self.assertTrue(wait_until(lambda: show("ActiveState") == "inactive", 15), show("ActiveState"))
        self.assertEqual(show("Result"), "success")
        self.activate()
        self.assertEqual(show("ActiveState"), "active")
