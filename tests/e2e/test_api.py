#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The local API as a stranger to the code would meet it: curl against every request of docs/API.md,
wrong methods, huge bodies, slow clients, 200 at once, other users; events that go on where they
were; /metrics by its format."""

import concurrent.futures
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import time

import harness
from harness import ROOT, SLOW, Skip, check, wait_for

MIB = 1 << 20


def curl(agent, *words, data=None):
    """Status and body."""
    if not shutil.which("curl"):
        raise Skip("there is no curl")
    done = subprocess.run(
        ["curl", "-sS", "--max-time", str(int(60 * SLOW)), "--unix-socket",
         agent.home / "agent.sock", "-w", "\n%{http_code}", *words],
        input=data, capture_output=True, check=False)
    body, _, status = done.stdout.rpartition(b"\n")
    return int(status or 0), body


def error(body):
    return json.loads(body)["error"]["code"]


def routes():
    """The requests that docs/API.md names."""
    text = (ROOT / "docs/API.md").read_text()
    found = set(re.findall(r"^###? (GET|POST) (/\S+)$", text, re.M))
    found |= set(re.findall(r"^\| (GET|POST) (/\S+) \|", text, re.M))
    return sorted(found)


def known():
    """Those that the program knows."""
    text = (ROOT / "agent/daemon/control.c").read_text()
    table = text[text.index("routes[] = {"):]
    return set(re.findall(r'\{"(GET|POST)",\s*"(/[^"]+)"', table[:table.index("\n};")]))


def test_every_request(world):
    """All are documented; another method, a body that is none, an unknown key: refused by name."""
    a = world.agent("a").start()
    check(set(routes()) == known(), "docs/API.md has each of them",
          sorted(set(routes()) ^ known()))
    paths = {path for _, path in routes()}
    for path in sorted(paths):
        methods = {method for method, other in routes() if other == path}
        for method in {"GET", "POST", "PUT"} - methods:
            status, body = curl(a, "-X", method, f"http://agent{path}")
            check(status == 405 and error(body) == "wrong-method", f"{method} {path}", status, body)
        if "POST" not in methods:
            continue
        url = f"http://agent{path}"
        for data, code in ((b"{", "bad-json"), (b'{"no such key": 1}', "unknown-key")):
            status, body = curl(a, "--data-binary", "@-", url, data=data)
            check(status == 400 and error(body) == code, f"POST {path} {data[:20]}", status, body)
        status, body = curl(a, "--data-binary", "@-", url, data=b"x" * (MIB + 1))
        check(status == 413, f"POST {path}, too much", status, body)
    for method in ("HEAD", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        words = ["-I"] if method == "HEAD" else ["-X", method]
        check(curl(a, *words, "http://agent/v1/status")[0] == 405, method)
    for data in (b"[]", b"\xff\xfe", b'{"a": 1, "a": 2}', b"[" * 100000, b"x" * MIB):
        status, body = curl(a, "--data-binary", "@-", "http://agent/v1/sync", data=data)
        check(status == 400 and error(body) == "bad-json", f"{data[:20]}", status, body)
    for path in ("/", "/v1", "/v1/", "/v2/status", "/v1/status/", "/v1/../v1/status"):
        status, body = curl(a, "--path-as-is", f"http://agent{path}")
        check(status == 404 and error(body) == "unknown-path", path, status, body)
    check(a.answers(), "it is well")


def test_more_than_it_takes(world):
    """Endless bodies and headers end; what has no length, or a wrong one, does no harm."""
    a = world.agent("a").start()
    status, _ = curl(a, "-H", "x: " + "y" * 9000, "http://agent/v1/status")
    check(status in (400, 413, 431), "long headers", status)
    status, _ = curl(a, "http://agent/v1/" + "x" * 9000)
    check(status in (404, 413, 414, 431), "a long path", status)
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(a.home / "agent.sock"))
        line.sendall(b"POST /v1/sync HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        try:
            while sent < 100 * MIB:
                line.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
        except OSError:
            pass
    check(sent < 64 * MIB, "a body without an end is cut off", sent)
    post = b"POST /v1/sync HTTP/1.1\r\nHost: a\r\nContent-Length: "
    for head in (b"\0" * 4096, b"GET\r\n\r\n", b"GET /v1/status HTTP/9.9\r\n\r\n",
                 post + b"-1\r\n\r\n", post + b"99999999999999999999\r\n\r\n"):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(a.home / "agent.sock"))
            line.sendall(head)
            line.settimeout(30 * SLOW)
            try:
                line.recv(65536)
            except OSError:
                pass
    check(a.answers(), "it is well")


def test_slow(world):
    """Who does not finish a request in 10 s is cut off; others are answered meanwhile."""
    a = world.agent("a").start()
    slow = []
    for start in (b"", b"GET /v1/st",
                  b"POST /v1/sync HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"):
        line = socket.socket(socket.AF_UNIX)
        line.connect(str(a.home / "agent.sock"))
        if start:
            line.sendall(start)
        slow.append(line)
    begun = time.monotonic()
    check(a.answers(), "others are answered")
    for line in slow:
        line.settimeout(60 * SLOW)
        while line.recv(4096):
            pass
        line.close()
    took = time.monotonic() - begun
    check(took >= 9, "they had their 10 s", took)


def test_many(world):
    """200 at once, 64 of which can be connected, some waiting for long: all are answered."""
    a = world.agent("a").start()
    a.folder_add("f", share=None)
    requests = [("GET", "/v1/status"), ("GET", "/metrics"), ("POST", "/v1/sync"),
                ("POST", "/v1/log"), ("GET", "/v1/nothing"), ("POST", "/v1/pause"),
                ("POST", "/v1/resume"), ("PUT", "/v1/status")]
    bodies = {"/v1/log": b'{"folder": "f"}', "/v1/sync": b'{"wait": true, "timeout_s": 5}'}

    def one(number):
        method, path = requests[number % len(requests)]
        data = bodies.get(path)
        words = ["-X", method] + (["--data-binary", "@-"] if data else [])
        return path, curl(a, *words, f"http://agent{path}", data=data)[0]

    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(one, range(200)))
    wrong = [answer for answer in answers if answer[1] not in (200, 404, 405)]
    check(not wrong, "all are answered", wrong)
    check(a.status()["pid"] == a.process.pid and not a.log().count("check failed"), "it is well")


def test_other_users(world):
    """The socket is this user's alone, and root is another user, too."""
    a = world.agent("a").start()
    path = a.home / "agent.sock"
    check(path.stat().st_mode & 0o777 == 0o600, "0600")
    if os.geteuid() != 0:
        raise Skip("needs root to be somebody else")
    for directory in (a.home, *a.home.parents):
        if directory != directory.parent:
            os.chmod(directory, directory.stat().st_mode | 0o011)
    path.chmod(0o666)
    script = (f"import os, socket\nos.setuid(65534)\ns = socket.socket(socket.AF_UNIX)\n"
              f"s.connect({str(path)!r})\n"
              "s.sendall(b'GET /v1/status HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')\n"
              "print(len(s.recv(100)))")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          timeout=60 * SLOW, check=False)
    check(done.stdout.strip() == "0" or "Error" in done.stderr, "closed unanswered", done)
    wait_for(lambda: "client of another user refused" in a.log(), "and it is in the log")
    check(a.answers(), "it is well")


# ---- events


class Events:
    def __init__(self, agent, last=None):
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(str(agent.home / "agent.sock"))
        head = f"Last-Event-ID: {last}\r\n" if last else ""
        self.line.sendall(f"GET /v1/events HTTP/1.1\r\nHost: a\r\n{head}\r\n".encode())
        self.text, self.taken = "", 0

    def all(self):
        while select.select([self.line], [], [], 0)[0]:
            data = self.line.recv(65536)
            if not data:
                break
            self.text += data.decode()
        text = re.sub(r"\r\n[0-9a-f]+\r\n|^[^{]*?\r\n\r\n[0-9a-f]+\r\n", "", self.text)
        found = []
        for block in text.split("\n\n"):
            fields = dict(re.findall(r"^(id|event|data): (.*)$", block, re.M))
            if "event" in fields and "data" in fields:
                found.append((fields["event"], fields.get("id"), fields["data"]))
        return found

    def wait(self, event, count=1):
        return wait_for(lambda: (f := [e for e in self.all() if e[0] == event])[count - 1:] and f,
                        lambda: f"{count} {event} in {self.all()}")


def test_events(world):
    """Who comes again gets what was missed, or is told that it was too much."""
    a, b = world.agent("a"), world.agent("b")
    for agent, other in ((a, b), (b, a)):
        agent.start()
        agent.peer_add(other)
    wait_for(lambda: a.connected("b"), "connected")
    first = Events(a)
    last = first.wait("status")[-1][1]
    first.line.close()
    b.stop()
    wait_for(lambda: not a.connected("b"), "away")
    b.start()
    wait_for(lambda: a.connected("b"), "back")
    again = Events(a, last)
    again.wait("status")
    got = again.all()
    peers = [json.loads(data) for event, _, data in got if event == "peer"]
    check(peers == [{"peer": "b", "connected": False}, {"peer": "b", "connected": True}],
          "what was missed, once", got)
    check([e[0] for e in got].index("status") == 2, "then how it is now", got)
    newest = [e[1] for e in got if e[0] == "status"][-1]
    again.line.close()
    more = Events(a, newest)
    more.wait("status")
    check(not [e for e in more.all() if e[0] != "status"], "nothing was missed", more.all())
    more.line.close()
    for odd in ("nonsense", "1-1", newest.split("-")[0] + "-99999", "x" * 500):
        other = Events(a, odd)
        other.wait("status")
        lost = [json.loads(data) for event, _, data in other.all() if event == "lost"]
        expected = [] if len(odd) > 100 else [{"count": 0, "restarted": True}]
        check(lost == expected, f"another run's id: {odd[:20]}", other.all())
        other.line.close()


# ---- metrics

LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{{{LABEL}(?:,{LABEL})*\}})? (\S+)$')


def test_metrics(world):
    """As promtool check metrics would read it: help, type, unit, names of counters."""
    a = world.agent("a").start()
    a.folder_add("f", share=None)
    status, body = curl(a, "http://agent/metrics")
    check(status == 200 and body.endswith(b"\n"), "whole lines")
    helps, types, samples = {}, {}, {}
    for line in body.decode().splitlines():
        if line.startswith("# HELP "):
            name, text = line[7:].split(" ", 1)
            check(name not in helps and text.strip(), "one help", line)
            helps[name] = text
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            check(name not in types and name not in samples and kind in ("counter", "gauge"),
                  "one type, before the samples", line)
            types[name] = kind
        else:
            found = SAMPLE.match(line)
            check(found, "a sample", line)
            name, labels, value = found.groups()
            float(value)
            check((name, labels) not in samples, "once", line)
            check(types and name == list(types)[-1], "samples of one name stand together", line)
            samples[name, labels] = value
    check(set(helps) == set(types), "each has help and type", set(helps) ^ set(types))
    for name, kind in types.items():
        check((kind == "counter") == name.endswith("_total"), "counters end in _total", name)
        check(name.startswith("cfgsync_"), "our names", name)
        other = re.search(r"_(ms|milliseconds|kb|mb|minutes|percent)(_|$)", name)
        check(not other, "base units", name)
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True,
                              check=False)
        check(done.returncode == 0, "promtool", done.stdout, done.stderr)


if __name__ == "__main__":
    harness.main()
