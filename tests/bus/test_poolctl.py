# SPDX-License-Identifier: LGPL-2.1-or-later
"""poolctl against the real service: each verb, its output, its exit status; on a terminal; over "ssh"; refused by polkit."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time

from bed import IN_SANDBOX, TREE, USERS, Case, SystemCase
from client import GIB, MIB, wait_until

POOLCTL = ("" if IN_SANDBOX else TREE) + "/usr/bin/poolctl"
DONE, FAILED, USAGE, REFUSED, ABSENT = range(5)
PLAIN = {"PATH": os.environ["PATH"], "TZ": "UTC"}
IMAGE = "<volume><name>fromxml</name><capacity unit='MiB'>3</capacity></volume>"


class Command:
    """For the test classes below: runs poolctl at the bus of the test."""

    def command(self, *words):
        return [POOLCTL, f"--address={self.bus.address}", *words]

    def poolctl(self, *words, status=DONE, stdin="", environment=PLAIN, uid=None, **more):
        done = subprocess.run(self.command(*words), input=stdin, capture_output=True, text=True, timeout=120, user=uid,
                              group=uid, env=environment, **more)
        self.assertEqual(done.returncode, status, f"{words}: {done.stdout}{done.stderr}")
        if status == DONE:
            self.assertEqual(done.stderr, "")
        else:
            self.assertRegex(done.stderr, r"\Apoolctl: .+\n\Z", "one line")
        self.said = done.stderr
        return done.stdout

    def json(self, *words, **more):
        return json.loads(self.poolctl(*words, "--json=short", **more))

    def terminal(self, *words, interrupt=None, columns=100):
        """On a terminal of its own; Ctrl-C once what it shows matches `interrupt`. Returns exit status and output."""
        child, terminal = pty.fork()
        if child == 0:
            os.execve(POOLCTL, self.command(*words), {**PLAIN, "TERM": "xterm", "COLUMNS": str(columns)})
        output = ""
        while True:
            ready, _, _ = select.select([terminal], [], [], 60)
            self.assertTrue(ready, f"nothing more for a minute after {output!r}")
            try:
                output += os.read(terminal, 4096).decode()
            except OSError:
                break
            if interrupt and re.search(interrupt, output):
                os.write(terminal, b"\x03")
                interrupt = None
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output


class Verbs(Command, Case):
    def pool(self, name):
        directory = self.directory(name)
        self.addCleanup(self.remove_pool, name)
        self.poolctl("define", name, "dir", f"target.path={directory}", "--build", "--start")
        return directory

    def test_pool_life(self):
        directory = self.directory("life")
        self.addCleanup(self.remove_pool, "life")
        self.poolctl("define", "life", "dir", f"target.path={directory}", "description=a b", "--autostart")
        self.assertFalse(os.path.exists(directory))
        row = self.json("list", "--state=inactive")
        self.assertEqual([(p["Name"], p["Autostart"], p["Description"]) for p in row if p["Name"] == "life"],
                         [("life", True, "a b")])
        self.poolctl("autostart", "life", "off")
        self.poolctl("build", "life")
        self.assertTrue(os.path.isdir(directory))
        self.poolctl("start", "life")
        self.poolctl("start", "life", status=FAILED)
        self.poolctl("refresh", "life")
        shown = self.json("show", "life")
        self.assertEqual((shown["State"], shown["Autostart"], shown["TargetPath"]), ("active", False, directory))
        self.assertRegex(self.poolctl("show", "life"), r"(?m)^ +State: active$")
        self.assertRegex(self.poolctl("list"), r"(?m)^NAME +TYPE +STATE")
        self.assertNotIn("STATE", self.poolctl("list", "--no-legend"))
        self.poolctl("undefine", "life", status=FAILED)
        self.poolctl("stop", "life")
        self.poolctl("delete", "life")
        self.assertFalse(os.path.exists(directory))
        self.poolctl("undefine", "life")
        self.poolctl("show", "life", status=ABSENT)

    def test_definitions(self):
        directory = self.pool("def")
        xml = self.poolctl("xml", "def")
        self.assertIn(f"<path>{directory}</path>", xml)
        self.poolctl("update", "def", "description=new", "reserved=1M")
        self.assertIn("value='new'", self.poolctl("xml", "def", "--inactive"))
        self.poolctl("update", "def", "description=")
        waiting = self.poolctl("xml", "def", "--inactive")
        self.assertNotIn("description", waiting)
        self.assertIn("reserved", waiting)
        self.poolctl("update", "def", "nonsense=1", status=FAILED)
        strange = xml.replace("<target>", "<strange/><target>")
        self.poolctl("update", "def", "--xml=-", stdin=strange, status=FAILED)
        self.poolctl("update", "def", "--xml=-", "--lax", stdin=strange)
        other = xml.replace("<name>def</name>", "<name>other</name>").replace(directory, directory + "2")
        other = re.sub("<uuid>.*</uuid>", "", other)
        self.addCleanup(self.remove_pool, "other")
        self.poolctl("define", "-", "--transient", "--build", stdin=other)
        self.assertEqual(self.json("show", "other")["Persistent"], False)
        self.poolctl("stop", "other")
        self.poolctl("show", "other", status=ABSENT)

    def test_volumes(self):
        directory = self.pool("vol")
        self.poolctl("create", "vol/a.raw", "1G")
        self.poolctl("create", "vol/b.qcow2", "2G", "--format", "qcow2", "cluster_size=128K")
        self.poolctl("create", "--xml=-", "vol", stdin=IMAGE)
        self.assertEqual(os.stat(f"{directory}/a.raw").st_size, GIB)
        self.poolctl("create", "vol/a.raw", "1G", status=FAILED)
        self.assertIn("a.raw", self.said)
        self.poolctl("create", "vol/none", "1G", "nonsense=1", status=FAILED)
        listed = self.json("volumes", "vol")
        self.assertEqual([(v["Pool"], v["Name"], v["Format"], v["Capacity"]) for v in listed],
                         [("vol", "a.raw", "raw", GIB), ("vol", "b.qcow2", "qcow2", 2 * GIB), ("vol", "fromxml", "raw", 3 * MIB)])
        self.assertEqual([v["Name"] for v in self.json("volumes", "vol", "--sort=capacity", "--reverse")],
                         ["b.qcow2", "a.raw", "fromxml"])
        filtered = self.json("volumes", "vol", "--pattern=*.qcow2")
        self.assertEqual([v["Name"] for v in filtered], ["b.qcow2"])
        self.assertLessEqual(set(filtered[0]), set(listed[1]))
        self.poolctl("resize", "vol/b.qcow2", "+1G")
        self.poolctl("resize", "vol/a.raw", "-512M", status=FAILED)
        self.poolctl("resize", "vol/a.raw", "-512M", "--shrink")
        info = self.json("info", "vol/b.qcow2")
        self.assertEqual((info["Capacity"], info["Pool"], info["Details"]["cluster_size"]), (3 * GIB, "vol", 128 * 1024))
        self.assertEqual(self.json("info", "vol/a.raw")["Capacity"], GIB // 2)
        self.poolctl("clone", "vol/b.qcow2", "vol/c.qcow2", "4G")
        self.assertEqual(self.json("info", "vol/c.qcow2")["Capacity"], 4 * GIB)
        self.assertIn("<name>c.qcow2</name>", self.poolctl("xml", "vol/c.qcow2"))
        self.assertEqual(self.poolctl("find", f"{directory}/c.qcow2"), "vol/c.qcow2\n")
        self.assertEqual(self.poolctl("find", directory), "vol\n")
        self.assertEqual(self.poolctl("find", "c.qcow2", cwd=directory), "vol/c.qcow2\n")
        self.poolctl("find", "/nonexistent", status=ABSENT)
        self.poolctl("create", "vol/over", "--format=qcow2", "backing.path=b.qcow2")
        self.assertEqual(self.json("info", "vol/over")["BackingPath"], "b.qcow2")
        self.poolctl("rm", "vol/b.qcow2", status=FAILED)
        self.poolctl("rm", "vol/b.qcow2", "--dependents")
        self.assertFalse(os.path.exists(f"{directory}/over"))
        self.poolctl("rm", "vol/nothing", "vol/a.raw", status=ABSENT)
        self.assertFalse(os.path.exists(f"{directory}/a.raw"))

    def test_passphrase(self):
        directory = self.pool("enc")
        self.poolctl("create", "enc/v", "10M", "encryption.format=luks", "--passphrase-file=-", stdin="secret")
        with open(f"{directory}/v", "rb") as file:
            self.assertEqual(file.read(4), b"LUKS")
        self.poolctl("create", "enc/w", "10M", "encryption.format=luks", "--passphrase-file=/nonexistent", status=FAILED)

    def test_strange_names(self):
        directory = self.pool("odd")
        for name in (b"a\x1b[31mred", b"new\nline", b"\xff\xfe", "naïve".encode()):
            with open(os.path.join(directory.encode(), name), "w", encoding="utf-8"):
                pass
        self.poolctl("refresh", "odd")
        table = self.poolctl("volumes", "odd", "--no-legend")
        self.assertEqual(len(table.splitlines()), 4)
        self.assertNotRegex(table, r"[\x00-\x09\x0b-\x1f]")
        for name in [v["Name"] for v in self.json("volumes", "odd")]:
            self.poolctl("rm", f"odd/{name}")
        self.assertEqual(os.listdir(directory), [])

    def test_jobs(self):
        self.pool("jobs")
        path = self.poolctl("create", "jobs/v", "1M", "--no-wait").strip()
        self.assertRegex(path, r"^/org/example/Storage/job/\d+$")
        self.assertTrue(wait_until(lambda: self.json("volumes", "jobs"), 20))
        job = [j for j in self.json("jobs", "--all") if j["Object"] == "jobs/v"]
        self.assertEqual([(j["Operation"], j["State"]) for j in job], [("volume-create", "done")])
        self.assertIn("jobs/v", self.poolctl("jobs", "--all"))
        self.poolctl("cancel", path.rsplit("/", 1)[-1], status=FAILED)
        self.poolctl("cancel", "999999", status=ABSENT)

    def test_service_facts(self):
        self.pool("facts")
        self.assertIn("dir", [b["Name"] for b in self.json("backends")])
        self.assertIn("target.path", self.poolctl("backends", "dir"))
        self.assertIn("target.path", [o["name"] for o in self.json("backends", "dir")["PoolOptions"]])
        self.assertEqual(self.json("auth", "facts", "volume-create"), {"volume-create": "yes"})
        self.poolctl("discover", "dir", status=FAILED)
        self.poolctl("create", "facts/v", "1M")
        access = self.json("access", "facts/v", str(os.getuid()))
        self.assertEqual(access["Allowed"], True)

    def test_import_libvirt(self):
        source = os.path.join(self.scratch, "libvirt")
        os.makedirs(f"{source}/autostart")
        for name in ("one", "two"):
            self.addCleanup(self.remove_pool, name)
            with open(f"{source}/{name}.xml", "w", encoding="utf-8") as file:
                file.write(f"<!-- WARNING -->\n<pool type='dir'><name>{name}</name><novelty/>"
                           f"<target><path>{self.directory(name)}</path></target></pool>")
        os.symlink("../two.xml", f"{source}/autostart/two.xml")
        planned = self.json("import-libvirt", source, "--dry-run")
        self.assertEqual([p["Result"] for p in planned], ["would be taken"] * 2)
        self.poolctl("show", "one", status=ABSENT)
        with open(f"{source}/bad.xml", "w", encoding="utf-8") as file:
            file.write("nonsense")
        done = subprocess.run(self.command("import-libvirt", source, "--json=short"), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, FAILED)
        report = json.loads(done.stdout)
        self.assertEqual([(p["File"], p["Result"], p["Autostart"]) for p in report],
                         [("bad.xml", "not taken", False), ("one.xml", "taken", False), ("two.xml", "taken", True)])
        self.assertTrue(report[0]["Reason"])
        self.assertEqual(self.json("show", "two")["Autostart"], True)
        os.unlink(f"{source}/bad.xml")
        self.assertEqual([p["Result"] for p in self.json("import-libvirt", source)], ["known"] * 2)

    def test_monitor(self):
        directory = self.pool("mon")
        # Unbuffered: select() does not see what was read ahead.
        with subprocess.Popen(self.command("monitor", "--json=short"), stdout=subprocess.PIPE, bufsize=0, env=PLAIN) as monitor:
            events = []

            def came(event, volume=None):
                while select.select([monitor.stdout], [], [], 20)[0]:
                    events.append(json.loads(monitor.stdout.readline()))
                    if (events[-1]["Event"], events[-1].get("Volume")) == (event, volume):
                        return events[-1]
                raise AssertionError(f"no {event} among {events}")

            time.sleep(0.5)  # the subscription has to stand
            with open(f"{directory}/outside", "wb") as file:
                file.truncate(MIB)
            self.assertEqual(came("volume-added", "outside")["Pool"], "mon")
            self.poolctl("create", "mon/v", "1M", "--no-wait")
            self.assertEqual(came("job-added", "v")["Data"]["Operation"], "volume-create")
            os.unlink(f"{directory}/outside")
            came("volume-removed", "outside")
            monitor.send_signal(signal.SIGINT)
            self.assertEqual(monitor.wait(20), 0)

    def test_terminal(self):
        self.pool("tty")
        self.assertEqual(self.terminal("create", "tty/a-very-long-name-of-a-volume", "1M"), (0, ""))
        status, output = self.terminal("clone", "tty/a-very-long-name-of-a-volume", "tty/b")
        self.assertEqual(status, 0)
        self.assertRegex(output, r"^tty/b: (reflink|copy)\r\n$")
        status, output = self.terminal("volumes", "tty", columns=60)
        lines = re.sub("\x1b\\[[0-9;]*m", "", output).split("\r\n")
        self.assertIn("…", output)
        self.assertIn("\x1b[", output)
        self.assertTrue(all(len(line) <= 60 for line in lines), lines)
        status, output = self.terminal("show", "nothing")
        self.assertEqual(status, ABSENT)

    def test_interrupt(self):
        directory = self.pool("int")
        status, output = self.terminal("create", "int/big", "3G", "--format=qcow2", "preallocation=full",
                                       interrupt="volume-create int/big")
        self.assertEqual(status, FAILED, output)
        self.assertIn("cancelled", output)
        self.assertEqual(os.listdir(directory), [])

    def test_over_ssh(self):
        """ssh is played by a script that runs the other side here."""
        self.pool("ssh")
        tools = os.path.join(self.scratch, "tools")
        os.makedirs(tools)
        with open(f"{tools}/ssh", "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\n[ "$2" = far ] || exit 255\nshift 2\n'
                       '[ "$1" = systemd-stdio-bridge ] && set -- "$1" -p "$DBUS_SYSTEM_BUS_ADDRESS"\nexec sh -c "$*"\n')
        with open(f"{tools}/poolctl", "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec "{POOLCTL}" "$@"\n')
        for name in ("ssh", "poolctl"):
            os.chmod(f"{tools}/{name}", 0o755)
        far = {**PLAIN, "PATH": f"{tools}:{PLAIN['PATH']}", "DBUS_SYSTEM_BUS_ADDRESS": self.bus.address}

        def over(*words, **more):
            done = subprocess.run([POOLCTL, *words, "--host=far"], capture_output=True, text=True, env=far, timeout=60,
                                  check=False, **more)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            return done.stdout

        over("create", "ssh/it's a b", "1M")
        over("create", "ssh/enc", "1M", "encryption.format=luks", "--passphrase-file=-", input="secret")
        self.assertEqual([v["Name"] for v in json.loads(over("volumes", "ssh", "--json=short"))], ["enc", "it's a b"])
        done = subprocess.run([POOLCTL, "list", "--host=nowhere"], capture_output=True, text=True, env=far, timeout=60, check=False)
        self.assertEqual(done.returncode, FAILED)
        self.assertRegex(done.stderr, "nowhere.*ssh")

    def test_without_service(self):
        done = subprocess.run([POOLCTL, f"--address={self.bus.address}nowhere", "list"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, FAILED)


class Refused(Command, SystemCase):
    def test_by_polkit(self):
        pool = self.make_pool("guarded")
        self.poolctl("create", "guarded/v", "1M", status=REFUSED, uid=USERS["refused"])
        self.poolctl("create", "guarded/v", "1M", status=REFUSED, uid=USERS["other"])
        self.poolctl("create", "guarded/v", "1M", uid=USERS["allowed"])
        self.assertEqual(self.json("auth", "guarded", "volume-create", uid=USERS["refused"]), {"volume-create": "no"})
        self.assertEqual(self.json("auth", "guarded", "volume-create", uid=USERS["allowed"]), {"volume-create": "yes"})
        self.assertEqual(self.json("auth", "guarded", "volume-create", uid=USERS["other"]), {"volume-create": "challenge"})
        access = subprocess.run(self.command("access", "guarded/v", "other"), capture_output=True, text=True, check=False)
        self.assertEqual((access.returncode, access.stdout[:4]), (1, "no: "))
        self.poolctl("rm", "guarded/v")
        self.assertEqual(os.listdir(pool["TargetPath"]), [])
