#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Faults of disks: power cuts on a file system that forgets what was not flushed, disks that are
full, folders on file systems with little room.

CFGSYNC_ROUNDS=N cuts N times per side (3), CFGSYNC_SEED chooses the moments, CFGSYNC_DISK=ext4 cuts
that instead of xfs.
"""

import os
import pathlib
import random
import shutil
import subprocess
import threading
import time

from harness import SLOW, Skip, check, free_port, main, wait_for
from trees import conflicts, leftovers, put, same, wait_same

ROUNDS = int(os.environ.get("CFGSYNC_ROUNDS", "3"))


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return done.returncode == 0, (done.stdout + done.stderr).strip()


class Mount:
    """A file system of its own on a loop device; cut() takes its power."""

    kind = os.environ.get("CFGSYNC_DISK", "xfs")

    def __init__(self, world, name, megabytes=320):
        if os.geteuid() != 0:
            raise Skip("mounting needs root")
        if not shutil.which(f"mkfs.{self.kind}") or not shutil.which("xfs_io"):
            raise Skip(f"mkfs.{self.kind} and xfs_io are not installed")
        self.image, self.path = world.dir / f"{name}.img", world.dir / f"{name}-disk"
        self.path.mkdir()
        with open(self.image, "wb") as file:
            file.truncate(megabytes << 20)
        good, text = run(*self.make())
        check(good, "mkfs", text)
        self.mount()
        world.closers.append(self.end)

    def make(self):
        force = ["-F"] if self.kind == "ext4" else []
        return f"mkfs.{self.kind}", "-q", *force, self.image

    def mount(self):
        good, text = run("mount", "-o", "loop", self.image, self.path)
        if not good:
            raise Skip(f"cannot mount: {text}")

    def unmount(self):
        wait_for(lambda: run("umount", self.path)[0], "unmounted", every=0.1)

    def cut(self):
        good, text = run("xfs_io", "-x", "-c", "shutdown", self.path)
        check(good, "power is cut", text)

    def end(self):
        run("umount", "-l", self.path)


def on_disk(world, name, disk):
    """An agent whose home is on that disk."""
    agent = world.agent(name, init=False)
    agent.home = disk.path / "home"
    agent.env["CFGSYNC_HOME"] = str(agent.home)
    agent.init()
    return agent


def power_off(agent, disk):
    disk.cut()
    agent.process.kill()
    agent.process.wait()
    agent.process = None
    disk.unmount()
    disk.mount()


def pair_on_disk(world, which):
    """alpha and beta in step; the one named `which` lives on a disk whose power can be cut."""
    disk = Mount(world, which)
    agents = {name: on_disk(world, name, disk) if name == which else world.agent(name)
              for name in ("alpha", "beta")}
    a, b = agents["alpha"], agents["beta"]
    for agent in (a, b):
        agent.start()
    a.peer_add(b)
    b.peer_add(a)
    for agent in (a, b):
        agent.folder_add("f", path=disk.path / "root" if agent.name == which else None)
    a.sync("f")
    return a, b, disk


class Writer(threading.Thread):
    """Saves numbered versions of some files, without fsync, and knows all of them."""

    def __init__(self, root, rng, before=None, in_place=True):
        super().__init__(daemon=True)
        self.root, self.rng, self.in_place = root, rng, in_place
        self.ended = threading.Event()
        self.number = before.number if before else 0
        self.versions = before.versions if before else {}

    def run(self):
        while not self.ended.is_set():
            name = f"d{self.rng.randrange(3)}/f{self.rng.randrange(12)}"
            self.number += 1
            size = self.rng.choice([10, 3000, 60000])
            data = f"{self.number:08d} ".encode() * (size // 9 + 1)
            self.versions.setdefault(name, {})[data] = self.number
            try:
                if not self.in_place or self.rng.random() < 0.5:
                    put(self.root / name, data)
                else:
                    (self.root / name).parent.mkdir(exist_ok=True)
                    (self.root / name).write_bytes(data)
            except OSError:
                return  # the power is off
            time.sleep(0.002)

    def end(self):
        self.ended.set()
        self.join()

    def seen(self, root):
        """The number of what each file holds. Anything else is half a file."""
        found = {}
        for name, versions in self.versions.items():
            path = pathlib.Path(root) / name
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            # What was saved just before the cut, not flushed and not published, may be empty, or
            # nothing but zeros (ext4).
            lost = not self.in_place and not data.strip(b"\0")
            check(data in versions or lost, f"{name} is whole",
                  f"{len(data)} bytes: {data[:30]!r}")
            found[name] = versions.get(data, 0)  # what is lost demands nothing, and is no progress
        return found


def test_power_cut_while_receiving(world):
    a, b, disk = pair_on_disk(world, "beta")
    rng = random.Random(int(os.environ.get("CFGSYNC_SEED", "1")))
    on_a, on_b = a.paths["f"], b.paths["f"]
    writer = None
    for _ in range(ROUNDS):
        writer = Writer(on_a, rng, writer)
        writer.start()
        time.sleep(rng.uniform(0.2, 1.0) * SLOW)
        power_off(b, disk)
        writer.seen(on_b)
        b.start()
        writer.end()
        writer.seen(on_b)
    a.sync("f", timeout=120)
    wait_same(on_a, on_b)
    check(not conflicts(on_a), "nobody edited on two sides", conflicts(on_a))
    wait_for(lambda: not leftovers(on_b), lambda: f"staging is clean: {leftovers(on_b)}")


def is_kept(root, data):
    for file in (pathlib.Path(root) / ".cfgsync" / "kept").glob("*"):
        try:
            if file.read_bytes() == data:
                return True
        except FileNotFoundError:
            continue  # it is there twice, and goes
    return False


def assert_went_down(log, other_root, name, data):
    """The version after this one was published, and its content was nowhere but on that disk. Then
    what is left of it is published: it is said, and what the other side had is kept."""
    said = f'what it was cannot be put back folder=f path="{name}"'
    check(said in log, f"{name}: what beta had does not go back")
    wait_for(lambda: is_kept(other_root, data), f"{name}: what beta had is kept")


def test_power_cut_while_editing(world):
    """What the other side has seen is never taken back by a disk that forgot it."""
    a, b, disk = pair_on_disk(world, "alpha")
    rng = random.Random(int(os.environ.get("CFGSYNC_SEED", "1")))
    on_a, on_b = a.paths["f"], b.paths["f"]
    writer = None
    for _ in range(ROUNDS):
        writer = Writer(on_a, rng, writer, in_place=False)
        writer.start()
        time.sleep(rng.uniform(0.3, 1.2) * SLOW)
        power_off(a, disk)
        writer.end()
        before = writer.seen(on_b)
        logged = len(a.log())
        a.start()
        a.sync("f", timeout=120)
        wait_same(on_a, on_b)
        after = writer.seen(on_b)
        for name, number in before.items():
            if after.get(name, 0) >= number:
                continue
            check(after.get(name) == 0, f"{name}: what beta had does not go back",
                  f"had {number}, has {after.get(name)}")
            data = next(d for d, n in writer.versions[name].items() if n == number)
            assert_went_down(a.log()[logged:], on_b, name, data)


def test_full_at_the_start(world):
    """A start waits for room in which the index can be opened; it can be ended meanwhile."""
    disk = Mount(world, "alpha")
    a = on_disk(world, "alpha", disk)
    a.start()
    a.folder_add("f", share=None)
    a.stop()
    filler = disk.path / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    a.start(wait=False)
    wait_for(lambda: "waits for space" in a.log(), a.log)
    a.process.terminate()
    check(a.process.wait(timeout=10 * SLOW) == 1, "it can be ended", a.log())
    a.process = None
    a.start(wait=False)
    wait_for(lambda: a.log().count("waits for space") == 2, a.log)
    filler.unlink()
    wait_for(lambda: a.answers(), a.log, 30)
    check([f["name"] for f in a.status()["folders"]] == ["f"], "all is there", a.status())


def test_full_in_the_middle(world):
    """A thousand files for a disk with room for some: it goes on by itself when there is room."""
    disk = Mount(world, "beta", megabytes=320)
    a, b = world.company("alpha", "beta")
    a.folder_add("f")
    b.folder_add("f", path=disk.path / "root")
    a.sync("f")
    on_a, on_b = a.paths["f"], b.paths["f"]
    free = os.statvfs(disk.path).f_bavail * os.statvfs(disk.path).f_frsize
    ballast = disk.path / "ballast"
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - (24 << 20))
    for number in range(1000):
        (on_a / f"d{number % 10}").mkdir(exist_ok=True)
        (on_a / f"d{number % 10}/f{number}").write_bytes(os.urandom(40000))
    wait_for(lambda: any(e["code"] == "blocked:no-space" for e in b.status()["errors"]),
             "beta says that it has no room", 60)
    status = b.status()
    check(status["state"] == "error", "the state says it", status["state"])
    check(a.status()["state"] != "synced", "alpha does not call it synced")
    result = a.try_sync("f", timeout=20)
    check(result.code in (1, 4), "sync --wait does not say done", result)
    put(on_b / "../small-on-beta", "x")
    ballast.unlink()
    wait_for(lambda: a.try_cli("status").code == 0 and
             a.status()["state"] == "synced" and b.status()["state"] == "synced",
             lambda: f"it goes on by itself: {b.status()['errors'][:3]}", 90, every=0.5)
    same(on_a, on_b)
    wait_for(lambda: not leftovers(on_b), lambda: f"staging is clean: {leftovers(on_b)}")


if __name__ == "__main__":
    main()
