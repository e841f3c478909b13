# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes handed out as descriptors: what one may do with them and what not, for whom, and made on the way when asked."""

import errno
import fcntl
import os
import stat
import subprocess
import unittest

from bed import IN_SANDBOX, USERS
from client import GIB, MIB, wait_until
from data import DataCase, pattern, read_file

AUTH_ERRORS = ("AccessDenied", "InteractiveAuthorizationRequired")


class Open(DataCase):
    def opened(self, call, *words, **more):
        fd, kind, read_only, source = call(*words, **more)
        self.keep(fd)
        mode = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
        self.assertEqual(mode, os.O_RDONLY if read_only else os.O_RDWR)
        self.assertFalse(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_PATH)
        self.assertEqual(kind, "block" if stat.S_ISBLK(os.fstat(fd).st_mode) else "regular")
        return fd, read_only, source

    def assertCannotWrite(self, fd):
        with self.assertRaises(OSError) as caught:
            os.pwrite(fd, b"x", 0)
        self.assertEqual(caught.exception.errno, errno.EBADF)
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
            with self.assertRaises(OSError) as caught:
                os.open(f"/proc/self/fd/{fd}", flags)
            self.assertIn(caught.exception.errno, (errno.EROFS, errno.EACCES, errno.EPERM))
        for change in (
            lambda: os.ftruncate(fd, 0),
            lambda: os.fchmod(fd, 0o666),
            lambda: os.setxattr(fd, "user.x", b"y"),
            lambda: os.utime(f"/proc/self/fd/{fd}"),
        ):
            with self.assertRaises(OSError):
                change()

    def test_read_only(self):
        pool = self.make_pool()
        for format in ("raw", "qcow2"):
            with self.subTest(format=format):
                volume = self.make_volume(pool, f"v-{format}", MIB, data=pattern(65536), format=format)
                fd, read_only, source = self.opened(volume.Open, {"read-only": "yes"})
                self.assertTrue(read_only)
                self.assertEqual(
                    {key: source[key] for key in ("pool", "volume", "format", "capacity", "path")},
                    {"pool": "read-only", "volume": f"v-{format}", "format": format, "capacity": MIB, "path": volume["Path"]},
                )
                content = read_file(volume["Path"])
                self.assertEqual(os.pread(fd, len(content), 0), content)
                if os.getuid() == 0 and IN_SANDBOX:
                    self.assertCannotWrite(fd)
                self.assertEqual(read_file(volume["Path"]), content)

    def test_writable(self):
        volume = self.make_volume(self.make_pool(), "v", MIB)
        for words in ({"read-only": "no"}, {"read-only": False}, {"read-only": "auto"}, {}):
            with self.subTest(words=str(words)):
                fd, read_only, _ = self.opened(volume.Open, words)
                self.assertFalse(read_only)
                os.pwrite(fd, b"mine", 0)
                self.assertEqual(read_file(volume["Path"])[:4], b"mine")
                os.pwrite(fd, b"\0\0\0\0", 0)
                os.close(fd)

    def test_words(self):
        volume = self.make_volume(self.make_pool(), "v", MIB)
        self.assertTrue(self.opened(volume.Open, {"read-only": True})[1])
        self.opened(volume.Open, kind="regular")
        self.assertRaisesError(("InvalidArgs", "NotSupported"), volume.Open, kind="block")
        for words in ({"read-only": "perhaps"}, {"read-only": 1}, {"kind": "pipe"}, {"create": "new"}):
            with self.subTest(words=str(words)):
                self.assertRaisesError("InvalidArgs", volume.Open, words)

    def test_a_read_only_file(self):
        """One whose mode says so is not opened for writing by auto, nor by no where that is refused."""
        pool = self.make_pool()
        volume = self.make_volume(pool, "v", MIB)
        os.chmod(volume["Path"], 0o400)
        volume.Refresh(wait=True)
        _, read_only, _ = self.opened(volume.Open)
        self.assertIn(read_only, (True, False))

    def test_many_links(self):
        volume = self.make_volume(self.make_pool(), "v", MIB)
        os.link(volume["Path"], self.path("second"))
        _, read_only, _ = self.opened(volume.Open, {"read-only": "yes"})
        self.assertTrue(read_only)
        self.assertRaisesError(("NotSupported", "InUse", "Failed", "InvalidArgs", "AccessDenied"), volume.Open, {"read-only": "no"})

    def test_what_others_stand_on(self):
        """Whoever wrote to it would change these, so it is only read until they have gone."""
        pool = self.make_pool()
        base = self.make_volume(pool, "base", MIB)
        pool.CloneVolume("top", base.path, linked=True, wait=True)
        for title, call, words in (
            ("no", base.Open, {"read-only": "no"}),
            ("false", base.Open, {"read-only": False}),
            ("open volume", lambda w: pool.OpenVolume("base", w), {"read-only": "no", "create": "any", "size": MIB}),
            ("nbd", base.OpenNBD, {"read-only": False}),
        ):
            with self.subTest(title):
                message = self.assertRaisesError("InUse", call, words).message
                self.assertRegex(message, r"\btop\b.*\b(rebase|flatten|delete)\b")
        for title, call in (("auto", base.Open), ("open volume", lambda: pool.OpenVolume("base"))):
            with self.subTest(title):
                self.assertTrue(self.opened(call)[1])
        socket, _, read_only = base.OpenNBD()
        os.close(socket)
        self.assertTrue(read_only)
        top = self.client.volume(pool["Name"], "top")
        fd, read_only, _ = self.opened(top.Open)
        self.assertFalse(read_only)
        os.close(fd)
        top.Delete(wait=True)
        self.assertTrue(wait_until(lambda: not self.opened(base.Open)[1], 20), "the server of before has ended")

    def test_open_volume(self):
        pool = self.make_pool()
        with self.subTest("open what is not there"):
            self.assertRaisesError(("NoSuchVolume", "UnknownObject"), pool.OpenVolume, "v", create="open")
            self.assertRaisesError(("NoSuchVolume", "UnknownObject"), pool.OpenVolume, "v")
        with self.subTest("new"):
            fd, read_only, source = self.opened(pool.OpenVolume, "v", create="new", size=3 * MIB, format="raw")
            self.assertEqual((read_only, source["volume"], source["capacity"]), (False, "v", 3 * MIB))
            os.pwrite(fd, b"mine", 0)
            self.assertEqual(self.client.volume("open-volume", "v")["Capacity"], 3 * MIB)
        with self.subTest("new, and there already"):
            self.assertRaisesError("VolumeExists", pool.OpenVolume, "v", create="new", size=3 * MIB)
        with self.subTest("any, there already"):
            fd, _, source = self.opened(pool.OpenVolume, "v", create="any", size=9 * MIB)
            self.assertEqual((os.pread(fd, 4, 0), source["capacity"]), (b"mine", 3 * MIB))
        with self.subTest("any, not there"):
            fd, _, source = self.opened(pool.OpenVolume, "w", create="any", size=MIB, format="raw")
            self.assertEqual((os.fstat(fd).st_size, source["volume"]), (MIB, "w"))
        with self.subTest("new, without a size"):
            self.assertRaisesError("InvalidArgs", pool.OpenVolume, "x", create="new")
        with self.subTest("from a template"):
            fd, _, source = self.opened(pool.OpenVolume, "from-v", create="new", template="v")
            self.assertEqual((os.pread(fd, 4, 0), source["capacity"], source["format"]), (b"mine", 3 * MIB, "raw"))
        with self.subTest("from a template that is not there"):
            self.assertRaisesError("NoSuchVolume", pool.OpenVolume, "y", create="new", template="none")
        with self.subTest("qcow2"):
            fd, _, source = self.opened(pool.OpenVolume, "q", create="new", size=16 * MIB, format="qcow2")
            self.assertEqual((os.pread(fd, 4, 0), source["format"]), (b"QFI\xfb", "qcow2"))
        with self.subTest("a directory"):
            self.assertRaisesError("NotSupported", pool.OpenVolume, "z", create="new", size=0, format="dir")
            self.assertNotIn("z", os.listdir(pool["TargetPath"]))
        with self.subTest("of a kind that the pool does not have"):
            error = self.assertRaisesError("NotSupported", pool.OpenVolume, "z", create="new", size=MIB, kind="block")
            self.assertRegex(error.message, r"\bdir\b.*\bregular\b")
            self.assertNotIn("z", os.listdir(pool["TargetPath"]))
        for words in ({"create": "maybe"}, {"create": "new", "size": "big"}, {"create": "new", "size": MIB, "kind": "pipe"}):
            with self.subTest(words=str(words)):
                self.assertRaisesError(("InvalidArgs", "NotSupported"), pool.OpenVolume, "z", words)
        self.assertNotIn("z", os.listdir(pool["TargetPath"]))

    def test_not_every_volume(self):
        pool = self.make_pool()
        folder = self.make_volume(pool, "folder", 0, format="dir")
        self.assertRaisesError(("NotSupported", "InvalidArgs"), folder.Open)
        gone = self.make_volume(pool, "gone")
        os.unlink(gone["Path"])
        self.assertRaisesError(("NoSuchVolume", "UnknownObject"), gone.Open)

    def test_the_file_that_was_meant(self):
        """A name that became a link or a pipe meanwhile leads nowhere."""
        pool = self.make_pool()
        for title, make in (("link", lambda path: os.symlink("/etc/passwd", path)), ("pipe", os.mkfifo)):
            with self.subTest(title):
                volume = self.make_volume(pool, title)
                path = volume["Path"]
                os.unlink(path)
                make(path)
                self.assertRaisesError(
                    ("NoSuchVolume", "Failed", "NotSupported", "InvalidArgs", "Changed", "UnknownObject"), volume.Open, timeout=20
                )

    def test_descriptors_are_not_shared(self):
        """Each caller has an offset of his own."""
        volume = self.make_volume(self.make_pool(), "v", MIB, data=pattern(MIB))
        first, second = (self.opened(volume.Open, {"read-only": "yes"})[0] for _ in range(2))
        os.lseek(first, 1000, os.SEEK_SET)
        self.assertEqual(os.lseek(second, 0, os.SEEK_CUR), 0)


@unittest.skipUnless(IN_SANDBOX, "needs several users")
class OpenByUsers(DataCase):
    def setUp(self):
        super().setUp()
        self.lab = self.make_pool("lab")
        self.make_volume(self.lab, "v", MIB, data=pattern(MIB))

    def test_allowed(self):
        """A user who has no way to the file gets a descriptor of it by polkit's word."""
        fd, _, read_only, _ = self.user("allowed").volume("lab", "v").Open({"read-only": "no"})
        self.keep(fd)
        self.assertFalse(read_only)
        os.pwrite(fd, b"mine", 0)
        self.assertEqual(read_file(self.client.volume("lab", "v")["Path"])[:4], b"mine")

    def test_auto(self):
        for user, expected in (("root", False), ("allowed", False)):
            with self.subTest(user=user):
                fd, _, read_only, _ = self.user(user).volume("lab", "v").Open()
                self.keep(fd)
                self.assertEqual(read_only, expected)

    def test_auto_without_the_right_to_write(self):
        """The rules of the sandbox let the user `reader` read and not write."""
        fd, _, read_only, _ = self.user("reader").volume("lab", "v").Open()
        self.keep(fd)
        self.assertTrue(read_only)
        with self.assertRaises(OSError):
            os.pwrite(fd, b"x", 0)
        # As that user, not as root: the inode is root's, and the mount is read-only.
        script = f"import os; os.open('/proc/self/fd/{fd}', os.O_RDWR)"
        tried = subprocess.run(
            ["python3", "-c", script], pass_fds=(fd,), user=USERS["reader"], group=USERS["reader"], extra_groups=[],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.assertIn("Error", tried.stderr)
        self.assertRaisesError(AUTH_ERRORS, self.user("reader").volume("lab", "v").Open, {"read-only": "no"})

    def test_refused(self):
        for user in ("refused", "other"):
            for words in ({}, {"read-only": "yes"}, {"read-only": "no"}):
                with self.subTest(user=user, words=str(words)):
                    self.assertRaisesError(AUTH_ERRORS, self.user(user).volume("lab", "v").Open, words)
                    self.assertRaisesError(AUTH_ERRORS, self.user(user).pool("lab").OpenVolume, "v", words)

    def test_open_volume_makes_only_for_those_who_may(self):
        """`reader` may read, which is not to make."""
        self.assertRaisesError(AUTH_ERRORS, self.user("reader").pool("lab").OpenVolume, "new", create="any", size=MIB)
        self.assertRaisesError(
            AUTH_ERRORS, self.user("reader").pool("lab").OpenVolume, "new", {"create": "any", "size": MIB, "read-only": "yes"}
        )
        fd, _, read_only, _ = self.user("allowed").pool("lab").OpenVolume("new", create="any", size=MIB)
        self.keep(fd)
        self.assertFalse(read_only)
        self.assertEqual(self.client.volume("lab", "new")["Creator"], USERS["allowed"])
        self.assertRaisesError(AUTH_ERRORS, self.user("refused").pool("lab").OpenVolume, "v", create="any", size=MIB)

    def test_quota(self):
        """The example rule counts what is opened new as what is created."""
        vmuser = self.user("vmuser").pool("lab")
        self.assertRaisesError(AUTH_ERRORS, vmuser.OpenVolume, "big", create="new", size=101 * GIB)
        self.assertNotIn("big", os.listdir(self.lab["TargetPath"]))
