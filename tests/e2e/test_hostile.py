#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A trusted peer that lies: names, links, contents, counters.

After each attack: nothing was written outside the root, the agent still answers, its memory is
within bounds (siege.py), the log names the reason, and an honest peer goes on in step with it.
"""

import os
import struct
import time

from hostile import (COUNTER_MAX, BULK, CONTROL, DIRECTORY, LEAF_LIST, SYMLINK, Closed, Key,
                     leaves_id, msgpack, sha256, vector, zeros)
from harness import check, main, wait_for
from siege import Siege
from trees import put

# ---- names

PATHS = [
    ("..", "dot component"), ("../outside/x", "dot component"),
    ("a/../../outside/x", "dot component"),
    (".", "dot component"), ("a/./b", "dot component"), ("/etc/x", "empty component"),
    ("a//b", "empty component"), ("a/", "empty component"), ("", "empty"),
    ("a\0b", "NUL"), ("n" * 5000, "longer than allowed"), ("n" * 256, "too long"),
    ("/".join(["d"] * 65), "too deep"), ("/".join(["d"] * 10000), "longer than allowed"),
    (".cfgsync", "inside .cfgsync"), (".cfgsync/x", "inside .cfgsync"),
    (".CFGsync/folder", "inside .cfgsync"), ("a/.cfgsync", "inside .cfgsync"),
    ("\uff0ecfgsync/x", "inside .cfgsync"), (".cfg\u200dsync/x", "inside .cfgsync"),
    (".c\uff46gsync/x", "inside .cfgsync"), (".\u24d2fgsync/x", "inside .cfgsync"),
    (".cfgsync/conflicts", "inside .cfgsync"), (".cfgsync/conflicts/a/b", "inside .cfgsync"),
    (".cfgsync/conflicts/..", "inside .cfgsync"), (".cfgsync/staging/x", "inside .cfgsync"),
    ("e\u0301", "NFC"),
]


def test_names(world):
    siege = Siege(world)
    for path, reason in PATHS:
        peer = siege.join()
        peer.push(peer.version(path, data=b"x"), rides=[peer.ride(b"x")])
        siege.refused(reason)
    # Not even text: the bytes are put in by hand.
    for name, reason in ((b"\xff\xfe", "UTF-8"), (b"\xc0\xae\xc0\xae", "UTF-8"),
                         (b"\xed\xa0\x80", "UTF-8")):
        peer = siege.join()
        version = peer.version("X" * len(name), data=b"x")
        frame = msgpack.packb(["PUSH", peer.session, {
            "folder": peer.folder, "inc": peer.inc, "after": peer.counter - 1, "upto": peer.mark(),
            "versions": [version]}])
        peer.raw(CONTROL, frame.replace(b"X" * len(name), name))
        siege.refused(reason)
    # A folder that it offers stands in a line that people copy.
    peer = siege.join()
    for name in ("$(touch x)", "fine"):
        peer.offer(folder=sha256(name.encode())[:16], name=name, inc=0, k=[], marks=[])
    listed = wait_for(lambda: "fine" in (out := siege.a.cli("folder", "list").out) and out,
                      "what it offers is listed")
    check("touch" not in listed, "but no such name", listed)
    # Hints and origins are paths as well.
    peer = siege.join()
    peer.send("WANT", folder=peer.folder, path="../x", ids=[[bytes(32), 1]])
    siege.refused("dot component")
    peer = siege.join()
    peer.push(peer.version("x", data=b"x", r="../../x"))
    siege.refused("dot component")
    siege.holds()


def test_links(world):
    """A link, then what would be behind it; a directory that becomes a link."""
    siege = Siege(world)
    target = str(siege.outside).encode()
    peer = siege.join()
    peer.push(peer.version("door", SYMLINK, target))
    wait_for(lambda: (siege.on_a / "door").is_symlink(), "the link is there")
    peer.push(peer.version("door/x", data=b"x"), rides=[peer.ride(b"x")])
    peer.push(peer.version("door/precious", data=b"stolen"), rides=[peer.ride(b"stolen")])
    peer.push(peer.version("room", DIRECTORY), peer.version("room/x", data=b"x"),
              rides=[peer.ride(b"x")])
    wait_for(lambda: (siege.on_a / "room/x").exists(), "the room is there")
    room = peer.version("room", SYMLINK, target)
    peer.push(room, peer.version("room/precious", data=b"y"), rides=[peer.ride(b"y")])
    siege.holds()
    # Both in one message, the link first, and a link whose id is not its target's.
    peer.push(peer.version("gate", SYMLINK, target), peer.version("gate/x", data=b"x"),
              peer.version("gate/y/z", SYMLINK, target), rides=[peer.ride(b"x")])
    time.sleep(1)
    peer.push(peer.version("liar", SYMLINK, b"here", c=sha256(b"there")))
    siege.refused("a link whose content id is not its target's")
    siege.holds()


# ---- contents

def test_contents(world):
    """Sizes and hashes that are not those of the bytes."""
    siege = Siege(world)
    peer = siege.join()
    # A ride of other bytes, and the same when it is asked for.
    lie = peer.version("lie", data=b"truth")
    peer.push(lie, rides=[[lie["c"], 5, False, b"wrong"]])
    want = peer.wait("WANT", 20)
    check(want["ids"] == [[lie["c"], 5]], "the content is asked for", want)
    peer.send("PACK", BULK, folder=peer.folder, contents=[[lie["c"], 5]], bytes=b"wrong")
    siege.logged("wrong content")
    # Nobody asked for this; of two contents one is larger than was said.
    peer.send("PACK", BULK, folder=peer.folder, contents=[[bytes(32), 100]], bytes=bytes(100))
    peer.settle()
    check(not (siege.on_a / "lie").exists(), "no wrong content on the disk")
    peer.send("PACK", BULK, folder=peer.folder, contents=[[bytes(32), 100]], bytes=bytes(50))
    siege.refused("wrong size")
    # Sizes that no sum can hold.
    peer = siege.join()
    peer.push(*(peer.version(name, data=b"", s=2**63 - 1) for name in ("huge", "more")))
    siege.refused("a file larger than any")
    peer = siege.join()
    peer.push(peer.version("nothing", data=b"", c=sha256(b"something")))
    siege.refused("an empty file whose content id is not that of nothing")
    peer = siege.join()
    for number in range(50):
        peer.push(*(peer.version(f"h/{number}-{n}", data=b"", s=2**48) for n in range(800)))
    peer.settle()
    siege.holds()


def test_leaves(world):
    """Large contents: lists that lie, leaves that lie, answers that never end."""
    siege = Siege(world)
    peer = siege.join()
    size = 3 << 20
    good = [sha256(bytes([n]) * (1 << 20)) for n in range(3)]
    content = leaves_id(good)
    peer.push(peer.version("large", data=b"", s=size, c=content))
    want = peer.wait("WANT", 20)
    check(want["leaves"] == [LEAF_LIST], "the list is asked for", want)
    data = {"folder": peer.folder, "content": content}
    peer.send("DATA", BULK, leaf=LEAF_LIST, offset=0, size=96, bytes=bytes(96), **data)
    siege.logged("wrong leaf list")
    since = len(peer.heard)
    peer.wait("WANT", 60, since=since)
    peer.send("DATA", BULK, leaf=LEAF_LIST, offset=0, size=96, bytes=b"".join(good), **data)
    since = len(peer.heard)
    want = peer.wait("WANT", 20, since=since)
    # Wrong leaves, as often as it asks, for a while; and chunks of nothing.
    end = time.monotonic() + 5
    answered = since
    while time.monotonic() < end:
        for lane, kind, body in peer.heard[answered:]:
            for leaf in body["leaves"] if kind == "WANT" and "leaves" in body else []:
                for offset in range(0, 1 << 20, 128 << 10):
                    peer.send("DATA", BULK, leaf=leaf, offset=offset, size=128 << 10,
                              bytes=bytes(128 << 10), **data)
        answered = len(peer.heard)
        for _ in range(100):
            peer.send("DATA", BULK, leaf=1, offset=0, size=0, bytes=b"", **data)
        peer.take(0.05)
    siege.logged("wrong leaf folder=")
    check(not (siege.on_a / "large").exists(), "no wrong content on the disk")
    siege.holds()
    # Flood of what nobody asked for.
    for _ in range(2000):
        peer.send("DATA", BULK, leaf=0, offset=0, size=128 << 10, bytes=bytes(128 << 10), **data)
    peer.settle()
    # A file of a tebibyte whose list is true: 32 MiB of digests, then leaves that never come.
    digests = b"".join([sha256(b"x")] * 4096)
    many = leaves_id([digests] * 256)
    peer.push(peer.version("tebibyte", data=b"", s=1 << 40, c=many))
    siege.holds()
    # Large contents that never come must not keep those of others from coming.
    for number in range(8):
        peer.push(peer.version(f"never-{number}", data=b"", s=size, c=sha256(b"%d" % number)))
    put(siege.on_b / "honest-large", os.urandom(5 << 20))
    wait_for(lambda: (siege.on_a / "honest-large").exists(), "a large file of an honest peer", 150)


def test_unfetchable(world):
    """Thousands of contents that nobody has, named before those of the honest."""
    siege = Siege(world)
    peer = siege.join()
    for part in range(30):
        peer.push(*(peer.version(f"!/{part}-{n}", data=b"", s=100_000, c=os.urandom(32))
                    for n in range(200)))
    peer.settle()
    put(siege.on_b / "zz/honest", os.urandom(200_000))
    put(siege.on_b / "zz/small", os.urandom(90_000))
    wait_for(lambda: (siege.on_a / "zz/honest").exists() and (siege.on_a / "zz/small").exists(),
             "contents of an honest peer come", 100)
    siege.holds()


def test_bombs(world):
    siege = Siege(world)
    # A gigabyte in 32 KiB: as ride, as pack, as chunk.
    peer = siege.join()
    bomb = zeros(1 << 30)
    data = bytes(100_000)
    peer.push(peer.version("ride", data=data), rides=[[sha256(data), len(data), True, bomb]])
    peer.settle()
    peer.send("PACK", BULK, folder=peer.folder, contents=[[sha256(data), len(data)]], zstd=True,
              bytes=bomb)
    siege.refused("does not unpack")
    peer = siege.join()
    peer.send("DATA", BULK, folder=peer.folder, content=bytes(32), leaf=0, offset=0, size=1000,
              zstd=True, bytes=bomb)
    siege.refused("does not unpack")
    # Many small rides that all unpack to as much as a ride may.
    peer = siege.join()
    frame = zeros(128 << 10)
    contents = [[struct.pack(">Q", n) * 4, 128 << 10, True, frame] for n in range(4000)]
    peer.push(peer.version("rides", data=b"x"), rides=contents)
    siege.refused("contents of rides are too large")
    # The same within the limit, over and over.
    peer = siege.join()
    zero = bytes(128 << 10)
    ride = [sha256(zero), len(zero), True, frame]
    for _ in range(400):
        peer.push(peer.version("again", data=zero), rides=[ride] * 32)
    peer.settle()
    siege.holds()
    # msgpack: depth, counts without bytes, lengths without end.
    for body, reason in (
            (b"\x81\xa1z" + b"\x91" * 10000 + b"\xc0", "nested too deep"),
            (b"\x81\xa1z\xdd\x10\x00\x00\x00", "more entries"),
            (b"\x81\xa1z\xdf\x08\x00\x00\x00", "more entries"),
            (b"\x81\xa1z\xdb\xff\xff\xff\xff", "longer than allowed"),
            (b"\x81\xa1z\xdd\x00\x0f\x00\x00" + b"\xc0" * 0xf0000, "more entries"),
            (b"\xdf\xff\xff\xff\xff", "more entries"), (b"\xc1", "not a map"),
            (b"\x81\xa6folder\xc4\x10" + bytes(17), "behind the end")):
        peer = siege.join()
        peer.raw(CONTROL, b"\x93\xa4NEWS" + msgpack.packb(peer.session) + body)
        siege.refused(reason)
    peer = siege.join()
    peer.raw(CONTROL, b"\x93\xa4NEWS" + msgpack.packb(peer.session) + b"\x81\xa1z\xc6" +
             struct.pack(">I", 1 << 20) + bytes(1 << 20))
    siege.refused("too large")
    siege.holds()


# ---- what is claimed

def test_heads(world):
    """As many versions of one path as can be made up."""
    siege = Siege(world)
    peer = siege.join()
    # Of one incarnation, none covering the other: a vector without the smaller counters is not
    # possible, so each takes another incarnation's dot.
    lives = peer.owners(250)
    peer.send("OWNERS", folder=peer.folder, owners=lives)
    marks = [peer.key.mark(peer.folder, inc, 1) for inc, *_ in lives]

    def head(number):
        dot = [lives[number][0], 1]
        return peer.version("path", data=b"%d" % number, d=dot, v=dot, b=[number, *dot])

    peer.push(*(head(number) for number in range(250)), marks=marks, after=0)
    siege.refused("too many concurrent versions of an item")
    # A few at a time, for ever.
    peer = siege.join()
    peer.send("OWNERS", folder=peer.folder, owners=lives)
    try:
        for number in range(250):
            peer.push(head(number), marks=[marks[number]], after=0)
            peer.take()
    except Closed:
        pass
    siege.logged("too many concurrent versions of an item")
    # Vectors and dots of thousands of entries, bundles of everything.
    peer = siege.join()
    long = [number for n in range(4000) for number in (n + 1, 1)]
    peer.push(peer.version("long", data=b"x", v=long + vector({peer.inc: peer.counter + 1})))
    siege.refused("a counter above its mark")
    peer = siege.join()
    bundle = [peer.inc, peer.counter + 300]
    peer.push(*(peer.version(f"bundle/{n}", DIRECTORY, u=bundle) for n in range(300)))
    siege.refused("a bundle that is too large")
    peer = siege.join()
    dots = [number for n in range(300) for number in (peer.inc, n + 1)]
    peer.counter = max(peer.counter, 300)
    peer.push(peer.version("dots", data=b"x", d=dots))
    siege.refused("a version with too many dots")
    siege.holds()


def test_claims(world):
    """Dots of others, knowledge of everything, counters of the agent's own."""
    siege = Siege(world)
    put(siege.on_b / "x", "x")
    wait_for(lambda: (siege.on_a / "x").exists(), "the agent knows another device's dots")
    peer = siege.join()
    theirs = peer.theirs
    known = dict(zip(theirs["k"][::2], theirs["k"][1::2]))
    own = theirs["inc"]
    other = next(inc for inc in known if inc != own)
    everything = vector({inc: COUNTER_MAX for inc in [*known, peer.inc]})
    for kind, body in (
            ("OFFER", {"name": "f", "inc": peer.inc, "nonce": peer.nonce, "state": 2, "used": True,
                       "k": everything}),
            ("OFFER", {"name": "f", "inc": peer.inc, "nonce": peer.nonce, "state": 2, "used": True,
                       "k": vector({own: known.get(own, 0) + 1})}),
            ("NEWS", {"k": everything}), ("APPLIED", {"a": everything}),
            ("NEWS", {"k": vector({12345: 1})})):
        peer = siege.join()
        peer.send(kind, folder=peer.folder, **body)
        siege.refused("a counter above its mark")
    # Marks: forged for others and for the agent itself; of nobody; of the wrong folder.
    for mark, reason in (
            (peer.key.mark(peer.folder, other, COUNTER_MAX), "did not sign"),
            (peer.key.mark(peer.folder, own, COUNTER_MAX), "did not sign"),
            (peer.key.mark(peer.folder, 4711, 5), "unknown incarnation"),
            (peer.key.mark(bytes(16), peer.inc, 5), "did not sign"),
            ([peer.inc, 5, 1, 1, bytes(64)], "did not sign")):
        peer = siege.join()
        peer.send("NEWS", folder=peer.folder, k=vector({mark[0]: mark[1]}), marks=[mark])
        siege.refused(reason)
    peer = siege.join()
    peer.push(inc=other, upto=[other, 5, 1, 1, bytes(64)])
    siege.refused("not the sender's")
    # A version under the dot of another, below its mark or above.
    peer = siege.join()
    peer.push(peer.version("forged", data=b"x", d=[other, 1], v=[other, 1], b=[1, other, 1]),
              rides=[peer.ride(b"x")])
    peer.push(peer.version("forged", data=b"y", d=[own, COUNTER_MAX], v=[own, COUNTER_MAX]))
    siege.refused("a counter above its mark")
    # Incarnations: not its device's, and without end.
    peer = siege.join()
    peer.send("OWNERS", folder=peer.folder, owners=[[99, peer.key.device, bytes(16), "x"]])
    siege.refused("an incarnation that is not its device's")
    for key in (Key(b"nobody"), peer.key):
        peer = siege.join()
        try:
            lives = peer.owners(10000, key)
            for at in range(0, len(lives), 2000):
                peer.send("OWNERS", folder=peer.folder, owners=lives[at:at + 2000])
                peer.take()
        except Closed as bye:
            lost = "takes nothing" in str(bye)  # the reason may be lost on the way
            check(lost or "too many incarnations" in str(bye), "why", bye)
        siege.logged("too many incarnations")
    # A PULL may claim what it likes; nothing is kept of it.
    peer = siege.join()
    for turn in range(20):
        claims = vector({turn * 4096 + n + 1: COUNTER_MAX for n in range(4096)})
        peer.send("PULL", folder=peer.folder, round=turn + 1, k=claims)
        peer.send("APPLIED", folder=peer.folder, total=turn)
    peer.settle()
    time.sleep(1)
    peer.settle()
    siege.holds()


if __name__ == "__main__":
    main()
