# SPDX-License-Identifier: LGPL-2.1-or-later
"""Operations that meet: a copy and what happens meanwhile to its source, its target and their pools; long chains; and images
that have no business in a copy."""

import os

from bed import QUICK
from client import MIB, GLib, wait_until
from data import DONE, DataCase, compare, pattern, read_file, write_file

SIZE = 16 * MIB


class Between(DataCase):
    def copying(self, **more):
        """A copy from one pool into another that takes some seconds."""
        self.one, self.two = self.make_pool("one"), self.make_pool("two")
        source = self.make_volume(self.one, "v", SIZE, data=pattern(SIZE))
        job = self.client.job(self.two.CloneVolume("w", source.path, bandwidth=8 * MIB, **more))
        self.assertTrue(wait_until(lambda: job["State"] in ("running", *DONE), 10))
        self.assertNotIn(job["State"], DONE, job["Error"])
        return source, job

    def over(self, job):
        if job["State"] not in DONE:
            job.Cancel()
        self.finish(job.path, 20)

    def test_source_is_deleted_meanwhile(self):
        source, job = self.copying()
        delete = source.Delete.begin(wait=True)
        wait_until(lambda: delete.done, 0.3)
        if delete.done:
            self.assertIn(delete.error.name, ("InUse", "Busy"))
            self.assertEqual(os.listdir(self.one["TargetPath"]), ["v"])
        self.over(job)
        self.assertEqual(os.listdir(self.two["TargetPath"]), [])
        wait_until(lambda: delete.done, 10)
        self.assertTrue(delete.done)

    def test_source_is_written_meanwhile(self):
        """An upload into what is copied waits or is refused: the copy is of one moment."""
        source, job = self.copying()
        upload = source.Upload.begin(self.open(write_file(self.path("new"), pattern(SIZE, 3))), wait=True)
        wait_until(lambda: upload.done, 0.3)
        self.assertTrue(not upload.done or upload.error.name in ("InUse", "Busy"))
        self.assertEqual(self.finish(job.path, 30), "done")
        self.assertEqual(read_file(self.client.volume("two", "w")["Path"]), pattern(SIZE))
        wait_until(lambda: upload.done, 10)

    def test_pools_are_stopped_meanwhile(self):
        for name in ("one", "two"):
            with self.subTest(pool=name):
                _, job = self.copying()
                pool = self.client.pool(name)
                stop = pool.Stop.begin(wait=True)
                wait_until(lambda stop=stop: stop.done, 0.3)
                forced = pool.Stop.begin(force=True, wait=True)
                self.assertTrue(wait_until(lambda f=forced, job=job: f.done or job["State"] in DONE, 20))
                self.over(job)
                wait_until(lambda f=forced, s=stop: f.done and s.done, 10)
                if self.client.pool(name)["State"] == "inactive":
                    self.client.pool(name).Start(wait=True)
                self.settle(self.client.pool(name))
                self.assertEqual(os.listdir(self.one["TargetPath"]), ["v"])
                self.assertClean(self.two["TargetPath"])
                self.remove_pool("one")
                self.remove_pool("two")

    def test_target_name_is_taken_meanwhile(self):
        _, job = self.copying()
        second = self.two.CreateVolume.begin("w", MIB, wait=True)
        write_file(os.path.join(self.two["TargetPath"], "w"), b"somebody else's")
        self.assertEqual(self.finish(job.path, 30), "failed")
        self.assertIn("VolumeExists", job["Error"][0])
        self.assertRaisesError(("VolumeExists", "Busy"), second.result, 20)
        self.assertEqual(read_file(os.path.join(self.two["TargetPath"], "w")), b"somebody else's")
        self.assertClean(self.two["TargetPath"])

    def test_two_copies_of_one(self):
        source, job = self.copying()
        self.two.CloneVolume("x", source.path, wait=True)
        compare(self.client.volume("two", "x")["Path"], "raw", source["Path"], "raw")
        self.assertEqual(self.finish(job.path, 30), "done")

    def test_moves_that_cross(self):
        """a to b and b to a at once, under one name: no deadlock, and nothing lost."""
        one, two = self.make_pool("one"), self.make_pool("two")
        a = self.make_volume(one, "a", SIZE, data=pattern(SIZE, 1))
        b = self.make_volume(two, "b", SIZE, data=pattern(SIZE, 2))
        calls = [a.Move.begin(two.path, wait=True), b.Move.begin(one.path, wait=True)]
        self.assertTrue(wait_until(lambda: all(c.done for c in calls), 60))
        self.assertEqual([c.error for c in calls], [None, None])
        self.assertEqual(read_file(self.client.volume("two", "a")["Path"]), pattern(SIZE, 1))
        self.assertEqual(read_file(self.client.volume("one", "b")["Path"]), pattern(SIZE, 2))

    def test_exchange_of_names(self):
        """Renames that run at once never lose a file."""
        pool = self.make_pool()
        for name in ("a", "b"):
            self.make_volume(pool, name, MIB, data=pattern(MIB, ord(name)))
        for _ in range(5):
            calls = [self.client.volume("exchange-of-names", old).Rename.begin(new, wait=True) for old, new in (("a", "c"), ("b", "c"))]
            wait_until(lambda calls=calls: all(c.done for c in calls), 20)
            self.assertEqual(len([c for c in calls if c.error]), 1)
            self.assertEqual(len(os.listdir(pool["TargetPath"])), 2)
            taken = "a" if not calls[0].error else "b"
            self.client.volume("exchange-of-names", "c").Rename(taken, wait=True)
        for name in ("a", "b"):
            self.assertEqual(read_file(os.path.join(pool["TargetPath"], name)), pattern(MIB, ord(name)))

    def test_a_chain_too_long(self):
        """There is a limit, it is told, and what is there still works."""
        pool = self.make_pool()
        last = self.make_volume(pool, "v0", MIB, data=pattern(MIB))
        for i in range(1, 20):
            try:
                pool.CloneVolume(f"v{i}", last.path, linked=True, wait=True)
            except Exception as error:
                self.assertIn(error.name, ("LimitsExceeded", "NotSupported", "InvalidArgs", "Failed"))
                self.assertGreater(i, 4)
                break
            last = self.client.volume("a-chain-too-long", f"v{i}")
        pool.CloneVolume("whole", last.path, format="raw", wait=True)
        self.assertEqual(read_file(self.client.volume("a-chain-too-long", "whole")["Path"]), pattern(MIB))
        self.result(last.Flatten(wait=True))

    def test_larger_than_its_base(self):
        """What lies beyond the base's end is zeros, before and after."""
        pool = self.make_pool()
        small = self.make_volume(pool, "small", MIB, data=pattern(MIB, 1))
        other = self.make_volume(pool, "other", 4 * MIB, data=pattern(4 * MIB, 2))
        for title, change in (("flatten", lambda v: v.Flatten(wait=True)), ("rebase", lambda v: v.Rebase(other.path, wait=True)),
                              ("convert", lambda v: v.Convert("raw", wait=True))):  # fmt: skip
            with self.subTest(title):
                pool.CloneVolume(title, small.path, linked=True, capacity=4 * MIB, wait=True)
                volume = self.client.volume("larger-than-its-base", title)
                self.result(change(volume))
                self.assertEqual(self.guest_reads(volume), pattern(MIB, 1) + bytes(3 * MIB))

    def test_encrypted(self):
        """Nobody gave the key: copied as it is or refused by name, never opened and never asked for on a terminal."""
        if QUICK:
            self.skipTest("making keys takes its time")
        pool, other = self.make_pool("one"), self.make_pool("two")
        for format in ("luks", "qcow2"):
            read, write = os.pipe()
            os.write(write, b"secret words")
            os.close(write)
            words = {"format": format, "passphrase": GLib.Variant("h", 0), "wait": True}
            if format == "qcow2":
                words["encryption.format"] = "luks"
            pool.CreateVolume(f"v-{format}", MIB, words, fds=[read])
            os.close(read)
            volume = self.client.volume("one", f"v-{format}")
            for title, call in (
                ("clone", lambda v=volume, f=format: pool.CloneVolume(f"c-{f}", v.path, wait=True)),
                ("clone to raw", lambda v=volume, f=format: pool.CloneVolume(f"r-{f}", v.path, format="raw", wait=True)),
                ("clone elsewhere", lambda v=volume, f=format: other.CloneVolume(f"c-{f}", v.path, wait=True)),
                ("convert", lambda v=volume: v.Convert("raw", wait=True)),
                ("linked", lambda v=volume, f=format: pool.CloneVolume(f"l-{f}", v.path, linked=True, wait=True)),
                ("wipe", lambda v=volume: v.Wipe("zero", wait=True)),
            ):
                with self.subTest(title, format=format):
                    try:
                        call()
                    except Exception as error:
                        self.assertIn(error.name, ("NotSupported", "InvalidArgs", "Failed", "InUse"))
                        self.assertTrue(error.message)
        self.assertEqual(pool["State"], "active")
