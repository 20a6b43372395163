#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A trusted peer that lies in deltas: what it gives for a signature, and what it shows as one."""

import os
import struct
import time

from hostile import BULK, leaves_id, sha256, zeros
from harness import check, main, wait_for
from siege import Siege
from trees import put, wait_same

MIB = 1 << 20
MAGIC, HEAD = b"rs\x026", b"rs\x01G" + struct.pack(">II", 131072, 16)


def join(siege):
    """Says that it understands deltas."""
    siege.hostile.features = 1
    return siege.join()


def leaves_of(data):
    return [sha256(data[at:at + MIB]) for at in range(0, len(data), MIB)]


def serve_plain(peer, data, since, seconds=60):
    """Answers what is asked for, as it is, until nothing was for a while."""
    content, end, quiet = leaves_id(leaves_of(data)), time.monotonic() + seconds, time.monotonic()
    while time.monotonic() < end and time.monotonic() < quiet + 3:
        peer.take(0.05)
        for _, kind, body in peer.heard[since:]:
            if kind != "WANT" or "leaves" not in body or body["ids"][0][0] != content:
                continue
            quiet = time.monotonic()
            for leaf in body["leaves"]:
                whole = (b"".join(leaves_of(data)) if leaf == 0xFFFFFFFF
                         else data[leaf * MIB:(leaf + 1) * MIB])
                for offset in range(0, len(whole), 131072):
                    part = whole[offset:offset + 131072]
                    peer.send("DATA", BULK, folder=peer.folder, content=content, leaf=leaf,
                              offset=offset, size=len(part), bytes=part)
        since = len(peer.heard)


def wait_signature(peer, data, since):
    """The list is given; then comes a signature of what the agent has."""
    content, digests = leaves_id(leaves_of(data)), b"".join(leaves_of(data))
    end = time.monotonic() + 60
    while time.monotonic() < end:
        peer.take(0.1)
        for _, kind, body in peer.heard[since:]:
            if kind == "WANT" and body.get("leaves") == [0xFFFFFFFF]:
                peer.send("DATA", BULK, folder=peer.folder, content=content, leaf=0xFFFFFFFF,
                          offset=0, size=len(digests), bytes=digests)
            if kind == "SIGNATURE" and body["ids"][0][0] == content:
                return body
        since = len(peer.heard)
    raise TimeoutError("no SIGNATURE")


def attack(siege, peer, number, pages):
    """A content that replaces what is there, and these pages for its signature."""
    data = os.urandom(3 * MIB + number)
    since = len(peer.heard)
    peer.push(peer.version("large", data=b"", s=len(data), c=leaves_id(leaves_of(data))))
    signature = wait_signature(peer, data, since)
    check(signature["bytes"][:4] == HEAD[:4] and signature["size"] <= 655372, "a BLAKE2 signature")
    check((signature["size"] - 12) % 20 == 0, "of whole entries")
    since = len(peer.heard)
    for page, fields in enumerate(pages, 1):
        fields.setdefault("size", len(fields["bytes"]))
        peer.send("DELTA", BULK, folder=peer.folder,
                  **{"round": signature["round"], "page": page, **fields})
    return data, since


def test_deltas(world):
    """Wrong in any way, the content still comes, leaf by leaf."""
    siege = Siege(world)
    peer = join(siege)
    first = os.urandom(3 * MIB)
    since = len(peer.heard)
    peer.push(peer.version("large", data=b"", s=len(first), c=leaves_id(leaves_of(first))))
    serve_plain(peer, first, since)
    wait_for(lambda: (siege.on_a / "large").exists(), "the first content")
    copies = MAGIC + b"\x4f" + struct.pack(">II", 0, MIB)
    bombs = [
        [{"bytes": b"no delta", "end": 1}],
        [{"bytes": MAGIC + b"\x00", "end": 1}],
        [{"bytes": MAGIC + b"\x4f\xff\xff\xff\xf0\xff\xff\xff\xff", "end": 1}],
        [{"bytes": copies + copies[4:] * 20000, "end": 1}],
        [{"bytes": b"", "end": 2}],
        [{"bytes": MAGIC}] + [{"bytes": b""}] * 9 + [{"bytes": b"\x43\x00\x00\x01x\x00", "end": 1}],
    ]
    for number, pages in enumerate(bombs, 1):
        data, since = attack(siege, peer, number, pages)
        serve_plain(peer, data, since)
        wait_for(lambda d=data: (siege.on_a / "large").read_bytes() == d,
                 f"the content after attack {number}", 60)
    siege.logged("a delta is not used")
    siege.holds()


def test_pages_that_end_the_session(world):
    siege = Siege(world)
    peer = join(siege)
    first = os.urandom(3 * MIB)
    since = len(peer.heard)
    peer.push(peer.version("large", data=b"", s=len(first), c=leaves_id(leaves_of(first))))
    serve_plain(peer, first, since)
    bomb = zeros(1 << 30)
    for number, (pages, reason) in enumerate((
            ([{"bytes": MAGIC, "page": 2}], "that was not asked for"),
            ([{"bytes": MAGIC}, {"bytes": b"x", "page": 3}], "that was not asked for"),
            ([{"bytes": bomb, "zstd": True, "size": 1000}], "does not unpack"),
            ([{"bytes": b"abc", "size": 4}], "wrong size"))):
        attack(siege, peer, 100 + number, pages)
        siege.refused(reason)
        peer = join(siege)
    siege.holds()


def signature(peer, entries, content, **changes):
    body = {"folder": peer.folder, "round": int.from_bytes(os.urandom(6), "big"),
            "ids": [content], "runs": [0, 1], "size": len(entries), "offset": 0, "bytes": entries}
    peer.send("SIGNATURE", BULK, **{**body, **changes})
    return {**body, **changes}["round"]


def wait_delta(peer, number, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _, kind, body in peer.heard:
            if kind == "DELTA" and body["round"] == number:
                return body
        peer.take(0.1)
    raise TimeoutError("no DELTA")


def test_signatures(world):
    siege = Siege(world)
    data = bytes(2 * MIB)
    put(siege.on_b / "zeros", data)
    put(siege.on_b / "big", noise := os.urandom(24 * MIB))
    wait_same(siege.on_a, siege.on_b)
    content = [leaves_id(leaves_of(data)), len(data)]
    peer = join(siege)
    entry = bytes(20)
    wrong = [HEAD, HEAD + entry[:-1], b"rs\x016" + HEAD[4:] + entry,
             HEAD[:4] + struct.pack(">II", 1000, 16) + entry,
             HEAD[:4] + struct.pack(">II", 1 << 30, 16) + entry,
             HEAD[:4] + struct.pack(">II", 1024, 8) + entry[:12],
             HEAD + b"".join(struct.pack(">IIQI", 1, 2, 3, n) for n in range(1000))]
    for text in wrong:
        check(wait_delta(peer, signature(peer, text, content)).get("end") == 2, "it is refused")
    # As weak a sum as that of zeros, and a wrong strong one: every byte would cost a block's hash.
    weak = 1
    for _ in range(131072):
        weak = weak * 0x08104225 & 0xFFFFFFFF
    # RabinKarp of 128 KiB of zeros, as librsync seeds it.
    slow = HEAD + struct.pack(">I", weak) + bytes(16)
    got = wait_delta(peer, signature(peer, slow, content, runs=[0, 2]))
    check(got.get("end") in (1, 2), "it ends", got)
    siege.holds()
    # Nobody takes the pages: no more of them come than may be on their way.
    many = [leaves_id(leaves_of(noise)), len(noise)]
    number = signature(peer, HEAD + entry, many, runs=[0, 12])
    wait_delta(peer, number)
    time.sleep(2)
    peer.take(0)
    for _ in range(200):
        peer.take(0)
    pages = [b for _, k, b in peer.heard if k == "DELTA" and b["round"] == number]
    check(0 < len(pages) <= 16, "no more pages than may be on their way", len(pages))
    # More at once than are allowed, and what nobody has.
    rounds = [signature(peer, HEAD + entry, many, size=52, runs=[0, 1]) for _ in range(8)]
    check(wait_delta(peer, rounds[-1]).get("end") == 2, "too many are refused")
    siege.holds()
    peer = join(siege)
    signature(peer, HEAD + entry, [bytes(32), 5 * MIB])
    peer.wait("NOT_HELD", 30)
    for changes, reason in (
            ({"runs": [0, 0]}, "out of order"), ({"runs": [1, 1, 0, 1]}, "out of order"),
            ({"runs": [0, 1, 1]}, "half a run"), ({"runs": [2, 1]}, "outside the content"),
            ({"runs": [0, 4294967295]}, "outside the content"),
            ({"size": 10}, "ends outside"), ({"size": 1 << 24}, "out of range")):
        peer = join(siege)
        signature(peer, HEAD + entry, content, **changes)
        siege.refused(reason)
    peer = join(siege)
    number = signature(peer, HEAD + entry, content, size=72)
    signature(peer, entry, content, size=72, offset=33, round=number)
    siege.refused("a signature out of order")
    siege.holds()


def test_patches(world):
    """Frames that unfold, make something else, or are of what is not here: never on the disk."""
    siege = Siege(world)
    peer = join(siege)
    first = os.urandom(100_000)
    peer.push(peer.version("f", data=first[:60_000]), rides=[peer.ride(first[:60_000])])
    wait_for(lambda: (siege.on_a / "f").exists(), "the base")
    base = [sha256(first[:60_000]), 60_000]
    for number in range(6):
        data = os.urandom(50_000 + number)
        content = [sha256(data), len(data)]
        patch = [
            [content, base, zeros(len(data))],          # something else
            [content, base, zeros(1 << 30)],            # a gigabyte
            [content, base, b"no frame"],
            [content, [os.urandom(32), 60_000], zeros(len(data))],
            [content, [base[0], 59_000], zeros(len(data))],
            [[os.urandom(32), 1000], base, zeros(1000)],  # no version has it
        ][number]
        since = len(peer.heard)
        peer.push(peer.version("f", data=data), patches=[patch])
        peer.settle()
        want = peer.wait("WANT", 20, since=since)
        check(want["ids"][0] == content, "it is asked for", want)
        peer.send("PACK", BULK, folder=peer.folder, contents=[content], bytes=data)
        wait_for(lambda d=data: (siege.on_a / "f").read_bytes() == d, "as it is", 30)
        base = content
    siege.holds()
    for patch, reason in (([content, [bytes(32), 1 << 20], b"x"], "too large"),
                          ([[bytes(32), 1 << 40], base, b"x"], "too large"),
                          ([content, base, b""], "without bytes"),
                          ([content, base, bytes(70_000)], "longer than allowed")):
        peer = join(siege)
        peer.push(peer.version("g", data=b"x"), patches=[patch])
        siege.refused(reason)
    peer = join(siege)
    frame = zeros(256 << 10)
    peer.push(peer.version("g", data=b"x"),
              patches=[[[os.urandom(32), 256 << 10], base, frame] for _ in range(17)])
    siege.refused("patches are too large")
    siege.holds()


if __name__ == "__main__":
    main()
