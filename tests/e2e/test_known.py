#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A device that two of mine trust is trusted here, too, in one step; what one alone says counts
for nothing, and nobody hears of whom it need not know."""

import json

from harness import check, connect, main, program, stays, wait_for
from hostile import Key, Peer, device_bytes, device_text
from terminal import Terminal
from trees import put, wait_same

PEERS = 16  # the feature


def known(agent):
    """By name: what `peer list` has to offer."""
    found = json.loads(agent.cli("peer", "list", "--json").out)["known"]
    return {one["name"]: one for one in found}


def vouchers(agent, name):
    return [one["peer"] for one in known(agent)[name]["known_to"]] if name in known(agent) else []


def circle(world, *names):
    """Agents that trust each other and share a folder, and one more that nobody knows yet."""
    agents = world.company(*names)
    newcomer = world.agent("delta").start()
    for agent in (*agents, newcomer):
        agent.folder_add("f")
    return *agents, newcomer


def test_one_step(world):
    """Four of them: C and D have never met, A and B know both."""
    a, b, c, d = circle(world, "alpha", "beta", "gamma")
    connect(a, d)
    wait_for(lambda: a.connected("delta") and c.connected("alpha") and c.connected("beta"),
             "connected")
    stays(lambda: not known(c) and not known(d), "what alpha alone says counts for nothing", 2)
    connect(b, d)
    for here, there in ((c, "delta"), (d, "gamma")):
        wait_for(lambda here=here, there=there: vouchers(here, there) == ["alpha", "beta"],
                 lambda here=here: f"{here.name} hears of the other: {known(here)}")
    status = c.cli("status")
    check("known to your devices, not trusted here: delta" in status.out, "status says so", status)
    check([one["name"] for one in c.status()["known"]] == ["delta"], "and for programs")
    shown = known(c)["delta"]
    listed = c.cli("peer", "list").out
    for text in (shown["fingerprint"], "known to alpha, beta", d.device_id, "peer trust delta"):
        check(text in listed, f"peer list has {text}", listed)
    check(shown["id"] == d.device_id and shown["addresses"] == [d.address], "who, where", shown)

    refused = c.try_cli("peer", "trust", "delta")
    check(refused.code == 1 and "--yes" in refused.err, "nobody is asked: refused", refused)
    refused = c.try_cli("peer", "trust", "delta", "--yes", "--folders", "f,g")
    check(refused.code == 1, "f is shared with all, g is not there", refused)
    check("delta" in known(c) and len(c.status()["peers"]) == 2, "nothing is changed")
    check(c.try_cli("peer", "trust", "omega", "--yes").code == 1, "nobody of that name")

    done = c.cli("peer", "trust", "delta", "--yes")
    check("peer trust gamma" in done.out, "what is left to do there", done)
    check(not known(c), "it is no candidate any more")
    stays(lambda: not d.connected("gamma") if [p for p in d.status()["peers"]
          if p["name"] == "gamma"] else True, "half trust is none", 0.5)
    check("already" in c.cli("peer", "trust", "delta", "--yes").out, "the same again")
    d.cli("peer", "trust", c.device_id.lower(), "--yes", "--name", "third")
    wait_for(lambda: c.connected("delta") and d.connected("third"), "they are connected", 30)
    a.stop()
    b.stop()
    put(c.paths["f"] / "x", "from gamma")
    wait_same(c.paths["f"], d.paths["f"])
    put(d.paths["f"] / "y", "from delta")
    wait_same(c.paths["f"], d.paths["f"])


def test_removed(world):
    """Whom I have removed is shown as that, and not hinted at; it can be asked for."""
    a, b, c, d = circle(world, "alpha", "beta", "gamma")
    for one in (a, b, c):
        connect(one, d)
    wait_for(lambda: c.connected("delta"), "connected")
    c.cli("peer", "remove", "delta")
    wait_for(lambda: vouchers(c, "delta") == ["alpha", "beta"], "the others know it")
    check(known(c)["delta"]["removed"] and "it was removed here" in c.cli("peer", "list").out,
          "it is said that it was removed")
    check(c.status()["known"] == [] and "known to" not in c.cli("status").out, "no hint")
    c.restart()
    wait_for(lambda: vouchers(c, "delta") == ["alpha", "beta"], "told again")
    check(known(c)["delta"]["removed"], "that lasts")
    c.folder_add("g", share=None)
    c.cli("peer", "trust", "delta", "--yes", "--folders", "g")
    check(c.folder("g")["with"] == ["delta"], "and the folder is shared with it", c.folder("g"))
    wait_for(lambda: c.connected("delta"), "connected again", 30)
    a.cli("peer", "remove", "delta")
    c.cli("peer", "remove", "delta")
    wait_for(lambda: not known(c), "of two that knew it one has removed it")


def test_terminal(world):
    a, b, c, d = circle(world, "alpha", "beta", "gamma")
    private = world.dir / "private"
    private.mkdir()
    c.folder_add("g", path=private, share=None)
    for one in (a, b):
        connect(one, d)
    wait_for(lambda: "delta" in known(c), "gamma hears of it")
    for answer in ("n", "y"):
        talk = Terminal(world, [program(), "peer", "trust", "delta"], c.env)
        talk.expect("known to alpha, beta")
        talk.expect(known(c)["delta"]["fingerprint"])
        talk.expect(r"Trust it\? \[y/N\]")
        talk.send(answer + "\r")
        if answer == "n":
            talk.expect("nothing is changed")
            check(talk.end() == 1 and "delta" in known(c), "it is not")
            continue
        talk.expect("it must trust this device, too")
        talk.expect(r"Share which folders with delta\? \(g;")
        talk.send("g\r")
        check(talk.end() == 0, "done", talk.text())
    check("delta" in c.cli("folder", "list", "--json").out, "g is shared with it")


# ---- against a second implementation

def company_of_peers(world, *names):
    """An agent and Python peers that it trusts; each has an address of its own."""
    agent = world.agent("alpha").start()
    peers = []
    for number, name in enumerate(names):
        peer = Peer(world, name)
        peer.features = PEERS
        options = ["--no-approve"] if name == "server" else []
        agent.cli("peer", "add", name, peer.device_id, "--at", f"tcp://127.0.0.1:{9 + number}",
                  *options)
        peers.append(peer)
    return agent, *peers


def told(peer, agent):
    peer.connect(agent)
    return [(one[1], one[2]) for one in peer.wait("PEERS").get("peers", [])]


def test_who_hears_of_whom(world):
    a, p, q, r, server, old = company_of_peers(world, "p", "q", "r", "server", "old")
    old.features = 0
    a.folder_add("f", share="p,q,server,old")
    a.folder_add("g", share="r")
    at = [[f"tcp://127.0.0.1:{port}"] for port in range(9, 14)]
    expected = sorted([(q.key.device, "q", at[1]), (old.key.device, "old", at[4])])
    check(told(p, a) == [one[1:] for one in expected],
          "those of a common folder that may approve, by device id", p.heard)
    check(told(r, a) == [], "no folder in common")
    check(told(server, a) == [], "who may not approve hears of nobody")
    old.connect(a)
    old.send("PING", token=5, wall=0)
    old.wait("PONG")
    check(old.find("PEERS") is None, "who does not know the message does not get it")

    # A change is told at once: shared with one more, renamed, taken away.
    since = len(p.heard)
    a.cli("folder", "share", "f", "--with", "r")
    check("r" in [one[1] for one in p.wait("PEERS", since=since)["peers"]], "r is there, too")
    since = len(p.heard)
    a.cli("peer", "rename", "r", "s")
    check("s" in [one[1] for one in p.wait("PEERS", since=since)["peers"]], "under its new name")
    since = len(p.heard)
    a.cli("folder", "remove", "f")
    check(p.wait("PEERS", since=since).get("peers", []) == [], "nothing in common any more")


def test_what_peers_say(world):
    a, p, q, server = company_of_peers(world, "p", "q", "server")
    strangers = sorted((Key(b"x%d" % number).device for number in range(4)))
    x, y, z, alone = strangers

    def say(peer, *devices, names=None, addresses=("tcp://10.0.0.9:7575",)):
        peer.send("PEERS", peers=[[device, (names or {}).get(device, "box"), list(addresses)]
                                  for device in sorted(devices)])

    for peer in (p, q, server):
        peer.connect(a)
    say(p, x, z, device_bytes(a.device_id), names={x: "p", z: "fon"})
    say(q, x, y, alone, names={x: "p", y: "fon"})
    say(server, alone, y)
    wait_for(lambda: "p" in known(a), "two say so")
    check(list(known(a)) == ["p"], "one and the server are not enough", known(a))
    check(known(a)["p"]["id"] == device_text(x) and known(a)["p"]["as"] == "p-2", "another name",
          known(a))
    # Two devices of one name are told apart by their ids.
    say(p, x, y, z, names={x: "p", y: "fon", z: "fon"})
    say(q, x, y, z, names={x: "p", y: "fon", z: "fon"})
    wait_for(lambda: len(json.loads(a.cli("peer", "list", "--json").out)["known"]) == 3, "three")
    several = a.try_cli("peer", "trust", "fon", "--yes")
    check(several.code == 1 and "give the id" in several.err, "which of them?", several)
    say(p, x, z, addresses=["nonsense", "tcp://1.2.3.4:99999", "tcp://10.0.0.1:7575", "x" * 64],
        names={z: "../../\x1b[31m"})
    say(q, x, z, addresses=["tcp://10.0.0.2:7575"])
    wait_for(lambda: {one["as"] for one in known(a).values()} == {"box", "..-..---31m"},
             lambda: f"two, with names that can be: {known(a)}")
    out = a.cli("peer", "trust", device_text(z), "--yes", "--json").out
    check(device_text(z) in out and "nonsense" not in out, "only what can be dialled", out)
    done = json.loads(out[out.index("\n}\n") + 3:])  # behind what was asked about
    check(done["addresses"] == ["tcp://10.0.0.2:7575", "tcp://10.0.0.1:7575"],
          "what is no address is left out", done)
    check("\x1b" not in a.cli("peer", "list").out, "nothing is written to the terminal")
    # A list ends with its peer.
    wait_for(lambda: len(known(a)) == 1, "x is left")
    a.cli("peer", "remove", "q")
    wait_for(lambda: not known(a), "one is not enough")


def test_lists_that_lie(world):
    """The session ends, nothing is taken, the agent goes on."""
    a, p, q = company_of_peers(world, "p", "q")
    x, y = sorted(Key(text).device for text in (b"x", b"y"))
    good = [x, "x", ["tcp://10.0.0.9:7575"]]
    q.connect(a)
    q.send("PEERS", peers=[good])
    lies = [[[(number << 64).to_bytes(32, "big"), "n", []] for number in range(1000)],
            [good, good], [[y, "y", []], good], [[x, "n" * 65, []]], [[x, "", []]],
            [[x, "x", ["tcp://h:1"] * 9]], [[x, "x", ["a" * 65]]], [[x[:31], "x", []]],
            [[x, "x"]], [[x, "x", [b"tcp"]]], {"x": 1}]
    for lie in lies:
        refused = a.log().count("session refused peer=p")
        p.connect(a)
        p.send("PEERS", peers=lie)
        wait_for(lambda refused=refused: a.log().count("session refused peer=p") > refused,
                 f"the session ends: {lie}")
        check(not known(a), "nothing is taken of it", lie)
    p.connect(a)
    p.send("PEERS", peers=[good], later=[{"new": 1}])
    wait_for(lambda: "x" in known(a), "an honest one is; keys of later programs are passed over")


if __name__ == "__main__":
    main()
