#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A machine with files of its own meets an established folder of the same name."""

import os
import time

from harness import check, connect, main, stays, wait_for
from trees import conflicts, differences, put, same, tree


def established(world):
    """alpha has used its folder for a while; beta comes with newer default files."""
    a, b = world.agent("alpha").start(), world.agent("beta").start()
    a.folder_add("home")
    on_a = a.paths["home"]
    for name in (".zshrc", ".vimrc", ".config/app/app.conf"):
        put(on_a / name, f"alpha's {name}, years of work\n")
    put(on_a / "only-alpha", "a\n")
    put(on_a / "equal", "the same on both\n")
    a.try_cli("sync", "home")
    old = time.time() - 86400 * 400
    for folder, _, files in os.walk(on_a):
        for name in files:
            os.utime(os.path.join(folder, name), (old, old))
    on_b = world.dir / "beta-home"
    for name in (".zshrc", ".vimrc", ".config/app/app.conf"):
        put(on_b / name, f"beta's default {name}\n")
    put(on_b / "only-beta", "b\n")
    put(on_b / "equal", "the same on both\n")
    b.folder_add("home")
    return a, b, on_a, on_b


def files(root):
    return {p: e for p, e in tree(root).items()}


def test_join(world):
    a, b, on_a, on_b = established(world)
    before_a, before_b = files(on_a), files(on_b)
    connect(b, a)
    for agent in (a, b):
        wait_for(lambda agent=agent: agent.folder("home")["code"] == "join-pending",
                 lambda agent=agent: f"{agent.name} is join-pending: {agent.folder('home')}")
        check(agent.folder("home")["state"] == "held", "the state is held", agent.folder("home"))
        check(agent.try_cli("status").code == 5, "status exits 5")
    stays(lambda: not differences(before_a, on_a) and not differences(before_b, on_b),
          "nothing is written before it is accepted", 1.5)
    check(b.try_sync("home", timeout=10).code == 5, "sync --wait exits 5 at once")

    b.cli("folder", "accept", "home", "--from", "alpha")
    wait_for(lambda: len(conflicts(on_a)) == 3 and len(conflicts(on_b)) == 3,
             lambda: f"three conflict items: {conflicts(on_a)} {conflicts(on_b)}")
    b.sync("home")
    same(on_a, on_b)
    for name in (".zshrc", ".vimrc", ".config/app/app.conf"):
        check((on_b / name).read_text().startswith("alpha's"), f"{name} keeps its name and content")
        check(f"beta's default {name}\n".encode() in conflicts(on_a).values(),
              f"beta's {name} is a conflict item", conflicts(on_a))
    check(conflicts(on_a) == conflicts(on_b), "the same items on both")
    check((on_a / "only-beta").read_text() == "b\n", "what only beta had is there")
    check((on_b / "only-alpha").read_text() == "a\n", "what only alpha had is there")
    for agent in (a, b):
        wait_for(lambda agent=agent: agent.folder("home")["conflicts"] == 3,
                 lambda agent=agent: f"three conflicts in status: {agent.folder('home')}")
        check(agent.try_cli("status").code == 3, "status exits 3")


def test_empty_side_joins_by_itself(world):
    a, b = world.agent("alpha").start(), world.agent("beta").start()
    a.folder_add("home")
    put(a.paths["home"] / "x", "x")
    a.try_cli("sync", "home")
    b.folder_add("home")
    connect(b, a)
    b.sync("home")
    same(a.paths["home"], b.paths["home"])
    check(a.folder("home")["id"] == b.folder("home")["id"], "one id")


def test_both_empty(world):
    """Both drew an id while alone; the smaller one stays."""
    a, b = world.agent("alpha").start(), world.agent("beta").start()
    for agent in (a, b):
        agent.folder_add("home")
    connect(a, b)
    put(a.paths["home"] / "x", "x")
    a.sync("home")
    same(a.paths["home"], b.paths["home"])
    check(a.folder("home")["id"] == b.folder("home")["id"], "one id")


def test_both_accept(world):
    """Each accepts the other: one id in the end, nothing lost."""
    a, b, on_a, on_b = established(world)
    connect(b, a)
    for agent in (a, b):
        wait_for(lambda agent=agent: agent.folder("home")["code"] == "join-pending", "join-pending")
    a.try_cli("folder", "accept", "home", "--from", "beta")
    b.try_cli("folder", "accept", "home", "--from", "alpha")
    wait_for(lambda: a.folder("home")["id"] == b.folder("home")["id"], "one id")
    a.sync("home")
    b.sync("home")
    same(on_a, on_b)
    there = {text for root in (on_a,) for text in
             [*conflicts(root).values()] + [(root / n).read_bytes() for n in (".zshrc", ".vimrc")]}
    for name in (".zshrc", ".vimrc"):
        for text in (f"alpha's {name}, years of work\n", f"beta's default {name}\n"):
            check(text.encode() in there, f"not lost: {text!r}", there)


def test_added_again(world):
    """A folder removed and added again at the same root joins without a question."""
    a, b, on_a, on_b = world.pair("home")
    put(on_a / "x", "1")
    a.sync("home")
    b.cli("folder", "remove", "home")
    check((on_b / "x").read_text() == "1", "the files stay")
    put(on_a / "y", "2")
    put(on_b / "z", "3")
    b.folder_add("home")
    b.sync("home")
    same(on_a, on_b)
    check(not conflicts(on_a), "no conflict", conflicts(on_a))


if __name__ == "__main__":
    main()
