#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Three machines seen from outside, as in "Mysteries of Dropbox" (Hughes, Pierce, Arts, Norell):
users save, delete and rename, machines are stopped, killed and frozen, at random; in the end all
show the same, and whatever a user wrote is in a file or a conflict item unless a user who had it
before him took it away.

A file is a set of lines, each written once. Who saves keeps the lines he sees, or some of them, and
adds one. What is replaced is looked at after the fact, so that what came in the very moment counts
as seen.

A schedule that fails is run again with fewer events until no fewer fail, and printed.
CFGSYNC_SEED=N chooses the first schedule, CFGSYNC_SECONDS=N for how long schedules are drawn (12),
CFGSYNC_EVENTS=N how long each is (24).
"""

import ctypes
import errno
import os
import random
import signal
import time

from harness import Failure, SLOW, Skip, check, main, wait_for
from trees import differences, put, tree

SECONDS = float(os.environ.get("CFGSYNC_SECONDS", "12"))
EVENTS = int(os.environ.get("CFGSYNC_EVENTS", "24"))
SHRINK_SECONDS = 40
PATHS = ["p", "q", "d/x", "d/y", "p/z"]
NOREPLACE, EXCHANGE = 1, 2
LIBC = ctypes.CDLL(None, use_errno=True)


def move(source, target, flags):
    """rename, but nothing is overwritten unseen. False: what it needs is not, or no longer, so."""
    if LIBC.renameat2(-100, os.fsencode(source), -100, os.fsencode(target), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY):
        return False
    raise OSError(code, os.strerror(code), str(target))


def lines(path):
    try:
        return set(path.read_text().split())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


class Users:
    """One set of users for a folder on all machines; remembers what must not be lost."""

    def __init__(self, roots):
        self.roots, self.count, self.written, self.gone = roots, 0, set(), set()

    def save(self, root, path, keep):
        path = root / path
        seen = lines(path)
        self.count += 1
        mine = f"t{self.count}"
        kept = {t for t in seen or () if keep is None or hash_bit(t, keep)}
        draft = root / f"draft{self.count}~"  # a name that is never synced
        put(draft, "".join(f"{t}\n" for t in sorted(kept | {mine})).encode())
        try:
            path.parent.mkdir(exist_ok=True)
            done = move(draft, path, NOREPLACE if seen is None else EXCHANGE)
        except (FileExistsError, NotADirectoryError, FileNotFoundError):
            done = False
        if done and draft.is_dir():  # it had come to the name: nobody saves over a directory
            move(draft, path, EXCHANGE)
            done = False
        if done:
            self.written.add(mine)
            self.taken_away(draft, kept)
        else:
            draft.unlink()

    def taken_away(self, draft, kept=frozenset()):
        self.gone |= (lines(draft) or set()) - kept
        draft.unlink(missing_ok=True)

    def delete(self, root, path):
        self.count += 1
        draft = root / f"draft{self.count}~"
        if (root / path).is_file() and move(root / path, draft, NOREPLACE):
            self.taken_away(draft)

    def rename(self, root, path, to):
        if not (root / path).is_file() or path == to:
            return
        try:
            (root / to).parent.mkdir(exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            return
        move(root / path, root / to, NOREPLACE)

    def lost(self):
        left = set()
        for root in self.roots:
            for folder, _, files in os.walk(root):
                if ".cfgsync" in folder and "conflicts" not in folder:
                    continue
                for name in files:
                    left |= lines(root / folder / name) or set()
        return self.written - self.gone - left


def hash_bit(token, bits):
    return bits >> (int(token[1:]) % 16) & 1


def schedule(rng, machines):
    """(what, machine, path, number): each means something wherever it stands, so that any can be
    left out."""
    kinds = ["save"] * 10 + ["delete"] * 3 + ["rename"] * 3 + \
        ["kill", "stop", "start", "start", "freeze", "thaw", "thaw", "wait", "wait"]
    return [(rng.choice(kinds), rng.randrange(machines), rng.randrange(len(PATHS)),
             rng.randrange(1 << 16)) for _ in range(EVENTS)]


class Machines:
    def __init__(self, world):
        self.agents = world.company("alpha", "beta", "gamma")
        self.frozen, self.folders, self.last = set(), 0, None

    def thaw(self, agent):
        if agent in self.frozen:
            self.frozen.remove(agent)
            agent.process.send_signal(signal.SIGCONT)

    def down(self, agent, how):
        self.thaw(agent)
        if agent.process:
            how()

    def freeze(self, agent):
        if agent.process and agent not in self.frozen:
            self.frozen.add(agent)
            agent.process.send_signal(signal.SIGSTOP)

    def up(self, agent):
        self.thaw(agent)
        if not agent.process:
            agent.start()

    def event(self, users, what, machine, path, number):
        agent = self.agents[machine]
        root, name = users.roots[machine], PATHS[path]
        if what == "save":
            users.save(root, name, None if number % 3 else number)
        elif what == "delete":
            users.delete(root, name)
        elif what == "rename":
            users.rename(root, name, PATHS[number % len(PATHS)])
        elif what == "kill":
            self.down(agent, agent.kill9)
        elif what == "stop":
            self.down(agent, agent.stop)
        elif what == "freeze":
            self.freeze(agent)
        elif what == "thaw":
            self.thaw(agent)
        elif what == "start":
            self.up(agent)
        if what == "wait" or number % 4 == 0:
            time.sleep(number % 40 / 100 * SLOW)

    def run(self, events):
        """One schedule in a folder of its own."""
        self.folders += 1
        folder = f"f{self.folders}"
        for agent in self.agents:
            agent.folder_add(folder)
        users = Users([agent.paths[folder] for agent in self.agents])
        for number in range(2):  # so that no deletion leaves the folder empty
            put(users.roots[0] / f"anchor{number}", b"anchor\n")
        for agent in self.agents:  # it is one folder before anybody uses it
            agent.sync(folder)
        wait_for(lambda: all((root / "anchor1").exists() for root in users.roots), "anchors come")
        for event in events:
            self.event(users, *event)
        for agent in self.agents:
            self.up(agent)
        self.come_to_rest(folder, users)
        lost = users.lost()
        check(not lost, f"no line is lost: {sorted(lost)}")
        for agent in self.agents:
            agent.cli("folder", "remove", folder)

    def come_to_rest(self, folder, users):
        def at_rest():
            for agent in self.agents:
                self.last = agent.try_sync(folder, timeout=20)
                if self.last.code:
                    return False
            first = tree(users.roots[0], everything=True)
            return all(not apart(first, tree(root, everything=True)) for root in users.roots[1:])

        def why():
            return "\n    ".join(["all are equal", str(self.last)] + [
                str(difference) for root in users.roots[1:]
                for difference in differences(users.roots[0], root)][:9])

        wait_for(at_rest, why, 60)


def apart(one, other):
    """Of what is synced: files, directories, and conflict items."""
    def synced(path):
        return not path.startswith(".cfgsync") or path.startswith(".cfgsync/conflicts/")

    return {p for p in set(one) | set(other) if synced(p) and one.get(p) != other.get(p)}


def fails(machines, events):
    """The Failure, or None."""
    try:
        machines.run(events)
    except Failure as failure:
        for agent in machines.agents:
            machines.up(agent)
        return failure
    return None


def shrink(machines, events):
    end, size = time.monotonic() + SHRINK_SECONDS * SLOW, len(events) // 2
    while size > 0 and time.monotonic() < end:
        at = 0
        while at < len(events) and time.monotonic() < end:
            fewer = events[:at] + events[at + size:]
            if fails(machines, fewer):
                events = fewer
            else:
                at += size
        size //= 2
    return events


def test_black_box(world):
    if not hasattr(LIBC, "renameat2"):
        raise Skip("files cannot be exchanged here, so nobody can tell what a user overwrote")
    seed = int(os.environ.get("CFGSYNC_SEED", time.time_ns() % 1000000))
    print(f"    CFGSYNC_SEED={seed} CFGSYNC_SECONDS={SECONDS:g} CFGSYNC_EVENTS={EVENTS}",
          flush=True)
    machines = Machines(world)
    end, runs = time.monotonic() + SECONDS, 0
    while runs == 0 or time.monotonic() < end:
        events = schedule(random.Random(seed + runs), len(machines.agents))
        failure = fails(machines, events)
        if failure:
            print(f"    CFGSYNC_SEED={seed + runs}: {failure}", flush=True)
            events = shrink(machines, events)
            print("    " + "\n    ".join(map(str, events)), flush=True)
            raise failure
        runs += 1
    print(f"    {runs} schedules", flush=True)


if __name__ == "__main__":
    main()
