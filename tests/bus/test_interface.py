# SPDX-License-Identifier: LGPL-2.1-or-later
"""The interface as a client meets it: introspection, properties, errors of words that make no sense."""

import os
import xml.etree.ElementTree as ElementTree

from bed import Case
from client import GIB, METHODS, MIB, NAME, ROOT, GLib, pool_path, snapshot_path, u32, volume_path

PROPERTIES = {
    "Manager": {"Version": "s", "UserMode": "b", "VolumesListed": "b", "PoolCount": "u", "VolumeCount": "t", "JobsActive": "u"},
    "Pool": {
        "Name": "s", "UUID": "s", "Type": "s", "State": "s", "Error": "(ss)", "Persistent": "b", "Autostart": "b",
        "UpdatePending": "b", "Refreshing": "b", "TargetPath": "s", "Capacity": "t", "Allocation": "t", "Available": "t",
        "Reserved": "t", "VolumeCount": "t", "VolumesListed": "b", "Generation": "t", "LastRefreshUSec": "t", "Purpose": "s",
        "Description": "s", "DefaultFormat": "s", "Features": "as", "VolumeFormats": "as",
    },
    "Volume": {
        "Name": "s", "Pool": "o", "Path": "s", "Key": "s", "Type": "s", "Format": "s", "DetectedFormat": "s", "Capacity": "t",
        "Allocation": "t", "Physical": "t", "Creator": "u", "UID": "u", "GID": "u", "Mode": "u", "MTimeUSec": "t",
        "BackingPath": "s", "BackingFormat": "s", "BackingVolume": "o", "Dependents": "ao", "Snapshots": "ao", "Encrypted": "b",
        "Incomplete": "b", "Corrupt": "b", "Error": "s", "Generation": "t",
    },
    "Snapshot": {"Name": "s", "Volume": "o", "Kind": "s", "CreatedUSec": "t", "Size": "t"},
    "Job": {
        "Id": "t", "Operation": "s", "Objects": "ao", "State": "s", "CallerUID": "u", "Progress": "d", "ProgressValid": "b",
        "Bytes": "t", "BytesDone": "t", "Rate": "t", "StartTimeUSec": "t", "ExpectedEndTimeUSec": "t", "Cancellable": "b",
        "Stalled": "b", "Error": "(ss)", "Result": "a{sv}",
    },
}  # fmt: skip


class Introspection(Case):
    def objects(self):
        pool = self.make_pool("look")
        job = pool.CreateVolume("one", MIB, format="qcow2")
        self.finish(job)
        self.client.volume("look", "one").CreateSnapshot("before", wait=True)
        return {
            "Manager": self.client.manager,
            "Pool": pool,
            "Volume": self.client.volume("look", "one"),
            "Snapshot": self.client.snapshot(snapshot_path("look", "one", "before")),
            "Job": self.client.job(job),
        }

    def test_each_kind_of_object(self):
        for kind, proxy in self.objects().items():
            with self.subTest(kind=kind):
                tree = ElementTree.fromstring(proxy.introspect())
                interface = tree.find(f"interface[@name='{NAME}.{kind}']")
                self.assertIsNotNone(interface, f"{proxy.path} does not tell of its interface")
                methods = {}
                for method in interface.findall("method"):
                    directions = {"in": [], "out": []}
                    for arg in method.findall("arg"):
                        directions[arg.get("direction", "in")].append(arg.get("type"))
                    methods[method.get("name")] = (" ".join(directions["in"]), " ".join(directions["out"]))
                self.assertEqual(methods, METHODS[kind])
                properties = {p.get("name"): p.get("type") for p in interface.findall("property")}
                self.assertEqual(properties, PROPERTIES[kind])
                self.assertEqual({p.get("access") for p in interface.findall("property")}, {"read"})
                self.assertEqual(set(proxy.all()), set(PROPERTIES[kind]))

    def test_the_tree_leads_to_every_object(self):
        proxies = self.objects()
        seen, front = set(), [ROOT]
        while front:
            path = front.pop()
            seen.add(path)
            text = self.client.call(path, "org.freedesktop.DBus.Introspectable", "Introspect", "")
            front += [f"{path}/{node.get('name')}" for node in ElementTree.fromstring(text).findall("node")]
        for proxy in proxies.values():
            self.assertIn(proxy.path, seen)

    def test_managed_objects(self):
        proxies = self.objects()
        objects = self.client.managed_objects()
        for kind in ("Pool", "Volume", "Snapshot", "Job"):
            self.assertIn(f"{NAME}.{kind}", objects[proxies[kind].path])
            self.assertEqual(set(objects[proxies[kind].path][f"{NAME}.{kind}"]), set(PROPERTIES[kind]))

    def test_log_control(self):
        path, interface = "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1"
        get = lambda name: self.client.call(path, "org.freedesktop.DBus.Properties", "Get", "ss", interface, name)  # noqa: E731
        set_level = lambda level: self.client.call(  # noqa: E731
            path, "org.freedesktop.DBus.Properties", "Set", "ssv", interface, "LogLevel", GLib.Variant("s", level)
        )
        self.assertEqual(get("SyslogIdentifier"), "poolkeeperd")
        set_level("warning")
        self.assertEqual(get("LogLevel"), "warning")
        self.assertRaisesError("InvalidArgs", set_level, "loud")
        set_level("debug")


class Words(Case):
    """Words that make no sense are refused, each with an error that says so, and nothing happens."""

    def test_unknown_option_of_every_method(self):
        pool = self.make_pool()
        name = pool["Name"]
        pool.CreateVolume("v", MIB, wait=True)
        volume = self.client.volume(name, "v")
        manager = self.client.manager
        definition = {"target.path": self.directory("never")}
        source = volume.path
        data = os.open("/dev/null", os.O_RDWR)
        self.addCleanup(os.close, data)
        calls = {
            "DefinePool": lambda o: manager.DefinePool("never", "dir", definition, o),
            "DefinePoolXML": lambda o: manager.DefinePoolXML("<pool type='dir'/>", o),
            "CreatePool": lambda o: manager.CreatePool("never", "dir", definition, o),
            "CreatePoolXML": lambda o: manager.CreatePoolXML("<pool type='dir'/>", o),
            "ListPools": manager.ListPools,
            "ListJobs": manager.ListJobs,
            "ListBackends": manager.ListBackends,
            "DescribeBackend": lambda o: manager.DescribeBackend("dir", o),
            "CheckAuthorized": lambda o: manager.CheckAuthorized(pool.path, ["volume-create"], o),
            "Start": pool.Start,
            "Stop": pool.Stop,
            "Build": pool.Build,
            "Delete": pool.Delete,
            "Refresh": pool.Refresh,
            "Undefine": pool.Undefine,
            "SetAutostart": lambda o: pool.SetAutostart(True, o),
            "Update": lambda o: pool.Update({}, o),
            "UpdateXML": lambda o: pool.UpdateXML("<pool type='dir'/>", o),
            "GetXML": pool.GetXML,
            "GetDefinition": pool.GetDefinition,
            "CreateVolume": lambda o: pool.CreateVolume("never", MIB, o),
            "CreateVolumeXML": lambda o: pool.CreateVolumeXML("<volume/>", o),
            "CloneVolume": lambda o: pool.CloneVolume("never", source, o),
            "ImportVolume": lambda o: pool.ImportVolume("never", data, o),
            "ConvertVolumes": lambda o: pool.ConvertVolumes("qcow2", o),
            "OpenVolume": lambda o: pool.OpenVolume("v", o),
            "ListVolumes": pool.ListVolumes,
            "Volume.Resize": lambda o: volume.Resize(2 * MIB, o),
            "Volume.SetFormat": lambda o: volume.SetFormat("raw", o),
            "Volume.Delete": volume.Delete,
            "Volume.Refresh": volume.Refresh,
            "Volume.GetXML": volume.GetXML,
            "Volume.GetInfo": volume.GetInfo,
            "Volume.CheckAccess": lambda o: volume.CheckAccess(0, o),
            "Volume.Open": volume.Open,
            "Volume.OpenNBD": volume.OpenNBD,
            "Volume.Upload": lambda o: volume.Upload(data, o),
            "Volume.Download": lambda o: volume.Download(data, o),
            "Volume.Export": lambda o: volume.Export(data, o),
            "Volume.Rename": lambda o: volume.Rename("never", o),
            "Volume.Move": lambda o: volume.Move(pool.path, o),
            "Volume.Convert": lambda o: volume.Convert("qcow2", o),
            "Volume.Flatten": volume.Flatten,
            "Volume.Rebase": lambda o: volume.Rebase(source, o),
            "Volume.Wipe": lambda o: volume.Wipe("zero", o),
            "Volume.CreateSnapshot": lambda o: volume.CreateSnapshot("never", o),
            "Volume.GetAttachment": lambda o: volume.GetAttachment("qemu-blockdev", o),
        }
        for method, call in calls.items():
            with self.subTest(method=method):
                error = self.assertRaisesError("InvalidArgs", call, {"no-such-option": "x"})
                self.assertIn("no-such-option", error.message)
        self.assertNotIn("never", [p[1] for p in manager.ListPools()])
        self.assertEqual([v[0] for v in pool.ListVolumes()[0]], ["v"])

    def test_words_of_moving_data(self):
        pool = self.make_pool()
        name = pool["Name"]
        for volume in ("v", "base"):
            pool.CreateVolume(volume, MIB, wait=True)
        volume = self.client.volume(name, "v")
        data = os.open("/dev/null", os.O_RDWR)
        self.addCleanup(os.close, data)
        for title, call, arguments, words in (
            ("neither format nor consent", pool.ImportVolume, ("never", data), {}),
            ("format", pool.ImportVolume, ("never", data), {"source-format": "nonsense"}),
            ("compression", pool.ImportVolume, ("never", data), {"source-format": "raw", "compression": "rar"}),
            ("compression", volume.Export, (data,), {"compression": "xz"}),
            ("format", volume.Export, (data,), {"format": u32(3)}),
            ("hash", volume.Upload, (data,), {"sha256": "abc"}),
            ("read-only", volume.Open, (), {"read-only": "perhaps"}),
            ("kind", volume.Open, (), {"kind": "pipe"}),
            ("boolean", volume.OpenNBD, (), {"read-only": "yes"}),
            ("algorithm", volume.Wipe, ("softly",), {}),
            ("no pool", volume.Move, (volume.path,), {}),
            ("no volume", volume.Rebase, (pool.path,), {}),
            ("no volume", pool.CloneVolume, ("never", pool.path), {}),
            ("kind", volume.GetAttachment, ("vhs",), {}),
            ("mode", pool.OpenVolume, ("v",), {"create": "sometimes"}),
            ("nothing to make", pool.OpenVolume, ("v",), {"size": MIB}),
        ):
            with self.subTest(title=title, method=call.name):
                error = self.assertRaisesError("InvalidArgs", call, *arguments, words)
                self.assertTrue(error.message)
        self.assertRaisesError("NoSuchPool", volume.Move, pool_path("none"))
        self.assertRaisesError("NoSuchVolume", pool.CloneVolume, "never", volume_path(name, "none"))
        self.assertEqual([v[0] for v in pool.ListVolumes()[0]], ["base", "v"])

    def test_descriptors_that_are_refused(self):
        pool = self.make_pool()
        pool.CreateVolume("v", MIB, wait=True)
        volume = self.client.volume(pool["Name"], "v")
        scratch = os.path.join(self.scratch, "data")
        for title, path, flags in (
            ("device", "/dev/null", os.O_RDWR),
            ("directory", "/", os.O_RDONLY),
            ("proc", "/proc/self/status", os.O_RDONLY),
            ("path only", scratch, os.O_PATH | os.O_CREAT),
            ("other access", scratch, os.O_RDONLY | os.O_CREAT),
        ):
            if flags & os.O_CREAT:
                open(scratch, "wb").close()
            data = os.open(path, flags & ~os.O_CREAT)
            self.addCleanup(os.close, data)
            for call, arguments in (
                (volume.Upload, (data,)),
                (volume.Download, (data,)),
                (volume.Export, (data,)),
            ):
                if title == "other access" and call.name == "Upload":
                    continue  # that one reads
                with self.subTest(title=title, method=call.name):
                    error = self.assertRaisesError("InvalidArgs", call, *arguments, wait=True)
                    self.assertTrue(error.message)

    def test_objects_that_are_not_there(self):
        manager = self.client.manager
        self.assertRaisesError("NoSuchPool", manager.GetPool, "none")
        self.assertRaisesError("NoSuchPool", manager.GetPoolByUUID, "00000000-0000-0000-0000-000000000000")
        self.assertRaisesError("NoSuchPool", manager.GetPoolByPath, "/no/such/path")
        self.assertRaisesError("NoSuchVolume", manager.GetVolumeByPath, "/no/such/path")
        self.assertRaisesError(("UnknownObject", "NoSuchPool"), self.client.pool("none").Start)
        self.assertRaisesError(("UnknownObject", "NoSuchVolume", "NoSuchPool"), self.client.volume("none", "none").Delete)
        self.assertRaisesError(("UnknownObject", "NoSuchJob"), self.client.job(f"{ROOT}/job/999999").Cancel)
        pool = self.make_pool()
        self.assertRaisesError("NoSuchVolume", pool.GetVolume, "none")
        self.assertRaisesError(("UnknownObject", "NoSuchVolume"), self.client.volume(pool["Name"], "none").Delete)

    def test_hostile_definitions(self):
        self.addCleanup(self.remove_pool, "hostile")  # where one is taken after all
        define = self.client.manager.DefinePool
        target = {"target.path": self.directory("hostile")}
        for name in ("", ".", "..", "a/b", "a\nb", "\x01", "x" * 201, ".poolkeeper-x"):
            with self.subTest(name=name[:20]):
                self.assertRaisesError("InvalidName", define, name, "dir", target, {})
        for i, definition in enumerate((
            {},
            {"target.path": ""},
            {"target.path": "relative"},
            {"target.path": "/"},
            {**target, "target.permissions.mode": "01777"},
            {**target, "target.permissions.mode": "abc"},
            {**target, "target.permissions.owner": "-2"},
            {**target, "purpose": "world peace"},
            {**target, "reserved": "101%"},
            {**target, "reserved": "-1"},
            {**target, "uuid": "not-a-uuid"},
            {**target, "aio": "native"},
            {**target, "volume.format": "bochs"},
            {**target, "features.cow": "perhaps"},
            {**target, "target.path": u32(7)},
            {**target, "description": GLib.Variant("a(ss)", [("a", "b")])},
        )):
            with self.subTest(definition=i):
                self.assertRaisesError(("InvalidDefinition", "InvalidArgs"), define, "hostile", "dir", definition, {})
        self.assertRaisesError(
            ("InvalidDefinition", "InvalidArgs", "BackendUnavailable", "NotSupported"), define, "hostile", "nosuchtype", target, {}
        )
        self.assertNotIn("hostile", [p[1] for p in self.client.manager.ListPools()])

    def test_hostile_volumes(self):
        pool = self.make_pool()
        for name in ("", ".", "..", "a/b", "../b", "a\nb", "x" * 201, ".poolkeeper-x"):
            with self.subTest(name=name[:20]):
                self.assertRaisesError("InvalidName", pool.CreateVolume, name, MIB, wait=True)
        for capacity, words in (
            (MIB, {"format": "nonsense"}),
            (MIB, {"format": "bochs"}),
            (MIB, {"mode": "07777"}),
            (MIB, {"compat": "0.10"}),  # of qcow2 alone
            (MIB, {"format": "qcow2", "cluster_size": 3}),  # told by qemu-img
            (MIB, {"format": "qcow2", "compat": "0.10", "lazy_refcounts": True}),
            (MIB, {"format": "qcow2", "preallocation": "much"}),
            (MIB, {"format": "qcow2", "backing.format": "raw"}),
            (MIB, {"format": "qcow2", "backing.path": "/etc/shadow", "backing.format": "raw"}),
            (MIB, {"encryption.format": "luks"}),  # no passphrase
            (MIB, {"allocation": 2 * MIB * MIB}),
            (2**63, {}),
            (2**64 - 1, {}),
        ):
            with self.subTest(capacity=capacity, words=str(words)):
                self.assertRaisesError(
                    ("InvalidArgs", "InvalidDefinition", "NotSupported", "NoSpace", "NoSuchVolume", "AccessDenied", "Failed"),
                    pool.CreateVolume, "never", capacity, words, wait=True,
                )  # fmt: skip
        self.assertEqual(pool.ListVolumes()[0], [])

    def test_hostile_listing(self):
        pool = self.make_pool()
        pool.CreateVolume("v", MIB, wait=True)
        for words in ({"sort": "colour"}, {"limit": "many"}, {"reverse": "x"}, {"after": u32(3)}):
            with self.subTest(words=str(words)):
                self.assertRaisesError("InvalidArgs", pool.ListVolumes, words)
        self.assertEqual(pool.ListVolumes({"after": "zzz"})[0], [])
        self.assertEqual(pool.ListVolumes({"limit": u32(0xFFFFFFFF)})[0][0][0], "v")
        self.assertRaisesError("InvalidArgs", pool.ListVolumes, {"pattern": "[" * 5000})

    def test_hostile_xml(self):
        manager = self.client.manager
        bomb = (
            "<!DOCTYPE p [<!ENTITY a 'aaaaaaaaaa'>"
            + "".join(f"<!ENTITY {chr(98 + i)} '{('&' + chr(97 + i) + ';') * 10}'>" for i in range(9))
            + "]><pool type='dir'><name>&j;</name><target><path>/x</path></target></pool>"
        )
        external = (
            "<!DOCTYPE p [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>"
            "<pool type='dir'><name>a&x;</name><target><path>/x</path></target></pool>"
        )
        good = "<pool type='dir'><name>n</name><target><path>/x/y</path></target></pool>"
        for title, text in {
            "empty": "",
            "no XML": "hello",
            "not closed": "<pool type='dir'><name>x</name>",
            "other root": "<volume/>",
            "entities": bomb,
            "external entity": external,
            "deep": "<pool type='dir'>" + "<a>" * 5000 + "</a>" * 5000 + "</pool>",
            "unknown element": good.replace("<target>", "<colour/><target>"),
            "unknown attribute": good.replace("type='dir'", "type='dir' colour='red'"),
            "two names": good.replace("<name>n</name>", "<name>n</name><name>m</name>"),
            "bad uuid": good.replace("<target>", "<uuid>x</uuid><target>"),
        }.items():
            with self.subTest(text=title):
                error = self.assertRaisesError(("InvalidDefinition", "InvalidName", "InvalidArgs"), manager.DefinePoolXML, text)
                self.assertTrue(error.message)
        error = self.assertRaisesError(
            "InvalidDefinition", manager.DefinePoolXML, good.replace("<target>", "\n\n<colour/><target>")
        )
        self.assertIn("line 3", error.message)
        self.assertRaisesError(("InvalidDefinition", "InvalidArgs", "LimitsExceeded"), manager.DefinePoolXML, " " * (2 << 20))
        self.assertFalse({"n", "m", "x", "a", "never"} & {p[1] for p in manager.ListPools()})

    def test_backends_describe_themselves(self):
        backends = {row[0]: row for row in self.client.manager.ListBackends()}
        self.assertTrue(backends["dir"][1], backends["dir"][2])
        pool_options, volume_options = self.client.manager.DescribeBackend("dir")
        names = [option["name"] for option in pool_options]
        self.assertIn("target.path", names)
        self.assertIn("reserved", names)
        self.assertIn("format", [option["name"] for option in volume_options])
        for option in pool_options + volume_options:
            self.assertTrue(option["help"], option["name"])
        self.assertRaisesError(
            ("BackendUnavailable", "InvalidArgs", "NotSupported"), self.client.manager.DescribeBackend, "nosuchtype"
        )
        self.assertRaisesError("NotSupported", self.client.manager.DiscoverSources, "dir", {}, {})

    def test_paths_of_objects(self):
        pool = self.make_pool("1 odd-näme")
        self.assertEqual(self.client.manager.GetPool("1 odd-näme"), pool_path("1 odd-näme"))
        pool.CreateVolume("2 ö", GIB, wait=True)
        self.assertEqual(pool.GetVolume("2 ö"), volume_path("1 odd-näme", "2 ö"))
        self.assertEqual(self.client.volume("1 odd-näme", "2 ö")["Capacity"], GIB)
