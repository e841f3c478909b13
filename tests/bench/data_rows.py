# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rows of moving data: each job beside the plain tool that does the same, cp with an fsync() or qemu-img.
Times are a client's whole call, CPU is that of client, daemon and worker together."""

import contextlib
import os
import statistics
import subprocess
import time

from bed import SCRATCH, Folder, Running, call, median_of
from rows import Line

MIB = 1 << 20
VOLUME = "v-0"  # what call-own names the first that it creates
TICK = os.sysconf("SC_CLK_TCK")


def stat_fields(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()


def cpu_of(own):
    """Seconds of the daemon and its workers, those that have ended too."""
    total = sum(int(t) for t in stat_fields(own.daemon.pid)[11:15])
    for pid in own.workers():
        with contextlib.suppress(OSError):
            total += sum(int(t) for t in stat_fields(pid)[11:15])
    return total / TICK


def cpu_of_children():
    t = os.times()
    return t.children_user + t.children_system


class Taken:
    """Wall time and CPU of what was done by turns, in seconds; the medians."""

    def __init__(self):
        self.wall, self.cpu = [], []

    def run(self, work, own=None):
        before = cpu_of_children() + (cpu_of(own) if own else 0)
        begin = time.monotonic()
        result = work()
        # The client says how long its call took; its own start is not the service's.
        self.wall.append(result if isinstance(result, float) else time.monotonic() - begin)
        self.cpu.append(cpu_of_children() + (cpu_of(own) if own else 0) - before)

    def median(self):
        return statistics.median(self.wall), statistics.median(self.cpu)


def job(*words):
    """Seconds of one call."""
    return call("call-data", *words)["usec"][0] / 1e6


def copy(*words, target):
    """The tool that users have, durable as a job is."""
    subprocess.run(["cp", *words, target], check=True)
    subprocess.run(["sync", target], check=True)


def fill(path, size):
    with open("/dev/urandom", "rb") as source, open(path, "wb") as file:
        for _ in range(size // MIB):
            file.write(source.read(MIB))
        os.fsync(file.fileno())


def warm(path):
    with open(path, "rb") as file:
        while file.read(MIB):
            pass


def touch_memory(path, size):
    """A virtual machine gets its memory at the first touch; whoever comes first would pay for it."""
    subprocess.run(["dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={size // MIB}", "status=none"], check=True)
    os.unlink(path)


def remove(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


@contextlib.contextmanager
def file_system(kind, size):
    """A directory on such a file system; None where this machine cannot have it. ext4 stands for the scratch directory's."""
    path = f"{SCRATCH}/pools/fs-{kind}"
    os.makedirs(path, exist_ok=True)
    if kind == "ext4":
        yield path
        return
    if kind == "tmpfs":
        command = ["mount", "-t", "tmpfs", "tmpfs", path]
    else:
        image = f"{SCRATCH}/{kind}.img"
        with open(image, "wb") as file:
            file.truncate(size)
        made = subprocess.run([f"mkfs.{kind}", "-q", image], stdout=subprocess.DEVNULL, check=False)
        command = ["mount", "-o", "loop", image, path] if made.returncode == 0 else ["false"]
    if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        yield None
        return
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@contextlib.contextmanager
def pool_on(own, path, name):
    """A pool beside the files of the peer."""
    folder = Folder.__new__(Folder)
    folder.name, folder.path = name, f"{path}/{name}"
    os.makedirs(folder.path, exist_ok=True)
    own.add(folder)
    try:
        yield folder
    finally:
        own.drop(folder)


def lines(what, peer, mine, theirs, target, cpu_target=None):
    (wall, cpu), (peer_wall, peer_cpu) = mine.median(), theirs.median()
    yield Line(f"{what}, time", f"{wall * 1000:.4g} ms", f"{peer} {peer_wall * 1000:.4g} ms", wall / peer_wall, target)
    if cpu_target:
        yield Line(f"{what}, CPU", f"{cpu:.2f} s", f"{peer} {peer_cpu:.2f} s", cpu / max(peer_cpu, 1 / TICK), cpu_target)


def transfer(bench):
    """Upload and download of data that is nowhere zero."""
    own, size = bench.own, bench.data_size
    for kind in ("ext4", "tmpfs"):
        with file_system(kind, size) as path, pool_on(own, path, f"transfer-{kind}") as pool:
            source, target = f"{path}/source", f"{path}/target"
            fill(source, size)
            if kind == "tmpfs":
                touch_memory(target, 3 * size)
            up, down, peer = Taken(), Taken(), Taken()
            cpu, wall = 0, 0
            for _ in range(bench.rounds):
                remove(target)
                os.sync()
                peer.run(lambda: copy("--reflink=never", source, target=target))
                remove(target)
                own.call("create", pool.name, "raw", 1, "v")
                os.sync()
                fields = stat_fields(own.daemon.pid)
                up.run(lambda: job("upload", pool.name, VOLUME, source), own)
                cpu += sum(int(t) for t in stat_fields(own.daemon.pid)[11:13]) - sum(int(t) for t in fields[11:13])
                wall += up.wall[-1]
                os.truncate(f"{pool.path}/{VOLUME}", size)
                os.sync()
                warm(f"{pool.path}/{VOLUME}")  # as cp's source is
                peer.run(lambda: copy("--reflink=never", source, target=target))
                remove(target)  # its memory is there for the next, as that of the target before was for the upload
                os.sync()
                down.run(lambda: job("download", pool.name, VOLUME, target), own)
                job("delete", pool.name, VOLUME)
            beside = "cp + sync"
            yield from lines(f"upload of {size // MIB} MiB, {kind}", beside, up, peer, 1.1, 1.1)
            yield from lines(f"download of {size // MIB} MiB, {kind}", beside, down, peer, 1.1, 1.1)
            share = cpu / TICK / wall * 100
            yield Line(f"daemon's CPU during an upload, {kind}", f"{share:.2f} %", "of a core", share, 1, "%")
            remove(target)
            remove(source)


def sparse(bench):
    """Download of a volume that is all hole."""
    own = bench.own
    with file_system("ext4", 0) as path, pool_on(own, path, "sparse") as pool:
        own.call("create", pool.name, "raw", 1, "v")
        mine, theirs = Taken(), Taken()
        for _ in range(bench.rounds * 3):
            remove(f"{path}/target")
            theirs.run(lambda: copy("--sparse=always", f"{pool.path}/{VOLUME}", target=f"{path}/target"))
            remove(f"{path}/target")
            mine.run(lambda: job("download", pool.name, VOLUME, f"{path}/target"), own)
        yield from lines("download of 1 GiB that is all hole", "cp --sparse=always + sync", mine, theirs, 1.1)
        remove(f"{path}/target")


def clones_on(bench, kind, path):
    own, size = bench.own, bench.data_size
    shares = kind != "ext4"
    with pool_on(own, path, f"clones-{kind}") as pool:
        for form in ("raw", "qcow2") if shares else ("raw",):
            fill(f"{path}/data", size)
            source = f"{pool.path}/source"
            subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", form, f"{path}/data", source], check=True)
            remove(f"{path}/data")
            own.call("do", "Refresh", pool.name, 1)
            mine, theirs = Taken(), Taken()
            for i in range(bench.rounds):
                os.sync()
                theirs.run(lambda: copy(f"--reflink={'auto' if shares else 'never'}", source, target=f"{path}/target"))
                remove(f"{path}/target")
                os.sync()
                mine.run(lambda: job("clone", pool.name, f"clone{i}", "source"), own)
                job("delete", pool.name, f"clone{i}")
            what = f"clone of {size // MIB} MiB {form}, {kind}"
            if shares:
                added = (mine.median()[0] - theirs.median()[0]) * 1000
                peer = f"cp --reflink=auto + sync {theirs.median()[0] * 1000:.3g} ms"
                yield Line(what, f"{mine.median()[0] * 1000:.3g} ms", peer, added, 5, "ms")
            else:
                yield from lines(what, "cp + sync", mine, theirs, 1.05)
            remove(source)


def clone(bench):
    """Copies within a pool."""
    for kind in ("ext4", "xfs", "btrfs"):
        with file_system(kind, 8 << 30) as path:
            if path:
                yield from clones_on(bench, kind, path)
            else:
                yield Line(f"clone, {kind}", "", "this machine cannot mount one")


def convert(bench):
    """A clone in another format."""
    own, size = bench.own, bench.data_size
    with file_system("ext4", 0) as path, pool_on(own, path, "convert") as pool:
        source = f"{pool.path}/source"
        fill(source, size)
        own.call("do", "Refresh", pool.name, 1)
        mine, theirs = Taken(), Taken()

        def bare():
            subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", source, f"{path}/target"], check=True)
            subprocess.run(["sync", f"{path}/target"], check=True)

        for i in range(bench.rounds):
            os.sync()
            theirs.run(bare)
            remove(f"{path}/target")
            os.sync()
            mine.run(lambda: job("convert", pool.name, f"clone{i}", "source", "qcow2"), own)
            job("delete", pool.name, f"clone{i}")
        yield from lines(f"clone of {size // MIB} MiB raw to qcow2", "bare qemu-img convert + sync", mine, theirs, 1.05)
        remove(source)


def cancel(bench):
    """From Cancel to the job's end, with the space free again."""
    own, size = bench.own, 1 << 30  # less would have ended before
    with file_system("ext4", 0) as path, pool_on(own, path, "cancel") as pool:
        fill(f"{path}/source", size)
        own.call("create", pool.name, "raw", 1, "v")
        taken = []
        for _ in range(bench.rounds):
            os.sync()
            taken.append(call("call-data", "cancel", pool.name, VOLUME, f"{path}/source")["usec"][0] / 1000)
            if os.listdir(pool.path) != [VOLUME] or os.stat(f"{pool.path}/{VOLUME}").st_blocks > 8:
                raise RuntimeError("a cancelled upload has left something")
        yield Line("cancel of an upload, to its end", f"{statistics.median(taken):.3g} ms", f"worst {max(taken):.3g} ms",
                   max(taken), 200, "ms")
        remove(f"{path}/source")


def beside(bench):
    """Calls beside ten jobs at once."""
    own, size = bench.own, bench.data_size
    with file_system("ext4", 0) as path, pool_on(own, path, "beside") as pool:
        fill(f"{path}/source", size)
        own.call("create", pool.name, "raw", 10, "v")
        names = sorted(os.listdir(pool.path))
        alone = statistics.median(median_of("call-own", "info", pool.name, names[0], 500) for _ in range(3))
        jobs = [Running("call-data", "upload", pool.name, name, f"{path}/source") for name in names]
        for running in jobs:
            running.go()
        time.sleep(0.3)
        busy = median_of("call-own", "info", pool.name, names[0], 500)
        running = sum(r.process.poll() is None for r in jobs)
        for r in jobs:
            r.result()
        yield Line(f"info call beside 10 uploads ({running} still ran)", f"{busy / 1000:.3g} ms", f"alone {alone / 1000:.3g} ms",
                   busy / alone, 2)
        remove(f"{path}/source")


ROWS = {"transfer": transfer, "sparse": sparse, "clone": clone, "convert": convert, "cancel": cancel, "beside": beside}
