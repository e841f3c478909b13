# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rows of the table: each function measures one, ours, the peer's and the limit by turns, and yields its lines."""

import os
import signal
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass

from bed import Folder, Own, Running, limit, median_of, rate_of, together, wait_until

MSEC = 1000


@dataclass
class Line:
    """One line of the table. `target` is the most that `figure` may be, or the least if `least`; None: shown only."""

    what: str
    own: str
    beside: str
    figure: float = 0
    target: float | None = None
    unit: str = "×"
    least: bool = False

    @property
    def reached(self):
        if self.target is None:
            return None
        return self.figure >= self.target if self.least else self.figure <= self.target


def by_turns(rounds, **measures):
    """The median of each measure; the measures take turns, so that what disturbs the machine disturbs all."""
    values = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            values[name].append(measure())
    return {name: statistics.median(v) for name, v in values.items()}


def msec(usec):
    return f"{usec / MSEC:.3g} ms" if usec < 1e6 else f"{usec / 1e6:.3g} s"


def times(n):
    return f"{n:,}"


class Bench:
    """What the rows share: the services, the sizes, how often."""

    def __init__(self, quick, libvirt):
        self.own = Own()
        self.libvirt = libvirt
        self.small, self.large = (1000, 10000) if quick else (10000, 100000)
        self.rounds = 3 if quick else 5
        self.data_size = (128 if quick else 1024) << 20


def first_scan(own, folder):
    own.call("define", folder.name, folder.path)
    taken = own.median("do", "Start", folder.name, 1)
    own.drop(folder)
    return taken


def scan(bench):
    """Refresh and first scan."""
    own, libvirt = bench.own, bench.libvirt
    for kind in ("raw", "qcow2"):
        for n in (bench.small, bench.large):
            folder = Folder(f"{kind}{n}", n, kind)
            what = f"{times(n)} {kind} volumes"
            first = by_turns(
                3, limit=lambda: limit("header-scan", folder.path), own=lambda: first_scan(own, folder)
            )
            libvirt_first = f"; libvirt {msec(libvirt.add(folder))}" if libvirt else ""
            own.add(folder)
            measures = {"limit": lambda: limit("statx-scan", folder.path), "own": lambda: own.refresh(folder, 3)}
            again = by_turns(bench.rounds, **measures)
            libvirt_again = f"; libvirt {msec(libvirt.refresh(folder))}" if libvirt else ""
            own.drop(folder)
            if libvirt:
                libvirt.drop(folder)
            for name, values, peer, target in (
                ("refresh of unchanged", again, libvirt_again, 1.5),
                ("first scan of", first, libvirt_first, 1.3),
            ):
                beside = f"{'statx' if values is again else 'header'} scan {msec(values['limit'])}{peer}"
                yield Line(f"{name} {what}", msec(values["own"]), beside, values["own"] / values["limit"], target)


def list_all(bench):
    """The whole list with name, capacity, allocation and format."""
    own, libvirt = bench.own, bench.libvirt
    small, large = Folder("listsmall", bench.small), Folder("listlarge", bench.large)
    for folder in (small, large):
        own.add(folder)
    measures = {
        "dump": lambda: own.median("dump", small.name, 1),
        "pages": lambda: own.median("list", small.name),
    }
    if libvirt:
        libvirt.add(small)
        measures["api"] = lambda: libvirt.median("list", small.name)
        measures["face"] = lambda: median_of("call-peer", "list", small.name)
    values = by_turns(bench.rounds, **measures)
    for what, key in (("DumpVolumes", "dump"), ("ListVolumes", "pages")):
        line = Line(f"list {times(bench.small)}, {what}", msec(values[key]), "no peer")
        if libvirt:
            line.beside = f"C API {msec(values['api'])}; libvirt-dbus {msec(values['face'])}"
            line.figure, line.target = values[key] / values["api"], 1 / 20
        yield line
    values = by_turns(
        bench.rounds,
        dump=lambda: own.median("dump", large.name, 1),
        again=lambda: own.median("list", large.name),
    )
    for what, key in (("DumpVolumes", "dump"), ("ListVolumes", "again")):
        beside = "libvirt refuses more than 16,384"
        yield Line(f"list {times(bench.large)}, {what}", msec(values[key]), beside, values[key] / 1e6, 0.3, "s")
    for folder in (small, large):
        own.drop(folder)
    if libvirt:
        libvirt.drop(small)


def creator(service, folder, n, program="call-own", words=()):
    """The median time of one of n volumes made in a row."""

    def run():
        bus = getattr(service, "bus", None)
        return median_of(program, "create", folder.name, *words, n, f"made-{time.monotonic_ns()}", bus=bus)

    return run


def creators(service, folder, callers, n, program="call-own", words=()):
    """Volumes a second that some callers at once create."""

    def run():
        bus = getattr(service, "bus", None)
        stamp = time.monotonic_ns()
        results = together(
            [Running(program, "create", folder.name, *words, n, f"made-{stamp}-{i}", bus=bus) for i in range(callers)]
        )
        return rate_of(results)

    return run


def create(bench):
    """Raw volumes of 1 GiB, sparse, durable when the call returns."""
    own, libvirt, user = bench.own, bench.libvirt, Own(user=True)
    empty, full, home = Folder("empty", 1), Folder("full", bench.small), Folder("home", 1)
    theirs = Folder("theirs", 1)
    own.add(empty)
    own.add(full)
    user.add(home)
    n = 100
    one = {
        "limit": lambda: limit("create-raw", theirs.path, n) / n,
        "own": creator(own, empty, n, words=["raw"]),
        "full": creator(own, full, n, words=["raw"]),
        "user": creator(user, home, n, words=["raw"]),
    }
    many = {"own": creators(own, empty, 8, 50, words=["raw"])}
    if libvirt:
        libvirt.add(theirs)
        one["peer"] = creator(libvirt, theirs, n, "call-peer")
        many["peer"] = creators(libvirt, theirs, 8, 50, "call-peer")
    values = by_turns(bench.rounds, **one)
    rates = by_turns(bench.rounds, **many)
    for what, key in (("one caller, root", "own"), ("one caller, user mode", "user")):
        line = Line(f"create raw, {what}", msec(values[key]), f"limit {msec(values['limit'])}")
        if libvirt:
            line.beside = f"libvirt-dbus {msec(values['peer'])}; {line.beside}"
            line.figure, line.target = values[key] / values["peer"], 0.5
        yield line
    beside = f"empty pool {msec(values['own'])}"
    yield Line(f"create raw, pool of {times(bench.small)}", msec(values["full"]), beside, values["full"] / values["own"], 1.1)
    line = Line("create raw, 8 callers", f"{rates['own']:.0f}/s", "no peer")
    if libvirt:
        line.beside, line.least = f"libvirt-dbus {rates['peer']:.0f}/s", True
        line.figure, line.target = rates["own"] / rates["peer"], 3
        libvirt.drop(theirs)
    yield line
    own.drop(empty)
    own.drop(full)
    user.stop()


def info(bench):
    """One volume."""
    own, libvirt, folder = bench.own, bench.libvirt, Folder("info", 100)
    own.add(folder)
    measures = {"own": lambda: own.median("info", folder.name, "volume-000000.img", 500)}
    if libvirt:
        libvirt.add(folder)
        measures["peer"] = lambda: median_of("call-peer", "info", folder.name, 500)
    values = by_turns(bench.rounds, **measures)
    line = Line("info of one volume (GetAll)", msec(values["own"]), "no peer")
    if libvirt:
        line.beside = f"libvirt-dbus {msec(values['peer'])}"
        line.figure, line.target = values["own"] / values["peer"], 0.3
        libvirt.drop(folder)
    yield line
    own.drop(folder)


def qemu_img_at_once(folder, processes, n):
    """Images a second that so many loops of bare qemu-img make beside each other."""
    rates = []
    threads = [
        threading.Thread(target=lambda: rates.append(n / (limit("qemu-img", folder.path, n) / 1e6))) for _ in range(processes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(rates)


def qcow2(bench):
    """Images that qemu-img makes."""
    own, folder, bare = bench.own, Folder("images"), Folder("bare")
    own.add(folder)
    values = by_turns(
        bench.rounds,
        limit=lambda: limit("qemu-img", bare.path, 5) / 5,
        own=creator(own, folder, 15, words=["qcow2"]),
    )
    rates = by_turns(
        bench.rounds,
        limit=lambda: qemu_img_at_once(bare, 4, 5),
        own=creators(own, folder, 4, 8, words=["qcow2"]),
    )
    beside = f"bare qemu-img {msec(values['limit'])}"
    yield Line("create qcow2, one caller", msec(values["own"]), beside, values["own"] / values["limit"], 1.15)
    beside = f"4 bare qemu-img {rates['limit']:.0f}/s"
    yield Line("create qcow2, 4 callers", f"{rates['own']:.0f}/s", beside, rates["limit"] / rates["own"], 1.15)
    own.drop(folder)


def worst_while(work, probes):
    """The longest call of each probe while work() runs, in microseconds; and how long work() took."""
    running = {name: Running(*words) for name, words in probes.items()}
    for probe in running.values():
        probe.go()
    time.sleep(0.3)
    begin = time.monotonic_ns()
    work()
    end = time.monotonic_ns()
    worst = {}
    for name, probe in running.items():
        worst[name] = max(probe.result()["usec"])
    return worst, (end - begin) / 1000


def latency(bench):
    """Calls beside a refresh."""
    own, libvirt = bench.own, bench.libvirt
    large, other = Folder("large", bench.large), Folder("other", 1)
    own.add(large)
    own.add(other)
    own.call("create", "other", "raw", 1, "first")

    def unchanged():
        own.refresh(large, 5)

    def changed():
        large.touch()
        own.refresh(large)

    for what, work in (("nothing", lambda: time.sleep(1)), ("5 refreshes, unchanged", unchanged), ("a refresh, all changed", changed)):
        for kind in ("info", "fresh", "list", "create"):
            probes = {
                folder.name: ("call-own", "probe", kind, folder.name, "volume-000000.img") for folder in (large, other)
            }
            worst, taken = worst_while(work, probes)
            for name, where in (("other", "other pool"), ("large", "same pool")):
                line = Line(f"worst {kind} call, {where}, beside {what}", msec(worst[name]), f"which took {msec(taken)}")
                line.figure, line.unit = worst[name] / MSEC, "ms"
                line.target = None if what == "nothing" else 20
                yield line
    own.drop(large)
    worst, taken = worst_while(lambda: own.add(large), {"other": ("call-own", "probe", "info", "other", "volume-000000.img")})
    line = Line("worst info call, other pool, beside a first scan", msec(worst["other"]), f"which took {msec(taken)}")
    line.figure, line.unit, line.target = worst["other"] / MSEC, "ms", 20
    yield line
    own.drop(large)
    own.drop(other)
    if libvirt:
        libvirt.add(other)
        libvirt.add(large)
        probes = {folder.name: ("call-libvirt", "probe", folder.name) for folder in (large, other)}
        worst, taken = worst_while(lambda: libvirt.refresh(large), probes)
        for name, where in (("other", "other pool"), ("large", "same pool")):
            yield Line(f"libvirt: worst info call, {where}", "", f"{msec(worst[name])}, beside a refresh of {msec(taken)}")
        libvirt.drop(other)
        libvirt.drop(large)


def memory(bench):
    """Proportional set size of the daemon and its session worker."""
    folder, small = Folder("memory", bench.large), Folder("idle", 1)
    bench.own.stop()
    bench.own = own = Own()
    own.add(small)
    own.call("create", small.name, "raw", 1, "worker")
    idle = own.memory()
    own.add(folder)
    own.refresh(folder)
    own.call("create", folder.name, "raw", 1, "worker")
    own.call("do", "Stop", small.name, 1)
    own.call("dump", folder.name, 1)
    wait_until(lambda: len(own.workers()) <= 1, 90, 0.1)
    loaded = own.memory()
    theirs = ""
    if bench.libvirt:
        bench.libvirt.add(folder)
        theirs = f"libvirt {bench.libvirt.memory():.0f} MiB"
        bench.libvirt.drop(folder)
    yield Line("memory, one small pool, idle", f"{idle:.1f} MiB", "", idle, 8, "MiB")
    yield Line(f"memory, {times(bench.large)} volumes", f"{loaded:.1f} MiB", theirs, loaded, 45, "MiB")
    own.drop(folder)
    own.call("undefine", small.name)


def stop_activated():
    """Ends the daemon that the bus has started. Its helper is gone, so it is a child of the first process: of this one."""
    command = ["busctl", "call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetConnectionUnixProcessID", "s"]
    answer = subprocess.run([*command, "org.example.Storage"], stdout=subprocess.PIPE, check=True, text=True)
    pid = int(answer.stdout.split()[1])
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)


def activation(bench):
    """A call to a service that does not run, until it is answered."""
    folder = Folder("sleeper", 1)
    bench.own.call("define", folder.name, folder.path)
    bench.own.stop()
    taken = []
    for _ in range(9):
        taken.append(median_of("call-own", "answer"))
        stop_activated()
    bench.own = Own()
    theirs = f"libvirtd {bench.libvirt.up_msec:.0f} ms" if bench.libvirt else ""
    value = statistics.median(taken)
    yield Line("activation to first answer", msec(value), theirs, value / MSEC, 20, "ms")
    bench.own.call("undefine", folder.name)


def outside(bench):
    """A file that somebody else makes, until a subscriber hears of it."""
    folder = Folder("news", 10)
    bench.own.add(folder)
    result = bench.own.call("outside", folder.name, folder.path, 20)
    value = statistics.median(result["usec"])
    beside = f"worst of 20: {msec(max(result['usec']))}; libvirt never"
    yield Line("file made outside to InterfacesAdded", msec(value), beside, value / MSEC, 100, "ms")
    bench.own.drop(folder)


ROWS = {
    "scan": scan,
    "list": list_all,
    "create": create,
    "info": info,
    "qcow2": qcow2,
    "latency": latency,
    "memory": memory,
    "activation": activation,
    "outside": outside,
}
