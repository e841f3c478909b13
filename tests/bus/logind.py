# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands in for systemd-logind: gives delay locks, sees when they are given back, and announces a shutdown."""

import os
import select

from client import Client, Gio, GLib

PATH, NAME = "/org/freedesktop/login1", "org.freedesktop.login1"
INTERFACE = f"""
<node><interface name="{NAME}.Manager">
  <method name="Inhibit">
    <arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="s" direction="in"/>
    <arg type="h" direction="out"/>
  </method>
  <signal name="PrepareForShutdown"><arg type="b"/></signal>
</interface></node>
"""


class Lock:
    """Held as long as somebody has the other end of the pipe open."""

    def __init__(self, arguments):
        self.what, self.who, self.why, self.mode = arguments
        self.fd, self.held_end = os.pipe()

    def hand_over(self, invocation):
        fds = Gio.UnixFDList.new()
        fds.append(self.held_end)
        os.close(self.held_end)
        invocation.return_value_with_unix_fd_list(GLib.Variant("(h)", (0,)), fds)

    @property
    def held(self):
        poll = select.poll()
        poll.register(self.fd, select.POLLHUP)
        return not poll.poll(0)


class Logind:
    def __init__(self):
        self.client = Client()
        self.locks = []
        interface = Gio.DBusNodeInfo.new_for_xml(INTERFACE).interfaces[0]
        self.client.connection.register_object(PATH, interface, self._on_call, None, None)
        self.client.bus("RequestName", "su", NAME, 4)

    def _on_call(self, connection, sender, path, interface, method, arguments, invocation):
        self.locks.append(Lock(arguments.unpack()))
        self.locks[-1].hand_over(invocation)

    def announce(self, begins):
        self.client.connection.emit_signal(None, PATH, f"{NAME}.Manager", "PrepareForShutdown", GLib.Variant("(b)", (begins,)))
        self.client.connection.flush_sync(None)

    def close(self):
        for lock in self.locks:
            os.close(lock.fd)
        self.client.close()
