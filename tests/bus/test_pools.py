# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pools from definition to deletion, and what a restart keeps."""

import os
import shutil
import stat

from bed import Case
from client import MIB, BusError, pool_path, wait_until


class Definitions(Case):
    def test_life_of_a_pool(self):
        manager = self.client.manager
        path = self.directory("life")
        with self.client.listen() as news:
            pool_object = manager.DefinePool("life", "dir", {"target.path": path}, {})
            self.assertEqual(pool_object, pool_path("life"))
            news.added(pool_object)
            self.addCleanup(self.remove_pool, "life")
            pool = self.client.pool("life")
            self.assertEqual(pool["State"], "inactive")
            self.assertTrue(pool["Persistent"])
            self.assertRaisesError("PoolInactive", pool.CreateVolume, "x", MIB)
            pool.Build({"wait": True})
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o711)
            pool.Start({"wait": True})
            self.assertEqual(pool["State"], "active")
            self.assertGreater(pool["Capacity"], pool["Available"])
            self.assertRaisesError("PoolActive", pool.Undefine)
            self.assertRaisesError("PoolActive", pool.Delete)
            self.assertRaisesError("PoolActive", pool.Start)
            pool.Stop({"wait": True})
            self.assertEqual(pool["State"], "inactive")
            self.assertRaisesError("PoolInactive", pool.Stop)
            pool.Delete({"wait": True})
            self.assertFalse(os.path.exists(path))
            pool.Undefine()
            news.removed(pool_object)
        self.assertRaisesError("NoSuchPool", manager.GetPool, "life")

    def test_lookups(self):
        pool = self.make_pool()
        manager = self.client.manager
        self.assertEqual(manager.GetPool("lookups"), pool.path)
        self.assertEqual(manager.GetPoolByUUID(pool["UUID"]), pool.path)
        self.assertEqual(manager.GetPoolByUUID(pool["UUID"].upper()), pool.path)
        self.assertEqual(manager.GetPoolByPath(pool["TargetPath"]), pool.path)
        pool.CreateVolume("v", MIB, wait=True)
        volume = self.client.volume("lookups", "v")
        self.assertEqual(manager.GetVolumeByPath(volume["Path"]), volume.path)
        self.assertEqual([(p[1], p[2], p[3]) for p in manager.ListPools({"state": "active"})], [("lookups", "dir", "active")])
        self.assertEqual(manager.ListPools({"state": "inactive"}), [])

    def test_identity_rules(self):
        pool = self.make_pool("first", start=False)
        manager = self.client.manager
        elsewhere = {"target.path": self.directory("elsewhere")}
        self.assertRaisesError("PoolExists", manager.DefinePool, "first", "dir", elsewhere, {})
        self.assertRaisesError("PoolExists", manager.DefinePool, "second", "dir", {**elsewhere, "uuid": pool["UUID"]}, {})
        path = pool["TargetPath"]
        for same in (path, path + "/", path.replace("/", "//")[1:], path + "/below", os.path.dirname(path)):
            with self.subTest(path=same):
                self.assertRaisesError("DuplicateSource", manager.DefinePool, "second", "dir", {"target.path": same}, {})
        # A path that only begins with the same letters is another one.
        manager.DefinePool("second", "dir", {"target.path": path + "-2"}, {})
        self.addCleanup(self.remove_pool, "second")

    def test_same_directory_by_another_name(self):
        pool = self.make_pool()
        alias = self.directory("alias")
        os.symlink(pool["TargetPath"], alias)
        self.addCleanup(os.unlink, alias)
        self.client.manager.DefinePool("alias", "dir", {"target.path": alias}, {})
        self.addCleanup(self.remove_pool, "alias")
        self.assertRaisesError(("DuplicateSource", "AccessDenied", "Failed"), self.client.pool("alias").Start, wait=True)

    def test_start_without_directory(self):
        pool = self.make_pool(start=False)
        error = self.assertRaisesError(("Failed", "SourceUnreachable"), pool.Start, wait=True)
        self.assertIn(pool["TargetPath"], error.message)
        self.assertEqual(pool["State"], "inactive")

    def test_delete_of_a_directory_in_use(self):
        pool = self.make_pool()
        pool.CreateVolume("v", MIB, wait=True)
        pool.Stop(wait=True)
        self.assertRaisesError(("Failed", "InUse", "Busy"), pool.Delete, wait=True)
        self.assertTrue(os.path.exists(os.path.join(pool["TargetPath"], "v")))

    def test_build_sets_owner_and_mode(self):
        path = os.path.join(self.directory("parents"), "deep", "er")
        pool = self.make_pool("parents", start=False, **{"target.path": path, "target.permissions.mode": "0750"})
        pool.Build(wait=True)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o750)

    def test_transient(self):
        path = self.directory("transient")
        pool_object, _ = self.client.manager.CreatePool("transient", "dir", {"target.path": path}, {"build": True, "wait": True})
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        pool = self.client.pool("transient")
        self.assertEqual(pool_object, pool.path)
        self.assertFalse(pool["Persistent"])
        self.assertEqual(pool["State"], "active")
        self.assertRaisesError("NotSupported", pool.SetAutostart, True)
        with self.client.listen() as news:
            pool.Stop(wait=True)
            news.removed(pool.path)
        self.assertRaisesError("NoSuchPool", self.client.manager.GetPool, "transient")

    def test_transient_that_does_not_start(self):
        path = self.directory("never-made")
        manager = self.client.manager
        self.assertRaisesError(
            ("Failed", "SourceUnreachable"), manager.CreatePool, "never", "dir", {"target.path": path}, {"wait": True}
        )
        self.assertTrue(wait_until(lambda: "never" not in [p[1] for p in manager.ListPools()]))

    def test_update_of_an_inactive_pool(self):
        pool = self.make_pool(start=False)
        pool.Update({"target.path": pool["TargetPath"], "description": "for the lab", "reserved": "1GiB"})
        self.assertEqual(pool["Description"], "for the lab")
        self.assertEqual(pool.GetDefinition()["description"], "for the lab")
        self.assertFalse(pool["UpdatePending"])

    def test_update_waits_while_active(self):
        pool = self.make_pool()
        other = self.directory("update-elsewhere")
        self.addCleanup(shutil.rmtree, other, ignore_errors=True)
        before = pool["TargetPath"]
        pool.Update({"target.path": other})
        self.assertTrue(pool["UpdatePending"])
        self.assertEqual(pool["TargetPath"], before)
        self.assertEqual(pool.GetDefinition({"inactive": True})["target.path"], other)
        self.assertIn(other, pool.GetXML({"inactive": True}))
        self.assertNotIn(other, pool.GetXML())
        pool.Stop(wait=True)
        self.assertFalse(pool["UpdatePending"])
        self.assertEqual(pool["TargetPath"], other)

    def test_xml_round_trip(self):
        pool = self.make_pool(start=False, **{"target.permissions.mode": "0750", "description": "<&>'\"", "reserved": "10%"})
        text = pool.GetXML()
        definition = pool.GetDefinition()
        name = pool["Name"]
        pool.Undefine()
        self.client.manager.DefinePoolXML(text)
        self.assertEqual(self.client.pool(name).GetXML(), text)
        self.assertEqual(self.client.pool(name).GetDefinition(), definition)

    def test_xml_of_libvirt(self):
        path = self.directory("libvirt")
        text = (
            "<pool type='dir'>\n  <name>virt</name>\n  <uuid>3e3fce45-4f53-4fa7-bb32-11f34168b82b</uuid>\n"
            "  <capacity unit='bytes'>1</capacity><allocation unit='bytes'>1</allocation><available unit='bytes'>1</available>\n"
            f"  <source>\n  </source>\n  <target>\n    <path>{path}//</path>\n"
            "    <permissions>\n      <mode>0755</mode>\n      <owner>-1</owner>\n      <group>-1</group>\n    </permissions>\n"
            "  </target>\n</pool>\n"
        )
        self.client.manager.DefinePoolXML(text)
        self.addCleanup(self.remove_pool, "virt")
        pool = self.client.pool("virt")
        self.assertEqual(pool["UUID"], "3e3fce45-4f53-4fa7-bb32-11f34168b82b")
        self.assertEqual(pool["TargetPath"], path)
        pool.Start(build=True, wait=True)
        pool.Stop(wait=True)

    def test_lax_reads_what_libvirt_reads(self):
        text = f"<pool type='dir'><colour/><name>lax</name><target><path>{self.directory('lax')}</path></target></pool>"
        self.assertRaisesError("InvalidDefinition", self.client.manager.DefinePoolXML, text)
        self.client.manager.DefinePoolXML(text, lax=True)
        self.addCleanup(self.remove_pool, "lax")
        self.assertEqual(self.client.pool("lax")["Type"], "dir")


class Restarts(Case):
    def restart_orderly(self):
        status, _ = self.daemon.terminate()
        self.assertEqual(status, 0)
        self.restart()

    def test_definitions_outlive_the_daemon(self):
        pool = self.make_pool(start=False, description="kept")
        before = (pool["UUID"], pool.GetXML())
        files = [os.path.join(folder, name) for folder, _, names in os.walk(self.daemon.config) for name in names]
        self.assertTrue(files)
        for file in files:
            self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600, file)
        self.restart_orderly()
        self.assertEqual((pool["UUID"], pool.GetXML()), before)
        self.daemon.kill()
        self.restart()
        self.assertEqual((pool["UUID"], pool.GetXML()), before)

    def test_undefined_stays_undefined(self):
        pool = self.make_pool(start=False)
        pool.Undefine()
        self.daemon.kill()
        self.restart()
        self.assertRaisesError("NoSuchPool", self.client.manager.GetPool, "undefined-stays-undefined")

    def test_autostart_is_retried_until_it_succeeds(self):
        pool = self.make_pool(start=False)
        pool.SetAutostart(True)
        self.assertTrue(pool["Autostart"])
        self.restart_orderly()
        self.assertTrue(pool["Autostart"])
        self.assertNotEqual(pool["State"], "active")
        os.makedirs(pool["TargetPath"])
        self.assertTrue(wait_until(lambda: pool["State"] == "active", 30), pool["Error"])
        pool.Stop(wait=True)
        pool.SetAutostart(False)
        self.restart_orderly()
        self.assertFalse(pool["Autostart"])
        self.assertEqual(pool["State"], "inactive")

    def test_damaged_definition_harms_no_other(self):
        pool = self.make_pool(start=False)
        good = [os.path.join(f, n) for f, _, names in os.walk(self.daemon.config) for n in names][0]
        bad = os.path.join(os.path.dirname(good), "bad.xml")
        with open(bad, "w", encoding="utf-8") as file:
            file.write("<pool type='dir'><name>bad")
        self.addCleanup(os.unlink, bad)
        self.restart_orderly()
        self.assertEqual(pool["State"], "inactive")
        self.assertRaises(BusError, self.client.manager.GetPool, "bad")
        self.assertIn("bad.xml", self.daemon.tail(200))
        self.assertTrue(os.path.exists(bad), "a file that could not be read must be left for its owner")
