#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kill -9 of either side at random while 300 MB and 2,000 small files are on their way.

A watcher reads what is visible on the receiving side all the time: each file is at every moment one
of the contents it ever had on the sending side, never a part of one. CFGSYNC_ROUNDS=N kills N
times (8), CFGSYNC_SEED chooses the times, CFGSYNC_MB the size.
"""

import hashlib
import os
import random
import threading
import time

from harness import Failure, SLOW, check, main, wait_for
from trees import conflicts, differences, ignored, leftovers, put, same

ROUNDS = int(os.environ.get("CFGSYNC_ROUNDS", "8"))
MEGABYTES = int(os.environ.get("CFGSYNC_MB", "300"))
SMALL = 2000
BIG = 6


class Watcher(threading.Thread):
    """Says which visible file was not whole."""

    def __init__(self, root):
        super().__init__(daemon=True)
        self.root, self.legal, self.bad = root, {}, []
        self.seen, self.looks, self.ended = {}, 0, threading.Event()

    def allow(self, name, data):
        self.legal.setdefault(name, set()).add((len(data), hashlib.sha256(data).digest()))

    def look(self, name, path):
        try:
            with open(path, "rb") as file:
                before = os.fstat(file.fileno())
                key = (before.st_ino, before.st_size, before.st_ctime_ns)
                if self.seen.get(name) == key:
                    return
                sizes = {size for size, _ in list(self.legal.get(name, ()))}
                if before.st_size not in sizes:
                    self.bad.append(f"{name}: {before.st_size} bytes, it never had so many")
                    return
                data = file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return
        self.looks += 1
        if (len(data), hashlib.sha256(data).digest()) not in self.legal[name]:
            self.bad.append(f"{name}: {len(data)} bytes that it never held")
        self.seen[name] = key

    def run(self):
        while not self.ended.is_set():
            for folder, folders, files in os.walk(self.root):
                folders[:] = [n for n in folders if n != ".cfgsync"]
                for name in filter(lambda n: not ignored(n), files):
                    path = os.path.join(folder, name)
                    self.look(os.path.relpath(path, self.root), path)
            time.sleep(0.05)


class Writer:
    """The user of the sending side."""

    def __init__(self, root, watchers, rng):
        self.root, self.watchers, self.rng = root, watchers, rng

    def write(self, name, data):
        for watcher in self.watchers:
            watcher.allow(name, data)
        put(self.root / name, data)

    def big(self, number):
        size = MEGABYTES * 1_000_000 // BIG
        self.write(f"big{number}", os.urandom(size + self.rng.randrange(1000)))

    def small(self, number):
        self.write(f"s{number % 40}/{number}", os.urandom(self.rng.randrange(1, 9000)))


def kills(agents, writer, rng, rounds):
    """Kills one side, sometimes both, at random moments; there is always something on its way."""
    a, b = agents
    for number in range(rounds):
        time.sleep(rng.uniform(0.05, 2.0) * SLOW)
        victims = ([a], [b], [b], [a, b])[rng.randrange(4)]
        for agent in victims:
            agent.kill9()
        if not b.process and not writer.watchers[1].bad:
            check(not writer.watchers[0].bad, "only whole files", *writer.watchers[0].bad[:5])
        for agent in victims:
            agent.start()
        if number % 2:
            writer.big(rng.randrange(BIG))
            for small in rng.sample(range(SMALL), 100):
                writer.small(small)


def test_kill9(world):
    seed = int(os.environ.get("CFGSYNC_SEED", time.time_ns() % 100000))
    print(f"    CFGSYNC_SEED={seed} CFGSYNC_ROUNDS={ROUNDS}", flush=True)
    rng = random.Random(seed)
    a, b = world.company("alpha", "beta")
    for agent in (a, b):
        agent.folder_add("f")
    on_a, on_b = a.paths["f"], b.paths["f"]
    watchers = [Watcher(on_b), Watcher(on_a)]
    writer = Writer(on_a, watchers, rng)
    for number in range(SMALL):
        writer.small(number)
    for number in range(BIG):
        writer.big(number)
    for watcher in watchers:
        watcher.start()
    kills((a, b), writer, rng, ROUNDS)
    a.sync("f", timeout=60)
    b.sync("f", timeout=60)
    for watcher in watchers:
        check(watcher.is_alive() and watcher.looks > 0, "the files are watched", watcher.looks)
        watcher.ended.set()
        watcher.join(30)
        check(not watcher.bad, "only whole files", *watcher.bad[:5])
    same(on_a, on_b)
    check(not conflicts(on_a), "one side edits, so there is no conflict", list(conflicts(on_a)))
    wait_for(lambda: not leftovers(on_a) and not leftovers(on_b),
             lambda: f"staging is empty: {leftovers(on_a) + leftovers(on_b)}", 15)
    print(f"    {watchers[0].looks} looks at beta's files", flush=True)


def test_both_edit(world):
    """Both sides edit their own part while either is killed; nothing is lost or half."""
    rng = random.Random(int(os.environ.get("CFGSYNC_SEED", "5")))
    a, b, on_a, on_b = world.pair()
    wanted = {}
    for number in range(max(3, ROUNDS // 2)):
        for agent, root, part in ((a, on_a, "a"), (b, on_b, "b")):
            for _ in range(40):
                name = f"{part}/{rng.randrange(200)}"
                wanted[name] = os.urandom(rng.randrange(20000))
                put(root / name, wanted[name])
            time.sleep(rng.uniform(0, 0.5))
            victim = rng.choice((a, b))
            victim.kill9()
            victim.start()
    a.sync("f")
    b.sync("f")
    same(on_a, on_b)
    for name, data in wanted.items():
        if (on_a / name).read_bytes() != data:
            raise Failure(f"{name} is not what was saved last")
    check(not differences(on_a, on_b), "equal")


if __name__ == "__main__":
    main()
