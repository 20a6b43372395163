#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How a peer is reached, or why it is not, and what comes next: as `peer list` and `status` say."""

import json
import socket
import threading
import time

from harness import check, connect, main, wait_for
from hostile import Peer, msgpack
from trees import put, same


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


class Socks:
    """A SOCKS 5 proxy (RFC 1928) that takes every name for this machine; .asked is what for."""

    def __init__(self, world):
        self.asked = []
        self.open = []
        self.refuses = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.run, daemon=True).start()
        world.closers.append(self.close)

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            with client.makefile("rb") as inward:
                version, count = inward.read(2)
                check(version == 5 and 0 in inward.read(count), "SOCKS 5 without a password")
                client.sendall(b"\5\0")
                version, command, _, kind = inward.read(4)
                check((version, command) == (5, 1), "connect", version, command)
                size = {1: 4, 4: 16}.get(kind) or inward.read(1)[0]
                host, port = inward.read(size), int.from_bytes(inward.read(2), "big")
            self.asked.append((host.decode() if kind == 3 else socket.inet_ntop(
                socket.AF_INET if kind == 1 else socket.AF_INET6, host), port))
            if self.refuses:
                client.sendall(b"\5\5\0\1" + bytes(6))
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", port))
            self.open += [client, server]
            client.sendall(b"\5\0\0\1" + bytes(6))
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self.relay, args=ends, daemon=True).start()
        except OSError:
            client.close()

    @staticmethod
    def relay(source, sink):
        try:
            while piece := source.recv(1 << 16):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()
        for end in self.open:
            end.close()


def configure(agent, line):
    config = agent.home / "config"
    config.write_text(config.read_text() + line + "\n")


def test_socks_proxy(world):
    """What is elsewhere is dialled through the proxy, which looks up its name; near is not."""
    proxy = Socks(world)
    a, b, c = (world.agent(name) for name in ("alpha", "beta", "gamma"))
    configure(a, "socks_proxy = \"127.0.0.1:1080\"")
    refused = a.try_cli("config", "check")
    check(refused.code == 1 and 'socks_proxy: "127.0.0.1:1080" is not tcp://host:port' in
          refused.text, "a form that is none", refused)
    config = a.home / "config"
    config.write_text(config.read_text().replace("127.0.0.1:1080", proxy.address))
    for agent in (a, b, c):
        agent.start()
        agent.folder_add("f")
    for other, at in ((b, f"tcp://hub.elsewhere.example:{b.port}"), (c, c.address)):
        other.peer_add(a, dial=False)
        a.peer_add(other, at=at)
    wait_for(lambda: a.connected("beta") and a.connected("gamma"), lambda: a.log()[-2000:], 30)
    check(set(proxy.asked) == {("hub.elsewhere.example", b.port)} and len(proxy.asked) == 2,
          "both lanes of the one that is elsewhere", proxy.asked)
    check(a.peer("beta")["via"] == "wan" and a.peer("gamma")["via"] == "lan", "seen as such")
    put(a.paths["f"] / "x", "x")
    a.sync("f")
    same(a.paths["f"], b.paths["f"])
    proxy.refuses = True
    for end in proxy.open:
        end.close()
    wait_for(lambda: a.peer("beta")["reason"], lambda: f"a reason: {a.peer('beta')}", 30)
    proxy.refuses = False
    wait_for(lambda: a.connected("beta"), "and again", 30)


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
    check(f"lan {b.address} (configured), " in text and " ms" in text, "in the text", text)
    before = listed(a, "beta")["last_seen"]
    b.stop()
    wait_for(lambda: not a.connected("beta"), "it is away")
    peer = reason_is(a, "beta", "refused", "on beta")
    check(peer["last_seen"] >= before and peer["address"] == b.address, "last seen", peer)
    check("last seen" in a.cli("peer", "list").out, "in the text")
    a.restart()
    again = listed(a, "beta")["last_seen"]
    check(again and abs(again - peer["last_seen"]) < 60_000, "it is remembered", again, peer)


def test_membership(world):
    """A new name changes nothing else; who is removed is cut off at once, dialling or dialled."""
    a, b, c = (world.agent(name).start() for name in ("alpha", "beta", "gamma"))
    connect(a, b)
    connect(c, a)
    for agent in (a, b, c):
        agent.folder_add("f", share="alpha" if agent is not a else "beta,gamma")
    a.sync("f")
    a.cli("peer", "rename", "beta", "bob")
    check(a.connected("bob") and "session down" not in a.log(), "it stays connected")
    check(a.folder("f")["with"] == ["bob", "gamma"], "its folders, too", a.folder("f"))
    put(b.paths["f"] / "x", "x")
    b.sync("f")
    same(a.paths["f"], b.paths["f"])
    taken = a.try_cli("peer", "rename", "bob", "gamma")
    check(taken.code == 1 and "another peer is called gamma already" in taken.text, "taken", taken)
    a.restart()
    wait_for(lambda: a.connected("bob") and a.connected("gamma"), "connected", 30)
    for name, other in (("bob", b), ("gamma", c)):
        begin = time.monotonic()
        a.cli("peer", "remove", name)
        wait_for(lambda other=other: not other.connected("alpha"), "it is cut off", 30)
        print(f"      {other.name} after {time.monotonic() - begin:.1f} s", flush=True)
        check(name not in a.cli("peer", "list").out, "it is gone from the list")
    reason_is(c, "alpha", "key not accepted", "cfgsync-agent peer add gamma " + c.device_id)


def test_clock_and_version(world):
    """A clock that is far off is told; another version is why there is no session."""
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
