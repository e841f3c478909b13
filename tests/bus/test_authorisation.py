# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may do what: every method as root, as a user whom polkit lets, as one whom it refuses, and as one who would have to give
a password; with the real polkitd, with none, and with one that takes its time."""

import os
import re
import shutil
import stat
import tempfile

from authority import Authority
from bed import USERS, SystemCase
from client import GIB, METHODS, MIB, BusError, Client, GLib, pool_path, snapshot_path, u32, volume_path, wait_until

AUTH_ERRORS = ("AccessDenied", "InteractiveAuthorizationRequired")

# Which action stands before each method; None: what it tells is public. Arguments suit the pool and volume of setUp.
ACTIONS = {
    "Manager.DefinePool": "pool-define",
    "Manager.DefinePoolXML": "pool-define",
    "Manager.CreatePool": "pool-define",
    "Manager.CreatePoolXML": "pool-define",
    "Manager.ListPools": None,
    "Manager.GetPool": None,
    "Manager.GetPoolByUUID": None,
    "Manager.GetPoolByPath": None,
    "Manager.GetVolumeByPath": None,  # of a volume that is known already
    "Manager.ListJobs": None,
    "Manager.DiscoverSources": None,  # of a type that has none: nobody need be asked
    "Manager.ListBackends": None,
    "Manager.DescribeBackend": None,
    "Manager.CheckAuthorized": None,
    "Pool.Start": "pool-manage",
    "Pool.Stop": "pool-manage",
    "Pool.Build": "pool-build",
    "Pool.Delete": "pool-delete",
    "Pool.Refresh": "pool-manage",
    "Pool.Undefine": "pool-manage",
    "Pool.SetAutostart": "pool-manage",
    "Pool.Update": "pool-define",
    "Pool.UpdateXML": "pool-define",
    "Pool.GetXML": "volume-list",
    "Pool.GetDefinition": "volume-list",
    "Pool.CreateVolume": "volume-create",
    "Pool.CreateVolumeXML": "volume-create",
    "Pool.CloneVolume": "volume-create",
    "Pool.ImportVolume": "volume-create",
    "Pool.ConvertVolumes": "volume-write",
    "Pool.OpenVolume": "volume-write",
    "Pool.GetVolume": None,
    "Pool.ListVolumes": "volume-list",
    "Pool.DumpVolumes": "volume-list",
    "Volume.Resize": "volume-resize",
    "Volume.SetFormat": "pool-define",
    "Volume.Delete": "volume-delete",
    "Volume.Refresh": "volume-list",
    "Volume.GetXML": "volume-list",
    "Volume.GetInfo": "volume-list",
    "Volume.CheckAccess": "volume-list",
    "Volume.Open": "volume-write",
    "Volume.OpenNBD": "volume-read",
    "Volume.Upload": "volume-write",
    "Volume.Download": "volume-read",
    "Volume.Export": "volume-read",
    "Volume.Rename": "volume-delete",
    "Volume.Move": "volume-delete",
    "Volume.Convert": "volume-write",
    "Volume.Flatten": "volume-write",
    "Volume.Rebase": "volume-write",
    "Volume.Wipe": "volume-wipe",
    "Volume.CreateSnapshot": "snapshot-manage",
    "Volume.GetAttachment": "volume-list",
    "Snapshot.Revert": "snapshot-manage",
    "Snapshot.Delete": "snapshot-manage",
    "Job.Cancel": "job-manage",
}

OPEN_TO_ALL = {"volume-list"}  # by polkit's defaults
NEEDS_INACTIVE = {"Pool.Start", "Pool.Build", "Pool.Delete", "Pool.Undefine"}


class EveryMethod(SystemCase):
    def prepare(self, method):
        """A pool, running or not as the method needs it, with a volume, and a job of root's that can be cancelled."""
        pool = self.make_pool("matrix")
        on = {"Volume.Flatten": "base", "Volume.Rebase": "base"}.get(method, "")
        if on or method == "Volume.Move":
            pool.CreateVolume("base", MIB, wait=True)
            self.make_pool("elsewhere")
        snapshots = method in ("Volume.CreateSnapshot", "Snapshot.Revert", "Snapshot.Delete")
        words = {"format": "qcow2"} if on or snapshots else {}
        pool.CreateVolume("v", MIB, words | ({"backing.path": on} if method == "Volume.Flatten" else {}), wait=True)
        if method.startswith("Snapshot."):
            self.client.volume("matrix", "v").CreateSnapshot("s", wait=True)
        if method == "Pool.Delete":
            self.client.volume("matrix", "v").Delete(wait=True)
        if method in NEEDS_INACTIVE:
            pool.Stop(wait=True)

    def words_for(self, method):
        directory = self.directory("new")
        pool_xml = f"<pool type='dir'><name>new</name><target><path>{directory}</path></target></pool>"
        same_xml = self.client.pool("matrix").GetXML()
        volume_xml = "<volume><name>new</name><capacity>1048576</capacity><target><format type='raw'/></target></volume>"
        return {
            "Manager.DefinePool": ("new", "dir", {"target.path": directory}),
            "Manager.DefinePoolXML": (pool_xml,),
            "Manager.CreatePool": ("new", "dir", {"target.path": directory}, {"build": True, "wait": True}),
            "Manager.CreatePoolXML": (pool_xml, {"build": True, "wait": True}),
            "Manager.GetPool": ("matrix",),
            "Manager.GetPoolByUUID": (self.client.pool("matrix")["UUID"],),
            "Manager.GetPoolByPath": (self.directory("matrix"),),
            "Manager.GetVolumeByPath": (self.directory("matrix") + "/v",),
            "Manager.DiscoverSources": ("dir", {}),
            "Manager.DescribeBackend": ("dir",),
            "Manager.CheckAuthorized": (pool_path("matrix"), ["volume-create"]),
            "Pool.SetAutostart": (True,),
            "Pool.Update": ({"target.path": self.directory("matrix"), "description": "x"},),
            "Pool.UpdateXML": (same_xml,),
            "Pool.CreateVolume": ("new", MIB),
            "Pool.CreateVolumeXML": (volume_xml,),
            "Pool.CloneVolume": ("new", volume_path("matrix", "v")),
            "Pool.GetVolume": ("v",),
            "Volume.Resize": (2 * MIB,),
            "Volume.SetFormat": ("raw",),
            "Volume.CheckAccess": (65534,),
            "Pool.ImportVolume": ("new", self.data, {"source-format": "raw"}),
            "Pool.ConvertVolumes": ("qcow2",),
            "Pool.OpenVolume": ("v", {"read-only": "no"}),
            "Volume.Open": ({"read-only": "no"},),
            "Volume.Upload": (self.data,),
            "Volume.Download": (self.data,),
            "Volume.Export": (self.data,),
            "Volume.Rename": ("new",),
            "Volume.Move": (pool_path("elsewhere"),),
            "Volume.Convert": ("qcow2",),
            "Volume.Rebase": (volume_path("matrix", "base"),),
            "Volume.Wipe": ("zero",),
            "Volume.CreateSnapshot": ("new",),
            "Volume.GetAttachment": ("qemu-blockdev",),
        }.get(method, ())

    def invoke(self, client, method):
        """What came of it: "ok" or the name of the error."""
        interface, name = method.split(".")
        if method == "Pool.DumpVolumes":
            try:
                os.close(client.dump("matrix")[0])
                return "ok"
            except GLib.Error as error:
                return re.search(r"Error\.(\w+)", error.message).group(1)
        proxy = {
            "Manager": client.manager,
            "Pool": client.pool("matrix"),
            "Volume": client.volume("matrix", "v"),
            "Snapshot": client.snapshot(snapshot_path("matrix", "v", "s")),
        }.get(interface)
        if interface == "Job":
            proxy = client.job(self.client.pool("matrix").Refresh())
        arguments = list(self.words_for(method))
        types = METHODS[interface][name][0].split()
        while len(arguments) < len(types):
            arguments.append({})
        try:
            answer = getattr(proxy, name)(*arguments)
            if METHODS[interface][name][1].startswith("h"):
                os.close(answer[0])
            return "ok"
        except BusError as error:
            return error.name

    def clean_new(self):
        if "new" in [p[1] for p in self.client.manager.ListPools()]:
            self.remove_pool("new")
        shutil.rmtree(self.directory("new"), ignore_errors=True)

    def test_every_method_is_in_the_table(self):
        self.assertEqual(set(ACTIONS), {f"{i}.{m}" for i, methods in METHODS.items() for m in methods})

    def test_every_method_as_everybody(self):
        clients = {name: self.user(name) for name in ("root", "allowed", "refused", "other")}
        with tempfile.TemporaryFile() as file:
            file.truncate(65536)
            self.data = file.fileno()
            self.every_method_as(clients)

    def every_method_as(self, clients):
        for method, action in ACTIONS.items():
            for user, client in clients.items():
                with self.subTest(method=method, user=user):
                    self.prepare(method)
                    before = self.state()
                    outcome = self.invoke(client, method)
                    if action is None or user in ("root", "allowed") or (user == "other" and action in OPEN_TO_ALL):
                        self.assertNotIn(outcome, AUTH_ERRORS)
                        if method not in ("Manager.DiscoverSources", "Job.Cancel"):
                            self.assertEqual(outcome, "ok")
                    else:
                        expected = "AccessDenied" if user == "refused" else "InteractiveAuthorizationRequired"
                        self.assertEqual(outcome, expected)
                        self.assertEqual(self.state(), before, "a call that was refused has changed something")
                self.clean_new()
                self.remove_pool("matrix")
                if "elsewhere" in [p[1] for p in self.client.manager.ListPools()]:
                    self.remove_pool("elsewhere")

    def state(self):
        pool = self.client.pool("matrix")
        rows = pool.ListVolumes()[0] if pool["State"] == "active" else []
        directory = self.directory("matrix")
        files = sorted(os.listdir(directory)) if os.path.isdir(directory) else None
        return (self.client.manager.ListPools(), pool["Autostart"], pool["Description"], rows, files)

    def test_the_name_is_root_s_alone(self):
        client = self.user("other")
        self.assertRaisesError("AccessDenied", client.bus, "RequestName", "su", "org.example.Storage", 0)

    def test_nobody_else_s_job(self):
        pool = self.make_pool("matrix")
        pool.CreateVolume("big", GIB, wait=True)
        with open(os.path.join(self.directory("matrix"), "big"), "r+b") as file:
            for _ in range(400):
                file.write(os.urandom(MIB))
        job = pool.CloneVolume("copy", volume_path("matrix", "big"), format="qcow2")
        with self.subTest("refused"):
            self.assertRaisesError("AccessDenied", self.user("refused").job(job).Cancel)
        with self.subTest("one's own is free"):
            self.finish(job)
            mine = self.user("allowed").pool("matrix").CloneVolume("copy-2", volume_path("matrix", "big"), format="qcow2")
            self.assertEqual(self.client.job(mine)["CallerUID"], USERS["allowed"])
            try:
                self.user("allowed").job(mine).Cancel()
            except Exception as error:
                self.assertNotIn(error.name, AUTH_ERRORS)

    def test_what_could_i_do(self):
        self.make_pool("matrix")
        actions = ["volume-create", "pool-define", "volume-list"]
        ask = lambda user: self.user(user).manager.CheckAuthorized(pool_path("matrix"), actions)  # noqa: E731
        self.assertEqual(ask("root"), {"volume-create": "yes", "pool-define": "yes", "volume-list": "yes"})
        self.assertEqual(ask("allowed"), {"volume-create": "yes", "pool-define": "yes", "volume-list": "yes"})
        self.assertEqual(ask("refused"), {"volume-create": "no", "pool-define": "no", "volume-list": "no"})
        self.assertEqual(ask("other"), {"volume-create": "challenge", "pool-define": "challenge", "volume-list": "yes"})

    def test_check_access_names_the_obstacle(self):
        pool = self.make_pool("matrix")
        pool.CreateVolume("v", MIB, wait=True)
        volume = self.client.volume("matrix", "v")
        self.assertEqual(volume.CheckAccess(0)[0], True)
        allowed, reason = volume.CheckAccess(USERS["other"])
        self.assertFalse(allowed)
        self.assertIn(self.directory("matrix"), reason)


class ExampleRules(SystemCase):
    """The rules file that ships as an example, met by the users it is for."""

    def setUp(self):
        self.lab = self.make_pool("lab")
        self.mine = self.user("vmuser").pool("lab")

    def test_create_and_delete_one_s_own(self):
        self.mine.CreateVolume("a", GIB, wait=True)
        self.assertEqual(self.client.volume("lab", "a")["Creator"], USERS["vmuser"])
        self.assertEqual(os.stat(self.client.volume("lab", "a")["Path"]).st_uid, 0)
        self.lab.CreateVolume("root-s", GIB, wait=True)
        vmuser = self.user("vmuser")
        with self.subTest("not another's"):
            self.assertRaisesError(AUTH_ERRORS, vmuser.volume("lab", "root-s").Delete, wait=True)
            self.assertRaisesError(AUTH_ERRORS, self.user("vmuser2").volume("lab", "a").Delete, wait=True)
        with self.subTest("nor another method"):
            self.assertRaisesError(AUTH_ERRORS, vmuser.volume("lab", "a").Resize, 2 * GIB, wait=True)
            self.assertRaisesError(AUTH_ERRORS, vmuser.pool("lab").Stop)
        vmuser.volume("lab", "a").Delete(wait=True)
        self.assertEqual([row[0] for row in self.lab.ListVolumes()[0]], ["root-s"])

    def test_use_one_s_own(self):
        self.mine.CreateVolume("a", MIB, wait=True)
        self.lab.CreateVolume("root-s", MIB, wait=True)
        vmuser = self.user("vmuser")
        for read_only in ("no", "yes"):
            fd, _, is_read_only, _ = vmuser.volume("lab", "a").Open({"read-only": read_only})
            os.close(fd)
            self.assertEqual(is_read_only, read_only == "yes")
            self.assertRaisesError(AUTH_ERRORS, vmuser.volume("lab", "root-s").Open, {"read-only": read_only})
            self.assertRaisesError(AUTH_ERRORS, self.user("vmuser2").volume("lab", "a").Open, {"read-only": read_only})
        fd, _, _, source = vmuser.pool("lab").OpenVolume("b", create="new", size=MIB)
        os.close(fd)
        self.assertEqual(source["volume"], "b")
        self.assertEqual(self.client.volume("lab", "b")["Creator"], USERS["vmuser"])

    def test_not_in_another_pool(self):
        self.make_pool("other")
        self.assertRaisesError(AUTH_ERRORS, self.user("vmuser").pool("other").CreateVolume, "a", MIB, wait=True)

    def test_not_another_user(self):
        self.assertRaisesError(AUTH_ERRORS, self.user("other").pool("lab").CreateVolume, "a", MIB, wait=True)

    def test_quota(self):
        self.mine.CreateVolume("a", 60 * GIB, wait=True)
        self.assertRaisesError(AUTH_ERRORS, self.mine.CreateVolume, "b", 41 * GIB, wait=True)
        self.mine.CreateVolume("c", 40 * GIB, wait=True)
        self.assertRaisesError(AUTH_ERRORS, self.mine.CreateVolume, "d", MIB, wait=True)
        # Another member of the group has a quota of his own.
        self.user("vmuser2").pool("lab").CreateVolume("e", 100 * GIB, wait=True)
        self.user("vmuser").volume("lab", "a").Delete(wait=True)
        self.mine.CreateVolume("b", 60 * GIB, wait=True)

    def test_two_creates_at_once_do_not_pass_the_quota(self):
        clients = [self.user("vmuser") for _ in range(6)]
        for turn in range(5):
            calls = [
                client.pool("lab").CreateVolume.begin(f"v{turn}-{i}", 60 * GIB, format="qcow2", wait=True)
                for i, client in enumerate(clients)
            ]
            self.assertTrue(wait_until(lambda calls=calls: all(c.done for c in calls), 60))
            self.assertEqual(len([c for c in calls if not c.error]), 1)
            self.assertLessEqual({c.error.name for c in calls if c.error}, {*AUTH_ERRORS, "Changed"})
            for row in self.lab.ListVolumes()[0]:
                self.client.volume("lab", row[0]).Delete(wait=True)

    def test_ownership_outlives_a_restart(self):
        self.mine.CreateVolume("a", 60 * GIB, wait=True)
        self.daemon.kill()
        self.restart()
        self.assertTrue(wait_until(lambda: self.lab["State"] in ("active", "inactive"), 10))
        if self.lab["State"] == "inactive":
            self.lab.Start(wait=True)
        self.assertEqual(self.client.volume("lab", "a")["Creator"], USERS["vmuser"])
        self.assertRaisesError(AUTH_ERRORS, self.user("vmuser").pool("lab").CreateVolume, "b", 60 * GIB, wait=True)

    def test_ownership_cannot_be_forged(self):
        self.lab.CreateVolume("v", MIB, wait=True)
        path = self.client.volume("lab", "v")["Path"]
        for name in ("user.poolkeeper.creator", "user.poolkeeper.owner", "user.poolkeeper"):
            os.setxattr(path, name, str(USERS["vmuser"]).encode())
        os.chown(path, USERS["vmuser"], 0)
        self.lab.Refresh(wait=True)
        self.assertNotEqual(self.client.volume("lab", "v")["Creator"], USERS["vmuser"])
        self.assertRaisesError(AUTH_ERRORS, self.user("vmuser").volume("lab", "v").Delete, wait=True)

    def test_words_of_an_administrator(self):
        with open("/etc/poolkeeper-test-secret", "w", encoding="ascii") as file:
            file.write("x" * 65536)
        for title, words in {
            "mode": {"mode": "0666"},
            "owner": {"owner": u32(USERS["other"])},
            "group": {"group": u32(USERS["other"])},
            "label": {"label": "system_u:object_r:etc_t:s0"},
            "backing file outside": {"format": "qcow2", "backing.path": "/etc/poolkeeper-test-secret", "backing.format": "raw"},
            "handover": {"owner": "caller"},
        }.items():
            with self.subTest(words=title):
                self.assertRaisesError(
                    (*AUTH_ERRORS, "NoSuchVolume", "InvalidArgs"), self.mine.CreateVolume, "v", MIB, words, wait=True
                )
        self.assertEqual(self.lab.ListVolumes()[0], [])

    def test_backing_volume_that_one_may_not_read(self):
        self.lab.CreateVolume("root-s", MIB, format="qcow2", wait=True)
        self.assertRaisesError(
            AUTH_ERRORS, self.mine.CreateVolume, "v", MIB, {"format": "qcow2", "backing.path": "root-s"}, wait=True
        )

    def test_handover_when_allowed(self):
        self.user("allowed").pool("lab").CreateVolume("v", MIB, owner="caller", wait=True)
        status = os.stat(self.client.volume("lab", "v")["Path"])
        self.assertEqual((status.st_uid, stat.S_IMODE(status.st_mode)), (USERS["allowed"], 0o600))


class NoPolkit(SystemCase):
    polkit = False

    def test_denied_without_polkit(self):
        pool = self.make_pool("lab")
        for user in ("allowed", "vmuser", "other"):
            with self.subTest(user=user):
                self.assertRaisesError("AccessDenied", self.user(user).pool("lab").CreateVolume, "v", MIB, wait=True)
        with self.subTest(user="root"):
            pool.CreateVolume("v", MIB, wait=True)
        with self.subTest("what is public stays so"):
            self.user("other").manager.ListPools()


class LatePolkit(SystemCase):
    """polkit thinks, and meanwhile the world changes."""

    polkit = False

    def setUp(self):
        self.lab = self.make_pool("lab")
        self.authority = Authority()
        self.addCleanup(self.authority.close)
        self.caller = self.user("vmuser")

    def create(self, name="v", capacity=MIB, **more):
        return self.caller.pool("lab").CreateVolume.begin(name, capacity, wait=True, **more)

    def test_question(self):
        call = self.create(capacity=7 * MIB, format="qcow2")
        question = self.authority.next()
        self.assertEqual(question.action, "volume-create")
        self.assertEqual(question.subject, ("system-bus-name", {"name": self.caller.connection.get_unique_name()}))
        self.assertEqual(question.flags & 1, 0)
        details = question.details
        self.assertEqual(
            {key: details.get(key) for key in ("pool", "pool.type", "volume", "volume.format", "capacity", "caller.capacity")},
            {
                "pool": "lab", "pool.type": "dir", "volume": "v", "volume.format": "qcow2", "capacity": str(7 * MIB),
                "caller.capacity": "0",
            },
        )  # fmt: skip
        question.answer(True)
        call.result()

    def test_interactive_flag_is_passed_on(self):
        call = self.caller.pool("lab").CreateVolume.begin("v", MIB, interactive=True, wait=True)
        question = self.authority.next()
        self.assertEqual(question.flags & 1, 1)
        question.answer(True)
        call.result()

    def test_answers(self):
        for title, act, error in (
            ("no", lambda q: q.answer(False), "AccessDenied"),
            ("challenge", lambda q: q.answer(False, True), "InteractiveAuthorizationRequired"),
            ("failure", lambda q: q.fail(), "AccessDenied"),
            ("nonsense", lambda q: q.answer_nonsense(), "AccessDenied"),
        ):
            with self.subTest(title):
                call = self.create()
                act(self.authority.next())
                self.assertRaisesError(error, call.result)
        self.assertEqual(self.lab.ListVolumes()[0], [])

    def test_pool_vanishes_meanwhile(self):
        call = self.create()
        question = self.authority.next()
        self.lab.Stop(wait=True)
        self.lab.Undefine()
        question.answer(True)
        self.assertRaisesError(("UnknownObject", "NoSuchPool"), call.result)
        self.assertTrue(self.client.has_service())

    def test_pool_is_stopped_meanwhile(self):
        call = self.create()
        question = self.authority.next()
        self.lab.Stop(wait=True)
        question.answer(True)
        self.assertRaisesError("PoolInactive", call.result)

    def test_volume_vanishes_meanwhile(self):
        self.lab.CreateVolume("v", MIB, wait=True)
        call = self.caller.volume("lab", "v").Delete.begin(wait=True)
        question = self.authority.next()
        self.client.volume("lab", "v").Delete(wait=True)
        question.answer(True)
        self.assertRaisesError(("UnknownObject", "NoSuchVolume"), call.result)

    def test_volume_is_replaced_meanwhile(self):
        """Allowed for what root made; by the time of the answer the name is somebody else's volume."""
        self.lab.CreateVolume("v", MIB, wait=True)
        call = self.caller.volume("lab", "v").Delete.begin(wait=True)
        question = self.authority.next()
        self.assertEqual(question.details["volume.owner"], "0")
        self.client.volume("lab", "v").Delete(wait=True)
        other = self.user("vmuser2").pool("lab").CreateVolume.begin("v", MIB, wait=True)
        self.authority.next().answer(True)
        other.result()
        question.answer(True)
        again = self.authority.next()
        self.assertEqual(again.details["volume.owner"], str(USERS["vmuser2"]))
        again.answer(False)
        self.assertRaisesError("AccessDenied", call.result)
        self.assertEqual([row[0] for row in self.lab.ListVolumes()[0]], ["v"])

    def test_quota_fills_meanwhile(self):
        first, second = self.create("a", GIB), self.create("b", GIB)
        questions = [self.authority.next(), self.authority.next()]
        self.assertEqual([q.details["caller.capacity"] for q in questions], ["0", "0"])
        for question in questions:
            question.answer(True)
        # Only one of them may use its answer; the other is asked about anew, with what is under way counted in.
        again = self.authority.next()
        self.assertEqual(again.details["caller.capacity"], str(GIB))
        again.answer(False)
        wait_until(lambda: first.done and second.done, 10)
        self.assertEqual(sorted(bool(c.error) for c in (first, second)), [False, True])

    def test_changed_for_ever(self):
        call = self.create("a", GIB)
        for i in range(10):
            if not wait_until(lambda: self.authority.questions or call.done, 10) or call.done:
                break
            question = self.authority.next()
            other = self.create(f"x{i}", MIB)
            self.authority.next().answer(True)
            other.result()
            question.answer(True)
        self.assertRaisesError("Changed", call.result)

    def test_caller_leaves_meanwhile(self):
        caller = self.user("vmuser2")
        caller.pool("lab").CreateVolume.begin("v", MIB, wait=True)
        question = self.authority.next()
        caller.close()
        wait_until(lambda: False, 0.1)
        question.answer(True)
        self.lab.Refresh(wait=True)
        wait_until(lambda: False, 0.2)
        self.assertTrue(self.client.has_service())
        self.assertEqual(self.lab.ListVolumes()[0], [])

    def test_daemon_is_told_to_end_meanwhile(self):
        call = self.create()
        question = self.authority.next()
        status, seconds = self.daemon.terminate()
        self.assertEqual(status, 0)
        self.assertLess(seconds, 5)
        question.answer(True)
        wait_until(lambda: call.done, 5)
        self.assertIsNotNone(call.error)
        self.restart()

    def test_others_are_served_while_it_thinks(self):
        call = self.create()
        question = self.authority.next()
        for i in range(20):
            self.lab.CreateVolume(f"w{i}", MIB, wait=True)
        question.answer(True)
        call.result()

    def test_open_questions_have_a_limit(self):
        callers = [self.user("vmuser") for _ in range(12)]
        calls = [caller.pool("lab").CreateVolume.begin(f"v{i}", MIB) for i in range(110) for caller in callers]
        self.assertTrue(wait_until(lambda: any(c.error for c in calls), 20), "no limit")
        self.assertEqual({c.error.name for c in calls if c.error}, {"LimitsExceeded"})
        self.assertLessEqual(len(self.authority.questions), 128)
        # Another user is not shut out by that.
        other = self.user("vmuser2").pool("lab").CreateVolume.begin("mine", MIB, wait=True)
        mine = lambda: other.done or any(q.details["volume"] == "mine" for q in self.authority.questions)  # noqa: E731
        self.assertTrue(wait_until(mine, 10), "another user was shut out")
        self.assertIsNone(other.error)
        next(q for q in self.authority.questions if q.details["volume"] == "mine").answer(True)
        other.result()
        for caller in callers:
            caller.close()


class Secrets(SystemCase):
    def test_signals_and_properties_hold_none(self):
        client = Client(uid=USERS["other"])
        self.addCleanup(client.close)
        self.make_pool("lab")
        self.assertNotIn("passphrase", str(client.managed_objects()))
