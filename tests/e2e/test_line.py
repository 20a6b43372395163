#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A line of 40 ms and 20 Mbit/s between two hosts: edits cross at once, behind bulk, too.

CFGSYNC_LINE_MB=40  the size of the bulk; default 12"""

import os
import statistics
import time

from cable import lay
from harness import check, connect, main, wait_for
from lan import hosts_apart
from trees import put, same

MB = int(os.environ.get("CFGSYNC_LINE_MB", "12"))
ROUND_TRIP_MS, MBIT = 40, 20
EDITS = 32


def edit(source, target, number):
    """Milliseconds from the save here to the file there."""
    text = f"{number} {time.time()}"
    begin = time.monotonic()
    put(source.paths["f"] / f"small{number}", text)

    def there():
        return (target.paths["f"] / f"small{number}").read_text() == text

    wait_for(there, f"edit {number} arrives", 60, every=0.002)
    return (time.monotonic() - begin) * 1000


def said(what, times):
    print(f"      {what}: median {statistics.median(times):.0f} ms, longest {max(times):.0f} ms, "
          f"{len(times)} edits", flush=True)
    return statistics.median(times)


def behind_bulk(world, a, b, number):
    """A large file goes over; the median of the edits meanwhile, and Mbit/s."""
    begin, name = time.monotonic(), f"big{number}"
    before = b.metric("content_received_bytes_total")
    (world.dir / name).write_bytes(os.urandom(MB << 20))
    os.rename(world.dir / name, a.paths["f"] / name)
    wait_for(lambda: b.metric("content_received_bytes_total") > before + (1 << 20), "it begins", 60)
    times = []
    while not (b.paths["f"] / name).exists() and len(times) < EDITS:
        times.append(edit(a, b, len(times)))
    wait_for((b.paths["f"] / name).exists, "the bulk arrives", 120)
    rate = (MB << 20) * 8 / 1e6 / (time.monotonic() - begin)
    behind = said("behind bulk", times)
    print(f"      bulk: {rate:.1f} Mbit/s", flush=True)
    return behind, rate


def test_small_behind_bulk(world):
    """Edits while nothing else goes on, and while a large file is on its way."""
    hosts = hosts_apart(world, 2)
    lay(hosts, ROUND_TRIP_MS / 2, MBIT)
    a, b = (host.agent(name) for host, name in zip(hosts, ("alpha", "beta")))
    for agent in (a, b):
        agent.start()
    connect(a, b, dial=False)
    a.peer_add(b, at="tcp://203.0.113.2:7575")
    for agent in (a, b):
        agent.folder_add("f")
        agent.cli("folder", "set", "f", "brake=off")
    for number in range(EDITS):
        put(a.paths["f"] / f"small{number}", "x")
    a.sync("f")
    for agent, other in ((a, "beta"), (b, "alpha")):
        peer = agent.peer(other)
        check(peer["via"] == "wan" and peer["rtt_ms"] >= ROUND_TRIP_MS - 1, "it is far", peer)
    time.sleep(11)  # what was published moments ago is not published again at once
    # What is asked for ahead, 2 MiB, takes this line 840 ms. Who cannot carry the frames in time,
    # for want of a core, is given another chance.
    for attempt in range(3):
        alone = said("alone", [edit(a, b, number) for number in range(8)])
        behind, rate = behind_bulk(world, a, b, attempt)
        if behind < alone + 150 and rate > MBIT / 2:
            break
    check(behind < alone + 150, "no edit waits behind bulk", alone, behind)
    check(rate > MBIT / 2, "and the bulk is as quick as the line", rate)
    same(a.paths["f"], b.paths["f"])


if __name__ == "__main__":
    main()
