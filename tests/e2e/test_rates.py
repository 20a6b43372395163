#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Limits of contents a second, each direction; peers on the own network do not count."""

import os
import socket
import time

import harness
from harness import Skip, check, free_port, wait_for

MIB = 1 << 20


def listening(world, name):
    """Listens everywhere, so that it can be dialled by a name that no address tells to be near."""
    agent = world.agent(name, listen=False, init=False)
    agent.port = free_port()
    agent.address = f"tcp://*:{agent.port}"
    agent.init()
    return agent.start()


def pair(world, at, config):
    """b dials a at that host, and has the limits."""
    a, b = listening(world, "a"), world.agent("b", listen=False)
    path = b.home / "config"
    path.write_text(path.read_text() + config)
    b.start()
    a.peer_add(b)
    b.peer_add(a, at=f"tcp://{at}:{a.port}")
    for agent in (a, b):
        agent.folder_add("f")
    b.sync()
    return a, b


def far(world, config):
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None, socket.AF_INET)
    except OSError:
        raise Skip(f"{name}, this machine's name, has no address") from None
    return pair(world, name, config)


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


def test_near(world):
    """16 MiB at 128 KiB a second would take two minutes."""
    a, b = pair(world, "127.0.0.1", 'upload_rate = "128K" download_rate = "128K"\n')
    check(b.peer("a")["via"] == "lan", "a is near", b.peer("a"))
    seconds(b, a, 16 * MIB)
    (a.paths["f"] / "big").unlink()
    b.sync()
    seconds(a, b, 16 * MIB)


if __name__ == "__main__":
    harness.main()
