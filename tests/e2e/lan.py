# SPDX-License-Identifier: MIT
"""A small network on one machine: hosts in namespaces of their own on one bridge, each with its own
D-Bus and avahi-daemon. Needs Linux, root and Debian's avahi-daemon, dbus and iproute2; where that
cannot be had, a test is skipped. The machine's own network is not touched."""

import os
import pathlib
import shutil
import signal
import subprocess

from harness import Agent, Failure, Skip, die_with_parent, wait_for

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/>
    <allow send_destination="*" eavesdrop="false"/><allow receive_sender="*"/>
  </policy>
</busconfig>
"""

AVAHI_CONFIG = """[server]
host-name={name}
allow-interfaces=lan
enable-dbus=yes
[wide-area]
enable-wide-area=no
[publish]
publish-hinfo=no
publish-workstation=no
"""

HOLD = """mount -t tmpfs run /run && mkdir -p /run/dbus /run/avahi-daemon && ip link set lo up &&
hostname "$1" && echo ready && exec sleep infinity"""


class Host:
    """Namespaces for network, mounts and name, kept by a process that sleeps."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        world.hosts.append(self)
        self.daemons = {}
        self.keeper = subprocess.Popen(
            ["unshare", "--net", "--mount", "--uts", "--propagation", "slave",
             "sh", "-c", HOLD, "sh", name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent, text=True)
        world.closers.append(self.close)
        said = self.keeper.stdout.readline().strip()
        if said != "ready":
            raise Skip(f"namespaces cannot be made here: {said}")

    def inside(self):
        return ["nsenter", "--target", str(self.keeper.pid), "--net", "--mount", "--uts", "--"]

    def run(self, *command, check=True):
        done = subprocess.run(self.inside() + list(map(str, command)), capture_output=True,
                              stdin=subprocess.DEVNULL, text=True, timeout=120, check=False)
        if check and done.returncode != 0:
            raise Failure(f"{self.name}: {command}: {done.stdout}{done.stderr}")
        return done.stdout

    def popen(self, *command):
        """A process that ends with the test."""
        with open(self.world.dir / f"{self.name}-{pathlib.Path(command[0]).name}.out", "ab") as out:
            process = subprocess.Popen(
                self.inside() + list(map(str, command)), stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, preexec_fn=die_with_parent)
        self.world.closers.append(lambda: self.end(process))
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait()

    def close(self):
        for daemon in list(self.daemons):
            self.end(self.daemons.pop(daemon))
        self.end(self.keeper)
        self.keeper.stdout.close()

    # ---- its mDNS
    def has(self, path):
        return subprocess.run(self.inside() + ["test", "-S", path], check=False).returncode == 0

    def start(self):
        return self.start_dbus().start_avahi()

    def start_dbus(self):
        config = self.world.dir / f"{self.name}-bus.conf"
        config.write_text(BUS_CONFIG)
        self.run("rm", "-f", "/run/dbus/system_bus_socket")
        self.daemons["dbus"] = self.popen("dbus-daemon", f"--config-file={config}", "--nofork",
                                          "--nopidfile")
        wait_for(lambda: self.has("/run/dbus/system_bus_socket"), f"{self.name}: no D-Bus")
        return self

    def start_avahi(self):
        config = self.world.dir / f"{self.name}-avahi.conf"
        config.write_text(AVAHI_CONFIG.format(name=self.name))
        self.run("rm", "-f", "/run/avahi-daemon/pid", "/run/avahi-daemon/socket")
        self.daemons["avahi"] = self.popen("avahi-daemon", f"--file={config}", "--no-drop-root",
                                           "--no-chroot", "--no-rlimits", "--no-proc-title")
        wait_for(lambda: self.has("/run/avahi-daemon/socket"), f"{self.name}: no avahi-daemon")
        return self

    def kill(self, daemon, number):
        self.daemons[daemon].send_signal(number)

    def stop(self, daemon, number=signal.SIGTERM):
        process = self.daemons.pop(daemon)
        process.send_signal(number)
        process.wait(timeout=60)

    # ---- its network
    def address(self, text):
        """Another one than before."""
        self.run("ip", "-4", "addr", "flush", "dev", "lan")
        self.run("ip", "addr", "add", f"{text}/24", "dev", "lan")

    def slow(self, device, rate):
        """What it sends there takes its time."""
        self.run("tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", rate, "burst",
                 "64kb", "latency", "50ms")

    def agent(self, name, **options):
        return NearAgent(self.world, name, self, **options)


class NearAgent(Agent):
    """An agent on a host. Its command line works from outside, by its socket."""

    def __init__(self, world, name, host, listen=True):
        super().__init__(world, name, listen=False, init=False)
        self.inside = host.inside()
        self.host = host
        self.address = f"tcp://*:{7575}" if listen else None
        self.init()

    def peer_add(self, other, dial=False, at=None):
        super().peer_add(other, dial=dial, at=at)


def needs(*tools):
    if os.uname().sysname != "Linux" or os.geteuid() != 0:
        raise Skip("network namespaces need Linux and root")
    for tool in ("ip", "unshare", "nsenter", *tools):
        if shutil.which(tool) is None:
            raise Skip(f"there is no {tool}; scripts/deps.sh --test installs it")


def hosts_apart(world, count):
    """h1, h2, ... without any network."""
    needs()
    return [Host(world, f"h{number}") for number in range(1, count + 1)]


def lan(world, count, mdns=True):
    """h1, h2, ...: 10.99.0.1 and fd99::1, ..."""
    needs(*(("dbus-daemon", "avahi-daemon") if mdns else ()))
    switch = Host(world, "switch")
    hosts = hosts_apart(world, count)
    try:
        switch.run("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0",
                   "forward_delay", "0")
    except Failure as reason:
        raise Skip(f"no bridge can be made here: {reason}") from None
    switch.run("ip", "link", "set", "br0", "up")
    for number, host in enumerate(hosts, 1):
        switch.run("ip", "link", "add", f"p-{host.name}", "type", "veth", "peer", "name", "lan",
                   "netns", host.keeper.pid)
        switch.run("ip", "link", "set", f"p-{host.name}", "master", "br0", "up")
        host.run("ip", "addr", "add", f"10.99.0.{number}/24", "dev", "lan")
        host.run("ip", "addr", "add", f"fd99::{number}/64", "dev", "lan", "nodad")
        host.run("ip", "link", "set", "lan", "up")
    return hosts


def wan(world, hosts):
    """Another way between two, through a router: 203.0.113.1 and 203.0.113.129."""
    router = Host(world, "router")
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    for number, host in enumerate(hosts):
        gateway, own = 128 * number + 2, 128 * number + 1
        router.run("ip", "link", "add", f"w-{host.name}", "type", "veth", "peer", "name", "wan",
                   "netns", host.keeper.pid)
        router.run("ip", "addr", "add", f"203.0.113.{gateway}/25", "dev", f"w-{host.name}")
        router.run("ip", "link", "set", f"w-{host.name}", "up")
        host.run("ip", "addr", "add", f"203.0.113.{own}/25", "dev", "wan")
        host.run("ip", "link", "set", "wan", "up")
        host.run("ip", "route", "add", "default", "via", f"203.0.113.{gateway}")
    return router
