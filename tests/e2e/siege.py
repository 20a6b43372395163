# SPDX-License-Identifier: MIT
"""An agent, an honest peer of it, and a hostile one that it trusts.

RSS_MIB: what an agent takes at rest (some 30 MiB), what one session has sent and was not read yet
(both lanes, 32 MiB each), what is asked of and by one peer and waits for the disk (40 MiB), a
message that does not end (16 MiB and what a line brings in a second), and slack for the allocator.
"""

import os

from hostile import Peer
from harness import SLOW, check, wait_for
from trees import put, tree

RSS_MIB = 320


def rss(agent):
    """The most it ever had, in MiB."""
    with open(f"/proc/{agent.process.pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) >> 10


class Siege:
    """An agent, an honest peer of it, and a hostile one that it trusts."""

    def __init__(self, world):
        self.a, self.b, self.on_a, self.on_b = world.pair()
        self.world = world
        self.outside = world.dir / "outside"
        self.outside.mkdir()
        put(self.outside / "precious", "precious")
        self.hostile = Peer(world)
        self.a.cli("peer", "add", "hostile", self.hostile.device_id)
        self.number = 0
        self.before = self.surroundings()
        self.log_at = 0

    def surroundings(self):
        """All around the roots: what is beside them, and the internal folders' own place."""
        return tree(self.outside, everything=True), sorted(os.listdir(self.world.dir))

    def join(self):
        self.log_at = len(self.a.log())
        self.hostile.join(self.a)
        self.hostile.settle()  # or the bulk lane is ahead of the offer
        return self.hostile

    def refused(self, *words):
        """The session ends, and the log says why. (The BYE that says so too may be lost.)"""
        self.logged(*words)
        self.logged("session down peer=hostile")

    def logged(self, *words):
        wait_for(lambda: any(word in self.a.log()[self.log_at:] for word in words),
                 lambda: f"the log names {words}: {self.a.log()[self.log_at:][-2000:]}", 10)

    def holds(self):
        """The agent is well, and goes on with who is honest."""
        check(self.a.process.poll() is None, "the agent runs on", self.a.log()[-3000:])
        check(self.a.try_cli("status").code in (0, 3, 5), "the agent answers")
        check(self.surroundings() == self.before, "nothing was written outside", self.before,
              self.surroundings())
        used = rss(self.a)
        check(used <= RSS_MIB * max(SLOW, 1), f"at most {RSS_MIB} MiB", used)
        self.number += 1
        put(self.on_a / f"from-a-{self.number}", f"a{self.number}")
        put(self.on_b / f"from-b-{self.number}", f"b{self.number}")
        there = self.on_b / f"from-a-{self.number}", self.on_a / f"from-b-{self.number}"
        wait_for(lambda: all(path.exists() for path in there),
                 lambda: f"they are in step: {there} {self.a.log()[-3000:]}", 40)
