#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Limits of contents a second, each direction; peers on the own network do not count."""

import os
import time

import harness
from cable import lay
from harness import check, connect, wait_for
from lan import hosts_apart

MIB = 1 << 20


def share(a, b, config):
    """b has the limits."""
    path = b.home / "config"
    path.write_text(path.read_text() + config)
    for agent in (a, b):
        agent.start()


def far(world, config):
    """On hosts of their own, with a line between them that is no limit."""
    hosts = hosts_apart(world, 2)
    lay(hosts, 1, 1000)
    a, b = (host.agent(name) for host, name in zip(hosts, ("a", "b")))
    share(a, b, config)
    connect(a, b, dial=False)
    b.peer_add(a, at="tcp://203.0.113.1:7575")
    for agent in (a, b):
        agent.folder_add("f")
    b.sync()
    return a, b


def seconds(source, target, size):
    begun = time.monotonic()
    (source.paths["f"] / "big").write_bytes(os.urandom(size))
    copy = target.paths["f"] / "big"
    wait_for(lambda: copy.exists() and copy.stat().st_size == size, "there", seconds=90)
    return time.monotonic() - begun


def test_up(world):
    a, b = far(world, 'upload_rate = "512K"\n')
    check(b.peer("a")["via"] == "wan", "a is not near", b.peer("a"))
    took = seconds(b, a, 5 * MIB)  # 512 KiB at once, one leaf too much
    check(took > 6, "no faster than the limit", took)
    (a.paths["f"] / "back").write_bytes(os.urandom(8 * MIB))
    result = a.try_sync(timeout=60)
    check(result.code == 0, "nobody gives up waiting", result)
    check("no answer" not in a.log() + b.log(), "nor thinks that the other is silent", a.log())


def test_down(world):
    a, b = far(world, 'download_rate = "512K"\n')
    took = seconds(a, b, 5 * MIB)
    check(took > 6, "no faster than the limit", took)


def test_down_delta(world):
    """What a delta brings counts, too; the 2 MiB that come unasked at most are paid for later."""
    a, b = far(world, "")
    seconds(a, b, 20 * MIB)
    b.stop()
    config = b.home / "config"
    config.write_text(config.read_text() + 'download_rate = "1M"\n')
    b.start()
    a.sync()
    shifted = bytearray(b"!" + (a.paths["f"] / "big").read_bytes())
    shifted[4 * MIB:12 * MIB] = os.urandom(8 * MIB)
    begun = time.monotonic()
    (a.paths["f"] / "big").write_bytes(shifted)
    wait_for(lambda: (b.paths["f"] / "big").read_bytes() == shifted, "there", seconds=90)
    took = time.monotonic() - begun
    check(took > 4, "no faster than the limit", took)
    content = b.metric("content_received_bytes_total")
    check(content < 10 * MIB, "by a delta", content)


def test_near(world):
    """16 MiB at 128 KiB a second would take two minutes."""
    a, b = world.agent("a"), world.agent("b")
    share(a, b, 'upload_rate = "128K" download_rate = "128K"\n')
    connect(a, b)
    for agent in (a, b):
        agent.folder_add("f")
    b.sync()
    check(b.peer("a")["via"] == "lan", "a is near", b.peer("a"))
    seconds(b, a, 16 * MIB)
    (a.paths["f"] / "big").unlink()
    b.sync()
    seconds(a, b, 16 * MIB)


if __name__ == "__main__":
    harness.main()
