# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service in a machine that boots: its unit, the pools that start by themselves, what the journal says."""

import os

from client import MIB, wait_until
from data import run
from vm import UNIT, VmCase, journal

WARNING = "4"


class Boot(VmCase):
    def test_unit(self):
        self.assertEqual(run("systemctl", "is-enabled", UNIT).strip(), b"enabled")
        self.assertEqual(run("systemctl", "show", "-P", "ActiveState", UNIT).strip(), b"active")
        self.assertEqual(run("systemctl", "show", "-P", "NRestarts", UNIT).strip(), b"0")
        begun = int(run("systemctl", "show", "-P", "ExecMainStartTimestampMonotonic", UNIT))
        booted = int(run("systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", "multi-user.target"))
        self.assertLess(begun, booted, "it was not started with the machine")

    def begin(self):
        pool = self.make_pool("starts")
        pool.SetAutostart(True)
        pool.CreateVolume("v", MIB, wait=True)
        self.make_pool("stays")
        return True

    def test_pools_at_boot(self):
        self.across_power_cut(self.begin)
        self.addCleanup(self.remove_pool, "starts")
        self.addCleanup(self.remove_pool, "stays")
        self.assertTrue(wait_until(lambda: self.client.pool("starts")["State"] == "active", 20))
        self.assertEqual(self.client.volume("starts", "v")["Capacity"], MIB)
        self.assertEqual(self.client.pool("stays")["State"], "inactive")
        self.assertTrue(os.path.exists(self.directory("stays")))
        self.assertEqual(journal(f"--unit={UNIT}", f"--priority={WARNING}"), "")
