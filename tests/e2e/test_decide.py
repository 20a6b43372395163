#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What people decide: conflicts on any device, kept versions, undo."""

import json
import os
import shutil
import time

from harness import check, main, wait_for
from trees import conflicts, put, same, wait_same


def trio(world):
    """Three devices in step, all sharing one folder."""
    agents = world.company("alpha", "beta", "gamma")
    for agent in agents:
        agent.folder_add("f")
    for agent in agents:
        agent.sync("f")
    return agents


def clash(world, name="conf.d/file"):
    """alpha and beta edit while apart; gamma edits neither."""
    a, b, c = trio(world)
    roots = [agent.paths["f"] for agent in (a, b, c)]
    put(roots[0] / name, "start\n")
    a.sync("f")
    wait_same(*roots[:2])
    a.stop()
    b.stop()
    put(roots[0] / name, "start\nalpha's line\n")
    time.sleep(0.05)
    put(roots[1] / name, "start\nbeta's line\n")
    a.start()
    b.start()
    for agent in (a, b, c):
        wait_for(lambda agent=agent: agent.folder("f")["conflicts"] == 1,
                 f"{agent.name} counts the conflict")
    for root in roots:
        wait_for(lambda root=root: (root / name).read_text() == "start\nbeta's line\n",
                 "the later edit is in place everywhere")
        check(os.listdir(root / "conf.d") == ["file"], "no stray file beside it",
              os.listdir(root / "conf.d"))
    return (a, b, c), roots, name


def settle(agents, roots):
    for agent in agents:
        wait_for(lambda agent=agent: agent.folder("f")["conflicts"] == 0,
                 f"{agent.name} has no conflict any more")
    wait_same(*roots[:2])
    wait_same(*roots[1:])


def test_listed_everywhere(world):
    agents, roots, name = clash(world)
    for agent, root in zip(agents, roots):
        check(agent.try_cli("status").code == 3, "status exits 3")
        listed = json.loads(agent.cli("conflicts", "--json").out)["conflicts"]
        check(len(listed) == 1, "one conflict is listed", listed)
        one = listed[0]
        check(one["path"] == str(root / name), "by its plain path", one)
        check(one["aside"]["by"] == "alpha" and one["here"]["by"] == "beta", "with who", one)
        check(one["aside"]["size"] == len("start\nalpha's line\n"), "and its size", one)
        text = agent.cli("conflicts").out
        check("alpha" in text and "beta" in text and str(root / name) in text, "for people", text)
        shown = agent.cli("conflicts", "show", root / name).out
        check("-beta's line" in shown and "+alpha's line" in shown, "with the difference", shown)


def test_take_on_the_third(world):
    agents, roots, name = clash(world)
    agents[2].cli("conflicts", "take", roots[2] / name)
    settle(agents, roots)
    for agent, root in zip(agents, roots):
        wait_for(lambda root=root: (root / name).read_text() == "start\nalpha's line\n",
                 "what was set aside is in place")
        check(agent.try_cli("status").code == 0, "status exits 0", agent.try_cli("status"))
    agents[2].cli("undo")
    for root in roots:
        wait_for(lambda root=root: (root / name).read_text() == "start\nbeta's line\n",
                 "undo puts it back")


def test_take_from(world):
    agents, roots, name = clash(world)
    result = agents[2].try_cli("conflicts", "take", roots[2] / name, "--from", "beta")
    check(result.code == 1 and "no edit of that device" in result.err, "beta's is in place", result)
    result = agents[2].try_cli("conflicts", "take", roots[2] / name, "--from", "delta")
    check(result.code == 1 and "delta" in result.err, "there is no delta", result)
    agents[2].cli("conflicts", "take", roots[2] / name, "--from", "alpha")
    settle(agents, roots)


def test_dismiss(world):
    agents, roots, name = clash(world)
    agents[0].cli("conflicts", "dismiss", str(roots[0]) + "/conf.d/*")
    settle(agents, roots)
    for root in roots:
        check((root / name).read_text() == "start\nbeta's line\n", "what was in place stays")
    again = agents[0].try_cli("conflicts", "dismiss", roots[0] / name)
    check(again.code == 1 and "no conflict" in again.err, "nothing to dismiss", again)


def test_resolve(world):
    agents, roots, name = clash(world)
    merged = world.dir / "merged"
    put(merged, "start\nalpha's line\nbeta's line\n")
    agents[1].cli("conflicts", "resolve", roots[1] / name, "--with", merged)
    settle(agents, roots)
    for root in roots:
        wait_for(lambda root=root: (root / name).read_text() == merged.read_text(), "merged")


def test_resolve_in_place(world):
    agents, roots, name = clash(world)
    put(roots[0] / name, "by hand\n")
    agents[0].cli("conflicts", "resolve", roots[0] / name, "--with", roots[0] / name)
    settle(agents, roots)
    for root in roots:
        wait_for(lambda root=root: (root / name).read_text() == "by hand\n", "edited in place")


def test_resolved_twice_at_once(world):
    agents, roots, name = clash(world)
    agents[2].stop()
    put(world.dir / "x", "from gamma\n")
    agents[0].cli("conflicts", "take", roots[0] / name)
    settle(agents[:2], roots[:2] + roots[:1])
    os.unlink(roots[2] / ".cfgsync/conflicts" / list(conflicts(roots[2]))[0])
    agents[2].start()
    settle(agents, roots)
    for root in roots:
        check((root / name).read_text() == "start\nalpha's line\n", "alpha's decision stands")


def test_set_aside_edited_further(world):
    """The item itself is edited on one device while another takes it."""
    agents, roots, name = clash(world)
    item = list(conflicts(roots[0]))[0]
    put(roots[0] / ".cfgsync/conflicts" / item, "start\nalpha's line, better\n")
    wait_for(lambda: list(conflicts(roots[2]).values()) == [b"start\nalpha's line, better\n"],
             "the edit of the item arrives")
    agents[2].cli("conflicts", "take", roots[2] / name)
    settle(agents, roots)
    for root in roots:
        wait_for(lambda root=root: (root / name).read_text() == "start\nalpha's line, better\n",
                 "the edited item is in place")


def test_kept_and_restore(world):
    a, b, on_a, on_b = world.pair()
    put(on_a / "dir/file", "one\n", 0o640)
    put(on_a / "dir/other", "other\n")
    put(on_a / "stays", "what leaves nothing would be held\n")
    a.sync("f")
    put(on_b / "dir/file", "two\n")
    wait_for(lambda: (on_a / "dir/file").read_text() == "two\n", "beta's edit arrives")
    rows = json.loads(a.cli("kept", on_a / "dir/file", "--json").out)["kept"]
    check(len(rows) == 1 and rows[0]["by"] == "beta", "alpha kept what beta replaced", rows)
    check("dir/file" in a.cli("kept").out, "kept lists all")
    a.cli("restore", on_a / "dir/file")
    wait_for(lambda: (on_b / "dir/file").read_text() == "one\n", "the old one is back on both")
    check((on_a / "dir/file").stat().st_mode & 0o777 == 0o640, "with its mode")
    shutil.rmtree(on_b / "dir")
    wait_for(lambda: not (on_a / "dir").exists(), "the folder is deleted")
    a.cli("restore", on_a / "dir")
    wait_same(on_a, on_b)
    check((on_b / "dir/other").read_text() == "other\n", "a whole folder comes back")
    missing = a.try_cli("restore", on_a / "nothing")
    check(missing.code == 1 and "no version of it is kept" in missing.err, "says so", missing)
    outside = a.try_cli("restore", "/etc/hostname")
    check(outside.code == 1 and "is in no folder" in outside.err, "says so", outside)


def test_restore_at(world):
    a, b, on_a, on_b = world.pair()
    put(on_a / "file", "first\n")
    a.sync("f")
    moments = []
    for text in ("second\n", "third\n"):
        time.sleep(1.1)
        moments.append(time.strftime("%Y-%m-%d %H:%M:%S"))
        time.sleep(1.1)
        put(on_b / "file", text)
        wait_for(lambda text=text: (on_a / "file").read_text() == text, "the edit arrives")
    a.cli("restore", on_a / "file", "--at", moments[0])
    wait_for(lambda: (on_b / "file").read_text() == "first\n", "as it was at first")
    result = a.try_cli("restore", on_a / "file", "--at", "yesterday-ish")
    check(result.code == 2, "a moment that is none", result)


def test_undo(world):
    """All of the last batch: edited, created and deleted; what was edited since is left alone."""
    a, b, on_a, on_b = world.pair()
    for name in ("edited", "deleted", "edited-since", "d/e/deleted"):
        put(on_a / name, f"{name}, old\n")
    a.sync("f")
    b.sync("f")
    b.stop()
    time.sleep(2.5)
    for name in ("edited", "edited-since"):
        put(on_b / name, f"{name}, new\n")
    shutil.rmtree(on_b / "d")
    os.unlink(on_b / "deleted")
    put(on_b / "new/file", "new\n")
    os.symlink("nowhere", on_b / "new/link")
    b.start()
    wait_for(lambda: (on_a / "new/file").exists() and not (on_a / "d").exists() and
             (on_a / "edited-since").read_text() == "edited-since, new\n", "all has arrived")
    a.sync("f")
    put(on_a / "edited-since", "and again\n")
    a.sync("f")
    result = a.try_cli("undo")
    check(result.code == 1 and "1 left alone" in result.err, "one is left alone", result)
    wait_same(on_a, on_b)
    check((on_a / "edited").read_text() == "edited, old\n", "the edit is taken back")
    check((on_a / "deleted").read_text() == "deleted, old\n", "the deletion is taken back")
    check((on_a / "d/e/deleted").exists(), "in its folder, too")
    check(not (on_a / "new").exists(), "what was new is gone")
    check((on_a / "edited-since").read_text() == "and again\n", "what was edited since stays")
    a.sync("f")
    a.cli("undo")
    wait_same(on_a, on_b)
    check((on_a / "new/file").read_text() == "new\n", "another undo takes the undo back")


def test_nothing_to_undo(world):
    a, _, _, _ = world.pair()
    result = a.try_cli("undo")
    check(result.code == 1 and "no change of another device" in result.err, "says so", result)


if __name__ == "__main__":
    main()
