#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A machine that moves: its ways to the others come and go, between hosts in network namespaces.

CFGSYNC_ROAM_MB=500  the size of what is under way meanwhile; default 48"""

import os
import pathlib
import struct
import time

from faults import preload
from harness import check, main, stays, wait_for
from lan import lan, needs, wan
from trees import put, same

MB = int(os.environ.get("CFGSYNC_ROAM_MB", "48"))
LEAF = 1 << 20
WINDOW = 2 << 20  # asked for and not yet answered, of one peer
NEAR, FAR = "tcp://10.99.0.2:7575", "tcp://203.0.113.129:7575"


def travellers(world):
    """A laptop that knows both ways to a desktop, the far one first; the desktop only answers."""
    needs("tc")
    hosts = lan(world, 2, mdns=False)
    wan(world, hosts)
    laptop = hosts[0].agent("laptop", listen=False)
    desktop = hosts[1].agent("desktop")
    for agent in (laptop, desktop):
        config = pathlib.Path(agent.home / "config")
        config.write_text(config.read_text() + "discovery = off\n")
        agent.start()
    desktop.peer_add(laptop)
    laptop.cli("peer", "add", "desktop", desktop.device_id, "--at", FAR, "--at", NEAR)
    wait_for(lambda: via(laptop, "desktop") == "lan", lambda: f"{laptop.peer('desktop')}", 30)
    return laptop, desktop


def via(agent, name):
    peer = agent.peer(name)
    return peer["via"] if peer["connected"] else None


def lan_goes(laptop):
    laptop.host.run("ip", "addr", "flush", "dev", "lan")


def lan_comes(laptop):
    laptop.host.run("ip", "addr", "add", "10.99.0.1/24", "dev", "lan")


def on(laptop, desktop, way, seconds):
    """Both use the same way, within so many seconds."""
    begin = time.monotonic()
    wait_for(lambda: via(laptop, "desktop") == way and via(desktop, "laptop") == way,
             lambda: f"on the {way}: {laptop.peer('desktop')}\n{desktop.peer('laptop')}", seconds)
    return time.monotonic() - begin


def travel(world, laptop, desktop, source, target):
    """From the local network and back, while something large is under way."""
    for agent in (laptop, desktop):
        for device, rate in (("lan", "160mbit"), ("wan", "60mbit")):
            agent.host.slow(device, rate)
    size = MB * LEAF + 4711
    before = target.metric("content_received_bytes_total")
    sent = source.metric("content_sent_bytes_total")

    def arrived():
        return target.metric("content_received_bytes_total") - before

    (world.dir / "big").write_bytes(os.urandom(size))
    os.rename(world.dir / "big", source.paths["f"] / "big")
    for share, step, way in ((0.1, lan_goes, "wan"), (0.4, lan_comes, "lan")):
        wait_for(lambda share=share: arrived() > share * size, "it goes on", 120)
        step(laptop)
        took = on(laptop, desktop, way, 30)
        check(way == "lan" or arrived() < size, "the test is in time to see it", arrived(), size)
        print(f"      on the {way} after {took:.1f} s, at {arrived() / size:.0%}", flush=True)
    wait_for(lambda: (target.paths["f"] / "big").exists(), "it arrives", 300)
    same(source.paths["f"], target.paths["f"])
    again = source.metric("content_sent_bytes_total") - sent - size
    print(f"      {size >> 20} MiB; sent again {again / LEAF:.1f} MiB", flush=True)
    # What had arrived is not sent again; what was under way is, at most a window each time.
    check(arrived() == size, "each leaf has arrived once", arrived(), size)
    check(0 <= again <= 2 * WINDOW, "no more than was under way is sent again", again)


def test_a_laptop_moves(world):
    """Local network gone, then back, with a download and then an upload under way."""
    laptop, desktop = travellers(world)
    for agent in (laptop, desktop):
        agent.folder_add("f")
    laptop.sync("f")
    travel(world, laptop, desktop, desktop, laptop)
    os.unlink(laptop.paths["f"] / "big")
    laptop.sync("f")
    travel(world, laptop, desktop, laptop, desktop)


def test_a_delta_moves(world):
    """From the far way to the near one, while what has changed of a file is on its way."""
    laptop, desktop = travellers(world)
    for agent in (laptop, desktop):
        agent.folder_add("f")
    old = [os.urandom(LEAF // 2) for _ in range(32)]
    put(desktop.paths["f"] / "big", b"".join(old))
    desktop.sync("f")
    same(laptop.paths["f"], desktop.paths["f"])
    lan_goes(laptop)
    on(laptop, desktop, "wan", 30)
    for agent in (laptop, desktop):
        agent.host.slow("wan", "30mbit")
    before = laptop.metric("received_bytes_total")
    new = b"".join(part for one in old for part in (os.urandom(LEAF // 4), one))
    (world.dir / "big").write_bytes(new)
    os.rename(world.dir / "big", desktop.paths["f"] / "big")
    wait_for(lambda: laptop.metric("received_bytes_total") - before > 2 * LEAF, "it goes on", 120)
    lan_comes(laptop)
    on(laptop, desktop, "lan", 30)
    wait_for(lambda: (laptop.paths["f"] / "big").stat().st_size == len(new), "it arrives", 120)
    same(laptop.paths["f"], desktop.paths["f"])
    crossed = laptop.metric("received_bytes_total") - before
    print(f"      {len(new) >> 20} MiB, a third new; {crossed / LEAF:.1f} MiB crossed", flush=True)
    check(crossed < 14 * LEAF, "no more than what is new", crossed)
    for agent in (laptop, desktop):
        check("session refused" not in agent.log(), "nobody is refused", agent.log()[-2000:])


def test_cable_pulled(world):
    """Without a word, between the two or at one: noticed within 6 s, or at once; edits cross."""
    laptop, desktop = travellers(world)
    for agent in (laptop, desktop):
        agent.folder_add("f")
    laptop.sync("f")
    switch = next(h for h in world.hosts if h.name == "switch")
    switch.run("ip", "link", "set", "p-h2", "nomaster")  # both ends still see a carrier
    put(desktop.paths["f"] / "z", "z")  # keep-alive does not ask while something waits
    took = on(laptop, desktop, "wan", 30)
    print(f"      on the wan after {took:.1f} s", flush=True)
    check(took < 8 or os.getloadavg()[0] > 3, "noticed within 6 s", took)
    put(laptop.paths["f"] / "x", "x")
    laptop.sync("f")
    same(laptop.paths["f"], desktop.paths["f"])
    # Nothing tells the laptop that the cable is back; it looks from time to time.
    switch.run("ip", "link", "set", "p-h2", "master", "br0")
    on(laptop, desktop, "lan", 90)
    laptop.host.run("ip", "link", "set", "lan", "down")
    took = on(laptop, desktop, "wan", 30)
    print(f"      its own cable: after {took:.1f} s", flush=True)
    put(desktop.paths["f"] / "y", "y")
    desktop.sync("f")
    same(laptop.paths["f"], desktop.paths["f"])


def test_names_and_families(world):
    """A name is looked up again at each round; IPv4 and IPv6; many addresses that lead nowhere."""
    hosts = lan(world, 2, mdns=False)
    wan(world, hosts)
    names = world.dir / "hosts"
    names.write_text("127.0.0.1 localhost\n10.99.0.77 desktop.example\n")
    hosts[0].run("mount", "--bind", names, "/etc/hosts")
    laptop, desktop = hosts[0].agent("laptop", listen=False), hosts[1].agent("desktop")
    for agent in (laptop, desktop):
        agent.start()
    desktop.peer_add(laptop)
    nowhere = ("tcp://10.99.0.66:7575", "tcp://[fd99::66]:7575", "tcp://no.such.example:7575")
    laptop.cli("peer", "add", "desktop", desktop.device_id,
               *(part for at in (*nowhere, "tcp://desktop.example:7575") for part in ("--at", at)))
    wait_for(lambda: len(laptop.peer("desktop")["tried"]) == 4, lambda: laptop.peer("desktop"), 60)
    for line, host in (("fd99::2", "[fd99::2]"), ("203.0.113.129", "203.0.113.129")):
        names.write_text(f"127.0.0.1 localhost\n{line} desktop.example\n")
        laptop.restart()  # or wait for the end of the back-off
        begin = time.monotonic()
        wait_for(lambda: laptop.connected("desktop"), lambda: laptop.log()[-2000:], 60)
        print(f"      at {host} after {time.monotonic() - begin:.1f} s", flush=True)
        desktop.host.run("ip", "-6", "addr", "flush", "dev", "lan")
    check(via(laptop, "desktop") == "wan", "it has moved", laptop.peer("desktop"))


def test_sleep(world):
    """Who has slept asks at once who is still there, and does not wait for heartbeats."""
    laptop, desktop = travellers(world)
    clock = world.dir / "slept"
    clock.write_bytes(struct.pack("q", 0))
    preload(world, laptop, CFGSYNC_SLEPT=clock)
    laptop.restart()
    on(laptop, desktop, "lan", 30)
    lan_goes(laptop)
    on(laptop, desktop, "wan", 30)
    router = next(h for h in world.hosts if h.name == "router")
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=0")
    begin = time.monotonic()
    stays(lambda: "has slept" not in laptop.log(), "it is awake", 1)
    clock.write_bytes(struct.pack("q", 3600))
    wait_for(lambda: "the machine has slept seconds=3600" in laptop.log(), "noticed", 10)
    # Heartbeats to what is far take up to 40 s.
    wait_for(lambda: 'reason="it does not answer"' in laptop.log(), "the old one is given up", 25)
    print(f"      after {time.monotonic() - begin:.1f} s", flush=True)
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    on(laptop, desktop, "wan", 60)


if __name__ == "__main__":
    main()
