#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What each workload costs in counts that a busy machine hardly changes: flushes, calls, bytes
hashed, read and written, allocations, messages. MEASURED may be exceeded by a tolerance; more is a
regression. CFGSYNC_COUNTS_PRINT=1 prints the table anew; docs/BENCH.md says what the counts are.

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

from harness import Local, Skip, check, main, wait_for
from trees import put, same

COUNTERS = ["flushes", "lookups", "changes", "reads", "read", "writes", "written", "hashed",
            "allocs"]
METRICS = ["messages_sent", "sent_bytes", "index_commits"]
ALL = COUNTERS + METRICS
# How jobs and messages fall together differs from run to run.
TOLERANCE, TOLERANCE_FEW, TOLERANCE_BYTES = 1.35, 20, 8192
BYTES = {"read", "written", "hashed", "sent_bytes"}

# Workload: (A, B), each in the order of ALL.
MEASURED = {
    "many": ([33, 2582, 1209, 600, 1228800, 554, 1752040, 2457600, 25006, 16, 1281416, 26],
             [42, 6220, 3868, 600, 1228800, 1062, 3409320, 2457600, 43073, 22, 1436, 119]),
    "save": ([65, 375, 204, 80, 163860, 418, 942540, 245800, 5556, 42, 92426, 45],
             [132, 917, 261, 72, 147492, 1078, 2302160, 208947, 7604, 48, 2939, 103]),
    "renamed": ([105, 3378, 21, 600, 1228820, 660, 1359600, 1228820, 59593, 29, 77408, 75],
                [75, 9342, 3320, 734, 1646628, 1697, 4291924, 1294372, 110030, 25, 1599, 211]),
    "big": ([4, 96, 6, 73, 16777216, 24, 49440, 8388880, 1183, 69, 8397299, 5],
            [10, 114, 14, 11, 520, 98, 8553680, 8389424, 1050, 10, 800, 7]),
    "restart": ([24, 737, 33, 167, 619091, 119, 381428, 48, 12671, 22, 2454, 9],
                [24, 3277, 33, 248, 950867, 159, 545267, 48, 17063, 22, 2457, 8]),
    "nothing": ([0, 0, 0, 0, 0, 0, 0, 0, 370, 4, 206, 1],
                [0, 0, 0, 0, 0, 0, 0, 0, 272, 4, 213, 0]),
}

FILES, FILE_BYTES, BIG = 300, 4096, 8 << 20


class Counted:
    """An agent that counts; the verbs that the test calls do not."""

    def __init__(self, world, agent):
        library = world.dir / "counts.so"
        if not library.exists():
            source = pathlib.Path(__file__).resolve().parent / "counts.c"
            subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"],
                           check=True)
        path = world.dir / f"{agent.name}.counts"
        path.write_bytes(bytes(8 * len(COUNTERS)))
        self.agent = agent
        self.env = dict(agent.env, CFGSYNC_COUNTS=str(path), LD_PRELOAD=str(library))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 8 * len(COUNTERS))

    def start(self):
        self.agent.start(env=self.env)

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
        for counted in self.counted:
            counted.start()
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

    def measure(self, change, restarted=False):
        before = [counted.now() for counted in self.counted]
        if restarted:  # the agents count their messages from their start
            before = [old[:len(COUNTERS)] + [0] * len(METRICS) for old in before]
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
    """The directory of the 300 files gets another name: no content crosses."""
    return company.measure(lambda: os.rename(company.on_a / "many", company.on_a / "other"))


def big(company):
    """A file of 8 MiB that nothing compresses."""
    outside = company.on_a.parent / "big"
    outside.write_bytes(os.urandom(BIG))
    return company.measure(lambda: os.rename(outside, company.on_a / "big"))


def restart(company):
    """Both stop, and start over what has not changed."""
    def both():
        for counted in company.counted:
            counted.agent.stop()
        for counted in company.counted:
            counted.start()
    return company.measure(both, restarted=True)


def nothing(company):
    """Three seconds of nothing."""
    return company.measure(lambda: time.sleep(3))


WORKLOADS = {"many": many, "save": save, "renamed": renamed, "big": big, "restart": restart,
             "nothing": nothing}


def table(rows):
    lines = ["MEASURED = {"]
    for name, sides in rows.items():
        lines += [f'    "{name}": ({sides[0]},', " " * (len(name) + 9) + f"{sides[1]}),"]
    return "\n".join(lines + ["}"])


def test_counts(world):
    company = Company(world)
    over = []
    rows = {}
    for name, workload in WORKLOADS.items():
        rows[name] = workload(company)
        for side, counts, limits in zip("AB", rows[name], MEASURED[name]):
            for what, count, limit in zip(ALL, counts, limits):
                few = TOLERANCE_BYTES if what in BYTES else TOLERANCE_FEW
                if count > limit * TOLERANCE + few:
                    over.append(f"{name}, {what} of {side}: {count}, and {limit} was measured")
    if os.environ.get("CFGSYNC_COUNTS_PRINT"):
        print(table(rows))
    check(not over, "counts have grown", *over)


if __name__ == "__main__":
    main()
