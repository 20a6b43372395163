#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Machines on one network find each other: real avahi-daemons, each in a network of its own."""

import json
import os
import re
import signal
import time

from harness import check, main, other_clock, stays, wait_for
from lan import lan
from test_pair import Pairing, offer
from trees import put, same


def strangers(world, *names):
    """A host with mDNS and an agent for each name."""
    hosts = lan(world, len(names))
    return [host.start().agent(name) for host, name in zip(hosts, names)]


def acquaint(a, b):
    """Mutual trust, and nobody knows where the other is."""
    a.peer_add(b)
    b.peer_add(a)


def meet(a, b, seconds=60):
    wait_for(lambda: a.connected(b.name) and b.connected(a.name),
             lambda: f"not connected:\n{a.log()[-2000:]}\n{b.log()[-2000:]}", seconds)


def seen(agent, other):
    return agent.peer(other.name)["seen_at"]


def both(a, b):
    """Both know each other and have a folder in step."""
    for agent in (a, b):
        agent.start()
    acquaint(a, b)
    meet(a, b)
    for agent in (a, b):
        agent.folder_add("f")
    a.sync("f")


def crosses(a, b, name):
    put(a.paths["f"] / name, name)
    a.sync("f")
    same(a.paths["f"], b.paths["f"])


def test_without_an_address(world):
    """Two agents that trust each other meet, and files cross."""
    a, b = strangers(world, "alpha", "beta")
    both(a, b)
    crosses(a, b, "x")
    wait_for(lambda: "tcp://10.99.0.2:7575" in seen(a, b) and "tcp://[fd99::1]:7575" in seen(b, a),
             lambda: f"each sees the other: {seen(a, b)} {seen(b, a)}", 60)
    origins = {a.peer("beta")["from"], b.peer("alpha")["from"]}
    check("mdns" in origins and origins <= {"mdns", "incoming"}, "where from", origins)
    check(a.status()["discovery"] == "works", "what status says")
    peers = json.loads(a.cli("peer", "list", "--json").out)["peers"]
    check(peers[0]["addresses"] == [] and peers[0]["seen_at"], "peer list tells them apart", peers)
    check(re.search(r"tcp://\S+ \(mDNS\)", a.cli("peer", "list").out), "so does its text")


# ---- the mDNS service is away

def test_avahi_goes_and_comes(world):
    """A connection outlives avahi-daemon; what it showed is forgotten and comes back by itself."""
    a, b = strangers(world, "alpha", "beta")
    both(a, b)
    for agent, number in ((a, signal.SIGTERM), (b, signal.SIGKILL)):
        agent.host.stop("avahi", number)
        wait_for(lambda agent=agent: agent.status()["discovery"] == "away", "it is away", 60)
    wait_for(lambda: not seen(a, b) and not seen(b, a), "what was seen is forgotten", 60)
    check(a.connected("beta") and b.connected("alpha"), "they are still connected")
    crosses(a, b, "without")
    for agent in (a, b):
        agent.host.start_avahi()
    wait_for(lambda: seen(a, b) and seen(b, a), "they see each other again", 90)
    for agent in (a, b):
        agent.restart()
    meet(a, b)


def test_no_bus_at_start(world):
    """Without D-Bus the agent runs; with it, it finds others without a restart; and again."""
    hosts = lan(world, 2)
    a, b = (host.agent(name).start() for host, name in zip(hosts, ("alpha", "beta")))
    acquaint(a, b)
    stays(lambda: a.status()["discovery"] == "away", "nothing is there", 2)
    for host in hosts:
        host.start()
    meet(a, b, 90)
    for host in hosts:
        host.stop("dbus", signal.SIGKILL)
        host.stop("avahi", signal.SIGKILL)
    wait_for(lambda: a.status()["discovery"] == "away", "the bus is gone", 60)
    check(a.connected("beta"), "still connected")
    for host in hosts:
        host.start()
    wait_for(lambda: seen(a, b) or seen(b, a), "seen again", 90)


def test_avahi_hangs(world):
    """Whoever calls a hung avahi-daemon waits for 25 s: not the agent."""
    a, b = strangers(world, "alpha", "beta")
    both(a, b)
    for agent in (a, b):
        agent.host.kill("avahi", signal.SIGSTOP)
    for agent in (a, b):
        offer(agent)  # is announced, and that call hangs
    crosses(a, b, "meanwhile")
    begin = time.monotonic()
    b.stop()
    check(time.monotonic() - begin < 15, "it stops at once", time.monotonic() - begin)
    b.start()
    check(time.monotonic() - begin < 20, "and starts", time.monotonic() - begin)


# ---- where somebody is changes

def test_another_address(world):
    """A machine that has moved is found where it is now, and its old address forgotten."""
    a, b = strangers(world, "alpha", "beta")
    both(a, b)
    for host in (a.host, b.host):
        host.run("ip", "-6", "addr", "flush", "dev", "lan")
    b.host.address("10.99.0.77")
    # Where avahi's two announcements are lost, its browser asks again after 64 and 128 s.
    wait_for(lambda: "tcp://10.99.0.77:7575" in seen(a, b), lambda: f"moved: {seen(a, b)}", 200)
    meet(a, b, 90)
    crosses(a, b, "moved")
    wait_for(lambda: "tcp://10.99.0.2:7575" not in seen(a, b), "the old one is forgotten", 90)


def test_address_comes_late(world):
    """Who is announced while it has no address, since its network changes, is found later."""
    a, b, c = strangers(world, "alpha", "beta", "gamma")
    for agent in (a, b):
        agent.start()
    acquaint(a, b)
    meet(a, b)
    a.stop()
    (text,) = announced(c.host).values()  # of beta
    b.stop()
    announced(c.host, 0)
    a.start()
    wait_for(lambda: a.status()["discovery"] == "works", "mDNS works", 60)
    forge = os.path.join(os.path.dirname(__file__), "forge_mdns.py")
    def announces(part):
        for tag in tags(text):
            c.host.run("python3", forge, "10.99.0.3", 1, "_cfgsync._tcp", tag.hex(), part)

    announces("without-address")
    stays(lambda: not seen(a, b), "no address yet", 8)  # longer than its three first tries
    wait_for(lambda: announces("address-only") or seen(a, b), "an address", 60)


# ---- pairing

def test_pair_without_an_address(world):
    """`pair` on the one machine, `pair` on the other, and the code."""
    a, b, c = strangers(world, "alpha", "beta", "gamma")
    for agent in (a, b, c):
        agent.start()
    shown, _, code = offer(a, "--yes")
    wait_for(lambda: "10.99.0.1" in b.host.run("avahi-browse", "-rpt", "_cfgsync-pair._tcp"),
             "the offer is announced", 60)
    text = b.host.run("avahi-browse", "-rpt", "_cfgsync-pair._tcp")
    for secret in (code, *code.split("-")[1:], a.device_id, a.device_id[:8]):
        check(secret.lower() not in text.lower(), "neither code nor id is announced", secret, text)
    joined = Pairing(b, "--yes", typed=code + "\n")
    joined.shows(r"h1.local shows a code, at 10.99.0.1:\d+")
    shown.ends(0)
    joined.ends(0)
    meet(a, b)
    wait_for(lambda: "10.99.0.1" not in c.host.run("avahi-browse", "-rpt", "_cfgsync-pair._tcp"),
             "the offer is withdrawn", 60)
    two = [offer(agent)[0] for agent in (a, b)]
    for host in ("10.99.0.1", "10.99.0.2"):
        wait_for(lambda host=host: host in c.host.run("avahi-browse", "-rpt", "_cfgsync-pair._tcp"),
                 "both offers are announced", 60)
    lost = Pairing(c, "--yes", typed="42-amber-ribbon\n")
    lost.ends(2)
    for host in ("h1", "h2"):
        check(re.search(rf"pair --at 10.99.0.\d:\d+ +\({host}.local\)", lost.text), "a list",
              lost.text)
    for pairing in two:
        pairing.close()
    c.host.stop("avahi")
    lost = Pairing(c, typed="42-amber-ribbon\n")
    text = lost.ends(4)
    check("no mDNS service answers" in text and "--at HOST:PORT" in text, "what to do", text)


def test_off(world):
    """discovery = off in the config file."""
    a, b = strangers(world, "alpha", "beta")
    config = a.home / "config"
    config.write_text(config.read_text() + "discovery = off\n")
    for agent in (a, b):
        agent.start()
    acquaint(a, b)
    check(a.status()["discovery"] == "off", "status says so")
    stays(lambda: not a.connected("beta") and not seen(b, a), "nobody finds the other", 4)
    found = Pairing(a, typed="42-amber-ribbon\n")
    check("discovery = off" in found.ends(4), "pair says why", found.text)


# ---- what strangers see, and do

def unescape(match):
    return bytes([int(match[1])]) if len(match[1]) == 3 else match[1]


def records(host):
    """What a stranger sees: name of the service -> the bytes of its TXT strings."""
    found = {}
    for line in host.run("timeout", "20", "avahi-browse", "-rpt", "_cfgsync._tcp",
                         check=False).splitlines():  # asked again if it hangs
        fields = line.split(";", 9)
        if fields[0] == "=":
            found[fields[3]] = re.sub(rb"\\(\d\d\d|.)", unescape, fields[9].encode())
    return found


def tags(text):
    found = re.search(rb'"t0=(.*?)"(?: "v=1"|$)', text, re.S)
    check(found, "tags", text)
    return {found[1][at:at + 8] for at in range(0, len(found[1]), 8)}


def announced(host, wanted=1, but=()):
    """What is announced, once that are as many as wanted and none of those before."""
    found = {}

    def there():
        found.clear()
        found.update(records(host))
        return len(found) == wanted and not set(found) & set(but)

    wait_for(there, lambda: f"so many are announced: {found}", 60)
    return dict(found)


def test_strangers_learn_nothing(world):
    """No id, no name; the tags of the two ends differ, and another day has other tags."""
    a, b, c = strangers(world, "alpha", "beta", "gamma")
    b.start()
    a.start()
    acquaint(a, b)
    meet(a, b)
    found = announced(c.host, 2)
    for text in list(found.values()) + [name.encode() for name in found]:
        for agent in (a, b):
            for secret in (agent.name, agent.device_id, agent.device_id[:8]):
                check(secret.lower().encode() not in text.lower(), "not announced", secret, text)
    one, other = (tags(text) for text in found.values())
    check(len(one) == len(other) == 8, "one peer looks like eight", found)
    check(not one & other, "nothing ties the two to each other", found)
    b.stop()
    today = announced(c.host)
    a.restart()
    again = announced(c.host, but=today)  # another name
    same_tags = tags(*today.values()) & tags(*again.values())
    check(len(same_tags) == 1, "beta knows it by the same tag all day", same_tags)


def test_another_day(world):
    """Tomorrow nothing that is announced is the same; clocks that differ by a day do not matter."""
    clock = other_clock("+1d")
    a, b, c = strangers(world, "alpha", "beta", "gamma")
    for agent in (a, b):
        agent.start()
    acquaint(a, b)
    meet(a, b)
    b.stop()
    today = announced(c.host)
    a.stop()
    a.start(env=dict(a.env, **clock))
    tomorrow = announced(c.host, but=today)  # another name
    check(not tags(*tomorrow.values()) & tags(*today.values()), "other tags")
    b.start()
    meet(a, b)


def test_flood(world):
    """Services of strangers, and a tag that is repeated, cost a bounded list and no connection."""
    a, b, c = strangers(world, "alpha", "beta", "gamma")
    a.start()
    forge = os.path.join(os.path.dirname(__file__), "forge_mdns.py")
    c.host.run("python3", forge, "10.99.0.3", 700, "_cfgsync._tcp", "00" * 8)
    b.start()
    acquaint(a, b)
    meet(a, b, 90)
    check(len(seen(a, b)) <= 4 and len(seen(b, a)) <= 4, "strangers are not seen")
    known = [tag for n, t in records(c.host).items() if "forged" not in n for tag in tags(t)]

    def lie():
        """Again and again: a daemon that is flooded does not hear everything."""
        for tag in known:
            c.host.run("python3", forge, "10.99.0.3", 40, "_cfgsync._tcp", tag.hex())
        time.sleep(2)
        return len(seen(a, b)) + len(seen(b, a)) > 10

    wait_for(lie, "lies are seen", 60)
    stays(lambda: len(seen(a, b)) <= 16 and len(seen(b, a)) <= 16, "not many", 2)
    for agent in (a, b):
        agent.folder_add("f")
    crosses(a, b, "x")
    b.restart()
    meet(a, b, 120)
    size = int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{a.process.pid}/status").read())[1])
    check(size < 200_000 or "CFGSYNC_WRAP" in os.environ, "memory in KiB", size)


if __name__ == "__main__":
    main()
