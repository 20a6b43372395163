#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench: the way to a peer is measured beside what is synced; names that are nearly right."""

import json
import threading
import time

from harness import SLOW, check, main, program, wait_for
from terminal import Terminal
from trees import put


def test_bench(world):
    """Numbers that can be, within ten seconds, while files go on crossing."""
    a, b, on_a, on_b = world.pair()
    begun = time.monotonic()
    told = {}
    thread = threading.Thread(target=lambda: told.update(
        json.loads(a.cli("bench", "beta", "--json").out)))
    thread.start()
    crossed = 0
    while thread.is_alive():
        put(on_a / f"x{crossed}", f"{crossed}")
        wait_for(lambda: (on_b / f"x{crossed}").exists(), "files cross meanwhile")
        crossed += 1
    check(time.monotonic() - begun < 10 * SLOW + 5, "in ten seconds", time.monotonic() - begun)
    check(crossed > 3, "several", crossed)
    check(0 < told["rtt_ms"] < 1000 and told["round_trips"] > 0, "the round trip", told)
    for way in ("to", "from"):
        check(told[way]["bytes"] >= 131072 and 0 < told[way]["ms"] < 4000, "the speed", told)
    check("127.0.0.1" in told["path"]["address"], "the path", told)
    print(f"      {told['rtt_ms']:.2f} ms, {crossed} files meanwhile, " + ", ".join(
        f"{told[way]['bytes'] / told[way]['ms'] / 1000:.0f} MB/s {way} it"
        for way in ("to", "from")))
    shown = Terminal(world, [program(), "bench", "beta"], a.env)
    shown.expect("to it +[0-9.]+ [kMG]B/s")
    check(shown.end() == 0, "in a terminal", shown.text())


def under_way(world, agent):
    """A bench that is known to be under way, because a second one was refused."""
    while True:
        first = Terminal(world, [program(), "bench", "beta"], agent.env)
        first.read(0.3 * SLOW)
        if "another bench" in agent.try_cli("bench", "beta").err:
            return first
        first.end()  # the second was the first


def test_not_now(world):
    """Away, gone while it is measured, two at once, nobody of this name."""
    a, b, _, _ = world.pair()
    result = a.try_cli("bench", "betta")
    check(result.code == 1 and "did you mean beta?" in result.err, "a name nearly right", result)
    first = under_way(world, a)
    b.kill9()
    check(first.end() == 4 and "connection was lost" in first.text(), "lost", first.text())
    wait_for(lambda: not a.connected("beta"), "it is noticed")
    result = a.try_cli("bench", "beta")
    check(result.code == 4 and "not connected" in result.err, "away", result)
    check(json.loads(a.try_cli("bench", "beta", "--json").out)["error"]["code"] == "unreached",
          "in JSON")


def test_hung_up(world):
    """Who asked has gone: nothing goes on, the next one is served."""
    a, _, _, _ = world.pair()
    first = under_way(world, a)
    first.send("\x03")
    first.end()
    wait_for(lambda: "another bench" not in a.try_cli("bench", "beta").err, "it has ended")


def test_suggestions(world):
    """Names and verbs that are nearly right, wherever they stand."""
    a, _, _, _ = world.pair(folder="notes")
    for args, meant in ((("peer", "remove", "beat"), "did you mean beta?"),
                        (("sync", "ntes"), "did you mean notes?"),
                        (("verify", "--peer", "beeta"), "did you mean beta?"),
                        (("folder", "set", "nots"), "did you mean notes?"),
                        (("stauts",), "did you mean status?"),
                        (("peer", "lst"), "did you mean peer list?"),
                        (("status", "--wacth"), "did you mean --watch?"),
                        (("sync", "qqqqq"), "folder list")):
        result = a.try_cli(*args)
        check(result.code in (1, 2) and meant in result.err, meant, result)


if __name__ == "__main__":
    main()
