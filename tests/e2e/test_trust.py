#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who gets what: strangers, half trust, half sharing, removed peers, listeners, floods."""

import os
import random
import resource
import socket
import stat
import subprocess
import threading
import time

from harness import Failure, Skip, check, connect, main, program, stays, wait_for
from proxy import Proxy
from trees import put, same, tree, wait_same


def empty(path):
    """Nothing of the peer's has arrived."""
    return not tree(path)


def test_stranger(world):
    """It knows address and id of the agent; the agent does not know it."""
    a, b, on_a, on_b = world.pair()
    c = world.agent("stranger").start()
    c.peer_add(a)
    c.folder_add("f")
    put(on_a / "x", "x")
    a.sync("f")
    stays(lambda: empty(c.paths["f"]) and not c.connected("alpha"), "the stranger gets nothing", 3)
    put(on_a / "y", "y")
    a.sync("f")
    same(on_a, on_b)
    text = str(c.status()) + str(a.status())
    check("stranger" not in str(a.status()["peers"]), "it is no peer", text)


def test_trust_on_one_side(world):
    """Only the listening, or only the dialling side trusts: nothing passes; then both: all does."""
    a, b = world.agent("alpha").start(), world.agent("beta").start()
    for agent in (a, b):
        agent.folder_add("f")
        put(agent.paths["f"] / f"from-{agent.name}", "x")
    a.peer_add(b)
    stays(lambda: not a.connected("beta"), "alpha alone trusts: no connection", 2)
    check(list(tree(b.paths["f"])) == ["from-beta"], "nothing passes")
    a.cli("peer", "remove", "beta")
    b.peer_add(a)
    stays(lambda: not b.connected("alpha"), "beta alone trusts: no connection", 2)
    check(list(tree(a.paths["f"])) == ["from-alpha"], "nothing passes")
    a.peer_add(b)
    wait_for(lambda: a.connected("beta") and b.connected("alpha"), "connected", 15)


def test_sharing_on_one_side(world):
    """Trusted, but only one of them shares the folder; then both do."""
    a, b = world.company("alpha", "beta")
    a.folder_add("f", share="beta")
    b.folder_add("f", share=None)
    put(a.paths["f"] / "x", "x")
    put(b.paths["f"] / "y", "y")
    a.try_cli("sync", "f")
    wait_for(lambda: a.connected("beta"), "connected")
    stays(lambda: list(tree(b.paths["f"])) == ["y"] and list(tree(a.paths["f"])) == ["x"],
          "nothing passes", 2)
    b.cli("folder", "remove", "f")
    os.unlink(b.paths["f"] / "y")
    b.folder_add("f", share="alpha", path=world.dir / "beta-second")
    a.sync("f")
    same(a.paths["f"], world.dir / "beta-second")


def test_folders_apart(world):
    """A folder that is shared with another peer is not even named to this one."""
    a, b, c = world.company("alpha", "beta", "gamma")
    a.folder_add("private", share="gamma")
    a.folder_add("public", share="beta,gamma")
    for agent in (b, c):
        agent.folder_add("private")
        agent.folder_add("public")
    put(a.paths["private"] / "x", "for gamma alone")
    put(a.paths["public"] / "y", "for both")
    wait_same(a.paths["private"], c.paths["private"])
    wait_same(a.paths["public"], b.paths["public"])
    # gamma shares `private` with beta, too: through gamma it may pass. alpha itself says nothing.
    offers = b.cli("folder", "list", "--json").out
    check('"from": "alpha"' not in offers or '"private"' not in offers, "alpha does not offer it",
          offers)


def test_removed_peer(world):
    """Removing takes effect at once, also for a connection that is open."""
    a, b, on_a, on_b = world.pair()
    put(on_a / "before", "x")
    wait_same(on_a, on_b)
    a.cli("peer", "remove", "beta")
    put(on_a / "after", "y")
    put(on_b / "from-beta", "z")
    stays(lambda: not (on_b / "after").exists() and not (on_a / "from-beta").exists(),
          "nothing passes any more", 3)
    wait_for(lambda: not b.connected("alpha"), "beta's connection has ended")
    check((on_b / "before").exists(), "what beta had stays")
    a.peer_add(b)
    a.cli("folder", "share", "f", "--with", "beta", ok=(0, 1))
    a.sync("f")
    same(on_a, on_b)


def test_proxy_sees_nothing(world):
    """What a listener on the line records has no name and no content in it."""
    a, b = world.agent("alpha"), world.agent("beta", listen=False)
    proxy = Proxy(world, a.port)
    a.start()
    b.start()
    a.peer_add(b, dial=False)
    b.peer_add(a, at=proxy.address)
    names = ["tell-tale-name.txt", "folder-of-secrets/plan-for-tuesday"]
    content = b"the-treasure-is-under-the-old-oak-tree " * 40
    for agent in (a, b):
        agent.folder_add("tell-tale-folder")
    on_a, on_b = a.paths["tell-tale-folder"], b.paths["tell-tale-folder"]
    for name in names:
        put(on_a / name, content)
    put(on_a / "large", content * 3000)
    a.sync("tell-tale-folder")
    put(on_b / "answer-name", content[::-1])
    b.sync("tell-tale-folder")
    same(on_a, on_b)
    recorded = bytes(proxy.recorded)
    check(len(recorded) > 5000, "the proxy saw the traffic", len(recorded))
    words = [b"tell-tale", b"secrets", b"tuesday", b"treasure", b"oak-tree", b"answer-name",
             content[::-1][:12], b"alpha", b"beta"]
    for word in words:
        check(word not in recorded, f"{word!r} is on the wire in the clear")


def test_cut_connections(world):
    """A line that is cut again and again: it goes on, and ends equal."""
    a, b = world.agent("alpha"), world.agent("beta", listen=False)
    proxy = Proxy(world, a.port)
    a.start()
    b.start()
    a.peer_add(b, dial=False)
    b.peer_add(a, at=proxy.address)
    for agent in (a, b):
        agent.folder_add("f")
    a.sync("f")  # one folder before both have items
    on_a, on_b = a.paths["f"], b.paths["f"]
    for number in range(8):
        put(on_a / f"big{number}", os.urandom(4 << 20))
        put(on_b / f"other{number}", os.urandom(100_000))
        time.sleep(0.15)
        proxy.cut()
    a.sync("f")
    b.sync("f")
    same(on_a, on_b)
    check(proxy.connections > 4, "it was cut", proxy.connections)


def usage(agent):
    """(open descriptors, resident KiB, CPU seconds)"""
    pid = agent.process.pid
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        resident = int(file.read().split()[1]) * resource.getpagesize() // 1024
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return len(os.listdir(f"/proc/{pid}/fd")), resident, seconds


def settled(agent):
    """usage(), when its descriptors have stayed the same for a while (a spare comes late)."""
    last, since = usage(agent)[0], time.monotonic()
    while time.monotonic() - since < 1.5:
        time.sleep(0.05)
        if usage(agent)[0] != last:
            last, since = usage(agent)[0], time.monotonic()
    return usage(agent)


def test_random_bytes(world):
    """Garbage on the port: closed, nothing lasting, the others do not notice."""
    a, b, on_a, on_b = world.pair()
    base = settled(a)
    rng = random.Random(1)
    starts = [b"", b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f", b"GET / HTTP/1.1\r\n\r\n",
              b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00CURVE" + b"\0" * 47,
              b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00NULL" + b"\0" * 48,
              b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x01\x00", b"\x16\x03\x01\x02\x00"]
    for number in range(120):
        with socket.create_connection(("127.0.0.1", a.port), timeout=5) as line:
            try:
                line.sendall(starts[number % len(starts)] + rng.randbytes(rng.randrange(2000)))
                if number % 3 == 0:
                    line.settimeout(0.05)
                    line.recv(200)
            except OSError:
                pass
        if number % 40 == 0:
            put(on_a / f"x{number}", "x")
            wait_same(on_a, on_b)
    put(on_a / "after", "x")
    a.sync("f")
    same(on_a, on_b)
    wait_for(lambda: usage(a)[0] <= base[0] + 4, lambda: f"descriptors: {base} {usage(a)}", 15)
    check(usage(a)[1] < base[1] + 32 * 1024, "memory", base, usage(a))


def test_half_open(world):
    """2,000 connections that say nothing, or half a greeting."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        raise Skip(f"at most {hard} descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    a, b, on_a, on_b = world.pair()
    base = settled(a)
    lines = []
    try:
        for number in range(2000):
            line = socket.socket()
            line.setblocking(False)
            line.connect_ex(("127.0.0.1", a.port))
            lines.append(line)
            if number % 4 == 0:
                time.sleep(0.001)
        time.sleep(0.3)
        for line in lines[::2]:
            try:
                line.send(b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03")
            except OSError:
                pass
        begin = time.monotonic()
        put(on_a / "during", "x")
        wait_same(on_a, on_b, 15, "an edit during the flood")
        print(f"    an edit during the flood took {time.monotonic() - begin:.2f} s")
        before = usage(a)[2]
        time.sleep(2)
        busy = (usage(a)[2] - before) / 2
        check(busy < 0.8, f"no spinning during the flood: {busy:.0%} of a core")
    finally:
        for line in lines:
            line.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wait_for(lambda: usage(a)[0] <= base[0] + 4, lambda: f"descriptors: {base} {usage(a)}", 20)
    check(usage(a)[1] < base[1] + 48 * 1024, "memory", base, usage(a))
    # A peer that was away during the flood comes back.
    b.restart()
    put(on_b / "after", "x")
    b.sync("f")
    same(on_a, on_b)


class Modes(threading.Thread):
    """Looks as often as it can at the mode of everything below some folders."""

    def __init__(self, *roots):
        super().__init__(daemon=True)
        self.roots, self.bad, self.ended, self.looks = roots, set(), threading.Event(), 0

    def run(self):
        while not self.ended.is_set():
            for root in self.roots:
                self.look(os.fspath(root), b"")
            self.looks += 1

    def look(self, path, _):
        try:
            info = os.lstat(path)
            if info.st_mode & 0o077 and not stat.S_ISLNK(info.st_mode):
                self.bad.add(f"{path}: {stat.filemode(info.st_mode)}")
            # Contents in staging/, kept/ and conflicts/ have their own modes behind these folders.
            if stat.S_ISDIR(info.st_mode) and os.path.basename(path) not in (
                    "staging", "kept", "conflicts"):
                for name in os.listdir(path):
                    self.look(os.path.join(path, name), b"")
        except (FileNotFoundError, NotADirectoryError):
            pass


def test_private(world):
    """Every file of the agent is its owner's alone from the moment it exists, umask 0 or not."""
    def open_umask():
        os.umask(0)

    a = world.agent("alpha", init=False)
    root = world.dir / "alpha-f"
    root.mkdir()
    modes = Modes(a.home, root / ".cfgsync")
    modes.start()
    done = subprocess.run([program(), "init", "--name", "alpha", "--listen", a.address], env=a.env,
                          stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=open_umask)
    check(done.returncode == 0, "init", done.stdout, done.stderr)
    a.device_id = a.cli("id").out.strip()
    a.start(preexec=open_umask)
    put(root / "x", "x")
    a.folder_add("f")
    b = world.agent("beta").start()
    connect(b, a)
    b.folder_add("f")
    b.sync("f")  # one folder before both have items
    for number in range(20):
        put(b.paths["f"] / f"n{number}", os.urandom(9000))
    b.sync("f")
    a.stop()
    a.start(preexec=open_umask)
    modes.ended.set()
    modes.join(10)
    if modes.bad:
        raise Failure("open to others: " + ", ".join(sorted(modes.bad)))
    check(modes.looks > 20, "it looked often", modes.looks)
    names = {os.path.relpath(os.path.join(folder, name), a.home)
             for folder, _, files in os.walk(a.home) for name in files}
    for name in ("identity", "registry.json", "index.db", "lock", "agent.sock", "status"):
        check(name in names, f"{name} is in the home folder", sorted(names))
    check((root / ".cfgsync/.gitignore").read_text().strip() == "*", "git is kept out")


def test_identity_is_stable(world):
    """init twice changes nothing; another home is another device."""
    a = world.agent("alpha")
    before = tree(a.home, True)
    again = a.cli("init", "--name", "other")
    check(tree(a.home, True) == before, "nothing changed")
    check("unchanged" in again.text, "it says so", again)
    check(world.agent("beta").device_id != a.device_id, "another home, another device")


if __name__ == "__main__":
    main()
