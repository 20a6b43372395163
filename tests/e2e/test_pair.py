#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Machines that get to know each other by a code."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import threading

from harness import SLOW, check, die_with_parent, main, program, stays, wait_for
from trees import put, same


class Pairing:
    """One `pair` under way: a process, what it has printed, and what is typed into it."""

    def __init__(self, agent, *args, typed=None, terminal=False):
        self.agent = agent
        self.terminal, far = pty.openpty() if terminal else (None, subprocess.PIPE)
        self.process = subprocess.Popen(
            [program(), "pair", *map(str, args)], env=agent.env, text=True,
            stdin=far, stdout=subprocess.PIPE, stderr=far if terminal else subprocess.PIPE,
            preexec_fn=die_with_parent)
        if terminal:
            os.close(far)
            self.process.stderr = open(self.terminal, errors="replace", closefd=False)
        self.out, self.err = [], []
        self.readers = [threading.Thread(target=self.read, args=(stream, to), daemon=True)
                        for stream, to in ((self.process.stdout, self.out),
                                           (self.process.stderr, self.err))]
        for reader in self.readers:
            reader.start()
        agent.world.closers.append(self.close)
        if typed is not None:
            self.type(typed)

    @staticmethod
    def read(stream, to):
        try:
            while piece := stream.read(1):
                to.append(piece)
        except OSError:
            pass  # the end of a terminal

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def type(self, text):
        if self.terminal is not None:
            os.write(self.terminal, text.encode())
            return
        self.process.stdin.write(text)
        self.process.stdin.flush()

    @property
    def text(self):
        return "".join(self.out + self.err)

    def shows(self, pattern):
        """Waits for it to be printed."""
        wait_for(lambda: re.search(pattern, self.text) or self.process.poll() is not None,
                 lambda: f"{pattern} is not shown:\n{self.text}")
        found = re.search(pattern, self.text)
        check(found, f"{pattern} is shown", self.text)
        return found.group(1) if found.groups() else found.group(0)

    def ends(self, code):
        try:
            self.process.wait(timeout=60 * SLOW)
        except subprocess.TimeoutExpired:
            pass
        for reader in self.readers:
            reader.join(5)
        check(self.process.returncode == code, f"pair is to end with {code}",
              self.process.returncode, self.text)
        return self.text


def offer(agent, *args):
    """Shows a code; returns the pairing, the address and the code as a person reads them."""
    pairing = Pairing(agent, "--offer", *args)
    at = pairing.shows(r"cfgsync-agent pair --at (\S+)\n")
    code = pairing.shows(r"(?m)^ *(\d\d-[a-z]+-[a-z]+)$")
    return pairing, at, code


def strangers(*agents):
    """Nobody is half trusted."""
    for agent in agents:
        check(json.loads(agent.cli("peer", "list", "--json").out)["peers"] == [], "no peers",
              agent.name)


def dial(at):
    host, port = at.rsplit(":", 1)
    return socket.create_connection((host.strip("[]"), int(port)), timeout=20)


def two(world):
    return world.agent("alpha").start(), world.agent("beta").start()


# ---- as it should be

def test_pair(world):
    """The line that is shown works on the other machine; files cross at once."""
    a, b = two(world)
    shown, at, code = offer(a)
    joined = Pairing(b, "--at", at, typed=code + "\n")
    for pairing, other in ((shown, "beta"), (joined, "alpha")):
        pairing.shows(rf"the other machine: {other} \(\w+ \w+\)")
        pairing.shows(r"its fingerprint: +([a-z]+ [a-z]+ [a-z]+ [a-z]+)\n")
    check(shown.shows(r"its fingerprint: +(.*)") == joined.shows(r"this machine's: +(.*)") and
          joined.shows(r"its fingerprint: +(.*)") == shown.shows(r"this machine's: +(.*)"),
          "each shows what the other is", shown.text, joined.text)
    strangers(a, b)
    shown.shows(r"Does the other machine show the same\? Trust it\? \[y/N\]")
    shown.type("y\n")
    strangers(a, b)
    joined.type("y\n")
    shown.ends(0)
    joined.ends(0)
    wait_for(lambda: a.connected("beta") and b.connected("alpha"), "connected", 20)
    for agent, other in ((a, b), (b, a)):
        addresses = json.loads(agent.cli("peer", "list", "--json").out)["peers"][0]["addresses"]
        check(addresses == [other.address], "it knows where the other is", addresses)
        agent.folder_add("f")
    put(a.paths["f"] / "x", "x")
    a.sync("f")
    same(a.paths["f"], b.paths["f"])


def test_at_a_terminal(world):
    """Who says nothing shows a code; the other one is asked for it."""
    a, b = two(world)
    shown = Pairing(a, terminal=True)
    at = shown.shows(r"cfgsync-agent pair --at (\S+)\n")
    code = shown.shows(r"(?m)^ *(\d\d-[a-z]+-[a-z]+)$")
    joined = Pairing(b, "--at", at, terminal=True)
    joined.shows("The code that the other machine shows:")
    joined.type(code + "\n")
    for pairing in (shown, joined):
        pairing.shows(r"Trust it\? \[y/N\]")
        pairing.type("y\n")
    shown.ends(0)
    joined.ends(0)


def test_asked_what_to_share(world):
    """Once, at a terminal, and only for what is there to be shared; never otherwise."""
    a, b = two(world)
    for name in ("notes", "etc", "music"):
        a.folder_add(name, share=None)
    b.folder_add("all-of-it")
    b.folder_add("photos", share=None)
    shown = Pairing(a, "--offer", terminal=True)
    at = shown.shows(r"cfgsync-agent pair --at (\S+)\n")
    code = shown.shows(r"(?m)^ *(\d\d-[a-z]+-[a-z]+)$")
    joined = Pairing(b, "--at", at, typed=code + "\n")
    for pairing in (shown, joined):
        pairing.shows(r"Trust it\? \[y/N\]")
        pairing.type("y\n")
    shown.shows(r"Share which folders with beta\? \(notes, etc, music; all; nothing: none\)")
    shown.type("etc, notes\n")
    check(shown.ends(0).count("Share which") == 1, "asked once", shown.text)
    check("Share which" not in joined.ends(0), "not without a terminal", joined.text)
    offers = []

    def offered():
        offers[:] = json.loads(b.cli("folder", "list", "--json").out)["offers"]
        return len(offers) == 2
    wait_for(offered, lambda: f"what was chosen is offered: {offers}")
    check({offer["name"] for offer in offers} == {"notes", "etc"}, "no others", offers)
    check(all(offer["from"] == "alpha" and not offer["here"] for offer in offers), "whose", offers)
    check([offer["name"] for offer in json.loads(a.cli("folder", "list", "--json").out)["offers"]]
          == ["all-of-it"], "beta shares what it shared with all, no more")


def test_mistyped_what_to_share(world):
    """A name that is none shares nothing, and says what to do; enter is no."""
    a, b = two(world)
    a.folder_add("etc", share=None)
    b.folder_add("etc", share=None)
    shown = Pairing(a, "--offer", terminal=True)
    at = shown.shows(r"cfgsync-agent pair --at (\S+)\n")
    code = shown.shows(r"(?m)^ *(\d\d-[a-z]+-[a-z]+)$")
    joined = Pairing(b, "--at", at, terminal=True)
    joined.shows("The code that the other machine shows:")
    joined.type(code + "\n")
    for pairing in (shown, joined):
        pairing.shows(r"Trust it\? \[y/N\]")
        pairing.type("y\n")
    for pairing, answer in ((shown, "ect etc\n"), (joined, "\n")):
        pairing.shows(r"Share which folders with \w+\?")
        pairing.type(answer)
    check("ect is none of these" in shown.ends(1), "it says so", shown.text)
    joined.ends(0)
    for agent in (a, b):
        folder = json.loads(agent.cli("folder", "list", "--json").out)["folders"][0]
        check(folder["with"] == [] and not folder["with_all"], "shared with nobody", folder)


def test_interrupted(world):
    """Ctrl-C at the question is an answer: the other machine is told."""
    a, b = two(world)
    shown, at, code = offer(a)
    joined = Pairing(b, "--at", at, "--yes", typed=code + "\n")
    shown.shows("its fingerprint")
    shown.process.send_signal(signal.SIGINT)
    shown.ends(1)
    check("the other machine has ended the pairing" in joined.ends(1), "it is told", joined.text)
    strangers(a, b)


def test_by_script(world):
    """--yes, a typing error in a word, the code as an argument, a name of one's own, --json."""
    a, b = two(world)
    shown, at, code = offer(a, "--yes", "--name", "laptop")
    number, first, second = code.split("-")
    typed = f" {number} {first.upper()} {second[0]}{second[2]}{second[1]}{second[3:]}"
    if second[1] == second[2]:
        typed = f"{number} {first.upper()} {second}x"
    joined = Pairing(b, "--at", at, typed, "--yes", "--json")
    shown.ends(0)
    joined.ends(0)
    joined.shows(f"read as {code}")
    joined.shows("warning: a code on the command line can be seen")
    check('"state": "done"' in joined.text and '"peer": "alpha"' in joined.text, "--json",
          joined.text)
    wait_for(lambda: a.connected("laptop") and b.connected("alpha"), "connected", 20)


def test_again(world):
    """Who is a peer already keeps name and place; a second machine of one name gets another."""
    a, b = two(world)
    for _ in range(2):
        shown, at, code = offer(a, "--yes")
        joined = Pairing(b, "--at", at, "--yes", typed=code + "\n")
        shown.ends(0)
        joined.ends(0)
    check("it is a peer already" in shown.text, "it says so", shown.text)
    check([p["name"] for p in a.status()["peers"]] == ["beta"], "one peer", a.status()["peers"])
    c = world.agent("second", init=False)
    c.name = "beta"
    c.init()
    c.start()
    shown, at, code = offer(a, "--yes")
    Pairing(c, "--at", at, "--yes", typed=code + "\n").ends(0)
    shown.ends(0)
    check({p["name"] for p in a.status()["peers"]} == {"beta", "beta-2"}, "two peers",
          a.status()["peers"])


def test_listen_nowhere(world):
    """A machine that only dials can show the code; the other one never dials it."""
    a = world.agent("alpha", listen=False).start()
    b = world.agent("beta").start()
    shown, at, code = offer(a, "--yes")
    port = at.rsplit(":", 1)[1]
    Pairing(b, "--at", f"127.0.0.1:{port}", "--yes", typed=code + "\n").ends(0)
    shown.ends(0)
    check(json.loads(b.cli("peer", "list", "--json").out)["peers"][0]["addresses"] == [],
          "nothing to dial")
    wait_for(lambda: a.connected("beta") and b.connected("alpha"), "connected", 20)


def test_ipv6_and_names(world):
    """The pairing socket is where the agent listens, and names are looked up."""
    addresses = ["tcp://localhost:{port}"]
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        addresses.append("tcp://[::1]:{port}")
    except OSError:
        print("    no IPv6 here: names only")
    for number, address in enumerate(addresses):
        a = world.agent(f"a{number}", init=False)
        a.address = address.format(port=a.port)
        a.init()
        a.start()
        b = world.agent(f"b{number}").start()
        shown, at, code = offer(a, "--yes")
        if "localhost" in address:
            at = "localhost:" + at.rsplit(":", 1)[1]
        Pairing(b, "--at", at, "--yes", typed=code + "\n").ends(0)
        shown.ends(0)
        wait_for(lambda: b.connected(a.name), "connected", 20)


# ---- as it should not

def test_wrong_code(world):
    """Both are told, nothing is left, and the right code comes too late."""
    a, b = two(world)
    shown, at, code = offer(a, "--yes")
    wrong = ("11" if code[:2] != "11" else "12") + code[2:]
    joined = Pairing(b, "--at", at, "--yes", typed=wrong + "\n")
    check("used up" in joined.ends(1), "the joiner is told", joined.text)
    check("somebody came with a wrong code" in shown.ends(1), "the offerer is told", shown.text)
    late = Pairing(b, "--at", at, "--yes", typed=code + "\n")
    check("nobody offers to pair there" in late.ends(4), "it is dead", late.text)
    strangers(a, b)


def test_mistyped_beyond_recognition(world):
    """Nothing is sent: the code is still good."""
    a, b = two(world)
    shown, at, code = offer(a, "--yes")
    for typed in ("42", "amber", f"{code[:2]}-xyzzyq-plugh", code + "-more"):
        joined = Pairing(b, "--at", at, "--yes", typed=typed + "\n")
        check("still good" in joined.ends(2), "refused here", joined.text)
    Pairing(b, "--at", at, "--yes", typed=code + "\n").ends(0)
    shown.ends(0)


def test_said_no(world):
    """On either side: both are told and nothing is left. Nobody there to say yes: no."""
    a, b = two(world)
    for answers in (("n\n", "y\n"), ("y\n", "n\n"), ("y\n", None)):
        shown, at, code = offer(a)
        joined = Pairing(b, "--at", at, typed=code + "\n")
        for pairing, answer in zip((shown, joined), answers):
            pairing.shows("its fingerprint")
            if answer is None:
                pairing.process.stdin.close()
            else:
                pairing.type(answer)
        shown.ends(1)
        joined.ends(1)
        strangers(a, b)


def test_somebody_goes(world):
    """A client is killed, or an agent: the other side hears of it and trusts nobody."""
    a, b = two(world)
    shown, at, code = offer(a)
    shown.process.kill()
    shown.process.wait()
    wait_for(lambda: Pairing(b, "--at", at, "--yes", typed=code + "\n").process.wait() == 4,
             "the offer is gone")
    shown, at, code = offer(a, "--yes")
    joined = Pairing(b, "--at", at, typed=code + "\n")
    joined.shows("its fingerprint")
    b.kill9()
    shown.ends(4)
    strangers(a)
    b.start()
    strangers(b)


def test_two_at_once(world):
    """One machine shows one code at a time."""
    a, b = two(world)
    shown, at, code = offer(a)
    joined = Pairing(b, "--at", at, "--yes", typed=code + "\n")
    shown.shows("its fingerprint")
    second = Pairing(a, "--offer")
    check("another pairing is under way" in second.ends(1), "refused", second.text)
    shown.type("y\n")
    shown.ends(0)
    joined.ends(0)


def test_itself(world):
    """A copy of a machine has the same key."""
    a = world.agent("alpha").start()
    b = world.agent("beta", init=False)
    b.home.mkdir(mode=0o700)
    put(b.home / "identity", (a.home / "identity").read_bytes())
    os.chmod(b.home / "identity", 0o600)
    b.init()
    b.start()
    shown, at, code = offer(a, "--yes")
    joined = Pairing(b, "--at", at, "--yes", typed=code + "\n")
    check("own key" in shown.ends(1) or "own key" in joined.ends(1), "it says so", shown.text,
          joined.text)
    strangers(a, b)


def test_usage(world):
    a = world.agent("alpha")
    for args in (("pair", "--offer", "--at", "h:1"), ("pair", "--offer", "42-amber-river"),
                 ("pair", "ssh://u@h", "--at", "h:1"),
                 ("pair", "ssh://-oProxyCommand=x"), ("pair", "ssh://"),
                 ("pair", "--at", "h:1", "x")):
        result = a.try_cli(*args)
        check(result.code == 2, "usage", result)
    for args in (("pair",), ("pair", "--offer"), ("pair", "42-amber-river")):
        result = a.try_cli(*args)
        check(result.code == 6, "no agent", result)
    a.start()
    result = a.try_cli("pair", "42-amber-river")
    check(result.code == 4 and "--at HOST:PORT" in result.err, "nobody offers here", result)
    for at in ("nonsense", "host:", "host:99999", ":7576", "ho st:1"):
        result = a.try_cli("pair", "--at", at, "42-amber-river")
        check(result.code == 2 and "HOST:PORT" in result.text, "a bad address", result)
    for name in ("no/name", "\udcff"):
        result = a.try_cli("pair", "--offer", "--name", name)
        check(result.code == 2, "a bad name", result)


# ---- others on the socket

def test_strangers_on_the_socket(world):
    """Garbage, silence and halves of frames keep nobody out, and cost the code nothing."""
    a, b = two(world)
    shown, at, code = offer(a, "--yes")
    held = []
    for number in range(60):
        connection = dial(at)
        connection.sendall((b"", b"\0", b"\0\x12\1", b"GET / HTTP/1.1\r\n\r\n",
                            os.urandom(1000))[number % 5])
        held.append(connection)
    a.cli("status")
    Pairing(b, "--at", at, "--yes", typed=code + "\n").ends(0)
    shown.ends(0)
    for connection in held:
        connection.close()
    check([p["name"] for p in a.status()["peers"]] == ["beta"], "one peer", a.status()["peers"])


def test_closed_otherwise(world):
    """The socket is there while somebody pairs, and no longer; nothing of it is in the log."""
    a, b = two(world)
    shown, at, code = offer(a, "--yes")
    Pairing(b, "--at", at, "--yes", typed=code + "\n").ends(0)
    shown.ends(0)
    try:
        dial(at).close()
        closed = False
    except OSError:
        closed = True
    check(closed, "nobody listens", at)
    for agent in (a, b):
        for secret in {code, *code.split("-")[1:]} - {a.name, b.name}:
            check(secret not in agent.log(), "the code is not in the log", secret, agent.log())


if __name__ == "__main__":
    main()
