#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A line between two hosts of lan.py with a delay and a rate, for kernels without netem.

Run as a program: cable.py PID_A PID_B DELAY_MS MBIT. A TAP in the network of each process, and
frames are carried between them; each way has a queue of 4 MB, as routers have."""

import collections
import ctypes
import fcntl
import os
import selectors
import struct
import sys
import time

from harness import Skip

TUNSETIFF, IFF_TAP, IFF_NO_PI, CLONE_NEWNET = 0x400454ca, 0x0002, 0x1000, 0x40000000
QUEUE_BYTES = 4 << 20


class Way:
    def __init__(self, source, sink, delay, bytes_per_s):
        self.source, self.sink = source, sink
        self.delay, self.rate = delay, bytes_per_s
        self.queue, self.queued, self.free = collections.deque(), 0, 0.0

    def take(self):
        while True:
            try:
                frame = os.read(self.source, 65536)
            except BlockingIOError:
                return
            if self.queued + len(frame) > QUEUE_BYTES:
                continue
            self.free = max(self.free, time.monotonic()) + len(frame) / self.rate
            self.queue.append((self.free + self.delay, frame))
            self.queued += len(frame)

    def give(self):
        while self.queue and self.queue[0][0] <= time.monotonic():
            frame = self.queue.popleft()[1]
            self.queued -= len(frame)
            try:
                os.write(self.sink, frame)
            except OSError:
                pass  # lost, as frames are


def tap(pid):
    with open(f"/proc/{pid}/ns/net", "rb") as space:
        if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH", b"wan", IFF_TAP | IFF_NO_PI))
    return end


def run(pids, delay, mbit):
    ends = [tap(pid) for pid in pids]
    ways = [Way(*pair, delay / 1000, mbit * 1e6 / 8) for pair in (ends, ends[::-1])]
    selector = selectors.DefaultSelector()
    for way in ways:
        selector.register(way.source, selectors.EVENT_READ, way)
    print("ready", flush=True)
    while True:
        due = min((way.queue[0][0] for way in ways if way.queue), default=None)
        for key, _ in selector.select(None if due is None else max(0, due - time.monotonic())):
            key.data.take()
        for way in ways:
            way.give()


def lay(hosts, delay_ms, mbit, control="reno"):
    """203.0.113.1 and 203.0.113.2, each on a network of its own, with such a line between them, and
    with this congestion control: by itself the default fills the router's queue to its end."""
    line = hosts[0].world.popen(sys.executable, __file__, *(host.keeper.pid for host in hosts),
                                delay_ms, mbit)
    if line.stdout.readline().strip() != "ready":
        raise Skip("no TAP can be made here")
    for number, host in enumerate(hosts, 1):
        host.run("ip", "addr", "add", f"203.0.113.{number}/32", "dev", "wan")
        host.run("ip", "link", "set", "wan", "up")
        host.run("ip", "route", "add", f"203.0.113.{3 - number}", "dev", "wan", "congctl", control)


if __name__ == "__main__":
    run(sys.argv[1:3], float(sys.argv[3]), float(sys.argv[4]))
