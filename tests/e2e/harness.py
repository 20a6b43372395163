# SPDX-License-Identifier: MIT
"""Real agents, each its own process, on real trees, in a folder that is gone afterwards.

A test script has functions test_*(world) and ends with harness.main(). Run alone it takes names of
its functions as arguments.

CFGSYNC_AGENT=PATH  the program; default build/dev or build/release of this checkout
CFGSYNC_SLOW=N      all waits take N times as long (sanitizers, valgrind)
CFGSYNC_WRAP=CMD    put before `run`, e.g. "valgrind -q --error-exitcode=99"
CFGSYNC_KEEP=1      keep the folder of a failed test
"""

import atexit
import ctypes
import glob
import http.client
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLOW = float(os.environ.get("CFGSYNC_SLOW", "1"))
os.environ.setdefault("TSAN_OPTIONS", f"suppressions={ROOT / 'tests/tsan.supp'}")


class Failure(AssertionError):
    """A test has seen what must not be."""


class Skip(Exception):
    """This machine cannot show it; the text says why."""


ALL_SKIPPED = 77  # tests/CMakeLists.txt tells ctest


def program():
    candidates = [ROOT / "build" / "dev" / "cfgsync-agent", ROOT / "build/release/cfgsync-agent"]
    if "CFGSYNC_AGENT" in os.environ:
        candidates = [pathlib.Path(os.environ["CFGSYNC_AGENT"]).resolve()]
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return str(candidate)
    raise Failure(f"no agent at {' or '.join(map(str, candidates))}; build it first")


def check(condition, what, *details):
    if not condition:
        raise Failure(what + "".join(f"\n    {detail}" for detail in details))


def wait_for(predicate, what, seconds=20.0, every=0.02):
    """Waits until predicate() is true and returns it; what: a text, or a function that makes it."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            text = what() if callable(what) else what
            raise Failure(f"not within {seconds * SLOW:.0f} s: {text}")
        time.sleep(every)


def stays(predicate, what, seconds=1.0):
    """Looks for a while that predicate() stays true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        check(predicate(), what)
        time.sleep(0.02)


PORTS = range(10000, 32000)
ports_held = []


def free_port():
    """A port of this test's alone, below those that the kernel gives to outgoing connections. It is
    bound to the end of the test: nobody else finds it free, while a program that asks for
    SO_REUSEADDR, as ours and most servers do, can listen on it. BSD does not share it like that."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        held = socket.socket()
        try:
            held.bind(("127.0.0.1", port))
        except OSError:
            held.close()
            continue
        if sys.platform == "linux":
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            ports_held.append(held)
        else:
            held.close()
        return port


def die_with_parent():
    """A test that is killed takes its agents along (Linux)."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    except (OSError, AttributeError):
        pass


def other_clock(shift):
    """What an agent's environment needs for a clock that is wrong by "+1h"."""
    library = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)
    if library is None:
        raise Skip("there is no libfaketime; scripts/deps.sh --test installs it")
    if re.search(rb"__[at]san_init", pathlib.Path(program()).read_bytes()):
        raise Skip("libfaketime and sanitizers do not go together")
    return {"LD_PRELOAD": library, "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


class Result:
    def __init__(self, args, code, out, err):
        self.args, self.code, self.out, self.err = args, code, out, err

    def __str__(self):
        return f"{' '.join(map(str, self.args))}: exit {self.code}\n{self.out}{self.err}".rstrip()

    @property
    def text(self):
        return self.out + self.err


class Local(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("agent")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Agent:
    """One device: a home of its own, and a process while it runs."""

    def __init__(self, world, name, listen=True, init=True):
        self.world, self.name = world, name
        self.home = world.dir / name
        self.log_path = world.dir / f"{name}.log"
        self.port = free_port() if listen else None
        self.address = f"tcp://127.0.0.1:{self.port}" if listen else None
        self.process = None
        self.inside = []  # put before everything of `run`: enters another network
        self.device_id = None
        self.paths = {}
        self.env = dict(os.environ, CFGSYNC_HOME=str(self.home), HOME=str(world.dir / "nobody"))
        for key in [k for k in self.env if k.startswith("XDG_")]:
            del self.env[key]
        world.agents.append(self)
        if init:
            self.init()

    # ---- the command line
    def try_cli(self, *args, timeout=60, env=None, cwd=None, preexec=die_with_parent):
        """Runs one verb and returns the Result whatever the exit code."""
        command = [program(), *map(str, args)]
        done = subprocess.run(
            command, env=env or self.env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=timeout * SLOW, preexec_fn=preexec)
        out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
        return Result([self.name + ":", *args], done.returncode, out, err)

    def cli(self, *args, ok=(0,), timeout=60):
        result = self.try_cli(*args, timeout=timeout)
        check(result.code in ok, f"expected exit {' or '.join(map(str, ok))}", result)
        return result

    def init(self):
        self.cli("init", "--name", self.name,
                 *(["--listen", self.address] if self.address else ["--no-listen"]))
        self.device_id = self.cli("id").out.strip()

    def peer_add(self, other, dial=True, at=None):
        addresses = [at] if at else [other.address] if dial and other.address else []
        self.cli("peer", "add", other.name, other.device_id,
                 *(part for address in addresses for part in ("--at", address)))

    def folder_add(self, name, *options, path=None, ok=(0,), share="all"):
        path = pathlib.Path(path or self.world.dir / f"{self.name}-{name}")
        path.mkdir(exist_ok=True)
        self.paths[name] = path
        with_ = ["--with", share] if share else []
        return self.cli("folder", "add", name, path, *with_, *options, ok=ok, timeout=120)

    def status(self):
        return json.loads(self.cli("status", "--json", ok=(0, 3, 5)).out)

    def last_words(self):
        """The state as the agent tells it, for whoever reads why a test has failed."""
        if self.process is None or self.process.poll() is not None:
            return "it does not run"
        try:
            return json.dumps(json.loads(self.try_cli("status", "--json", timeout=5).out))[:4000]
        except (OSError, ValueError, subprocess.SubprocessError) as problem:
            return f"nothing: {problem}"

    def folder(self, name):
        return next(f for f in self.status()["folders"] if f["name"] == name)

    def peer(self, name):
        return next(p for p in self.status()["peers"] if p["name"] == name)

    def metric(self, name):
        connection = Local(self.home / "agent.sock")
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        line = next(l for l in text.splitlines() if l.startswith(f"cfgsync_{name} "))
        return int(float(line.split()[1]))

    def minted(self):
        """How many changes it has found on its disk."""
        return self.metric("versions_minted_total")

    def owed(self, name):
        return self.peer(name)["pending_out"]["changes"]

    def connected(self, name):
        return self.peer(name)["connected"]

    def try_sync(self, *args, timeout=60):
        return self.try_cli("sync", *args, "--wait", "--timeout", int(timeout * SLOW),
                            timeout=timeout + 20)

    def sync(self, *args, timeout=60):
        result = self.try_sync(*args, timeout=timeout)
        check(result.code == 0, "sync --wait is to succeed", result)
        return result

    # ---- the process
    def start(self, env=None, wait=True, preexec=die_with_parent):
        check(self.process is None, f"{self.name} runs already")
        command = (self.inside + shlex.split(os.environ.get("CFGSYNC_WRAP", "")) +
                   [program(), "run"])
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command, env=env or self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=preexec)
        if wait:
            wait_for(self.answers, lambda: f"{self.name} does not start:\n{self.log()[-2000:]}")
        return self

    def answers(self):
        code = self.process.poll()
        check(code is None, f"{self.name} ended with {code}", self.log()[-2000:])
        return self.try_cli("status").code in (0, 3, 5)

    def stop(self):
        process, self.process = self.process, None
        result = self.try_cli("stop")
        check(result.code == 0, "stop is to succeed", result)
        try:
            code = process.wait(timeout=20 * SLOW)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failure(f"{self.name} does not stop") from None
        check(code == 0, f"{self.name} ended with {code}", self.log()[-3000:])

    def kill9(self):
        """kill -9; what it had to say before that still counts."""
        process, self.process = self.process, None
        code = process.poll()
        process.kill()
        process.wait()
        check(code is None, f"{self.name} had ended by itself with {code}", self.log()[-3000:])

    def restart(self):
        if self.process:
            self.stop()
        return self.start()

    def log(self):
        try:
            return self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def end(self):
        """At the end of a test: was the agent well until now?"""
        if self.process:
            code = self.process.poll()
            self.process.kill() if code is not None else self.process.terminate()
            try:
                late = self.process.wait(timeout=20 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                late = "a hang at SIGTERM"
            self.process = None
            check(code is None, f"{self.name} had ended by itself with {code}")
            check(late == 0, f"{self.name} ended with {late} at SIGTERM")
        bad = re.search(r"check failed|Sanitizer|runtime error:|BUG-", self.log())
        check(not bad, f"{self.name}'s log: {bad and bad.group(0)}")


class World:
    """A temporary folder, the agents in it, and whatever else has to end with the test."""

    def __init__(self, folder=None):
        self.dir = pathlib.Path(folder or tempfile.mkdtemp(prefix="cs-"))
        self.dir.mkdir(exist_ok=True)
        self.agents = []
        self.hosts = []  # lan.py
        self.closers = []
        atexit.register(self.kill)

    def agent(self, name, **options):
        return Agent(self, name, **options)

    def kill(self):
        for agent in self.agents:
            if agent.process:
                agent.process.kill()
                agent.process.wait()
                agent.process = None

    def close(self, failed):
        problem = None
        for closer in reversed(self.closers):
            closer()
        if not failed:
            for agent in self.agents:
                try:
                    agent.end()
                except Failure as found:
                    problem = problem or found
        said = [(agent.name, agent.last_words()) for agent in self.agents if failed]
        self.kill()
        atexit.unregister(self.kill)
        for name, words in said:
            print(f"---- {name} says\n{words}")
        if failed or problem:
            for agent in self.agents:
                if agent.log():
                    print(f"---- {agent.log_path.name}\n{agent.log()[-3000:]}")
        if os.environ.get("CFGSYNC_KEEP") and (failed or problem):
            print(f"---- kept: {self.dir}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
        if problem:
            raise problem

    def popen(self, *command):
        """A process that ends with the test, and what it says."""
        process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)

        def end():
            process.kill()
            process.wait()
            process.stdout.close()

        self.closers.append(end)
        return process

    # ---- the usual companies
    def company(self, *names, start=True):
        """Agents that all know each other; each dials all others."""
        agents = [self.agent(name) for name in names]
        for one in agents:
            if start:
                one.start()
        for one in agents if start else []:
            for other in agents:
                if one is not other:
                    one.peer_add(other)
        return agents

    def pair(self, folder="f", options=()):
        """Two agents with one empty folder, in step."""
        a, b = self.company("alpha", "beta")
        for agent in (a, b):
            agent.folder_add(folder, *options)
        a.sync(folder)
        return a, b, a.paths[folder], b.paths[folder]


def connect(one, other, dial=True):
    """Mutual trust; only `one` dials."""
    other.peer_add(one, dial=False)
    one.peer_add(other, dial=dial)


def main():
    module = sys.modules["__main__"]
    tests = {n: f for n, f in vars(module).items() if n.startswith("test_") and callable(f)}
    chosen = sys.argv[1:] or list(tests)
    try:
        program()
    except Failure as problem:
        sys.exit(str(problem))
    failures = skipped = 0
    for name in chosen:
        begin = time.monotonic()
        world = World()
        failed = True
        try:
            try:
                tests[name](world)
                failed = False
            except Skip:
                failed = False
                raise
            finally:
                world.close(failed)
            print(f"ok    {name}  {time.monotonic() - begin:.1f} s", flush=True)
        except Skip as reason:
            skipped += 1
            print(f"skip  {name}: {reason}", flush=True)
        except Exception as problem:  # pylint: disable=broad-except
            failures += 1
            if not isinstance(problem, Failure):
                traceback.print_exc()
            else:
                for frame in traceback.extract_tb(problem.__traceback__):
                    if frame.filename == module.__file__:
                        print(f"{os.path.basename(frame.filename)}:{frame.lineno}: {frame.line}")
                print(f"    {problem}")
            print(f"FAIL  {name}  {time.monotonic() - begin:.1f} s", flush=True)
    also = f", {skipped} skipped" if skipped else ""
    print(f"{len(chosen) - failures - skipped} passed, {failures} failed{also}")
    nothing_shown = skipped == len(chosen)
    sys.exit(1 if failures else ALL_SKIPPED if nothing_shown else 0)
