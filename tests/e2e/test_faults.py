#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""System calls of an agent that fail while it syncs: nothing is lost, nothing half is seen, nothing
is called synced that is not, and all goes on by itself.

CFGSYNC_FAULTS=N tries N calls and errors per test (8; all: each of them), CFGSYNC_SEED chooses.
"""

import hashlib
import itertools
import os
import random
import re
import time

from faults import ERRORS, READING, WRITING, Fault, hit, preload
from harness import SLOW, World, check, main, stays, wait_for
from test_kill9 import Watcher
from trees import conflicts, leftovers, put, same, tree, wait_same

COUNT = os.environ.get("CFGSYNC_FAULTS", "8")
SEED = int(os.environ.get("CFGSYNC_SEED", "1"))


class User:
    """Edits one side in rounds, each of every kind, and lets the watcher of the other know."""

    def __init__(self, root, watcher, files=600, plain=False):
        self.root, self.watcher, self.round, self.plain = root, watcher, 0, plain
        for number in range(files):  # so many that no brake counts what is deleted
            self.save(f"base{number % 10}/{number}", b"%d" % number)

    def save(self, name, data):
        self.watcher.allow(name, data)
        put(self.root / name, data)

    def edit(self):
        n = self.round = self.round + 1
        now, last = f"r{n % 3}", f"r{(n - 1) % 3}"
        # Not the same path every time: what is written again and again is published less often.
        self.save(f"base1/{10 * n + 1}", f"{n} ".encode() * 3000)
        self.save(f"{now}/new{n}", b"new %d" % n)
        self.save(f"{now}/moved", b"to be moved %d" % n)
        self.save(f"large{n % 7}", os.urandom(1_200_000))
        if not self.plain:
            os.chmod(self.root / f"base2/{10 * n + 2}", 0o600)
            os.symlink(f"target{n}", self.root / now / f"link{n}")
        if n > 1:
            self.watcher.allow(f"{now}/arrived{n}", (self.root / last / "moved").read_bytes())
            os.rename(self.root / last / "moved", self.root / now / f"arrived{n}")
            (self.root / last / f"new{n - 1}").unlink()
        self.swap(f"swap{n % 7}", n)

    def swap(self, name, n):
        """A file where there was a directory, and the other way round."""
        path = self.root / name
        if path.is_dir():
            (path / "inside").unlink()
            path.rmdir()
            self.save(name, b"a file %d" % n)
        else:
            path.unlink(missing_ok=True)
            path.mkdir()
            self.save(f"{name}/inside", b"in a directory %d" % n)


def scene(world):
    """alpha edits, beta shows it; somebody looks at beta's files all the time."""
    a, b, on_a, on_b = world.pair()
    watcher = Watcher(on_b)
    user = User(on_a, watcher)
    user.edit()
    a.sync("f")
    watcher.start()
    return a, b, user, watcher


def synced(*agents):
    return all(agent.status()["state"] == "synced" for agent in agents)


def wrong(*agents):
    return [(agent.name, e["code"], e["path"], e["message"]) for agent in agents
            for e in agent.status()["errors"]]


def ends_well(a, b, watcher):
    """By itself, without a restart."""
    on_a, on_b = a.paths["f"], b.paths["f"]

    def left():
        # A list of leaves that could not be unlinked goes after a week.
        return [path for path in leftovers(on_a) + leftovers(on_b) if not path.endswith(".map")]

    wait_for(lambda: synced(a, b) and not wrong(a, b) and a.try_sync("f", timeout=5).code == 0,
             lambda: f"all goes on by itself: {wrong(a, b)[:4]}", 90, every=0.3)
    check(watcher.is_alive(), "it was looked at all the time")
    check(not watcher.bad, "only whole files", *watcher.bad[:5])
    same(on_a, on_b)
    check(not conflicts(on_a), "no conflict", list(conflicts(on_a)))
    wait_for(lambda: not left(), lambda: f"staging is empty: {left()}", 40)


def some(every, count=int(COUNT) if COUNT != "all" else 0):
    """All of them, or as many as one may have in a quick run."""
    return every if COUNT == "all" else random.Random(SEED).sample(every, count)


def chosen(calls):
    """What is tried: call, error, and which call of each thread fails."""
    every = list(itertools.product(calls, ERRORS, ["1", "2", "4"]))
    # What was refused is tried again in a minute.
    return some([f for f in every if COUNT == "all" or f[1] != "EACCES"])


def fail_once(world, agents, fault_at, user, fault):
    """Edits under one fault. How many calls failed."""
    call, error, when = fault
    a, b = agents
    with Fault(world, fault_at, call, error, when=when) as running:
        user.edit()
        end = time.monotonic() + 2 * SLOW
        while time.monotonic() < end and tree(user.root) != tree(b.paths["f"]):
            time.sleep(0.1)
            if not synced(a, b):
                continue
            time.sleep(1.0 * SLOW)  # the edit may not have been seen yet
            check(not synced(a, b) or wrong(a, b) or tree(user.root) == tree(b.paths["f"]),
                  f"{running.what}: nothing is called synced that is not")
        return running.hits()


def fail_all(which):
    """Some faults after one another at one of the two, in worlds of their own."""
    left = chosen(sorted(set(WRITING + READING)))
    for part in [left[i:i + 12] for i in range(0, len(left), 12)]:
        world, failed = World(), True
        try:
            a, b, user, watcher = scene(world)
            before = b.minted()
            hits = sum(fail_once(world, (a, b), (a, b)[which], user, fault) for fault in part)
            check(hits > 0, "some calls failed", part)
            ends_well(a, b, watcher)
            check(b.minted() == before, "beta has edited nothing", b.minted() - before)
            failed = False
        finally:
            world.close(failed)


def test_sending(_):
    fail_all(0)


def test_receiving(_):
    fail_all(1)


def test_short(world):
    """Reads and writes come to half of what was asked for."""
    a, b, user, watcher = scene(world)
    for agent in (a, b):
        agent.stop()
        preload(world, agent, CFGSYNC_SHORT=1)
        agent.start()
    for _ in range(3):
        user.edit()
    ends_well(a, b, watcher)
    for agent in (a, b):
        agent.stop()
        del agent.env["LD_PRELOAD"]
        agent.start()
    ends_well(a, b, watcher)


REASONS = {"EIO": "io", "ENOSPC": "no-space", "EDQUOT": "no-space", "EACCES": "permission",
           "EMFILE": "busy", "EINTR": "busy"}


def test_blocked(world):
    """What cannot be put in place says why, on both sides; all else goes on."""
    a, b, on_a, on_b = world.pair()
    for error in REASONS:
        put(on_a / error / "first", "1")
        put(on_a / error / "gone", "1")
    a.sync("f")
    for error in some([e for e in REASONS if COUNT == "all" or e != "EACCES"], 2):
        reason = REASONS[error]
        with Fault(world, b, "renameat2", error, paths=[on_b / error]) as fault:
            put(on_a / error / "first", "2")
            put(on_a / error / "second", "2")
            (on_a / error / "gone").unlink()
            hit(fault)
            put(on_a / f"other-{error}", "goes on")
            wait_for(lambda: (on_b / f"other-{error}").exists(), "others go on")
            code = f"blocked:{reason}"
            wait_for(lambda: [c for _, c, p, _ in wrong(b) if p.startswith(f"{error}/")] ==
                     [code] * 3, lambda: f"{error} blocks three: {wrong(b)}")
            check((on_b / error / "first").read_text() == "1", "the old one stays")
            check((on_b / error / "gone").exists(), "so does what is to go")
            check(not synced(a) and not synced(b), "neither says synced")
            result = a.try_sync("f", timeout=20)
            check(result.code == 1 and f"{error}/second" in result.text and reason in result.text,
                  "sync --wait names item and reason", result)
    wait_for(lambda: synced(a, b), lambda: f"it goes on by itself: {wrong(a, b)}", 90, every=0.3)
    same(on_a, on_b)
    check(not leftovers(on_b), "staging is empty", leftovers(on_b))


def test_fsync(world):
    """After a flush that failed the kernel calls the pages clean: such a file is thrown away, or
    taken back, and written anew, not flushed again and believed."""
    a, b, on_a, on_b = world.pair()
    staging, new, large = on_b / ".cfgsync/staging", os.urandom(400_000), os.urandom(12 << 20)
    temps = [staging / f"t-{b.process.pid}-{n}" for n in range(100)]
    parts = [staging / f"{hashlib.sha256(new).hexdigest()}-{len(new)}.part"]
    for call, data, paths in [("fdatasync", new[:5000], temps), ("fsync", new, parts),
                              ("sync_file_range", large, ()),
                              ("fsync", new[:6000], [on_b / "edited"])]:
        before = os.urandom(3000)
        put(on_a / "edited", before)
        a.sync("f")
        with Fault(world, b, call, "EIO", paths=paths) as fault:
            put(on_a / "edited", data)
            hit(fault)
            wait_for(lambda: any(c == "blocked:io" for _, c, _, _ in wrong(b)), "it says so")
            stays(lambda: (on_b / "edited").read_bytes() == before, "the old one is back", 1.0)
            check(not leftovers(on_b), "nothing of the new one is used again", leftovers(on_b))
            check(not synced(a) and not synced(b), "nobody says synced")
        wait_for(lambda: synced(a, b), lambda: f"it goes on: {wrong(a, b)}", 60, every=0.3)
        same(on_a, on_b)


def test_unreadable(world):
    """What cannot be read is not gone."""
    a, b, on_a, on_b = world.pair()
    for number in range(30):
        put(on_a / f"d{number % 3}" / f"{number}", f"{number}")
    put(on_a / "d0/sub/deep", "deep")
    a.sync("f")
    before = tree(on_b)
    for call, error in some([("getdents64", "EIO"), ("openat2", "EIO"), ("openat2", "EMFILE"),
                             ("newfstatat", "EIO"), ("openat", "EINTR")], 2):
        with Fault(world, a, call, error, paths=[on_a / "d0", "d0"]) as fault:
            # The marker of a root that was moved away and came back: all of it is walked.
            os.rename(on_a, f"{on_a}-away")
            wait_for(lambda: a.folder("f")["state"] == "error", "the root is away", 30)
            os.rename(f"{on_a}-away", on_a)
            hit(fault)
            wait_for(lambda: a.folder("f")["code"] == "blocked",
                     lambda: f"{call} {error} is said: {a.folder('f')} {wrong(a)}", 30)
            check(any(c == f"blocked:{REASONS[error]}" for _, c, _, _ in wrong(a)), "with a reason",
                  wrong(a))
            put(on_a / f"other-{call}-{error}", "x")
            wait_for(lambda: (on_b / f"other-{call}-{error}").exists(), "others go on")
            put(on_a / "d0/late", f"{call} {error}")
            check({p: e for p, e in tree(on_b).items() if p in before and p != "d0/late"} ==
                  {p: e for p, e in before.items() if p != "d0/late"}, "nothing is gone")
        wait_for(lambda: synced(a, b), lambda: f"it goes on: {wrong(a, b)}", 60, every=0.3)
        wait_same(on_a, on_b)
    check(b.minted() == 0, "beta has edited nothing")


def test_spelling(world):
    """A name that the disk spells in another way is searched for; a search that fails finds out
    nothing."""
    a, b, on_a, on_b = world.pair()
    name = "d/re\u0301sume\u0301"
    put(on_a / name, "first")
    a.sync("f")
    with Fault(world, a, "getdents64", "EIO", paths=[on_a / "d"]) as fault:
        with open(on_a / name, "a", encoding="ascii") as file:
            file.write(", and more")
        hit(fault)
        wait_for(lambda: wrong(a), "it says so")
        stays(lambda: len(tree(on_b)) == 2, "it is not gone", 1.0)
    wait_for(lambda: [e.read_text() for e in (on_b / "d").iterdir()] == ["first, and more"],
             lambda: f"it goes on: {wrong(a)} {tree(on_b)}", 40)


def test_index(world):
    """An index that cannot be written stops what needs it, and nothing else."""
    a, b, on_a, on_b = world.pair()
    watcher = Watcher(on_b)
    user = User(on_a, watcher)
    a.sync("f")
    watcher.start()
    for side, call, error in some([(b, "pwrite64", "ENOSPC"), (b, "fdatasync", "EIO"),
                                   (a, "pwrite64", "EIO"), (a, "fdatasync", "EDQUOT")], 2):
        index = [f for f in side.home.rglob("*") if re.search(r"\.db(-wal)?$", f.name)]
        check(index, "there is an index")
        with Fault(world, side, call, error, paths=index) as fault:
            user.edit()
            hit(fault)
            wait_for(lambda: side.folder("f")["code"] == "index",
                     lambda: f"it says so: {side.folder('f')} {wrong(side)}")
            stays(lambda: not (synced(a, b) and tree(on_a) != tree(on_b)), "nobody says synced", 3)
    ends_well(a, b, watcher)
    check(b.minted() == 0, "beta has edited nothing")


if __name__ == "__main__":
    main()
