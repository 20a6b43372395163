#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is owed to an absent peer: exact, coalesced, durable, and gone when the peer is back."""

import os
import re
import sqlite3
import time

from harness import check, main, stays, wait_for
from trees import put, same


def test_owed(world):
    """50 new files and one saved 20 times are 51 changes, before and after kill -9."""
    a, b, on_a, on_b = world.pair()
    put(on_a / "often", "0")
    a.sync("f")
    b.stop()
    wait_for(lambda: not a.connected("beta"), "alpha sees that beta is gone")
    sizes = 0
    for number in range(50):
        put(on_a / f"new{number}", os.urandom(1000 + number))
        sizes += 1000 + number
    for number in range(20):
        put(on_a / "often", f"save {number}\n" * 10)
        time.sleep(0.02)
    sizes += len(f"save {number}\n" * 10)
    # The count is right at once for what is published; many quick saves may be held back a little.
    wait_for(lambda: a.owed("beta") == 51, lambda: f"51 changes are owed: {a.peer('beta')}", 15)
    a.try_cli("sync", "f")
    owed = a.peer("beta")["pending_out"]
    check(owed == {"changes": 51, "bytes": sizes}, f"exact: 51 changes, {sizes} bytes", owed)
    check(a.status()["state"] == "pending-out", "the state says so", a.status()["state"])

    a.kill9()
    a.start()
    wait_for(lambda: a.owed("beta") == 51, lambda: f"51 after kill -9: {a.peer('beta')}")
    stays(lambda: a.owed("beta") == 51, "it stays at 51", 0.5)

    mark = len(a.log())
    b.start()
    wait_for(lambda: a.owed("beta") == 0, lambda: f"nothing is owed: {a.peer('beta')}")
    same(on_a, on_b)
    check((on_b / "often").read_text() == "save 19\n" * 10, "the newest save arrived")
    line = wait_for(
        lambda: next((text for text in a.log()[mark:].splitlines()
                      if re.search(r"changes=51\b", text) and "bytes=" in text
                      and re.search(r"(_ms|ms|seconds|_s)=", text)), None),
        lambda: f"a log line with changes=51, bytes= and how long:\n{a.log()[mark:]}", 5)
    check("beta" in line, "it names the peer", line)
    wait_for(lambda: a.status()["state"] == "synced", lambda: f"synced: {a.status()}")


def test_deleted_again(world):
    """A file made and deleted while the peer is off is owed as one change and leaves nothing."""
    a, b, on_a, on_b = world.pair()
    b.stop()
    put(on_a / "brief", "x")
    a.try_cli("sync", "f")
    wait_for(lambda: a.owed("beta") == 1, lambda: f"one: {a.peer('beta')}")
    put(on_a / "brief", "y")
    a.try_cli("sync", "f")
    check(a.owed("beta") == 1, "still one", a.peer("beta"))
    os.unlink(on_a / "brief")
    a.try_cli("sync", "f")
    check(a.owed("beta") == 1, "a deletion is a change", a.peer("beta"))
    b.start()
    wait_for(lambda: a.owed("beta") == 0, "nothing is owed")
    check(not (on_b / "brief").exists(), "nothing is left of it")


def test_a_list_that_was_not_written(world):
    """What a large file is made of could not be kept, for the disk was full: it is found again."""
    a, b, on_a, on_b = world.pair()
    b.stop()
    large = os.urandom(5 << 20)
    (on_a / "large").write_bytes(large)
    wait_for(lambda: a.folder("f")["items"] == 1, "found")
    a.stop()
    with sqlite3.connect(a.home / "index.db") as db:
        check(db.execute("DELETE FROM leaves").rowcount > 0, "it was there")
    a.start()
    b.start()
    b.sync("--wait")
    check((on_b / "large").read_bytes() == large, "it has come")


def test_both_were_away(world):
    """Each made changes while the other was off; both counts go to 0."""
    a, b, on_a, on_b = world.pair()
    b.stop()
    for number in range(30):
        put(on_a / f"a{number}", "a")
    a.try_cli("sync", "f")
    wait_for(lambda: a.owed("beta") == 30, lambda: f"30: {a.peer('beta')}")
    a.stop()
    b.start()
    for number in range(20):
        put(on_b / f"b{number}", "b")
    b.try_cli("sync", "f")
    wait_for(lambda: b.owed("alpha") == 20, lambda: f"20: {b.peer('alpha')}")
    a.start()
    wait_for(lambda: a.owed("beta") == 0 and b.owed("alpha") == 0, "nothing is owed")
    same(on_a, on_b)


if __name__ == "__main__":
    main()
