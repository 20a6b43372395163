#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hard cases between two people and their agents: who is away, who is in the way, who asks for what
is not his."""

import os
import time

from harness import check, main, wait_for
from hostile import content_id
from siege import Siege
from test_conflict import apart
from trees import conflicts, put, same, wait_same


def test_file_and_link(world):
    """One makes a link of a file, the other edits it."""
    def link(root):
        os.unlink(root / "x")
        os.symlink("/nowhere", root / "x")

    _, _, on_a, _ = apart(world, {"x": "start"}, link, lambda root: put(root / "x", "edited"))
    check((on_a / "x").read_text() == "edited", "the later one keeps the name")
    check(list(conflicts(on_a).values()) == [b"/nowhere"], "the link is set aside, as a link",
          conflicts(on_a))


def test_saved_again_and_again(world):
    """Both save the same file all the time: one winner, and no more items than exchanges."""
    a, b, on_a, on_b = world.pair()
    put(on_a / "x", "start")
    a.sync("f")
    for number in range(25):
        put(on_a / "x", f"alpha {number}")
        put(on_b / "x", f"beta {number}")
        time.sleep(0.05)

    def settled():
        a.try_sync("f", timeout=5)
        return ((on_a / "x").read_bytes() == (on_b / "x").read_bytes() and
                conflicts(on_a) == conflicts(on_b))
    wait_for(settled, "the same winner and the same items on both", 60)
    check(len(conflicts(on_a)) <= 50, "no item twice", len(conflicts(on_a)))
    last = {(on_a / "x").read_text(), *(c.decode() for c in conflicts(on_a).values())}
    check({"alpha 24", "beta 24"} <= last, "nobody's last save is lost", sorted(last))


def test_something_untracked_in_the_way(world):
    """What is held or left out here is never overwritten by what comes from elsewhere."""
    a, b, on_a, on_b = world.pair()
    (on_b / ".cfgsync" / "ignore").write_text("mine\n")
    put(on_b / "key.pem", "beta's secret")
    put(on_b / "mine", "beta's own")
    b.try_sync("f", timeout=1)
    (on_a / ".cfgsync" / "ignore").write_text("!key.pem\n")
    put(on_a / "key.pem", "alpha's")
    put(on_a / "mine", "alpha's")
    put(on_a / "other", "comes")
    result = a.try_sync("f", timeout=20)
    check(result.code == 1 and "key.pem" in result.text, "it says what cannot be taken", result)
    check((on_b / "other").read_text() == "comes", "all else comes")
    check((on_b / "key.pem").read_text() == "beta's secret", "the secret is untouched")
    check((on_b / "mine").read_text() == "beta's own", "and what is left out")
    check(any(e["code"] == "blocked:in-the-way" and e["path"] == "key.pem"
              for e in b.status()["errors"]), "status says it", b.status()["errors"])
    with open(f"/proc/{b.process.pid}/stat", encoding="ascii") as stat:
        busy = int(stat.read().split()[13])
    time.sleep(3)
    with open(f"/proc/{b.process.pid}/stat", encoding="ascii") as stat:
        busy = int(stat.read().split()[13]) - busy
    check(busy <= 0.2 * 3 * os.sysconf("SC_CLK_TCK"), "it does not spin", busy)


def test_written_late_while_off(world):
    """A program writes into the file that was replaced, while the agent is off."""
    a, b, on_a, on_b = world.pair()
    put(on_a / "log", "start\n")
    a.sync("f")
    with open(on_b / "log", "a", encoding="utf-8") as late:
        put(on_a / "log", "replaced by alpha\n")
        wait_for(lambda: (on_b / "log").read_text() == "replaced by alpha\n", "replaced")
        b.stop()
        late.write("written late\n")
    b.start()
    for root in (on_b, on_a):
        wait_for(lambda root=root: b"start\nwritten late\n" in conflicts(root).values(),
                 lambda root=root: f"the late words are a conflict item: {conflicts(root)}", 30)
    check((on_b / "log").read_text() == "replaced by alpha\n", "the name is the winner's")


def test_rewritten_while_it_is_fetched(world):
    """A large file is rewritten while the other one fetches it, again and again."""
    a, b, on_a, on_b = world.pair()
    data = bytearray(os.urandom(1 << 20) * 24)
    put(on_a / "big", bytes(data))
    sizes = set()
    for number in range(12):
        with open(on_a / "big", "r+b") as file:
            file.seek(number << 20)
            file.write(b"%16d" % number)
        data[number << 20:(number << 20) + 16] = b"%16d" % number
        for _ in range(5):
            if (on_b / "big").exists():
                sizes.add((on_b / "big").stat().st_size)
            time.sleep(0.05)
    wait_for(lambda: (on_b / "big").exists() and (on_b / "big").read_bytes() == bytes(data),
             "the last of it is there", 60)
    check(sizes <= {len(data)}, "never a part of it", sizes)
    a.sync("f")
    wait_same(on_a, on_b)
    check(not conflicts(on_a) and not conflicts(on_b), "no conflict")


def test_content_of_another_folder(world):
    """To know a hash opens no folder."""
    siege = Siege(world)
    secret = b"of a folder that is not shared" * 10
    siege.a.folder_add("private", share=None)
    put(siege.a.paths["private"] / "x", secret)
    siege.before = siege.surroundings()
    wait_for(lambda: siege.a.folder("private")["items"] == 1, "it is known")
    folder = bytes.fromhex(siege.a.folder("private")["id"].replace("-", ""))
    peer = siege.join()
    peer.send("WANT", folder=peer.folder, ids=[[content_id(secret), len(secret)]])
    answer = peer.wait("NOT_HELD")
    check(answer["ids"] == [content_id(secret)], "not from the shared one", answer)
    since = len(peer.heard)
    peer.send("WANT", folder=folder, ids=[[content_id(secret), len(secret)]])
    answer = peer.wait("NOT_HELD", since=since)
    check(answer["ids"] == [content_id(secret)], "nor from its own", answer)
    check(not any(kind in ("PACK", "DATA") for _, kind, _ in peer.heard), "nothing came")
    siege.holds()
    same(siege.on_a, siege.on_b)


if __name__ == "__main__":
    main()
