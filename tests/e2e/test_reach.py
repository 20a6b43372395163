#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How a peer is reached, or why it is not: what `peer list` and `status` say, and what comes next."""

import json
import socket
import threading
import time

from harness import check, connect, main, wait_for
from hostile import Peer, msgpack


def listed(agent, name):
    peers = json.loads(agent.cli("peer", "list", "--json").out)["peers"]
    return next(p for p in peers if p["name"] == name)


def reason_is(agent, name, reason, hint, seconds=30):
    """Both the API and the text say so."""
    wait_for(lambda: agent.peer(name)["reason"] == reason,
             lambda: f"{reason}: {agent.peer(name)}", seconds)
    peer = listed(agent, name)
    check(peer["reason"] == reason and hint in peer["hint"], "why, and what next", peer)
    text = agent.cli("peer", "list").out
    check(reason in text and peer["hint"] in text, "in the text, too", text)
    return peer


class Silent:
    """Accepts, and says nothing; or one thing."""

    def __init__(self, world, says=b""):
        self.says = says
        self.open = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.run, daemon=True).start()
        world.closers.append(self.close)

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
                client.sendall(self.says)
                self.open.append(client)
            except OSError:
                return

    def close(self):
        self.listener.close()
        for client in self.open:
            client.close()


def test_reasons(world):
    """Each way not to get through has its own reason and its own next command."""
    a, b, c = (world.agent(name).start() for name in ("alpha", "beta", "gamma"))
    nobody = [world.agent(f"nobody{number}", listen=False) for number in range(6)]
    mute, web = Silent(world), Silent(world, b"HTTP/1.0 400 Bad Request\r\n\r\n")
    addresses = ["tcp://127.0.0.1:1", "tcp://no.such.host.invalid:7575", mute.address, web.address,
                 c.address]
    for peer, address in zip(nobody, addresses):
        a.peer_add(peer, at=address)
    a.peer_add(b)  # b does not know a
    a.peer_add(nobody[5])
    peer = reason_is(a, "nobody0", "refused", "on nobody0: cfgsync-agent status")
    check([t["address"] for t in peer["tried"]] == ["tcp://127.0.0.1:1"], "where", peer)
    check(peer["tried"][0]["reason"] == "refused" and peer["tried"][0]["at"] > 0, "how", peer)
    reason_is(a, "nobody1", "name not found", "getent hosts no.such.host.invalid", 60)
    reason_is(a, "nobody2", "timed out", "ping 127.0.0.1")
    for name in ("nobody3", "nobody4"):
        reason_is(a, name, "another device or program answers there", "cfgsync-agent id")
    reason_is(a, "nobody5", "no address is known here; it can only call", "--at tcp://HOST:7575")
    peer = reason_is(a, "beta", "key not accepted", "cfgsync-agent peer add alpha " + a.device_id)
    check(peer["last_seen"] is None, "never seen", peer)
    # The command that is printed is the one that helps.
    b.cli(*peer["hint"].split("cfgsync-agent ", 1)[1].split())
    wait_for(lambda: a.connected("beta"), "what was said to be done helps", 30)
    peer = listed(a, "beta")
    check(peer["reason"] is None and peer["hint"] is None and peer["tried"] == [], "well", peer)


def test_path_in_use(world):
    """Where it is connected: address, lan, where that is from, who dialled, how long it takes."""
    a, b = world.agent("alpha").start(), world.agent("beta").start()
    connect(a, b)
    for agent in (a, b):
        agent.folder_add("f")
    a.sync("f")
    wait_for(lambda: a.connected("beta") and b.connected("alpha"), "connected")
    for agent, name, source in ((a, "beta", "configured"), (b, "alpha", "incoming")):
        wait_for(lambda agent=agent, name=name: listed(agent, name)["rtt_ms"] is not None, "rtt")
        peer, same = listed(agent, name), agent.peer(name)
        check((peer["via"], peer["from"], peer["dialled"]) == ("lan", source, source != "incoming"),
              "the path", peer)
        check(all(peer[key] == same[key] for key in ("address", "via", "from", "dialled")),
              "status has the same", peer, same)
        check(0 <= peer["rtt_ms"] < 5000 and abs(peer["last_seen"] / 1000 - time.time()) < 60,
              "when and how long", peer)
    check(listed(a, "beta")["address"] == b.address, "the address", listed(a, "beta"))
    text = a.cli("peer", "list").out
    check(f"{b.address} (lan, configured), " in text and " ms" in text, "in the text", text)
    before = listed(a, "beta")["last_seen"]
    b.stop()
    wait_for(lambda: not a.connected("beta"), "it is away")
    peer = reason_is(a, "beta", "refused", "on beta")
    check(peer["last_seen"] >= before and peer["address"] == b.address, "last seen", peer)
    check("last seen" in a.cli("peer", "list").out, "in the text")
    a.restart()
    check(listed(a, "beta")["last_seen"] == peer["last_seen"], "it is remembered",
          listed(a, "beta"), peer)


def test_clock_and_version(world):
    """A clock that is far off is said while connected; another version is why there is no session."""
    a = world.agent("alpha").start()
    odd = Peer(world, "odd")
    a.cli("peer", "add", "odd", odd.device_id)
    odd.connect(a)

    def told():
        odd.take(0.05)  # its PONG says that it is 1970
        return listed(a, "odd")["clock_ms"]

    wait_for(told, "a first PONG")
    check(abs(told() / 1000 + time.time()) < 60, "so many years behind", told())
    text = a.cli("peer", "list").out
    check("its clock is " in text and " behind this one: timedatectl" in text, "said", text)
    odd.disconnect()
    odd.connect(a, hello=False)
    odd.raw(0, msgpack.packb(odd.hello(0, protocol=2)))
    reason_is(a, "odd", "it speaks another version of the protocol", "cfgsync-agent version")


if __name__ == "__main__":
    main()
