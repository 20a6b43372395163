#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A and B never meet; a hub that knows both passes everything on."""

import os
import random

from harness import check, connect, main, wait_for
from trees import conflicts, edit, fill, put, same, wait_same


def chain(world):
    a, hub, b = (world.agent(name, listen=name == "hub").start() for name in ("a", "hub", "b"))
    connect(a, hub)
    connect(b, hub)
    for agent in (hub, a, b):
        agent.folder_add("f")
    return a, hub, b


def test_forwarding(world):
    """All three on: what A saves is on B, and back."""
    a, hub, b = chain(world)
    on_a, on_hub, on_b = (agent.paths["f"] for agent in (a, hub, b))
    fill(on_a, 21, files=80)
    put(on_a / "big", os.urandom(5 << 20))
    wait_same(on_a, on_b, 30)
    put(on_b / "answer", "from b")
    os.rename(on_b / "big", on_b / "large")
    wait_same(on_b, on_a, 30)
    same(on_a, on_hub)
    check("b" not in [p["name"] for p in a.status()["peers"]], "A does not know B")


def test_never_together(world):
    """A is off when B gets A's edits, and B is off when A gets B's."""
    a, hub, b = chain(world)
    on_a, on_hub, on_b = (agent.paths["f"] for agent in (a, hub, b))
    put(on_a / "start", "x")
    wait_same(on_a, on_b)
    b.stop()
    rng = random.Random(1)
    fill(on_a, 22, files=60)
    edit(on_a, rng, 15)
    put(on_a / "big", os.urandom(4 << 20))
    a.sync("f", "--peer", "hub")
    same(on_a, on_hub)
    a.stop()
    b.start()
    wait_same(on_a, on_b, 30, "A's edits reach B while A is off")
    edit(on_b, rng, 15)
    os.unlink(on_b / "start")
    b.sync("f")
    b.stop()
    hub.restart()
    a.start()
    wait_same(on_b, on_a, 30, "B's edits reach A while B is off")
    b.start()
    for agent in (a, b, hub):
        agent.sync("f")
    same(on_a, on_b)
    same(on_a, on_hub)
    check(not conflicts(on_a), "no conflict", list(conflicts(on_a)))


def test_conflict_over_the_hub(world):
    """Both ends edit one file while the hub is off: one winner, one conflict item, on all three."""
    a, hub, b = chain(world)
    folders = [agent.paths["f"] for agent in (a, hub, b)]
    put(folders[0] / "file", "start")
    wait_same(folders[0], folders[2])
    hub.stop()
    put(folders[0] / "file", "from a")
    a.try_cli("sync", "f")
    put(folders[2] / "file", "from b, later")
    b.try_cli("sync", "f")
    hub.start()
    wait_for(lambda: all(len(conflicts(f)) == 1 for f in folders),
             lambda: f"one conflict item everywhere: {[conflicts(f) for f in folders]}", 30)
    wait_same(folders[0], folders[2])
    wait_same(folders[0], folders[1])  # what the hub passes on may reach A before its own disk
    check((folders[0] / "file").read_text() == "from b, later", "the later edit keeps the name")
    items = [conflicts(f) for f in folders]
    check(items[0] == items[1] == items[2], "the same item everywhere", *items)
    check(list(items[0].values()) == [b"from a"], "it has the other's bytes", items[0])


if __name__ == "__main__":
    main()
