# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands in for polkitd: answers when the test says so."""

import pwd

from client import Client, Gio, GLib, wait_until

INTERFACE = """
<node><interface name="org.freedesktop.PolicyKit1.Authority">
  <method name="CheckAuthorization">
    <arg type="(sa{sv})" direction="in"/><arg type="s" direction="in"/><arg type="a{ss}" direction="in"/>
    <arg type="u" direction="in"/><arg type="s" direction="in"/><arg type="(bba{ss})" direction="out"/>
  </method>
  <method name="CancelCheckAuthorization"><arg type="s" direction="in"/></method>
</interface></node>
"""


class Question:
    def __init__(self, arguments, invocation):
        self.subject, self.action, self.details, self.flags, _ = arguments
        self.action = self.action.removeprefix("org.example.Storage.")
        self.invocation = invocation

    def answer(self, yes, challenge=False):
        self.invocation.return_value(GLib.Variant("((bba{ss}))", ((yes, challenge, {}),)))

    def fail(self):
        self.invocation.return_dbus_error("org.freedesktop.PolicyKit1.Error.Failed", "it broke")

    def answer_nonsense(self):
        """What a polkit that is something else could send."""
        self.invocation.return_dbus_error("com.example.Error", "")


class Authority:
    """Holds the name of polkit; questions pile up in .questions until they are answered."""

    def __init__(self):
        self.client = Client(uid=pwd.getpwnam("polkitd").pw_uid)
        self.questions = []
        interface = Gio.DBusNodeInfo.new_for_xml(INTERFACE).interfaces[0]
        self.client.connection.register_object("/org/freedesktop/PolicyKit1/Authority", interface, self._on_call, None, None)
        self.client.bus("RequestName", "su", "org.freedesktop.PolicyKit1", 4)

    def _on_call(self, connection, sender, path, interface, method, arguments, invocation):
        if method == "CheckAuthorization":
            self.questions.append(Question(arguments.unpack(), invocation))
        else:
            invocation.return_value(None)

    def next(self, timeout=10):
        """The next question, taken off the list."""
        if not wait_until(lambda: self.questions, timeout):
            raise AssertionError("polkit was not asked")
        return self.questions.pop(0)

    def close(self):
        self.client.close()
