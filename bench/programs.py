# SPDX-License-Identifier: MIT
"""The programs that are compared: two replicas A and B over loopback each. A program that is live
sees changes by itself; of the others one run is started by hand after each change, and counts.
Configured is nothing but what keeps them from talking to others, and the addresses."""

import http.client
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "e2e"))

import harness  # noqa: E402  pylint: disable=wrong-import-position
import measure  # noqa: E402  pylint: disable=wrong-import-position


class Program:
    live = True
    durable = "yes"
    package = None
    encrypted = "yes"

    def __init__(self, folder):
        self.dir = folder
        self.a, self.b = folder / "A", folder / "B"
        self.children = {}
        for side in (self.a, self.b, folder / "state"):
            side.mkdir(parents=True)

    @classmethod
    def missing(cls):
        """What to install, if it is not here."""
        return None

    def prepare(self):
        """Once, while both trees are empty; nothing runs afterwards."""

    def start(self, sides="ab"):
        """Returns at once."""

    def ready(self):
        """Waits until both sides are connected and have nothing to do."""

    def push(self):
        """One run by hand, of those that are not live."""

    def knows(self, count):
        """Whether both sides have found so many files, of those that are live."""
        raise NotImplementedError

    def spawn(self, side, command, env=None):
        with open(self.dir / f"{side}.log", "ab") as log:
            self.children[side] = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=harness.die_with_parent)

    def stop(self, sides="ab"):
        for side in sides:
            child = self.children.pop(side, None)
            if child:
                child.terminate()
                try:
                    child.wait(20)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()

    def pids(self):
        return measure.with_children(child.pid for child in self.children.values())

    def close(self):
        self.stop()


def run(command, env=None):
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: exit {done.returncode}: {done.stderr[-500:]}")


class Agents(Program):
    """This project."""
    name = "cfgsync-agent"

    def __init__(self, folder):
        super().__init__(folder)
        self.world = harness.World(folder / "state" / "w")

    @classmethod
    def missing(cls):
        try:
            harness.program()
        except harness.Failure as problem:
            return str(problem)
        return None

    def prepare(self):
        one, other = self.world.company("alpha", "beta")
        self.agents = {"a": one, "b": other}
        one.folder_add("f", path=self.a)
        other.folder_add("f", path=self.b)
        one.sync("f")
        self.stop()

    def start(self, sides="ab"):
        for side in sides:
            self.agents[side].start(wait=False)

    def ready(self):
        for agent in self.agents.values():
            harness.wait_for(agent.answers, "an answer", every=0.005)
        for agent in self.agents.values():
            agent.sync("f", timeout=600)

    def knows(self, count):
        return all(agent.answers() and agent.folder("f")["items"] >= count
                   for agent in self.agents.values())

    def stop(self, sides="ab"):
        for side in sides:
            if self.agents[side].process:
                self.agents[side].stop()

    def pids(self):
        return [agent.process.pid for agent in self.agents.values() if agent.process]

    def close(self):
        self.world.close(False)


class Rsync(Program):
    name = "rsync"
    live = False
    durable = "no"
    encrypted = "no"
    options = []

    @classmethod
    def missing(cls):
        return None if shutil.which("rsync") else "apt-get install rsync"

    def prepare(self):
        self.port = harness.free_port()
        (self.dir / "rsyncd.conf").write_text(
            f"use chroot = no\nuid = {os.getuid()}\ngid = {os.getgid()}\n"
            f"[t]\npath = {self.b}\nread only = no\n")

    def start(self, sides="ab"):
        if "b" in sides:
            self.spawn("b", ["rsync", "--daemon", "--no-detach", "--address=127.0.0.1",
                             f"--port={self.port}", f"--config={self.dir / 'rsyncd.conf'}"])
        harness.wait_for(lambda: listens(self.port), "rsync to listen", every=0.002)

    def push(self):
        run(["rsync", "-a", "--delete", *self.options, f"{self.a}/",
             f"rsync://127.0.0.1:{self.port}/t/"])


class RsyncFsync(Rsync):
    name = "rsync --fsync"
    durable = "yes"
    options = ["--fsync"]


class Unison(Program):
    name = "unison"
    live = False
    durable = "no"
    encrypted = "no"

    @staticmethod
    def binary():
        return shutil.which("unison") or shutil.which("unison-2.52")

    @classmethod
    def missing(cls):
        return None if cls.binary() else "apt-get install unison"

    def prepare(self):
        self.port = harness.free_port()

    def env(self, side):
        state = self.dir / "state" / side
        state.mkdir(exist_ok=True)
        return dict(os.environ, UNISON=str(state), HOME=str(state))

    def start(self, sides="ab"):
        if "b" in sides:
            self.spawn("b", [self.binary(), "-socket", str(self.port), "-listen", "127.0.0.1"],
                       self.env("b"))
        harness.wait_for(lambda: listens(self.port), "unison to listen", every=0.002)

    def push(self):
        run([self.binary(), str(self.a), f"socket://127.0.0.1:{self.port}/{self.b}", "-ui",
             "text", "-batch", "-auto", "-confirmbigdel=false", "-contactquietly", "-dumbtty",
             "-terse", "-log=false"], self.env("a"))


def listens(port):
    """Looks at what the kernel has in state LISTEN: a connection would be one to be served."""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


class Syncthing(Program):
    """No discovery, relays, NAT or reports, and the shortest delay it takes: 1 s (default: 10)."""
    name = "syncthing"

    @classmethod
    def missing(cls):
        return None if shutil.which("syncthing") else "apt-get install syncthing"

    def env(self, side):
        return dict(os.environ, HOME=str(self.dir / "state" / side), STNOUPGRADE="1",
                    STNORESTART="1")

    def prepare(self):
        self.ids, self.ports, self.guis = {}, {}, {}
        for side in "ab":
            home = self.dir / "state" / side
            home.mkdir()
            run(["syncthing", "generate", "--no-default-folder", "--home", str(home)],
                self.env(side))
            self.ids[side] = subprocess.run(
                ["syncthing", "--home", str(home), "--device-id"], env=self.env(side),
                capture_output=True, text=True, check=True).stdout.strip()
            self.ports[side], self.guis[side] = harness.free_port(), harness.free_port()
        for side in "ab":
            (self.dir / "state" / side / "config.xml").write_text(self.config(side))

    def config(self, side):
        devices = "".join(
            f"<device id='{self.ids[s]}' name='{s}'>"
            f"<address>tcp://127.0.0.1:{self.ports[s]}</address></device>" for s in "ab")
        shared = "".join(f"<device id='{self.ids[s]}'/>" for s in "ab")
        off = "".join(f"<{o}>false</{o}>" for o in (
            "globalAnnounceEnabled", "localAnnounceEnabled", "relaysEnabled", "natEnabled",
            "setLowPriority", "startBrowser", "crashReportingEnabled"))
        path = self.a if side == "a" else self.b
        return (
            f"<configuration version='36'><folder id='t' path='{path}' type='sendreceive' "
            f"rescanIntervalS='3600' fsWatcherEnabled='true' fsWatcherDelayS='1'>{shared}</folder>"
            f"{devices}<gui enabled='true' tls='false'><address>127.0.0.1:{self.guis[side]}"
            f"</address><apikey>bench</apikey></gui><options><listenAddress>"
            f"tcp://127.0.0.1:{self.ports[side]}</listenAddress>{off}<stunServer></stunServer>"
            "<stunKeepaliveStartS>0</stunKeepaliveStartS><urAccepted>-1</urAccepted><urURL></urURL>"
            "<autoUpgradeIntervalH>0</autoUpgradeIntervalH><releasesURL></releasesURL></options>"
            "</configuration>")

    def start(self, sides="ab"):
        for side in sides:
            self.spawn(side, ["syncthing", "serve", "--home", str(self.dir / "state" / side),
                              "--no-browser", "--no-upgrade", "--no-restart",
                              "--skip-port-probing"], self.env(side))

    def ask(self, side, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.guis[side], timeout=5)
        try:
            connection.request("GET", f"/rest/{path}", headers={"X-API-Key": "bench"})
            return json.loads(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException):
            return {}
        finally:
            connection.close()

    def knows(self, count):
        return all(self.ask(side, "db/status?folder=t").get("localFiles", 0) >= count
                   for side in "ab")

    def ready(self):
        def well(side):
            other = self.ids["b" if side == "a" else "a"]
            connected = self.ask(side, "system/connections").get("connections", {})
            return (connected.get(other, {}).get("connected") and
                    self.ask(side, "db/status?folder=t").get("state") == "idle" and
                    self.ask(side, "db/status?folder=t").get("needTotalItems") == 0 and
                    self.ask(side, f"db/completion?folder=t&device={other}").get("completion")
                    == 100)
        for side in "ab":
            harness.wait_for(lambda s=side: well(s), "syncthing to be idle", seconds=300,
                             every=0.05)


ALL = [Agents, Rsync, RsyncFsync, Unison, Syncthing]


def cpu_total(program):
    """So far: of what runs, and of the runs by hand that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    hand = 0 if program.live else ended.ru_utime + ended.ru_stime
    return measure.cpu_seconds(program.pids()) + hand


def settle(program):
    """Nothing is under way any more; what a program does a second later is done, too, and what
    changes next has another second than what was there (rsync compares seconds)."""
    program.ready()
    time.sleep(2.5 if program.live else 1.1)
