#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kill -9 right before the n-th call that changes a disk, at the side that edits and at the one
that takes the edits in: create, edit, delete, rename, modes, links, a file where a directory was
and the other way round, a large file, and an edit on both sides.

CFGSYNC_KILLS=N tries N of the calls per side (7; all: each of them), CFGSYNC_SEED chooses.
"""

import mmap
import os
import random
import signal
import struct
import time

from faults import preload
from harness import SLOW, World, check, main, wait_for
from test_faults import User
from test_filesystems import Exfat, contents
from test_kill9 import Watcher
from trees import conflicts, leftovers, same, tree

KILLS = os.environ.get("CFGSYNC_KILLS", "7")
SEED = int(os.environ.get("CFGSYNC_SEED", "1"))
PER_WORLD = 25


class Counter:
    """Of the calls that the agent makes from its start on; it dies right before the one named."""

    def __init__(self, world, agent):
        path = world.dir / f"{agent.name}-calls"
        path.write_bytes(bytes(16))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 16)
        preload(world, agent, CFGSYNC_DIE_AT=path)

    def set(self, last):
        self.map[:] = struct.pack("=QQ", 0, last)

    def calls(self):
        return struct.unpack("=QQ", self.map[:])[0]


class Scene:
    """alpha and beta in step; one of them can be made to die."""

    def __init__(self, world, which, kind=None):
        disk = kind(world, "beta", megabytes=96) if kind else None
        self.a, self.b = self.agents = [world.agent("alpha"), world.agent("beta")]
        self.victim = self.agents[which]
        self.counter = Counter(world, self.victim)
        self.a.start()
        self.b.start()
        self.a.peer_add(self.b)
        self.b.peer_add(self.a)
        self.a.folder_add("f")
        self.b.folder_add("f", path=disk.path / "root" if disk else None)
        self.seen = contents if kind else tree
        self.on_a, self.on_b = self.a.paths["f"], self.b.paths["f"]
        self.watchers = [Watcher(self.on_a), Watcher(self.on_b)]
        self.user = User(self.on_a, self, plain=kind is not None)
        self.others = User(self.on_b, self, files=0)
        self.user.edit()
        self.a.sync("f")
        for watcher in self.watchers:
            watcher.start()

    def allow(self, name, data):
        for watcher in self.watchers:
            watcher.allow(name, data)

    def bury(self):
        """Whether the victim has died; on a busy machine long after all seemed quiet."""
        code = self.victim.process.poll() if self.victim.process else None
        if code is None:
            return False
        check(code == -signal.SIGKILL, "it was killed", code)
        self.victim.process = None
        return True

    def lives(self):
        """It may have been killed and wait for the disk, which its end does."""
        try:
            return self.victim.status() is not None
        except Exception:  # whatever is wrong, it is looked at again below
            return False

    def converge(self):
        self.counter.set(0)
        if self.victim.process and not self.lives():
            self.victim.process.wait(60)
        self.bury()
        if not self.victim.process:
            self.victim.start()
        for agent in (self.a, self.b, self.a):
            agent.sync("f", timeout=120)

    def edits(self):
        """All kinds at once on alpha, and of one file on both sides while apart."""
        n = self.user.round
        self.b.process.send_signal(signal.SIGSTOP)
        self.user.edit()
        self.user.save(f"base3/{10 * n + 3}", b"alpha's %d" % n)
        time.sleep(0.1 * SLOW)
        self.others.save(f"base3/{10 * n + 3}", b"beta's %d" % n)
        self.b.process.send_signal(signal.SIGCONT)
        return b"alpha's %d" % n, b"beta's %d" % n, self.on_a / f"base3/{10 * n + 3}"

    def look(self, mine, other, path):
        same(self.seen(self.on_a), self.seen(self.on_b))
        check(conflicts(self.on_a) == conflicts(self.on_b), "the same conflict items")
        there = [path.read_bytes(), *conflicts(self.on_a).values()]
        check(mine in there and other in there, "both edits are there", there)
        check(len(conflicts(self.on_a)) == self.user.round - 1, "one conflict each time",
              conflicts(self.on_a), self.user.round)
        for watcher in self.watchers:
            check(watcher.is_alive(), "it was looked at all the time")
            check(not watcher.bad, "only whole files", *watcher.bad[:5])
        wait_for(lambda: not leftovers(self.on_a) + leftovers(self.on_b),
                 lambda: f"staging is empty: {leftovers(self.on_a) + leftovers(self.on_b)}")

    def at_rest(self):
        """Waits until the victim is dead or does nothing any more; the number of its calls."""
        calls, since = 0, time.monotonic()
        while self.victim.process.poll() is None and time.monotonic() - since < 0.5 * SLOW:
            if self.counter.calls() != calls:
                calls, since = self.counter.calls(), time.monotonic()
            time.sleep(0.01)
        return calls

    def run(self, last):
        """Edits, until the victim dies at call number `last`, and what comes of it. False: it did
        not. With 0 it lives, and the number of calls is the result."""
        self.counter.set(last)
        made = self.edits()
        if last == 0:
            calls = self.at_rest()
            self.converge()
            self.look(*made)
            return calls
        self.at_rest()
        self.counter.set(0)
        died = self.bury()
        self.converge()
        self.look(*made)
        return died


def die_everywhere(which, kind=None):
    rng, left, done = random.Random(SEED), None, 0
    while left is None or left:
        world, failed = World(), True
        try:
            scene = Scene(world, which, kind)
            if left is None:
                scene.run(0)  # the index has much to clear up the first time
                calls = scene.run(0)
                left = list(range(1, calls + 1))
                if KILLS != "all":
                    left = rng.sample(left, min(int(KILLS), calls))
                print(f"    {calls} calls, {len(left)} of them tried", flush=True)
            for last in left[:PER_WORLD]:
                done += scene.run(last)
            left = left[PER_WORLD:]
            failed = False
        except BaseException:
            print(f"    at CFGSYNC_SEED={SEED} CFGSYNC_KILLS={KILLS}: {left[:PER_WORLD]}")
            raise
        finally:
            world.close(failed)
    check(done > 0, "it has died")
    print(f"    died {done} times", flush=True)


def test_editing_side(_):
    die_everywhere(0)


def test_receiving_side(_):
    die_everywhere(1)


def test_without_exchange(_):
    die_everywhere(1, Exfat)


if __name__ == "__main__":
    main()
