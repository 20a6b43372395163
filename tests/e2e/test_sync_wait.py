#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `sync --wait` promises, and each of its exit codes."""

import os
import time

from harness import check, connect, main, wait_for
from trees import fill, put, same


def test_right_after_folder_add(world):
    """0 means that it is there, however early one asks."""
    a, b = world.company("alpha", "beta")
    for agent in (a, b):
        root = world.dir / f"{agent.name}-f"
        root.mkdir()
    fill(world.dir / "alpha-f", 31, files=400)
    a.folder_add("f")
    b.folder_add("f")
    a.sync("f")
    same(a.paths["f"], b.paths["f"])


def test_right_after_a_save(world):
    """Each call covers all that was saved before it, edited files still open for writing too."""
    a, b, on_a, on_b = world.pair()
    for number in range(30):
        for part in range(10):
            (on_a / f"{number}-{part}").write_text(f"{number}")
        a.sync("f")
        same(on_a, on_b, f"after save {number}")
    with open(on_a / "open", "wb") as file:
        file.write(b"not closed yet")
        file.flush()
        a.sync("f")
        check((on_b / "open").read_bytes() == b"not closed yet", "an open file that rests is taken")


def test_incoming(world):
    """It brings what the peers had, too."""
    a, b, on_a, on_b = world.pair()
    for number in range(10):
        put(on_b / f"x{number}", os.urandom(100_000))
        b.try_cli("sync", "f")
        a.sync("f")
        same(on_a, on_b, f"incoming {number}")


def test_peer_off(world):
    """4, naming the peer; the timeout is kept. 0 when the peer comes in time."""
    a, b, on_a, on_b = world.pair()
    b.stop()
    put(on_a / "x", "x")
    begin = time.monotonic()
    result = a.try_cli("sync", "f", "--wait", "--timeout", "2")
    took = time.monotonic() - begin
    check(result.code == 4, "exit 4", result)
    check("beta" in result.text, "it names the peer", result)
    check(1.5 < took < 6, f"the timeout of 2 s is kept: {took:.1f} s")
    b.start()
    a.sync("f")
    same(on_a, on_b)


def test_one_peer_off_of_two(world):
    """The one that is there gets everything; --peer asks for that one alone."""
    a, b, c = world.company("alpha", "beta", "gamma")
    for agent in (a, b, c):
        agent.folder_add("f")
    a.sync("f")
    c.stop()
    put(a.paths["f"] / "x", "x")
    result = a.try_cli("sync", "f", "--wait", "--timeout", "3")
    check(result.code == 4, "exit 4", result)
    check("gamma" in result.text and "beta: not" not in result.text, "gamma alone is named", result)
    same(a.paths["f"], b.paths["f"])
    a.sync("f", "--peer", "beta")


def test_peer_without_the_folder(world):
    """Named, and not waited for."""
    a, b = world.company("alpha", "beta")
    a.folder_add("f")
    put(a.paths["f"] / "x", "x")
    wait_for(lambda: a.connected("beta"), "connected")
    begin = time.monotonic()
    result = a.try_cli("sync", "f", "--wait", "--timeout", "20")
    check(time.monotonic() - begin < 10, "it is not waited for", result)
    check("beta" in result.text, "it is named", result)
    check(result.code == 0, "exit 0", result)


def test_blocked(world):
    """1, naming item, peer and reason; everything else is there."""
    a, b, on_a, on_b = world.pair()
    os.mkfifo(on_b / "in-the-way")
    put(on_a / "in-the-way", "x")
    put(on_a / "other", "y")
    put(on_a / "sub/third", "z")
    result = a.try_sync("f", timeout=30)
    check(result.code == 1, "exit 1", result)
    for word in ("in-the-way", "beta"):
        check(word in result.text, f"it names {word}", result)
    check((on_b / "other").read_text() == "y" and (on_b / "sub/third").read_text() == "z",
          "everything else is there")
    check(any(e["code"].startswith("blocked:") and e["path"] == "in-the-way"
              for e in b.status()["errors"]), "it stands in errors there", b.status()["errors"])
    check(a.status()["state"] != "synced" and b.status()["state"] != "synced",
          "neither side says synced", a.status()["state"], b.status()["state"])
    os.unlink(on_b / "in-the-way")
    wait_for(lambda: (on_b / "in-the-way").is_file(), "it comes when the way is free", 20)
    a.sync("f")
    same(on_a, on_b)


def test_blocked_deletion(world):
    """A folder deleted there holds ignored files here: they are never touched."""
    a, b, on_a, on_b = world.pair()
    put(on_a / "d/x", "x")
    put(on_a / "stays", "an act that leaves nothing would be held")
    a.sync("f")
    (on_b / "d/mine.local").write_text("mine")
    os.unlink(on_a / "d/x")
    os.rmdir(on_a / "d")
    result = a.try_sync("f", timeout=30)
    check(result.code == 1, "exit 1", result)
    check("not-empty" in result.text and "beta" in result.text, "reason and peer", result)
    check((on_b / "d/mine.local").read_text() == "mine", "the ignored file is untouched")
    check(not (on_b / "d/x").exists(), "what was deleted is gone")


def test_held_secrets(world):
    """5 at the end; the rest is there and the secret is not."""
    a, b = world.company("alpha", "beta")
    for agent in (a, b):
        (world.dir / f"{agent.name}-f").mkdir()
    put(world.dir / "alpha-f/.env", "PASSWORD=1")
    put(world.dir / "alpha-f/conf", "x")
    put(world.dir / "alpha-f/keys/id_ed25519", "key")
    put(world.dir / "alpha-f/keys/id_ed25519.pub", "public")
    result = a.folder_add("f", ok=(5,))
    check(".env" in result.text and "id_ed25519" in result.text, "folder add names them", result)
    b.folder_add("f")
    result = a.try_sync("f", timeout=20)
    check(result.code == 5, "exit 5", result)
    check((b.paths["f"] / "conf").exists(), "the rest is there")
    check((b.paths["f"] / "keys/id_ed25519.pub").exists(), "a public key is no secret")
    check(not (b.paths["f"] / ".env").exists(), "the secret is not")
    check(not (b.paths["f"] / "keys/id_ed25519").exists(), "nor the key")
    check(a.folder("f")["held"] == 2, "two are held", a.folder("f"))
    a.folder_add("f", "--include-secrets")
    a.sync("f")
    same(a.paths["f"], b.paths["f"])
    check((b.paths["f"] / ".env").read_text() == "PASSWORD=1", "released by --include-secrets")


def test_secret_appears_later(world):
    a, b, on_a, on_b = world.pair()
    put(on_a / "server.pem", "key")
    put(on_a / "x", "x")
    check(a.try_sync("f", timeout=20).code == 5, "exit 5")
    check((on_b / "x").exists() and not (on_b / "server.pem").exists(), "only the other file went")


def test_without_wait(world):
    """Returns at once, peer or no peer."""
    a, b, on_a, _ = world.pair()
    b.stop()
    put(on_a / "x", "x")
    begin = time.monotonic()
    check(a.try_cli("sync", "f").code == 0, "exit 0")
    check(time.monotonic() - begin < 5, "at once")
    wait_for(lambda: a.owed("beta") == 1, "the index is up to the present")


def test_usage(world):
    """2 for what does not exist, 1 for an unknown folder, 6 without an agent."""
    a = world.agent("alpha").start()
    check(a.try_cli("sync", "nothing", "--wait").code == 1, "an unknown folder is 1")
    check(a.try_cli("sync", "--weight").code == 2, "an unknown option is 2")
    check(a.try_cli("sync", "--wait", "--timeout", "soon").code == 2, "no number is 2")
    check(a.try_cli("sink").code == 2, "an unknown verb is 2")
    check(a.try_cli("sync", "--wait").code == 0, "no folder at all is 0")
    a.stop()
    for verb in (("sync",), ("status",), ("stop",), ("peer", "list"), ("folder", "list")):
        result = a.try_cli(*verb)
        check(result.code == 6, f"{verb}: exit 6 without an agent", result)
        check("run" in result.text, "it says how to start one", result)


if __name__ == "__main__":
    main()
