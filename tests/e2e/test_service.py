#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The agent as a service: units that systemd accepts, systemctl called as it must be, and what the
agent tells its manager. A service manager of the test's own stands in for the machine's."""

import os
import plistlib
import re
import shutil
import socket
import subprocess

from harness import ROOT, Skip, check, main, program, wait_for
from trees import put

# Keeps what it was told in files, and the state of one unit.
SYSTEMCTL = """#!/bin/sh
dir=$(dirname "$0")
echo "$*" >>"$dir/calls"
case "$*" in
*is-enabled*) test -e "$dir/enabled" ;;
*is-active*) test -e "$dir/enabled" ;;
*enable*) test ! -e "$dir/refuses" && touch "$dir/enabled" ;;
*disable*) rm -f "$dir/enabled" ;;
esac
"""


class Machine:
    """An environment with a systemctl of the test's own."""

    def __init__(self, world, agent):
        self.bin = world.dir / "bin"
        self.user = world.dir / "nobody"
        self.bin.mkdir()
        self.user.mkdir(exist_ok=True)
        (self.bin / "systemctl").write_text(SYSTEMCTL)
        (self.bin / "systemctl").chmod(0o755)
        self.env = dict(agent.env, PATH=f"{self.bin}:{os.environ['PATH']}", USER="nobody")

    def calls(self):
        path = self.bin / "calls"
        text = path.read_text() if path.exists() else ""
        path.unlink(missing_ok=True)
        return text.splitlines()


def verify(unit, *options):
    if not shutil.which("systemd-analyze"):
        raise Skip("no systemd-analyze")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=yes",
                           *options, str(unit)], capture_output=True, text=True, timeout=60,
                          check=False, env=dict(os.environ, XDG_RUNTIME_DIR="/tmp"))
    lines = [l for l in (done.stdout + done.stderr).splitlines() if unit.stem in l]
    check(done.returncode == 0 and not lines, "systemd accepts it", done.stdout + done.stderr,
          unit.read_text())


def test_units(world):
    """Also with a program and a home whose names systemd would read in ways of its own."""
    a = world.agent("alpha")
    unit = world.dir / "cfgsync-agent.service"
    unit.write_text(a.cli("service", "install", "--print").out)
    verify(unit, "--user")
    check(f'Environment="CFGSYNC_HOME={a.home}"' in unit.read_text(), "its home", unit.read_text())
    odd = world.dir / "a b%h$c"
    odd.mkdir()
    (odd / "agent").symlink_to(program())
    unit.write_text(a.cli("--home", odd / "d\"e", "service", "install", "--program",
                          odd / "agent", "--print").out)
    verify(unit, "--user")
    check("a b%%h$c/agent\" run" in unit.read_text(), "quoted", unit.read_text())
    check("a b%%h$c/d\\\"e\"" in unit.read_text(), "in the environment, too", unit.read_text())
    unit.write_text(a.cli("service", "install", "--system", "--user", "root", "--print").out)
    verify(unit)
    check("User=root\n" in unit.read_text() and "@" not in unit.read_text().replace(
        "@system-service", ""), "filled in", unit.read_text())


def test_packaged_unit(world):
    """Without --home there is nothing in it of this user or machine."""
    a = world.agent("alpha", init=False)
    env = {key: value for key, value in a.env.items() if key != "CFGSYNC_HOME"}
    result = a.try_cli("service", "install", "--print", "--program", "/usr/bin/cfgsync-agent",
                       env=env)
    check("ExecStart=/usr/bin/cfgsync-agent run\nRestart" in result.out, "plain", result)


def test_plist(world):
    text = (ROOT / "agent/cli/texts/service.plist").read_text()
    text = text.replace("@ENVIRONMENT@", "")
    plist = plistlib.loads(text.encode())
    check(plist["ProgramArguments"] == ["@PROGRAM@", "run"], "the program", plist)
    check(plist["KeepAlive"] == {"SuccessfulExit": False} and plist["RunAtLoad"], "kept", plist)
    del world


def test_install(world):
    """Install, again, status, uninstall: the unit comes and goes, the rest stays."""
    a = world.agent("alpha", init=False)
    machine = Machine(world, a)
    run = lambda *args: a.try_cli("service", *args, env=machine.env)
    result = run("install")
    check(result.code == 1 and "init" in result.text, "init comes first", result)
    a.init()
    unit = machine.user / ".config/systemd/user/cfgsync-agent-alpha.service"
    result = run("status")
    check(result.code == 1 and "not installed" in result.out, "not yet", result)
    machine.calls()
    result = run("install")
    check(result.code == 0 and str(unit) in result.out and unit.exists(), "installed", result)
    check("enable-linger" in result.out and "journalctl --user -u" in result.out, "hints", result)
    told = [call for call in machine.calls() if "is-" not in call]
    check(told == ["--user daemon-reload", "--user enable --now cfgsync-agent-alpha.service"],
          "told systemd", told)
    check(run("status").code == 0 and "running" in run("status").out, "running", run("status"))
    check('"active": true' in run("status", "--json").out, "in JSON, too")
    check(run("install").code == 0, "again, nothing new")
    before = sorted(p.name for p in a.home.iterdir())
    result = run("uninstall")
    check(result.code == 0 and not unit.exists(), "gone", result)
    check("--user disable --now cfgsync-agent-alpha.service" in machine.calls(), "told systemd")
    check(sorted(p.name for p in a.home.iterdir()) == before, "nothing else was touched")
    check(run("uninstall").code == 0, "again")


def test_another_home(world):
    """Two homes of one name: neither replaces nor removes the other's service."""
    a = world.agent("alpha")
    machine = Machine(world, a)
    unit = machine.user / ".config/systemd/user/cfgsync-agent-alpha.service"
    check(a.try_cli("service", "install", env=machine.env).code == 0, "installed")
    text = unit.read_text()
    other = dict(machine.env, CFGSYNC_HOME=str(world.dir / "elsewhere/alpha"))
    check(a.try_cli("init", "--name", "other", "--no-listen", env=other).code == 0, "another home")
    for verb in ("install", "uninstall"):
        result = a.try_cli("service", verb, env=other)
        check(result.code == 1 and "of another home" in result.err, verb, result)
    result = a.try_cli("service", "status", env=other)
    check(result.code == 1 and "not installed" in result.out, "not this one's", result)
    check(unit.read_text() == text and (machine.bin / "enabled").exists(), "it stays")
    (world.dir / "link").symlink_to(world.dir)
    for spelled in (f"{world.dir}/./alpha", f"{world.dir}/link/alpha"):
        result = a.try_cli("service", "status", env=dict(machine.env, CFGSYNC_HOME=spelled))
        check(result.code == 0, "its own, however it is spelled", result)
    result = a.try_cli("service", "install", "--program", "/usr/bin/env", env=machine.env)
    check(result.code == 0 and "replaced" in result.out, "its own is replaced", result)
    check("ExecStart=/usr/bin/env run" in unit.read_text(), "another program", unit.read_text())


def test_refused(world):
    """Nothing is left of an installation that did not work."""
    a = world.agent("alpha")
    machine = Machine(world, a)
    unit = machine.user / ".config/systemd/user/cfgsync-agent-alpha.service"
    (machine.bin / "refuses").touch()
    result = a.try_cli("service", "install", env=machine.env)
    check(result.code == 1 and not unit.exists(), "refused", result)
    check(machine.calls()[-2:] == ["--user disable --now cfgsync-agent-alpha.service",
                                   "--user daemon-reload"], "nor is it enabled or loaded")
    (machine.bin / "systemctl").unlink()
    none = dict(machine.env, PATH=str(machine.bin))
    result = a.try_cli("service", "install", env=none)
    check(result.code == 1 and "cfgsync-agent run" in result.text and not unit.exists(),
          "no service manager", result)
    a.start()
    result = a.try_cli("service", "install", env=none)
    check(result.code == 1 and "by hand" in result.text, "one is running already", result)
    check(a.try_cli("service", "install", "--user", "x").code == 2, "--user is for --system")


def test_notify(world):
    """Ready when it answers; how it is; that it ends. By a path, and by an abstract name."""
    for name in (str(world.dir / "notify"), f"@cfgsync-{os.getpid()}"):
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        told.bind(name.replace("@", "\0"))
        told.settimeout(20)
        a = world.agent(f"alpha{len(world.agents)}")
        a.start(env=dict(a.env, NOTIFY_SOCKET=name), wait=False)
        check(told.recv(100) == b"READY=1", "ready")
        check(a.try_cli("status").code == 0, "it is")
        check(told.recv(100) == b"STATUS=synced", "how it is")
        a.stop()
        said = told.recv(100)
        check(said == b"STOPPING=1", "it ends", said)
        told.close()


def test_no_listener(world):
    """A manager that does not listen, or none that could be, is no reason not to work."""
    for name in (str(world.dir / "nobody-there"), "relative", "@", "/" * 300):
        a = world.agent(f"alpha{len(world.agents)}")
        a.start(env=dict(a.env, NOTIFY_SOCKET=name))
        a.stop()


def test_calls(world):
    """What the agent asks of the kernel is within the unit's SystemCallFilter."""
    if not shutil.which("strace") or not shutil.which("systemd-analyze"):
        raise Skip("no strace or systemd-analyze")
    listed = subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True,
                            timeout=60, check=True).stdout
    sets, current = {}, None
    for line in listed.splitlines():
        if line.startswith("@"):
            current = sets.setdefault(line.strip(), set())
        elif line.startswith("    ") and current is not None and "#" not in line:
            current.add(line.strip())

    def expand(name):
        return set().union(*(expand(n) if n.startswith("@") else {n} for n in sets[name]))

    a, b = world.company("alpha", "beta", start=False)
    trace = world.dir / "trace"
    b.start()
    a.inside = ["strace", "-f", "-qq", "-o", str(trace)]
    a.start()
    a.peer_add(b)
    b.peer_add(a)
    for agent in (a, b):
        agent.folder_add("f")
    a.sync("f")
    put(a.paths["f"] / "d/x", "one")
    put(b.paths["f"] / "y", b"two" * 500_000)
    a.sync("f")
    (b.paths["f"] / "y").unlink()
    wait_for(lambda: not (a.paths["f"] / "y").exists(), "gone")
    a.stop()
    used = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(errors="replace"), re.M))
    check(len(used) > 30, "it was traced", used)
    allowed = expand("@system-service") | {"execve", "exit", "exit_group"}
    check(not used - allowed, "allowed", used - allowed)


if __name__ == "__main__":
    main()
