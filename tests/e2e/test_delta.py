#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Large files that have changed a little: what travels, and that what comes out is right."""

import os
import random
import threading
import time

from harness import Local, check, main, wait_for
from test_disk import Mount
from trees import conflicts, leftovers, put, same, wait_same

MIB = 1 << 20


def counter(agent, name):
    connection = Local(agent.home / "agent.sock")
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    line = next(l for l in text.splitlines() if l.startswith(name + " "))
    return int(float(line.split()[1]))


def wire(*agents):
    return sum(counter(agent, "cfgsync_sent_bytes_total") for agent in agents)


def overwrite(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def bulk(seed, mib):
    return random.Random(seed).randbytes(mib * MIB + 4321)


def travels(pair, change, most, what):
    """Bytes on the wire of one change made on A, both ways."""
    a, b, on_a, on_b = pair
    before = wire(a, b)
    change()
    wait_same(on_a, on_b)
    a.sync("f")
    bytes_ = wire(a, b) - before
    check(bytes_ <= most, f"{what}: at most {most:,} bytes travel", f"{bytes_:,} did")
    check(not conflicts(on_a) and not conflicts(on_b), f"{what}: no conflict")


def test_in_place(world):
    """One leaf of twelve differs: the others are taken from the file that is there."""
    pair = a, b, on_a, on_b = world.pair()
    put(on_a / "big", bulk(1, 12))
    wait_same(on_a, on_b)
    travels(pair, lambda: overwrite(on_a / "big", 5 * MIB + 100, os.urandom(4096)), 2 * MIB,
            "4 KiB overwritten")
    reused = counter(b, "cfgsync_content_reused_bytes_total")
    check(reused >= 11 * MIB, "eleven leaves and more were here", reused)
    travels(pair, lambda: os.truncate(on_a / "big", 7 * MIB), MIB // 2, "cut at a leaf's end")
    travels(pair, lambda: overwrite(on_a / "big", 7 * MIB, os.urandom(300)), MIB // 2,
            "a little appended")
    wait_for(lambda: not leftovers(on_b), "nothing is left in staging")


class Xfs(Mount):
    """Files share what is the same of them."""

    def make(self):
        return "mkfs.xfs", "-q", "-m", "reflink=1", self.image


def test_shared(world):
    """Where files can share bytes, those that did not change are shared with the file before."""
    disk = Xfs(world, "beta", megabytes=340)
    a, b = world.company("alpha", "beta")
    a.folder_add("f")
    b.folder_add("f", path=disk.path / "root")
    a.sync("f")
    on_a, on_b = a.paths["f"], b.paths["f"]
    put(on_a / "big", bulk(11, 48))
    wait_same(on_a, on_b, 60)

    def used():
        os.sync()
        stat = os.statvfs(disk.path)
        return (stat.f_blocks - stat.f_bfree) * stat.f_frsize
    before = used()
    travels((a, b, on_a, on_b), lambda: overwrite(on_a / "big", 20 * MIB, os.urandom(4096)), MIB,
            "4 KiB overwritten")
    more = used() - before
    check(more < 20 * MIB, "the version before, which is kept, shares its bytes", more)


def test_shifted(world):
    """Bytes that come or go in front, in the middle or at the end: what moved does not travel."""
    pair = a, b, on_a, on_b = world.pair()
    data = bulk(4, 10)
    put(on_a / "big", data)
    wait_same(on_a, on_b)
    for what, change, most in (
            ("one byte in front", lambda d: b"x" + d, 150_000),
            ("some in the middle", lambda d: d[:5 * MIB] + os.urandom(999) + d[5 * MIB:], 150_000),
            ("two megabytes go in front", lambda d: d[2 * MIB + 3:], 150_000),
            ("two come in the middle", lambda d: d[:3 * MIB] + os.urandom(2 * MIB) + d[3 * MIB:],
             2 * MIB + 200_000),
            ("some are appended", lambda d: d + os.urandom(300_000), 400_000),
            ("here and there", lambda d: b"".join(d[at:at + MIB] + b"." for at in
                                                  range(0, len(d), MIB)), 250_000)):
        data = change(data)
        travels(pair, lambda d=data: put(on_a / "big", d), most, what)
    data = bulk(5, 10)
    travels(pair, lambda: put(on_a / "big", data), 12 * MIB, "all is new")
    data = bulk(6, 0) * 60
    put(on_a / "small", data)
    wait_same(on_a, on_b)
    travels(pair, lambda: put(on_a / "small", data[:100_000] + b"y" + data[100_000:]), 30_000,
            "a file of less than a leaf")
    check("a delta is not used" not in b.log(), "all of them were of use", b.log()[-2000:])
    wait_for(lambda: not leftovers(on_b), "nothing is left in staging")


def test_small(world):
    """Of a small file that has changed a little goes what has, with the change itself."""
    pair = a, b, on_a, on_b = world.pair()
    rng = random.Random(9)
    words = [rng.randbytes(3).hex() for _ in range(3000)]
    for size in (20_000, 100_000, 250_000):
        text = " ".join(rng.choices(words, k=size // 7))
        put(on_a / "text", text)
        wait_same(on_a, on_b)
        a.sync("f")

        def edited():
            # The base store takes what is there when the folder has been quiet for a while.
            time.sleep(2.5)
            nonlocal text
            text = text[:size // 2] + "edited" + text[size // 2:]
            before = wire(a, b)
            put(on_a / "text", text)
            wait_for(lambda: (on_b / "text").read_text() == text, "the edit is there")
            return wire(a, b) - before < 2500
        wait_for(edited, f"an edit of {size} bytes travels as a patch", 60)
    text += "an edit at once, after another one: its base is not stored"
    put(on_a / "text", text)
    put(on_a / "text", text := text[:1000] + text[1500:])
    wait_same(on_a, on_b)


def test_interrupted(world):
    """Both ends are killed while a delta is under way, or what it is made of is replaced."""
    a, b, on_a, on_b = world.pair()
    data = bulk(7, 40)
    put(on_a / "big", data)
    wait_same(on_a, on_b, 60)
    rng = random.Random(8)
    for number, who in enumerate((a, b, b, a)):
        data = bytes([number]) + data[:20 * MIB] + os.urandom(2 * MIB) + data[20 * MIB:]
        put(on_a / "big", data)
        time.sleep(rng.uniform(0.05, 0.6))
        who.kill9()
        who.start()
        wait_same(on_a, on_b, 90)
    put(on_a / "big", b"." + data)
    time.sleep(0.3)
    put(on_b / "big", b"someone else")
    wait_for(lambda: a.status()["state"] == "conflict" == b.status()["state"] or
             (on_b / "big").read_bytes() == (on_a / "big").read_bytes(), "both have settled", 60)
    wait_same(on_a, on_b, 60)
    found = [(on_a / "big").read_bytes(), *conflicts(on_a).values()]
    check(b"someone else" in found, "what was saved there is not lost")


def test_edited_on_both_sides(world):
    """The file that leaves are taken from changes all the while: no byte is lost or mixed."""
    a, b, on_a, on_b = world.pair()
    put(on_a / "big", bulk(2, 8))
    wait_same(on_a, on_b)
    stop = threading.Event()

    def scribble():
        rng = random.Random(3)
        while not stop.is_set():
            overwrite(on_b / "big", rng.randrange(8 * MIB), rng.randbytes(64))
            time.sleep(0.01)
    writer = threading.Thread(target=scribble)
    writer.start()
    for number in range(3):
        overwrite(on_a / "big", number * MIB, os.urandom(4096))
        time.sleep(0.3)
    stop.set()
    writer.join()
    wait_for(lambda: a.status()["state"] == b.status()["state"] != "syncing", "both have settled",
             60)
    wait_same(on_a, on_b, seconds=60)


if __name__ == "__main__":
    main()
