# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host goes down while data is on the move: logind is asked to wait, and nothing new begins."""

import os

from bed import SystemCase
from client import MIB, BusError, GLib, wait_until
from client import NAME as SERVICE
from logind import NAME, PATH, Logind


class Shutdown(SystemCase):
    polkit = False

    def setUp(self):
        self.logind = Logind()
        self.addCleanup(self.logind.close)
        self.pool = self.make_pool()
        self.pool.CreateVolume("v", MIB, wait=True)
        self.volume = self.client.volume(self.pool["Name"], "v")

    def upload(self):
        """A job that goes on until the pipe's other end is closed; returns the job and that end."""
        theirs, ours = os.pipe()
        job = self.client.job(self.volume.Upload(theirs))
        os.close(theirs)
        os.write(ours, b"x" * 4096)
        self.assertTrue(wait_until(lambda: job["State"] == "running", 10))
        return job, ours

    def lock(self):
        self.assertTrue(wait_until(lambda: self.logind.locks, 10), "logind was not asked for a lock")
        return self.logind.locks[-1]

    def accepts(self):
        try:
            self.pool.Refresh(wait=True)
        except BusError as error:
            self.assertIn("shutting down", error.message)
            return False
        return True

    def test_lock_while_bytes_move(self):
        job, data = self.upload()
        lock = self.lock()
        self.assertEqual((lock.what, lock.mode), ("shutdown", "delay"))
        self.assertTrue(lock.held)
        os.close(data)
        self.assertEqual(self.finish(job.path), "done")
        self.assertTrue(wait_until(lambda: not lock.held, 10), "the lock is not given back")
        self.assertEqual(len(self.logind.locks), 1)

    def test_nothing_new_begins(self):
        job, data = self.upload()
        lock = self.lock()
        self.logind.announce(True)
        self.assertTrue(wait_until(lambda: not self.accepts(), 10))
        self.assertEqual(job["State"], "running")
        self.assertTrue(lock.held)
        os.close(data)
        self.assertEqual(self.finish(job.path), "done")
        self.assertTrue(wait_until(lambda: not lock.held, 10), "the lock is not given back")
        self.logind.announce(False)
        self.assertTrue(wait_until(self.accepts, 10))

    def test_cancelled_gives_the_lock_back(self):
        job, data = self.upload()
        lock = self.lock()
        self.logind.announce(True)
        job.Cancel()
        self.assertEqual(self.finish(job.path), "cancelled")
        self.assertTrue(wait_until(lambda: not lock.held, 10), "the lock is not given back")
        os.close(data)
        self.logind.announce(False)
        self.assertTrue(wait_until(self.accepts, 10))

    def test_announced_by_anybody(self):
        stranger = self.user("other")
        words = (self.client.bus("GetNameOwner", "s", SERVICE), PATH, f"{NAME}.Manager", "PrepareForShutdown", GLib.Variant("(b)", (True,)))
        for _ in range(3):
            stranger.connection.emit_signal(*words)
        stranger.connection.flush_sync(None)
        self.assertTrue(stranger.has_service())  # what came before it has been read
        stranger.manager.ListPools()
        self.assertTrue(self.accepts())
