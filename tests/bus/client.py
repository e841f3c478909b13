# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of org.example.Storage for the tests: calls, properties, signals, as any user.

    client.pool("lab").CreateVolume("web1", 2 * GIB, format="qcow2", wait=True)

The last argument of a method, its options, is made of keyword arguments and, for keys with dots, of one dict. A descriptor is
given as its number and stays the test's; one that comes back is the test's, too.
"""

import os
import time

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

NAME = "org.example.Storage"
ROOT = "/org/example/Storage"
MIB = 1 << 20
GIB = 1 << 30

# Every method of the interface and its arguments: what the introspection has to say, too.
METHODS = {
    "Manager": {
        "DefinePool": ("s s a{sv} a{sv}", "o"),
        "DefinePoolXML": ("s a{sv}", "o"),
        "CreatePool": ("s s a{sv} a{sv}", "o o"),
        "CreatePoolXML": ("s a{sv}", "o o"),
        "ListPools": ("a{sv}", "a(osss)"),
        "GetPool": ("s", "o"),
        "GetPoolByUUID": ("s", "o"),
        "GetPoolByPath": ("s", "o"),
        "GetVolumeByPath": ("s", "o"),
        "ListJobs": ("a{sv}", "a(otsssu)"),
        "DiscoverSources": ("s a{sv} a{sv}", "o"),
        "ListBackends": ("a{sv}", "a(sbssasasas)"),
        "DescribeBackend": ("s a{sv}", "aa{sv} aa{sv}"),
        "CheckAuthorized": ("o as a{sv}", "a{ss}"),
    },
    "Pool": {
        "Start": ("a{sv}", "o"),
        "Stop": ("a{sv}", "o"),
        "Build": ("a{sv}", "o"),
        "Delete": ("a{sv}", "o"),
        "Refresh": ("a{sv}", "o"),
        "Undefine": ("a{sv}", ""),
        "SetAutostart": ("b a{sv}", ""),
        "Update": ("a{sv} a{sv}", ""),
        "UpdateXML": ("s a{sv}", ""),
        "GetXML": ("a{sv}", "s"),
        "GetDefinition": ("a{sv}", "a{sv}"),
        "CreateVolume": ("s t a{sv}", "o"),
        "CreateVolumeXML": ("s a{sv}", "o"),
        "CloneVolume": ("s o a{sv}", "o"),
        "ImportVolume": ("s h a{sv}", "o"),
        "ConvertVolumes": ("s a{sv}", "o"),
        "OpenVolume": ("s a{sv}", "h s b a{sv}"),
        "GetVolume": ("s", "o"),
        "ListVolumes": ("a{sv}", "a(stttssu) s t"),
        "DumpVolumes": ("a{sv}", "h t"),
    },
    "Volume": {
        "Resize": ("t a{sv}", "o"),
        "SetFormat": ("s a{sv}", "o"),
        "Delete": ("a{sv}", "o"),
        "Refresh": ("a{sv}", "o"),
        "GetXML": ("a{sv}", "s"),
        "GetInfo": ("a{sv}", "a{sv}"),
        "CheckAccess": ("u a{sv}", "b s"),
        "Open": ("a{sv}", "h s b a{sv}"),
        "OpenNBD": ("a{sv}", "h s b"),
        "Upload": ("h a{sv}", "o"),
        "Download": ("h a{sv}", "o"),
        "Export": ("h a{sv}", "o"),
        "Rename": ("s a{sv}", "o"),
        "Move": ("o a{sv}", "o"),
        "Convert": ("s a{sv}", "o"),
        "Flatten": ("a{sv}", "o"),
        "Rebase": ("o a{sv}", "o"),
        "Wipe": ("s a{sv}", "o"),
        "CreateSnapshot": ("s a{sv}", "o"),
        "GetAttachment": ("s a{sv}", "s"),
    },
    "Snapshot": {
        "Revert": ("a{sv}", "o"),
        "Delete": ("a{sv}", "o"),
    },
    "Job": {
        "Cancel": ("a{sv}", ""),
    },
}


class BusError(Exception):
    """An error reply; .name is the D-Bus error name without the prefixes everybody knows."""

    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message

    @classmethod
    def of(cls, error):
        name = Gio.DBusError.get_remote_error(error) or f"{error.domain}.{error.code}"
        message = error.message.removeprefix(f"GDBus.Error:{name}: ")
        for prefix in (NAME + ".Error.", "org.freedesktop.DBus.Error."):
            name = name.removeprefix(prefix)
        return cls(name, message)


def encode(label):
    """A label of an object path, as sd_bus_path_encode() makes it."""
    if not label:
        return "_"
    out = []
    for i, byte in enumerate(label.encode()):
        char = chr(byte)
        if char.isascii() and (char.isalpha() or (char.isdigit() and i > 0)):
            out.append(char)
        else:
            out.append(f"_{byte:02x}")
    return "".join(out)


def variant(value):
    """The D-Bus form of an option's value; a number is a size (t) unless it is wrapped already."""
    if isinstance(value, GLib.Variant):
        return value
    if isinstance(value, bool):
        return GLib.Variant("b", value)
    if isinstance(value, int):
        return GLib.Variant("t", value)
    if isinstance(value, str):
        return GLib.Variant("s", value)
    if isinstance(value, (list, tuple)):
        return GLib.Variant("as", list(value))
    raise TypeError(f"no option type for {value!r}")


def u32(value):
    return GLib.Variant("u", value)


def options(mapping=None, **more):
    return {key: variant(value) for key, value in {**(mapping or {}), **more}.items()}


class Pending:
    """A call under way."""

    def __init__(self, connection, arguments, fds, reply):
        self.connection = connection
        self.fds = fds
        self.reply = reply
        self.started = time.monotonic()
        self.ended = None
        self.answer = None
        self.error = None
        connection.call_with_unix_fd_list(*arguments, fds, None, self._on_reply)

    def _on_reply(self, connection, result):
        self.ended = time.monotonic()
        close_all(self.fds)
        try:
            self.answer = received(self.reply, *connection.call_with_unix_fd_list_finish(result))
        except GLib.Error as error:
            self.error = BusError.of(error)

    @property
    def done(self):
        return self.ended is not None

    @property
    def seconds(self):
        return self.ended - self.started

    def result(self, timeout=60):
        if not wait_until(lambda: self.done, timeout):
            raise TimeoutError("no reply")
        if self.error:
            raise self.error
        return self.answer


def unpack(reply):
    values = reply.unpack()
    return values[0] if len(values) == 1 else (values or None)


def close_all(fds):
    """The duplicates that were sent: an error that is kept would keep them open, too."""
    for fd in fds.steal_fds():
        os.close(fd)


def received(types, reply, fds):
    """The values of a reply of these types, each descriptor as a number of our own."""
    values = tuple(fds.get(value) if type == "h" else value for type, value in zip(types.split(), reply.unpack(), strict=True))
    return values[0] if len(values) == 1 else (values or None)


def wait_until(condition, timeout=10):
    """Runs the main loop until the condition holds; False when the time is up."""
    context = GLib.MainContext.default()
    end = time.monotonic() + timeout
    # A tick wakes the loop for conditions that no message brings about.
    tick = GLib.timeout_add(5, lambda: True)
    try:
        while not condition():
            if time.monotonic() >= end:
                return False
            context.iteration(True)
        return True
    finally:
        GLib.source_remove(tick)


def pump():
    """Takes what has come in, without waiting."""
    while GLib.MainContext.default().iteration(False):
        pass


class Signal:
    def __init__(self, path, interface, member, args):
        self.path = path
        self.interface = interface.removeprefix(NAME + ".")
        self.member = member
        self.args = args
        self.time = time.monotonic()

    def __repr__(self):
        return f"{self.interface}.{self.member}{self.args} of {self.path}"


class News:
    """Every signal of the service since it was made; also a context manager."""

    def __init__(self, connection):
        self.connection = connection
        self.signals = []
        self.ids = [connection.signal_subscribe(NAME, None, None, None, None, Gio.DBusSignalFlags.NONE, self._on_signal)]
        # The bus has the match when it answers a call that came after it.
        connection.call_sync("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetId", None, None, 0, -1, None)

    def _on_signal(self, connection, sender, path, interface, member, args):
        self.signals.append(Signal(path, interface, member, args.unpack()))

    def find(self, member, path=None, check=None):
        for signal in self.signals:
            if signal.member == member and path in (None, signal.path) and (check is None or check(signal)):
                return signal
        return None

    def wait(self, member, path=None, check=None, timeout=10):
        if not wait_until(lambda: self.find(member, path, check), timeout):
            raise AssertionError(f"no {member} of {path} within {timeout} s; seen: {self.signals[-20:]}")
        return self.find(member, path, check)

    def added(self, path, timeout=10):
        return self.wait("InterfacesAdded", check=lambda s: s.args[0] == path, timeout=timeout)

    def removed(self, path, timeout=10):
        return self.wait("InterfacesRemoved", check=lambda s: s.args[0] == path, timeout=timeout)

    def close(self):
        for number in self.ids:
            self.connection.signal_unsubscribe(number)
        self.ids = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Method:
    def __init__(self, proxy, name):
        self.proxy = proxy
        self.signature, self.reply = METHODS[proxy.interface][name]
        self.name = name

    def _arguments(self, args, more, timeout, interactive, descriptors):
        args = list(args)
        types = self.signature.split()
        if types and types[-1] == "a{sv}":
            given = args.pop() if len(args) == len(types) else {}
            args.append(options(given, **more))
        fds = Gio.UnixFDList.new()
        for fd in descriptors:
            fds.append(fd)
        args = [options(a) if t == "a{sv}" else fds.append(a) if t == "h" else a for t, a in zip(types, args, strict=True)]
        flags = Gio.DBusCallFlags.NO_AUTO_START
        if interactive:
            flags |= Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION
        words = GLib.Variant("(" + "".join(types) + ")", tuple(args))
        return self.proxy.client.arguments(self.proxy.path, self.proxy.interface, self.name, words, flags, timeout), fds

    def __call__(self, *args, timeout=60, interactive=False, fds=(), **more):
        """fds: those that an option's value of type h tells the number of."""
        arguments, fds = self._arguments(args, more, timeout, interactive, fds)
        try:
            return received(self.reply, *self.proxy.client.connection.call_with_unix_fd_list_sync(*arguments, fds, None))
        except GLib.Error as error:
            raise BusError.of(error) from None
        finally:
            close_all(fds)

    def begin(self, *args, timeout=60, interactive=False, fds=(), **more):
        return Pending(self.proxy.client.connection, *self._arguments(args, more, timeout, interactive, fds), self.reply)


class Proxy:
    """One object seen through one of our interfaces."""

    def __init__(self, client, path, interface):
        self.client = client
        self.path = path
        self.interface = interface

    def __getattr__(self, name):
        if name not in METHODS[self.interface]:
            raise AttributeError(name)
        return Method(self, name)

    def __getitem__(self, name):
        return self.client.call(self.path, "org.freedesktop.DBus.Properties", "Get", "ss", f"{NAME}.{self.interface}", name)

    def all(self):
        return self.client.call(self.path, "org.freedesktop.DBus.Properties", "GetAll", "s", f"{NAME}.{self.interface}")

    def introspect(self):
        return self.client.call(self.path, "org.freedesktop.DBus.Introspectable", "Introspect", "")


class Client:
    """A connection of its own, optionally as another user (for root only)."""

    def __init__(self, address=None, uid=None):
        address = address or "unix:path=/run/dbus/system_bus_socket"
        flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        # The bus takes the effective uid at connect(); nothing else of this process changes.
        if uid is not None:
            os.seteuid(uid)
        try:
            self.connection = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)
        finally:
            if uid is not None:
                os.seteuid(0)
        self.connection.set_exit_on_close(False)

    def arguments(self, path, interface, member, args, flags=Gio.DBusCallFlags.NO_AUTO_START, timeout=60):
        if "." not in interface:
            interface = f"{NAME}.{interface}"
        return (NAME, path, interface, member, args, None, flags, int(timeout * 1000))

    def call(self, path, interface, member, signature, *args, timeout=60):
        """A method that is none of ours, or one of ours with words that Method would not let through."""
        try:
            arguments = self.arguments(path, interface, member, GLib.Variant(f"({signature})", args), timeout=timeout)
            return unpack(self.connection.call_sync(*arguments, None))
        except GLib.Error as error:
            raise BusError.of(error) from None

    def bus(self, member, signature, *args):
        try:
            return unpack(
                self.connection.call_sync(
                    "org.freedesktop.DBus",
                    "/org/freedesktop/DBus",
                    "org.freedesktop.DBus",
                    member,
                    GLib.Variant(f"({signature})", args),
                    None,
                    Gio.DBusCallFlags.NONE,
                    10000,
                    None,
                )
            )
        except GLib.Error as error:
            raise BusError.of(error) from None

    def has_service(self):
        return self.bus("NameHasOwner", "s", NAME)

    @property
    def manager(self):
        return Proxy(self, ROOT, "Manager")

    def pool(self, name):
        return Proxy(self, pool_path(name), "Pool")

    def volume(self, pool, name):
        return Proxy(self, volume_path(pool, name), "Volume")

    def snapshot(self, path):
        return Proxy(self, path, "Snapshot")

    def job(self, path):
        return Proxy(self, path, "Job")

    def managed_objects(self, timeout=60):
        return self.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", timeout=timeout)

    def dump(self, pool):
        """DumpVolumes: the lines of the memfd, and the descriptor for those who look closer."""
        reply, fds = self.connection.call_with_unix_fd_list_sync(
            NAME,
            pool_path(pool),
            f"{NAME}.Pool",
            "DumpVolumes",
            GLib.Variant("(a{sv})", ({},)),
            None,
            Gio.DBusCallFlags.NONE,
            60000,
            None,
            None,
        )
        return fds.get(reply.unpack()[0]), reply.unpack()[1]

    def listen(self):
        return News(self.connection)

    def close(self):
        if not self.connection.is_closed():
            self.connection.close_sync(None)


def pool_path(name):
    return f"{ROOT}/pool/{encode(name)}"


def volume_path(pool, name):
    return f"{ROOT}/volume/{encode(pool)}/{encode(name)}"


def snapshot_path(pool, volume, name):
    return f"{ROOT}/snapshot/{encode(pool)}/{encode(volume)}/{encode(name)}"
