#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Folders that go one way: send-only with override, receive-only with reset."""

import json

import harness
from harness import check, stays, wait_for


def pair(world, mode):
    """a has the mode, b is two-way."""
    a, b = world.agent("a"), world.agent("b")
    for agent, other in ((a, b), (b, a)):
        agent.start()
        agent.peer_add(other)
    for agent in (a, b):
        agent.folder_add("etc")
    for name in ("one", "two", "three"):
        (a.paths["etc"] / name).write_text(name)
    a.sync()
    b.sync()
    out = a.cli("folder", "set", "etc", f"mode={mode}").out
    check(f"mode={mode}\n" in out, "folder set says so", out)
    return a, b, a.paths["etc"], b.paths["etc"]


def test_send_only(world):
    a, b, here, there = pair(world, "send-only")
    (there / "one").write_text("of b")
    (there / "two").unlink()
    (there / "new").write_text("new of b")
    result = b.try_sync()
    check(result.code == 0, "b does not wait for what a will not take", result)
    wait_for(lambda: a.folder("etc")["differs"] == 3, "what differs is counted")
    check((here / "one").read_text() == "one" and (here / "two").exists()
          and not (here / "new").exists(), "nothing of b is done here")
    check(a.folder("etc")["mode"] == "send-only" and "3 differ here" in a.cli("status").out,
          "status says so")
    check(a.folder("etc")["state"] == "synced", "and that nothing is wrong", a.status())
    check(b.folder("etc")["state"] == "synced", "b too", b.status())
    (here / "three").write_text("three of a")
    a.sync()
    check((there / "three").read_text() == "three of a", "what is saved here goes out")
    why = json.loads(a.cli("why", here / "one", "--json").out)
    check(why["state"] == "blocked:send-only", "why says so", why)
    a.restart()
    wait_for(lambda: a.connected("b"), "connected")
    a.sync()
    check(a.folder("etc")["differs"] == 3 and (here / "one").read_text() == "one",
          "a restart changes nothing")

    check("is not receive-only" in a.cli("folder", "reset", "etc", ok=(1,)).err, "not that")
    out = a.cli("folder", "override", "etc").out
    check(out == "made to win: 3 paths\n", "override says what it did", out)
    a.sync()
    check((there / "one").read_text() == "one" and (there / "two").read_text() == "two"
          and not (there / "new").exists(), "what is here wins there")
    check(a.folder("etc")["differs"] == 0, "nothing differs any more")
    kept = json.loads(b.cli("kept", "--json").out)["kept"]
    check(sorted(k["path"].rsplit("/", 1)[1] for k in kept if k["by"] == "a") ==
          ["new", "one", "three"], "b has kept what it had", kept)
    (there / "one").write_text("again of b")
    b.sync()
    a.cli("folder", "set", "etc", "mode=two-way")
    a.sync()
    check((here / "one").read_text() == "again of b", "two-way again")


def test_receive_only(world):
    a, b, here, there = pair(world, "receive-only")
    (here / "one").write_text("changed here")
    (here / "two").unlink()
    (here / "dir").mkdir()
    (here / "dir" / "mine").write_text("mine")
    (here / "three").chmod(0o600)
    a.sync()
    wait_for(lambda: a.folder("etc")["changed_here"] == 5, lambda: str(a.folder("etc")))
    stays(lambda: (there / "one").read_text() == "one" and (there / "two").exists()
          and not (there / "dir").exists(), "nothing of it goes out")
    check("5 changed only here" in a.cli("status").out, "status says so", a.cli("status").out)
    check(a.folder("etc")["state"] == "synced", "and that nothing is wrong", a.status())
    (there / "four").write_text("four")
    (there / "one").write_text("newer of b")
    result = b.try_sync()
    check(result.code == 1 and "changed-here" in result.text, "what a cannot take is named", result)
    check((here / "four").read_text() == "four", "the rest comes")
    check((here / "one").read_text() == "changed here", "what was changed here stays")
    a.restart()
    wait_for(lambda: a.folder("etc")["changed_here"] == 5, "found again")
    wait_for(lambda: a.connected("b"), "connected")
    a.try_sync()  # what b has is known again

    out = a.cli("folder", "reset", "etc").out
    check(out == "reset: 5 paths\n", "reset says what it did", out)
    check((here / "one").read_text() == "newer of b" and (here / "two").read_text() == "two"
          and not (here / "dir").exists(), "it is as it is there")
    check((here / "three").stat().st_mode == (there / "three").stat().st_mode, "the mode, too")
    check(a.folder("etc")["changed_here"] == 0, "nothing is changed here any more")
    kept = {k["path"][len(str(here)) + 1:] for k in json.loads(a.cli("kept", "--json").out)["kept"]}
    check({"one", "dir/mine"} <= kept, "what was dropped is kept", kept)
    result = b.try_sync()
    check(result.code == 0, "all is in sync", result)

    (here / "one").write_text("changed again")
    wait_for(lambda: a.folder("etc")["changed_here"] == 1, "noted")
    check("decide on another device" in a.cli("undo", ok=(1,)).err, "nothing is published by that")
    a.cli("folder", "set", "etc", "mode=default")
    a.sync()
    check((there / "one").read_text() == "changed again", "two-way again: it is published")


def test_first_scan(world):
    """Who joins receive-only with files of its own keeps them to itself."""
    a, b = world.agent("a"), world.agent("b")
    root = world.dir / "a-etc"
    root.mkdir()
    (root / "same").write_text("same")
    (root / "other").write_text("of a")
    (root / "own").write_text("own")
    for agent, other in ((a, b), (b, a)):
        agent.start()
        agent.peer_add(other)
    b.folder_add("etc")
    for name in ("same", "other", "theirs"):
        (b.paths["etc"] / name).write_text("same" if name == "same" else "of b")
    b.cli("sync")
    a.stop()
    config = a.home / "config"
    config.write_text(config.read_text() +
                      f'folder etc {{ path = "{root}" with = {{"all"}} mode = "receive-only" }}\n')
    a.start()
    wait_for(lambda: (root / "theirs").exists(), "what b has comes")
    wait_for(lambda: a.folder("etc")["changed_here"] == 2, lambda: str(a.status()))
    check((root / "other").read_text() == "of a", "what differs stays until reset")
    stays(lambda: not (b.paths["etc"] / "own").exists(), "nothing goes out")
    check((b.paths["etc"] / "other").read_text() == "of b", "b has what it had")
    a.cli("folder", "reset", "etc")
    check((root / "other").read_text() == "of b" and not (root / "own").exists(), "reset")


if __name__ == "__main__":
    harness.main()
