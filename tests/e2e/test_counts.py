#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What each workload costs in counts that no busy machine changes: flushes, calls, bytes hashed,
read and written, allocations, messages. LIMITS is what was measured and may be exceeded by a
tolerance; more is a regression. `test_counts.py measure` prints the table anew.

Linux with glibc; not for a program with sanitizers, whose malloc is another.
"""

import mmap
import os
import pathlib
import re
import struct
import subprocess
import sys
import time

import harness
from harness import Local, Skip, check, main, wait_for
from trees import put, same

COUNTERS = ["flushes", "lookups", "changes", "reads", "read", "writes", "written", "hashed",
            "allocs"]
METRICS = ["messages_sent", "sent_bytes", "index_commits"]
ALL = COUNTERS + METRICS
TOLERANCE = 1.35  # how jobs and messages fall together differs from run to run

# Workload: (A, B), each in the order of ALL.
LIMITS = {}

FILES, FILE_BYTES, BIG = 300, 4096, 8 << 20


class Counted:
    """An agent that counts, from its next start on."""

    def __init__(self, world, agent):
        library = world.dir / "counts.so"
        if not library.exists():
            source = pathlib.Path(__file__).resolve().parent / "counts.c"
            subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"],
                           check=True)
        path = world.dir / f"{agent.name}.counts"
        path.write_bytes(bytes(8 * len(COUNTERS)))
        self.agent = agent
        agent.env = dict(agent.env, CFGSYNC_COUNTS=str(path), LD_PRELOAD=str(library))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 8 * len(COUNTERS))

    def now(self):
        return list(struct.unpack(f"{len(COUNTERS)}Q", self.map[:])) + self.metrics()

    def metrics(self):
        connection = Local(self.agent.home / "agent.sock")
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return [int(float(re.search(rf"^cfgsync_{name}_total (\S+)", text, re.M).group(1)))
                for name in METRICS]


class Company:
    """Two agents that count, with one folder in step."""

    def __init__(self, world):
        if not sys.platform.startswith("linux"):
            raise Skip("the counting library is for Linux")
        a, b = world.company("alpha", "beta", start=False)
        self.counted = [Counted(world, a), Counted(world, b)]
        for agent in (a, b):
            own = dict(agent.env)
            agent.env = {k: v for k, v in own.items() if k not in ("LD_PRELOAD", "CFGSYNC_COUNTS")}
            agent.start(env=own)
        a.peer_add(b)
        b.peer_add(a)
        for agent in (a, b):
            agent.folder_add("f")
        a.sync("f")
        self.a, self.b = a, b
        self.on_a, self.on_b = a.paths["f"], b.paths["f"]
        self.rest()

    def rest(self):
        """Until no disk was touched for two seconds: the base store follows a second later."""
        last = []

        def still():
            now = [counted.now()[:COUNTERS.index("allocs")] for counted in self.counted]
            last.append(now)
            return last[-3:] == [now] * 3
        wait_for(still, "rest", seconds=60, every=1.0)

    def measure(self, change):
        before = [counted.now() for counted in self.counted]
        change()
        wait_for(lambda: tree_names(self.on_a) == tree_names(self.on_b), "the same names", 60)
        self.a.sync("f")
        self.rest()
        same(self.on_a, self.on_b)
        return [[n - o for n, o in zip(counted.now(), old)]
                for counted, old in zip(self.counted, before)]


def tree_names(root):
    """With sizes and times: nothing has the same ones after a change."""
    found = set()
    for folder, _, names in os.walk(root):
        if ".cfgsync" in folder:
            continue
        for name in names:
            try:
                st = os.stat(os.path.join(folder, name))
            except OSError:
                return None
            found.add((os.path.relpath(os.path.join(folder, name), root), st.st_size,
                       st.st_mtime_ns))
    return found


# ---- the workloads

def many(company):
    """300 files of 4 KiB that nothing compresses, in a directory renamed into the folder."""
    outside = company.on_a.parent / "outside"
    for number in range(FILES):
        put(outside / f"f{number}", os.urandom(FILE_BYTES))
    return company.measure(lambda: os.rename(outside, company.on_a / "many"))


def save(company):
    """20 saves by rename, one after the other."""
    def saves():
        for number in range(20):
            name = company.on_a / f"many/f{number}"
            put(name, os.urandom(FILE_BYTES + 1))
            wait_for(lambda n=name: tree_names(company.on_a) == tree_names(company.on_b), "seen")
    return company.measure(saves)


def renamed(company):
    """The directory of the 300 files gets another name."""
    return company.measure(lambda: os.rename(company.on_a / "many", company.on_a / "other"))


def big(company):
    """A file of 8 MiB that nothing compresses."""
    outside = company.on_a.parent / "big"
    outside.write_bytes(os.urandom(BIG))
    return company.measure(lambda: os.rename(outside, company.on_a / "big"))


def nothing(company):
    """Three seconds of nothing."""
    return company.measure(lambda: time.sleep(3))


WORKLOADS = {"many": many, "save": save, "renamed": renamed, "big": big, "nothing": nothing}


def table(rows):
    lines = ["LIMITS = {"]
    for name, sides in rows.items():
        lines.append(f'    "{name}": ({sides[0]},')
        lines.append(" " * (len(name) + 9) + f"{sides[1]}),")
    return "\n".join(lines + ["}"])


def test_counts(world):
    company = Company(world)
    over = []
    rows = {}
    for name, workload in WORKLOADS.items():
        rows[name] = workload(company)
        for side, counts, limits in zip("AB", rows[name], LIMITS.get(name, ())):
            for what, count, limit in zip(ALL, counts, limits):
                if count > limit * TOLERANCE + 20:
                    over.append(f"{name}, {what} of {side}: {count}, and {limit} was measured")
    if not LIMITS or os.environ.get("CFGSYNC_COUNTS_PRINT"):
        print(table(rows))
    check(not over, "counts have grown", *over)


if __name__ == "__main__":
    main()
