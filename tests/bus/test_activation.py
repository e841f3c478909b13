# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bus starts the service for its first caller, and the service leaves when it has nothing to do."""

import os
import unittest

from bed import IN_SANDBOX, Case, SystemCase, processes
from client import MIB, NAME, ROOT, GLib, Gio, wait_until


@unittest.skipUnless(IN_SANDBOX, "needs root and namespaces for a system bus of its own")
class Activation(SystemCase):
    @classmethod
    def start_daemon(cls):
        """Nobody starts it here but the bus."""

    def call(self, flags=Gio.DBusCallFlags.NONE):
        return self.client.connection.call_sync(
            NAME, ROOT, f"{NAME}.Manager", "ListPools", GLib.Variant("(a{sv})", ({},)), None, flags, 20000, None
        )

    @staticmethod
    def daemons():
        return [pid for pid, (name, state, _) in processes().items() if name == "poolkeeperd" and state not in "ZX"]

    def test_first_call_starts_it(self):
        self.assertFalse(self.client.has_service())
        self.call()
        self.assertTrue(self.client.has_service())
        self.assertEqual(len(self.daemons()), 1)
        pid = self.client.bus("GetConnectionUnixProcessID", "s", NAME)
        self.assertEqual([pid], self.daemons())
        os.kill(pid, 15)
        self.assertTrue(wait_until(lambda: not self.daemons(), 20))
        self.call()
        self.assertNotEqual(self.daemons(), [pid])
        os.kill(self.daemons()[0], 15)
        self.assertTrue(wait_until(lambda: not self.daemons(), 20))


class IdleExit(Case):
    arguments = {"idle_timeout": 1}

    def test_leaves_when_nothing_is_active(self):
        pool = self.make_pool()
        pool.CreateVolume("v", MIB, wait=True)
        wait_until(lambda: False, 2.5)
        self.assertIsNone(self.daemon.process.poll(), "it left although a pool is active")
        self.assertEqual(self.daemon.workers(), [], "its session worker is still there")
        pool.CreateVolume("w", MIB, wait=True)
        pool.Stop(wait=True)
        self.assertEqual(self.daemon.wait(10), 0)
        self.restart()
