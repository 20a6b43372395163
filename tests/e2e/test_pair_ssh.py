#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pairing over ssh, with a real sshd on loopback."""

import getpass
import json
import os
import shutil
import signal
import subprocess

from harness import Failure, Skip, check, die_with_parent, free_port, main, program, wait_for
from trees import put


class Sshd:
    """A server of this user's own: its keys, its port, and what a login finds there."""

    def __init__(self, world, home):
        self.world = world
        self.server = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not self.server or not shutil.which("ssh"):
            raise Skip("no sshd and ssh on this machine (openssh-server)")
        self.dir = world.dir / "sshd"
        self.bin = self.dir / "bin"
        self.bin.mkdir(parents=True)
        self.port = free_port()
        self.url = f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.dir / key],
                           check=True, stdin=subprocess.DEVNULL)
        shutil.copy(self.dir / "user.pub", self.dir / "authorized")
        put(self.dir / "sshd_config", f"""
ListenAddress 127.0.0.1:{self.port}
HostKey {self.dir}/host
AuthorizedKeysFile {self.dir}/authorized
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
SetEnv CFGSYNC_HOME={home} PATH={self.bin}:/usr/bin:/bin
""")
        put(self.dir / "ssh_config", f"""
Host *
IdentityFile {self.dir}/user
IdentitiesOnly yes
BatchMode yes
UserKnownHostsFile {self.dir}/known
StrictHostKeyChecking accept-new
""")
        self.script("ssh", f'exec {shutil.which("ssh")} -F {self.dir}/ssh_config "$@"',
                    self.dir / "near")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        log = open(self.dir / "log", "wb")
        self.process = subprocess.Popen(
            [self.server, "-D", "-e", "-f", self.dir / "sshd_config"], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, preexec_fn=die_with_parent)
        world.closers.append(self.close)
        try:
            wait_for(self.answers, "sshd answers", 20)
        except Failure:
            raise Skip(f"no login by sshd here: {self.log()}") from None

    def script(self, name, text, folder=None):
        folder = folder or self.bin
        folder.mkdir(exist_ok=True)
        put(folder / name, f"#!/bin/sh\n{text}\n")
        os.chmod(folder / name, 0o755)

    def answers(self):
        if self.process.poll() is not None:
            raise Skip(f"sshd does not run here: {self.log()}")
        ssh = [self.dir / "near" / "ssh", "-p", str(self.port), "127.0.0.1", "true"]
        done = subprocess.run(ssh, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return done.returncode == 0

    def log(self):
        return (self.dir / "log").read_text()[-300:]

    def close(self):
        self.process.terminate()
        self.process.wait()

    def pair(self, agent, *args):
        env = dict(agent.env, PATH=f"{self.dir}/near:{agent.env['PATH']}")
        return agent.try_cli("pair", self.url, *args, env=env)


def peers(agent):
    return {p["name"]: p for p in json.loads(agent.cli("peer", "list", "--json").out)["peers"]}


def scene(world, far_runs=True):
    near, far = world.agent("near").start(), world.agent("far")
    if far_runs:
        far.start()
    sshd = Sshd(world, far.home)
    sshd.script("cfgsync-agent", f'exec {program()} "$@"')
    return near, far, sshd


def test_pair(world):
    """No code, no port; whatever a login prints is passed over."""
    near, far, sshd = scene(world)
    sshd.script("cfgsync-agent", f'echo "Welcome!"; echo "{{}}"; exec {program()} "$@"')
    done = sshd.pair(near, "--yes")
    check(done.code == 0 and "paired: far" in done.out, "paired", done)
    check("its fingerprint" in done.out, "it is shown", done)
    wait_for(lambda: near.connected("far") and far.connected("near"), "connected", 20)
    check(peers(near)["far"]["addresses"] == [far.address], "its address", peers(near))
    check(peers(far)["near"]["addresses"] == [near.address], "its address", peers(far))
    again = sshd.pair(near, "--yes")
    check(again.code == 0 and "a peer already" in again.out, "again", again)


def test_said_no(world):
    near, far, sshd = scene(world)
    done = sshd.pair(near)
    check(done.code == 1 and "not paired" in done.err, "nobody said yes", done)
    check("Is this the machine that you mean? Trust it? [y/N]" in done.err and
          "--yes" in done.err, "it was asked", done)
    check(not peers(near) and not peers(far), "no peers")


def test_what_may_be_missing_there(world):
    """No agent runs, no program, another version, no way in: each says what to do."""
    near, far, sshd = scene(world, far_runs=False)
    done = sshd.pair(near, "--yes")
    check(done.code == 1 and "no agent is running there" in done.err and
          "cfgsync-agent run" in done.err, "no agent", done)
    sshd.script("cfgsync-agent", 'echo "unknown verb pair" >&2; exit 2')
    done = sshd.pair(near, "--yes")
    check(done.code == 1 and "another version" in done.err, "another version", done)
    sshd.script("cfgsync-agent", """echo '{"cfgsync-pair": 2, "card": "00"}'; cat >/dev/null""")
    done = sshd.pair(near, "--yes")
    check(done.code == 1 and "another version" in done.err, "a newer one", done)
    os.unlink(sshd.bin / "cfgsync-agent")
    done = sshd.pair(near, "--yes")
    check(done.code == 1 and "there is no cfgsync-agent on" in done.err, "no program", done)
    os.unlink(sshd.dir / "authorized")
    done = sshd.pair(near, "--yes")
    check(done.code == 4 and "could not connect" in done.err, "no way in", done)
    check(not peers(near), "no peers")


def test_taken_back(world):
    """The far side stored it, the near side did not say so: it goes again."""
    near, far = world.agent("near").start(), world.agent("far").start()
    for last in ("", "nonsense\n", '{"stored": false}\n', '{"stored": true}\n'):
        card = subprocess.run(
            [program(), "pair", "--stdio"], env=near.env, stdin=subprocess.DEVNULL, text=True,
            capture_output=True, check=False).stdout
        far_end = subprocess.Popen([program(), "pair", "--stdio"], env=far.env, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        check("cfgsync-pair" in far_end.stdout.readline(), "it says hello")
        far_end.stdin.write(card)
        far_end.stdin.flush()
        check('"stored":true' in far_end.stdout.readline(), "it has stored it")
        check("near" in peers(far), "it is a peer")
        far_end.stdin.write(last)
        far_end.stdin.close()
        kept = "true" in last
        check(far_end.wait() == (0 if kept else 1), "how it ends", last)
        check(("near" in peers(far)) == kept, "is it a peer?", last)


def test_taken_back_on_every_way_out(world):
    """The line is lost, or the far end is told to end, after it has stored the other one."""
    near, far = world.agent("near").start(), world.agent("far").start()
    card = subprocess.run(
        [program(), "pair", "--stdio"], env=near.env, stdin=subprocess.DEVNULL, text=True,
        capture_output=True, check=False).stdout
    for way in ("pipe", signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        far_end = subprocess.Popen([program(), "pair", "--stdio"], env=far.env, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        check("cfgsync-pair" in far_end.stdout.readline(), "it says hello")
        if way == "pipe":
            far_end.stdout.close()  # its next word hits nobody
        far_end.stdin.write(card)
        far_end.stdin.flush()
        if way == "pipe":
            far_end.stdin.close()
        else:
            check('"stored":true' in far_end.stdout.readline(), "it has stored it")
            far_end.send_signal(way)
        check(far_end.wait() == 1, "it ends with an error", way, far_end.returncode)
        check("near" not in peers(far), "it is no peer", way)


def test_not_kept_there(world):
    """The far side took it back: the near one does, too."""
    near, far, sshd = scene(world)
    sshd.script("cfgsync-agent", f'head -n 1 | {program()} "$@"')
    done = sshd.pair(near, "--yes")
    check(done.code == 1 and "did not confirm" in done.err, "not paired", done)
    check(not peers(near) and not peers(far), "no peers", peers(near), peers(far))


def test_bad_cards(world):
    far = world.agent("far").start()
    for line in ("", "nonsense", "{}", '{"card": "zz"}', '{"card": ""}', '{"card": "' + "80" * 900 +
                 '"}', "x" * 100000):
        done = subprocess.run([program(), "pair", "--stdio"], env=far.env, input=line + "\n",
                              text=True, capture_output=True, check=False)
        check(done.returncode != 0, "refused", line[:40], done.stdout, done.stderr)
    check(not peers(far), "no peers")


if __name__ == "__main__":
    main()
