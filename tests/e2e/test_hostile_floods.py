#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A trusted peer that floods and never ends.

After each attack: nothing was written outside the root, the agent still answers, its memory is
within bounds (siege.py), the log names the reason, and an honest peer goes on in step with it.
"""

import os
import time

from hostile import (BULK, CONTROL, LEAF_LIST, Closed, RawLane, content_id, leaves_id, msgpack,
                     sha256, vector)
from harness import check, main, wait_for
from siege import Siege
from trees import put

def test_rounds(world):
    siege = Siege(world)
    for n in range(300):
        put(siege.on_a / f"many/{n}", f"{n}")
    peer = siege.join()
    # Asked for again and again, nothing read, nothing acknowledged.
    for turn in range(3000):
        peer.send("PULL", folder=peer.folder, round=turn + 1)
        peer.send("ACK", folder=peer.folder, round=turn + 1, page=1)
    siege.holds()

    def asked(peer):
        """A round that the agent has begun with us."""
        peer.counter += 5
        peer.send("NEWS", folder=peer.folder, k=vector({peer.inc: peer.counter}),
                  marks=[peer.mark()])
        return peer.wait("PULL")["round"]

    peer = siege.join()
    peer.send("VERSIONS", folder=peer.folder, round=asked(peer), page=1)
    siege.refused("an empty page")
    peer = siege.join()
    version = peer.version("page", data=b"")
    peer.send("VERSIONS", folder=peer.folder, round=asked(peer), page=7, versions=[version])
    siege.refused("a page out of order")
    peer = siege.join()
    number = asked(peer)
    version = peer.version("page", data=b"x")
    peer.send("NEWS", folder=peer.folder, k=vector({peer.inc: peer.counter}), marks=[peer.mark()])
    for page in range(1, 2000):
        peer.send("VERSIONS", folder=peer.folder, round=number, page=page, versions=[version])
        if page % 100 == 0:
            peer.settle()
    siege.holds()
    peer.send("DONE", folder=peer.folder, round=number, pages=3)
    siege.refused("fewer pages than came")
    # One kilobyte that asks for gigabytes.
    put(siege.on_a / "wanted", os.urandom(8 << 20))
    peer = siege.join()
    wait_for(lambda: siege.a.folder("f")["state"] != "scanning", "scanned")
    content = content_id((siege.on_a / "wanted").read_bytes())
    for _ in range(20):
        peer.send("WANT", folder=peer.folder, ids=[[content, 8 << 20]], leaves=[1] * 4096)
        peer.send("WANT", folder=peer.folder, ids=[[os.urandom(32), 100] for _ in range(4096)])
    time.sleep(5)
    siege.holds()
    siege.hostile.disconnect()
    siege.holds()


def test_empty_chunks(world):
    """Parts of a list of leaves that hold nothing: they must not fill the memory."""
    siege = Siege(world)
    peer = siege.join()
    content = leaves_id([sha256(b"x")] * 8192)
    peer.push(peer.version("eight gigabytes", data=b"", s=8192 << 20, c=content))
    check(peer.wait("WANT")["leaves"] == [LEAF_LIST], "the list is asked for")
    for _ in range(2000):
        peer.send("DATA", BULK, folder=peer.folder, content=content, leaf=LEAF_LIST, offset=0,
                  size=0, bytes=b"")
    peer.send("DATA", BULK, folder=peer.folder, content=content, leaf=LEAF_LIST, offset=0,
              size=8192 * 32, bytes=bytes(8192 * 32))
    siege.logged("wrong leaf list")
    siege.hostile.disconnect()  # it answers nothing: who asks it for something else waits
    siege.holds()


def test_floods(world):
    """Frames without end, sessions without end, answers that nobody reads."""
    siege = Siege(world)
    peer = siege.join()
    peer.raw(CONTROL, b"\xc0", b"\xc0")
    siege.logged("second frame")
    peer = siege.join()
    for part in range(3):
        peer.raw(BULK, *([bytes(1 << 20)] * 8))
    siege.logged("second frame")
    # Many sessions, many lanes; what comes before HELLO; the wrong lane; twice.
    lanes = []
    for _ in range(60):
        peer.connect(siege.a, hello=False)
        peer.raw(CONTROL, msgpack.packb(peer.hello(CONTROL)))
        lanes += peer.lanes
        peer.lanes = []
    siege.logged("too many connections")
    for lane in lanes:
        lane.close()
    for frame in (["PULL", 0, {"folder": bytes(16), "round": 1}], ["DANCE", 0, {}],
                  ["BYE", 0, {"code": 1}], [1, 2, 3], {}):
        peer.connect(siege.a, hello=False)
        peer.raw(CONTROL, msgpack.packb(frame))
        time.sleep(0.05)
    peer.connect(siege.a)
    peer.raw(CONTROL, msgpack.packb(peer.hello(CONTROL)))
    siege.refused("HELLO")
    peer = siege.join()
    peer.send("PULL", BULK, folder=peer.folder, round=1)
    siege.refused("not allowed")
    for clock in (-2**63, 2**63 - 1):
        peer.connect(siege.a, hello=False)
        peer.raw(CONTROL, msgpack.packb(peer.hello(CONTROL, wall=clock)))
        peer.wait("HELLO")
    siege.logged("clock differs")
    # 200,000 PINGs and offers that call for answers; nothing is read.
    peer = siege.join()
    for n in range(20000):
        for _ in range(10):
            peer.send("PING", token=n, wall=0)
        peer.send("OFFER", folder=peer.folder, name="f", inc=peer.inc, nonce=peer.nonce,
                  state=1 + n % 2, used=True)
    time.sleep(3)
    siege.holds()


def test_endless_message(world):
    """Messages of frames without end: they never arrive, and must not fill the memory."""
    siege = Siege(world)
    peer = siege.join()
    frame = bytes(1 << 20)
    for hello in (True, False):
        siege.log_at = len(siege.a.log())
        lane = RawLane(peer.key, siege.a)
        peer.number += 1
        if hello:
            lane.send(msgpack.packb(peer.hello(BULK)))
        try:
            for _ in range(4000):
                lane.send(frame, more=True)
                time.sleep(0.01)  # as fast as a gigabit line; loopback is ten times that
        except (OSError, Closed):  # cut off, or not read any more
            pass
        siege.logged("message without end")
        lane.close()
    siege.holds()


if __name__ == "__main__":
    main()
