# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which questions stand before each way of moving data, with which details; quotas; and fairness between users."""

import os
import tempfile
import time

from authority import Authority
from bed import IN_SANDBOX, QUICK, USERS, SystemCase
from client import GIB, MIB, wait_until
from data import DONE, pattern

AUTH_ERRORS = ("AccessDenied", "InteractiveAuthorizationRequired")


class Rights(SystemCase):
    def data(self, size=65536):
        """A new file of that size, which is gone with its descriptor."""
        file = tempfile.TemporaryFile(dir=self.scratch)
        self.addCleanup(file.close)
        file.write(pattern(size))
        file.seek(0)
        return file.fileno()


class Questions(Rights):
    """Asked of an authority that writes down what it is asked."""

    polkit = False

    def setUp(self):
        self.lab, self.two = self.make_pool("lab"), self.make_pool("two")
        self.lab.CreateVolume("v", 8 * MIB, format="qcow2", wait=True)
        self.lab.CreateVolume("r", 4 * MIB, wait=True)
        self.client.volume("lab", "v").CreateSnapshot("s", wait=True)
        self.authority = Authority()
        self.addCleanup(self.authority.close)
        self.caller = self.user("vmuser")

    def asked(self, call):
        """Every question until the call ends, all answered with yes; {action: [details]}."""
        found = {}
        while wait_until(lambda: call.done or self.authority.questions, 30) and self.authority.questions:
            question = self.authority.next()
            found.setdefault(question.action, []).append(question.details)
            question.answer(True)
        call.result()
        return found

    def volume(self, name="v", pool="lab"):
        return self.caller.volume(pool, name)

    def assertDetails(self, details, **expected):
        expected = {key.replace("_", "."): value for key, value in expected.items()}
        self.assertEqual({key: details.get(key) for key in expected}, expected)

    def test_on_a_volume(self):
        fd = self.data()
        cases = {
            "upload": (lambda: self.volume("r").Upload.begin(fd, wait=True), ["volume-write"]),
            "download": (lambda: self.volume().Download.begin(fd, wait=True), ["volume-read"]),
            "export": (lambda: self.volume().Export.begin(fd, wait=True), ["volume-read"]),
            "wipe": (lambda: self.volume("r").Wipe.begin("zero", wait=True), ["volume-wipe"]),
            "convert": (lambda: self.volume("r").Convert.begin("qcow2", wait=True), ["volume-write"]),
            "convert back": (lambda: self.volume("r").Convert.begin("raw", wait=True), ["volume-write"]),
            "snapshot": (lambda: self.volume().CreateSnapshot.begin("t", wait=True), ["snapshot-manage"]),
            "revert": (
                lambda: self.caller.snapshot(self.client.volume("lab", "v")["Snapshots"][0]).Revert.begin(wait=True),
                ["snapshot-manage", "volume-write"],
            ),
            "snapshot delete": (
                lambda: self.caller.snapshot(self.client.volume("lab", "v")["Snapshots"][0]).Delete.begin(wait=True),
                ["snapshot-manage"],
            ),
            "attachment": (lambda: self.volume().GetAttachment.begin("qemu-blockdev"), ["volume-list"]),
        }
        for title, (call, actions) in cases.items():
            with self.subTest(title):
                found = self.asked(call())
                self.assertEqual(sorted(found), sorted(actions))
                for details in (d for all_of_it in found.values() for d in all_of_it):
                    self.assertDetails(details, pool="lab", pool_type="dir", volume_owner="0", **{"caller_uid": str(USERS["vmuser"])})
                    self.assertIn(details["volume"], ("v", "r"))
                    self.assertIn(details["volume.format"], ("qcow2", "raw"))

    def test_open(self):
        for words, action in (({"read-only": "yes"}, "volume-read"), ({"read-only": "no"}, "volume-write")):
            with self.subTest(words=str(words)):
                call = self.volume().Open.begin(words)
                found = self.asked(call)
                os.close(call.answer[0])
                self.assertIn(action, found)
                self.assertDetails(found[action][0], pool="lab", volume="v", **{"read-only": words["read-only"]})
                if action == "volume-read":
                    self.assertEqual(list(found), ["volume-read"])

    def test_auto_never_asks_for_a_password_to_write(self):
        """Writable only when that is free of a dialog; a caller who would take one is not shown it for writing."""
        call = self.volume().Open.begin(interactive=True)
        modes = []
        while wait_until(lambda: call.done or self.authority.questions, 30) and self.authority.questions:
            question = self.authority.next()
            modes.append((question.action, question.flags & 1))
            question.answer(question.action == "volume-read", question.action == "volume-write")
        fd, _, read_only, _ = call.result()
        os.close(fd)
        self.assertTrue(read_only)
        self.assertNotIn(("volume-write", 1), modes)
        self.assertIn("volume-read", [action for action, _ in modes])

    def test_import(self):
        call = self.lab_of_caller().ImportVolume.begin(
            "new", self.data(), {"source-format": "raw", "capacity": 3 * MIB, "format": "qcow2"}, wait=True
        )
        found = self.asked(call)
        self.assertEqual(list(found), ["volume-create"])
        self.assertDetails(
            found["volume-create"][0], pool="lab", volume="new", volume_format="qcow2", capacity=str(3 * MIB), caller_capacity="0"
        )
        self.assertEqual(self.client.volume("lab", "new")["Creator"], USERS["vmuser"])

    def lab_of_caller(self):
        return self.caller.pool("lab")

    def test_clone_between_pools(self):
        found = self.asked(self.caller.pool("two").CloneVolume.begin("copy", self.volume().path, capacity=16 * MIB, wait=True))
        self.assertEqual(sorted(found), ["volume-create", "volume-read"])
        self.assertDetails(found["volume-read"][0], pool="lab", volume="v")
        self.assertDetails(found["volume-create"][0], pool="two", volume="copy", capacity=str(16 * MIB))

    def test_move(self):
        found = self.asked(self.volume("r").Move.begin(self.two.path, name="w", wait=True))
        self.assertEqual(sorted(found), ["volume-create", "volume-delete", "volume-read"])
        self.assertDetails(found["volume-create"][0], pool="two", volume="w", capacity=str(4 * MIB))
        self.assertDetails(found["volume-delete"][0], pool="lab", volume="r", volume_owner="0")

    def test_rename(self):
        found = self.asked(self.volume("r").Rename.begin("w", wait=True))
        self.assertEqual(sorted(found), ["volume-create", "volume-delete"])
        self.assertDetails(found["volume-create"][0], pool="lab", volume="w")
        self.assertDetails(found["volume-delete"][0], pool="lab", volume="r")

    def test_rebase_and_flatten(self):
        self.lab.CreateVolume("top", 8 * MIB, {"format": "qcow2", "backing.path": "v"}, wait=True)
        self.lab.CreateVolume("base2", 8 * MIB, wait=True)
        found = self.asked(self.volume("top").Rebase.begin(self.client.volume("lab", "base2").path, wait=True))
        self.assertEqual(sorted(found), ["volume-read", "volume-write"])
        self.assertDetails(found["volume-read"][0], volume="base2")
        self.assertDetails(found["volume-write"][0], volume="top")
        found = self.asked(self.volume("top").Flatten.begin(wait=True))
        self.assertIn("volume-write", found)
        self.assertLessEqual(set(found), {"volume-write", "volume-read"})

    def test_whole_pool(self):
        self.client.snapshot(self.client.volume("lab", "v")["Snapshots"][0]).Delete(wait=True)
        found = self.asked(self.lab_of_caller().ConvertVolumes.begin("raw", wait=True))
        self.assertEqual(list(found), ["volume-write"])
        self.assertEqual({details["volume"] for details in found["volume-write"]}, {"v"})

    def test_open_volume(self):
        call = self.lab_of_caller().OpenVolume.begin("new", create="any", size=5 * MIB, format="raw")
        found = self.asked(call)
        os.close(call.answer[0])
        self.assertIn("volume-create", found)
        self.assertDetails(found["volume-create"][0], volume="new", capacity=str(5 * MIB), volume_format="raw")
        with self.subTest("from a template"):
            call = self.lab_of_caller().OpenVolume.begin("new2", create="new", template="r")
            found = self.asked(call)
            os.close(call.answer[0])
            self.assertLessEqual({"volume-create", "volume-read"}, set(found))

    def test_descriptor_of_a_caller_who_thinks(self):
        """While polkit thinks the descriptor is kept, and the data comes from it afterwards."""
        read, write = os.pipe()
        self.addCleanup(os.close, write)
        call = self.volume("r").Upload.begin(read, wait=True)
        os.close(read)
        question = self.authority.next()
        os.write(write, b"late")
        question.answer(False)
        self.assertRaisesError("AccessDenied", call.result)
        # Refused: nobody of the service has the reading end any more.
        gone = lambda: self.broken(write)  # noqa: E731
        self.assertTrue(wait_until(gone, 5), "the descriptor of a refused call is still open")

    @staticmethod
    def broken(write):
        try:
            os.write(write, b"x")
            return False
        except BrokenPipeError:
            return True


class Quota(Rights):
    """The example rule: 100 GiB in the pool lab for each member of vmusers."""

    def setUp(self):
        self.lab = self.make_pool("lab")
        self.mine = self.user("vmuser").pool("lab")

    def test_import_charges_what_it_may_become(self):
        words = {"source-format": "raw", "format": "raw"}
        self.assertRaisesError(AUTH_ERRORS, self.mine.ImportVolume, "a", self.data(), words | {"capacity": 101 * GIB}, wait=True)
        self.mine.ImportVolume("a", self.data(), words | {"capacity": GIB}, wait=True)
        with self.subTest("what is under way counts"):
            slow = self.mine.ImportVolume("b", self.data(8 * MIB), words | {"capacity": 90 * GIB, "bandwidth": MIB})
            self.assertRaisesError(AUTH_ERRORS, self.mine.CreateVolume, "c", 20 * GIB, wait=True)
            self.client.job(slow).Cancel()
            wait_until(lambda: self.client.job(slow)["State"] in DONE, 10)
        with self.subTest("and is free again"):
            self.mine.CreateVolume("c", 20 * GIB, wait=True)
        with self.subTest("an image of more than that does not come in"):
            self.assertRaisesError(
                ("LimitsExceeded", "NoSpace", "InvalidArgs", "Failed"), self.mine.ImportVolume, "d", self.data(8 * MIB),
                words | {"capacity": 4 * MIB}, wait=True,
            )  # fmt: skip

    def test_clone_counts_with_its_capacity(self):
        allowed = self.user("allowed")
        allowed.pool("lab").CreateVolume("source", GIB, wait=True)
        # What another made may not be read by that rule, so it cannot be cloned either.
        self.assertRaisesError(AUTH_ERRORS, self.mine.CloneVolume, "copy", self.client.volume("lab", "source").path, wait=True)

    def test_nothing_of_another_s_by_that_rule(self):
        self.user("root").pool("lab").CreateVolume("root-s", MIB, wait=True)
        volume = self.user("vmuser").volume("lab", "root-s")
        fd = self.data()
        for title, call in (
            ("upload", lambda: volume.Upload(fd)), ("download", lambda: volume.Download(fd)), ("open", volume.Open),
            ("wipe", lambda: volume.Wipe("zero")), ("convert", lambda: volume.Convert("qcow2")),
            ("nbd", volume.OpenNBD), ("export", lambda: volume.Export(fd)),
        ):  # fmt: skip
            with self.subTest(title):
                self.assertRaisesError(AUTH_ERRORS, call)


class Fairness(Rights):
    def test_many_jobs_of_one_do_not_hold_up_another(self):
        """Root's slots aside, a user has four workers; what is more waits behind his own, not in front of others."""
        if QUICK or not IN_SANDBOX:
            self.skipTest("takes its time")
        lab = self.make_pool("lab")
        greedy, modest = self.user("allowed"), self.user("root")
        for i in range(12):
            lab.CreateVolume(f"v{i}", 8 * MIB, wait=True)
        jobs = [greedy.volume("lab", f"v{i}").Upload(self.data(8 * MIB), bandwidth=MIB) for i in range(10)]
        states = [self.client.job(job)["State"] for job in jobs]
        self.assertLessEqual(states.count("running"), 4)
        begin = time.monotonic()
        modest.pool("lab").CreateVolume("w", MIB, format="qcow2", wait=True)
        modest.volume("lab", "v11").Upload(self.data(), length=4096, wait=True)
        self.assertLess(time.monotonic() - begin, 5)
        for job in jobs:
            self.client.job(job).Cancel()
        self.assertTrue(wait_until(lambda: all(self.client.job(job)["State"] in DONE for job in jobs), 30))
        self.assertEqual({self.client.job(job)["State"] for job in jobs}, {"cancelled"})
        self.assertClean(lab["TargetPath"])
